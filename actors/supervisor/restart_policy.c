// SPDX-License-Identifier: Apache-2.0
#include "restart_policy.h"

#include "contract.h"

static_assert(RESTART_MS_MIN << RESTART_EXITS_MAX <= RESTART_MS_MAX,
              "every step of the backoff is shorter than the last");

static uint32_t ends_in_window(const struct restart_policy *policy, uint64_t now_us) {
    uint32_t kept = MIN(policy->end_count, (uint32_t)COUNT_OF(policy->ends_us));
    uint32_t count = 0;
    for (uint32_t i = 0; i < kept; i++)
        count += now_us - policy->ends_us[i] < RESTART_WINDOW_MS * 1000ULL;
    return count;
}

// Half to all of it, so that processes that died together do not come back together.
static uint64_t with_jitter(uint64_t delay_us, uint32_t chance) {
    return delay_us / 2 + (delay_us / 2) * chance / UINT32_MAX;
}

uint64_t restart_policy_end(struct restart_policy *policy, enum end_cause cause, uint64_t now_us,
                            uint32_t chance) {
    if (cause == END_FROM_OUTSIDE)
        return 0;
    policy->ends_us[policy->end_count++ % COUNT_OF(policy->ends_us)] = now_us;
    uint32_t count = ends_in_window(policy, now_us);
    policy->failing = policy->failing || count > RESTART_EXITS_MAX;
    if (policy->failing)
        return RESTART_MS_MAX * 1000ULL;
    return with_jitter((uint64_t)RESTART_MS_MIN * 1000 << (count - 1), chance);
}

bool restart_policy_ready(struct restart_policy *policy, uint64_t ready_since_us, uint64_t now_us) {
    bool recovered = policy->failing && now_us - ready_since_us >= RESTART_WINDOW_MS * 1000ULL;
    if (recovered)
        policy->failing = false;
    return recovered;
}
