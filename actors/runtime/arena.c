// SPDX-License-Identifier: Apache-2.0
#include "arena.h"

#include <stdarg.h>
#include <stdio.h>

enum { ALIGNMENT = 16 };

void arena_init(struct arena *arena, size_t capacity) {
    *arena = (struct arena){.memory = malloc(capacity), .capacity = capacity};
    ASSERT(arena->memory != NULL);
}

void arena_deinit(struct arena *arena) {
    free(arena->memory);
    *arena = (struct arena){0};
}

void arena_reset(struct arena *arena) {
    arena->used = 0;
    arena->overflow = false;
}

void *arena_take(struct arena *arena, size_t size) {
    size_t start = (arena->used + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    if (start > arena->capacity || size > arena->capacity - start) {
        arena->overflow = true;
        return NULL;
    }
    arena->used = start + size;
    return arena->memory + start;
}

void *arena_take_zeroed(struct arena *arena, size_t size) {
    void *memory = arena_take(arena, size);
    return memory == NULL ? NULL : memset(memory, 0, size);
}

struct text arena_copy(struct arena *arena, struct text source) {
    char *copy = arena_take(arena, (size_t)source.length + 1);
    if (copy == NULL)
        return (struct text){0};
    if (source.length > 0)
        memcpy(copy, source.bytes, source.length);
    copy[source.length] = '\0';
    return (struct text){copy, source.length};
}

struct text arena_format(struct arena *arena, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    va_list measured;
    va_copy(measured, arguments);
    int length = vsnprintf(NULL, 0, format, measured);
    va_end(measured);
    ASSERT(length >= 0);
    char *bytes = arena_take(arena, (size_t)length + 1);
    if (bytes != NULL)
        (void)vsnprintf(bytes, (size_t)length + 1, format, arguments); // fits: just measured
    va_end(arguments);
    return (struct text){bytes, bytes == NULL ? 0 : (uint32_t)length};
}
