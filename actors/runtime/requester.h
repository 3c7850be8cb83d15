// SPDX-License-Identifier: Apache-2.0
// The edge's side of the bus, over one link a broker: which broker gets a request, how long it
// waits for credit, when it is sent again, and that each ends with exactly one answer. Pure: the
// port performs the effects, time is a parameter. All memory is taken by requester_new.
//
// A request is HELD (no credit yet, CREDIT_HOLD_MS at most) or SENT (through one broker). It is
// sent again, ATTEMPTS_MAX sends in all and within its budget, when its broker is lost, when its
// broker falls silent and it is a read, and on an answer LOST or UNAVAILABLE. The first other
// answer of any attempt ends it; later ones are dropped. Where an attempt may have been carried
// out, a refusal of a later one ("nothing was done") is reported as STATUS_LOST.
//
// A request that an actor was lost with is a suspect from then on: it goes with FLAG_SUSPECT
// through the first broker that takes it (all edges have them in the same order), and that broker
// gives it to an actor that has no other suspect. If that one is lost, too, the request is poison:
// it ends with STATUS_POISON, and so does every equal one for a while (quarantine.h). An actor that
// hung may have been stopped by anything: what it had goes with FLAG_GROUPED first, and alone when
// a group of several is lost. The last attempt of a suspect always goes alone.
#pragma once
#include "link.h"

// What goes out. body is copied.
struct outgoing {
    const struct operation *operation;
    struct uuid tenant; // zero where the operation needs none
    const uint8_t *key; // 16 bytes, or NULL: made from session and correlation
    const uint8_t *trace; // 25 bytes, or NULL: zero
    struct text body;
    void *request; // given back with the answer
    uint16_t flags; // FLAG_KEEP, FLAG_EXPANDS; the others are set here
    uint64_t *ret_held_us; // may be NULL; with STATUS_QUARANTINED: how much longer
};

// How a request ended. Valid until the callback returns.
struct answer {
    enum status status;
    uint32_t retry_after_us;
    struct reply_block block; // zero where no actor answered
    uint64_t sent_us; // when the request first left this edge; 0: never
    uint32_t sends; // 0: never
    struct text body; // of a success its document, compressed or not (document.h), of a failure
                      // failure_encode; may be empty (a failure without field errors)
};

// A request that cost two actors; one on trial, a further one.
struct poison {
    uint16_t operation;
    struct uuid tenant;
    const uint8_t *trace; // TRACE_BYTES
    const char *first_actor; // their names; "": on trial
    const char *last_actor;
    uint32_t quarantine_s; // so long equal ones are refused
};

// Effects. send: false means the connection is gone, the requester acts on it at its next tick or
// receive. send copies both texts into one frame. No callback may call requester_free; answer may
// call requester_request and requester_cancel.
struct requester_port {
    void *context;
    bool (*send)(void *context, uint32_t broker, struct text head, struct text body);
    void (*redial)(void *context, uint32_t broker); // drop the connection, dial anew
    void (*answer)(void *context, void *request, const struct answer *answer);
    void (*event)(void *context, const struct envelope *envelope, struct text body); // or GAP
    void (*poison)(void *context, const struct poison *poison); // found; may be NULL
    // Subscriptions begin anew. alone: no other broker is heard, so events may have been missed.
    void (*welcomed)(void *context, uint32_t broker, bool alone); // may be NULL
    // It goes on asking, seldom. Told now and then; may be NULL.
    void (*refused)(void *context, uint32_t broker, const struct refusal *refusal);
};

struct requester_options {
    const char *name;
    enum session_role role; // ROLE_EDGE or ROLE_BRIDGE
    uint64_t session; // random, never 0: of this process's life
    uint64_t process; // pid
    uint32_t broker_count; // 1 to BROKERS_MAX
};

struct requester_counters {
    uint64_t requests, answers, resends, cancels, held, refused, late_replies, malformed;
    uint64_t expired, links_lost, events;
    uint64_t poisoned, quarantined; // found to be poison; refused because an equal one was
    uint32_t in_flight, waiting; // gauges; waiting is for credit
    uint64_t bytes; // gauge: of frames kept to be sent again, rounded up
    uint32_t links_up;
    int64_t credit[LANE_COUNT]; // requests that all brokers together would still take
};

struct requester;

struct requester *requester_new(const struct requester_options *options,
                                const struct requester_port *port, uint64_t now_us);
struct requester *requester_free(struct requester *requester); // accepts NULL, returns NULL

// What the shell's sockets tell. After disconnected the shell goes on dialing by itself.
void requester_connected(struct requester *requester, uint32_t broker, uint64_t now_us);
void requester_disconnected(struct requester *requester, uint32_t broker, uint64_t now_us);
void requester_receive(struct requester *requester, uint32_t broker, struct text frame,
                       uint64_t now_us);

// To be called when requester_next_us is reached.
void requester_tick(struct requester *requester, uint64_t now_us);
uint64_t requester_next_us(const struct requester *requester);

// Sends or holds; exactly one answer follows, never from inside this call. STATUS_BUSY: the table
// or its memory is full, or it drains; no answer follows. STATUS_TOO_LARGE: the body.
// STATUS_QUARANTINED: an equal one was poison, nothing was begun; no answer follows.
MUST_USE enum status requester_request(struct requester *requester, const struct outgoing *outgoing,
                                       uint64_t now_us, uint64_t *ret_correlation);

// No answer follows any more; an unknown correlation is ignored.
void requester_cancel(struct requester *requester, uint64_t correlation);

// To one open broker, or to all. False: none is open.
bool requester_publish(struct requester *requester, uint16_t operation, struct uuid channel,
                       struct text body, bool all_brokers);

// Tells all open brokers; after each `welcomed` the owner subscribes again. CHANNELS_MAX a call.
void requester_subscribe(struct requester *requester, const struct uuid *channels, uint32_t count);
void requester_unsubscribe(struct requester *requester, const struct uuid *channels,
                           uint32_t count);

// Dials that broker anew as soon as all it was asked is answered; meanwhile others are asked. At
// once where there is no other.
void requester_retire(struct requester *requester, uint32_t broker, uint64_t now_us);
enum link_state requester_link(const struct requester *requester, uint32_t broker);

// No new requests; drained when the last is answered and the goodbyes are sent.
void requester_drain(struct requester *requester, uint64_t now_us);
bool requester_drained(const struct requester *requester);

// Brokers that take work and have actors.
uint32_t requester_links(const struct requester *requester);

// Whether a broker that takes work has an actor of each of these roles (bits of enum session_role);
// one of a build that does not tell roles: has any actor.
bool requester_is_served(const struct requester *requester, uint64_t roles);
void requester_count(const struct requester *requester, struct requester_counters *ret_counters);

struct requester_request_view {
    uint64_t session, correlation, deadline_us;
    uint16_t operation;
    struct uuid tenant;
    uint8_t trace[TRACE_BYTES];
    uint8_t sends; // so far
    bool held; // waits for credit
};
// The next request without an answer, in no order; cursor is 0 at first. False past the last.
bool requester_look(const struct requester *requester, uint32_t *cursor,
                    struct requester_request_view *ret_view);
