// SPDX-License-Identifier: Apache-2.0
#include "admission.h"

static void admission_turn(struct admission *admission, uint64_t now_us) {
    uint64_t period = now_us / (CACHE_PAGE_MS * UINT64_C(1000));
    uint64_t passed = period - admission->period;
    if (passed == 0)
        return;
    if (passed == 1)
        memcpy(admission->seen[1], admission->seen[0], sizeof admission->seen[1]);
    else
        memset(admission->seen[1], 0, sizeof admission->seen[1]);
    memset(admission->seen[0], 0, sizeof admission->seen[0]);
    admission->period = period;
}

bool admission_ask(struct admission *admission, const struct cache_id *id, uint64_t now_us) {
    uint32_t slot, tag; // an id is a hash: any of its bytes will do
    memcpy(&slot, id->bytes, sizeof slot);
    memcpy(&tag, id->bytes + sizeof slot, sizeof tag);
    slot %= ADMISSION_SLOTS;
    tag |= 1; // 0 is an empty slot
    admission_turn(admission, now_us);
    bool seen = admission->seen[0][slot] == tag || admission->seen[1][slot] == tag;
    admission->seen[0][slot] = tag;
    return seen;
}
