// SPDX-License-Identifier: Apache-2.0
#include "top_view.h"

#include "view_fields.h"

// --- the shape of an answer --------------------------------------------------------------------

static const struct field top_lane_fields[] = {
    TEXT_OF(top_lane, name),
    NUMBER_OF(top_lane, queued),
    NUMBER_OF(top_lane, in_flight),
    NUMBER_OF(top_lane, accepted),
    NUMBER_OF(top_lane, dispatched),
    NUMBER_OF(top_lane, waited_us),
    {.name = "took",
     .type = FIELD_INTEGER,
     .offset = offsetof(struct top_lane, took),
     .presence_offset = offsetof(struct top_lane, has_took),
     .minimum = 0,
     .maximum = INT64_MAX,
     .list = true,
     .list_maximum = HISTOGRAM_BUCKETS,
     .element_size = sizeof(int64_t)},
};
MESSAGE(top_lane);

static const struct field top_limit_fields[] = {
    TEXT_OF(top_limit, name),      NUMBER_OF(top_limit, queued), NUMBER_OF(top_limit, in_flight),
    NUMBER_OF(top_limit, refused), NUMBER_OF(top_limit, most),
};
MESSAGE(top_limit);

static const struct field top_cause_fields[] = {
    TEXT_OF(top_cause, cause),
    NUMBER_OF(top_cause, count),
};
MESSAGE(top_cause);

static const struct field top_tenant_fields[] = {
    TEXT_OF(top_tenant, tenant),
    NUMBER_OF(top_tenant, milli_per_second),
};
MESSAGE(top_tenant);

static const struct field top_process_fields[] = {
    TEXT_OF(top_process, name),
    TEXT_OF(top_process, role),
    TEXT_OF(top_process, state),
    NUMBER_OF(top_process, pid),
    NUMBER_OF(top_process, window),
    NUMBER_OF(top_process, credit),
    NUMBER_OF(top_process, in_flight),
    NUMBER_OF(top_process, queued),
    NUMBER_OF(top_process, requests),
    NUMBER_OF(top_process, silent_ms),
    OPTIONAL_OF(top_process, event_bytes, FIELD_INTEGER),
};
MESSAGE(top_process);

static const struct field top_broker_fields[] = {
    TEXT_OF(top_broker, name),
    NUMBER_OF(top_broker, up_s),
    NUMBER_OF(top_broker, tenants),
    NUMBER_OF(top_broker, queued_bytes),
    NUMBER_OF(top_broker, events),
    BOOLEAN_OF(top_broker, draining),
    LIST_OF(top_broker, lanes, top_lane, TOP_LANES_MAX),
    LIST_OF(top_broker, drops, top_cause, TOP_CAUSES_MAX),
    LIST_OF(top_broker, busiest, top_tenant, TOP_TENANTS_MAX),
    LIST_OF(top_broker, peers, top_process, PEERS_MAX + REFUSED_MAX),
    {.name = "limits",
     .type = FIELD_MESSAGE,
     .offset = offsetof(struct top_broker, limits),
     .presence_offset = offsetof(struct top_broker, has_limits),
     .list = true,
     .list_maximum = TOP_LIMITS_MAX,
     .nested = &top_limit_message,
     .element_size = sizeof(struct top_limit)},
    {.name = "paused",
     .type = FIELD_STRING,
     .offset = offsetof(struct top_broker, paused),
     .presence_offset = offsetof(struct top_broker, has_paused),
     .list = true,
     .list_maximum = TOP_PAUSED_MAX,
     .element_size = sizeof(struct text)},
};
MESSAGE(top_broker);

// --- all together ------------------------------------------------------------------------------

static void add_lane(struct top_view *view, const struct top_lane *lane) {
    uint32_t i = 0;
    while (i < view->lane_count && !text_equal(view->lanes[i].name, lane->name))
        i++;
    if (i == TOP_LANES_MAX)
        return;
    struct top_lane *sum = &view->lanes[i];
    if (i == view->lane_count)
        view->lanes[view->lane_count++] = (struct top_lane){.name = lane->name};
    sum->queued += lane->queued;
    sum->in_flight += lane->in_flight;
    sum->accepted += lane->accepted;
    sum->dispatched += lane->dispatched;
    sum->waited_us += lane->waited_us;
    const int64_t *took = lane->took.items;
    for (uint32_t bucket = 0; bucket < lane->took.count; bucket++)
        sum->answers.buckets[bucket] += (uint64_t)took[bucket];
}

static void add_limit(struct top_view *view, const struct top_limit *limit) {
    uint32_t i = 0;
    while (i < view->limit_count && !text_equal(view->limits[i].name, limit->name))
        i++;
    if (i == TOP_LIMITS_MAX)
        return;
    struct top_limit *sum = &view->limits[i];
    if (i == view->limit_count) {
        view->limits[view->limit_count++] = *limit;
        return;
    }
    sum->queued += limit->queued;
    sum->in_flight += limit->in_flight;
    sum->refused += limit->refused;
    // One broker that lets in as many as come leaves no limit of all.
    sum->most = sum->most == 0 || limit->most == 0 ? 0 : sum->most + limit->most;
}

static void add_cause(struct top_view *view, const struct top_cause *cause) {
    uint32_t i = 0;
    while (i < view->cause_count && !text_equal(view->causes[i].cause, cause->cause))
        i++;
    if (i == TOP_CAUSES_MAX)
        return;
    if (i == view->cause_count)
        view->causes[view->cause_count++] = (struct top_cause){.cause = cause->cause};
    view->causes[i].count += cause->count;
}

static void add_tenant(struct top_view *view, const struct top_tenant *tenant) {
    uint32_t i = 0;
    while (i < view->tenant_count && !text_equal(view->tenants[i].tenant, tenant->tenant))
        i++;
    if (i == COUNT_OF(view->tenants))
        return;
    if (i == view->tenant_count)
        view->tenants[view->tenant_count++] = (struct top_tenant){.tenant = tenant->tenant};
    view->tenants[i].milli_per_second += tenant->milli_per_second;
}

static void add_process(struct top_view *view, const struct top_process *process) {
    uint32_t i = 0;
    while (i < view->process_count && !(text_equal(view->processes[i].name, process->name) &&
                                        view->processes[i].pid == process->pid))
        i++;
    if (i == TOP_PROCESSES_MAX)
        return;
    struct top_process *sum = &view->processes[i];
    if (i == view->process_count)
        view->processes[view->process_count++] = (struct top_process){.name = process->name,
                                                                      .role = process->role,
                                                                      .state = process->state,
                                                                      .pid = process->pid};
    if (!text_equal(process->state, TEXT("up")))
        sum->state = process->state;
    sum->window += process->window;
    sum->credit += process->credit;
    sum->in_flight += process->in_flight;
    sum->queued += process->queued;
    sum->requests += process->requests;
    sum->sessions++;
}

static void add_paused(struct top_view *view, struct text operation) {
    uint32_t i = 0;
    while (i < view->paused_count && !text_equal(view->paused[i], operation))
        i++;
    if (i == view->paused_count && i < TOP_PAUSED_MAX)
        view->paused[view->paused_count++] = operation;
}

static int compare_tenants(const void *a, const void *b) {
    const struct top_tenant *left = a, *right = b;
    int64_t difference = right->milli_per_second - left->milli_per_second;
    return (difference > 0) - (difference < 0);
}

static int compare_texts(struct text left, struct text right) {
    int order = memcmp(left.bytes, right.bytes, MIN(left.length, right.length));
    return order != 0 ? order : (left.length > right.length) - (left.length < right.length);
}

static int compare_processes(const void *a, const void *b) {
    const struct top_process *left = a, *right = b;
    int order = compare_texts(left->role, right->role);
    if (order == 0 && left->name.length != right->name.length)
        return left->name.length < right->name.length ? -1 : 1; // query-9 before query-10
    return order != 0 ? order : compare_texts(left->name, right->name);
}

bool top_broker_read(struct text answer, struct arena *arena, struct top_broker *ret_top) {
    if (!json_read_view(&top_broker_message, answer, arena, ret_top))
        return false;
    if (ret_top->peers.count > 1)
        qsort(ret_top->peers.items, ret_top->peers.count, sizeof(struct top_process),
              compare_processes);
    return true;
}

void top_view_make(struct top_view *ret_view, const struct top_broker *brokers, uint32_t count) {
    memset(ret_view, 0, sizeof *ret_view);
    for (uint32_t i = 0; i < count; i++) {
        const struct top_broker *broker = &brokers[i];
        const struct top_lane *lanes = broker->lanes.items;
        const struct top_cause *causes = broker->drops.items;
        const struct top_tenant *tenants = broker->busiest.items;
        const struct top_process *processes = broker->peers.items;
        const struct text *paused = broker->paused.items;
        const struct top_limit *limits = broker->limits.items;
        for (uint32_t j = 0; j < broker->limits.count; j++)
            add_limit(ret_view, &limits[j]);
        for (uint32_t j = 0; j < broker->paused.count; j++)
            add_paused(ret_view, paused[j]);
        for (uint32_t j = 0; j < broker->lanes.count; j++)
            add_lane(ret_view, &lanes[j]);
        for (uint32_t j = 0; j < broker->drops.count; j++)
            add_cause(ret_view, &causes[j]);
        for (uint32_t j = 0; j < broker->busiest.count; j++)
            add_tenant(ret_view, &tenants[j]);
        for (uint32_t j = 0; j < broker->peers.count; j++)
            add_process(ret_view, &processes[j]);
    }
    qsort(ret_view->tenants, ret_view->tenant_count, sizeof(struct top_tenant), compare_tenants);
    qsort(ret_view->processes, ret_view->process_count, sizeof(struct top_process),
          compare_processes);
}
