// SPDX-License-Identifier: Apache-2.0
// Prometheus pages of many processes -> one: each family once, with its first HELP and TYPE and the
// samples of all processes together, as the text format demands. Pure.
#pragma once
#include "arena.h"

struct metrics_source {
    const char *process;
    struct text page; // bytes == NULL: it gave none
};

// Begins with valorize_up, 1 or 0 a process. Lines before a page's first HELP or TYPE are left out;
// a page that does not end with a line end (its process died over it) counts as none.
// bytes == NULL: the arena is full, or METRICS_FAMILIES_MAX families are not enough.
MUST_USE struct text metrics_merge(const struct metrics_source *sources, uint32_t count,
                                   struct arena *arena);
