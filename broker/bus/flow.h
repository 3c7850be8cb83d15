// SPDX-License-Identifier: Apache-2.0
// Who is served next. A flow is the requests of one tenant in one lane and group of operations.
// Those that an edge sends without a tenant, as to look a token up, are one flow: each may be for
// another tenant or for none, and however many there are, they have one turn. A schedule is a set
// of flows that compete for the same actors: one an actor for the commands whose tenants it owns,
// one a group for all others.
//
// Inside a lane of a schedule: deficit round robin, one request is one unit. A flow that begins to
// wait is served before those that waited already, once (the list NEW), then in turn (OLD). One
// that has its share of the actors in hand waits apart (CAPPED) while others wait. So does one
// whose first request is a suspect (SUSPECT, or GROUPED where it may be with others): it is the
// first to be served, but only by an actor that may have it. Beside that the flows that wait stand
// in ranks by the length of their queues, for when somebody has to go. Every step is O(1); nothing
// here knows about frames or peers.
#pragma once
#include "limit.h"
#include "operation.h"
#include "request.h"

enum {
    FLOW_QUANTUM = 1,
    FLOW_BUCKETS = 2 * BROKER_TENANTS_MAX,
    FLOW_RANKS = 15, // of 1, 2 to 3, 4 to 7, ... requests waiting
    RANK_NONE = FLOW_RANKS,
    TENANTLESS_TENANTS = 4, // so many tenants a flow without one stands for, in its rank
};
static_assert(1 << FLOW_RANKS > BROKER_MESSAGES_MAX, "each length has a rank");

enum flow_list {
    FLOW_NEW,
    FLOW_OLD,
    FLOW_CAPPED,
    FLOW_GROUPED,
    FLOW_SUSPECT,
    FLOW_LISTS,
    FLOW_OUT = FLOW_LISTS
};

struct flow {
    uint64_t tenant[2]; // or 0 (of suspects: 1) and the session of the edge
    uint32_t first; // its queue of requests
    uint32_t last;
    uint32_t queued;
    uint32_t in_flight;
    uint32_t next; // in its list
    uint32_t previous;
    uint32_t bucket_next; // or of the free ones
    uint32_t rank_next; // in its rank
    uint32_t rank_previous;
    uint16_t schedule; // where it is listed
    uint8_t lane;
    uint8_t group;
    uint8_t owner; // actor slot of a tenant's commands, or NO_ACTOR
    uint8_t list; // enum flow_list
    uint8_t rank;
    int8_t deficit;
    bool owned; // commands: goes to one actor at a time
    bool tenantless;
};

struct flow_ends {
    uint32_t first;
    uint32_t last;
};

struct schedule {
    struct flow_ends lists[LANE_COUNT][FLOW_LISTS];
    uint32_t ranks[LANE_COUNT][FLOW_RANKS]; // heads
    uint32_t queued[LANE_COUNT]; // requests
    uint32_t queued_all; // of all lanes
    uint32_t waiting; // flows with a queue
    uint32_t in_flight;
    struct limit limit;
    uint64_t refused; // by it
};

struct flow_table {
    struct flow *flows; // BROKER_TENANTS_MAX
    uint32_t *buckets;
    uint32_t free;
    uint32_t high;
    uint32_t used;
    struct schedule *schedules; // SCHEDULES_MAX
};
enum { SCHEDULES_MAX = GROUPS_MAX + ACTORS_MAX };

void flow_table_init(struct flow_table *table);
void flow_table_deinit(struct flow_table *table);

// The flow of that name, made if need be; NULL when the table is full.
struct flow *flow_obtain(struct flow_table *table, const uint64_t tenant[2], uint8_t lane,
                         uint8_t group, bool tenantless);
struct flow *flow_at(const struct flow_table *table, uint32_t index);
uint32_t flow_index(const struct flow_table *table, const struct flow *flow);

// Gives the record back when nothing of it waits or is in flight.
void flow_release_if_idle(struct flow_table *table, struct flow *flow);

// Requests enter and leave the flow's queue; an entering one lists the flow in its schedule.
void flow_push(struct flow_table *table, struct request_pool *pool, struct flow *flow,
               struct request *request);
void flow_pull(struct flow_table *table, struct request_pool *pool, struct flow *flow,
               struct request *request);

// Off its list, and to the end of one; list FLOW_OUT: off only.
void flow_list(struct flow_table *table, struct flow *flow, uint32_t list);

// Moves a flow to another schedule, and lists it there if it waits.
void flow_reschedule(struct flow_table *table, struct flow *flow, uint32_t schedule);

// The flow to look at next in a lane: of SUSPECT or GROUPED, where last is that far, NEW, OLD, then
// CAPPED; NULL: none.
struct flow *flow_first(const struct flow_table *table, uint32_t schedule, uint32_t lane,
                        enum flow_list last);
bool flow_waits(const struct flow_table *table, uint32_t schedule, uint32_t lane);
// The same, without those that wait apart.
bool flow_waits_uncapped(const struct flow_table *table, uint32_t schedule);

// A flow with the longest queue of a lane, within a factor of two. NULL: none waits.
struct flow *flow_longest(const struct flow_table *table, uint32_t schedule, uint32_t lane);
uint32_t flow_rank(const struct flow *flow, uint32_t queued); // with so many waiting

// Charges one request about to be served; false: it is another flow's turn (this one moved back).
MUST_USE bool flow_charge(struct flow_table *table, struct flow *flow);
