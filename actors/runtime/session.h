// SPDX-License-Identifier: Apache-2.0
// The bus as an edge or an actor sees it: one object that speaks with every broker. It says
// hello, beats, grants and keeps credit, resends what a dead broker or actor had in hand, and
// drains on request. The protocol itself is in link.h, requester.h and responder.h (pure); this
// is their shell over bus_socket.h and loop.h. Nothing here blocks.
#pragma once
#include "envelope.h"
#include "failure.h"
#include "loop.h"
#include "operation.h"

enum session_role { ROLE_EDGE = 1, ROLE_QUERY, ROLE_COMMAND, ROLE_TASK, ROLE_BRIDGE };

struct session;

// A message for an actor. Valid until the callback returns, body included.
struct delivery {
    struct envelope envelope;
    struct text body;
    uint64_t received_us;
    uint64_t deadline_us; // received + remaining budget
};

// An answer for an edge. Valid until the callback returns.
struct answer {
    enum status status;
    uint32_t retry_after_us;
    struct reply_block block;
    uint64_t sent_us; // when the request first left this edge
    struct text body; // JSON of a success, failure_encode of a failure
};

struct session_options {
    const char *name; // "query-2"
    const char *brokers; // "ipc:///...,ipc:///..."
    enum session_role role;
    const uint16_t *operations; // served ones; NULL for an edge
    uint32_t operation_count;
    uint32_t window; // messages accepted from each broker; actors only
    void *context; // of all callbacks below
    void (*on_delivery)(void *context, const struct delivery *delivery); // actors
    void (*on_answer)(void *context, void *request, const struct answer *answer); // edges
    void (*on_event)(void *context, const struct envelope *envelope, struct text body);
    void (*on_connected)(void *context); // a broker (again) welcomed us
    void (*on_drained)(void *context); // after session_drain: nothing is left in hand
};

struct session *session_new(struct loop *loop, const struct session_options *options);
struct session *session_free(struct session *session); // accepts NULL, returns NULL

// True while at least one broker has welcomed us; for edges: and says that actors are there.
bool session_ready(const struct session *session);

// Actor: what is needed to answer later. Copy it out of the delivery.
struct return_address {
    uint64_t session;
    uint64_t correlation;
    struct uuid tenant;
    uint64_t received_us;
    uint8_t lane;
    uint8_t broker;
};
struct return_address session_return_address(const struct session *session,
                                             const struct delivery *delivery);

// Actor: each delivery is answered exactly once, which gives its credit back. body is copied.
void session_reply(struct session *session, const struct return_address *address,
                   enum status status, uint32_t retry_after_us, const struct reply_block *block,
                   struct text body);

// Edge: what goes out. body is copied.
struct outgoing {
    const struct operation *operation;
    struct uuid tenant; // zero where the operation needs none
    const uint8_t *key; // 16 bytes, or NULL: made from session and correlation
    const uint8_t *trace; // 25 bytes
    struct text body;
    void *request; // given back with the answer
};

// Edge: sends now, or waits up to CREDIT_HOLD_MS for credit, resends within the budget. Exactly
// one on_answer follows, never from inside this call. STATUS_BUSY: the table is full, no
// on_answer follows.
MUST_USE enum status session_request(struct session *session, const struct outgoing *outgoing,
                                     uint64_t *ret_correlation);

// Edge: nobody waits any more. No on_answer follows; the actor is told.
void session_cancel(struct session *session, uint64_t correlation);

// Sends an event (op, channel hash, body) to one live broker, or to all of them.
void session_publish(struct session *session, uint16_t operation, struct uuid channel,
                     struct text body, bool all_brokers);

// No new work; on_drained follows when everything in hand is answered, at most DRAIN_MS later.
void session_drain(struct session *session);

// Counters and gauges in Prometheus text, appended to the arena.
struct text session_metrics(const struct session *session, struct arena *arena);
