// SPDX-License-Identifier: Apache-2.0
// The dialing ends of one process, one a broker: what requester and responder have in common.
// Greets, beats, publishes and notices broken connections; what a change means for requests is
// its owner's. Pure, as link.h.
#pragma once
#include "link.h"

struct dial_end {
    struct link link;
    bool broken; // a send failed; the owner has not been told yet
    bool retiring; // to be dialed anew when nothing is under way on it
    uint64_t event_bytes; // received on this connection
    uint64_t event_bytes_told;
    uint64_t refused_us; // when the owner was last told that this broker refuses it; 0: never
};

struct dial {
    void *context; // of send and redial
    bool (*send)(void *context, uint32_t broker, struct text head, struct text body);
    void (*redial)(void *context, uint32_t broker);
    void (*refused)(void *context, uint32_t broker, const struct refusal *refusal); // or NULL
    void *owner; // of fill
    void (*fill)(void *owner, uint32_t broker, struct beat *beat); // the owner's counts
    struct hello hello;
    struct dial_end ends[BROKERS_MAX];
    uint32_t count;
    bool closed; // said goodbye: greets nobody any more
};

// The functions and hello are set by the owner before.
void dial_init(struct dial *dial, const char *name, uint32_t count, uint64_t now_us);

// A failed send is remembered and told by dial_run.
void dial_send(struct dial *dial, uint32_t broker, struct text head, struct text body);
void dial_send_beat(struct dial *dial, uint32_t broker, uint8_t kind, uint64_t now_us);
void dial_send_bare(struct dial *dial, uint32_t broker, uint8_t kind);

// To one open broker or all of them; false when none is open.
bool dial_publish(struct dial *dial, uint16_t operation, struct uuid channel, struct text body,
                  bool all_brokers);
void dial_send_channels(struct dial *dial, uint8_t kind, const struct uuid *channels,
                        uint32_t count);

// An event came: its bytes are counted, and told when a good part of the window is used up.
void dial_count_event(struct dial *dial, uint32_t broker, uint32_t length, uint64_t now_us);

// A frame came: link_receive. A refusal is told at once, then every REFUSED_TOLD_MS. A broker that
// says goodbye is dialed anew, since its connection may stay open without an end on its side.
enum link_change dial_receive(struct dial *dial, uint32_t broker, const struct envelope *envelope,
                              struct text body, uint64_t now_us, struct beat *ret_beat,
                              bool *ret_has_beat);

// True when dial_run has something to do for this broker.
bool dial_is_due(const struct dial *dial, uint32_t broker, uint64_t now_us);

// Broken connections, silence, hellos and heartbeats. The owner acts on the change; a silent
// broker has been redialed.
enum link_change dial_run(struct dial *dial, uint32_t broker, uint64_t now_us);

// No new work over this connection; dial_part when nothing is under way any more. False: it is not
// open.
bool dial_retire(struct dial *dial, uint32_t broker);

// Goodbye, and dials anew.
enum link_change dial_part(struct dial *dial, uint32_t broker);

uint64_t dial_next_us(const struct dial *dial);

// Goodbye to all open brokers; nothing is dialed after it.
void dial_close(struct dial *dial);
uint32_t dial_open_count(const struct dial *dial);
bool dial_is_alone(const struct dial *dial, uint32_t broker); // no other one is heard
