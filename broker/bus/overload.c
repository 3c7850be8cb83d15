// SPDX-License-Identifier: Apache-2.0
// Who is refused when more comes than is answered. What the actors of a schedule can do says
// limit.h; here is chosen who has to go: the lowest lane first, in it the newest request of the
// tenant with the longest queue. A tenant that has less than an even part of the queue gets in,
// whoever floods: since tenants take turns, it does not wait long.
//
// Nobody waits long to be refused: a request that is older than REFUSE_AGE_US stays, and so does
// one that its edge has sent before, since somebody lost it.
#include "broker_state.h"

enum {
    REFUSE_AGE_US = 100000,
    LANE_PART_KEPT = 16, // of the limit a lower lane may queue whatever the others do: it has
                         // its floor of the dispatches
};

static const uint32_t lane_windows[LANE_COUNT] = {EDGE_WINDOW_INTERACTIVE, EDGE_WINDOW_COMMAND,
                                                  EDGE_WINDOW_TASK, EDGE_WINDOW_BULK};

// A lane is taken in while there are fewer requests than this part of the limit.
static const uint32_t lane_parts[LANE_COUNT] = {
    [LANE_INTERACTIVE] = 1, [LANE_COMMAND] = 1, [LANE_TASK] = 2, [LANE_BULK] = 4};

uint32_t schedule_window(const struct broker *broker, uint32_t schedule) {
    return schedule < GROUPS_MAX ? broker->group_window[schedule]
                                 : broker->actors[schedule - GROUPS_MAX].window;
}

uint32_t schedule_most(const struct broker *broker, uint32_t schedule) {
    return limit_most(&broker->flows.schedules[schedule].limit, schedule_window(broker, schedule));
}

void overload_arrive(struct broker *broker, const struct flow *flow, uint8_t attempt) {
    struct schedule *schedule = &broker->flows.schedules[flow->schedule];
    if (attempt == 0)
        limit_arrive(&schedule->limit, schedule->queued_all > 0, broker->now_us);
}

// --- who has to go -----------------------------------------------------------------------------

static bool lane_has_its_part(const struct schedule *schedule, uint32_t lane, uint32_t most) {
    return lane_parts[lane] > 1 && schedule->queued[lane] <= most / LANE_PART_KEPT;
}

// The newest request of a flow, or NULL where it stays.
static struct request *flow_newest(const struct broker *broker, const struct flow *flow) {
    if (flow == NULL)
        return NULL;
    struct request *request = &broker->pool.requests[flow->last];
    bool stays = request->attempt > 0 || broker->now_us - request->arrived_us > REFUSE_AGE_US;
    return stays ? NULL : request;
}

// Of the lanes from `lane` down, the lowest first.
static struct request *schedule_victim(const struct broker *broker, uint32_t schedule,
                                       uint32_t most, uint32_t lane) {
    const struct schedule *at = &broker->flows.schedules[schedule];
    for (uint32_t lower = LANE_COUNT; lower-- > lane;) {
        if (lane_has_its_part(at, lower, most))
            continue;
        struct request *request =
            flow_newest(broker, flow_longest(&broker->flows, schedule, lower));
        if (request != NULL)
            return request;
    }
    return NULL;
}

// Whether so many are more than an even part of what waits, so that the tenant is to be told.
static bool flow_is_over(const struct broker *broker, const struct flow *flow, uint32_t queued) {
    const struct schedule *schedule = &broker->flows.schedules[flow->schedule];
    uint32_t even = schedule->queued_all / (schedule->waiting + 1);
    return !flow->tenantless && queued > MAX(1U, even);
}

static void victim_refuse(struct broker *broker, struct request *request) {
    const struct flow *flow = flow_at(&broker->flows, request->flow);
    bool over = flow_is_over(broker, flow, flow->queued);
    broker->flows.schedules[flow->schedule].refused++;
    dispatch_end(broker, request, over ? STATUS_OVER_SHARE : STATUS_BUSY,
                 over ? CAUSE_OVER_SHARE : CAUSE_BUSY);
}

// --- a newcomer --------------------------------------------------------------------------------

static bool schedule_has_room(const struct broker *broker, const struct flow *flow) {
    const struct schedule *schedule = &broker->flows.schedules[flow->schedule];
    uint32_t most = schedule_most(broker, flow->schedule);
    uint32_t part = lane_parts[flow->lane];
    return most == UINT32_MAX || schedule->queued_all + schedule->in_flight < most / part ||
           (part > 1 && schedule->queued[flow->lane] < most / LANE_PART_KEPT);
}

// With as many of each tenant that waits there would be no more than the limit; so the excess is
// of others, which cannot give way any more.
static bool flow_is_modest(const struct broker *broker, const struct flow *flow) {
    const struct schedule *schedule = &broker->flows.schedules[flow->schedule];
    uint64_t even = (flow->queued + 1ULL) * (schedule->waiting + (flow->queued == 0));
    return lane_parts[flow->lane] == 1 &&
           schedule->in_flight + even <= schedule_most(broker, flow->schedule);
}

// One of a lower lane, or of a longer queue in one as high, gives way. The newcomer's own flow is
// never the one, so it stays where it is. NULL: nobody does.
static struct request *flow_victim(const struct broker *broker, const struct flow *flow,
                                   uint32_t schedule, uint32_t most) {
    uint32_t lower = MAX(flow->lane + 1U, (uint32_t)LANE_TASK);
    struct request *victim = schedule_victim(broker, schedule, most, lower);
    for (uint32_t lane = 0; victim == NULL && lane < LANE_COUNT; lane++) {
        if (lane_parts[lane] != lane_parts[flow->lane])
            continue;
        const struct flow *longest = flow_longest(&broker->flows, schedule, lane);
        if (longest != NULL && longest->rank > flow_rank(flow, flow->queued + 1))
            victim = flow_newest(broker, longest);
    }
    return victim;
}

static struct request *own_victim(const struct broker *broker, const struct flow *flow) {
    return flow_victim(broker, flow, flow->schedule, schedule_most(broker, flow->schedule));
}

// The memory is full, whosever it is: one of those who have the most of it.
static struct request *memory_victim(const struct broker *broker, const struct flow *flow) {
    const struct schedule *schedules = broker->flows.schedules;
    uint32_t fullest = 0;
    for (uint32_t i = 1; i < SCHEDULES_MAX; i++) {
        if (schedules[i].queued_all > schedules[fullest].queued_all)
            fullest = i;
    }
    return flow_victim(broker, flow, fullest, schedules[fullest].queued_all);
}

static bool request_keep(struct broker *broker, struct request *request, struct text frame) {
    return broker->pool.queued < BROKER_MESSAGES_MAX &&
           request_keep_frame(&broker->pool, request, frame.bytes, frame.length);
}

// Nobody goes in vain: the newcomer has its place before, or fits into the one that is left.
static bool request_displace(struct broker *broker, struct request *request, struct text frame,
                             struct request *victim) {
    bool kept = request_keep(broker, request, frame);
    if (!kept && victim->length < frame.length)
        return false;
    victim_refuse(broker, victim);
    return kept || request_keep(broker, request, frame);
}

enum status overload_admit(struct broker *broker, const struct flow *flow, struct request *request,
                           struct text frame) {
    uint32_t part = flow->tenantless ? TENANTLESS_QUEUE_SHARE : TENANT_QUEUE_SHARE;
    // What was lost elsewhere is bounded by its edge's credit.
    bool over = request->attempt == 0 && flow->queued >= lane_windows[flow->lane] / part;
    bool room = request->attempt > 0 || schedule_has_room(broker, flow);
    if (!over && room && request_keep(broker, request, frame))
        return STATUS_OK;
    struct request *victim = over ? NULL : own_victim(broker, flow);
    if (!over && room && victim == NULL)
        victim = memory_victim(broker, flow);
    if (victim != NULL && request_displace(broker, request, frame, victim))
        return STATUS_OK;
    if (!over && victim == NULL && !room && flow_is_modest(broker, flow) &&
        request_keep(broker, request, frame))
        return STATUS_OK;
    broker->flows.schedules[flow->schedule].refused++;
    over = (over && !flow->tenantless) || flow_is_over(broker, flow, flow->queued + 1);
    return over ? STATUS_OVER_SHARE : STATUS_BUSY;
}

// --- what was taken on trust -------------------------------------------------------------------

void overload_answered(struct broker *broker, uint32_t schedule) {
    struct schedule *at = &broker->flows.schedules[schedule];
    uint32_t most = schedule_most(broker, schedule);
    while (at->queued_all > 0 && at->queued_all + at->in_flight > most) {
        struct request *victim = schedule_victim(broker, schedule, most, 0);
        if (victim == NULL)
            return;
        victim_refuse(broker, victim);
    }
}
