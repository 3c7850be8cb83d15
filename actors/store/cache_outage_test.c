// SPDX-License-Identifier: Apache-2.0
// The cache on a real Redis that is stopped, killed and restarted: what is answered meanwhile, and
// what nobody may believe afterwards.
#include "cache_bench.h"

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
    return bench_run(tests, COUNT_OF(tests));
}
