// SPDX-License-Identifier: Apache-2.0
#include "renewal.h"

// The first from this one on that keys are used with.
static void renewal_turn_to(struct renewal *renewal, const struct renewal_view *view,
                            uint32_t broker, uint64_t now_us) {
    uint32_t left = broker < 32 ? view->keyed >> broker << broker : 0;
    renewal->state = left == 0 ? RENEWAL_IDLE : RENEWAL_WAITING;
    renewal->broker = left == 0 ? 0 : (uint32_t)__builtin_ctz(left);
    renewal->until_us = now_us + RENEWAL_WAIT_US;
}

void renewal_begin(struct renewal *renewal, const struct renewal_view *view, uint64_t now_us) {
    ASSERT(renewal->state == RENEWAL_IDLE && view->keyed != 0);
    renewal_turn_to(renewal, view, 0, now_us);
}

static enum renewal_deed renewal_end(struct renewal *renewal, enum renewal_deed deed) {
    renewal->state = RENEWAL_IDLE;
    return deed;
}

static enum renewal_deed renewal_wait(struct renewal *renewal, const struct renewal_view *view,
                                      uint64_t now_us) {
    if (view->up == view->all) {
        renewal->state = RENEWAL_DRAINING;
        renewal->until_us = now_us + RENEWAL_DRAIN_US;
        return RENEWAL_RETIRE;
    }
    if (now_us < renewal->until_us)
        return RENEWAL_NOTHING;
    return renewal_end(renewal, view->up == 0 ? RENEWAL_ALONE : RENEWAL_APART);
}

static enum renewal_deed renewal_greet(struct renewal *renewal, const struct renewal_view *view,
                                       uint64_t now_us) {
    if ((view->up & 1U << renewal->broker) != 0) {
        renewal_turn_to(renewal, view, renewal->broker + 1, now_us);
        return renewal->state == RENEWAL_IDLE ? RENEWAL_DONE : RENEWAL_NOTHING;
    }
    return now_us < renewal->until_us ? RENEWAL_NOTHING : renewal_end(renewal, RENEWAL_REFUSED);
}

enum renewal_deed renewal_run(struct renewal *renewal, const struct renewal_view *view,
                              uint64_t now_us) {
    switch (renewal->state) {
    case RENEWAL_IDLE:
        return RENEWAL_NOTHING;
    case RENEWAL_WAITING:
        return renewal_wait(renewal, view, now_us);
    case RENEWAL_DRAINING:
        if (now_us < renewal->until_us && (view->parted & 1U << renewal->broker) == 0)
            return RENEWAL_NOTHING;
        renewal->state = RENEWAL_GREETING;
        renewal->until_us = now_us + RENEWAL_GREET_US;
        return RENEWAL_DIAL;
    case RENEWAL_GREETING:
        return renewal_greet(renewal, view, now_us);
    }
    UNREACHABLE();
}

uint64_t renewal_next_us(const struct renewal *renewal) {
    return renewal->state == RENEWAL_IDLE ? UINT64_MAX : renewal->until_us;
}
