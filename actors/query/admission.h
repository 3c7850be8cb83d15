// SPDX-License-Identifier: Apache-2.0
// Which pages are worth keeping: those that were asked for before, not long ago. A page that is
// asked for once would cost more to keep than to make, and would push others out of Redis.
//
// Remembers about ADMISSION_SLOTS ids for one to two times CACHE_PAGE_MS; an id that shares a slot
// and 32 bits with another is admitted early, one whose slot was taken is admitted late. Pure.
#pragma once
#include "cache.h"

enum { ADMISSION_SLOTS = 1 << 14 };

struct admission {
    uint32_t seen[2][ADMISSION_SLOTS]; // in this period and in the one before
    uint64_t period; // number of this one
};

// Zero-initialized before. True when this id was asked about before.
bool admission_ask(struct admission *admission, const struct cache_id *id, uint64_t now_us);
