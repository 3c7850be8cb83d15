// SPDX-License-Identifier: Apache-2.0
// For the tests of the cache only: two caches that stand for two processes, `reader` and `writer`,
// on a real Redis (tests/with_servers --own) to which things are done.
#pragma once
#include "cache.h"
#include "clock.h"
#include "expect.h"
#include "loop_until.h"

#include <signal.h>
#include <unistd.h>

enum {
    TAGS_MAX = CACHE_TICKETS_MAX,
    SLACK_MS = 300, // of a busy machine, on top of a deadline
    AT_ONCE = 0, // looks in vain
};

struct told {
    uint32_t count;
    struct cache_answer answer;
    char pages[CACHE_PAGES_MAX][64];
    uint32_t lengths[CACHE_PAGES_MAX];
    bool confirmed;
    uint64_t at_us;
};

static struct {
    struct loop *loop;
    struct cache *reader, *writer;
    struct told told[TAGS_MAX];
    uint32_t next_tag;
    char trouble[256];
    bool (*done)(void);
    uint32_t waited_tag;
    uint32_t looks; // in vain
} test;

static const char *redis_url;

// --- the loop ------------------------------------------------------------------------------------

static inline bool is_done(void *context) {
    (void)context;
    bool done = test.done();
    test.looks += !done;
    return done;
}

static inline void wait_for(bool (*done)(void)) {
    test.done = done;
    test.looks = 0;
    loop_until(test.loop, is_done, NULL);
}

static inline bool is_late_enough(void) {
    return loop_now_us(test.loop) + 3000 > clock_monotonic_us();
}

// The loop's time stands still while a test does other things.
static inline void wind_clock(void) {
    if (!is_late_enough())
        wait_for(is_late_enough);
}

static inline bool is_told(void) {
    return test.told[test.waited_tag].count > 0;
}

static inline bool are_up(void) {
    return cache_is_up(test.reader) && cache_is_up(test.writer);
}

static inline bool are_settled(void) {
    return cache_is_settled(test.reader) && cache_is_settled(test.writer);
}

static inline bool is_writer_up(void) {
    return cache_is_up(test.writer);
}

static inline bool is_writer_down(void) {
    return !cache_is_up(test.writer);
}

static inline bool is_reader_down(void) {
    return !cache_is_up(test.reader);
}

// --- what the caches say
// --------------------------------------------------------------------------

static inline void answers(void *context, uint32_t tag, const struct cache_answer *answer) {
    (void)context;
    struct told *told = &test.told[tag];
    told->count++;
    told->at_us = clock_monotonic_us();
    told->answer = *answer;
    for (uint32_t i = 0; i < CACHE_PAGES_MAX; i++) {
        struct text page = answer->pages[i];
        told->lengths[i] = page.length;
        if (page.bytes != NULL && page.length <= sizeof told->pages[i])
            memcpy(told->pages[i], page.bytes, page.length);
    }
}

static inline void invalidated(void *context, uint32_t tag, bool confirmed) {
    (void)context;
    struct told *told = &test.told[tag];
    told->count++;
    told->confirmed = confirmed;
    told->at_us = clock_monotonic_us();
}

static inline void trouble(void *context, const char *sentence) {
    (void)context;
    snprintf(test.trouble, sizeof test.trouble, "%s", sentence);
}

static inline struct cache *cache_make(const char *url, uint64_t seed) {
    char sentence[256] = "";
    struct cache *cache = cache_new(test.loop,
                                    &(struct cache_options){.url = url,
                                                            .name = "cache-test",
                                                            .seed = seed,
                                                            .on_answer = answers,
                                                            .on_invalidated = invalidated,
                                                            .on_trouble = trouble},
                                    sentence, sizeof sentence);
    EXPECT_TEXT(text_of(sentence), "");
    return cache;
}

// --- what a test asks for
// --------------------------------------------------------------------------

static inline struct uuid tenant_of(uint8_t number) {
    return (struct uuid){{0xA0, number, 2}};
}

static inline struct cache_id id_of(uint8_t number) {
    return (struct cache_id){{0xB0, number, 3}};
}

static inline uint32_t tag_new(void) {
    test.next_tag = (test.next_tag + 1) % TAGS_MAX;
    test.told[test.next_tag] = (struct told){0};
    return test.next_tag;
}

static inline uint32_t begin_read(struct cache *cache, uint8_t tenant, uint8_t id) {
    uint32_t tag = tag_new();
    const struct cache_id ids[] = {id_of(id), id_of((uint8_t)(id + 100))};
    cache_read(cache, tenant_of(tenant), ids, 2, tag);
    EXPECT_INTEGER(test.told[tag].count, 0); // never from inside the call
    return tag;
}

static inline uint32_t begin_invalidate(struct cache *cache, uint8_t tenant) {
    uint32_t tag = tag_new();
    struct uuid tenants[] = {tenant_of(tenant)};
    cache_invalidate(cache, tenants, 1, tag);
    EXPECT_INTEGER(test.told[tag].count, 0);
    return tag;
}

static inline const struct told *finish(uint32_t tag) {
    test.waited_tag = tag;
    wait_for(is_told);
    EXPECT_INTEGER(test.told[tag].count, 1);
    return &test.told[tag];
}

static inline const struct told *read_now(struct cache *cache, uint8_t tenant, uint8_t id) {
    wind_clock();
    return finish(begin_read(cache, tenant, id));
}

static inline bool invalidate_now(struct cache *cache, uint8_t tenant) {
    wind_clock();
    return finish(begin_invalidate(cache, tenant))->confirmed;
}

static inline void fill(struct cache *cache, uint8_t tenant, uint8_t id, uint64_t token,
                        const char *page) {
    const struct cache_id about = id_of(id);
    cache_fill(cache, tenant_of(tenant), &about, token, text_of(page));
}

static inline struct text page_of(const struct told *told, uint32_t number) {
    bool there = told->answer.pages[number].bytes != NULL;
    return there ? (struct text){told->pages[number], told->lengths[number]} : TEXT("(none)");
}

// Afterwards Redis has it, so that the other process sees it, too.
static inline void fill_and_see(uint8_t tenant, uint8_t id, uint64_t token, const char *page) {
    fill(test.reader, tenant, id, token, page);
    EXPECT_TEXT(page_of(read_now(test.reader, tenant, id), 0), page);
}

// A page of a tenant that has no token yet.
static inline uint64_t put(uint8_t tenant, uint8_t id, const char *page) {
    uint64_t token = read_now(test.reader, tenant, id)->answer.token;
    fill_and_see(tenant, id, token, page);
    return token;
}

// --- what a test does to Redis
// --------------------------------------------------------------------

static inline pid_t redis_pid(void) {
    char path[256], text[32] = "";
    snprintf(path, sizeof path, "%s/redis.pid", getenv("WITH_SERVERS"));
    FILE *file = fopen(path, "r");
    EXPECT(file != NULL && fgets(text, sizeof text, file) != NULL);
    fclose(file);
    return (pid_t)strtol(text, NULL, 10);
}

static inline void redis_signal(int number) {
    EXPECT(kill(redis_pid(), number) == 0);
}

static inline void redis_control(const char *what) {
    char command[512];
    snprintf(command, sizeof command, "%s --control redis %s", WITH_SERVERS, what);
    EXPECT_INTEGER(system(command), 0);
}

// Runs redis-cli; %s of the words is the tenant's key of the token without its "v:".
static inline void redis_cli(const char *words, uint8_t tenant) {
    char command[1024], id[64];
    snprintf(id, sizeof id, "a0%02x0200-0000-0000-0000-000000000000", tenant);
    const char *socket = redis_url + strlen("unix://");
    snprintf(command, sizeof command,
             "run=$(redis-cli -s %s info server | grep -o '^run_id:.\\{16\\}' | cut -d: -f2); "
             "key=$run:%s; redis-cli -s %s %s >/dev/null",
             socket, id, socket, words);
    EXPECT_INTEGER(system(command), 0);
}

// One that a test makes and ends.
static struct cache *third;

static inline bool is_third_up(void) {
    return cache_is_up(third);
}

static inline bool is_third_settled(void) {
    return cache_is_settled(third);
}

// A process-wide number of a cache, as its metrics tell it.
static inline uint64_t metric(const struct cache *cache, const char *name) {
    struct arena arena;
    struct metrics metrics;
    char start[96];
    arena_init(&arena, 16384);
    metrics_begin(&metrics, &arena, "query-1");
    cache_metrics(cache, &metrics);
    struct text page = metrics_end(&metrics);
    EXPECT(page.bytes != NULL);
    snprintf(start, sizeof start, "\n%s{process=\"query-1\"} ", name);
    const char *at = memmem(page.bytes, page.length, start, strlen(start));
    EXPECT(at != NULL);
    uint64_t value = strtoull(at + strlen(start), NULL, 10);
    arena_deinit(&arena);
    return value;
}

// Runs the tests with both caches up and settled; main's answer.
static inline int bench_run(const struct test *tests, size_t count) {
    (void)signal(SIGPIPE, SIG_IGN);
    redis_url = getenv("REDIS_URL");
    EXPECT(redis_url != NULL && getenv("WITH_SERVERS") != NULL);
    test.loop = loop_new();
    test.reader = cache_make(redis_url, 1001);
    test.writer = cache_make(redis_url, 2002);
    wait_for(are_settled);
    int result = expect_run(tests, count);
    test.reader = cache_free(test.reader);
    test.writer = cache_free(test.writer);
    test.loop = loop_free(test.loop);
    return result;
}
