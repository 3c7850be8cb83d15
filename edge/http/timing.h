// SPDX-License-Identifier: Apache-2.0
// The Server-Timing header: where the time of a request went.
#pragma once
#include "trip.h"

enum { TIMING_BYTES = 160 };

// Microseconds, each a part of the one before. Larger ones, from a clock or a peer that lies, are
// cut to it.
struct timing {
    uint64_t total; // since the request was complete
    uint64_t away; // on the bus; 0: it never was
    uint64_t actor; // from its arrival there to the reply
    uint64_t database; // of that, the statements
};

// Of all its trips together.
struct timing timing_of(uint64_t total_us, const struct trip trips[TRIP_COUNT]);

// "edge;dur=0.031, bus;dur=0.120, actor;dur=0.020, database;dur=0.095": milliseconds of four
// stations that do not overlap, so their sum is the total.
void timing_write(const struct timing *timing, char text[TIMING_BYTES]);
