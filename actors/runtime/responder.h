// SPDX-License-Identifier: Apache-2.0
// An actor's side of the bus, over one link a broker: it announces its operations, grants each
// broker its window, hands deliveries to its owner and takes the replies back. Pure: the port
// performs the effects, time is a parameter. No allocation after responder_new.
//
// Credit is absolute: a broker may have sent `received - in hand + window` requests in all. It
// stands in every reply and heartbeat. After a pause nothing is granted until what is read is
// known to be new. A reply leaves through the broker that delivered, or, when that one is gone,
// through any open one; without any it is dropped (the edge sends again).
#pragma once
#include "link.h"

// A message for an actor. Valid until the callback returns, body included.
struct delivery {
    struct envelope envelope;
    struct text body;
    uint64_t received_us;
    uint64_t deadline_us; // received + remaining budget
    uint8_t broker; // that delivered it
};

// What is needed to answer later. Copied out of the delivery.
struct return_address {
    uint64_t session;
    uint64_t correlation;
    struct uuid tenant;
    uint64_t received_us;
    uint16_t flags; // of the request
    uint8_t lane;
    uint8_t attempt;
    uint8_t broker;
};

// Effects; see requester_port. deliver may reply at once.
struct responder_port {
    void *context;
    bool (*send)(void *context, uint32_t broker, struct text head, struct text body);
    void (*redial)(void *context, uint32_t broker);
    void (*deliver)(void *context, const struct delivery *delivery);
    // False: no broker is greeted yet, so none gives work. Asked every millisecond until it is true
    // once, but for no longer than GREET_MS_MAX. NULL: always.
    bool (*ready)(void *context);
    void (*cancel)(void *context, uint64_t session, uint64_t correlation); // may be NULL
    // An event or GAP; may be NULL.
    void (*event)(void *context, const struct envelope *envelope, struct text body);
    // alone: no other broker is heard, so events may have been missed.
    void (*welcomed)(void *context, uint32_t broker, bool alone); // may be NULL
    // It goes on asking, seldom. Told now and then; may be NULL.
    void (*refused)(void *context, uint32_t broker, const struct refusal *refusal);
};

struct responder_options {
    const char *name;
    enum session_role role;
    uint64_t instance; // random, never 0: of this process's life
    uint64_t process; // pid
    uint32_t broker_count; // 1 to BROKERS_MAX
    uint32_t window; // messages accepted from each broker
    const uint16_t *operations; // at most SERVED_MAX
    uint32_t operation_count;
};

struct responder_counters {
    uint64_t deliveries, replies, replies_elsewhere, replies_dropped, expired, cancels, malformed;
    uint64_t overdrawn, links_lost, events; // overdrawn: requests beyond the window; all served
    uint32_t in_hand, links_up; // gauges
};

struct responder;

struct responder *responder_new(const struct responder_options *options,
                                const struct responder_port *port, uint64_t now_us);
struct responder *responder_free(struct responder *responder); // accepts NULL, returns NULL

void responder_connected(struct responder *responder, uint32_t broker, uint64_t now_us);
void responder_disconnected(struct responder *responder, uint32_t broker, uint64_t now_us);
void responder_receive(struct responder *responder, uint32_t broker, struct text frame,
                       uint64_t now_us);
void responder_tick(struct responder *responder, uint64_t now_us);
uint64_t responder_next_us(const struct responder *responder);

struct return_address responder_return_address(const struct delivery *delivery);

// Each delivery is answered exactly once; that gives its credit back.
void responder_reply(struct responder *responder, const struct return_address *address,
                     enum status status, uint32_t retry_after_us, const struct reply_block *block,
                     struct text body);

// True for a delivery that was in hand while this process stood still for SUSPECT_MS or longer, or
// when the connection it came by was lost: its sender may have been told that it is lost. One whose
// work has not begun is to be answered STATUS_UNAVAILABLE instead of being begun.
bool responder_is_stale(const struct responder *responder, const struct return_address *address,
                        uint64_t now_us);

// As requester_publish.
bool responder_publish(struct responder *responder, uint16_t operation, struct uuid channel,
                       struct text body, bool all_brokers);

// Dials that broker anew as soon as it sends no more and has all answers.
void responder_retire(struct responder *responder, uint32_t broker, uint64_t now_us);
enum link_state responder_link(const struct responder *responder, uint32_t broker);

// No new work, please. Drained when every open broker has confirmed, the last delivery is answered
// and the goodbyes are sent.
void responder_drain(struct responder *responder, uint64_t now_us);
bool responder_drained(const struct responder *responder);

uint32_t responder_links(const struct responder *responder); // brokers that are open
void responder_count(const struct responder *responder, struct responder_counters *ret_counters);
