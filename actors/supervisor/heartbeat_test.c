// SPDX-License-Identifier: Apache-2.0
#include "heartbeat.h"

#include "expect.h"

enum { BEAT_US = HEARTBEAT_MS * 1000 };

// Asks every HEARTBEAT_MS; how long it took until it was gone.
static uint64_t silence_until_gone(struct heartbeat *heartbeat, uint64_t now_us) {
    uint64_t begun_us = now_us;
    do
        now_us += BEAT_US;
    while (!heartbeat_is_gone(heartbeat, now_us));
    return now_us - begun_us;
}

static void test_silence(void) {
    struct heartbeat heartbeat;
    heartbeat_begin(&heartbeat, GONE_MS, 77);
    heartbeat_heard(&heartbeat);
    EXPECT_INTEGER(silence_until_gone(&heartbeat, 77), GONE_MS * 1000);
}

static void test_patience_is_the_kind_s(void) {
    struct heartbeat heartbeat;
    heartbeat_begin(&heartbeat, 5000, 77);
    heartbeat_heard(&heartbeat);
    EXPECT_INTEGER(silence_until_gone(&heartbeat, 77), 5000 * 1000);
}

static void test_start_takes_longer(void) {
    struct heartbeat heartbeat;
    heartbeat_begin(&heartbeat, GONE_MS, 77);
    EXPECT_INTEGER(silence_until_gone(&heartbeat, 77), START_SILENT_MS * 1000);
}

static void test_an_answer_ends_the_silence(void) {
    struct heartbeat heartbeat;
    heartbeat_begin(&heartbeat, GONE_MS, 0);
    heartbeat_heard(&heartbeat);
    for (uint64_t i = 1; i < 100; i++) {
        EXPECT(!heartbeat_is_gone(&heartbeat, i * BEAT_US));
        if (i % 5 == 0)
            heartbeat_heard(&heartbeat);
    }
}

static void test_own_sleep_does_not_count(void) {
    struct heartbeat heartbeat;
    heartbeat_begin(&heartbeat, GONE_MS, 0);
    heartbeat_heard(&heartbeat);
    EXPECT(!heartbeat_is_gone(&heartbeat, BEAT_US));
    EXPECT(!heartbeat_is_gone(&heartbeat, 3600ULL * 1000000)); // the supervisor was stopped
}

int main(void) {
    static const struct test tests[] = {
        {"1.5 s of silence are the end", test_silence},
        {"or of what its kind of process is allowed", test_patience_is_the_kind_s},
        {"a process that has never answered has longer", test_start_takes_longer},
        {"an answer ends the silence", test_an_answer_ends_the_silence},
        {"time in which the supervisor slept does not count", test_own_sleep_does_not_count},
    };
    return expect_run(tests, COUNT_OF(tests));
}
