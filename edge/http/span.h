// SPDX-License-Identifier: Apache-2.0
// The spans of a request: the edge's, and below it for each of its trips the bus, the actor and the
// database, as long as they say they were. Nobody compares clocks of two machines: where in the
// trip the actor had it is not known, so what is under way counts half before and half after. Pure.
#pragma once
#include "ended.h"
#include "trace.h"

enum {
    SPAN_PATH_BYTES = 128, // of a longer path its beginning is told
    SPANS_PER_REQUEST_MAX = 1 + 3 * TRIP_COUNT,
};

// What is kept of a request until it is told: no pointer into anything that goes away.
struct traced {
    int64_t received_wall_us; // since 1970
    const struct operation *operation;
    const char *method; // as OpenTelemetry wants it: one of HTTP's, or "_OTHER"
    enum status status;
    struct uuid tenant;
    uint64_t total_us;
    struct trip trips[TRIP_COUNT]; // since it was received
    uint8_t trace[TRACE_BYTES];
    uint8_t parent[SPAN_ID_BYTES];
    char id[REQUEST_ID_BYTES_MAX + 1];
    char path[SPAN_PATH_BYTES + 1]; // printable ASCII
};

void traced_take(const struct ended *ended, int64_t now_wall_us, struct traced *ret_traced);

enum span_station { SPAN_EDGE, SPAN_BUS, SPAN_ACTOR, SPAN_DATABASE };

struct span {
    enum span_station station;
    uint32_t trip; // but for the edge's
    uint8_t id[SPAN_ID_BYTES];
    uint8_t parent[SPAN_ID_BYTES]; // zero: none
    uint64_t begin_us, end_us; // since the request was received
};

// How many; each after its parent, and never outside it, whatever a reply claims.
uint32_t span_build(const struct traced *traced, struct span spans[SPANS_PER_REQUEST_MAX]);
