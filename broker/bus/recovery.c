// SPDX-License-Identifier: Apache-2.0
// Requests whose edge or actor is gone, and those that nobody takes. These walk the whole table;
// they are rare, or look at a part at a time.
#include "broker_state.h"

void recovery_actor_lost(struct broker *broker, uint32_t actor, enum parting parting) {
    bool several = broker->actors[actor].suspects > 1;
    for (uint32_t i = 0; i < broker->pool.high && broker->actors[actor].in_flight > 0; i++) {
        struct request *request = &broker->pool.requests[i];
        if (request->state != REQUEST_DISPATCHED || request->actor != actor)
            continue;
        bool one_of_several = several && request->suspect;
        if (parting != PARTING_ALIVE && !request->unsent && !one_of_several)
            dispatch_end_suspect(broker, request, parting);
        else
            dispatch_end(broker, request, STATUS_LOST, CAUSE_ACTOR_LOST);
    }
}

void recovery_actor_doubted(struct broker *broker, uint32_t actor) {
    uint32_t left = broker->actors[actor].in_flight;
    for (uint32_t i = 0; i < broker->pool.high && left > 0; i++) {
        struct request *request = &broker->pool.requests[i];
        if (request->state != REQUEST_DISPATCHED || request->actor != actor)
            continue;
        left--;
        if (request->read_only && !request->suspect)
            dispatch_end_suspect(broker, request, PARTING_SILENT);
    }
}

static void actor_cancel(struct broker *broker, const struct request *request) {
    const struct envelope envelope = {
        .version = ENVELOPE_VERSION,
        .kind = KIND_CANCEL,
        .attempt = request->attempt,
        .session = request->session,
        .correlation = request->correlation,
    };
    char frame[ENVELOPE_BYTES];
    envelope_write(&envelope, frame);
    peer_send(broker, &broker->peers[broker->actors[request->actor].peer],
              (struct text){frame, ENVELOPE_BYTES});
}

void recovery_edge_lost(struct broker *broker, struct peer *peer) {
    uint16_t index = peer_index(broker, peer);
    verdict_edge_lost(broker, index);
    for (uint32_t i = 0; i < broker->pool.high; i++) {
        struct request *request = &broker->pool.requests[i];
        if (request->state == REQUEST_FREE || request->edge != index)
            continue;
        // A dispatched one stays until its actor answers: it counts for its tenant's order.
        peer->open[flow_at(&broker->flows, request->flow)->lane]--;
        request->edge = NO_PEER;
        if (request->state == REQUEST_DISPATCHED)
            actor_cancel(broker, request);
        else
            dispatch_end(broker, request, STATUS_LOST, CAUSE_EDGE_LOST);
    }
}

void recovery_hand_back(struct broker *broker) {
    for (uint32_t i = 0; i < broker->pool.high; i++) {
        struct request *request = &broker->pool.requests[i];
        if (request->state == REQUEST_QUEUED)
            dispatch_end(broker, request, STATUS_UNAVAILABLE, CAUSE_DRAINING);
    }
}

void recovery_refuse_paused(struct broker *broker) {
    for (uint32_t i = 0; i < broker->pool.high; i++) {
        struct request *request = &broker->pool.requests[i];
        if (request->state == REQUEST_QUEUED && broker_is_paused(broker, request->operation))
            dispatch_end(broker, request, STATUS_BUSY, CAUSE_PAUSED);
    }
}

static void request_regroup(struct broker *broker, struct request *request, uint8_t group) {
    struct flow *from = flow_at(&broker->flows, request->flow);
    struct flow *to =
        flow_obtain(&broker->flows, from->tenant, from->lane, group, from->tenantless);
    if (to == NULL) {
        dispatch_end(broker, request, STATUS_BUSY, CAUSE_BUSY);
        return;
    }
    if (to->queued == 0 && to->in_flight == 0)
        to->owned = from->owned;
    if (to->queued == 0)
        flow_settle_owner(broker, to, request->operation);
    flow_pull(&broker->flows, &broker->pool, from, request);
    request->flow = flow_index(&broker->flows, to);
    flow_push(&broker->flows, &broker->pool, to, request);
    flow_release_if_idle(&broker->flows, from);
}

// In the order in which they wait. The flow may be gone when its last request is.
static void flow_regroup(struct broker *broker, const struct flow *flow) {
    for (uint32_t index = flow->first; index != NO_INDEX;) {
        struct request *request = &broker->pool.requests[index];
        index = request->next;
        uint8_t group = broker->operation_group[request->operation];
        if (group != GROUP_UNKNOWN)
            request_regroup(broker, request, group);
    }
}

void recovery_regroup(struct broker *broker) {
    for (uint32_t i = 0; i < broker->pool.high; i++) {
        const struct request *request = &broker->pool.requests[i];
        if (request->state != REQUEST_QUEUED)
            continue;
        const struct flow *flow = flow_at(&broker->flows, request->flow);
        if (flow->group == GROUP_UNKNOWN && flow->first == i)
            flow_regroup(broker, flow);
    }
}

bool recovery_is_deserted(const struct broker *broker, uint16_t operation) {
    uint64_t since_us = MAX(broker->deserted_us[operation], broker->started_us);
    return broker->operation_actors[operation] == 0 &&
           broker->now_us >= since_us + BROKER_NOBODY_MS * 1000ULL;
}

static void request_look_after(struct broker *broker, struct request *request) {
    uint64_t now_us = broker->now_us;
    if (request->state == REQUEST_DISPATCHED) {
        if (now_us >= request->deadline_us + UNANSWERED_GRACE_US)
            dispatch_end(broker, request, STATUS_EXPIRED, CAUSE_UNANSWERED);
    } else if (request->state == REQUEST_QUEUED) {
        if (now_us >= request->deadline_us)
            dispatch_end(broker, request, STATUS_EXPIRED, CAUSE_EXPIRED);
        else if (recovery_is_deserted(broker, request->operation))
            dispatch_end(broker, request, STATUS_UNAVAILABLE, CAUSE_NO_ACTOR);
    }
}

void recovery_sweep(struct broker *broker) {
    uint32_t count = MIN(broker->pool.high, (uint32_t)SWEEP_PER_TICK);
    if (broker->pool.used == 0)
        return;
    for (uint32_t i = 0; i < count; i++) {
        broker->sweep = broker->sweep + 1 < broker->pool.high ? broker->sweep + 1 : 0;
        request_look_after(broker, &broker->pool.requests[broker->sweep]);
    }
}
