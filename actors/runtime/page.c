// SPDX-License-Identifier: Apache-2.0
#include "page.h"

#include <stdarg.h>
#include <stdio.h>

enum { ARENA_SPARE_BYTES = 1024 };

void page_begin(struct page *page, struct arena *arena) {
    *page = (struct page){.overflow = true};
    size_t left = arena->capacity - arena->used;
    if (left <= 2 * ARENA_SPARE_BYTES)
        return;
    page->capacity = (uint32_t)MIN(left - ARENA_SPARE_BYTES, UINT32_MAX);
    page->bytes = arena_take(arena, page->capacity);
    page->overflow = page->bytes == NULL;
}

void page_print(struct page *page, const char *format, ...) {
    if (page->overflow)
        return;
    size_t room = page->capacity - page->length;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(page->bytes + page->length, room, format, arguments);
    va_end(arguments);
    ASSERT(length >= 0);
    if ((size_t)length >= room)
        page->overflow = true;
    else
        page->length += (uint32_t)length;
}

void page_quoted(struct page *page, const char *text) {
    page_print(page, "\"");
    for (; *text != '\0'; text++) {
        bool printable = *text >= 0x20 && *text < 0x7f;
        bool escaped = *text == '"' || *text == '\\';
        page_print(page, "%s%c", escaped ? "\\" : "", printable ? *text : '?');
    }
    page_print(page, "\"");
}

struct text page_end(const struct page *page) {
    if (page->overflow)
        return (struct text){0};
    return (struct text){page->bytes, page->length};
}
