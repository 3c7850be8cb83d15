// SPDX-License-Identifier: Apache-2.0
// The store: a transaction takes its tenants' locks in order and keeps them until it ends, also
// while the actor that opened it stands still. Once it has the whole batch it commits by itself,
// whatever becomes of the actor. A key that is recorded has no second effect.
#include "peer_map.h"
#include "simulation.h"

bool store_tenant_is_free(const struct world *world, uint32_t tenant) {
    return world->tenants[tenant].owner == 0;
}

static void store_proceed(struct world *world, uint32_t number) {
    struct transaction *transaction = &world->transactions[number];
    for (uint32_t tenant = 0; tenant < TENANTS; tenant++) {
        uint32_t bit = 1U << tenant;
        if ((transaction->wanted & ~transaction->held & bit) == 0)
            continue;
        struct tenant *row = &world->tenants[tenant];
        if (row->owner != 0) {
            ASSERT(row->waiting_count < COUNT_OF(row->waiting));
            row->waiting[row->waiting_count++] = number;
            transaction->state = TX_WAITS;
            return;
        }
        row->owner = number + 1;
        transaction->held |= bit;
    }
    transaction->state = TX_LOCKED;
    if (transaction->synced)
        plan(world, (struct event){.what = HAPPENS_COMMIT, .b = number}, 300 + chance(world, 8000));
}

void store_begin(struct world *world, uint32_t number) {
    store_proceed(world, number);
}

void store_sync(struct world *world, uint32_t number) {
    struct transaction *transaction = &world->transactions[number];
    if (transaction->state == TX_DONE || transaction->synced)
        return;
    transaction->synced = true;
    if (transaction->state == TX_LOCKED)
        plan(world, (struct event){.what = HAPPENS_COMMIT, .b = number}, 300 + chance(world, 8000));
}

static void store_release(struct world *world, uint32_t number) {
    struct transaction *transaction = &world->transactions[number];
    transaction->state = TX_DONE;
    for (uint32_t tenant = 0; tenant < TENANTS; tenant++) {
        struct tenant *row = &world->tenants[tenant];
        uint32_t kept = 0;
        for (uint32_t i = 0; i < row->waiting_count; i++) {
            if (row->waiting[i] != number)
                row->waiting[kept++] = row->waiting[i];
        }
        row->waiting_count = kept;
        if (row->owner != number + 1)
            continue;
        row->owner = 0;
        if (row->waiting_count == 0)
            continue;
        uint32_t next = row->waiting[0];
        row->waiting_count--;
        memmove(row->waiting, row->waiting + 1, row->waiting_count * sizeof row->waiting[0]);
        store_proceed(world, next);
    }
}

// False for a key that is recorded already: its effect is not repeated.
static bool store_record_key(struct world *world, uint32_t tenant, const uint8_t *key) {
    uint64_t words[2];
    memcpy(words, key, sizeof words);
    uint32_t *bucket = &world->key_buckets[number_mix(words[0] ^ words[1]) % KEY_BUCKETS];
    for (uint32_t i = *bucket; i != 0; i = world->keys[i - 1].next) {
        const struct key_record *record = &world->keys[i - 1];
        if (record->tenant == tenant && memcmp(record->key, key, sizeof record->key) == 0)
            return false;
    }
    ASSERT(world->key_count < COUNT_OF(world->keys));
    struct key_record *record = &world->keys[world->key_count++];
    *record = (struct key_record){.tenant = tenant, .next = *bucket};
    memcpy(record->key, key, sizeof record->key);
    *bucket = world->key_count;
    return true;
}

static void store_effect(struct world *world, const struct transaction *transaction,
                         uint32_t member) {
    uint32_t request = transaction->requests[member];
    struct history *history = &world->history[request];
    struct tenant *row = &world->tenants[history->tenant];
    struct wish *wish = &world->wishes[history->wish];
    if (!store_record_key(world, history->tenant, transaction->keys[member]))
        return;
    if (wish->effects++ == 0)
        wish->done_us = world->now_us;
    row->log[row->log_count++] = request;
    history->effect = row->log_count;
    history->begun_us = transaction->begun_us;
    history->attempt = transaction->attempts[member];
    world->tally.done++;
    world_note(world, WORLD, "request %u takes effect, attempt %u", request, history->attempt);
}

void store_commit(struct world *world, uint32_t number) {
    struct transaction *transaction = &world->transactions[number];
    if (transaction->state != TX_LOCKED)
        return; // rolled back meanwhile
    for (uint32_t i = 0; i < transaction->count; i++)
        store_effect(world, transaction, i);
    store_release(world, number);
    plan(world,
         (struct event){.what = HAPPENS_RESULT,
                        .a = transaction->actor,
                        .b = number,
                        .life = transaction->life},
         100 + chance(world, 3000));
}

void store_rollback(struct world *world, uint32_t number) {
    if (world->transactions[number].state != TX_DONE)
        store_release(world, number);
}
