// SPDX-License-Identifier: Apache-2.0
// See request.h.
#include "request.h"

#include "peer_map.h"

#include <string.h>

static uint32_t bucket_of(uint64_t session, uint64_t correlation, uint8_t attempt) {
    return (uint32_t)(number_mix(session ^ number_mix(correlation) ^ attempt) % REQUEST_BUCKETS);
}

void request_pool_init(struct request_pool *pool, uint64_t bytes) {
    *pool = (struct request_pool){
        .bytes_max = bytes,
        .requests = calloc(REQUESTS_MAX, sizeof *pool->requests),
        .buckets = malloc(REQUEST_BUCKETS * sizeof *pool->buckets),
        .free = NO_INDEX,
    };
    ASSERT(pool->requests != NULL && pool->buckets != NULL);
    for (uint32_t i = 0; i < REQUEST_BUCKETS; i++)
        pool->buckets[i] = NO_INDEX;
    // A byte of each unit tells of it.
    uint64_t units = (bytes - REQUEST_TABLE_BYTES) / (SLAB_UNIT_BYTES + 1);
    slab_init(&pool->slab, units * SLAB_UNIT_BYTES);
}

void request_pool_deinit(struct request_pool *pool) {
    free(pool->requests);
    free(pool->buckets);
    slab_deinit(&pool->slab);
}

struct request *request_take(struct request_pool *pool, uint64_t session, uint64_t correlation,
                             uint8_t attempt) {
    uint32_t index = pool->free;
    if (index != NO_INDEX)
        pool->free = pool->requests[index].next;
    else if (pool->high < REQUESTS_MAX)
        index = pool->high++;
    else
        return NULL;
    uint32_t bucket = bucket_of(session, correlation, attempt);
    struct request *request = &pool->requests[index];
    *request = (struct request){
        .session = session,
        .correlation = correlation,
        .attempt = attempt,
        .actor = NO_ACTOR,
        .bucket_next = pool->buckets[bucket],
    };
    pool->buckets[bucket] = index;
    pool->used++;
    return request;
}

void request_give(struct request_pool *pool, struct request *request) {
    uint32_t index = request_index(pool, request);
    uint32_t bucket = bucket_of(request->session, request->correlation, request->attempt);
    uint32_t *link = &pool->buckets[bucket];
    while (*link != index)
        link = &pool->requests[*link].bucket_next;
    *link = request->bucket_next;
    request->state = REQUEST_FREE;
    request->next = pool->free;
    pool->free = index;
    pool->used--;
}

struct request *request_find(const struct request_pool *pool, uint64_t session,
                             uint64_t correlation, uint8_t attempt) {
    uint32_t index = pool->buckets[bucket_of(session, correlation, attempt)];
    while (index != NO_INDEX) {
        struct request *request = &pool->requests[index];
        if (request->correlation == correlation && request->session == session &&
            request->attempt == attempt)
            return request;
        index = request->bucket_next;
    }
    return NULL;
}

bool request_keep_frame(struct request_pool *pool, struct request *request, const char *frame,
                        uint32_t length) {
    char *copy = slab_take(&pool->slab, length);
    if (copy == NULL)
        return false;
    memcpy(copy, frame, length);
    request->frame = (uint32_t)((size_t)(copy - pool->slab.memory) / SLAB_UNIT_BYTES);
    request->length = length;
    pool->queued_bytes += length;
    return true;
}

char *request_frame(const struct request_pool *pool, const struct request *request) {
    return pool->slab.memory + (size_t)request->frame * SLAB_UNIT_BYTES;
}

void request_drop_frame(struct request_pool *pool, struct request *request) {
    slab_give(&pool->slab, request_frame(pool, request), request->length);
    pool->queued_bytes -= request->length;
}
