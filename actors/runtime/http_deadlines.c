// SPDX-License-Identifier: Apache-2.0
#include "http_deadlines.h"

enum { LATE_IN_A_TURN_MAX = 256 }; // the rest a turn later

static void deadlines_fire(struct timer *timer, uint64_t now_us) {
    struct http_deadlines *deadlines = CONTAINER_OF(timer, struct http_deadlines, timer);
    uint64_t next_us = 0;
    uint32_t count = 0;
    for (int phase = 0; phase < HTTP_PHASES; phase++) {
        struct http_deadline *first = deadlines->first[phase];
        for (; first != NULL && first->due_us <= now_us && count < LATE_IN_A_TURN_MAX; count++) {
            deadlines->late(first);
            first = deadlines->first[phase];
        }
        if (first != NULL && (next_us == 0 || first->due_us < next_us))
            next_us = first->due_us;
    }
    if (next_us != 0)
        loop_timer_set(deadlines->loop, timer, next_us);
}

void http_deadlines_init(struct http_deadlines *deadlines) {
    deadlines->timer.fire = deadlines_fire;
}

void http_deadlines_deinit(struct http_deadlines *deadlines) {
    loop_timer_clear(deadlines->loop, &deadlines->timer);
}

static void deadline_leave(struct http_deadlines *deadlines, struct http_deadline *deadline) {
    enum http_phase phase = deadline->phase;
    *(deadline->previous != NULL ? &deadline->previous->next : &deadlines->first[phase]) =
        deadline->next;
    *(deadline->next != NULL ? &deadline->next->previous : &deadlines->last[phase]) =
        deadline->previous;
}

void http_deadline_move(struct http_deadlines *deadlines, struct http_deadline *deadline,
                        enum http_phase phase) {
    if (deadline->phase != HTTP_PHASE_NONE)
        deadline_leave(deadlines, deadline);
    deadline->phase = phase;
    if (phase == HTTP_PHASE_NONE)
        return;
    struct http_deadline *last = deadlines->last[phase];
    deadline->due_us = loop_now_us(deadlines->loop) + deadlines->limits_us[phase];
    deadline->next = NULL;
    deadline->previous = last;
    *(last != NULL ? &last->next : &deadlines->first[phase]) = deadline;
    deadlines->last[phase] = deadline;
    if (deadlines->timer.due_us == 0 || deadline->due_us < deadlines->timer.due_us)
        loop_timer_set(deadlines->loop, &deadlines->timer, deadline->due_us);
}

void http_deadlines_limit(struct http_deadlines *deadlines, enum http_phase phase,
                          uint64_t limit_us) {
    struct http_deadline *last = deadlines->last[phase];
    deadlines->limits_us[phase] = limit_us;
    for (struct http_deadline *moved = NULL; moved != last;) {
        moved = deadlines->first[phase];
        http_deadline_move(deadlines, moved, phase);
    }
}
