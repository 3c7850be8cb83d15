// SPDX-License-Identifier: Apache-2.0
// How many requests may be with one set of actors, in their hands and in the queue before them:
// as many as they answer in LIMIT_TARGET_US (Little's law), so that one that is taken is answered
// in about that time. Pure arithmetic; who has to go is overload.c's choice.
//
// What the actors can do shows only while something waits for them. So a queue is measured, in
// periods, from the request that found none on; one that is empty for less than a period, as when
// a whole batch is answered, is still the same. The limit follows the best of the last
// periods: it grows with the first better one, and one bad period lowers nothing. It holds only
// after two periods in which more came than was answered, until one in which that is not so: a
// burst, or a backlog that a fault has left behind, drains by itself. One period is enough where
// several times as much came as was answered all the while: whoever is not refused in his first
// 100 ms stays, and what gathers in 100 ms of such a flood is seconds of work. Actors that answer
// nothing for long stand still, which is for heartbeats to judge; those that do so again and again
// are slow, and each stillness is then a period like others.
#pragma once
#include "contract.h"

enum {
    LIMIT_TARGET_US = 100000,
    LIMIT_PERIOD_US = 40000,
    LIMIT_PERIODS = 8, // remembered
    LIMIT_GROSS = 4, // times what was answered: a flood ...
    LIMIT_STEADY_US = 20000, // ... if there was no longer pause between answers
    LIMIT_STILL_US = 250000, // without an answer, once: nothing measured before it counts
};

struct limit {
    uint64_t began_us; // of the period; 0: nothing ever came
    uint64_t queued_us; // when something waited last
    uint64_t answered_us; // when there was an answer last, or the queue began
    uint64_t pause_us; // the longest between answers of the period
    bool slow; // nothing was answered for so long before the period or at its end
    uint32_t arrived; // in the period
    uint32_t answered;
    uint32_t capacities[LIMIT_PERIODS]; // answers in a target time, as measured
    uint32_t periods; // measured
    uint32_t pressed; // periods in a row in which more came than was answered
};

// A request comes, whether it is taken or not. queue: others wait.
void limit_arrive(struct limit *limit, bool queue, uint64_t now_us);

// One of them was answered by an actor. True: that ended a period.
bool limit_answer(struct limit *limit, uint64_t now_us);

// How many there may be. UINT32_MAX: as many as come. window: what the actors take in hand; a
// quarter more is always welcome, so that no limit leaves them idle and measures that.
uint32_t limit_most(const struct limit *limit, uint32_t window);
