// SPDX-License-Identifier: Apache-2.0
#include "clock.h"

#include <time.h>

static uint64_t read_us(clockid_t clock) {
    struct timespec time;
    (void)clock_gettime(clock, &time); // cannot fail for these clocks
    return (uint64_t)time.tv_sec * 1000000u + (uint64_t)time.tv_nsec / 1000u;
}

uint64_t clock_monotonic_us(void) {
    return read_us(CLOCK_MONOTONIC);
}

int64_t clock_wall_us(void) {
    return (int64_t)read_us(CLOCK_REALTIME);
}

uint64_t clock_cpu_us(void) {
    return read_us(CLOCK_THREAD_CPUTIME_ID);
}
