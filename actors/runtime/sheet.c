// SPDX-License-Identifier: Apache-2.0
#include "sheet.h"

#include <stdarg.h>
#include <stdio.h>

enum { ARENA_SPARE_BYTES = 1024 };

void sheet_begin(struct sheet *sheet, struct arena *arena) {
    *sheet = (struct sheet){.overflow = true};
    size_t left = arena->capacity - arena->used;
    if (left <= 2 * ARENA_SPARE_BYTES)
        return;
    sheet->capacity = (uint32_t)MIN(left - ARENA_SPARE_BYTES, UINT32_MAX);
    sheet->bytes = arena_take(arena, sheet->capacity);
    sheet->overflow = sheet->bytes == NULL;
}

void sheet_print(struct sheet *sheet, const char *format, ...) {
    if (sheet->overflow)
        return;
    size_t room = sheet->capacity - sheet->length;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(sheet->bytes + sheet->length, room, format, arguments);
    va_end(arguments);
    ASSERT(length >= 0);
    if ((size_t)length >= room)
        sheet->overflow = true;
    else
        sheet->length += (uint32_t)length;
}

void sheet_quoted(struct sheet *sheet, const char *text) {
    sheet_print(sheet, "\"");
    for (; *text != '\0'; text++) {
        bool printable = *text >= 0x20 && *text < 0x7f;
        bool escaped = *text == '"' || *text == '\\';
        sheet_print(sheet, "%s%c", escaped ? "\\" : "", printable ? *text : '?');
    }
    sheet_print(sheet, "\"");
}

struct text sheet_end(const struct sheet *sheet) {
    if (sheet->overflow)
        return (struct text){0};
    return (struct text){sheet->bytes, sheet->length};
}
