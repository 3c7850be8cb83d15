// SPDX-License-Identifier: Apache-2.0
// A new own key for a process that is connected to several brokers: one connection after another is
// drained, closed and dialed with it, each only while all others work. Pure: it is told what the
// connections are like and says what to do next. A broker is a bit.
//
//   WAITING --all work--> DRAINING --empty or late--> GREETING --welcomed--> the next one, or done
//      `--late: over         (its work is finished)        `--late: over
//
// A connection that was let in with the new key keeps it when the renewal ends early: it works.
#pragma once
#include "contract.h"

enum {
    RENEWAL_WAIT_US = 10000000, // for connections that are being made, before one is drained
    RENEWAL_DRAIN_US = 5000000, // for what is in hand; what is left is sent again
    RENEWAL_GREET_US = 3000000, // then, to be welcomed with the new key
    RENEWAL_US_MAX = RENEWAL_WAIT_US + RENEWAL_DRAIN_US + RENEWAL_GREET_US, // of one connection
};

struct renewal {
    enum { RENEWAL_IDLE, RENEWAL_WAITING, RENEWAL_DRAINING, RENEWAL_GREETING } state;
    uint32_t broker; // whose turn it is
    uint64_t until_us;
};

struct renewal_view {
    uint32_t all; // brokers
    uint32_t keyed; // of these, that keys are used with
    uint32_t up; // that work
    uint32_t parted; // closed, or about to be
};

enum renewal_deed {
    RENEWAL_NOTHING, // yet, or ever: see state
    RENEWAL_RETIRE, // drain `broker`; from now on, whatever is dialed is dialed with the new key
    RENEWAL_DIAL, // `broker`, with it
    RENEWAL_DONE, // all have it
    RENEWAL_REFUSED, // `broker` does not let it in: dial it with the former one again
    RENEWAL_APART, // not all brokers are connected: the former one stays in use
    RENEWAL_ALONE, // none is: nothing can be lost and nothing proved; dial all with the new one
};

void renewal_begin(struct renewal *renewal, const struct renewal_view *view, uint64_t now_us);

MUST_USE enum renewal_deed renewal_run(struct renewal *renewal, const struct renewal_view *view,
                                       uint64_t now_us);

// When it has to run at the latest; UINT64_MAX while idle.
MUST_USE uint64_t renewal_next_us(const struct renewal *renewal);
