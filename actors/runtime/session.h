// SPDX-License-Identifier: Apache-2.0
// The bus as an edge or an actor sees it: one object that speaks with every broker. It says
// hello, beats, grants and keeps credit, resends what a dead broker or actor had in hand, and
// drains on request. The protocol itself is in link.h, requester.h and responder.h (pure); this
// is their shell over bus_socket.h and loop.h. Nothing here blocks.
#pragma once
#include "failure.h"
#include "keys.h"
#include "loop.h"
#include "metrics.h"
#include "requester.h" // struct outgoing, struct answer
#include "responder.h" // struct delivery, struct return_address

struct session;

struct session_options {
    const char *name; // "query-2"
    const char *brokers; // "ipc:///...,ipc:///..."
    struct keys *keys; // for brokers on tcp; NULL: none. Borrowed, and changed by renewals
    enum session_role role;
    const uint16_t *operations; // served ones; NULL for an edge
    uint32_t operation_count;
    uint32_t window; // messages accepted from each broker; actors only
    void *context; // of all callbacks below
    bool (*ready)(void *context); // actors, see responder.h; NULL: always
    void (*on_delivery)(void *context, const struct delivery *delivery); // actors
    // Actors; NULL: none wants to know. Nobody waits for that delivery any more; it is answered all
    // the same.
    void (*on_cancel)(void *context, uint64_t session, uint64_t correlation);
    void (*on_answer)(void *context, void *request, const struct answer *answer); // edges
    void (*on_poison)(void *context, const struct poison *poison); // edges; a line for operators
    // Events, and GAPs: the broker dropped some of this operation or channel.
    void (*on_event)(void *context, const struct envelope *envelope, struct text body);
    // A broker (again) welcomed us. alone: no other one was heard meanwhile: events may be missed.
    void (*on_connected)(void *context, bool alone);
    void (*on_drained)(void *context); // after session_drain: nothing is left in hand
};

// Strings and operations are borrowed. NULL with errno set: more than BROKERS_MAX brokers, none, or
// an endpoint that makes no sense.
struct session *session_new(struct loop *loop, const struct session_options *options);

// Waits up to 200 ms for the last frames to leave. Accepts NULL, returns NULL.
struct session *session_free(struct session *session);

// True while at least one broker has welcomed us; for edges: and says that actors are there.
bool session_ready(const struct session *session);

// Edge: whether each of these roles has an actor, see requester.h.
bool session_is_served(const struct session *session, uint64_t roles);

// As session_ready, counted: with how many brokers of all it works now.
void session_links(const struct session *session, uint32_t *ret_links, uint32_t *ret_brokers);

// Actor: what is needed to answer later. Copy it out of the delivery.
struct return_address session_return_address(const struct delivery *delivery);

// Actor: each delivery is answered exactly once, which gives its credit back. body is copied.
void session_reply(struct session *session, const struct return_address *address,
                   enum status status, uint32_t retry_after_us, const struct reply_block *block,
                   struct text body);

// Actor: the same with a failure that its status says all about; to be tried again soon.
void session_refuse(struct session *session, const struct return_address *address,
                    enum status status);

// Edge: sends now, or waits up to CREDIT_HOLD_MS for credit, resends within the budget. Exactly
// one on_answer follows, never from inside this call. Every other status is a refusal at once, see
// requester.h: no on_answer follows.
MUST_USE enum status session_request(struct session *session, const struct outgoing *outgoing,
                                     uint64_t *ret_correlation);

// Edge: nobody waits any more. No on_answer follows; the actor is told.
void session_cancel(struct session *session, uint64_t correlation);

// Sends an event (op, channel hash, body) to one live broker, or to all of them.
void session_publish(struct session *session, uint16_t operation, struct uuid channel,
                     struct text body, bool all_brokers);

// No new work; on_drained follows when everything in hand is answered, at most DRAIN_MS later.
void session_drain(struct session *session);

// Actor: true for a delivery whose sender may have been told that it is lost, because this process
// stood still; one whose work has not begun is answered STATUS_UNAVAILABLE instead.
bool session_is_stale(const struct session *session, const struct return_address *address);

// Edge: the answer to "inflight" on the admin socket, see inflight.h.
struct text session_tell_inflight(const struct session *session, struct text line,
                                  struct arena *arena);

// The answer to "keys" on the admin socket, see keys.h. Where the own pair has changed, one
// connection after another is drained and dialed anew with it, so that no request fails. When a
// broker does not let it in, the former pair is used again.
struct text session_renew_keys(struct session *session, struct arena *arena);

// Counters and gauges.
void session_metrics(const struct session *session, struct metrics *metrics);
