// SPDX-License-Identifier: Apache-2.0
// A fixed region from which frames of any size are lent: the memory of queued and pending
// messages. A frame is contiguous, rounded up to 64 bytes and costs one byte in 64 beside that;
// pieces given back are joined with their free neighbours. Take and give cost some nanoseconds
// and never ask the system.
#pragma once
#include "contract.h"

enum { SLAB_UNIT_BYTES = 64, SLAB_CLASSES = 64 };

struct slab {
    char *memory;
    uint8_t *marks; // of each unit: whether a free run begins or ends with it
    uint32_t free[SLAB_CLASSES]; // heads of the lists of free runs, by their length
    uint64_t classes; // bits: whose list is not empty
    uint32_t units;
    uint32_t fresh; // units from here on were never lent
    uint64_t used_bytes; // lent, as rounded up
    uint64_t capacity; // bytes
};

// capacity is a multiple of 64 bytes. Memory is touched only as it is lent.
void slab_init(struct slab *slab, uint64_t capacity);
void slab_deinit(struct slab *slab);

// NULL when no piece of that size is left.
MUST_USE char *slab_take(struct slab *slab, uint32_t size);
void slab_give(struct slab *slab, char *memory, uint32_t size); // as it was taken; accepts NULL
