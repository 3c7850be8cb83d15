// SPDX-License-Identifier: Apache-2.0
// Absolute deadlines of many connections. What a connection is in the middle of has one limit for
// all, so each phase is a list in the order of its deadlines: a move costs the same, however many
// there are, and one timer serves all.
#pragma once
#include "loop.h"

enum http_phase {
    HTTP_PHASE_IDLE,
    HTTP_PHASE_HEADER,
    HTTP_PHASE_BODY,
    HTTP_PHASE_SENDING,
    HTTP_PHASE_LEAVING,
    HTTP_PHASES,
    HTTP_PHASE_NONE, // no deadline
};

struct http_deadline { // embedded in its owner; begins with .phase = HTTP_PHASE_NONE
    struct http_deadline *previous;
    struct http_deadline *next;
    uint64_t due_us;
    enum http_phase phase;
};

struct http_deadlines {
    struct loop *loop;
    void (*late)(struct http_deadline *deadline); // must move it to another phase
    uint64_t limits_us[HTTP_PHASES];
    struct http_deadline *first[HTTP_PHASES];
    struct http_deadline *last[HTTP_PHASES];
    struct timer timer; // of the earliest deadline, or earlier
};

// The owner fills loop, late and limits_us, all else is zero.
void http_deadlines_init(struct http_deadlines *deadlines);
void http_deadlines_deinit(struct http_deadlines *deadlines); // nobody is late any more

// All that are in this phase, and all that come into it, have so long, beginning now.
void http_deadlines_limit(struct http_deadlines *deadlines, enum http_phase phase,
                          uint64_t limit_us);

// From now on it has the whole limit of this phase, also when it is in it already.
void http_deadline_move(struct http_deadlines *deadlines, struct http_deadline *deadline,
                        enum http_phase phase);
