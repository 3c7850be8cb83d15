// SPDX-License-Identifier: Apache-2.0
// The only readers of time. Only main.c files and loop.c call them (log.c and admin.c the wall
// clock, for what they print); all else receives `now_us`.
#pragma once
#include <stdint.h>

uint64_t clock_monotonic_us(void);

// Microseconds since 1970-01-01 UTC: for expiry dates, log lines and UUIDv7 only.
int64_t clock_wall_us(void);

// CPU time of this thread, for the debug check of a loop's turn.
uint64_t clock_cpu_us(void);
