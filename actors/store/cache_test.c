// SPDX-License-Identifier: Apache-2.0
// The cache on a real Redis that works, is full, or misconfigured.
#include "cache_bench.h"

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
    };
    return bench_run(tests, COUNT_OF(tests));
}
