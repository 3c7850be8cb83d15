// SPDX-License-Identifier: Apache-2.0
// What the edge counts: answers by route and status, and how long they took.
#pragma once
#include "metrics.h"
#include "operation.h"

struct traffic;

struct traffic *traffic_new(uint32_t route_count); // NULL when memory is short
struct traffic *traffic_free(struct traffic *traffic); // accepts NULL, returns NULL

// route is an index below route_count; anything else counts as "none".
void traffic_count(struct traffic *traffic, uint32_t route, enum status status,
                   uint64_t duration_us);

// names[i] is route i's.
void traffic_write(const struct traffic *traffic, const char *const *names,
                   struct metrics *metrics);
