// SPDX-License-Identifier: Apache-2.0
#include "busiest.h"

enum { BUSIEST_ONE = 256, FADE = 8 };

// The end of a UUIDv7 is chance.
static struct busiest_slot *slot_of(struct busiest *busiest, const uint64_t tenant[2]) {
    return &busiest->slots[(tenant[1] >> 56) % BUSIEST_SLOTS];
}

void busiest_add(struct busiest *busiest, struct uuid uuid) {
    uint64_t tenant[2];
    memcpy(tenant, uuid.bytes, sizeof tenant);
    struct busiest_slot *slot = slot_of(busiest, tenant);
    if (slot->tenant[0] == tenant[0] && slot->tenant[1] == tenant[1]) {
        slot->count += slot->count > UINT32_MAX - BUSIEST_ONE ? 0 : BUSIEST_ONE;
    } else if (slot->count >= BUSIEST_ONE) {
        slot->count -= BUSIEST_ONE;
    } else {
        memcpy(slot->tenant, tenant, sizeof tenant);
        slot->count = BUSIEST_ONE;
    }
}

void busiest_second_passed(struct busiest *busiest) {
    for (uint32_t i = 0; i < BUSIEST_SLOTS; i++)
        busiest->slots[i].count -= busiest->slots[i].count / FADE;
}

uint32_t busiest_look(const struct busiest *busiest, struct busiest_view ret_views[BUSIEST_TOLD]) {
    uint32_t order[BUSIEST_TOLD], count = 0;
    for (uint32_t i = 0; i < BUSIEST_SLOTS; i++) {
        uint32_t place = count;
        while (place > 0 && busiest->slots[order[place - 1]].count < busiest->slots[i].count)
            place--;
        if (busiest->slots[i].count < BUSIEST_ONE || place == BUSIEST_TOLD)
            continue;
        count += count < BUSIEST_TOLD;
        memmove(&order[place + 1], &order[place], (count - 1 - place) * sizeof order[0]);
        order[place] = i;
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct busiest_slot *slot = &busiest->slots[order[i]];
        memcpy(ret_views[i].tenant.bytes, slot->tenant, sizeof slot->tenant);
        ret_views[i].per_second = (double)slot->count / (double)BUSIEST_ONE / (double)FADE;
    }
    return count;
}
