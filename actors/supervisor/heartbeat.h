// SPDX-License-Identifier: Apache-2.0
// How long a process has given no sign of life. Pure: the clock is passed in.
//
// Only time in which the supervisor itself was awake counts: after it was stopped, or had no CPU,
// nobody is blamed for the time nobody was asked. A process that has never answered is starting and
// has START_SILENT_MS (a build with sanitizers on a busy machine needs seconds); one that has,
// gone_ms.
#pragma once
#include "limits.h"

#include <stdbool.h>
#include <stdint.h>

struct heartbeat {
    uint64_t looked_us; // when heartbeat_is_gone was last asked
    uint64_t silent_us;
    uint32_t gone_ms;
    bool heard_ever;
};

void heartbeat_begin(struct heartbeat *heartbeat, uint32_t gone_ms, uint64_t now_us);
void heartbeat_heard(struct heartbeat *heartbeat);

// To be asked at least every HEARTBEAT_MS.
bool heartbeat_is_gone(struct heartbeat *heartbeat, uint64_t now_us);
