// SPDX-License-Identifier: Apache-2.0
// Which actor has a tenant's commands. Rendezvous hashing over the actors that are available, so
// that all brokers choose alike and a change moves as few tenants as possible; PostgreSQL's lock,
// not this, makes commands serial.
#include "broker_state.h"

void actor_refresh(struct broker *broker, uint32_t actor) {
    const struct actor *state = &broker->actors[actor];
    const struct peer *peer = &broker->peers[state->peer];
    uint64_t bit = 1ULL << actor;
    bool available = (broker->actor_bits & bit) != 0 && link_takes_work(&peer->link) &&
                     !peer->draining && !peer->unreachable;
    broker->available = available ? broker->available | bit : broker->available & ~bit;
    bool credited = available && state->limit > state->sent;
    broker->credited = credited ? broker->credited | bit : broker->credited & ~bit;
}

static uint32_t owner_choose(const struct broker *broker, const struct flow *flow,
                             uint16_t operation) {
    uint64_t candidates = broker->operation_actors[operation] & broker->available;
    uint64_t tenant = flow->tenant[0] ^ number_mix(flow->tenant[1]);
    uint64_t best = 0;
    uint32_t owner = NO_ACTOR;
    for (; candidates != 0; candidates &= candidates - 1) {
        uint32_t actor = (uint32_t)__builtin_ctzll(candidates);
        uint64_t instance = broker->peers[broker->actors[actor].peer].session;
        uint64_t weight = number_mix(tenant ^ number_mix(instance)) | 1;
        if (weight > best) {
            best = weight;
            owner = actor;
        }
    }
    return owner;
}

void flow_settle_owner(struct broker *broker, struct flow *flow, uint16_t operation) {
    if (!flow->owned || flow->in_flight > 0)
        return;
    uint64_t able = broker->operation_actors[operation] & broker->available;
    uint32_t owner = flow->owner;
    // With commands queued the owner changes only when it must: one that has just come does not
    // take over what another is about to get.
    if (owner == NO_ACTOR || flow->queued == 0 || (able & 1ULL << owner) == 0)
        owner = owner_choose(broker, flow, operation);
    flow->owner = (uint8_t)owner;
    uint32_t schedule = owner == NO_ACTOR ? flow->group : GROUPS_MAX + owner;
    if (schedule != flow->schedule)
        flow_reschedule(&broker->flows, flow, schedule);
}

// All flows of a schedule choose again; those that stay are seen once.
static void schedule_review(struct broker *broker, uint32_t schedule) {
    struct flow_table *flows = &broker->flows;
    for (uint32_t lane = 0; lane < LANE_COUNT; lane++) {
        for (uint32_t list = 0; list < FLOW_LISTS; list++) {
            uint32_t index = flows->schedules[schedule].lists[lane][list].first;
            while (index != NO_INDEX) {
                struct flow *flow = flow_at(flows, index);
                index = flow->next;
                if (flow->queued > 0)
                    flow_settle_owner(broker, flow, broker->pool.requests[flow->first].operation);
            }
        }
    }
}

void ownership_review(struct broker *broker) {
    for (uint32_t group = 0; group < GROUPS_MAX; group++)
        schedule_review(broker, group);
    for (uint32_t actor = 0; actor < ACTORS_MAX; actor++) {
        if ((broker->available & 1ULL << actor) == 0)
            schedule_review(broker, GROUPS_MAX + actor);
    }
    dispatch_all(broker);
}

uint32_t flow_share(const struct broker *broker, const struct flow *flow) {
    return MAX(1U, schedule_window(broker, flow->schedule) / TENANT_QUEUE_SHARE);
}
