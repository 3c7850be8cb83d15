// SPDX-License-Identifier: Apache-2.0
// When a process that ended is started again. Pure: the clock and chance are passed in.
//
// A process somebody killed from outside is started at once and not counted. One that ends by
// itself waits: 50 ms, then twice as long each time, each with jitter. Above RESTART_EXITS_MAX such
// ends in RESTART_WINDOW_MS it is failing and started every RESTART_MS_MAX, until it has been ready
// for a whole window.
#pragma once
#include "limits.h"

#include <stdbool.h>
#include <stdint.h>

struct restart_policy { // zero-initialized
    uint64_t ends_us[RESTART_EXITS_MAX + 1]; // the latest counted ones, in turn
    uint32_t end_count; // counted ones in all
    bool failing;
};

enum end_cause { END_BY_ITSELF, END_FROM_OUTSIDE };

// How long to wait before the next start, in microseconds. chance: any number.
uint64_t restart_policy_end(struct restart_policy *policy, enum end_cause cause, uint64_t now_us,
                            uint32_t chance);

// To be told now and then while the process is ready. True when it has just ceased to be failing.
bool restart_policy_ready(struct restart_policy *policy, uint64_t ready_since_us, uint64_t now_us);
