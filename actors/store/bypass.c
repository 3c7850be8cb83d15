// SPDX-License-Identifier: Apache-2.0
#include "bypass.h"

void bypass_add_all(struct bypass *bypass, uint64_t now_us) {
    bypass->until_us = bypass->all_until_us = now_us + CACHE_BYPASS_MS * UINT64_C(1000);
}

void bypass_add(struct bypass *bypass, struct uuid tenant, uint64_t now_us) {
    uint64_t until_us = now_us + CACHE_BYPASS_MS * UINT64_C(1000);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < bypass->count; i++) {
        if (bypass->tenants[i].until_us > now_us && !uuid_equal(bypass->tenants[i].tenant, tenant))
            bypass->tenants[kept++] = bypass->tenants[i];
    }
    bypass->count = kept;
    bypass->until_us = until_us;
    if (kept == CACHE_BYPASSED_MAX) {
        bypass_add_all(bypass, now_us);
        return;
    }
    bypass->tenants[kept].tenant = tenant;
    bypass->tenants[kept].until_us = until_us;
    bypass->count = kept + 1;
}

bool bypass_has(const struct bypass *bypass, struct uuid tenant, uint64_t now_us) {
    if (bypass->until_us <= now_us)
        return false;
    if (bypass->all_until_us > now_us)
        return true;
    for (uint32_t i = 0; i < bypass->count; i++) {
        if (bypass->tenants[i].until_us > now_us && uuid_equal(bypass->tenants[i].tenant, tenant))
            return true;
    }
    return false;
}
