// SPDX-License-Identifier: Apache-2.0
// A fixed region from which frames of any size are lent: the memory of queued and pending
// messages. Buddy blocks from 256 bytes to 2 MiB, so a frame is contiguous and nothing fragments
// for good; take and give cost a few nanoseconds and never ask the system.
#pragma once
#include "contract.h"

enum { SLAB_BLOCK_BYTES_MIN = 256, SLAB_ORDERS = 14 }; // 256 << 13 = 2 MiB

struct slab {
    char *memory;
    uint8_t *orders; // where a block begins: its order, and whether it is free
    uint32_t *next; // of free blocks, by index of their first minimal block
    uint32_t *previous;
    uint32_t free[SLAB_ORDERS]; // heads
    uint32_t blocks;
    uint64_t used_bytes; // lent, as rounded up
    uint64_t capacity; // bytes
};

// capacity is a multiple of 2 MiB. Memory is touched only as it is lent.
void slab_init(struct slab *slab, uint64_t capacity);
void slab_deinit(struct slab *slab);

// NULL when no block of that size is left.
MUST_USE char *slab_take(struct slab *slab, uint32_t size);
void slab_give(struct slab *slab, char *block); // accepts NULL
