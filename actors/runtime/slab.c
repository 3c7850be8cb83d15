// SPDX-License-Identifier: Apache-2.0
// Runs of units: what is lent, what is free, and behind all of them what is fresh. A free run has
// its links and its length in its first unit and its length again in its last, so that a
// neighbour given back finds both its ends; no two free runs are neighbours. Runs of about one
// length (four classes an octave) are on one list.
#include "slab.h"

#include <sys/mman.h>

#define NONE UINT32_MAX
enum { BEGINS = 1, ENDS = 2, TRIES_MAX = 8 };

struct free_run {
    uint32_t length; // in units
    uint32_t next;
    uint32_t previous;
};

static struct free_run *run_at(const struct slab *slab, uint32_t unit) {
    return (struct free_run *)(void *)(slab->memory + (size_t)unit * SLAB_UNIT_BYTES);
}

static uint32_t units_of(uint32_t size) {
    return size == 0 ? 1 : (uint32_t)(((uint64_t)size + SLAB_UNIT_BYTES - 1) / SLAB_UNIT_BYTES);
}

// The class in which a run of that length is.
static uint32_t class_of(uint32_t length) {
    if (length < 4)
        return length;
    uint32_t octave = 31 - (uint32_t)__builtin_clz(length);
    return MIN(4 * (octave - 1) + (length >> (octave - 2) & 3), (uint32_t)SLAB_CLASSES - 1);
}

static void run_link(struct slab *slab, uint32_t unit, uint32_t length) {
    uint32_t class = class_of(length);
    uint32_t head = slab->free[class];
    run_at(slab, unit + length - 1)->length = length;
    *run_at(slab, unit) = (struct free_run){length, head, NONE};
    if (head != NONE)
        run_at(slab, head)->previous = unit;
    slab->free[class] = unit;
    slab->classes |= 1ULL << class;
    slab->marks[unit] |= BEGINS;
    slab->marks[unit + length - 1] |= ENDS;
}

static void run_unlink(struct slab *slab, uint32_t unit) {
    const struct free_run *run = run_at(slab, unit);
    uint32_t class = class_of(run->length);
    if (run->previous == NONE)
        slab->free[class] = run->next;
    else
        run_at(slab, run->previous)->next = run->next;
    if (run->next != NONE)
        run_at(slab, run->next)->previous = run->previous;
    if (slab->free[class] == NONE)
        slab->classes &= ~(1ULL << class);
    slab->marks[unit] = 0;
    slab->marks[unit + run->length - 1] = 0;
}

void slab_init(struct slab *slab, uint64_t capacity) {
    ASSERT(capacity > 0 && capacity % SLAB_UNIT_BYTES == 0);
    uint32_t units = (uint32_t)(capacity / SLAB_UNIT_BYTES);
    *slab = (struct slab){
        .memory = mmap(NULL, capacity, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0),
        .marks = calloc(units, 1),
        .units = units,
        .capacity = capacity,
    };
    ASSERT(slab->memory != MAP_FAILED && slab->marks != NULL);
    for (uint32_t i = 0; i < SLAB_CLASSES; i++)
        slab->free[i] = NONE;
}

void slab_deinit(struct slab *slab) {
    (void)munmap(slab->memory, slab->capacity);
    free(slab->marks);
    *slab = (struct slab){0};
}

// A free run of at least that length, or NONE: of the same class one of the first few that fits,
// else any of a higher class.
static uint32_t run_find(const struct slab *slab, uint32_t length) {
    uint32_t class = class_of(length);
    uint32_t tries = 0;
    for (uint32_t unit = slab->free[class]; unit != NONE && tries < TRIES_MAX; tries++) {
        if (run_at(slab, unit)->length >= length)
            return unit;
        unit = run_at(slab, unit)->next;
    }
    uint64_t higher = class + 1 < SLAB_CLASSES ? slab->classes >> (class + 1) << (class + 1) : 0;
    return higher == 0 ? NONE : slab->free[__builtin_ctzll(higher)];
}

char *slab_take(struct slab *slab, uint32_t size) {
    uint32_t length = units_of(size);
    uint32_t unit = run_find(slab, length);
    if (unit != NONE) {
        uint32_t found = run_at(slab, unit)->length;
        run_unlink(slab, unit);
        if (found > length)
            run_link(slab, unit + length, found - length);
    } else if (length <= slab->units - slab->fresh) {
        unit = slab->fresh;
        slab->fresh += length;
    } else {
        return NULL;
    }
    slab->used_bytes += (uint64_t)length * SLAB_UNIT_BYTES;
    return slab->memory + (size_t)unit * SLAB_UNIT_BYTES;
}

void slab_give(struct slab *slab, char *memory, uint32_t size) {
    if (memory == NULL)
        return;
    uint32_t unit = (uint32_t)((size_t)(memory - slab->memory) / SLAB_UNIT_BYTES);
    uint32_t length = units_of(size);
    ASSERT(unit + length <= slab->fresh && slab->marks[unit] == 0);
    slab->used_bytes -= (uint64_t)length * SLAB_UNIT_BYTES;
    uint32_t end = unit + length;
    if (end < slab->fresh && (slab->marks[end] & BEGINS) != 0) {
        length += run_at(slab, end)->length;
        run_unlink(slab, end);
    }
    if (unit > 0 && (slab->marks[unit - 1] & ENDS) != 0) {
        uint32_t before = run_at(slab, unit - 1)->length;
        unit -= before;
        length += before;
        run_unlink(slab, unit);
    }
    if (unit + length == slab->fresh)
        slab->fresh = unit; // as good as new
    else
        run_link(slab, unit, length);
}
