// SPDX-License-Identifier: Apache-2.0
// Query actors answer after a while. Command actors gather a batch, hand it to the store and
// answer what it committed; they drop what is expired or stale before a batch begins, never after.
#include "simulation.h"

static void actor_reply(struct world *world, uint32_t index, uint32_t slot, enum status status) {
    struct process *process = &world->processes[index];
    struct in_hand *hand = &process->hand[slot];
    char body[64] = {0};
    memcpy(body, &hand->request, sizeof hand->request);
    hand->used = false;
    responder_reply(process->responder, &hand->address, status, 0, &(struct reply_block){0},
                    (struct text){body, sizeof body});
}

void actor_deliver(struct world *world, uint32_t index, const struct delivery *delivery) {
    struct process *process = &world->processes[index];
    uint32_t slot = 0;
    while (slot < IN_HAND_MAX && process->hand[slot].used)
        slot++;
    ASSERT(slot < IN_HAND_MAX);
    uint32_t request;
    memcpy(&request, delivery->body.bytes, sizeof request);
    process->hand[slot] = (struct in_hand){
        .used = true,
        .address = responder_return_address(delivery),
        .deadline_us = delivery->deadline_us,
        .request = request,
    };
    memcpy(process->hand[slot].key, delivery->envelope.key, sizeof process->hand[slot].key);
    world_note(world, index, "begins with request %u (%llx), attempt %u", request,
               (unsigned long long)delivery->envelope.correlation, delivery->envelope.attempt);
    struct event event = {.a = (uint8_t)index, .b = slot, .life = process->life};
    struct history *history = &world->history[request];
    if (history->poison) {
        history->deaths[(delivery->envelope.session >> 32) - FIRST_EDGE]++;
        world->tally.poison_deaths++;
        event.what = HAPPENS_POISON;
        event.b = request;
        plan(world, event, chance(world, POISON_US));
        return;
    }
    if (index < FIRST_COMMAND) {
        event.what = HAPPENS_ANSWER;
        plan(world, event, process_work_us(world, index, 200 + chance(world, 20000)));
        return;
    }
    process->queue[process->queue_count++] = slot;
    event.what = HAPPENS_BATCH;
    plan(world, event, chance(world, 500));
}

static void actor_begin_batch(struct world *world, uint32_t index, bool only_free) {
    struct process *process = &world->processes[index];
    if (process->transaction != 0 || process->queue_count == 0)
        return;
    ASSERT(world->transaction_count < TRANSACTIONS_MAX);
    uint32_t number = world->transaction_count;
    struct transaction *transaction = &world->transactions[number];
    *transaction = (struct transaction){.actor = (uint8_t)index, .life = process->life};
    uint32_t kept = 0;
    uint32_t count = process->queue_count;
    uint64_t now_us = process_now_us(world, index);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t slot = process->queue[i];
        const struct in_hand *hand = &process->hand[slot];
        uint32_t tenant = world->history[hand->request].tenant;
        if (responder_is_stale(process->responder, &hand->address, now_us)) {
            actor_reply(world, index, slot, STATUS_UNAVAILABLE);
        } else if (hand->deadline_us <= now_us) {
            actor_reply(world, index, slot, STATUS_EXPIRED);
        } else if (transaction->count < BATCH_MAX &&
                   (!only_free || store_tenant_is_free(world, tenant))) {
            transaction->members[transaction->count] = slot;
            transaction->requests[transaction->count] = hand->request;
            transaction->attempts[transaction->count] = hand->address.attempt;
            memcpy(transaction->keys[transaction->count++], hand->key, sizeof hand->key);
            transaction->wanted |= 1U << tenant;
        } else {
            process->queue[kept++] = slot;
        }
    }
    process->queue_count = kept;
    struct event event = {.a = (uint8_t)index, .b = number, .life = process->life};
    if (transaction->count == 0) {
        event.what = HAPPENS_BATCH;
        if (kept > 0)
            plan(world, event, 50000);
        return;
    }
    world->transaction_count++;
    process->transaction = number + 1;
    world_note(world, index, "begins transaction %u of %u", number, transaction->count);
    transaction->synced = chance_percent(world, 70);
    transaction->begun_us = world->now_us;
    store_begin(world, number);
    event.what = HAPPENS_SYNC;
    if (!transaction->synced)
        plan(world, event, chance(world, 5000));
    event.what = HAPPENS_LOCK_TIMEOUT;
    plan(world, event, LOCK_TIMEOUT_MS * 1000U);
    // Standing still right here keeps its tenants locked from all others.
    if (!transaction->synced && world->faults.hang && !world->faults.gentle &&
        world->now_us < world->calm_us && chance_percent(world, 5))
        process_hang(world, index, HANG_US_MIN + chance(world, HANG_US_MAX));
}

// The lock did not come in time: the batch is given up, what is free goes on.
static void actor_lock_timeout(struct world *world, uint32_t index, uint32_t number) {
    struct process *process = &world->processes[index];
    const struct transaction *transaction = &world->transactions[number];
    if (process->transaction != number + 1 || transaction->state != TX_WAITS)
        return;
    world->tally.lock_timeouts++;
    world_note(world, index, "transaction %u gives up waiting", number);
    store_rollback(world, number);
    process->transaction = 0;
    memmove(process->queue + transaction->count, process->queue,
            process->queue_count * sizeof process->queue[0]);
    memcpy(process->queue, transaction->members, transaction->count * sizeof process->queue[0]);
    process->queue_count += transaction->count;
    actor_begin_batch(world, index, true);
}

static void actor_result(struct world *world, uint32_t index, uint32_t number) {
    struct process *process = &world->processes[index];
    const struct transaction *transaction = &world->transactions[number];
    process->transaction = 0;
    for (uint32_t i = 0; i < transaction->count; i++)
        actor_reply(world, index, transaction->members[i], STATUS_OK);
    actor_begin_batch(world, index, false);
}

void actor_happen(struct world *world, const struct event *event) {
    switch (event->what) {
    case HAPPENS_ANSWER:
        actor_reply(world, event->a, event->b, STATUS_OK);
        break;
    case HAPPENS_BATCH:
        actor_begin_batch(world, event->a, false);
        break;
    case HAPPENS_SYNC:
        store_sync(world, event->b);
        break;
    case HAPPENS_LOCK_TIMEOUT:
        actor_lock_timeout(world, event->a, event->b);
        break;
    case HAPPENS_RESULT:
        actor_result(world, event->a, event->b);
        break;
    case HAPPENS_CANCEL:
        client_cancel(world, event->b);
        break;
    default:
        UNREACHABLE();
    }
}
