// SPDX-License-Identifier: Apache-2.0
// Introspection: copies of what the core knows. Nothing here changes it.
#include "broker_state.h"

void broker_look(const struct broker *broker, struct broker_view *ret_view) {
    *ret_view = (struct broker_view){
        .name = broker->name,
        .started_us = broker->started_us,
        .draining = broker->drain_until_us != 0,
        .peers = broker->peer_count,
        .actors = (uint32_t)__builtin_popcountll(broker->actor_bits),
        .tenants = broker->flows.used,
        .queued_bytes = broker->pool.queued_bytes,
        .queue_bytes_max = broker->pool.bytes_max,
        .forwarded_per_s = broker->dispatched_per_s,
        .events = broker->events,
    };
    for (uint32_t i = 0; i < broker->peer_high; i++)
        ret_view->edges += broker->peers[i].address != 0 && peer_is_edge(&broker->peers[i]);
    memcpy(ret_view->lanes, broker->lanes, sizeof ret_view->lanes);
    memcpy(ret_view->drops, broker->drops, sizeof ret_view->drops);
    ret_view->busiest_count = busiest_look(&broker->busiest, ret_view->busiest);
}

static const char *peer_state_name(const struct peer *peer) {
    if (peer->draining)
        return "leaving";
    return peer->link.state == LINK_SUSPECT ? "suspect" : "up";
}

static void look_actor(const struct broker *broker, uint32_t slot, struct broker_peer_view *view) {
    const struct actor *actor = &broker->actors[slot];
    view->window = actor->window;
    view->credit = (int64_t)(actor->limit - actor->sent);
    view->in_flight = actor->in_flight;
    view->served = actor->served;
    for (uint32_t lane = 0; lane < LANE_COUNT; lane++)
        view->queued += broker->flows.schedules[GROUPS_MAX + slot].queued[lane];
}

static void look_edge(const struct peer *peer, struct broker_peer_view *view) {
    for (uint32_t lane = 0; lane < LANE_COUNT; lane++) {
        view->in_flight += peer->open[lane];
        view->credit += (int64_t)(peer_limit(peer, lane) - peer->received[lane]);
    }
}

bool broker_look_peer(const struct broker *broker, uint32_t index, uint64_t now_us,
                      struct broker_peer_view *ret_view) {
    uint32_t slot = 0;
    for (; slot < broker->peer_high; slot++) {
        if (broker->peers[slot].address != 0 && index-- == 0)
            break;
    }
    if (slot == broker->peer_high)
        return refusal_look(broker, index, now_us, ret_view);
    const struct peer *peer = &broker->peers[slot];
    *ret_view = (struct broker_peer_view){
        .name = peer->name,
        .role = peer->role,
        .state = peer_state_name(peer),
        .process = peer->process,
        .silent_us = now_us > peer->link.heard_us ? now_us - peer->link.heard_us : 0,
        .event_bytes =
            peer->events_sent_bytes - MIN(peer->events_acknowledged_bytes, peer->events_sent_bytes),
        .requests = peer->requests,
        .replies = peer->replies,
    };
    if (peer->actor != NO_ACTOR)
        look_actor(broker, peer->actor, ret_view);
    else if (peer_is_edge(peer))
        look_edge(peer, ret_view);
    return true;
}

// An actor that takes requests of this schedule, or NO_ACTOR: it has none, or none ever came.
static uint32_t schedule_actor(const struct broker *broker, uint32_t schedule) {
    const struct schedule *at = &broker->flows.schedules[schedule];
    bool used = at->limit.began_us > 0 || at->queued_all > 0 || at->in_flight > 0;
    for (uint64_t bits = broker->actor_bits; used && bits != 0; bits &= bits - 1) {
        uint32_t slot = (uint32_t)__builtin_ctzll(bits);
        bool takes = schedule < GROUPS_MAX ? (broker->actors[slot].groups & 1U << schedule) != 0
                                           : slot == schedule - GROUPS_MAX;
        if (takes)
            return slot;
    }
    return NO_ACTOR;
}

bool broker_look_limit(const struct broker *broker, uint32_t index,
                       struct broker_limit_view *ret_view) {
    uint32_t schedule = 0;
    for (; schedule < SCHEDULES_MAX; schedule++) {
        if (schedule_actor(broker, schedule) != NO_ACTOR && index-- == 0)
            break;
    }
    if (schedule == SCHEDULES_MAX)
        return false;
    const struct schedule *at = &broker->flows.schedules[schedule];
    const struct peer *peer = &broker->peers[broker->actors[schedule_actor(broker, schedule)].peer];
    uint32_t most = schedule_most(broker, schedule);
    *ret_view = (struct broker_limit_view){
        .number = schedule,
        .actor = peer->name,
        .role = peer->role,
        .alone = schedule >= GROUPS_MAX,
        .queued = at->queued_all,
        .in_flight = at->in_flight,
        .most = most == UINT32_MAX ? 0 : most,
        .refused = at->refused,
    };
    return true;
}

static bool look_request(const struct broker *broker, const uint64_t *session, uint64_t correlation,
                         uint64_t now_us, struct broker_request_view *ret_view) {
    for (uint32_t i = 0; i < broker->pool.high; i++) {
        const struct request *request = &broker->pool.requests[i];
        if (request->state == REQUEST_FREE || request->correlation != correlation ||
            (session != NULL && request->session != *session))
            continue;
        bool dispatched = request->state == REQUEST_DISPATCHED;
        *ret_view = (struct broker_request_view){
            .session = request->session,
            .dispatched = dispatched,
            .actor = dispatched ? broker->peers[broker->actors[request->actor].peer].name : NULL,
            .lane = flow_at(&broker->flows, request->flow)->lane,
            .attempt = request->attempt,
            .age_us = now_us - request->arrived_us,
            .left_us = (int64_t)request->deadline_us - (int64_t)now_us,
        };
        return true;
    }
    return false;
}

bool broker_look_request_of(const struct broker *broker, uint64_t session, uint64_t correlation,
                            uint64_t now_us, struct broker_request_view *ret_view) {
    return look_request(broker, &session, correlation, now_us, ret_view);
}

bool broker_look_request(const struct broker *broker, uint64_t correlation, uint64_t now_us,
                         struct broker_request_view *ret_view) {
    return look_request(broker, NULL, correlation, now_us, ret_view);
}
