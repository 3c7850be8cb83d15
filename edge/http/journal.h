// SPDX-License-Identifier: Apache-2.0
// What is kept of requests that have ended: all are counted (traffic.h); those an operator will be
// asked about (they failed, were slow or had to be sent again) have a line in the log each, at most
// NOTABLE_LINES_MAX a second, and as many again of those that were refused before anything was
// begun; the sampled ones go to the collector.
#pragma once
#include "collector.h"
#include "traffic.h"

struct journal;

struct journal_options {
    const char *const *route_names; // borrowed
    uint32_t route_count;
    bool every_request; // a line for each at DEBUG
    struct collector *collector; // borrowed; NULL: there is none
};

struct journal *journal_new(const struct journal_options *options); // NULL when memory is short
struct journal *journal_free(struct journal *journal); // accepts NULL, returns NULL

void journal_add(struct journal *journal, const struct ended *ended);
void journal_metrics(const struct journal *journal, struct metrics *metrics);
