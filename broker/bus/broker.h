// SPDX-License-Identifier: Apache-2.0
// The message broker without its sockets: (state, event, now) -> effects. main.c feeds it frames
// and time and performs the effects of its port; the simulator does the same without a network.
// All memory is taken by broker_new. No I/O, no clock, nothing blocks.
//
// A request that is accepted ends with exactly one reply frame to its edge: the actor's, or one of
// the broker's own (STATUS_LOST, EXPIRED, UNAVAILABLE, BUSY, OVER_SHARE). Bodies are never opened
// but those of control frames (control.h).
#pragma once
#include "busiest.h"
#include "control.h"
#include "metrics.h"

// What a connection has proved by its key.
struct broker_proof {
    uint8_t role; // enum session_role
    uint64_t key; // names the key, never 0
};

// Effects. An address names a connection: on a ROUTER socket the five bytes of the routing id as a
// number, never 0. False means the address cannot be reached; the peer is treated as gone when
// the current call ends.
struct broker_port {
    void *context;
    // Sends the very frame that broker_receive was given, as patched; at most once a receive, and
    // nothing touches the frame afterwards, so the shell moves it.
    bool (*send_current)(void *context, uint64_t address);
    // Sends that frame and keeps it: an event with several receivers.
    bool (*send_shared)(void *context, uint64_t address);
    // Sends a copy of these bytes.
    bool (*send)(void *context, uint64_t address, struct text frame);
    // Who the frame is from that broker_receive was given. False: nobody who may be here, or not
    // any more. NULL: nothing is proved here, a hello is believed (sockets of one machine).
    bool (*prove)(void *context, struct broker_proof *ret_proof);
    // A peer said hello that this build cannot work with; what is not known of it is zero. Told now
    // and then; may be NULL.
    void (*refused)(void *context, const struct hello *hello, enum refusal_reason reason);
};

struct broker_options {
    const char *name; // "broker-1"
    uint32_t queue_mb; // memory of what is queued; 0: BROKER_QUEUE_MB
};

struct broker;

struct broker *broker_new(const struct broker_options *options, const struct broker_port *port,
                          uint64_t now_us);
struct broker *broker_free(struct broker *broker); // accepts NULL, returns NULL

// One frame from a connection. The frame is writable and patched in place.
void broker_receive(struct broker *broker, uint64_t address, char *frame, uint32_t length,
                    uint64_t now_us);

// To be called when broker_next_us is reached.
void broker_tick(struct broker *broker, uint64_t now_us);
uint64_t broker_next_us(const struct broker *broker);

// Goaway to all; what is queued goes back as UNAVAILABLE, replies are relayed until the last, at
// most BROKER_DRAIN_MS; then goodbye to all and broker_drained.
void broker_drain(struct broker *broker, uint64_t now_us);
bool broker_drained(const struct broker *broker);

// From now on requests of exactly these operations are refused with STATUS_BUSY, those that wait
// for an actor as well; those that an actor has are answered. Numbers beyond what a broker knows
// are ignored.
void broker_pause(struct broker *broker, const uint16_t *numbers, uint32_t count, uint64_t now_us);
bool broker_is_paused(const struct broker *broker, uint16_t operation);

// That key is trusted no more: sessions that came by it end.
void broker_revoke(struct broker *broker, uint64_t key, uint64_t now_us);

// --- introspection: `valorize top` and metrics -------------------------------------------------
enum broker_cause { // why a message ended here without an actor's answer, or a frame was dropped
    CAUSE_EXPIRED, // in the queue
    CAUSE_UNANSWERED, // dispatched, and long past its deadline
    CAUSE_ACTOR_LOST,
    CAUSE_POISON, // a suspect whose actor died, too
    CAUSE_NO_ACTOR,
    CAUSE_BUSY,
    CAUSE_OVER_SHARE,
    CAUSE_DRAINING,
    CAUSE_CANCELLED, // while queued
    CAUSE_EDGE_LOST, // while queued
    CAUSE_DUPLICATE, // the same attempt twice
    CAUSE_MALFORMED,
    CAUSE_STRANGER, // from a connection that has not said hello
    CAUSE_NOT_ALLOWED, // what its role may not send, another's session, a role that is not its own
    CAUSE_NO_RECEIVER, // a reply whose edge is not here
    CAUSE_EVENT_WINDOW, // an event beyond the receiver's window
    CAUSE_PEERS, // a hello beyond PEERS_MAX
    CAUSE_PAUSED, // its operation is, by an operator
    CAUSE_REFUSED, // a hello of a build that this one does not understand
    CAUSE_UNKNOWN, // a kind of a later build: skipped; a lane or an operation: refused
    CAUSE_COUNT,
};
extern const char *const broker_cause_names[CAUSE_COUNT];

struct broker_lane_view {
    uint32_t queued; // messages waiting
    uint32_t in_flight;
    uint64_t accepted, dispatched, answered; // since the start
    uint64_t queue_us; // sum of the waiting times of the dispatched
    struct histogram took; // from here to an actor and back
};

struct broker_view {
    const char *name;
    uint64_t started_us;
    bool draining;
    uint32_t peers, actors, edges;
    uint32_t tenants; // with messages queued or dispatched
    uint64_t queued_bytes;
    uint64_t queue_bytes_max; // of memory, records included
    uint64_t forwarded_per_s; // requests dispatched in the last whole second
    uint64_t events; // sent
    struct broker_lane_view lanes[LANE_COUNT];
    uint64_t drops[CAUSE_COUNT];
    uint32_t busiest_count;
    struct busiest_view busiest[BUSIEST_TOLD]; // tenants, most first
};
void broker_look(const struct broker *broker, struct broker_view *ret_view);

struct broker_peer_view {
    const char *name; // borrowed until the next call that is not a look
    uint8_t role; // enum session_role
    const char *state; // "up", "suspect", "leaving"; "refused": has no session
    uint64_t process;
    uint64_t silent_us;
    uint32_t window; // actors
    int64_t credit; // actors: requests it would still take; edges: that it may still send
    uint32_t in_flight; // actors: at it; edges: of it, queued or dispatched
    uint32_t queued; // actors: commands that wait for it
    uint64_t event_bytes; // of events, sent to it and not yet known to have arrived
    uint64_t requests, replies; // passed on to it or taken from it
    uint32_t served; // operations
};
// index counts from 0; false past the last.
bool broker_look_peer(const struct broker *broker, uint32_t index, uint64_t now_us,
                      struct broker_peer_view *ret_view);

// What may be with one set of actors at once, waiting or in hand (limit.h).
struct broker_limit_view {
    uint32_t number; // of the set, while the broker lives
    const char *actor; // the name of one of them
    uint8_t role; // of them
    bool alone; // it is the only one: the queue is of commands whose tenants it has
    uint32_t queued, in_flight;
    uint32_t most; // 0: as many as come
    uint64_t refused;
};
// As broker_look_peer.
bool broker_look_limit(const struct broker *broker, uint32_t index,
                       struct broker_limit_view *ret_view);

struct broker_request_view {
    uint64_t session;
    bool dispatched; // else queued
    const char *actor; // name, or NULL
    uint8_t lane, attempt;
    uint64_t age_us;
    int64_t left_us; // of its budget
};
// Where a request is. False: not here. By its correlation alone, any edge's is meant.
bool broker_look_request_of(const struct broker *broker, uint64_t session, uint64_t correlation,
                            uint64_t now_us, struct broker_request_view *ret_view);
bool broker_look_request(const struct broker *broker, uint64_t correlation, uint64_t now_us,
                         struct broker_request_view *ret_view);
