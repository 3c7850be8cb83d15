// SPDX-License-Identifier: Apache-2.0
// The bodies of control frames: the only ones a broker opens. Each is fixed-width msgpack; numbers
// that an older peer leaves out read as zero, further ones of a newer peer are skipped, and so is
// what follows the last part that is known.
//
//   HELLO                        array of numbers, bin8 name, array of operation numbers
//   WELCOME, HEARTBEAT, CREDIT   array of numbers: struct beat
//   REFUSAL                      array of numbers: struct refusal
//   SUBSCRIBE, UNSUBSCRIBE       array of channel hashes, bin8 16 each
//   GAP                          array of one number: events dropped; in the envelope their
//   channel,
//                                and their operation where they are for everybody of a role
#pragma once
#include "envelope.h"
#include "limits.h"
#include "operation.h"

enum {
    PEER_NAME_BYTES = 32,
    SERVED_MAX = 512, // operations of one actor; the generator makes fewer
    CHANNELS_MAX = 64, // in one SUBSCRIBE
    CONTROL_BYTES_MAX = ENVELOPE_BYTES + 2048, // the longest control frame
};

// Who a process is on the bus. The numbers are on the wire.
enum session_role { ROLE_EDGE = 1, ROLE_QUERY, ROLE_COMMAND, ROLE_TASK, ROLE_BRIDGE, ROLE_COUNT };

// What a build speaks. WIRE_NEWEST grows by one with a change that older builds cannot skip;
// WIRE_OLDEST follows when no supported build is so old. Peers whose ranges do not meet refuse each
// other; a hello without a range is of version 1.
enum { WIRE_OLDEST = 1, WIRE_NEWEST = 1 };

struct wire_range {
    uint32_t oldest;
    uint32_t newest;
};

enum refusal_reason {
    REFUSED_VERSION = 1,
    REFUSED_ROLE, // is not known
    REFUSED_KEY, // its role is not its key's, or it takes what is another role's
};

struct refusal {
    struct wire_range speaks; // the broker
    uint32_t reason; // enum refusal_reason, or one of a later build
};

struct hello {
    uint8_t role; // enum session_role
    uint64_t instance; // of the process, random; an edge's session
    uint64_t nonce; // of this hello; the welcome repeats it
    uint64_t process; // pid, for `valorize top`
    uint32_t window; // messages an actor accepts from each broker
    uint64_t credit; // of these, how many are free now
    struct wire_range speaks;
    char name[PEER_NAME_BYTES]; // "query-2", NUL-filled
    uint32_t operation_count;
    uint16_t operations[SERVED_MAX];
};

// What each end tells the other again and again. All counts are of this connection, from its
// welcome on, and absolute: one frame that arrives heals every one that did not.
struct beat {
    uint64_t clock_us; // the sender's own
    uint64_t echo_us; // the last clock_us received
    uint64_t nonce; // of the hello that a WELCOME answers
    uint64_t limit[LANE_COUNT]; // requests the receiver may have sent in all; an actor has one
                                // window for all lanes: [0]
    uint64_t sent[LANE_COUNT]; // requests the sender has sent; to an actor: [0]
    uint64_t event_bytes; // from a broker: sent; to a broker: received
    uint64_t served; // from a broker: operations that have an actor
    uint64_t roles; // from a broker: bits of enum session_role, of its actors
};

// Each writes a whole frame, envelope included, at frame (CONTROL_BYTES_MAX) and returns its
// length.
uint32_t control_write_hello(const struct hello *hello, char *frame);
uint32_t control_write_beat(uint8_t kind, const struct beat *beat, char *frame);
uint32_t control_write_refusal(const struct refusal *refusal, char *frame);
uint32_t control_write_bare(uint8_t kind, char *frame); // DRAIN GOAWAY GOODBYE REHELLO
uint32_t control_write_channels(uint8_t kind, const struct uuid *channels, uint32_t count,
                                char *frame);
uint32_t control_write_gap(uint16_t operation, struct uuid channel, uint64_t dropped, char *frame);

// Whether a peer that speaks this range understands this build.
bool wire_meets(struct wire_range speaks);

// False for a body that is not well formed. A hello's role may be one of a later build.
MUST_USE bool control_read_hello(struct text body, struct hello *ret_hello);
MUST_USE bool control_read_refusal(struct text body, struct refusal *ret_refusal);
MUST_USE bool control_read_beat(struct text body, struct beat *ret_beat);
MUST_USE bool control_read_channels(struct text body, struct uuid *ret_channels,
                                    uint32_t *ret_count); // CHANNELS_MAX
MUST_USE bool control_read_gap(struct text body, uint64_t *ret_dropped);
