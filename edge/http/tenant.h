// SPDX-License-Identifier: Apache-2.0
// Bearer token -> tenant, remembered for a short while, and the look-ups under way. Pure: times
// are parameters, nothing is sent from here. Secrets are kept as their SHA-256 only.
#pragma once
#include "contract.h"
#include "text.h"

enum {
    TENANTS_KNOWN_MAX = 65536, // resolved tokens; then the oldest of its set is replaced
    TENANTS_UNKNOWN_MAX = 4096, // refused ones, in a table of their own; likewise
    TENANT_LOOKUPS_MAX = 1024, // under way; then 503
};

struct token {
    struct uuid id;
    uint8_t secret_hash[32];
};

// "Bearer <id>|<secret>", the scheme in any case. False: no such header or not of this form.
MUST_USE bool token_parse(struct text authorization, struct token *ret_token);

// A request that waits for a look-up; embedded in its owner.
struct waiter {
    struct waiter *next;
};

struct lookup; // one token being asked for

enum tenant_state { TENANT_KNOWN, TENANT_UNKNOWN, TENANT_NOT_HERE };

struct tenant_table;

struct tenant_table *tenant_table_new(void); // NULL when memory is short
struct tenant_table *tenant_table_free(struct tenant_table *table); // accepts NULL, returns NULL

// now_us is monotonic, wall_us is since 1970: an expired token is TENANT_UNKNOWN.
enum tenant_state tenant_find(struct tenant_table *table, const struct token *token,
                              uint64_t now_us, int64_t wall_us, struct uuid *ret_tenant);

// Adds the waiter to the look-up of this token. ret_first: it is new, the caller must ask.
// NULL: too many under way.
struct lookup *tenant_lookup_join(struct tenant_table *table, const struct token *token,
                                  struct waiter *waiter, bool *ret_first);
void tenant_lookup_leave(struct lookup *lookup, struct waiter *waiter); // it need not wait more

// The look-up that an answer's pointer is, or NULL: answers for requests and look-ups come through
// one callback.
struct lookup *tenant_lookup_of(struct tenant_table *table, void *pointer);

// What was asked for is known: tenant and expiry (0: never), or NULL for a refusal. Returns the
// waiters; the look-up is gone. It is remembered unless something was revoked meanwhile.
struct waiter *tenant_lookup_settle(struct tenant_table *table, struct lookup *lookup,
                                    const struct uuid *tenant, int64_t expires_at_us,
                                    uint64_t now_us);
// It could not be asked: nothing is remembered.
struct waiter *tenant_lookup_fail(struct tenant_table *table, struct lookup *lookup);

// One token, all tokens of a tenant, everything (events may have been missed).
void tenant_revoke_token(struct tenant_table *table, struct uuid token_id);
void tenant_revoke_all(struct tenant_table *table, struct uuid tenant);
void tenant_table_clear(struct tenant_table *table);
