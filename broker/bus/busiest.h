// SPDX-License-Identifier: Apache-2.0
// Who sends the most: an estimate, in constant time a request and without a row a tenant. Pure.
//
// Each slot is held by one tenant; another that falls into it wears the holder's count down and
// takes the slot over when nothing is left, so the busiest of a slot stays. Counts fade by an
// eighth a second: a rate is the mean of about the last eight seconds.
#pragma once
#include "text.h"

enum { BUSIEST_SLOTS = 256, BUSIEST_TOLD = 10 };

struct busiest { // zero-initialized
    struct busiest_slot {
        uint64_t tenant[2];
        uint32_t count; // of BUSIEST_ONE each
    } slots[BUSIEST_SLOTS];
};

struct busiest_view {
    struct uuid tenant;
    double per_second;
};

void busiest_add(struct busiest *busiest, struct uuid tenant);
void busiest_second_passed(struct busiest *busiest);

// Most first; returns how many there are, BUSIEST_TOLD at most.
uint32_t busiest_look(const struct busiest *busiest, struct busiest_view ret_views[BUSIEST_TOLD]);
