// SPDX-License-Identifier: Apache-2.0
// Two promises about queues, checked after every step of a broker: whoever waits is served in turn,
// and nobody waits while an actor could take it.
//
// How many times may another flow be served while one waits? A flow waits at worst in OLD without
// a deficit: it ran empty while it was new, and came again. Then it is passed over once, and served
// in the round after that. In each of these two rounds another flow is served at most twice: once
// in its turn, and once more as NEW, if its turn left it empty and it came again; after that it is
// in OLD, behind. That is FAIR_MAX. It holds between flows that compete for the same actors in the
// same lane, while the waiting one has not its share of them in hand (CAPPED).
#include "broker_state.h"
#include "simulation.h"

// False for a flow that has nothing to wait for: empty, capped, or of commands without an owner.
static bool flow_competes(const struct flow *flow) {
    return flow->queued > 0 && (flow->list == FLOW_NEW || flow->list == FLOW_OLD) &&
           (!flow->owned || flow->schedule >= GROUPS_MAX);
}

static bool patience_is_of(const struct patience *patience, const struct flow *flow) {
    return flow_competes(flow) && patience->schedule == flow->schedule &&
           patience->lane == flow->lane && patience->tenant[0] == flow->tenant[0] &&
           patience->tenant[1] == flow->tenant[1];
}

// Forgets what those saw that do not wait any more, or wait for something else.
static void patience_renew(struct patience *patience, const struct flow_table *flows) {
    ASSERT(flows->high <= FLOWS_SEEN);
    for (uint32_t i = 0; i < flows->high; i++) {
        const struct flow *flow = flow_at(flows, i);
        if (patience_is_of(&patience[i], flow))
            continue;
        patience[i] = (struct patience){
            .tenant = {flow->tenant[0], flow->tenant[1]},
            .schedule = flow->schedule,
            .lane = flow->lane,
        };
    }
}

// A suspect goes before all others, where it may: that is no turn of its tenant.
void fairness_serve(struct world *world, uint32_t index, const struct envelope *envelope) {
    if ((envelope->flags & FLAG_SUSPECT) != 0)
        return;
    const struct broker *broker = world->processes[index].broker;
    const struct request *request =
        request_find(&broker->pool, envelope->session, envelope->correlation, envelope->attempt);
    ASSERT(request != NULL);
    struct patience *patience = world->patience[index];
    patience_renew(patience, &broker->flows);
    const struct flow *served = flow_at(&broker->flows, request->flow);
    for (uint32_t i = 0; i < broker->flows.high; i++) {
        const struct flow *flow = flow_at(&broker->flows, i);
        if (!flow_competes(flow) || flow->schedule != served->schedule ||
            flow->lane != served->lane)
            continue;
        if (i == request->flow)
            memset(patience[i].others, 0, sizeof patience[i].others);
        else
            patience[i].others[request->flow]++;
        if (patience[i].others[request->flow] > FAIR_MAX)
            world_fail(world, CHECK_FAIRNESS,
                       "%s serves flow %u (request %llx) again while flow %u waits, %u times since",
                       process_name(index), request->flow,
                       (unsigned long long)envelope->correlation, i, FAIR_MAX);
    }
}

// Whether this actor could take the first request of a flow that waits.
static bool actor_could_serve(const struct broker *broker, uint32_t slot, const struct flow *flow) {
    if (flow->queued == 0)
        return false;
    const struct request *first = &broker->pool.requests[flow->first];
    return (broker->operation_actors[first->operation] & 1ULL << slot) != 0 &&
           (dispatch_barred(broker, first) & 1ULL << slot) == 0 &&
           (!flow->owned || flow->owner == slot);
}

void fairness_watch(struct world *world, uint32_t index) {
    const struct broker *broker = world->processes[index].broker;
    patience_renew(world->patience[index], &broker->flows);
    if (broker->pool.queued == 0)
        return;
    if (broker->drain_until_us != 0)
        world_fail(world, CHECK_WAITING, "%s leaves, and keeps %u requests in its queues",
                   process_name(index), broker->pool.queued);
    for (uint64_t bits = broker->credited; bits != 0; bits &= bits - 1) {
        uint32_t slot = (uint32_t)__builtin_ctzll(bits);
        for (uint32_t i = 0; i < broker->flows.high; i++) {
            if (actor_could_serve(broker, slot, flow_at(&broker->flows, i)))
                world_fail(world, CHECK_WAITING, "%s: flow %u waits, and %s has credit",
                           process_name(index), i, broker->peers[broker->actors[slot].peer].name);
        }
    }
}
