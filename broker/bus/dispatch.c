// SPDX-License-Identifier: Apache-2.0
// The life of a request in a broker. One that finds an actor with credit and nobody before it
// leaves as the very frame that came; any other is copied into the slab and served in its flow's
// turn.
#include "broker_state.h"

// --- ends --------------------------------------------------------------------------------------

// An answer of the broker's own to the edge. lost: NULL, or it is told which actor.
static void edge_answer(struct broker *broker, struct peer *edge, const struct envelope *request,
                        enum status status, const struct lost_actor *lost) {
    struct envelope envelope = {
        .version = ENVELOPE_VERSION,
        .kind = KIND_REPLY,
        .operation = (uint16_t)status,
        .lane = request->lane,
        .attempt = request->attempt,
        .budget_us = RETRY_AFTER_S * 1000000U,
        .tenant = request->tenant,
        .session = request->session,
        .correlation = request->correlation,
    };
    struct reply_block block = {.flags = REPLY_BROKERS_OWN};
    struct text name = TEXT("");
    if (lost != NULL) {
        block.flags |= REPLY_ACTOR_LOST | (lost->hung ? REPLY_ACTOR_HUNG : 0U);
        block.version = lost->instance;
        name = (struct text){lost->name, (uint32_t)strnlen(lost->name, sizeof lost->name)};
    }
    char frame[REPLY_HEAD_BYTES + PEER_NAME_BYTES];
    reply_head_write(&envelope, &block, name.length, frame);
    memcpy(frame + REPLY_HEAD_BYTES, name.bytes, name.length);
    // One of a later build gets no credit.
    envelope_set_credit(frame, request->lane < LANE_COUNT ? peer_limit(edge, request->lane) : 0);
    edge->replies++;
    peer_send(broker, edge, (struct text){frame, REPLY_HEAD_BYTES + name.length});
}

uint64_t dispatch_barred(const struct broker *broker, const struct request *request) {
    if (!request->suspect)
        return 0;
    return broker->overdue | (request->grouped ? broker->closed : broker->suspected);
}

static void suspect_enter(struct broker *broker, const struct request *request) {
    struct actor *actor = &broker->actors[request->actor];
    uint64_t bit = 1ULL << request->actor;
    actor->suspects++;
    broker->suspected |= bit;
    broker->closed |= !request->grouped || actor->suspects == SUSPECTS_MAX ? bit : 0;
}

static void suspect_leave(struct broker *broker, const struct request *request) {
    struct actor *actor = &broker->actors[request->actor];
    uint64_t bit = 1ULL << request->actor;
    actor->suspects--;
    broker->closed &= ~bit;
    broker->suspected &= actor->suspects == 0 ? ~bit : UINT64_MAX;
    broker->moved |= bit; // the next one has waited for that
}

// A suspect leaves its queue: whoever could not take it may be able to take what waited behind it.
static void suspect_uncovers(struct broker *broker, const struct request *request) {
    broker->moved |= request->suspect ? broker->credited : 0;
}

// Takes a request out of all tables. Its edge, if still there, is owed an answer by the caller.
static void request_close(struct broker *broker, struct request *request) {
    struct flow *flow = flow_at(&broker->flows, request->flow);
    struct broker_lane_view *lane = &broker->lanes[flow->lane];
    if (request->edge != NO_PEER)
        broker->peers[request->edge].open[flow->lane]--;
    if (request->state == REQUEST_QUEUED) {
        broker->pool.queued--;
        lane->queued--;
        flow_pull(&broker->flows, &broker->pool, flow, request);
        request_drop_frame(&broker->pool, request);
        suspect_uncovers(broker, request);
    } else {
        broker->pool.dispatched--;
        lane->in_flight--;
        broker->actors[request->actor].in_flight--;
        broker->flows.schedules[flow->schedule].in_flight--;
        flow->in_flight--;
        if (request->suspect)
            suspect_leave(broker, request);
        if (flow->list == FLOW_CAPPED && flow->in_flight < flow_share(broker, flow))
            flow_list(&broker->flows, flow, FLOW_OLD);
        // The last command in hand frees its tenant to move on, if its owner leaves.
        if (flow->owned && flow->in_flight == 0 && flow->queued > 0 &&
            (broker->available & 1ULL << flow->owner) == 0) {
            flow_settle_owner(broker, flow, broker->pool.requests[flow->first].operation);
            broker->moved |= flow->owner == NO_ACTOR ? 0 : 1ULL << flow->owner;
        }
    }
    request_give(&broker->pool, request);
    flow_release_if_idle(&broker->flows, flow);
}

static struct envelope request_envelope(const struct broker *broker,
                                        const struct request *request) {
    return (struct envelope){
        .lane = flow_at(&broker->flows, request->flow)->lane,
        .attempt = request->attempt,
        .session = request->session,
        .correlation = request->correlation,
    };
}

void dispatch_end(struct broker *broker, struct request *request, enum status status,
                  enum broker_cause cause) {
    const struct envelope envelope = request_envelope(broker, request);
    uint16_t edge = request->edge;
    broker->drops[cause]++;
    request_close(broker, request);
    if (edge != NO_PEER)
        edge_answer(broker, &broker->peers[edge], &envelope, status, NULL);
}

void dispatch_answer_lost(struct broker *broker, uint16_t edge, const struct envelope *envelope,
                          const struct lost_actor *actor) {
    edge_answer(broker, &broker->peers[edge], envelope, STATUS_LOST, actor);
}

void dispatch_end_suspect(struct broker *broker, struct request *request, enum parting parting) {
    const struct envelope envelope = request_envelope(broker, request);
    const struct request ended = *request;
    const struct peer *peer = &broker->peers[broker->actors[request->actor].peer];
    struct lost_actor actor = {
        .instance = peer->session,
        .hung = parting == PARTING_SILENT || peer->link.state == LINK_SUSPECT,
    };
    memcpy(actor.name, peer->name, sizeof actor.name);
    request_close(broker, request);
    if (ended.suspect && ended.edge != NO_PEER && parting == PARTING_BROKEN) {
        verdict_await(broker, ended.edge, &envelope, &actor);
        return;
    }
    broker->drops[ended.suspect ? CAUSE_POISON : CAUSE_ACTOR_LOST]++;
    if (ended.edge != NO_PEER)
        dispatch_answer_lost(broker, ended.edge, &envelope, &actor);
}

// --- to an actor -------------------------------------------------------------------------------

static void actor_charge(struct broker *broker, struct request *request, uint32_t slot) {
    struct actor *actor = &broker->actors[slot];
    struct flow *flow = flow_at(&broker->flows, request->flow);
    request->state = REQUEST_DISPATCHED;
    request->actor = (uint8_t)slot;
    if (request->suspect)
        suspect_enter(broker, request);
    request->frame = (uint32_t)MIN(broker->now_us - request->arrived_us, UINT32_MAX);
    flow->in_flight++;
    broker->flows.schedules[flow->schedule].in_flight++;
    actor->sent++;
    actor->in_flight++;
    if (actor->sent >= actor->limit)
        broker->credited &= ~(1ULL << slot);
    broker->peers[actor->peer].requests++;
    broker->pool.dispatched++;
    broker->dispatched++;
    struct broker_lane_view *lane = &broker->lanes[flow->lane];
    lane->in_flight++;
    lane->dispatched++;
    lane->queue_us += request->frame;
}

static void request_send_queued(struct broker *broker, struct request *request, uint32_t slot) {
    struct flow *flow = flow_at(&broker->flows, request->flow);
    char *frame = request_frame(&broker->pool, request);
    struct text bytes = {frame, request->length};
    envelope_set_budget(frame, (uint32_t)(request->deadline_us - broker->now_us));
    struct peer *actor = &broker->peers[broker->actors[slot].peer];
    peer_send(broker, actor, bytes);
    request->unsent = actor->unreachable;
    request_drop_frame(&broker->pool, request);
    broker->pool.queued--;
    broker->lanes[flow->lane].queued--;
    actor_charge(broker, request, slot);
    flow_pull(&broker->flows, &broker->pool, flow, request);
    suspect_uncovers(broker, request);
}

// Of the lists of flows, the last that this actor may be served from.
static enum flow_list actor_last_list(const struct broker *broker, uint32_t slot) {
    uint64_t bit = 1ULL << slot;
    if (((broker->closed | broker->overdue) & bit) != 0)
        return FLOW_CAPPED;
    return (broker->suspected & bit) != 0 ? FLOW_GROUPED : FLOW_SUSPECT;
}

// The next request of a lane of a schedule that this actor can take, or NULL.
static struct request *schedule_next(struct broker *broker, uint32_t schedule, uint32_t lane,
                                     uint32_t slot) {
    uint32_t skips = 0;
    struct flow *flow;
    enum flow_list last = actor_last_list(broker, slot);
    while ((flow = flow_first(&broker->flows, schedule, lane, last)) != NULL) {
        if (flow->queued == 0) {
            flow_list(&broker->flows, flow, FLOW_OUT);
            flow_release_if_idle(&broker->flows, flow);
            continue;
        }
        struct request *request = &broker->pool.requests[flow->first];
        if (request->deadline_us <= broker->now_us) {
            dispatch_end(broker, request, STATUS_EXPIRED, CAUSE_EXPIRED);
            continue;
        }
        bool able = (broker->operation_actors[request->operation] & 1ULL << slot) != 0 &&
                    (!flow->owned || flow->owner == slot);
        if (!able) {
            if (++skips > FLOW_SKIPS_MAX)
                return NULL;
            flow_list(&broker->flows, flow, flow->list == FLOW_NEW ? FLOW_OLD : flow->list);
            continue;
        }
        if (flow->list > FLOW_CAPPED)
            return request;
        if (flow->list != FLOW_CAPPED && flow->in_flight >= flow_share(broker, flow)) {
            flow_list(&broker->flows, flow, FLOW_CAPPED);
            continue;
        }
        if (flow_charge(&broker->flows, flow))
            return request;
    }
    return NULL;
}

// Where an actor's next request of a lane comes from: the commands it owns and what nobody owns of
// its groups take turns.
static struct request *actor_next_of_lane(struct broker *broker, uint32_t slot, uint32_t lane) {
    struct actor *actor = &broker->actors[slot];
    uint32_t first = actor->turn++;
    for (uint32_t i = 0; i <= GROUPS_MAX; i++) {
        uint32_t group = (first + i) % (GROUPS_MAX + 1);
        bool own = group == GROUPS_MAX;
        if (!own && (actor->groups & 1U << group) == 0)
            continue;
        uint32_t schedule = own ? GROUPS_MAX + slot : group;
        if (!flow_waits(&broker->flows, schedule, lane))
            continue;
        struct request *request = schedule_next(broker, schedule, lane, slot);
        if (request != NULL)
            return request;
    }
    return NULL;
}

static uint32_t actor_waiting_lanes(const struct broker *broker, uint32_t slot) {
    uint32_t lanes = 0;
    for (uint32_t lane = 0; lane < LANE_COUNT; lane++) {
        bool waits = flow_waits(&broker->flows, GROUPS_MAX + slot, lane);
        for (uint32_t groups = broker->actors[slot].groups; groups != 0; groups &= groups - 1)
            waits |= flow_waits(&broker->flows, (uint32_t)__builtin_ctz(groups), lane);
        lanes |= waits ? 1U << lane : 0;
    }
    return lanes;
}

// Strict priority, but a lane that was passed over LANE_FLOOR times is served.
static uint32_t actor_choose_lane(const struct actor *actor, uint32_t lanes) {
    uint32_t lane = (uint32_t)__builtin_ctz(lanes);
    for (uint32_t lower = lane + 1; lower < LANE_COUNT; lower++) {
        if ((lanes & 1U << lower) != 0 && actor->passed_over[lower] + 1 >= LANE_FLOOR)
            return lower;
    }
    return lane;
}

static void actor_count_lane(struct actor *actor, uint32_t lanes, uint32_t served) {
    for (uint32_t lane = 0; lane < LANE_COUNT; lane++)
        actor->passed_over[lane] =
            lane != served && (lanes & 1U << lane) != 0 ? actor->passed_over[lane] + 1 : 0;
}

void dispatch_actor(struct broker *broker, uint32_t slot) {
    struct actor *actor = &broker->actors[slot];
    uint64_t bit = 1ULL << slot;
    uint32_t lanes = UINT32_MAX;
    while (broker->pool.queued > 0 && (broker->credited & bit) != 0 &&
           broker->pool.dispatched < BROKER_IN_FLIGHT_MAX) {
        lanes &= actor_waiting_lanes(broker, slot);
        if (lanes == 0)
            return;
        uint32_t lane = actor_choose_lane(actor, lanes);
        struct request *request = actor_next_of_lane(broker, slot, lane);
        if (request == NULL) { // all that waits there is for others
            lanes &= ~(1U << lane);
            continue;
        }
        actor_count_lane(actor, lanes, lane);
        request_send_queued(broker, request, slot);
    }
}

void dispatch_all(struct broker *broker) {
    for (uint64_t bits = broker->credited; bits != 0; bits &= bits - 1)
        dispatch_actor(broker, (uint32_t)__builtin_ctzll(bits));
}

// --- requests ----------------------------------------------------------------------------------

static void request_refuse(struct broker *broker, const struct arrival *arrival, enum status status,
                           enum broker_cause cause) {
    broker->drops[cause]++;
    edge_answer(broker, arrival->peer, &arrival->envelope, status, NULL);
}

// The least loaded of these actors; ties go round.
static uint32_t actor_least_loaded(struct broker *broker, uint64_t bits) {
    uint32_t best_load = UINT32_MAX;
    uint32_t best = NO_ACTOR;
    uint32_t shift = broker->spread++ % ACTORS_MAX;
    uint64_t turned = shift == 0 ? bits : bits >> shift | bits << (64 - shift);
    for (; turned != 0; turned &= turned - 1) {
        uint32_t slot = ((uint32_t)__builtin_ctzll(turned) + shift) % ACTORS_MAX;
        uint32_t load = broker->actors[slot].in_flight * broker->actors[slot].load_scale;
        if (load < best_load) {
            best_load = load;
            best = slot;
        }
    }
    return best;
}

// The actor that gets a request at once, or NO_ACTOR: it must wait.
static uint32_t actor_for_arrival(struct broker *broker, const struct flow *flow,
                                  const struct request *request) {
    uint64_t able = broker->operation_actors[request->operation] & broker->credited &
                    ~dispatch_barred(broker, request);
    if (flow->queued > 0 || broker->pool.dispatched >= BROKER_IN_FLIGHT_MAX)
        return NO_ACTOR;
    if (!flow->owned)
        return able == 0 ? NO_ACTOR : actor_least_loaded(broker, able);
    if (flow->owner == NO_ACTOR || (able & 1ULL << flow->owner) == 0 ||
        flow_waits_uncapped(&broker->flows, GROUPS_MAX + flow->owner))
        return NO_ACTOR;
    return flow->owner;
}

static bool request_enqueue(struct broker *broker, const struct arrival *arrival,
                            struct request *request, struct flow *flow) {
    enum status status =
        overload_admit(broker, flow, request, (struct text){arrival->frame, arrival->length});
    if (status != STATUS_OK) {
        request_give(&broker->pool, request);
        flow_release_if_idle(&broker->flows, flow);
        request_refuse(broker, arrival, status,
                       status == STATUS_OVER_SHARE ? CAUSE_OVER_SHARE : CAUSE_BUSY);
        return false;
    }
    request->state = REQUEST_QUEUED;
    broker->pool.queued++;
    broker->lanes[flow->lane].queued++;
    flow_push(&broker->flows, &broker->pool, flow, request);
    return true;
}

static struct flow *arrival_flow(struct broker *broker, const struct envelope *envelope) {
    uint64_t tenant[2];
    memcpy(tenant, envelope->tenant.bytes, sizeof tenant);
    bool tenantless = tenant[0] == 0 && tenant[1] == 0;
    if (tenantless) { // they have no order to keep: suspects are passed by
        tenant[0] = (envelope->flags & FLAG_SUSPECT) != 0;
        tenant[1] = envelope->session;
    }
    uint8_t group = broker->operation_group[envelope->operation];
    struct flow *flow = flow_obtain(&broker->flows, tenant, envelope->lane, group, tenantless);
    if (flow == NULL)
        return NULL;
    if (flow->queued == 0 && flow->in_flight == 0)
        flow->owned = !tenantless && (envelope->flags & FLAG_READ_ONLY) == 0;
    if (flow->queued == 0)
        flow_settle_owner(broker, flow, envelope->operation);
    return flow;
}

// Refuses what cannot be accepted; false then.
static bool arrival_check(struct broker *broker, struct arrival *arrival) {
    const struct envelope *envelope = &arrival->envelope;
    if (broker->drain_until_us != 0) {
        request_refuse(broker, arrival, STATUS_UNAVAILABLE, CAUSE_DRAINING);
        return false;
    }
    if (broker_is_paused(broker, envelope->operation)) {
        request_refuse(broker, arrival, STATUS_BUSY, CAUSE_PAUSED);
        return false;
    }
    if (recovery_is_deserted(broker, envelope->operation)) {
        request_refuse(broker, arrival, STATUS_UNAVAILABLE, CAUSE_NO_ACTOR);
        return false;
    }
    uint64_t age_us = link_age_us(&arrival->peer->link);
    if (envelope->budget_us <= age_us) {
        // One so old may have been sent again by its edge, which knows better what time is left.
        bool resent = age_us >= GONE_MS * 1000ULL;
        request_refuse(broker, arrival, resent ? STATUS_UNAVAILABLE : STATUS_EXPIRED,
                       CAUSE_EXPIRED);
        return false;
    }
    if (request_find(&broker->pool, envelope->session, envelope->correlation, envelope->attempt) !=
        NULL) {
        broker->drops[CAUSE_DUPLICATE]++; // the first of the two will be answered
        return false;
    }
    return true;
}

void dispatch_receive_request(struct broker *broker, struct arrival *arrival) {
    const struct envelope *envelope = &arrival->envelope;
    struct peer *peer = arrival->peer;
    if (!peer_is_edge(peer) || envelope->session != peer->session) {
        broker->drops[CAUSE_NOT_ALLOWED]++;
        return;
    }
    if (envelope->lane >= LANE_COUNT || envelope->operation >= OPERATIONS_MAX) {
        request_refuse(broker, arrival, STATUS_UNAVAILABLE, CAUSE_UNKNOWN);
        return;
    }
    peer->received[envelope->lane]++;
    peer->requests++;
    if (!arrival_check(broker, arrival))
        return;
    struct flow *flow = arrival_flow(broker, envelope);
    struct request *request = flow == NULL ? NULL
                                           : request_take(&broker->pool, envelope->session,
                                                          envelope->correlation, envelope->attempt);
    if (request == NULL) {
        if (flow != NULL)
            flow_release_if_idle(&broker->flows, flow);
        request_refuse(broker, arrival, STATUS_BUSY, CAUSE_BUSY);
        return;
    }
    uint64_t age_us = link_age_us(&peer->link);
    request->deadline_us = broker->now_us + envelope->budget_us - age_us;
    request->arrived_us = broker->now_us;
    request->flow = flow_index(&broker->flows, flow);
    request->operation = envelope->operation;
    request->edge = peer_index(broker, peer);
    request->read_only = (envelope->flags & FLAG_READ_ONLY) != 0;
    request->suspect = (envelope->flags & FLAG_SUSPECT) != 0;
    request->grouped = request->suspect && (envelope->flags & FLAG_GROUPED) != 0;
    overload_arrive(broker, flow, envelope->attempt);
    uint32_t actor = actor_for_arrival(broker, flow, request);
    if (actor == NO_ACTOR && !request_enqueue(broker, arrival, request, flow))
        return;
    peer->open[envelope->lane]++;
    broker->lanes[envelope->lane].accepted++;
    if (!flow->tenantless)
        busiest_add(&broker->busiest, envelope->tenant);
    if (actor != NO_ACTOR) {
        if (age_us > 0)
            envelope_set_budget(arrival->frame, (uint32_t)(envelope->budget_us - age_us));
        actor_charge(broker, request, actor);
        request->unsent = !peer_send_current(broker, &broker->peers[broker->actors[actor].peer]);
        return;
    }
    // It waits behind others of its kind, yet somebody may be able to take one of them.
    uint64_t able = broker->operation_actors[envelope->operation] & broker->credited;
    if (flow->owned)
        able &= flow->owner == NO_ACTOR ? 0 : 1ULL << flow->owner;
    if (able != 0)
        dispatch_actor(broker, actor_least_loaded(broker, able));
}

// --- replies, cancels --------------------------------------------------------------------------

void dispatch_receive_reply(struct broker *broker, struct arrival *arrival) {
    const struct envelope *envelope = &arrival->envelope;
    struct peer *peer = arrival->peer;
    if (peer->actor == NO_ACTOR || envelope->lane >= LANE_COUNT) {
        broker->drops[CAUSE_NOT_ALLOWED]++;
        return;
    }
    uint32_t slot = peer->actor;
    struct request *request =
        request_find(&broker->pool, envelope->session, envelope->correlation, envelope->attempt);
    if (request != NULL && request->actor != slot) { // another has it in hand, or nobody yet
        broker->drops[CAUSE_NOT_ALLOWED]++;
        return;
    }
    broker->actors[slot].limit = envelope_credit(envelope);
    peer->replies++;
    uint16_t edge = NO_PEER;
    uint32_t measured = SCHEDULES_MAX; // the schedule of which a period ended
    if (request != NULL) {
        reply_set_queue(arrival->frame, arrival->length, request->frame);
        edge = request->edge;
        struct broker_lane_view *lane = &broker->lanes[envelope->lane];
        lane->answered++;
        histogram_add(&lane->took, broker->now_us - request->arrived_us);
        uint32_t schedule = flow_at(&broker->flows, request->flow)->schedule;
        if (!status_is_refusal((enum status)envelope->operation) &&
            limit_answer(&broker->flows.schedules[schedule].limit, broker->now_us))
            measured = schedule;
        request_close(broker, request);
    }
    // Of a broker that is gone, or of a request already given up: its edge may still wait.
    if (edge == NO_PEER)
        edge = peer_map_find(&broker->by_session, envelope->session);
    if (edge == NO_PEER) {
        broker->drops[CAUSE_NO_RECEIVER]++;
    } else {
        struct peer *receiver = &broker->peers[edge];
        envelope_set_credit(arrival->frame, peer_limit(receiver, envelope->lane));
        receiver->replies++;
        (void)peer_send_current(broker, receiver);
    }
    actor_refresh(broker, slot);
    dispatch_actor(broker, slot);
    if (measured != SCHEDULES_MAX)
        overload_answered(broker, measured);
}

void dispatch_receive_cancel(struct broker *broker, struct arrival *arrival) {
    const struct envelope *envelope = &arrival->envelope;
    struct request *request =
        request_find(&broker->pool, envelope->session, envelope->correlation, envelope->attempt);
    if (request == NULL || request->edge != peer_index(broker, arrival->peer))
        return;
    if (request->state == REQUEST_QUEUED)
        dispatch_end(broker, request, STATUS_EXPIRED, CAUSE_CANCELLED);
    else
        (void)peer_send_current(broker, &broker->peers[broker->actors[request->actor].peer]);
}
