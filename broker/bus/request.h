// SPDX-License-Identifier: Apache-2.0
// The requests a broker is answerable for: 64 bytes each, found by (session, correlation,
// attempt). Queued ones have their frame in the slab; of dispatched ones no frame is kept.
#pragma once
#include "limits.h"
#include "slab.h"

enum {
    REQUESTS_MAX = BROKER_MESSAGES_MAX + BROKER_IN_FLIGHT_MAX,
    REQUEST_BUCKETS = 2 * REQUESTS_MAX,
    NO_ACTOR = 0xff,
};
#define NO_INDEX UINT32_MAX // of a request or flow

enum request_state { REQUEST_FREE, REQUEST_QUEUED, REQUEST_DISPATCHED };

struct request {
    uint64_t session;
    uint64_t correlation;
    uint64_t deadline_us;
    uint64_t arrived_us;
    uint32_t frame; // queued: offset in the slab, in its units; dispatched: queue_us
    uint32_t length;
    uint32_t flow;
    uint32_t next; // in the flow's queue, or of the free ones
    uint32_t previous;
    uint32_t bucket_next;
    uint16_t operation;
    uint16_t edge; // peer, or NO_PEER: gone
    uint8_t actor; // dispatched: slot
    uint8_t attempt;
    uint8_t state; // enum request_state
    bool read_only : 1;
    bool suspect : 1; // not to be with another one at an actor,
    bool grouped : 1; // but with SUSPECTS_MAX - 1 of its kind
    bool unsent : 1; // dispatched, to an actor that was gone already
};
static_assert(sizeof(struct request) == 64, "one cache line each");

// Beside the frames, for all requests there may be.
enum { REQUEST_TABLE_BYTES = REQUESTS_MAX * 64 + REQUEST_BUCKETS * 4 };
static_assert(BROKER_QUEUE_MB_MIN * 1048576 > REQUEST_TABLE_BYTES + 2 * FRAME_BYTES_MAX,
              "there is memory for the longest frame");

struct request_pool {
    struct request *requests; // REQUESTS_MAX
    uint32_t *buckets;
    uint32_t free;
    uint32_t used;
    uint32_t high; // no index from here on was ever used
    uint32_t queued;
    uint32_t dispatched;
    uint64_t queued_bytes;
    uint64_t bytes_max; // of memory, records included
    struct slab slab;
};

// bytes: of memory for what is queued, records included.
void request_pool_init(struct request_pool *pool, uint64_t bytes);
void request_pool_deinit(struct request_pool *pool);

// A slot under that name; the caller sets the rest, state included. NULL when all are in use.
MUST_USE struct request *request_take(struct request_pool *pool, uint64_t session,
                                      uint64_t correlation, uint8_t attempt);
void request_give(struct request_pool *pool, struct request *request);
struct request *request_find(const struct request_pool *pool, uint64_t session,
                             uint64_t correlation, uint8_t attempt);

// Copies the frame of a request that has to wait. False when the memory is full.
MUST_USE bool request_keep_frame(struct request_pool *pool, struct request *request,
                                 const char *frame, uint32_t length);
char *request_frame(const struct request_pool *pool, const struct request *request);
void request_drop_frame(struct request_pool *pool, struct request *request);

static inline uint32_t request_index(const struct request_pool *pool,
                                     const struct request *request) {
    return (uint32_t)(request - pool->requests);
}
