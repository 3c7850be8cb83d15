// SPDX-License-Identifier: Apache-2.0
// One way over the bus and back, as the edge saw it: what Server-Timing, the log and the spans of
// a request are made of.
#pragma once
#include "session.h"

enum { TRIP_LOOK_UP, TRIP_OWN, TRIP_COUNT }; // for its token, perhaps together with others; its own

struct trip {
    uint64_t sent_us; // on the loop's clock; 0: nothing was sent
    uint64_t back_us;
    uint32_t sends; // above 1: a broker or an actor was lost meanwhile
    struct reply_block block; // zero where no actor answered
};

// A request begins to wait at received_us; a look-up may have left before.
static inline struct trip trip_of(const struct answer *answer, uint64_t received_us,
                                  uint64_t now_us) {
    if (answer->sent_us == 0)
        return (struct trip){0};
    return (struct trip){.sent_us = MAX(answer->sent_us, received_us),
                         .back_us = now_us,
                         .sends = answer->sends,
                         .block = answer->block};
}
