// SPDX-License-Identifier: Apache-2.0
// Redis as the cache of pages, asynchronous, in the loop.
//
// Two kinds of keys: `v` of a tenant is a random token; a page begins with the token under which it
// was read and counts only while that is the tenant's. To invalidate is to delete `v`. A reader has
// its token before it asks PostgreSQL, so a page filled late, with rows from before a change, lies
// under a token that no longer counts.
//
// After confirmed == true no page from before the call is served. Redis has deleted `v`, whoever
// had set it and when; a token that is set later belongs to a reader whose SQL runs later, after
// the commit. A lost connection answers false although Redis may have obeyed, and so does an
// unreachable Redis: it may still serve the readers. The one exception is a unix socket that
// refuses a fresh connection: nobody listens, so the process that held the pages is gone, and since
// keys carry Redis's run_id its successor knows none of them.
//
// After confirmed == false two things keep old pages away. Readers that are told to bypass the
// tenant do so until the last such page is over. Readers that were not told, since they were
// started later or events were lost on their way to them, believe no page until CACHE_SETTLE_MS
// after Redis has answered them: by then every writer that works has reached Redis, too, and the
// first thing it says on a new connection is what it owes. Until then they read tokens and fill:
// that is safe at any time, since a page counts no longer than its token, which is older than its
// SQL. No clock but the process's own is compared.
//
// What remains is a page that is served until its CACHE_PAGE_MS are over, by a reader of another
// Redis (another cell's, a replaced master), or by one that was not told while the writer that owes
// ended, too, or is cut off from a Redis that the reader reaches. (A reader that loses one broker
// of several goes on believing: the word comes through the others.)
//
// Redis answers late, never, nonsense or an error: a miss, and after CACHE_BREAKER_MISSES of them
// in a row the connection is dropped and all goes to PostgreSQL for CACHE_BREAKER_MS; then a new
// connection has to say who it is before it is used. Needs Redis 7 (SET with NX and GET).
#pragma once
#include "limits.h"
#include "loop.h"
#include "metrics.h"
#include "text.h"

struct cache;

enum { CACHE_PAGES_MAX = 2 }; // of one read: the page and its total

struct cache_id { // hash of operation, reply version and parameters
    uint8_t bytes[16];
};

struct cache_answer {
    bool available; // false: straight to PostgreSQL, alone; nothing is to be filled
    bool settled; // false: alone, too, since the token may have outlived a change; to be filled
    uint64_t token; // under which the pages count and a fill is to be made
    struct text pages[CACHE_PAGES_MAX]; // bytes == NULL: not there; valid during the callback
};

struct cache_options {
    const char *url; // see redis_address.h; "": no cache, for no process of the cell
    const char *name; // CLIENT SETNAME
    uint64_t seed; // from digest_random: no two processes may draw the same tokens. Never 0
    void *context;
    // Once a read; may call all below but cache_free.
    void (*on_answer)(void *context, uint32_t tag, const struct cache_answer *answer);
    void (*on_invalidated)(void *context, uint32_t tag, bool confirmed); // once an invalidation
    void (*on_trouble)(void *context, const char *sentence); // for the log: gone, back
};

// Resolves the host's name, blocking. NULL after filling the sentence: the URL makes no sense or
// the host is unknown. The first attempt to connect begins at once.
MUST_USE struct cache *cache_new(struct loop *loop, const struct cache_options *options,
                                 char *ret_sentence, size_t sentence_size);
struct cache *cache_free(struct cache *cache); // accepts NULL, returns NULL; answers nothing more

// One round trip for one or two pages, another where the tenant has no token yet; all commands of
// a turn leave together. Answered within CACHE_DEADLINE_MS, never from inside the call. Reads and
// invalidations that wait for their answers are at most CACHE_TICKETS_MAX together.
void cache_read(struct cache *cache, struct uuid tenant, const struct cache_id *ids, uint32_t count,
                uint32_t tag);

// Keeps a page for CACHE_PAGE_MS. Dropped in silence when Redis is not available or busy.
void cache_fill(struct cache *cache, struct uuid tenant, const struct cache_id *id, uint64_t token,
                struct text page);

// After the commit, before the reply: at most BATCH_MEMBERS_MAX tenants. Answered within
// CACHE_INVALIDATE_MS, never from inside the call; not confirmed: the owner tells all readers to
// bypass the cache for these tenants, and calls cache_owe for each.
void cache_invalidate(struct cache *cache, const struct uuid *tenants, uint32_t count,
                      uint32_t tag);

// Invalidates again, until Redis confirms or CACHE_BYPASS_MS have passed; on a new connection
// before anything else. Of more than CACHE_OWED_MAX tenants the oldest is dropped, and counted.
void cache_owe(struct cache *cache, struct uuid tenant);

// No reads or fills for this tenant for CACHE_BYPASS_MS; for no tenant when too many are bypassed.
void cache_bypass(struct cache *cache, struct uuid tenant);
void cache_bypass_all(struct cache *cache); // which tenants is not known

// The owner may have missed that tenants are to be bypassed.
void cache_unsettle(struct cache *cache);

bool cache_is_up(const struct cache *cache);
bool cache_is_settled(const struct cache *cache); // it is up, and pages count
void cache_metrics(const struct cache *cache, struct metrics *metrics);
