// SPDX-License-Identifier: Apache-2.0
// The state of a requester, shared by requester.c, pending_frame.c and requester_look.c
// (introspection) alone.
#pragma once
#include "dial.h"
#include "quarantine.h"
#include "request_table.h"
#include "requester.h"

struct broker_end {
    uint64_t limit[LANE_COUNT]; // requests that may be sent in all
    uint64_t sent[LANE_COUNT];
    uint64_t served; // operations with an actor there
    uint64_t roles; // of its actors
};

struct requester {
    struct requester_port port;
    struct dial dial;
    struct request_table table;
    struct broker_end ends[BROKERS_MAX]; // beside dial.ends
    struct quarantine quarantine;
    struct requester_counters counters;
    bool draining;
    bool drained;
};

// --- pending_frame.c -----------------------------------------------------------------------------
// Into the frame that the request has room for.
void pending_write(const struct requester *requester, struct pending *pending,
                   const struct outgoing *outgoing);
struct envelope pending_envelope(const struct pending *pending);
struct demand pending_demand(const struct pending *pending); // its body is the frame's
