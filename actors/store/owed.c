// SPDX-License-Identifier: Apache-2.0
#include "owed.h"

static void owed_remove(struct owed *owed, uint32_t place) {
    owed->count--;
    memmove(&owed->tenants[place], &owed->tenants[place + 1],
            (owed->count - place) * sizeof owed->tenants[0]);
}

void owed_add(struct owed *owed, struct uuid tenant, uint64_t now_us) {
    uint32_t place = 0;
    while (place < owed->count && !uuid_equal(owed->tenants[place].tenant, tenant))
        place++;
    if (place < owed->count) {
        owed_remove(owed, place);
    } else if (owed->count == CACHE_OWED_MAX) {
        owed->dropped += owed->tenants[0].until_us > now_us;
        owed_remove(owed, 0);
    }
    owed->tenants[owed->count].tenant = tenant;
    owed->tenants[owed->count].until_us = now_us + CACHE_BYPASS_MS * UINT64_C(1000);
    owed->tenants[owed->count++].message = 0;
}

uint32_t owed_take(struct owed *owed, uint32_t message, uint64_t now_us,
                   struct uuid ret_tenants[BATCH_MEMBERS_MAX]) {
    ASSERT(message != 0);
    uint32_t past = 0, taken = 0;
    while (past < owed->count && owed->tenants[past].until_us <= now_us)
        past++;
    owed->count -= past;
    memmove(owed->tenants, owed->tenants + past, owed->count * sizeof owed->tenants[0]);
    for (uint32_t i = 0; i < owed->count && taken < BATCH_MEMBERS_MAX; i++) {
        if (owed->tenants[i].message != 0)
            continue;
        owed->tenants[i].message = message;
        ret_tenants[taken++] = owed->tenants[i].tenant;
    }
    return taken;
}

void owed_end(struct owed *owed, uint32_t message, bool confirmed) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < owed->count; i++) {
        bool of_it = owed->tenants[i].message == message;
        if (of_it && confirmed)
            continue;
        owed->tenants[kept] = owed->tenants[i];
        if (of_it)
            owed->tenants[kept].message = 0;
        kept++;
    }
    owed->count = kept;
}
