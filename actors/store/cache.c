// SPDX-License-Identifier: Apache-2.0
// Life of a request: taken from the free places, sent (Redis owes an answer under its number), then
// told: at once from the answer, or by the drain hook when it ended otherwise. An answer that
// comes later finds no request of that number.
#include "cache.h"

#include "bypass.h"
#include "bytes.h"
#include "chance.h"
#include "format.h"
#include "owed.h"
#include "redis.h"

#include <stdio.h>

enum {
    PING_NUMBER = 0, // of no request and no fill
    TOKEN_BYTES = 8,
    KEY_BYTES_MAX = 2 + REDIS_RUN_BYTES + 2 * (1 + UUID_TEXT_BYTES),
    VALUE_BYTES_MAX = TOKEN_BYTES + REPLY_BYTES_MAX,
};

// What may wait for answers at once has its place; the rest is of tests.
static_assert(READS_IN_HAND_MAX <= CACHE_TICKETS_MAX, "a query actor");
static_assert(COMMANDS_IN_HAND_MAX + CACHE_OWED_MAX / BATCH_MEMBERS_MAX <= CACHE_TICKETS_MAX,
              "a command actor");

// Redis answers a reader. A command actor that works has then, at the latest, told it what it owes:
// its attempt under way ends in vain, it rests, it connects.
static_assert(CACHE_BACKOFF_MS_MIN <= CACHE_BREAKER_MS, "no rest is longer");
static_assert(CACHE_CONNECT_MS + CACHE_BREAKER_MS + CACHE_CONNECT_MS <= CACHE_SETTLE_MS,
              "then all that is owed has been told");

enum request_kind { REQUEST_READ, REQUEST_TOKEN, REQUEST_INVALIDATION, REQUEST_OWED };

struct request {
    uint64_t number; // 0: nobody owes it an answer
    uint64_t deadline_us;
    struct uuid tenant; // of a read
    uint32_t tag;
    uint8_t kind; // enum request_kind: a read becomes a TOKEN where the tenant has none
    uint8_t page_count; // of a read
    bool settled; // of a read: the cache was when it was sent
    bool confirmed; // of an invalidation
    char token[TOKEN_BYTES]; // of a TOKEN: ours, unless another process was first
};

struct cache {
    struct cache_options options;
    struct loop *loop;
    struct redis *redis; // NULL: no URL
    struct timer deadline; // of the requests
    struct drain drain;
    uint32_t misses; // in a row
    uint64_t random;
    uint64_t number;
    struct request requests[CACHE_TICKETS_MAX];
    uint16_t free_places[CACHE_TICKETS_MAX]; // a stack
    uint32_t free_count;
    uint16_t ended[CACHE_TICKETS_MAX]; // a ring: to be told by the drain hook
    uint32_t ended_first, ended_count;
    uint64_t fill_bytes; // that Redis has not answered
    struct bypass bypass;
    uint64_t settled_us; // before that, pages do not count
    uint32_t pings; // unanswered; nor while there are any
    struct owed owed;
    uint32_t owed_under_way; // requests
    char page_ms[16], token_ms[16];
    char value[VALUE_BYTES_MAX];
    struct {
        uint64_t hits, misses, unavailable, fills, invalidations, unconfirmed, late, errors, breaks;
    } counters;
};

// --- requests ------------------------------------------------------------------------------------

static struct request *request_take(struct cache *cache, enum request_kind kind, uint32_t tag) {
    ASSERT(cache->free_count > 0);
    uint16_t place = cache->free_places[--cache->free_count];
    struct request *request = &cache->requests[place];
    uint64_t wait_ms = kind == REQUEST_READ ? CACHE_DEADLINE_MS : CACHE_INVALIDATE_MS;
    *request = (struct request){
        .number = ++cache->number * CACHE_TICKETS_MAX + place,
        .deadline_us = loop_now_us(cache->loop) + wait_ms * 1000,
        .tag = tag,
        .kind = (uint8_t)kind,
    };
    uint64_t due_us = cache->deadline.due_us;
    if (due_us == 0 || due_us > request->deadline_us)
        loop_timer_set(cache->loop, &cache->deadline, request->deadline_us);
    return request;
}

static struct request *request_find(struct cache *cache, uint64_t number) {
    struct request *request = &cache->requests[number % CACHE_TICKETS_MAX];
    return request->number == number ? request : NULL;
}

static uint16_t request_place(const struct cache *cache, const struct request *request) {
    return (uint16_t)(request - cache->requests);
}

// It has its outcome; the owner is told by the drain hook.
static void request_end(struct cache *cache, struct request *request, bool confirmed) {
    request->number = 0;
    request->confirmed = confirmed;
    uint32_t last = (cache->ended_first + cache->ended_count++) % CACHE_TICKETS_MAX;
    cache->ended[last] = request_place(cache, request);
}

static void request_free(struct cache *cache, struct request *request) {
    request->number = 0;
    cache->free_places[cache->free_count++] = request_place(cache, request);
}

// Under which owed_take and owed_end know it.
static uint32_t request_message(const struct cache *cache, const struct request *request) {
    return request_place(cache, request) + 1U;
}

static void request_tell(struct cache *cache, struct request *request,
                         const struct cache_answer *answer) {
    const struct request told = *request;
    request_free(cache, request);
    if (told.kind == REQUEST_OWED) {
        owed_end(&cache->owed, request_message(cache, request), told.confirmed);
        cache->owed_under_way--;
    } else if (told.kind == REQUEST_INVALIDATION) {
        cache->counters.unconfirmed += !told.confirmed;
        cache->options.on_invalidated(cache->options.context, told.tag, told.confirmed);
    } else {
        cache->counters.unavailable += !answer->available;
        cache->options.on_answer(cache->options.context, told.tag, answer);
    }
}

static void cache_miss(struct cache *cache, const char *reason) {
    if (!redis_is_up(cache->redis) || ++cache->misses < CACHE_BREAKER_MISSES)
        return;
    cache->misses = 0;
    cache->counters.breaks++;
    redis_break(cache->redis, reason);
}

static void cache_expire(struct timer *timer, uint64_t now_us) {
    struct cache *cache = CONTAINER_OF(timer, struct cache, deadline);
    uint64_t next_us = UINT64_MAX;
    uint64_t late_before = cache->counters.late;
    for (uint32_t i = 0; i < CACHE_TICKETS_MAX; i++) {
        struct request *request = &cache->requests[i];
        if (request->number == 0)
            continue;
        if (request->deadline_us > now_us) {
            next_us = MIN(next_us, request->deadline_us);
            continue;
        }
        cache->counters.late++;
        request_end(cache, request, false);
    }
    if (next_us != UINT64_MAX)
        loop_timer_set(cache->loop, &cache->deadline, next_us);
    if (cache->counters.late > late_before)
        cache_miss(cache, "it answers too late");
}

// --- keys ----------------------------------------------------------------------------------------

// "v:" or "p:", Redis's run, the tenant, the page.
static struct text cache_key(const struct cache *cache, struct uuid tenant,
                             const struct cache_id *id, char key[KEY_BYTES_MAX]) {
    struct text run = redis_run(cache->redis);
    char *at = key;
    *at++ = id == NULL ? 'v' : 'p';
    *at++ = ':';
    memcpy(at, run.bytes, run.length);
    at += run.length;
    *at++ = ':';
    at += uuid_write(tenant, at);
    if (id != NULL) {
        struct uuid hash;
        memcpy(hash.bytes, id->bytes, sizeof hash.bytes);
        *at++ = ':';
        at += uuid_write(hash, at);
    }
    return (struct text){key, (uint32_t)(at - key)};
}

static bool cache_is_closed(const struct cache *cache, struct uuid tenant) {
    return !cache_is_up(cache) || bypass_has(&cache->bypass, tenant, loop_now_us(cache->loop));
}

// --- when pages count ----------------------------------------------------------------------------

bool cache_is_settled(const struct cache *cache) {
    return cache_is_up(cache) && cache->pings == 0 && loop_now_us(cache->loop) >= cache->settled_us;
}

// It may hang since before the events were missed, so the time counts from its answer. A new
// connection comes here by itself.
void cache_unsettle(struct cache *cache) {
    struct redis_command command = {.count = 0};
    redis_argument(&command, TEXT("PING"));
    if (!cache_is_up(cache))
        return;
    if (redis_send(cache->redis, &command, PING_NUMBER))
        cache->pings++;
    else
        redis_break(cache->redis, "it owes too many answers");
}

static void ping_answered(struct cache *cache, const struct redis_answer *answer) {
    cache->pings--;
    cache->settled_us = loop_now_us(cache->loop) + CACHE_SETTLE_MS * UINT64_C(1000);
    if (answer->kind == REDIS_ANSWER_ERROR) {
        cache->counters.errors++;
        redis_break(cache->redis, "it does not answer PING");
    }
}

// --- reads ---------------------------------------------------------------------------------------

void cache_read(struct cache *cache, struct uuid tenant, const struct cache_id *ids, uint32_t count,
                uint32_t tag) {
    ASSERT(count >= 1 && count <= CACHE_PAGES_MAX);
    struct request *request = request_take(cache, REQUEST_READ, tag);
    request->tenant = tenant;
    request->page_count = (uint8_t)count;
    request->settled = cache_is_settled(cache);
    if (cache_is_closed(cache, tenant)) {
        request_end(cache, request, false);
        return;
    }
    char keys[1 + CACHE_PAGES_MAX][KEY_BYTES_MAX];
    struct redis_command command = {.count = 0};
    redis_argument(&command, TEXT("MGET"));
    redis_argument(&command, cache_key(cache, tenant, NULL, keys[0]));
    for (uint32_t i = 0; i < count; i++)
        redis_argument(&command, cache_key(cache, tenant, &ids[i], keys[i + 1]));
    if (!redis_send(cache->redis, &command, request->number))
        request_end(cache, request, false);
}

static bool is_token(struct text bytes) {
    return bytes.bytes != NULL && bytes.length == TOKEN_BYTES;
}

// pages: what Redis keeps under their keys, or NULL.
static void read_answer(struct cache *cache, struct request *request, const char *token,
                        const struct text *pages) {
    struct cache_answer answer = {
        .available = true,
        .settled =
            request->settled && cache_is_settled(cache) && !cache_is_closed(cache, request->tenant),
        .token = bytes_get_u64(token),
    };
    for (uint32_t i = 0; i < request->page_count; i++) {
        struct text page = pages == NULL || !answer.settled ? (struct text){NULL, 0} : pages[i];
        bool counts = page.bytes != NULL && page.length >= TOKEN_BYTES &&
                      memcmp(page.bytes, token, TOKEN_BYTES) == 0;
        if (counts)
            answer.pages[i] = (struct text){page.bytes + TOKEN_BYTES, page.length - TOKEN_BYTES};
        cache->counters.hits += counts;
        cache->counters.misses += !counts;
    }
    cache->misses = 0;
    request_tell(cache, request, &answer);
}

static void request_fail(struct cache *cache, struct request *request,
                         const struct redis_answer *answer) {
    char reason[128] = "its answer is not what was asked for";
    if (answer->kind == REDIS_ANSWER_ERROR)
        snprintf(reason, sizeof reason, "%.*s", (int)MIN(answer->bytes.length, sizeof reason),
                 answer->bytes.bytes);
    cache->counters.errors++;
    request_end(cache, request, false);
    cache_miss(cache, reason);
}

static void read_draw_token(struct cache *cache, struct request *request) {
    char key[KEY_BYTES_MAX];
    bytes_put_u64(request->token, chance_next(&cache->random));
    request->kind = REQUEST_TOKEN;
    struct redis_command command = {.count = 0};
    redis_argument(&command, TEXT("SET"));
    redis_argument(&command, cache_key(cache, request->tenant, NULL, key));
    redis_argument(&command, (struct text){request->token, TOKEN_BYTES});
    redis_argument(&command, TEXT("NX"));
    redis_argument(&command, TEXT("GET"));
    redis_argument(&command, TEXT("PX"));
    redis_argument(&command, text_of(cache->token_ms));
    if (!redis_send(cache->redis, &command, request->number))
        request_end(cache, request, false);
}

static void read_answered(struct cache *cache, struct request *request,
                          const struct redis_answer *answer) {
    if (answer->kind != REDIS_ANSWER_LIST || answer->count != 1U + request->page_count)
        request_fail(cache, request, answer);
    else if (is_token(answer->items[0]))
        read_answer(cache, request, answer->items[0].bytes, answer->items + 1);
    else
        read_draw_token(cache, request);
}

// Nil: the token is ours; else the one that another process had set meanwhile.
static void token_answered(struct cache *cache, struct request *request,
                           const struct redis_answer *answer) {
    if (answer->kind == REDIS_ANSWER_BYTES && is_token(answer->bytes))
        read_answer(cache, request, answer->bytes.bytes, NULL);
    else if (answer->kind == REDIS_ANSWER_NIL)
        read_answer(cache, request, request->token, NULL);
    else
        request_fail(cache, request, answer);
}

// --- fills and invalidations ---------------------------------------------------------------------

void cache_fill(struct cache *cache, struct uuid tenant, const struct cache_id *id, uint64_t token,
                struct text page) {
    ASSERT(page.length <= REPLY_BYTES_MAX);
    uint32_t length = TOKEN_BYTES + page.length;
    if (cache_is_closed(cache, tenant) || cache->fill_bytes + length > CACHE_FILL_BYTES_MAX)
        return;
    bytes_put_u64(cache->value, token);
    memcpy(cache->value + TOKEN_BYTES, page.bytes, page.length);
    char key[KEY_BYTES_MAX];
    struct redis_command command = {.count = 0};
    redis_argument(&command, TEXT("SET"));
    redis_argument(&command, cache_key(cache, tenant, id, key));
    redis_argument(&command, (struct text){cache->value, length});
    redis_argument(&command, TEXT("PX"));
    redis_argument(&command, text_of(cache->page_ms));
    if (!redis_send(cache->redis, &command, length))
        return;
    cache->fill_bytes += length;
    cache->counters.fills++;
}

static bool cache_forget(struct cache *cache, const struct uuid *tenants, uint32_t count,
                         uint64_t number) {
    ASSERT(count <= BATCH_MEMBERS_MAX);
    char keys[BATCH_MEMBERS_MAX][KEY_BYTES_MAX];
    struct redis_command command = {.count = 0};
    redis_argument(&command, TEXT("DEL"));
    for (uint32_t i = 0; i < count; i++)
        redis_argument(&command, cache_key(cache, tenants[i], NULL, keys[i]));
    return redis_send(cache->redis, &command, number);
}

void cache_invalidate(struct cache *cache, const struct uuid *tenants, uint32_t count,
                      uint32_t tag) {
    struct request *request = request_take(cache, REQUEST_INVALIDATION, tag);
    cache->counters.invalidations++;
    if (count == 0 || cache->redis == NULL) {
        request_end(cache, request, true);
        return;
    }
    if (!cache_forget(cache, tenants, count, request->number))
        request_end(cache, request, redis_is_gone(cache->redis));
}

static void invalidation_answered(struct cache *cache, struct request *request,
                                  const struct redis_answer *answer) {
    if (answer->kind != REDIS_ANSWER_INTEGER) {
        request_fail(cache, request, answer);
        return;
    }
    cache->misses = 0;
    request_end(cache, request, true);
}

void cache_owe(struct cache *cache, struct uuid tenant) {
    owed_add(&cache->owed, tenant, loop_now_us(cache->loop));
}

// True when something was sent: all that waited. The next time is when that has its outcome.
static bool cache_send_owed(struct cache *cache) {
    if (cache->owed_under_way > 0)
        return false;
    while (cache->owed.count > 0 && cache_is_up(cache)) {
        struct request *request = request_take(cache, REQUEST_OWED, 0);
        uint32_t message = request_message(cache, request);
        struct uuid tenants[BATCH_MEMBERS_MAX];
        uint32_t count = owed_take(&cache->owed, message, loop_now_us(cache->loop), tenants);
        if (count == 0 || !cache_forget(cache, tenants, count, request->number)) {
            owed_end(&cache->owed, message, false);
            request_free(cache, request);
            break;
        }
        cache->owed_under_way++;
    }
    return cache->owed_under_way > 0;
}

void cache_bypass(struct cache *cache, struct uuid tenant) {
    bypass_add(&cache->bypass, tenant, loop_now_us(cache->loop));
}

void cache_bypass_all(struct cache *cache) {
    bypass_add_all(&cache->bypass, loop_now_us(cache->loop));
}

// --- answers -------------------------------------------------------------------------------------

static void redis_answers(void *context, uint64_t number, const struct redis_answer *answer) {
    struct cache *cache = context;
    if (number == PING_NUMBER) {
        ping_answered(cache, answer);
        return;
    }
    if (number <= VALUE_BYTES_MAX) {
        cache->fill_bytes -= number;
        cache->counters.errors += answer->kind == REDIS_ANSWER_ERROR;
        return;
    }
    struct request *request = request_find(cache, number);
    if (request == NULL)
        return;
    bool reads = request->kind == REQUEST_READ || request->kind == REQUEST_TOKEN;
    if (answer->kind == REDIS_ANSWER_LOST)
        request_end(cache, request, !reads && redis_is_gone(cache->redis));
    else if (request->kind == REQUEST_READ)
        read_answered(cache, request, answer);
    else if (request->kind == REQUEST_TOKEN)
        token_answered(cache, request, answer);
    else
        invalidation_answered(cache, request, answer);
}

static void redis_comes_up(void *context) {
    struct cache *cache = context;
    (void)cache_send_owed(cache);
    cache_unsettle(cache);
}

static void redis_trouble(void *context, const char *sentence) {
    const struct cache *cache = context;
    cache->options.on_trouble(cache->options.context, sentence);
}

static bool cache_run(struct drain *drain, uint64_t now_us) {
    (void)now_us;
    struct cache *cache = CONTAINER_OF(drain, struct cache, drain);
    uint32_t count = cache->ended_count;
    for (uint32_t i = 0; i < count; i++) {
        uint16_t place = cache->ended[cache->ended_first];
        cache->ended_first = (cache->ended_first + 1) % CACHE_TICKETS_MAX;
        cache->ended_count--;
        request_tell(cache, &cache->requests[place], &(struct cache_answer){.available = false});
    }
    bool sent = cache_send_owed(cache);
    return sent || count > 0;
}

// --- life ----------------------------------------------------------------------------------------

struct cache *cache_new(struct loop *loop, const struct cache_options *options, char *ret_sentence,
                        size_t sentence_size) {
    ASSERT(options->seed != 0);
    struct cache *cache = calloc(1, sizeof *cache);
    ASSERT(cache != NULL);
    cache->options = *options;
    cache->loop = loop;
    cache->random = options->seed;
    cache->number = VALUE_BYTES_MAX; // smaller numbers are fills: their length
    for (uint32_t i = 0; i < CACHE_TICKETS_MAX; i++)
        cache->free_places[cache->free_count++] = (uint16_t)i;
    snprintf(cache->page_ms, sizeof cache->page_ms, "%d", CACHE_PAGE_MS);
    snprintf(cache->token_ms, sizeof cache->token_ms, "%d", CACHE_TOKEN_MS);
    const struct redis_options redis_options = {
        .url = options->url,
        .name = options->name,
        .seed = options->seed,
        .context = cache,
        .on_up = redis_comes_up,
        .on_answer = redis_answers,
        .on_trouble = redis_trouble,
    };
    if (options->url[0] != '\0')
        cache->redis = redis_new(loop, &redis_options, ret_sentence, sentence_size);
    if (options->url[0] != '\0' && cache->redis == NULL) {
        free(cache);
        return NULL;
    }
    cache->deadline.fire = cache_expire;
    cache->drain.run = cache_run; // after Redis's, which may lose requests
    loop_add_drain(loop, &cache->drain);
    return cache;
}

struct cache *cache_free(struct cache *cache) {
    if (cache == NULL)
        return NULL;
    cache->redis = redis_free(cache->redis);
    loop_timer_clear(cache->loop, &cache->deadline);
    loop_remove_drain(cache->loop, &cache->drain);
    free(cache);
    return NULL;
}

bool cache_is_up(const struct cache *cache) {
    return cache->redis != NULL && redis_is_up(cache->redis);
}

void cache_metrics(const struct cache *cache, struct metrics *metrics) {
    const struct {
        const char *name, *help, *labels;
        uint64_t value;
    } rows[] = {
        {"valorize_cache_pages_total", "Pages asked for, by outcome.", "outcome=\"hit\"",
         cache->counters.hits},
        {"valorize_cache_pages_total", NULL, "outcome=\"miss\"", cache->counters.misses},
        {"valorize_cache_unavailable_total", "Reads that were not looked up.", NULL,
         cache->counters.unavailable},
        {"valorize_cache_fills_total", "Pages given to Redis.", NULL, cache->counters.fills},
        {"valorize_cache_invalidations_total", "Batches whose tenants' pages were to be forgotten.",
         NULL, cache->counters.invalidations},
        {"valorize_cache_unconfirmed_total", "Invalidations that Redis did not confirm in time.",
         NULL, cache->counters.unconfirmed},
        {"valorize_cache_owed_dropped_total",
         "Invalidations not to be repeated, since too many were not confirmed.", NULL,
         cache->owed.dropped},
        {"valorize_cache_late_total", "Requests that Redis did not answer in time.", NULL,
         cache->counters.late},
        {"valorize_cache_errors_total", "Errors and nonsense that Redis answered.", NULL,
         cache->counters.errors},
        {"valorize_cache_breaks_total", "Connections dropped after late or wrong answers.", NULL,
         cache->counters.breaks},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        metrics_counter(metrics, rows[i].name, rows[i].help, rows[i].labels, rows[i].value);
    metrics_gauge(metrics, "valorize_cache_owed", "Tenants whose invalidation is to be repeated.",
                  NULL, cache->owed.count);
    metrics_gauge(metrics, "valorize_cache_up", "Whether Redis is used.", NULL, cache_is_up(cache));
    metrics_gauge(metrics, "valorize_cache_settled", "Whether the pages in Redis count.", NULL,
                  cache_is_settled(cache));
}
