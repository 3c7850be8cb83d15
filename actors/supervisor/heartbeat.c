// SPDX-License-Identifier: Apache-2.0
#include "heartbeat.h"

#include "contract.h"

enum { LOOK_US_MAX = 2 * HEARTBEAT_MS * 1000 }; // a longer pause was the supervisor's own

void heartbeat_begin(struct heartbeat *heartbeat, uint32_t gone_ms, uint64_t now_us) {
    *heartbeat = (struct heartbeat){.looked_us = now_us, .gone_ms = gone_ms};
}

void heartbeat_heard(struct heartbeat *heartbeat) {
    heartbeat->heard_ever = true;
    heartbeat->silent_us = 0;
}

bool heartbeat_is_gone(struct heartbeat *heartbeat, uint64_t now_us) {
    heartbeat->silent_us += MIN(now_us - heartbeat->looked_us, LOOK_US_MAX);
    heartbeat->looked_us = now_us;
    uint64_t allowed_ms = heartbeat->heard_ever ? heartbeat->gone_ms : START_SILENT_MS;
    return heartbeat->silent_us >= allowed_ms * 1000;
}
