// SPDX-License-Identifier: Apache-2.0
// The header of every frame on the bus: one msgpack array of fixed-width elements, so that any
// msgpack decoder reads it and the broker reads constant offsets. The body follows in the same
// frame; only edges and actors open it.
//
//   off  marker  field
//     0  0x9d    array of 13
//     1  cc      version       1
//     3  cc      kind          enum envelope_kind
//     5  cd      flags
//     8  cd      operation     of a request; of a reply: enum status
//    11  cd      schema        body version
//    14  cc      lane
//    16  cc      attempt       from 0
//    18  ce      budget        microseconds left; of a reply: retry delay
//    23  c4 10   tenant        user id; of an event: channel hash
//    41  cf      session       of the edge
//    50  cf      correlation   of the request, unique in its session
//    59  c4 10   key           idempotency key; of a reply: 8 bytes credit limit, 8 bytes zero
//    77  c4 19   trace         W3C: trace id 16, span id 8, flags 1
//   104                        body
//
// A reply has, before its body, c4 20 and the 32 bytes of struct reply_block, then the body as one
// msgpack bin32: c6, 4 bytes length, the bytes. The bodies of control frames are in control.h.
//
// What other builds may do (HACKING, "Changing the wire"): a flag, kind or status that this build
// does not know does not make a frame malformed; a block may be longer or shorter, and something
// may follow the body. In every version the first five bytes are an array's marker, version and
// kind, and a REFUSAL is a frame of version 1.
#pragma once
#include "contract.h"
#include "text.h"

enum { ENVELOPE_BYTES = 104, REPLY_BLOCK_BYTES = 34, ENVELOPE_VERSION = 1 };

enum envelope_kind {
    KIND_HELLO = 1, // peer -> broker: who it is, what it serves
    KIND_WELCOME, // broker -> peer
    KIND_HEARTBEAT, // both ways; carries the absolute credit limits
    KIND_CREDIT, // both ways: new absolute limits
    KIND_REQUEST,
    KIND_REPLY,
    KIND_CANCEL, // edge -> broker -> actor: nobody waits any more
    KIND_DRAIN, // peer -> broker: no new work, please
    KIND_GOAWAY, // broker -> peer: send no new work here
    KIND_GOODBYE, // either: the last frame
    KIND_EVENT,
    KIND_SUBSCRIBE, // edge -> broker: channel hashes in the body
    KIND_UNSUBSCRIBE,
    KIND_GAP, // broker -> peer: events were dropped
    KIND_REHELLO, // broker -> unknown peer: say hello again
    KIND_REFUSAL, // broker -> peer: it cannot work with the one that said hello
};

// Bits of envelope.flags.
enum {
    FLAG_CLIENT_KEY = 1, // the client gave the Idempotency-Key
    FLAG_READ_ONLY = 2, // may be asked twice without a thought
    FLAG_KEEP = 16, // the page will be asked for again: it is cached at once
    FLAG_EXPANDS = 32, // the sender takes compressed documents (document.h)
    FLAG_SUSPECT = 64, // an actor was lost with it in hand: no two such go to one actor at a time
    FLAG_GROUPED = 128, // a suspect of an actor that hung: several such may go to one actor
};

struct envelope {
    uint8_t version;
    uint8_t kind;
    uint16_t flags;
    uint16_t operation;
    uint16_t schema;
    uint8_t lane;
    uint8_t attempt;
    uint32_t budget_us;
    struct uuid tenant;
    uint64_t session;
    uint64_t correlation;
    uint8_t key[16];
    uint8_t trace[TRACE_BYTES];
};

// Times are microseconds: how long the message waited in the broker's queue and in the actor's,
// how long the database took, how long the actor had it in all.
struct reply_block {
    uint64_t version; // of the row or tenant; 0: none. With REPLY_ACTOR_LOST: that actor's instance
    uint32_t flags; // REPLY_...
    uint32_t queue_us;
    uint32_t wait_us;
    uint32_t database_us;
    uint32_t actor_us;
};
enum {
    REPLY_REPLAYED = 1,
    REPLY_CACHED = 2,
    REPLY_BROKERS_OWN = 8, // no actor's
    REPLY_ACTOR_LOST =
        4, // a broker's: the actor that had it is silent or gone; the body is its name
    REPLY_ACTOR_HUNG = 16, // beside it: it stood still before it was gone
};

// Writes ENVELOPE_BYTES at frame.
void envelope_write(const struct envelope *envelope, void *frame);

// False unless frame begins with a whole, well-marked header of a version this build knows.
MUST_USE bool envelope_read(struct text frame, struct envelope *ret_envelope);

// True for a hello whose header is of another version: nothing else of it can be read.
bool envelope_is_foreign_hello(struct text frame, uint8_t *ret_version);

// Patches the budget in place; frame must have been read successfully.
void envelope_set_budget(void *frame, uint32_t budget_us);
void envelope_set_attempt(void *frame, uint8_t attempt);
void envelope_set_flags(void *frame, uint16_t flags);

// The absolute credit limit a reply carries: how many requests its receiver may have sent in all.
void envelope_set_credit(void *frame, uint64_t limit);
uint64_t envelope_credit(const struct envelope *envelope);

// Adds what the broker knows to the block of a reply frame; nothing if the frame has no block.
void reply_set_queue(void *frame, uint32_t length, uint32_t queue_us);

// The head of a reply: ENVELOPE_BYTES + REPLY_BLOCK_BYTES + 5 bytes for a body of body_length.
enum { REPLY_HEAD_BYTES = ENVELOPE_BYTES + REPLY_BLOCK_BYTES + 5 };
void reply_head_write(const struct envelope *envelope, const struct reply_block *block,
                      uint32_t body_length, void *head);

// The block and the body of a whole reply frame; false when it is not well formed. What an older
// build leaves out of the block reads as zero.
MUST_USE bool reply_read(struct text frame, struct reply_block *ret_block, struct text *ret_body);
