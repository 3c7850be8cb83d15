// SPDX-License-Identifier: Apache-2.0
// The Server-Timing header: where the time of a request went.
#pragma once
#include "contract.h"

#include <stdint.h>

enum { TIMING_BYTES = 160 };

// Microseconds, each a part of the one before. Larger ones, from a clock or a peer that lies, are
// cut to it.
struct timing {
    uint64_t total; // since the request was complete
    uint64_t away; // since it left for the bus; 0: it never did
    uint64_t actor; // from its arrival there to the reply
    uint64_t database; // of that, the statements
};

// "edge;dur=0.031, bus;dur=0.120, actor;dur=0.020, database;dur=0.095": milliseconds of four
// stations that do not overlap, so their sum is the total.
void timing_write(const struct timing *timing, char text[TIMING_BYTES]);
