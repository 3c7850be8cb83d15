// SPDX-License-Identifier: Apache-2.0
// The cache on a real Redis that is stopped, killed, restarted and misconfigured. Two caches stand
// for two processes: `reader` and `writer`. Run by tests/with_servers --own.
#include "cache.h"
#include "expect.h"

#include "clock.h"

#include <signal.h>
#include <unistd.h>

enum {
    TAGS_MAX = CACHE_TICKETS_MAX,
    WAIT_MS = 10000,
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
    uint64_t until_us;
    uint32_t waited_tag;
    uint32_t looks; // in vain
} test;

static const char *redis_url;

// --- the loop ------------------------------------------------------------------------------------

static bool look(struct drain *drain, uint64_t now_us) {
    (void)drain;
    if (test.done())
        loop_stop(test.loop);
    else
        test.looks++;
    EXPECT(now_us <= test.until_us); // what is waited for happens
    return false;
}

static void tick(struct timer *timer, uint64_t now_us) {
    loop_timer_set(test.loop, timer, now_us + 2000);
}

static void wait_for(bool (*done)(void)) {
    struct drain drain = {.run = look};
    struct timer timer = {.fire = tick};
    test.done = done;
    test.looks = 0;
    test.until_us = clock_monotonic_us() + WAIT_MS * 1000;
    loop_timer_set(test.loop, &timer, clock_monotonic_us() + 1000);
    loop_add_drain(test.loop, &drain);
    loop_run(test.loop, NULL, NULL);
    loop_remove_drain(test.loop, &drain);
    loop_timer_clear(test.loop, &timer);
}

static bool is_late_enough(void) {
    return loop_now_us(test.loop) + 3000 > clock_monotonic_us();
}

// The loop's time stands still while a test does other things.
static void wind_clock(void) {
    if (!is_late_enough())
        wait_for(is_late_enough);
}

static bool is_told(void) {
    return test.told[test.waited_tag].count > 0;
}

static bool are_up(void) {
    return cache_is_up(test.reader) && cache_is_up(test.writer);
}

static bool are_settled(void) {
    return cache_is_settled(test.reader) && cache_is_settled(test.writer);
}

static bool is_writer_up(void) {
    return cache_is_up(test.writer);
}

static bool is_writer_down(void) {
    return !cache_is_up(test.writer);
}

static bool is_reader_down(void) {
    return !cache_is_up(test.reader);
}

// --- what the caches say
// --------------------------------------------------------------------------

static void answers(void *context, uint32_t tag, const struct cache_answer *answer) {
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

static void invalidated(void *context, uint32_t tag, bool confirmed) {
    (void)context;
    struct told *told = &test.told[tag];
    told->count++;
    told->confirmed = confirmed;
    told->at_us = clock_monotonic_us();
}

static void trouble(void *context, const char *sentence) {
    (void)context;
    snprintf(test.trouble, sizeof test.trouble, "%s", sentence);
}

static struct cache *cache_make(const char *url, uint64_t seed) {
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

static struct uuid tenant_of(uint8_t number) {
    return (struct uuid){{0xA0, number, 2}};
}

static struct cache_id id_of(uint8_t number) {
    return (struct cache_id){{0xB0, number, 3}};
}

static uint32_t tag_new(void) {
    test.next_tag = (test.next_tag + 1) % TAGS_MAX;
    test.told[test.next_tag] = (struct told){0};
    return test.next_tag;
}

static uint32_t begin_read(struct cache *cache, uint8_t tenant, uint8_t id) {
    uint32_t tag = tag_new();
    const struct cache_id ids[] = {id_of(id), id_of((uint8_t)(id + 100))};
    cache_read(cache, tenant_of(tenant), ids, 2, tag);
    EXPECT_INTEGER(test.told[tag].count, 0); // never from inside the call
    return tag;
}

static uint32_t begin_invalidate(struct cache *cache, uint8_t tenant) {
    uint32_t tag = tag_new();
    struct uuid tenants[] = {tenant_of(tenant)};
    cache_invalidate(cache, tenants, 1, tag);
    EXPECT_INTEGER(test.told[tag].count, 0);
    return tag;
}

static const struct told *finish(uint32_t tag) {
    test.waited_tag = tag;
    wait_for(is_told);
    EXPECT_INTEGER(test.told[tag].count, 1);
    return &test.told[tag];
}

static const struct told *read_now(struct cache *cache, uint8_t tenant, uint8_t id) {
    wind_clock();
    return finish(begin_read(cache, tenant, id));
}

static bool invalidate_now(struct cache *cache, uint8_t tenant) {
    wind_clock();
    return finish(begin_invalidate(cache, tenant))->confirmed;
}

static void fill(struct cache *cache, uint8_t tenant, uint8_t id, uint64_t token,
                 const char *page) {
    const struct cache_id about = id_of(id);
    cache_fill(cache, tenant_of(tenant), &about, token, text_of(page));
}

static struct text page_of(const struct told *told, uint32_t number) {
    bool there = told->answer.pages[number].bytes != NULL;
    return there ? (struct text){told->pages[number], told->lengths[number]} : TEXT("(none)");
}

// Afterwards Redis has it, so that the other process sees it, too.
static void fill_and_see(uint8_t tenant, uint8_t id, uint64_t token, const char *page) {
    fill(test.reader, tenant, id, token, page);
    EXPECT_TEXT(page_of(read_now(test.reader, tenant, id), 0), page);
}

// A page of a tenant that has no token yet.
static uint64_t put(uint8_t tenant, uint8_t id, const char *page) {
    uint64_t token = read_now(test.reader, tenant, id)->answer.token;
    fill_and_see(tenant, id, token, page);
    return token;
}

// --- what a test does to Redis
// --------------------------------------------------------------------

static pid_t redis_pid(void) {
    char path[256], text[32] = "";
    snprintf(path, sizeof path, "%s/redis.pid", getenv("WITH_SERVERS"));
    FILE *file = fopen(path, "r");
    EXPECT(file != NULL && fgets(text, sizeof text, file) != NULL);
    fclose(file);
    return (pid_t)strtol(text, NULL, 10);
}

static void redis_signal(int number) {
    EXPECT(kill(redis_pid(), number) == 0);
}

static void redis_control(const char *what) {
    char command[512];
    snprintf(command, sizeof command, "%s --control redis %s", WITH_SERVERS, what);
    EXPECT_INTEGER(system(command), 0);
}

// Runs redis-cli; %s of the words is the tenant's key of the token without its "v:".
static void redis_cli(const char *words, uint8_t tenant) {
    char command[1024], id[64];
    snprintf(id, sizeof id, "a0%02x0200-0000-0000-0000-000000000000", tenant);
    const char *socket = redis_url + strlen("unix://");
    snprintf(command, sizeof command,
             "run=$(redis-cli -s %s info server | grep -o '^run_id:.\\{16\\}' | cut -d: -f2); "
             "key=$run:%s; redis-cli -s %s %s >/dev/null",
             socket, id, socket, words);
    EXPECT_INTEGER(system(command), 0);
}

// --- tests: a Redis that works
// ----------------------------------------------------------------------

static void test_round_trip(void) {
    const struct told *told = read_now(test.reader, 1, 1);
    EXPECT(told->answer.available);
    EXPECT_TEXT(page_of(told, 0), "(none)");
    EXPECT_TEXT(page_of(told, 1), "(none)");
    uint64_t token = told->answer.token;
    EXPECT(token != 0);

    const struct cache_id page_id = id_of(1), total_id = id_of(101);
    cache_fill(test.reader, tenant_of(1), &page_id, token, (struct text){"a\0\r\n\xff z", 7});
    told = read_now(test.reader, 1, 1);
    EXPECT(told->answer.token == token);
    EXPECT_INTEGER(told->lengths[0], 7);
    EXPECT(memcmp(told->pages[0], "a\0\r\n\xff z", 7) == 0);
    EXPECT_TEXT(page_of(told, 1), "(none)");

    cache_fill(test.reader, tenant_of(1), &total_id, token, TEXT("413"));
    EXPECT_TEXT(page_of(read_now(test.reader, 1, 1), 1), "413");
    EXPECT_TEXT(page_of(read_now(test.writer, 1, 1), 1), "413"); // another process
    EXPECT_TEXT(page_of(read_now(test.reader, 1, 2), 0), "(none)");
    EXPECT_TEXT(page_of(read_now(test.reader, 2, 1), 0), "(none)"); // another tenant

    uint32_t tag = tag_new(); // of one page
    cache_read(test.reader, tenant_of(1), &page_id, 1, tag);
    told = finish(tag);
    EXPECT_INTEGER(told->lengths[0], 7);
    EXPECT_TEXT(page_of(told, 1), "(none)");
}

static void test_an_empty_page_and_the_largest(void) {
    static char large[REPLY_BYTES_MAX];
    memset(large, 'x', sizeof large);
    uint64_t token = put(3, 1, "");
    uint8_t rounds = 2 + CACHE_FILL_BYTES_MAX / sizeof large; // what is answered is forgotten
    for (uint8_t i = 2; i < rounds + 2; i++) {
        const struct cache_id id = id_of(i);
        const struct told *told = NULL;
        do { // on a busy machine an answer of this size may be late
            wait_for(are_settled);
            cache_fill(test.reader, tenant_of(3), &id, token, (struct text){large, sizeof large});
            told = read_now(test.reader, 3, i);
        } while (!told->answer.settled);
        EXPECT(told->answer.pages[0].bytes != NULL);
        EXPECT_INTEGER(told->lengths[0], sizeof large);
    }
}

static void test_two_processes_agree_on_a_token(void) {
    for (uint8_t round = 0; round < 20; round++) {
        wind_clock();
        uint32_t one = begin_read(test.reader, (uint8_t)(10 + round), 1);
        uint32_t two = begin_read(test.writer, (uint8_t)(10 + round), 1);
        uint64_t token = finish(one)->answer.token;
        EXPECT(token != 0 && test.told[one].answer.available);
        EXPECT(finish(two)->answer.token == token);
        fill_and_see((uint8_t)(10 + round), 1, token, "of both");
        EXPECT_TEXT(page_of(read_now(test.writer, (uint8_t)(10 + round), 1), 0), "of both");
    }
}

static void test_a_page_read_before_a_change_is_not_served_after_it(void) {
    uint64_t token = put(40, 1, "before");
    (void)put(41, 1, "of another tenant");
    EXPECT_TEXT(page_of(read_now(test.writer, 40, 1), 0), "before");
    EXPECT(invalidate_now(test.writer, 40));
    const struct told *told = read_now(test.reader, 40, 1);
    EXPECT(told->answer.available && told->answer.token != token);
    uint64_t fresh = told->answer.token;
    EXPECT_TEXT(page_of(told, 0), "(none)");
    fill(test.reader, 40, 1, token, "filled late, read before");
    EXPECT_TEXT(page_of(read_now(test.reader, 40, 1), 0), "(none)");
    fill_and_see(40, 1, fresh, "after");
    EXPECT_TEXT(page_of(read_now(test.writer, 40, 1), 0), "after");
    EXPECT_TEXT(page_of(read_now(test.reader, 41, 1), 0), "of another tenant");
}

static void test_many_tenants_at_once(void) {
    struct uuid tenants[BATCH_MEMBERS_MAX];
    for (uint8_t i = 0; i < BATCH_MEMBERS_MAX; i++)
        tenants[i] = tenant_of((uint8_t)(50 + i));
    (void)put(50, 1, "first");
    (void)put(50 + BATCH_MEMBERS_MAX - 1, 1, "last");
    uint32_t tag = tag_new();
    cache_invalidate(test.writer, tenants, BATCH_MEMBERS_MAX, tag);
    EXPECT(finish(tag)->confirmed);
    EXPECT_TEXT(page_of(read_now(test.reader, 50, 1), 0), "(none)");
    EXPECT_TEXT(page_of(read_now(test.reader, 50 + BATCH_MEMBERS_MAX - 1, 1), 0), "(none)");
    tag = tag_new();
    cache_invalidate(test.writer, tenants, 0, tag);
    EXPECT(finish(tag)->confirmed);
}

static void test_bypass(void) {
    uint64_t token = put(120, 1, "kept");
    (void)put(121, 1, "of another tenant");
    cache_bypass(test.reader, tenant_of(120));
    const struct told *told = read_now(test.reader, 120, 1);
    EXPECT(!told->answer.available);
    EXPECT_TEXT(page_of(told, 0), "(none)");
    fill(test.reader, 120, 2, token, "not kept");
    EXPECT_TEXT(page_of(read_now(test.reader, 121, 1), 0), "of another tenant");
    EXPECT_TEXT(page_of(read_now(test.writer, 120, 2), 0), "(none)");
}

static void test_no_cache_at_all(void) {
    struct cache *none = cache_make("", 3);
    EXPECT(!cache_is_up(none));
    EXPECT(!read_now(none, 1, 1)->answer.available);
    EXPECT(invalidate_now(none, 1));
    fill(none, 1, 1, 7, "nowhere");
    none = cache_free(none);
}

// --- tests: a Redis that errs --------------------------------------------------------------------

static void test_keys_of_a_wrong_type(void) {
    (void)put(130, 1, "good");
    redis_cli("lpush p:$key:b0010300-0000-0000-0000-000000000000 x", 131);
    const struct told *told = read_now(test.reader, 131, 1);
    EXPECT(told->answer.available);
    EXPECT_TEXT(page_of(told, 0), "(none)");
    redis_cli("lpush v:$key x", 132);
    EXPECT(!read_now(test.reader, 132, 1)->answer.available); // WRONGTYPE
    EXPECT_TEXT(page_of(read_now(test.reader, 130, 1), 0), "good");
    redis_cli("set v:$key short", 133);
    EXPECT(!read_now(test.reader, 133, 1)->answer.available);
    EXPECT_TEXT(page_of(read_now(test.reader, 130, 1), 0), "good");
    EXPECT(invalidate_now(test.writer, 133)); // DEL does not mind
    EXPECT(read_now(test.reader, 133, 1)->answer.available);
}

static void test_memory_is_full(void) {
    uint64_t token = put(140, 1, "kept before");
    redis_cli("config set maxmemory 1", 0);
    fill(test.reader, 140, 2, token, "refused");
    EXPECT_TEXT(page_of(read_now(test.reader, 140, 1), 0), "kept before");
    EXPECT(!read_now(test.reader, 141, 1)->answer.available); // no place for a token
    EXPECT_TEXT(page_of(read_now(test.reader, 140, 2), 0), "(none)");
    EXPECT(invalidate_now(test.writer, 140));
    redis_cli("config set maxmemory 0", 0);
    EXPECT(read_now(test.reader, 141, 1)->answer.available);
}

static struct cache *third;

static bool is_third_up(void) {
    return cache_is_up(third);
}

static bool is_third_settled(void) {
    return cache_is_settled(third);
}

static bool is_refused(void) {
    return strstr(test.trouble, "NOAUTH") != NULL;
}

static void test_password_and_database(void) {
    char url[512];
    const char *path = redis_url + strlen("unix://");
    redis_cli("config set requirepass p@ss", 0);
    third = cache_make(redis_url, 31);
    wait_for(is_refused);
    EXPECT(!cache_is_up(third));
    EXPECT(!read_now(third, 1, 1)->answer.available);
    third = cache_free(third);

    snprintf(url, sizeof url, "unix://:p%%40ss@%s?db=3", path);
    third = cache_make(url, 32);
    wait_for(is_third_settled);
    uint64_t token = read_now(third, 150, 1)->answer.token;
    fill(third, 150, 1, token, "in database 3");
    EXPECT_TEXT(page_of(read_now(third, 150, 1), 0), "in database 3");
    EXPECT_TEXT(page_of(read_now(test.reader, 150, 1), 0), "(none)");
    third = cache_free(third);
    redis_cli("-a p@ss --no-auth-warning config set requirepass ''", 0);
}

// --- tests: a Redis that is silent or dead -------------------------------------------------------

static void expect_in_time(const struct told *told, uint64_t start_us, uint64_t deadline_ms) {
    EXPECT(told->at_us - start_us < (deadline_ms + SLACK_MS) * 1000);
}

static void test_a_late_answer_is_not_taken_for_another(void) {
    (void)put(160, 1, "one");
    (void)put(160, 2, "two");
    wind_clock();
    redis_signal(SIGSTOP);
    uint64_t start_us = clock_monotonic_us();
    const struct told *told = read_now(test.reader, 160, 1);
    EXPECT(!told->answer.available);
    EXPECT(told->at_us - start_us >= (CACHE_DEADLINE_MS - 5) * 1000);
    expect_in_time(told, start_us, CACHE_DEADLINE_MS);
    redis_signal(SIGCONT);
    EXPECT(cache_is_up(test.reader)); // one miss is no misfortune
    EXPECT_TEXT(page_of(read_now(test.reader, 160, 2), 0), "two");
    EXPECT_TEXT(page_of(read_now(test.reader, 160, 1), 0), "one");
}

static void test_the_breaker(void) {
    (void)put(170, 1, "kept");
    wind_clock();
    redis_signal(SIGSTOP);
    uint32_t first = begin_read(test.reader, 170, 1), second = begin_read(test.reader, 171, 1);
    EXPECT(!finish(first)->answer.available);
    EXPECT(!finish(second)->answer.available);
    EXPECT(cache_is_up(test.reader)); // those were late together: one miss
    EXPECT(!read_now(test.reader, 170, 1)->answer.available);
    wait_for(is_reader_down);
    EXPECT(!read_now(test.reader, 170, 1)->answer.available);
    EXPECT_INTEGER(test.looks, AT_ONCE);

    uint64_t start_us = clock_monotonic_us();
    EXPECT(!invalidate_now(test.writer, 170)); // a hung Redis may answer the readers again
    EXPECT(test.told[test.waited_tag].at_us - start_us >= (CACHE_INVALIDATE_MS - 5) * 1000);
    expect_in_time(&test.told[test.waited_tag], start_us, CACHE_INVALIDATE_MS);
    EXPECT(!invalidate_now(test.writer, 171));
    EXPECT(!invalidate_now(test.writer, 172)); // the breaker is open
    EXPECT_INTEGER(test.looks, AT_ONCE);
    redis_signal(SIGCONT);
    wait_for(are_settled);
    EXPECT(read_now(test.reader, 171, 1)->answer.available);
    EXPECT(invalidate_now(test.writer, 170));
}

static void test_more_than_can_be_owed(void) {
    (void)put(180, 1, "kept");
    uint64_t token = read_now(test.reader, 180, 1)->answer.token;
    wind_clock();
    redis_signal(SIGSTOP);
    uint32_t first = begin_read(test.reader, 180, 1);
    for (uint32_t i = 0; i < CACHE_TICKETS_MAX; i++) // more than fit beside the read
        fill(test.reader, 181, (uint8_t)i, token, "dropped or not");
    uint32_t second = begin_read(test.reader, 180, 1);
    EXPECT(!finish(second)->answer.available); // there is no place for it
    EXPECT_INTEGER(test.looks, AT_ONCE);
    EXPECT_INTEGER(test.told[first].count, 0); // this one waits for its deadline
    redis_signal(SIGCONT);
    (void)finish(first);
    wait_for(are_settled);
    EXPECT_TEXT(page_of(read_now(test.reader, 180, 1), 0), "kept");
}

static void test_kill_and_restart(void) {
    uint64_t token = put(190, 1, "before");
    wind_clock();
    redis_signal(SIGSTOP);
    uint32_t read = begin_read(test.reader, 190, 1);
    uint32_t invalidation = begin_invalidate(test.writer, 190);
    redis_control("kill");
    EXPECT(!finish(read)->answer.available);
    EXPECT(finish(invalidation)->confirmed); // the pages died with it
    EXPECT(!cache_is_up(test.reader) && !cache_is_up(test.writer));
    EXPECT(!read_now(test.reader, 190, 1)->answer.available);
    EXPECT_INTEGER(test.looks, AT_ONCE);
    EXPECT(invalidate_now(test.writer, 190));
    EXPECT_INTEGER(test.looks, AT_ONCE);
    fill(test.reader, 190, 1, token, "nowhere");

    redis_control("start");
    uint64_t start_us = clock_monotonic_us();
    wait_for(are_up);
    EXPECT(clock_monotonic_us() - start_us < 2000000);
    wait_for(are_settled);
    const struct told *told = read_now(test.reader, 190, 1);
    EXPECT(told->answer.available && told->answer.token != token);
    EXPECT_TEXT(page_of(told, 0), "(none)");
    fill_and_see(190, 1, told->answer.token, "after");
    EXPECT_TEXT(page_of(read_now(test.writer, 190, 1), 0), "after");
    EXPECT(strstr(test.trouble, "is back") != NULL);
}

// A Redis that keeps its data over a restart has the keys of its former life, but looks for others.
static void test_a_restart_with_data(void) {
    (void)put(200, 1, "before");
    redis_cli("save", 0);
    redis_control("kill");
    EXPECT(invalidate_now(test.writer, 200)); // nobody there: nothing to delete
    redis_control("start");
    redis_cli("eval 'assert(#redis.call(\"keys\", \"p:*\") > 0)' 0", 0);
    wait_for(are_settled);
    EXPECT_TEXT(page_of(read_now(test.reader, 200, 1), 0), "(none)");
}

// --- tests: what Redis or a reader has not heard -------------------------------------------------

static uint64_t metric(const struct cache *cache, const char *name) {
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

static void test_a_new_connection_fills_before_it_believes(void) {
    uint64_t token = put(210, 1, "perhaps old");
    wind_clock();
    third = cache_make(redis_url, 41);
    wait_for(is_third_up);
    uint64_t start_us = clock_monotonic_us();
    const struct told *told = read_now(third, 210, 1);
    EXPECT(told->answer.available && !told->answer.settled && told->answer.token == token);
    EXPECT_TEXT(page_of(told, 0), "(none)");
    fill(third, 210, 2, token, "new");
    EXPECT_TEXT(page_of(read_now(third, 210, 2), 0), "(none)");
    told = read_now(test.reader, 210, 2);
    EXPECT(told->answer.settled);
    EXPECT_TEXT(page_of(told, 0), "new");
    EXPECT_INTEGER(metric(third, "valorize_cache_settled"), 0);
    wait_for(is_third_settled);
    EXPECT(clock_monotonic_us() - start_us >= (CACHE_SETTLE_MS - 50) * 1000);
    EXPECT_INTEGER(metric(third, "valorize_cache_settled"), 1);
    told = read_now(third, 210, 1);
    EXPECT(told->answer.settled);
    EXPECT_TEXT(page_of(told, 0), "perhaps old");
    third = cache_free(third);
}

static uint64_t waited_us;

static bool has_waited(void) {
    return loop_now_us(test.loop) >= waited_us;
}

// Redis may hang since before the events were missed: time alone says nothing.
static void test_missed_events(void) {
    (void)put(215, 1, "perhaps old");
    wind_clock();
    uint32_t under_way = begin_read(test.reader, 215, 1);
    cache_unsettle(test.reader);
    const struct told *told = finish(under_way);
    EXPECT(told->answer.available && !told->answer.settled);
    EXPECT_TEXT(page_of(told, 0), "(none)");
    redis_signal(SIGSTOP);
    cache_unsettle(test.reader);
    waited_us = clock_monotonic_us() + (CACHE_SETTLE_MS + 100) * UINT64_C(1000);
    wait_for(has_waited);
    EXPECT(!cache_is_settled(test.reader));

    uint64_t start_us = clock_monotonic_us();
    redis_signal(SIGCONT);
    told = read_now(test.reader, 215, 1);
    EXPECT(told->answer.available && !told->answer.settled);
    EXPECT_TEXT(page_of(told, 0), "(none)");
    EXPECT_TEXT(page_of(read_now(test.writer, 215, 1), 0), "perhaps old");
    wait_for(are_settled);
    EXPECT(clock_monotonic_us() - start_us >= (CACHE_SETTLE_MS - 50) * 1000);
    EXPECT_TEXT(page_of(read_now(test.reader, 215, 1), 0), "perhaps old");
}

static bool is_nothing_owed(void) {
    return metric(test.writer, "valorize_cache_owed") == 0;
}

static void invalidate_in_vain(uint8_t tenant) {
    EXPECT(!invalidate_now(test.writer, tenant));
    cache_owe(test.writer, tenant_of(tenant));
}

static void test_what_is_owed_comes_first(void) {
    (void)put(220, 1, "old");
    (void)put(221, 1, "old, too");
    (void)put(222, 1, "of another tenant");
    wind_clock();
    redis_signal(SIGSTOP);
    invalidate_in_vain(230);
    invalidate_in_vain(231);
    wait_for(is_writer_down);
    invalidate_in_vain(220); // in no socket
    invalidate_in_vain(221);
    EXPECT_INTEGER(metric(test.writer, "valorize_cache_owed"), 4);
    redis_signal(SIGCONT);
    EXPECT_TEXT(page_of(read_now(test.reader, 220, 1), 0), "old"); // nobody told this reader
    wait_for(is_writer_up);
    uint32_t first = begin_read(test.writer, 220, 1);
    uint64_t token = finish(first)->answer.token;
    EXPECT(test.told[first].answer.available);
    EXPECT(read_now(test.reader, 220, 1)->answer.token == token); // it was drawn after the DEL
    EXPECT_TEXT(page_of(read_now(test.reader, 220, 1), 0), "(none)");
    EXPECT_TEXT(page_of(read_now(test.reader, 221, 1), 0), "(none)");
    EXPECT_TEXT(page_of(read_now(test.reader, 222, 1), 0), "of another tenant");
    wait_for(is_nothing_owed);
}

static void test_what_redis_refuses_is_owed_until_it_obeys(void) {
    (void)put(235, 1, "old");
    redis_cli("acl setuser default -del", 0);
    invalidate_in_vain(235);
    wait_for(is_writer_down); // it was refused again
    wait_for(is_writer_up);
    EXPECT_INTEGER(metric(test.writer, "valorize_cache_owed"), 1);
    EXPECT_TEXT(page_of(read_now(test.reader, 235, 1), 0), "old");
    redis_cli("acl setuser default +del", 0);
    wait_for(is_nothing_owed);
    EXPECT_TEXT(page_of(read_now(test.reader, 235, 1), 0), "(none)");
}

static void test_every_tenant_is_bypassed(void) {
    EXPECT(read_now(test.reader, 240, 1)->answer.settled);
    wind_clock();
    uint32_t under_way = begin_read(test.reader, 240, 1);
    cache_bypass_all(test.reader); // for the rest of the tests
    EXPECT(!finish(under_way)->answer.settled);
    EXPECT(!read_now(test.reader, 241, 1)->answer.available);
}

static void test_metrics(void) {
    EXPECT_INTEGER(metric(test.reader, "valorize_cache_up"), 1);
    EXPECT(metric(test.reader, "valorize_cache_breaks_total") >= 1); // of the breaker's test
    EXPECT_INTEGER(metric(test.writer, "valorize_cache_owed_dropped_total"), 0);
}

int main(void) {
    static const struct test tests[] = {
        {"what is filled is read, byte for byte, by every process", test_round_trip},
        {"an empty page and the largest", test_an_empty_page_and_the_largest},
        {"two processes agree on a token", test_two_processes_agree_on_a_token},
        {"a page read before a change is not served after it",
         test_a_page_read_before_a_change_is_not_served_after_it},
        {"a whole batch of tenants is invalidated at once", test_many_tenants_at_once},
        {"a bypassed tenant has no cache, the others have", test_bypass},
        {"without a URL all is PostgreSQL's", test_no_cache_at_all},
        {"keys of a wrong type are misses", test_keys_of_a_wrong_type},
        {"a Redis without memory serves what it has", test_memory_is_full},
        {"a password and a database", test_password_and_database},
        {"a late answer is not taken for another one's",
         test_a_late_answer_is_not_taken_for_another},
        {"two misses open the breaker", test_the_breaker},
        {"more than can be owed is not asked", test_more_than_can_be_owed},
        {"Redis is killed and started again", test_kill_and_restart},
        {"Redis comes back with its old data", test_a_restart_with_data},
        {"a new connection fills before it believes",
         test_a_new_connection_fills_before_it_believes},
        {"who has missed events believes nothing until Redis has answered again",
         test_missed_events},
        {"what is owed comes first on a new connection", test_what_is_owed_comes_first},
        {"what Redis refuses is owed until it obeys",
         test_what_redis_refuses_is_owed_until_it_obeys},
        {"metrics", test_metrics},
        {"every tenant is bypassed, a read under way, too", test_every_tenant_is_bypassed},
    };
    (void)signal(SIGPIPE, SIG_IGN);
    redis_url = getenv("REDIS_URL");
    EXPECT(redis_url != NULL && getenv("WITH_SERVERS") != NULL);
    test.loop = loop_new();
    test.reader = cache_make(redis_url, 1001);
    test.writer = cache_make(redis_url, 2002);
    wait_for(are_settled);
    int result = expect_run(tests, COUNT_OF(tests));
    test.reader = cache_free(test.reader);
    test.writer = cache_free(test.writer);
    test.loop = loop_free(test.loop);
    return result;
}
