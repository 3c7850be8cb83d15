// SPDX-License-Identifier: Apache-2.0
// `valorize top` as a table for people. Pure.
#pragma once
#include "sheet.h"
#include "top_view.h"

struct top_source { // a broker
    const char *name;
    bool answers; // else it is down, or hangs
    struct top_broker top; // only if it answers
};

// One look at all brokers.
struct top_look {
    uint64_t taken_us;
    uint32_t source_count;
    struct top_source sources[BROKERS_MAX];
    struct top_view view; // of those that answer
};

// Rates are those between the two looks, earlier first.
void top_table_write(struct sheet *sheet, const struct top_look *before,
                     const struct top_look *now);
