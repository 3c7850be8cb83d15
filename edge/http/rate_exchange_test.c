// SPDX-License-Identifier: Apache-2.0
// Two edges' tables share one limit through a real Redis that is killed, hung, refuses and is
// restarted empty (tests/with_servers --own).
#include "expect.h"
#include "loop_until.h"
#include "rate_exchange.h"

#include <signal.h>

enum { LIMIT = 100, ONE = 0, TWO = 1 };

static const int64_t WALL_US = 1800000001000000;

static struct {
    struct loop *loop;
    struct rate_table *tables[2];
    struct rate_exchange *exchanges[2];
    uint32_t troubles;
    char trouble[256];
    // What is waited for: an edge asks until fewer are left.
    struct uuid token;
    uint32_t edge;
    uint32_t asked;
    uint64_t next_us;
    uint32_t below;
} test;

static void says_trouble(const char *sentence) {
    test.troubles++;
    snprintf(test.trouble, sizeof test.trouble, "%s", sentence);
}

static void redis_control(const char *what) {
    char command[256];
    snprintf(command, sizeof command, WITH_SERVERS " --control redis %s", what);
    EXPECT_INTEGER(system(command), 0);
}

static void redis_config(const char *what) {
    char command[256];
    snprintf(command, sizeof command,
             "redis-cli -s \"${REDIS_URL#unix://}\" config set %s >/dev/null", what);
    EXPECT_INTEGER(system(command), 0);
}

static struct uuid token_make(uint8_t number) {
    return (struct uuid){.bytes = {1, 2, 3, [15] = number}};
}

static uint32_t take(uint32_t edge, struct uuid token, uint32_t count) {
    uint32_t passed = 0;
    for (uint32_t i = 0; i < count; i++)
        passed += rate_take(test.tables[edge], token, WALL_US).passes;
    return passed;
}

static bool is_below(void *context) {
    (void)context;
    uint64_t now_us = clock_monotonic_us();
    if (now_us < test.next_us)
        return false;
    test.next_us = now_us + 100000; // less often than edges tell each other, or the limit is met
    struct rate_verdict verdict = rate_take(test.tables[test.edge], test.token, WALL_US);
    test.asked += verdict.passes;
    return verdict.left < test.below;
}

// The edge asks now and then, until it sees that fewer requests are left. Returns how many passed.
static uint32_t ask_until_below(uint32_t edge, struct uuid token, uint32_t below) {
    test.token = token;
    test.edge = edge;
    test.below = below;
    test.asked = 0;
    test.next_us = 0;
    loop_until(test.loop, is_below, NULL);
    return test.asked;
}

static bool has_trouble(void *words) {
    return strstr(test.trouble, words) != NULL;
}

static void test_one_limit(void) {
    struct uuid token = token_make(1);
    EXPECT_INTEGER(take(ONE, token, 60), 60);
    uint32_t two = ask_until_below(TWO, token, LIMIT - 60);
    EXPECT(two < 30);
    two += take(TWO, token, LIMIT);
    EXPECT_INTEGER(60 + two, LIMIT);
    uint32_t one = ask_until_below(ONE, token, 1);
    EXPECT(one < 30); // until it heard
    EXPECT_INTEGER(take(ONE, token, LIMIT), 0);
    EXPECT_INTEGER(take(ONE, token_make(2), LIMIT), LIMIT); // another token has its own
    EXPECT_INTEGER(test.troubles, 0);
}

static void test_killed(void) {
    struct uuid token = token_make(3);
    EXPECT_INTEGER(take(ONE, token, 10), 10);
    EXPECT(ask_until_below(TWO, token, LIMIT - 10) < 30);
    redis_control("kill");
    loop_until(test.loop, has_trouble, "cannot be used");
    EXPECT_INTEGER(take(ONE, token_make(4), 2 * LIMIT), LIMIT); // each its own limit
    EXPECT_INTEGER(take(TWO, token_make(4), 2 * LIMIT), LIMIT);
    struct uuid meanwhile = token_make(5);
    EXPECT_INTEGER(take(ONE, meanwhile, 60), 60);
    EXPECT_INTEGER(take(TWO, meanwhile, 5), 5);
    EXPECT_INTEGER(test.troubles, 2); // one line an edge
    redis_control("start"); // empty
    EXPECT(ask_until_below(TWO, meanwhile, LIMIT - 65) < 30);
    loop_until(test.loop, has_trouble, "is back");
    EXPECT(take(ONE, token, 1)); // it learns that its ten are forgotten, and tells them again
    EXPECT(ask_until_below(TWO, token, LIMIT - 11) < 30);
}

static void test_hung(void) {
    struct uuid token = token_make(6);
    redis_control("pause");
    EXPECT_INTEGER(take(ONE, token, 70), 70);
    EXPECT_INTEGER(take(TWO, token, 5), 5);
    loop_until(test.loop, has_trouble, "does not answer");
    EXPECT_INTEGER(take(ONE, token_make(7), 2 * LIMIT), LIMIT);
    redis_control("resume");
    loop_until(test.loop, has_trouble, "is back");
    EXPECT_INTEGER(take(ONE, token, 1), 1); // what it said in vain is told by the next report's sum
    uint32_t two = ask_until_below(TWO, token, LIMIT - 70);
    EXPECT(two < 25);
}

static void test_refused(void) {
    struct uuid token = token_make(8);
    redis_config("maxmemory 1");
    EXPECT_INTEGER(take(ONE, token, 50), 50);
    loop_until(test.loop, has_trouble, "refuses to count requests: OOM");
    uint32_t troubles = test.troubles;
    EXPECT_INTEGER(take(ONE, token_make(9), 2 * LIMIT), LIMIT);
    redis_config("maxmemory 0");
    EXPECT_INTEGER(take(ONE, token, 10), 10);
    EXPECT(ask_until_below(TWO, token, LIMIT - 10) < 30);
    EXPECT(test.troubles <= troubles + 1);
}

int main(void) {
    static const struct test tests[] = {
        {"two edges share one limit", test_one_limit},
        {"without Redis each has its own, and all is told when it is back", test_killed},
        {"a hung Redis holds nobody up", test_hung},
        {"nor does one that refuses", test_refused},
    };
    (void)signal(SIGPIPE, SIG_IGN);
    test.loop = loop_new();
    for (uint32_t i = 0; i < 2; i++) {
        char sentence[256] = "memory";
        test.tables[i] = rate_table_new(LIMIT);
        test.exchanges[i] = rate_exchange_new(test.loop,
                                              &(struct rate_exchange_options){
                                                  .table = test.tables[i],
                                                  .url = getenv("REDIS_URL"),
                                                  .name = i == ONE ? "http-1" : "http-2",
                                                  .seed = i + 7,
                                                  .on_trouble = says_trouble,
                                              },
                                              sentence, sizeof sentence);
        if (test.exchanges[i] == NULL) {
            fprintf(stderr, "%s\n", sentence);
            return 1;
        }
    }
    int code = expect_run(tests, COUNT_OF(tests));
    for (uint32_t i = 0; i < 2; i++) {
        rate_exchange_free(test.exchanges[i]);
        rate_table_free(test.tables[i]);
    }
    loop_free(test.loop);
    return code;
}
