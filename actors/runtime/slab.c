// SPDX-License-Identifier: Apache-2.0
// A buddy allocator: a block of order n has 256 << n bytes and begins at a multiple of its size;
// its buddy differs in that one bit. `orders` marks where blocks begin; a free one is marked with
// the high bit and linked.
#include "slab.h"

#include <sys/mman.h>

enum { FREE_MARK = 0x80 };
#define NONE UINT32_MAX

static uint32_t order_of(uint32_t size) {
    uint32_t units = (size + SLAB_BLOCK_BYTES_MIN - 1) / SLAB_BLOCK_BYTES_MIN;
    return units <= 1 ? 0 : 32 - (uint32_t)__builtin_clz(units - 1);
}

static void block_push(struct slab *slab, uint32_t block, uint32_t order) {
    slab->orders[block] = (uint8_t)(FREE_MARK | order);
    slab->previous[block] = NONE;
    slab->next[block] = slab->free[order];
    if (slab->free[order] != NONE)
        slab->previous[slab->free[order]] = block;
    slab->free[order] = block;
}

static void block_unlink(struct slab *slab, uint32_t block, uint32_t order) {
    uint32_t next = slab->next[block];
    uint32_t previous = slab->previous[block];
    if (previous == NONE)
        slab->free[order] = next;
    else
        slab->next[previous] = next;
    if (next != NONE)
        slab->previous[next] = previous;
}

void slab_init(struct slab *slab, uint64_t capacity) {
    uint64_t largest = (uint64_t)SLAB_BLOCK_BYTES_MIN << (SLAB_ORDERS - 1);
    ASSERT(capacity > 0 && capacity % largest == 0);
    uint32_t blocks = (uint32_t)(capacity / SLAB_BLOCK_BYTES_MIN);
    *slab = (struct slab){
        .memory = mmap(NULL, capacity, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0),
        .orders = calloc(blocks, 1),
        .next = malloc(blocks * sizeof(uint32_t)),
        .previous = malloc(blocks * sizeof(uint32_t)),
        .blocks = blocks,
        .capacity = capacity,
    };
    ASSERT(slab->memory != MAP_FAILED && slab->orders != NULL);
    ASSERT(slab->next != NULL && slab->previous != NULL);
    for (uint32_t order = 0; order < SLAB_ORDERS; order++)
        slab->free[order] = NONE;
    for (uint32_t block = blocks; block > 0; block -= 1U << (SLAB_ORDERS - 1))
        block_push(slab, block - (1U << (SLAB_ORDERS - 1)), SLAB_ORDERS - 1);
}

void slab_deinit(struct slab *slab) {
    (void)munmap(slab->memory, slab->capacity);
    free(slab->orders);
    free(slab->next);
    free(slab->previous);
    *slab = (struct slab){0};
}

char *slab_take(struct slab *slab, uint32_t size) {
    uint32_t order = order_of(size);
    uint32_t found = order;
    while (found < SLAB_ORDERS && slab->free[found] == NONE)
        found++;
    if (found >= SLAB_ORDERS)
        return NULL;
    uint32_t block = slab->free[found];
    block_unlink(slab, block, found);
    while (found > order) {
        found--;
        block_push(slab, block + (1U << found), found);
    }
    slab->orders[block] = (uint8_t)order;
    slab->used_bytes += (uint64_t)SLAB_BLOCK_BYTES_MIN << order;
    return slab->memory + (size_t)block * SLAB_BLOCK_BYTES_MIN;
}

void slab_give(struct slab *slab, char *memory) {
    if (memory == NULL)
        return;
    uint32_t block = (uint32_t)((size_t)(memory - slab->memory) / SLAB_BLOCK_BYTES_MIN);
    uint32_t order = slab->orders[block];
    ASSERT(block < slab->blocks && order < SLAB_ORDERS);
    slab->used_bytes -= (uint64_t)SLAB_BLOCK_BYTES_MIN << order;
    while (order < SLAB_ORDERS - 1) {
        uint32_t buddy = block ^ 1U << order;
        if (slab->orders[buddy] != (FREE_MARK | order))
            break;
        block_unlink(slab, buddy, order);
        slab->orders[MAX(block, buddy)] = 0;
        block = MIN(block, buddy);
        order++;
    }
    block_push(slab, block, order);
}
