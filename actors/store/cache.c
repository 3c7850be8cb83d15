// SPDX-License-Identifier: Apache-2.0
// Life of a request: taken from the free places, sent (Redis owes an answer under its number), then
// told: at once from the answer, or by the drain hook when it ended otherwise. An answer that
// comes later finds no request of that number.
#include "cache.h"

#include "bypass.h"
#include "bytes.h"
#include "format.h"
#include "redis.h"

#include <stdio.h>

enum {
    TOKEN_BYTES = 8,
    KEY_BYTES_MAX = 2 + REDIS_RUN_BYTES + 2 * (1 + UUID_TEXT_BYTES),
    VALUE_BYTES_MAX = TOKEN_BYTES + REPLY_BYTES_MAX,
};

enum request_kind { REQUEST_READ, REQUEST_TOKEN, REQUEST_INVALIDATION };

struct request {
    uint64_t number; // 0: nobody owes it an answer
    uint64_t deadline_us;
    struct uuid tenant; // of a read
    uint32_t tag;
    uint8_t kind; // enum request_kind: a read becomes a TOKEN where the tenant has none
    uint8_t page_count; // of a read
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
    char page_ms[16], token_ms[16];
    char value[VALUE_BYTES_MAX];
    struct {
        uint64_t hits, misses, unavailable, fills, invalidations, unconfirmed, late, errors, breaks;
    } counters;
};

// --- requests ------------------------------------------------------------------------------------

static uint64_t cache_chance(struct cache *cache) { // splitmix64
    uint64_t z = cache->random += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

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

static void request_tell(struct cache *cache, struct request *request,
                         const struct cache_answer *answer) {
    const struct request told = *request;
    request->number = 0;
    cache->free_places[cache->free_count++] = request_place(cache, request);
    if (told.kind == REQUEST_INVALIDATION) {
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
    return count > 0;
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

// --- reads ---------------------------------------------------------------------------------------

void cache_read(struct cache *cache, struct uuid tenant, const struct cache_id *ids, uint32_t count,
                uint32_t tag) {
    ASSERT(count >= 1 && count <= CACHE_PAGES_MAX);
    struct request *request = request_take(cache, REQUEST_READ, tag);
    request->tenant = tenant;
    request->page_count = (uint8_t)count;
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
    struct cache_answer answer = {.available = true, .token = bytes_get_u64(token)};
    for (uint32_t i = 0; i < request->page_count; i++) {
        struct text page = pages == NULL ? (struct text){NULL, 0} : pages[i];
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
    bytes_put_u64(request->token, cache_chance(cache));
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

void cache_invalidate(struct cache *cache, const struct uuid *tenants, uint32_t count,
                      uint32_t tag) {
    ASSERT(count <= BATCH_MEMBERS_MAX);
    struct request *request = request_take(cache, REQUEST_INVALIDATION, tag);
    cache->counters.invalidations++;
    if (count == 0 || cache->redis == NULL) {
        request_end(cache, request, true);
        return;
    }
    char keys[BATCH_MEMBERS_MAX][KEY_BYTES_MAX];
    struct redis_command command = {.count = 0};
    redis_argument(&command, TEXT("DEL"));
    for (uint32_t i = 0; i < count; i++)
        redis_argument(&command, cache_key(cache, tenants[i], NULL, keys[i]));
    if (!redis_send(cache->redis, &command, request->number))
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

void cache_bypass(struct cache *cache, struct uuid tenant) {
    bypass_add(&cache->bypass, tenant, loop_now_us(cache->loop));
}

// --- answers -------------------------------------------------------------------------------------

static void redis_answers(void *context, uint64_t number, const struct redis_answer *answer) {
    struct cache *cache = context;
    if (number <= VALUE_BYTES_MAX) {
        cache->fill_bytes -= number;
        cache->counters.errors += answer->kind == REDIS_ANSWER_ERROR;
        return;
    }
    struct request *request = request_find(cache, number);
    if (request == NULL)
        return;
    if (answer->kind == REDIS_ANSWER_LOST)
        request_end(cache, request,
                    request->kind == REQUEST_INVALIDATION && redis_is_gone(cache->redis));
    else if (request->kind == REQUEST_READ)
        read_answered(cache, request, answer);
    else if (request->kind == REQUEST_TOKEN)
        token_answered(cache, request, answer);
    else
        invalidation_answered(cache, request, answer);
}

static void redis_trouble(void *context, const char *sentence) {
    const struct cache *cache = context;
    cache->options.on_trouble(cache->options.context, sentence);
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
        {"valorize_cache_late_total", "Requests that Redis did not answer in time.", NULL,
         cache->counters.late},
        {"valorize_cache_errors_total", "Errors and nonsense that Redis answered.", NULL,
         cache->counters.errors},
        {"valorize_cache_breaks_total", "Connections dropped after late or wrong answers.", NULL,
         cache->counters.breaks},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        metrics_counter(metrics, rows[i].name, rows[i].help, rows[i].labels, rows[i].value);
    metrics_gauge(metrics, "valorize_cache_up", "Whether Redis is used.", NULL, cache_is_up(cache));
}
