// SPDX-License-Identifier: Apache-2.0
// Who is connected, what each serves and what each may send. An actor is a peer that announced
// operations; everything that may change who gets work ends with ownership_review.
#include "broker_state.h"

uint16_t peer_index(const struct broker *broker, const struct peer *peer) {
    return (uint16_t)(peer - broker->peers);
}

bool peer_is_edge(const struct peer *peer) {
    return peer->role == ROLE_EDGE || peer->role == ROLE_BRIDGE;
}

uint64_t peer_limit(const struct peer *peer, uint32_t lane) {
    static const uint32_t windows[LANE_COUNT] = {EDGE_WINDOW_INTERACTIVE, EDGE_WINDOW_COMMAND,
                                                 EDGE_WINDOW_TASK, EDGE_WINDOW_BULK};
    return peer->received[lane] + windows[lane] - peer->open[lane];
}

static void peer_send_beat(struct broker *broker, struct peer *peer, uint8_t kind) {
    struct beat beat = {
        .event_bytes = peer->events_sent_bytes, .served = broker->served, .roles = broker->roles};
    link_stamp_beat(&peer->link, &beat, broker->now_us);
    beat.nonce = peer->nonce;
    if (peer_is_edge(peer)) {
        for (uint32_t lane = 0; lane < LANE_COUNT; lane++)
            beat.limit[lane] = peer_limit(peer, lane);
    }
    if (peer->actor != NO_ACTOR)
        beat.sent[0] = broker->actors[peer->actor].sent;
    char frame[CONTROL_BYTES_MAX];
    uint32_t length = control_write_beat(kind, &beat, frame);
    peer_send(broker, peer, (struct text){frame, length});
}

// --- operations --------------------------------------------------------------------------------

static void operations_recount(struct broker *broker) {
    broker->served = 0;
    for (uint32_t i = 0; i < OPERATIONS_MAX; i++)
        broker->served += broker->operation_actors[i] != 0;
    broker->roles = 0;
    memset(broker->group_window, 0, sizeof broker->group_window);
    for (uint64_t bits = broker->actor_bits; bits != 0; bits &= bits - 1) {
        const struct actor *actor = &broker->actors[__builtin_ctzll(bits)];
        broker->roles |= 1ULL << broker->peers[actor->peer].role;
        for (uint32_t groups = actor->groups; groups != 0; groups &= groups - 1)
            broker->group_window[__builtin_ctz(groups)] += actor->window;
    }
}

// The group of actors that announce exactly these operations. When there are too many different
// ones the last is shared: then some requests are passed over now and then.
static uint8_t group_of(struct broker *broker, const struct hello *hello) {
    uint64_t signature = 1;
    for (uint32_t i = 0; i < hello->operation_count; i++)
        signature += number_mix(hello->operations[i] + 1U); // in any order
    for (uint32_t group = 1; group <= broker->group_count; group++) {
        if (broker->group_signature[group] == signature)
            return (uint8_t)group;
    }
    if (broker->group_count < GROUPS_MAX - 1)
        broker->group_count++;
    broker->group_signature[broker->group_count] = signature;
    return (uint8_t)broker->group_count;
}

static void actor_add(struct broker *broker, struct peer *peer, uint32_t slot,
                      const struct hello *hello) {
    uint64_t bit = 1ULL << slot;
    uint8_t group = group_of(broker, hello);
    struct actor *actor = &broker->actors[slot];
    *actor = (struct actor){
        .peer = peer_index(broker, peer),
        .window = MAX(hello->window, 1U),
        .load_scale = 65536U / MAX(hello->window, 1U),
        .limit = hello->credit,
    };
    for (uint32_t i = 0; i < hello->operation_count; i++) {
        uint32_t operation = hello->operations[i];
        if (operation >= OPERATIONS_MAX)
            continue;
        if (broker->operation_group[operation] == GROUP_UNKNOWN)
            broker->operation_group[operation] = group;
        actor->served += (broker->operation_actors[operation] & bit) == 0;
        broker->operation_actors[operation] |= bit;
        actor->groups |= (uint16_t)(1U << broker->operation_group[operation]);
    }
    broker->actor_bits |= bit;
    broker->flows.schedules[GROUPS_MAX + slot].refused = 0;
    broker->flows.schedules[GROUPS_MAX + slot].limit = (struct limit){0};
    peer->actor = (uint8_t)slot;
    broker->overdue &= ~bit;
    operations_recount(broker);
    actor_refresh(broker, slot);
}

static void actor_remove(struct broker *broker, struct peer *peer, enum parting parting) {
    uint32_t slot = peer->actor;
    uint64_t bit = 1ULL << slot;
    broker->actor_bits &= ~bit;
    actor_refresh(broker, slot);
    for (uint32_t i = 0; i < OPERATIONS_MAX; i++) {
        if (broker->operation_actors[i] == bit)
            broker->deserted_us[i] = broker->now_us;
        broker->operation_actors[i] &= ~bit;
    }
    operations_recount(broker);
    recovery_actor_lost(broker, slot, parting);
    ASSERT(broker->actors[slot].in_flight == 0);
    ownership_review(broker);
    broker->moved &= ~bit;
    peer->actor = NO_ACTOR;
}

// --- coming and going --------------------------------------------------------------------------

void peer_remove(struct broker *broker, struct peer *peer, enum parting parting) {
    if (peer->unreachable)
        broker->unreachable--;
    // From here on nothing is sent to it any more.
    peer_map_remove(&broker->by_address, peer->address);
    peer_map_remove(&broker->by_session, peer->session);
    broker->departed[broker->departures++ % PEERS_MAX] =
        (struct greeting){peer->session, peer->nonce};
    peer->address = 0;
    peer->unreachable = false;
    broker->peer_count--;
    recovery_edge_lost(broker, peer);
    event_forget_peer(broker, peer);
    if (peer->actor != NO_ACTOR)
        actor_remove(broker, peer, parting);
}

static bool hello_is_known(const struct broker *broker, const struct hello *hello) {
    for (uint32_t i = 0; i < MIN(broker->departures, (uint32_t)PEERS_MAX); i++) {
        if (broker->departed[i].session == hello->instance &&
            broker->departed[i].nonce == hello->nonce)
            return true;
    }
    return false;
}

static struct peer *peer_slot(struct broker *broker) {
    for (uint32_t i = 0; i < PEERS_MAX; i++) {
        if (broker->peers[i].address == 0) {
            broker->peer_high = MAX(broker->peer_high, i + 1);
            return &broker->peers[i];
        }
    }
    return NULL;
}

static void peer_add(struct broker *broker, uint64_t address, const struct hello *hello,
                     uint64_t key) {
    struct peer *peer = peer_slot(broker);
    bool serves = hello->operation_count > 0;
    uint32_t slot =
        ~broker->actor_bits == 0 ? NO_ACTOR : (uint32_t)__builtin_ctzll(~broker->actor_bits);
    if (peer == NULL || (serves && slot == NO_ACTOR)) {
        broker->drops[CAUSE_PEERS]++;
        return;
    }
    *peer = (struct peer){
        .address = address,
        .session = hello->instance,
        .nonce = hello->nonce,
        .process = hello->process,
        .key = key,
        .role = hello->role,
        .actor = NO_ACTOR,
    };
    memcpy(peer->name, hello->name, sizeof peer->name);
    link_init(&peer->link, broker->now_us);
    link_accept(&peer->link, broker->now_us);
    peer_map_put(&broker->by_address, address, peer_index(broker, peer));
    peer_map_put(&broker->by_session, peer->session, peer_index(broker, peer));
    broker->peer_count++;
    if (serves)
        actor_add(broker, peer, slot, hello);
    peer_send_beat(broker, peer, KIND_WELCOME);
    if (!serves)
        return;
    recovery_regroup(broker);
    ownership_review(broker);
}

// Whoever serves gets other people's requests, and whoever takes over a session gets its answers.
static bool hello_is_allowed(const struct broker *broker, const struct hello *hello,
                             struct broker_proof *ret_proof) {
    const struct broker_port *port = &broker->port;
    uint16_t former = peer_map_find(&broker->by_session, hello->instance);
    bool is_proved = port->prove == NULL ||
                     (port->prove(port->context, ret_proof) && ret_proof->role == hello->role);
    return is_proved && (hello->operation_count == 0 || role_may_serve(hello->role)) &&
           (former == NO_PEER || broker->peers[former].role == hello->role);
}

void peer_receive_hello(struct broker *broker, uint64_t address, struct text body) {
    struct hello hello;
    struct broker_proof proof = {0};
    if (!control_read_hello(body, &hello)) {
        broker->drops[CAUSE_MALFORMED]++;
        return;
    }
    if (!wire_meets(hello.speaks)) {
        refusal_send(broker, address, &hello, REFUSED_VERSION);
        return;
    }
    if (hello.role >= ROLE_COUNT) {
        refusal_send(broker, address, &hello, REFUSED_ROLE);
        return;
    }
    if (!hello_is_allowed(broker, &hello, &proof)) {
        refusal_send(broker, address, &hello, REFUSED_KEY);
        return;
    }
    if (broker->drain_until_us != 0)
        return;
    uint16_t same = peer_map_find(&broker->by_address, address);
    if (same != NO_PEER) {
        struct peer *peer = &broker->peers[same];
        if (peer->session == hello.instance && peer->nonce == hello.nonce) {
            peer_send_beat(broker, peer, KIND_WELCOME); // repeated before the first one arrived
            return;
        }
        peer_remove(broker, peer, PARTING_ALIVE);
    }
    uint16_t former = peer_map_find(&broker->by_session, hello.instance);
    if (former != NO_PEER) // it came back on a new connection before the old one was missed
        peer_remove(broker, &broker->peers[former], PARTING_ALIVE);
    if (hello_is_known(broker, &hello)) {
        stranger_send(broker, address, KIND_GOODBYE);
        return;
    }
    verdict_acquit(broker, hello.instance);
    peer_add(broker, address, &hello, proof.key);
}

// --- staying -----------------------------------------------------------------------------------

void peer_receive_beat(struct broker *broker, struct peer *peer, const struct beat *beat) {
    peer->events_acknowledged_bytes = beat->event_bytes;
    if (peer_is_edge(peer))
        memcpy(peer->received, beat->sent, sizeof peer->received);
    if (peer->actor == NO_ACTOR)
        return;
    broker->actors[peer->actor].limit = beat->limit[0];
    actor_refresh(broker, peer->actor);
    dispatch_actor(broker, peer->actor);
}

void peer_receive_drain(struct broker *broker, struct peer *peer) {
    peer->draining = true;
    if (peer->actor != NO_ACTOR) {
        actor_refresh(broker, peer->actor);
        ownership_review(broker);
    }
    peer_send_bare(broker, peer, KIND_DRAIN); // nothing follows it
}

void peer_apply_change(struct broker *broker, struct peer *peer, enum link_change change) {
    switch (change) {
    case LINK_SILENT:
    case LINK_LOST:
        peer_remove(broker, peer, change == LINK_SILENT ? PARTING_SILENT : PARTING_ALIVE);
        return;
    case LINK_DOUBTED:
    case LINK_TRUSTED:
        if (peer->actor == NO_ACTOR)
            return;
        actor_refresh(broker, peer->actor);
        if (change == LINK_DOUBTED)
            recovery_actor_doubted(broker, peer->actor);
        ownership_review(broker);
        return;
    case LINK_UNCHANGED:
    case LINK_OPENED:
    case LINK_RETIRED:
        return;
    }
}

// One that may hang already is no judge: its end would convict whom it never looked at.
void peer_note_silence(struct broker *broker, const struct peer *peer) {
    if (peer->actor == NO_ACTOR)
        return;
    uint64_t bit = 1ULL << peer->actor;
    bool overdue = broker->now_us >= peer->link.heard_us + OVERDUE_MS * 1000ULL;
    broker->moved |= overdue ? 0 : broker->overdue & bit;
    broker->overdue = overdue ? broker->overdue | bit : broker->overdue & ~bit;
}

void peer_tick(struct broker *broker, struct peer *peer) {
    bool due;
    enum link_change change = link_tick(&peer->link, broker->now_us, &due);
    if (due)
        peer_send_beat(broker, peer, KIND_HEARTBEAT);
    peer_apply_change(broker, peer, change);
    peer_note_silence(broker, peer);
}
