// SPDX-License-Identifier: Apache-2.0
// What is kept of requests that have ended: all are counted (traffic.h); those an operator will be
// asked about (they failed, were slow or had to be sent again) have a line in the log each, at most
// NOTABLE_LINES_MAX a second.
#pragma once
#include "trace.h"
#include "traffic.h"
#include "trip.h"

struct journal;

struct journal_options {
    const char *const *route_names; // borrowed
    uint32_t route_count;
    bool every_request; // a line for each at DEBUG
};

// Texts and pointers are borrowed for the call.
struct ended {
    const struct operation *operation; // NULL: none was found
    uint32_t route; // see traffic.h
    struct text method, path;
    const char *id; // X-Request-Id
    const uint8_t *trace; // TRACE_BYTES
    enum status status;
    uint64_t received_us, now_us;
    const struct trip *trips; // TRIP_COUNT
};

struct journal *journal_new(const struct journal_options *options); // NULL when memory is short
struct journal *journal_free(struct journal *journal); // accepts NULL, returns NULL

void journal_add(struct journal *journal, const struct ended *ended);
void journal_metrics(const struct journal *journal, struct metrics *metrics);
