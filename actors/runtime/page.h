// SPDX-License-Identifier: Apache-2.0
// One text written piece by piece into what an arena has left: metrics, the answers of `top`. What
// does not fit makes the whole page fail at its end, so pieces need no checks.
#pragma once
#include "arena.h"

struct page {
    char *bytes;
    uint32_t length;
    uint32_t capacity;
    bool overflow;
};

// Takes what the arena has left, but 1 KiB.
void page_begin(struct page *page, struct arena *arena);
void page_print(struct page *page, const char *format, ...) PRINTF_LIKE(2, 3);

// A JSON string of it; bytes that are not printable ASCII become '?'.
void page_quoted(struct page *page, const char *text);

// bytes == NULL when it did not fit.
struct text page_end(const struct page *page);
