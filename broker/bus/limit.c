// SPDX-License-Identifier: Apache-2.0
#include "limit.h"

enum { PRESSED_MIN = 2 };

// Whatever was measured is of an earlier queue.
static void limit_begin(struct limit *limit, uint64_t now_us) {
    limit->began_us = limit->answered_us = now_us;
    limit->arrived = limit->answered = 0;
    limit->pause_us = 0;
    limit->periods = 0;
    limit->pressed = 0;
    limit->slow = false;
}

void limit_arrive(struct limit *limit, bool queue, uint64_t now_us) {
    if (queue)
        limit->queued_us = now_us;
    else if (now_us - limit->queued_us > LIMIT_PERIOD_US)
        limit_begin(limit, now_us);
    limit->arrived++;
}

static uint32_t limit_press(const struct limit *limit) {
    if (limit->arrived <= limit->answered)
        return 0;
    bool steady = limit->pause_us <= LIMIT_STEADY_US;
    return steady && limit->arrived > LIMIT_GROSS * limit->answered ? PRESSED_MIN
                                                                    : limit->pressed + 1;
}

bool limit_answer(struct limit *limit, uint64_t now_us) {
    bool still = now_us - limit->answered_us > LIMIT_STILL_US;
    if (still && !limit->slow) {
        limit_begin(limit, now_us);
        limit->slow = true;
        return false;
    }
    limit->pause_us = MAX(limit->pause_us, now_us - limit->answered_us);
    limit->answered_us = now_us;
    limit->answered++;
    uint64_t length_us = now_us - limit->began_us;
    if (length_us < LIMIT_PERIOD_US)
        return false;
    limit->slow = still;
    uint64_t capacity = (uint64_t)limit->answered * LIMIT_TARGET_US / length_us;
    limit->capacities[limit->periods % LIMIT_PERIODS] = (uint32_t)capacity;
    limit->periods++;
    limit->pressed = limit_press(limit);
    limit->arrived = limit->answered = 0;
    limit->pause_us = 0;
    limit->began_us = now_us;
    return true;
}

uint32_t limit_most(const struct limit *limit, uint32_t window) {
    if (limit->pressed < PRESSED_MIN)
        return UINT32_MAX;
    uint32_t most = window + window / 4;
    for (uint32_t i = 0; i < MIN(limit->periods, (uint32_t)LIMIT_PERIODS); i++)
        most = MAX(most, limit->capacities[i]);
    return most;
}
