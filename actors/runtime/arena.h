// SPDX-License-Identifier: Apache-2.0
// Memory of one message: taken in pieces, given back all at once by arena_reset.
//
// The block is allocated once, at start. When it is full, arena_take returns NULL and the
// overflow flag stays set until the reset, so a sequence of takes may be checked once at its end.
// Never blocks, never grows.
#pragma once
#include "contract.h"
#include "text.h"

struct arena {
    char *memory;
    size_t capacity; // bytes
    size_t used;
    bool overflow;
};

void arena_init(struct arena *arena, size_t capacity);
void arena_deinit(struct arena *arena);
void arena_reset(struct arena *arena);

// size bytes aligned to 16, not zeroed; NULL when the arena is full.
MUST_USE void *arena_take(struct arena *arena, size_t size);

// The same, zeroed.
MUST_USE void *arena_take_zeroed(struct arena *arena, size_t size);

// A copy of the bytes (terminated by a NUL that is not counted); bytes == NULL when full.
MUST_USE struct text arena_copy(struct arena *arena, struct text source);

// Formats into the arena; bytes == NULL when full.
MUST_USE struct text arena_format(struct arena *arena, const char *format, ...) PRINTF_LIKE(2, 3);
