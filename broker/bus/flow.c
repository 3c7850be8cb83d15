// SPDX-License-Identifier: Apache-2.0
// Records, queues, lists and ranks of flow.h. The order of service itself is a few lines:
// flow_first and flow_charge.
#include "flow.h"

#include "peer_map.h"

static uint32_t bucket_of_flow(const uint64_t tenant[2], uint8_t lane, uint8_t group) {
    uint64_t place = (uint64_t)lane << 8 | group;
    return (uint32_t)(number_mix(tenant[0] ^ number_mix(tenant[1] ^ place)) % FLOW_BUCKETS);
}

void flow_table_init(struct flow_table *table) {
    *table = (struct flow_table){
        .flows = calloc(BROKER_TENANTS_MAX, sizeof *table->flows),
        .buckets = malloc(FLOW_BUCKETS * sizeof *table->buckets),
        .schedules = calloc(SCHEDULES_MAX, sizeof *table->schedules),
        .free = NO_INDEX,
    };
    ASSERT(table->flows != NULL && table->buckets != NULL && table->schedules != NULL);
    for (uint32_t i = 0; i < FLOW_BUCKETS; i++)
        table->buckets[i] = NO_INDEX;
    for (uint32_t i = 0; i < SCHEDULES_MAX; i++) {
        for (uint32_t lane = 0; lane < LANE_COUNT; lane++) {
            for (uint32_t list = 0; list < FLOW_LISTS; list++)
                table->schedules[i].lists[lane][list] = (struct flow_ends){NO_INDEX, NO_INDEX};
            for (uint32_t rank = 0; rank < FLOW_RANKS; rank++)
                table->schedules[i].ranks[lane][rank] = NO_INDEX;
        }
    }
}

void flow_table_deinit(struct flow_table *table) {
    free(table->flows);
    free(table->buckets);
    free(table->schedules);
}

struct flow *flow_at(const struct flow_table *table, uint32_t index) {
    return &table->flows[index];
}

uint32_t flow_index(const struct flow_table *table, const struct flow *flow) {
    return (uint32_t)(flow - table->flows);
}

struct flow *flow_obtain(struct flow_table *table, const uint64_t tenant[2], uint8_t lane,
                         uint8_t group, bool tenantless) {
    uint32_t bucket = bucket_of_flow(tenant, lane, group);
    for (uint32_t i = table->buckets[bucket]; i != NO_INDEX; i = table->flows[i].bucket_next) {
        struct flow *flow = &table->flows[i];
        if (flow->tenant[0] == tenant[0] && flow->tenant[1] == tenant[1] && flow->lane == lane &&
            flow->group == group && flow->tenantless == tenantless)
            return flow;
    }
    uint32_t index = table->free;
    if (index != NO_INDEX)
        table->free = table->flows[index].bucket_next;
    else if (table->high < BROKER_TENANTS_MAX)
        index = table->high++;
    else
        return NULL;
    table->flows[index] = (struct flow){
        .tenant = {tenant[0], tenant[1]},
        .first = NO_INDEX,
        .last = NO_INDEX,
        .bucket_next = table->buckets[bucket],
        .schedule = group,
        .lane = lane,
        .group = group,
        .owner = NO_ACTOR,
        .list = FLOW_OUT,
        .rank = RANK_NONE,
        .tenantless = tenantless,
    };
    table->buckets[bucket] = index;
    table->used++;
    return &table->flows[index];
}

void flow_release_if_idle(struct flow_table *table, struct flow *flow) {
    if (flow->queued > 0 || flow->in_flight > 0 || flow->list != FLOW_OUT)
        return;
    uint32_t index = flow_index(table, flow);
    uint32_t *link = &table->buckets[bucket_of_flow(flow->tenant, flow->lane, flow->group)];
    while (*link != index)
        link = &table->flows[*link].bucket_next;
    *link = flow->bucket_next;
    flow->bucket_next = table->free;
    table->free = index;
    table->used--;
}

void flow_list(struct flow_table *table, struct flow *flow, uint32_t list) {
    struct schedule *schedule = &table->schedules[flow->schedule];
    uint32_t index = flow_index(table, flow);
    if (flow->list != FLOW_OUT) {
        struct flow_ends *ends = &schedule->lists[flow->lane][flow->list];
        if (flow->previous == NO_INDEX)
            ends->first = flow->next;
        else
            table->flows[flow->previous].next = flow->next;
        if (flow->next == NO_INDEX)
            ends->last = flow->previous;
        else
            table->flows[flow->next].previous = flow->previous;
    }
    flow->list = (uint8_t)list;
    if (list == FLOW_OUT)
        return;
    struct flow_ends *ends = &schedule->lists[flow->lane][list];
    flow->next = NO_INDEX;
    flow->previous = ends->last;
    if (ends->last == NO_INDEX)
        ends->first = index;
    else
        table->flows[ends->last].next = index;
    ends->last = index;
}

// --- ranks -------------------------------------------------------------------------------------

uint32_t flow_rank(const struct flow *flow, uint32_t queued) {
    if (flow->tenantless)
        queued = (queued + TENANTLESS_TENANTS - 1) / TENANTLESS_TENANTS;
    return queued == 0 ? RANK_NONE : 31 - (uint32_t)__builtin_clz(queued);
}

// Off its rank, and to the end of one, which is a ring.
static void flow_set_rank(struct flow_table *table, struct flow *flow, uint32_t rank) {
    uint32_t *heads = table->schedules[flow->schedule].ranks[flow->lane];
    uint32_t index = flow_index(table, flow);
    if (flow->rank != RANK_NONE) {
        uint32_t *head = &heads[flow->rank];
        table->flows[flow->rank_previous].rank_next = flow->rank_next;
        table->flows[flow->rank_next].rank_previous = flow->rank_previous;
        if (*head == index)
            *head = flow->rank_next == index ? NO_INDEX : flow->rank_next;
    }
    flow->rank = (uint8_t)rank;
    if (rank == RANK_NONE)
        return;
    flow->rank_next = flow->rank_previous = index;
    if (heads[rank] == NO_INDEX) {
        heads[rank] = index;
        return;
    }
    struct flow *head = &table->flows[heads[rank]];
    flow->rank_next = heads[rank];
    flow->rank_previous = head->rank_previous;
    table->flows[head->rank_previous].rank_next = index;
    head->rank_previous = index;
}

static void flow_count(struct flow_table *table, struct flow *flow, int32_t change) {
    struct schedule *schedule = &table->schedules[flow->schedule];
    schedule->waiting -= flow->queued > 0;
    flow->queued += (uint32_t)change;
    schedule->waiting += flow->queued > 0;
    schedule->queued[flow->lane] += (uint32_t)change;
    schedule->queued_all += (uint32_t)change;
    uint32_t rank = flow_rank(flow, flow->queued);
    if (rank != flow->rank)
        flow_set_rank(table, flow, rank);
}

struct flow *flow_longest(const struct flow_table *table, uint32_t schedule, uint32_t lane) {
    const uint32_t *heads = table->schedules[schedule].ranks[lane];
    for (uint32_t rank = FLOW_RANKS; rank-- > 0;) {
        if (heads[rank] != NO_INDEX)
            return &table->flows[heads[rank]];
    }
    return NULL;
}

// --- queues ------------------------------------------------------------------------------------

static uint32_t suspect_list(const struct request *request) {
    return request->grouped ? FLOW_GROUPED : FLOW_SUSPECT;
}

void flow_push(struct flow_table *table, struct request_pool *pool, struct flow *flow,
               struct request *request) {
    uint32_t index = request_index(pool, request);
    request->next = NO_INDEX;
    request->previous = flow->last;
    if (flow->last == NO_INDEX)
        flow->first = index;
    else
        pool->requests[flow->last].next = index;
    flow->last = index;
    flow_count(table, flow, 1);
    if (flow->first == index && request->suspect) {
        flow_list(table, flow, suspect_list(request));
    } else if (flow->list == FLOW_OUT) {
        flow->deficit = FLOW_QUANTUM;
        flow_list(table, flow, FLOW_NEW);
    }
}

// With nothing left to serve in the flow's lane, the empty ones there need not wait for their
// turn any more.
static void flow_forget_empty(struct flow_table *table, struct flow *keep) {
    const struct schedule *schedule = &table->schedules[keep->schedule];
    const struct flow_ends *old = &schedule->lists[keep->lane][FLOW_OLD];
    if (schedule->queued[keep->lane] > 0)
        return;
    while (old->first != NO_INDEX) {
        struct flow *flow = &table->flows[old->first];
        flow_list(table, flow, FLOW_OUT);
        if (flow != keep)
            flow_release_if_idle(table, flow);
    }
}

void flow_pull(struct flow_table *table, struct request_pool *pool, struct flow *flow,
               struct request *request) {
    if (request->previous == NO_INDEX)
        flow->first = request->next;
    else
        pool->requests[request->previous].next = request->next;
    if (request->next == NO_INDEX)
        flow->last = request->previous;
    else
        pool->requests[request->next].previous = request->previous;
    flow_count(table, flow, -1);
    // A new flow that runs empty takes its turn among the old ones before it may be new again:
    // else one that always has a single request would starve them.
    if (flow->queued == 0)
        flow_list(table, flow, flow->list == FLOW_NEW ? FLOW_OLD : FLOW_OUT);
    else if (pool->requests[flow->first].suspect)
        flow_list(table, flow, suspect_list(&pool->requests[flow->first]));
    else if (flow->list > FLOW_CAPPED)
        flow_list(table, flow, FLOW_OLD);
    flow_forget_empty(table, flow);
}

void flow_reschedule(struct flow_table *table, struct flow *flow, uint32_t schedule) {
    uint32_t list = flow->list;
    uint32_t rank = flow->rank;
    flow_list(table, flow, FLOW_OUT);
    flow_set_rank(table, flow, RANK_NONE);
    table->schedules[flow->schedule].queued[flow->lane] -= flow->queued;
    table->schedules[flow->schedule].queued_all -= flow->queued;
    table->schedules[flow->schedule].waiting -= flow->queued > 0;
    flow_forget_empty(table, flow);
    flow->schedule = (uint16_t)schedule;
    table->schedules[schedule].queued[flow->lane] += flow->queued;
    table->schedules[schedule].queued_all += flow->queued;
    table->schedules[schedule].waiting += flow->queued > 0;
    flow_set_rank(table, flow, rank);
    // An empty one that waited for its turn has none to wait for where nobody knows it.
    if (flow->queued > 0)
        flow_list(table, flow, list == FLOW_CAPPED ? FLOW_OLD : list);
}

struct flow *flow_first(const struct flow_table *table, uint32_t schedule, uint32_t lane,
                        enum flow_list last) {
    const struct flow_ends *lists = table->schedules[schedule].lists[lane];
    for (uint32_t list = last; list > FLOW_CAPPED; list--) {
        if (lists[list].first != NO_INDEX)
            return &table->flows[lists[list].first];
    }
    for (uint32_t list = 0; list <= FLOW_CAPPED; list++) {
        if (lists[list].first != NO_INDEX)
            return &table->flows[lists[list].first];
    }
    return NULL;
}

bool flow_waits(const struct flow_table *table, uint32_t schedule, uint32_t lane) {
    return table->schedules[schedule].queued[lane] > 0;
}

bool flow_waits_uncapped(const struct flow_table *table, uint32_t schedule) {
    const struct schedule *at = &table->schedules[schedule];
    for (uint32_t lane = 0; lane < LANE_COUNT; lane++) {
        if (at->queued[lane] > 0 && (at->lists[lane][FLOW_NEW].first != NO_INDEX ||
                                     at->lists[lane][FLOW_OLD].first != NO_INDEX))
            return true;
    }
    return false;
}

bool flow_charge(struct flow_table *table, struct flow *flow) {
    if (flow->list == FLOW_CAPPED) { // nobody else waits; the capped ones take turns too
        flow_list(table, flow, FLOW_CAPPED);
        return true;
    }
    if (flow->deficit > 0) {
        flow->deficit--;
        return true;
    }
    flow->deficit = (int8_t)(flow->deficit + FLOW_QUANTUM);
    flow_list(table, flow, FLOW_OLD);
    return false;
}
