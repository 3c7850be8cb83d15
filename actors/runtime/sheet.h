// SPDX-License-Identifier: Apache-2.0
// One text written piece by piece into what an arena has left: metrics, the answers of `top`. What
// does not fit makes the whole sheet fail at its end, so pieces need no checks.
#pragma once
#include "arena.h"

struct sheet {
    char *bytes;
    uint32_t length;
    uint32_t capacity;
    bool overflow;
};

// Takes what the arena has left, but 1 KiB.
void sheet_begin(struct sheet *sheet, struct arena *arena);
void sheet_print(struct sheet *sheet, const char *format, ...) PRINTF_LIKE(2, 3);

// A JSON string of it; bytes that are not printable ASCII become '?'.
void sheet_quoted(struct sheet *sheet, const char *text);

// bytes == NULL when it did not fit.
struct text sheet_end(const struct sheet *sheet);
