// SPDX-License-Identifier: Apache-2.0
#include "restart_policy.h"

#include "expect.h"

enum { SECOND = 1000000 };

static void expect_between(uint64_t value, uint64_t low, uint64_t high) {
    if (value < low || value > high)
        fprintf(stderr, "%llu is not within %llu..%llu\n", (unsigned long long)value,
                (unsigned long long)low, (unsigned long long)high);
    EXPECT(value >= low && value <= high);
}

static void test_outside_is_not_counted(void) {
    struct restart_policy policy = {0};
    for (uint64_t i = 0; i < 100; i++)
        EXPECT_INTEGER(restart_policy_end(&policy, END_FROM_OUTSIDE, i * 1000, 7), 0);
    EXPECT(!policy.failing);
    EXPECT_INTEGER(policy.end_count, 0);
}

static void test_backoff_doubles(void) {
    struct restart_policy policy = {0};
    uint64_t now_us = 100 * (uint64_t)SECOND;
    for (uint64_t longest_us = 50000; longest_us <= 800000; longest_us *= 2) {
        EXPECT_INTEGER(restart_policy_end(&policy, END_BY_ITSELF, now_us, UINT32_MAX), longest_us);
        now_us += SECOND;
    }
}

static void test_jitter(void) {
    for (uint32_t i = 0; i <= 16; i++) {
        struct restart_policy policy = {0};
        uint64_t delay_us = restart_policy_end(&policy, END_BY_ITSELF, 1, i * (UINT32_MAX / 16));
        expect_between(delay_us, 25000 + i * 1562 - 1, 25000 + i * 1563);
    }
}

static void test_five_in_a_window_are_not_failing(void) {
    struct restart_policy policy = {0};
    for (uint64_t i = 0; i < 60; i++) {
        (void)restart_policy_end(&policy, END_BY_ITSELF, i * 6 * SECOND, 0);
        EXPECT(!policy.failing);
    }
}

static void test_six_in_a_window_are_failing(void) {
    struct restart_policy policy = {0};
    for (uint64_t i = 0; i < 6; i++) {
        EXPECT(!policy.failing);
        (void)restart_policy_end(&policy, END_BY_ITSELF, i * 5 * SECOND, 0);
    }
    EXPECT(policy.failing);
    uint64_t now_us = 25 * (uint64_t)SECOND;
    for (uint64_t i = 0; i < 10; i++) { // and stays so, however far apart
        now_us += 20 * (uint64_t)SECOND;
        EXPECT_INTEGER(restart_policy_end(&policy, END_BY_ITSELF, now_us, (uint32_t)i), 5 * SECOND);
        EXPECT(policy.failing);
    }
}

static void test_a_quiet_window_forgives(void) {
    struct restart_policy policy = {0};
    for (uint64_t i = 0; i < 4; i++)
        (void)restart_policy_end(&policy, END_BY_ITSELF, i, 0);
    EXPECT_INTEGER(restart_policy_end(&policy, END_BY_ITSELF, 31 * SECOND, UINT32_MAX), 50000);
}

static void test_recovery_takes_a_whole_window(void) {
    struct restart_policy policy = {.failing = true};
    EXPECT(!restart_policy_ready(&policy, 5 * SECOND, 34 * SECOND));
    EXPECT(policy.failing);
    EXPECT(restart_policy_ready(&policy, 5 * SECOND, 35 * SECOND));
    EXPECT(!policy.failing);
    EXPECT(!restart_policy_ready(&policy, 5 * SECOND, 36 * SECOND)); // told once
}

int main(void) {
    static const struct test tests[] = {
        {"ends from outside are not counted and wait for nothing", test_outside_is_not_counted},
        {"the wait doubles with each end", test_backoff_doubles},
        {"the jitter is between half and all of the wait", test_jitter},
        {"five ends in 30 s are not failing, for ever", test_five_in_a_window_are_not_failing},
        {"six ends in 30 s are failing, every 5 s on", test_six_in_a_window_are_failing},
        {"ends of another window do not lengthen the wait", test_a_quiet_window_forgives},
        {"failing ends after 30 s of readiness", test_recovery_takes_a_whole_window},
    };
    return expect_run(tests, COUNT_OF(tests));
}
