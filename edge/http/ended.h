// SPDX-License-Identifier: Apache-2.0
// A request that has ended: all there is to be told of it. Texts and pointers are borrowed for the
// call that it is passed to.
#pragma once
#include "operation.h"
#include "trip.h"

struct ended {
    const struct operation *operation; // NULL: none was found; number 0: a page of the edge's own
    uint32_t route; // see traffic.h
    struct text method, path;
    const char *id; // X-Request-Id
    struct uuid tenant; // zero: not known
    const uint8_t *trace; // TRACE_BYTES; its span is the request's own
    const uint8_t *parent; // SPAN_ID_BYTES: the client's span, or zero
    enum status status;
    uint64_t received_us, now_us;
    const struct trip *trips; // TRIP_COUNT
};
