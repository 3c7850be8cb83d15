// SPDX-License-Identifier: Apache-2.0
// The door of the core: what comes in is sorted by kind here, and what could not be sent is dealt
// with when the call ends.
#include "broker_state.h"

const char *const broker_cause_names[CAUSE_COUNT] = {
    [CAUSE_EXPIRED] = "expired",
    [CAUSE_UNANSWERED] = "unanswered",
    [CAUSE_ACTOR_LOST] = "actor_lost",
    [CAUSE_POISON] = "poison",
    [CAUSE_NO_ACTOR] = "no_actor",
    [CAUSE_BUSY] = "busy",
    [CAUSE_OVER_SHARE] = "over_share",
    [CAUSE_DRAINING] = "draining",
    [CAUSE_CANCELLED] = "cancelled",
    [CAUSE_EDGE_LOST] = "edge_lost",
    [CAUSE_DUPLICATE] = "duplicate",
    [CAUSE_MALFORMED] = "malformed",
    [CAUSE_STRANGER] = "stranger",
    [CAUSE_NOT_ALLOWED] = "not_allowed",
    [CAUSE_NO_RECEIVER] = "no_receiver",
    [CAUSE_EVENT_WINDOW] = "event_window",
    [CAUSE_PEERS] = "peers",
    [CAUSE_PAUSED] = "paused",
    [CAUSE_REFUSED] = "refused",
    [CAUSE_UNKNOWN] = "unknown",
};

struct broker *broker_new(const struct broker_options *options, const struct broker_port *port,
                          uint64_t now_us) {
    struct broker *broker = calloc(1, sizeof *broker);
    ASSERT(broker != NULL);
    broker->port = *port;
    size_t length = MIN(strlen(options->name), (size_t)PEER_NAME_BYTES - 1);
    memcpy(broker->name, options->name, length);
    broker->now_us = now_us;
    broker->started_us = now_us;
    broker->second_us = now_us;
    broker->next_tick_us = now_us + BROKER_TICK_US;
    broker->peers = calloc(PEERS_MAX, sizeof *broker->peers);
    ASSERT(broker->peers != NULL);
    uint32_t queue_mb = options->queue_mb == 0 ? BROKER_QUEUE_MB : options->queue_mb;
    request_pool_init(&broker->pool, (uint64_t)queue_mb << 20);
    flow_table_init(&broker->flows);
    channel_table_init(&broker->channels);
    return broker;
}

struct broker *broker_free(struct broker *broker) {
    if (broker == NULL)
        return NULL;
    request_pool_deinit(&broker->pool);
    flow_table_deinit(&broker->flows);
    free(broker->channels.channels);
    free(broker->peers);
    free(broker);
    return NULL;
}

// --- sends -------------------------------------------------------------------------------------

void peer_mark_unreachable(struct broker *broker, struct peer *peer) {
    if (peer->unreachable || peer->address == 0)
        return;
    peer->unreachable = true;
    broker->unreachable++;
    if (peer->actor != NO_ACTOR)
        actor_refresh(broker, peer->actor);
}

void peer_send(struct broker *broker, struct peer *peer, struct text frame) {
    if (peer->address == 0 || peer->unreachable)
        return;
    if (!broker->port.send(broker->port.context, peer->address, frame))
        peer_mark_unreachable(broker, peer);
}

bool peer_send_current(struct broker *broker, struct peer *peer) {
    if (peer->address == 0 || peer->unreachable)
        return false;
    if (broker->port.send_current(broker->port.context, peer->address))
        return true;
    peer_mark_unreachable(broker, peer);
    return false;
}

void peer_send_bare(struct broker *broker, struct peer *peer, uint8_t kind) {
    char frame[ENVELOPE_BYTES];
    uint32_t length = control_write_bare(kind, frame);
    peer_send(broker, peer, (struct text){frame, length});
}

void stranger_send(struct broker *broker, uint64_t address, uint8_t kind) {
    char frame[ENVELOPE_BYTES];
    uint32_t length = control_write_bare(kind, frame);
    // One that is gone already needs no answer.
    (void)broker->port.send(broker->port.context, address, (struct text){frame, length});
}

// Each removal may find further peers unreachable, or give actors the work of another.
static void broker_finish(struct broker *broker) {
    while (broker->unreachable > 0) {
        for (uint32_t i = 0; i < broker->peer_high; i++) {
            if (broker->peers[i].unreachable)
                peer_remove(broker, &broker->peers[i], PARTING_BROKEN);
        }
    }
    while (broker->moved != 0) {
        uint32_t actor = (uint32_t)__builtin_ctzll(broker->moved);
        broker->moved &= broker->moved - 1;
        dispatch_actor(broker, actor);
    }
}

// --- frames ------------------------------------------------------------------------------------

static void stranger_answer(struct broker *broker, uint64_t address, uint8_t kind) {
    broker->drops[CAUSE_STRANGER]++;
    if (kind != KIND_GOODBYE && broker->drain_until_us == 0)
        stranger_send(broker, address, KIND_REHELLO);
}

static void peer_receive_kind(struct broker *broker, struct arrival *arrival) {
    struct peer *peer = arrival->peer;
    switch (arrival->envelope.kind) {
    case KIND_REQUEST:
        dispatch_receive_request(broker, arrival);
        break;
    case KIND_REPLY:
        dispatch_receive_reply(broker, arrival);
        break;
    case KIND_CANCEL:
        dispatch_receive_cancel(broker, arrival);
        break;
    case KIND_DRAIN:
        peer_receive_drain(broker, peer);
        break;
    case KIND_EVENT:
        event_receive(broker, arrival);
        break;
    case KIND_SUBSCRIBE:
        event_subscribe(broker, arrival);
        break;
    case KIND_UNSUBSCRIBE:
        event_unsubscribe(broker, arrival);
        break;
    case KIND_HEARTBEAT:
    case KIND_CREDIT:
        break; // the link's
    default: // of a later build: a sign of life
        broker->drops[CAUSE_UNKNOWN]++;
        break;
    }
}

static void peer_receive(struct broker *broker, struct arrival *arrival) {
    struct peer *peer = arrival->peer;
    struct text body = {arrival->frame + ENVELOPE_BYTES, arrival->length - ENVELOPE_BYTES};
    struct beat beat;
    bool has_beat;
    enum link_change change =
        link_receive(&peer->link, &arrival->envelope, body, broker->now_us, &beat, &has_beat);
    if (change == LINK_LOST) { // goodbye
        peer_apply_change(broker, peer, change);
        return;
    }
    peer_note_silence(broker, peer);
    if (has_beat)
        peer_receive_beat(broker, peer, &beat);
    peer_receive_kind(broker, arrival);
    peer_apply_change(broker, peer, change); // last: now the credit it grants is known
}

// What has no header of ours: of a build that has another one, or damaged.
static void foreign_receive(struct broker *broker, uint64_t address, struct text frame) {
    uint8_t version;
    if (!envelope_is_foreign_hello(frame, &version)) {
        broker->drops[CAUSE_MALFORMED]++;
        return;
    }
    const struct hello hello = {.speaks = {version, version}};
    refusal_send(broker, address, &hello, REFUSED_VERSION);
}

void broker_receive(struct broker *broker, uint64_t address, char *frame, uint32_t length,
                    uint64_t now_us) {
    broker->now_us = now_us;
    struct arrival arrival = {.frame = frame, .length = length};
    if (!envelope_read((struct text){frame, length}, &arrival.envelope)) {
        foreign_receive(broker, address, (struct text){frame, length});
        return;
    }
    uint16_t peer = peer_map_find(&broker->by_address, address);
    uint8_t kind = arrival.envelope.kind;
    if (kind == KIND_HELLO) {
        peer_receive_hello(broker, address,
                           (struct text){frame + ENVELOPE_BYTES, length - ENVELOPE_BYTES});
    } else if (peer == NO_PEER) {
        stranger_answer(broker, address, kind);
    } else if (!role_may_send(broker->peers[peer].role, kind)) {
        broker->drops[CAUSE_NOT_ALLOWED]++;
    } else {
        arrival.peer = &broker->peers[peer];
        peer_receive(broker, &arrival);
    }
    broker_finish(broker);
}

// --- time --------------------------------------------------------------------------------------

static void broker_send_all(struct broker *broker, uint8_t kind) {
    for (uint32_t i = 0; i < broker->peer_high; i++)
        peer_send_bare(broker, &broker->peers[i], kind);
}

static void broker_finish_drain(struct broker *broker) {
    if (broker->drain_until_us == 0 || broker->drained)
        return;
    bool owes = broker->pool.used > 0 || broker->verdict_count > 0;
    if (owes && broker->now_us < broker->drain_until_us)
        return;
    broker_send_all(broker, KIND_GOODBYE);
    broker->drained = true;
}

void broker_tick(struct broker *broker, uint64_t now_us) {
    broker->now_us = now_us;
    if (now_us < broker->next_tick_us)
        return;
    broker->next_tick_us = now_us + BROKER_TICK_US;
    for (uint32_t i = 0; i < broker->peer_high; i++) {
        if (broker->peers[i].address != 0)
            peer_tick(broker, &broker->peers[i]);
    }
    recovery_sweep(broker);
    verdict_tick(broker);
    broker_finish(broker);
    broker_finish_drain(broker);
    if (now_us - broker->second_us >= 1000000) {
        uint64_t count = broker->dispatched - broker->dispatched_at_second;
        broker->dispatched_per_s = count * 1000000 / (now_us - broker->second_us);
        broker->dispatched_at_second = broker->dispatched;
        broker->second_us = now_us;
        busiest_second_passed(&broker->busiest);
    }
}

uint64_t broker_next_us(const struct broker *broker) {
    return broker->next_tick_us;
}

void broker_drain(struct broker *broker, uint64_t now_us) {
    if (broker->drain_until_us != 0)
        return;
    broker->now_us = now_us;
    broker->drain_until_us = now_us + BROKER_DRAIN_MS * 1000ULL;
    broker_send_all(broker, KIND_GOAWAY);
    recovery_hand_back(broker);
    broker_finish(broker);
}

// --- what operators revoke and pause ------------------------------------------------------------

void broker_revoke(struct broker *broker, uint64_t key, uint64_t now_us) {
    broker->now_us = now_us;
    for (uint32_t i = 0; i < broker->peer_high; i++) {
        struct peer *peer = &broker->peers[i];
        if (peer->address == 0 || peer->key != key)
            continue;
        peer_send_bare(broker, peer, KIND_GOODBYE); // it dials anew, and is not let in
        peer_remove(broker, peer, PARTING_ALIVE);
    }
    broker_finish(broker);
}

bool broker_is_paused(const struct broker *broker, uint16_t operation) {
    return operation < OPERATIONS_MAX &&
           (broker->paused[operation / 64] & 1ULL << operation % 64) != 0;
}

void broker_pause(struct broker *broker, const uint16_t *numbers, uint32_t count, uint64_t now_us) {
    broker->now_us = now_us;
    memset(broker->paused, 0, sizeof broker->paused);
    for (uint32_t i = 0; i < count; i++) {
        if (numbers[i] < OPERATIONS_MAX)
            broker->paused[numbers[i] / 64] |= 1ULL << numbers[i] % 64;
    }
    recovery_refuse_paused(broker);
    broker_finish(broker);
}

bool broker_drained(const struct broker *broker) {
    return broker->drained;
}
