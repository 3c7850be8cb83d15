// SPDX-License-Identifier: Apache-2.0
// What a broker answers to `top`, as a struct, and all brokers together. Pure.
#pragma once
#include "arena.h"
#include "limits.h"
#include "metrics.h"

enum {
    TOP_LANES_MAX = 8, // further ones in an answer: it is not understood
    TOP_CAUSES_MAX = 64,
    TOP_LIMITS_MAX = 128,
    TOP_TENANTS_MAX = 64,
    TOP_PAUSED_MAX = 1024,
    TOP_PROCESSES_MAX = BROKERS_MAX * PEERS_MAX,
};

// Counts that only grow are since the broker's start; the others are of this moment.
struct top_lane {
    struct text name;
    int64_t queued, in_flight, accepted, dispatched, waited_us;
    struct list took; // of int64_t: how many a bucket of a histogram; one broker's only
    bool has_took; // an earlier build does not tell them
    struct histogram answers; // of all brokers together: its buckets
};

struct top_limit { // what may be with a class of actors, or with one
    struct text name;
    int64_t queued, in_flight, refused;
    int64_t most; // 0: as many as come
};

struct top_cause {
    struct text cause;
    int64_t count;
};

struct top_tenant {
    struct text tenant;
    int64_t milli_per_second;
};

struct top_process {
    struct text name, role, state;
    int64_t pid, window, credit, in_flight, queued, requests;
    int64_t silent_ms, event_bytes; // of one session; not added up
    bool has_event_bytes; // an earlier build does not tell them
    int64_t sessions; // brokers it is connected to
};

struct top_broker {
    struct text name;
    int64_t up_s, tenants, queued_bytes, events;
    bool draining;
    struct list lanes, drops, busiest, peers; // of the structs above
    struct list limits; // of struct top_limit
    bool has_limits; // an earlier build has none
    struct list paused; // of struct text: names of operations
    bool has_paused; // an earlier build pauses none
};

// False: it is not what a broker of this build answers. Texts are in the answer; peers come in the
// order in which they are shown.
MUST_USE bool top_broker_read(struct text answer, struct arena *arena, struct top_broker *ret_top);

// All brokers together: the same lanes, causes, tenants and processes added up, tenants and
// processes in the order in which they are shown. A process is in the worse of its states.
struct top_view {
    uint32_t lane_count, cause_count, tenant_count, process_count, paused_count;
    uint32_t limit_count;
    struct top_lane lanes[TOP_LANES_MAX];
    struct top_cause causes[TOP_CAUSES_MAX];
    struct top_limit limits[TOP_LIMITS_MAX];
    struct top_tenant tenants[BROKERS_MAX * TOP_TENANTS_MAX];
    struct top_process processes[TOP_PROCESSES_MAX];
    struct text paused[TOP_PAUSED_MAX]; // at one broker at least
};
void top_view_make(struct top_view *ret_view, const struct top_broker *brokers, uint32_t count);
