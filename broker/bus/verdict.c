// SPDX-License-Identifier: Apache-2.0
// Whether an actor whose connection broke is dead. A process that is killed and a network that
// drops a connection look alike at first, but who lives dials at once and greets anew as the same
// instance. So a suspect that such an actor had in hand waits here, outside all other tables, for
// that greeting; it comes back as merely lost, or after BROKER_MISSED_MS as one that cost an actor.
#include "broker_state.h"

void verdict_await(struct broker *broker, uint16_t edge, const struct envelope *envelope,
                   const struct lost_actor *actor) {
    for (uint32_t i = 0; i < COUNT_OF(broker->verdicts); i++) {
        struct verdict *verdict = &broker->verdicts[i];
        if (verdict->due_us != 0)
            continue;
        *verdict = (struct verdict){
            .due_us = broker->now_us + BROKER_MISSED_MS * 1000ULL,
            .edge = edge,
            .envelope = *envelope,
            .actor = *actor,
        };
        broker->verdict_count++;
        return;
    }
    broker->drops[CAUSE_ACTOR_LOST]++;
    dispatch_answer_lost(broker, edge, envelope, NULL);
}

static void verdict_give(struct broker *broker, struct verdict *verdict, bool dead) {
    struct verdict given = *verdict;
    *verdict = (struct verdict){0};
    broker->verdict_count--;
    broker->drops[dead ? CAUSE_POISON : CAUSE_ACTOR_LOST]++;
    dispatch_answer_lost(broker, given.edge, &given.envelope, dead ? &given.actor : NULL);
}

void verdict_acquit(struct broker *broker, uint64_t instance) {
    for (uint32_t i = 0; broker->verdict_count > 0 && i < COUNT_OF(broker->verdicts); i++) {
        struct verdict *verdict = &broker->verdicts[i];
        if (verdict->due_us != 0 && verdict->actor.instance == instance)
            verdict_give(broker, verdict, false);
    }
}

// A draining broker hears no greetings, so it convicts nobody.
void verdict_tick(struct broker *broker) {
    bool dead = broker->drain_until_us == 0;
    for (uint32_t i = 0; broker->verdict_count > 0 && i < COUNT_OF(broker->verdicts); i++) {
        struct verdict *verdict = &broker->verdicts[i];
        if (verdict->due_us != 0 && broker->now_us >= verdict->due_us)
            verdict_give(broker, verdict, dead);
    }
}

void verdict_edge_lost(struct broker *broker, uint16_t edge) {
    for (uint32_t i = 0; broker->verdict_count > 0 && i < COUNT_OF(broker->verdicts); i++) {
        struct verdict *verdict = &broker->verdicts[i];
        if (verdict->due_us != 0 && verdict->edge == edge) {
            *verdict = (struct verdict){0};
            broker->verdict_count--;
            broker->drops[CAUSE_ACTOR_LOST]++;
        }
    }
}
