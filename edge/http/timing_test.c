// SPDX-License-Identifier: Apache-2.0
#include "timing.h"

#include "expect.h"

static void expect_timing(struct timing timing, const char *wanted) {
    char text[TIMING_BYTES];
    timing_write(&timing, text);
    EXPECT_TEXT(text_of(text), wanted);
}

static void test_parts(void) {
    expect_timing((struct timing){.total = 12345, .away = 12045, .actor = 7005, .database = 5002},
                  "edge;dur=0.300, bus;dur=5.040, actor;dur=2.003, database;dur=5.002");
    expect_timing((struct timing){.total = 61},
                  "edge;dur=0.061, bus;dur=0.000, actor;dur=0.000, database;dur=0.000");
}

static void test_trips(void) {
    const struct trip trips[TRIP_COUNT] = {
        [TRIP_LOOK_UP] = {.sent_us = 1000,
                          .back_us = 1300,
                          .block = {.actor_us = 200, .database_us = 150}},
        [TRIP_OWN] = {.sent_us = 2000,
                      .back_us = 2070,
                      .block = {.actor_us = 40, .database_us = 7}},
    };
    struct timing timing = timing_of(1111, trips);
    EXPECT_INTEGER(timing.total, 1111);
    EXPECT_INTEGER(timing.away, 370);
    EXPECT_INTEGER(timing.actor, 240);
    EXPECT_INTEGER(timing.database, 157);
}

static void test_lies(void) {
    expect_timing((struct timing){100, 200, 50, UINT64_MAX},
                  "edge;dur=0.000, bus;dur=0.050, actor;dur=0.000, database;dur=0.050");
    expect_timing((struct timing){INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX},
                  "edge;dur=0.000, bus;dur=0.000, actor;dur=0.000, "
                  "database;dur=9223372036854775.807");
}

int main(void) {
    static const struct test tests[] = {
        {"four parts make up the whole time", test_parts},
        {"the way for the token counts, too", test_trips},
        {"no part is longer than what it is a part of", test_lies},
    };
    return expect_run(tests, COUNT_OF(tests));
}
