// SPDX-License-Identifier: Apache-2.0
// For tests of the broker's core only: peers at addresses that say hello, beat, ask and answer,
// and all that the core sends to each, in order.
#pragma once
#include "broker_state.h"
#include "expect.h"

enum { ADDRESSES_MAX = 100, SENT_MAX = 8192, READ = 1, WRITE = 2, READ_TOO = 3, RIG_MS = 1000 };

struct sent_frame {
    uint64_t address;
    struct envelope envelope;
    struct text bytes; // owned
    bool taken;
};

struct rig_peer {
    uint8_t role; // 0: not there
    uint64_t session;
    uint64_t limit; // what an actor grants
    uint64_t delivered; // to an actor
    uint64_t asked[LANE_COUNT]; // by an edge
    uint64_t event_bytes; // received
    bool mute; // sends no heartbeats
};

struct rig {
    struct broker *broker;
    uint64_t now_us;
    struct rig_peer peers[ADDRESSES_MAX];
    struct sent_frame sent[SENT_MAX]; // heartbeats and welcomes left out
    uint32_t sent_count;
    struct beat beats[ADDRESSES_MAX]; // the last one to each
    char *current; // the frame being received; NULL once it was given away
    uint32_t current_length;
    struct hello refused; // the last one that was told
    uint32_t told; // refusals
    uint64_t unreachable; // address that cannot be reached, or 0
    uint64_t receiving; // address of the frame being received
    struct broker_proof proofs[ADDRESSES_MAX]; // of each, where any are asked for; role 0: none
    uint64_t greetings; // so far; each has another number
    uint64_t copies; // pieces of memory that the rig itself took
};

struct ask {
    uint16_t operation;
    uint64_t correlation;
    uint8_t tenant; // 0: none
    uint8_t lane;
    uint8_t attempt;
    uint32_t budget_ms; // 0: 5 s
    bool suspect;
    bool grouped;
};

struct rig *rig_open(void); // old enough to know who serves what
struct broker_port rig_port(struct rig *rig); // for a broker with other options
struct rig *rig_open_with_keys(void); // the same; it asks whose each connection is
struct rig *rig_close(struct rig *rig);

// Session and instance are the address times ten. Actors serve READ and READ_TOO, or WRITE.
void rig_edge(struct rig *rig, uint64_t address);
void rig_actor(struct rig *rig, uint64_t address, uint8_t role, uint32_t window);
void rig_hello(struct rig *rig, uint64_t address, const struct hello *hello);
void rig_bare(struct rig *rig, uint64_t address, uint8_t kind);
void rig_beat(struct rig *rig, uint64_t address);
void rig_receive(struct rig *rig, uint64_t address, struct text frame);

void rig_ask(struct rig *rig, uint64_t address, struct ask ask);
// The answer to a frame that an actor was sent; `free` further ones are welcome.
void rig_answer(struct rig *rig, const struct sent_frame *request, uint32_t free);
void rig_publish(struct rig *rig, uint64_t address, uint16_t operation, uint8_t channel,
                 uint32_t bytes);
void rig_subscribe(struct rig *rig, uint64_t address, uint8_t kind, uint8_t channel);

// Time passes; all peers that are not mute beat.
void rig_wait(struct rig *rig, uint32_t wait_ms);

// The next frame to that address, of that kind; none: the test fails.
struct sent_frame *rig_take(struct rig *rig, uint64_t address, uint8_t kind);
bool rig_has(const struct rig *rig, uint64_t address); // one that has not been taken
struct sent_frame *rig_take_status(struct rig *rig, uint64_t address, enum status status);
