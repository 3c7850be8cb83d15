// SPDX-License-Identifier: Apache-2.0
#include "http_bodies.h"

#include <sys/mman.h>

enum { BYTES_KEPT = 16 << 10 }; // of a block given back; the rest goes back to the system

struct http_bodies {
    char *memory;
    uint32_t count;
    uint32_t bytes_each;
    uint32_t free_count;
    uint32_t free[]; // stack of indexes
};

struct http_bodies *http_bodies_new(uint32_t count, uint32_t bytes_each) {
    struct http_bodies *bodies = calloc(1, sizeof *bodies + count * sizeof bodies->free[0]);
    if (bodies == NULL)
        return NULL;
    *bodies = (struct http_bodies){.count = count, .bytes_each = bytes_each};
    // Address space only: a page is real once a body was written to it.
    bodies->memory = mmap(NULL, (size_t)count * bytes_each, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (bodies->memory == MAP_FAILED) {
        free(bodies);
        return NULL;
    }
    for (uint32_t i = count; i > 0; i--)
        bodies->free[bodies->free_count++] = i - 1;
    return bodies;
}

struct http_bodies *http_bodies_free(struct http_bodies *bodies) {
    if (bodies == NULL)
        return NULL;
    (void)munmap(bodies->memory, (size_t)bodies->count * bodies->bytes_each); // is mapped
    free(bodies);
    return NULL;
}

char *http_bodies_take(struct http_bodies *bodies) {
    if (bodies->free_count == 0)
        return NULL;
    return bodies->memory + (size_t)bodies->free[--bodies->free_count] * bodies->bytes_each;
}

void http_bodies_give_back(struct http_bodies *bodies, char *block, uint64_t used) {
    size_t size = bodies->bytes_each;
    if (used > BYTES_KEPT && size > BYTES_KEPT)
        (void)madvise(block + BYTES_KEPT, size - BYTES_KEPT, MADV_DONTNEED); // or stays resident
    bodies->free[bodies->free_count++] = (uint32_t)((size_t)(block - bodies->memory) / size);
}
