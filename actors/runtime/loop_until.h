// SPDX-License-Identifier: Apache-2.0
// For tests only: runs a loop until what is waited for has happened.
#pragma once
#include "clock.h"
#include "expect.h"
#include "loop.h"

enum { LOOP_UNTIL_MS = 30000, LOOP_UNTIL_LOOK_MS = 1 };

struct loop_until {
    struct loop *loop;
    struct drain drain;
    struct timer timer;
    bool (*done)(void *context);
    void *context;
    uint64_t until_us;
};

static inline bool loop_until_look(struct drain *drain, uint64_t now_us) {
    struct loop_until *until = CONTAINER_OF(drain, struct loop_until, drain);
    EXPECT(now_us <= until->until_us); // what is waited for happens
    if (until->done(until->context))
        loop_stop(until->loop);
    return false;
}

static inline void loop_until_tick(struct timer *timer, uint64_t now_us) {
    struct loop_until *until = CONTAINER_OF(timer, struct loop_until, timer);
    loop_timer_set(until->loop, timer, now_us + LOOP_UNTIL_LOOK_MS * 1000);
}

// done is asked in every turn of the loop, and at least every LOOP_UNTIL_LOOK_MS. After
// LOOP_UNTIL_MS in vain the test has failed.
static inline void loop_until(struct loop *loop, bool (*done)(void *context), void *context) {
    struct loop_until until = {
        .loop = loop,
        .drain.run = loop_until_look,
        .timer.fire = loop_until_tick,
        .done = done,
        .context = context,
        .until_us = clock_monotonic_us() + LOOP_UNTIL_MS * UINT64_C(1000),
    };
    loop_timer_set(loop, &until.timer, clock_monotonic_us() + 1);
    loop_add_drain(loop, &until.drain);
    loop_run(loop, NULL, NULL);
    loop_remove_drain(loop, &until.drain);
    loop_timer_clear(loop, &until.timer);
}
