// SPDX-License-Identifier: Apache-2.0
// See quarantine.h. A body is hashed only where its tenant and operation are known already, so that
// all others pay for a look at a few places, and nothing while there are none.
#include "quarantine.h"

static struct convict *convict_find(struct quarantine *quarantine, const struct demand *demand) {
    uint8_t body[DIGEST_SHORT_BYTES];
    bool hashed = false;
    for (uint32_t i = 0; quarantine->count > 0 && i < QUARANTINE_MAX; i++) {
        struct convict *convict = &quarantine->convicts[i];
        if (convict->term_s == 0 || convict->operation != demand->operation ||
            memcmp(&convict->tenant, &demand->tenant, sizeof demand->tenant) != 0)
            continue;
        if (!hashed)
            digest_short(&demand->body, 1, body);
        hashed = true;
        if (memcmp(convict->body, body, sizeof body) == 0)
            return convict;
    }
    return NULL;
}

static void convict_release(struct quarantine *quarantine, struct convict *convict) {
    *convict = (struct convict){0};
    quarantine->count--;
}

enum quarantine_state quarantine_ask(struct quarantine *quarantine, const struct demand *demand,
                                     uint64_t now_us, uint64_t *ret_left_us) {
    struct convict *convict = convict_find(quarantine, demand);
    if (convict == NULL)
        return QUARANTINE_UNKNOWN;
    if (now_us < convict->until_us) {
        if (ret_left_us != NULL)
            *ret_left_us = convict->until_us - now_us;
        return QUARANTINE_HELD;
    }
    if (now_us - convict->until_us >= QUARANTINE_S_MAX * 1000000ULL) {
        convict_release(quarantine, convict);
        return QUARANTINE_UNKNOWN;
    }
    return QUARANTINE_TRIAL;
}

void quarantine_try(struct quarantine *quarantine, const struct demand *demand, uint64_t until_us) {
    struct convict *convict = convict_find(quarantine, demand);
    if (convict != NULL)
        convict->until_us = until_us;
}

// A free place, else the one that would be the first to be free.
static struct convict *convict_place(struct quarantine *quarantine) {
    struct convict *place = &quarantine->convicts[0];
    for (uint32_t i = 0; i < QUARANTINE_MAX && place->term_s != 0; i++) {
        struct convict *convict = &quarantine->convicts[i];
        if (convict->term_s == 0 || convict->until_us < place->until_us)
            place = convict;
    }
    quarantine->count += place->term_s == 0;
    return place;
}

uint32_t quarantine_convict(struct quarantine *quarantine, const struct demand *demand,
                            uint64_t now_us) {
    struct convict *convict = convict_find(quarantine, demand);
    uint32_t term_s = QUARANTINE_S_MIN;
    if (convict != NULL) {
        term_s = MIN(2 * convict->term_s, (uint32_t)QUARANTINE_S_MAX);
    } else {
        convict = convict_place(quarantine);
        convict->tenant = demand->tenant;
        convict->operation = demand->operation;
        digest_short(&demand->body, 1, convict->body);
    }
    convict->term_s = term_s;
    convict->until_us = now_us + term_s * 1000000ULL;
    return term_s;
}

void quarantine_acquit(struct quarantine *quarantine, const struct demand *demand) {
    struct convict *convict = convict_find(quarantine, demand);
    if (convict != NULL)
        convict_release(quarantine, convict);
}
