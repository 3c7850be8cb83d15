// SPDX-License-Identifier: Apache-2.0
#include "expect.h"
#include "limits.h"
#include "rate.h"

static const int64_t SECOND_US = 1000000;
static const int64_t MINUTE_US = 60000000;
static const int64_t START_US = 1800000000000000; // a minute begins
static const struct uuid ANN = {.bytes = {[15] = 1}};
static const struct uuid BOB = {.bytes = {[15] = 2}};

static uint32_t take(struct rate_table *table, struct uuid token, int64_t wall_us, uint32_t count) {
    uint32_t passed = 0;
    for (uint32_t i = 0; i < count; i++)
        passed += rate_take(table, token, wall_us).passes;
    return passed;
}

static void expect_refused(struct rate_table *table, int64_t wall_us, uint32_t seconds) {
    struct rate_verdict verdict = rate_take(table, ANN, wall_us);
    EXPECT(!verdict.passes);
    EXPECT_INTEGER(verdict.left, 0);
    EXPECT_INTEGER(verdict.seconds, seconds);
}

// --- one edge ------------------------------------------------------------------------------------

static void test_limit(void) {
    struct rate_table *table = rate_table_new(10);
    for (uint32_t i = 0; i < 10; i++) {
        struct rate_verdict verdict = rate_take(table, ANN, START_US + 2 * SECOND_US);
        EXPECT(verdict.passes);
        EXPECT_INTEGER(verdict.left, 9 - i);
        EXPECT_INTEGER(verdict.seconds, 58);
    }
    expect_refused(table, START_US + 2 * SECOND_US, 64);
    EXPECT(rate_take(table, BOB, START_US + 2 * SECOND_US).passes);
    // A tenth of them fades in six seconds of the next minute.
    expect_refused(table, START_US + 65 * SECOND_US, 1);
    EXPECT(rate_take(table, ANN, START_US + 66 * SECOND_US).passes);
    expect_refused(table, START_US + 66 * SECOND_US, 6);
    // Nothing is left of them two minutes later.
    EXPECT_INTEGER(take(table, ANN, START_US + 3 * MINUTE_US, 20), 10);
    rate_table_free(table);
}

static void test_limit_of_one(void) {
    struct rate_table *table = rate_table_new(1);
    EXPECT(rate_take(table, ANN, START_US + SECOND_US).passes);
    expect_refused(table, START_US + SECOND_US, 119);
    expect_refused(table, START_US + 119 * SECOND_US, 1);
    EXPECT(rate_take(table, ANN, START_US + 120 * SECOND_US).passes);
    rate_table_free(table);
}

// Whatever happened before: not a second earlier, and then for certain.
static void test_retry_is_honest(void) {
    static const uint32_t limits[] = {1, 2, 7, 60, 600, 6000};
    uint64_t random = 42;
    for (size_t i = 0; i < COUNT_OF(limits); i++) {
        struct rate_table *table = rate_table_new(limits[i]);
        int64_t now_us = START_US;
        uint32_t refusals = 0;
        for (uint32_t turn = 0; turn < 3000; turn++) {
            random = random * 6364136223846793005U + 1442695040888963407U;
            now_us += (int64_t)((random >> 33) % (uint64_t)(3 * SECOND_US));
            (void)take(table, ANN, now_us, (uint32_t)(random >> 40) % (limits[i] / 4 + 2));
            struct rate_verdict verdict = rate_take(table, ANN, now_us);
            if (verdict.passes)
                continue;
            refusals++;
            int64_t then_us = now_us + verdict.seconds * SECOND_US;
            if (verdict.seconds > 1)
                EXPECT(!rate_take(table, ANN, then_us - SECOND_US).passes);
            EXPECT(rate_take(table, ANN, then_us).passes);
            now_us = then_us;
        }
        EXPECT(refusals > 100);
        rate_table_free(table);
    }
}

// One that never waits gets no more than its limit in any minute, and most of it.
static void test_hammering(void) {
    enum { LIMIT = 600, MINUTES = 10 };
    struct rate_table *table = rate_table_new(LIMIT);
    uint32_t all = 0;
    for (uint32_t minute = 0; minute < MINUTES; minute++) {
        uint32_t passed = 0;
        for (int64_t us = 0; us < MINUTE_US; us += MINUTE_US / (100 * LIMIT))
            passed += rate_take(table, ANN, START_US + minute * MINUTE_US + us).passes;
        EXPECT(passed <= LIMIT);
        all += passed;
    }
    EXPECT(all >= LIMIT * MINUTES * 9 / 10);
    rate_table_free(table);
}

static void test_clock(void) {
    struct rate_table *table = rate_table_new(10);
    EXPECT_INTEGER(take(table, ANN, START_US + SECOND_US, 20), 10);
    EXPECT_INTEGER(take(table, ANN, START_US - SECOND_US, 20), 0); // set back a little
    EXPECT_INTEGER(take(table, ANN, START_US - 60 * MINUTE_US, 20), 10); // or much
    EXPECT_INTEGER(take(table, ANN, -1, 20), 10);
    EXPECT_INTEGER(take(table, ANN, START_US, 20), 10);
    rate_table_free(table);
}

static void test_table_is_full(void) {
    enum { SETS = RATE_TOKENS_MAX / 8 };
    struct rate_table *table = rate_table_new(10);
    struct uuid token = ANN;
    for (uint32_t i = 0; i < 8; i++) { // of one set
        uint32_t slot = 5 + i * SETS;
        memcpy(token.bytes + 12, &slot, sizeof slot);
        EXPECT_INTEGER(take(table, token, START_US, i == 3 ? 1 : 5), i == 3 ? 1 : 5);
    }
    EXPECT_INTEGER(rate_due(table), 8);
    uint32_t slot = 5 + 8 * SETS;
    memcpy(token.bytes + 12, &slot, sizeof slot);
    EXPECT_INTEGER(rate_take(table, token, START_US).left, 9); // in the place of the fourth
    for (uint32_t i = 0; i < 8; i++) {
        slot = 5 + i * SETS;
        memcpy(token.bytes + 12, &slot, sizeof slot);
        if (i != 3)
            EXPECT_INTEGER(rate_take(table, token, START_US).left, 4);
    }
    EXPECT_INTEGER(rate_due(table), 8); // a place waits once, whoever is in it
    rate_table_free(table);
}

static void test_fields(void) {
    struct rate_table *table = rate_table_new(6000);
    char text[RATE_TEXT_BYTES];
    struct rate_verdict verdict = rate_take(table, ANN, START_US + 22 * SECOND_US);
    rate_write(&verdict, text);
    EXPECT_TEXT(text_of(text), "\"token\";r=5999;t=38");
    EXPECT_TEXT(text_of(rate_policy(table)), "\"token\";q=6000;w=60");
    rate_write(&(struct rate_verdict){.left = UINT32_MAX, .seconds = UINT32_MAX}, text);
    EXPECT_TEXT(text_of(text), "\"token\";r=4294967295;t=4294967295");
    rate_table_free(table);
}

// --- several edges -------------------------------------------------------------------------------

// What Redis is to them.
static struct store {
    uint32_t count;
    struct {
        struct uuid token;
        uint32_t window;
        int64_t total;
    } keys[16];
    uint32_t firsts;
} store;

static int64_t *store_key(struct uuid token, uint32_t window) {
    for (uint32_t i = 0; i < store.count; i++)
        if (uuid_equal(store.keys[i].token, token) && store.keys[i].window == window)
            return &store.keys[i].total;
    EXPECT(store.count < COUNT_OF(store.keys));
    store.keys[store.count].token = token;
    store.keys[store.count].window = window;
    store.keys[store.count].total = 0;
    return &store.keys[store.count++].total;
}

// What is due when it begins, as the real one does.
static uint32_t exchange(struct rate_table *table) {
    struct rate_report report;
    uint32_t reports = 0;
    for (uint32_t left = rate_due(table); left > 0;) {
        uint32_t due = rate_due(table);
        if (!rate_next_report(table, &report))
            break;
        left -= due - rate_due(table);
        store.firsts += report.first;
        reports++;
        int64_t *total = store_key(report.token, report.window);
        *total += report.count;
        rate_learn(table, &report, *total);
    }
    return reports;
}

static int64_t total_of(int64_t wall_us) {
    return *store_key(ANN, (uint32_t)(wall_us / MINUTE_US));
}

static void test_shared(void) {
    store = (struct store){.count = 0};
    struct rate_table *one = rate_table_new(20), *two = rate_table_new(20);
    EXPECT_INTEGER(take(one, ANN, START_US, 9), 9);
    EXPECT_INTEGER(take(two, ANN, START_US, 4), 4);
    EXPECT_INTEGER(exchange(one), 2); // the minute before is asked for, too
    EXPECT_INTEGER(exchange(two), 2);
    EXPECT_INTEGER(store.firsts, 4);
    EXPECT_INTEGER(total_of(START_US), 13);
    EXPECT_INTEGER(rate_take(two, ANN, START_US).left, 20 - 13 - 1);
    EXPECT_INTEGER(rate_take(one, ANN, START_US).left, 20 - 9 - 1); // has not heard of two's yet
    EXPECT_INTEGER(exchange(one), 1);
    EXPECT_INTEGER(exchange(two), 1);
    EXPECT_INTEGER(store.firsts, 4);
    EXPECT_INTEGER(total_of(START_US), 15);
    EXPECT_INTEGER(take(two, ANN, START_US, 20), 5);
    EXPECT_INTEGER(exchange(two) + exchange(one) + exchange(two), 1); // nothing new, nothing told
    EXPECT_INTEGER(rate_take(one, BOB, START_US).left, 19);
    EXPECT(!rate_take(two, ANN, START_US + MINUTE_US).passes); // the others count on
    rate_table_free(one);
    rate_table_free(two);
}

static void test_next_minute(void) {
    store = (struct store){.count = 0};
    struct rate_table *one = rate_table_new(20), *two = rate_table_new(20);
    EXPECT_INTEGER(take(one, ANN, START_US, 7), 7);
    (void)exchange(one);
    EXPECT_INTEGER(take(one, ANN, START_US, 9), 9); // untold when the minute ends
    int64_t next_us = START_US + MINUTE_US;
    EXPECT(rate_take(one, ANN, next_us).passes);
    EXPECT_INTEGER(exchange(one), 2);
    EXPECT_INTEGER(total_of(START_US), 16);
    EXPECT_INTEGER(total_of(next_us), 1);
    EXPECT_INTEGER(rate_take(two, ANN, next_us).left, 19); // new to this edge
    EXPECT_INTEGER(exchange(two), 2);
    EXPECT_INTEGER(rate_take(two, ANN, next_us).left, 20 - 16 - 2 - 1);
    rate_table_free(one);
    rate_table_free(two);
}

static void test_lost_memory(void) {
    store = (struct store){.count = 0};
    struct rate_table *one = rate_table_new(100), *two = rate_table_new(100);
    EXPECT_INTEGER(take(one, ANN, START_US, 30), 30);
    EXPECT_INTEGER(take(two, ANN, START_US, 20), 20);
    (void)exchange(one);
    (void)exchange(two);
    store = (struct store){.count = 0};
    EXPECT_INTEGER(take(one, ANN, START_US, 3), 3);
    EXPECT_INTEGER(take(two, ANN, START_US, 2), 2);
    EXPECT_INTEGER(exchange(one), 1); // its three; it sees what happened
    EXPECT_INTEGER(exchange(two), 1);
    store.firsts = 0;
    EXPECT_INTEGER(exchange(one), 1); // the others, as a first report: the key must die, too
    EXPECT_INTEGER(exchange(two), 1);
    EXPECT_INTEGER(store.firsts, 2);
    EXPECT_INTEGER(total_of(START_US), 55);
    EXPECT_INTEGER(rate_take(two, ANN, START_US).left, 100 - 55 - 1);
    rate_table_free(one);
    rate_table_free(two);
}

static void test_few_are_not_told(void) {
    struct rate_table *table = rate_table_new(6400);
    struct rate_report report;
    EXPECT_INTEGER(take(table, ANN, START_US, 99), 99);
    EXPECT_INTEGER(rate_due(table), 0);
    EXPECT(!rate_next_report(table, &report));
    EXPECT_INTEGER(take(table, ANN, START_US, 26), 26);
    EXPECT_INTEGER(rate_due(table), 1);
    EXPECT(rate_next_report(table, &report));
    EXPECT_INTEGER(report.window, START_US / MINUTE_US - 1);
    EXPECT(rate_next_report(table, &report));
    EXPECT_INTEGER(report.window, START_US / MINUTE_US);
    EXPECT_INTEGER(report.count, 125);
    EXPECT(report.first);
    EXPECT(!rate_next_report(table, &report));
    EXPECT_INTEGER(take(table, ANN, START_US, 99), 99);
    EXPECT_INTEGER(rate_due(table), 0);
    rate_table_free(table);
}

// An answer that comes late finds another token in the place, or another minute; nonsense is borne.
static void test_strange_answers(void) {
    struct rate_table *table = rate_table_new(10);
    struct rate_report before, report;
    EXPECT(rate_take(table, ANN, START_US).passes);
    EXPECT(rate_next_report(table, &before) && rate_next_report(table, &report));
    rate_learn(table, &report, -7);
    struct rate_report other = report;
    other.token = BOB;
    rate_learn(table, &other, 1000);
    rate_learn(table, &before, INT64_MAX); // of the minute before: nothing passes in this one
    EXPECT(!rate_take(table, ANN, START_US + MINUTE_US / 2).passes);
    EXPECT_INTEGER(take(table, ANN, START_US + MINUTE_US, 20), 9); // that one counts still
    rate_learn(table, &before, 1000); // of two minutes ago
    EXPECT_INTEGER(take(table, ANN, START_US + 3 * MINUTE_US, 20), 10);
    EXPECT(rate_next_report(table, &report) && rate_next_report(table, &report));
    rate_learn(table, &report, INT64_MAX);
    EXPECT(!rate_take(table, ANN, START_US + 4 * MINUTE_US).passes);
    rate_table_free(table);
}

int main(void) {
    static const struct test tests[] = {
        {"no more than the limit passes in a minute, and the last minute fades", test_limit},
        {"a limit of one a minute is one", test_limit_of_one},
        {"a refused request would pass after the seconds it is told, and not before",
         test_retry_is_honest},
        {"who never waits gets what the limit gives", test_hammering},
        {"clocks may be set back", test_clock},
        {"where a set is full the quietest token is forgotten", test_table_is_full},
        {"the fields are as the draft has them", test_fields},
        {"edges share one limit by adding up", test_shared},
        {"what was not told before a minute ended is told in the next", test_next_minute},
        {"a memory that was lost is told all of the minute again", test_lost_memory},
        {"few requests are not worth a message", test_few_are_not_told},
        {"late and strange answers do no harm", test_strange_answers},
    };
    return expect_run(tests, COUNT_OF(tests));
}
