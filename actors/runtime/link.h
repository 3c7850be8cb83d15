// SPDX-License-Identifier: Apache-2.0
// One end of one connection between a broker and a peer: greeting, heartbeats, silence, leaving.
// Pure: time is a parameter, frames are decided about and never sent here. Both ends run it; the
// dialing end (requester, responder) goes through all states, a broker's end is UP from the hello
// on. No allocation, nothing blocks.
//
//   DOWN --connected--> GREETING --welcome--> UP <--any frame-- SUSPECT (silent SUSPECT_MS)
//    ^                                        |                    |
//    |                                     goaway               silent GONE_MS
//    |                                        v                    |
//    +--disconnected, rehello, goodbye--- LEAVING <----------------+ (any state -> DOWN)
//
// An end that did not run for longer than SUSPECT_MS / 2 blames itself: the others' silence is
// counted from when it runs again. What is read after a pause of either end, or of the network, may
// be as old as the pause: link_age_us.
#pragma once
#include "control.h"

enum link_state { LINK_DOWN, LINK_GREETING, LINK_UP, LINK_SUSPECT, LINK_LEAVING };

// What a call changed; the owner acts on it.
enum link_change {
    LINK_UNCHANGED,
    LINK_OPENED, // DOWN or GREETING -> UP: counts begin anew
    LINK_DOUBTED, // UP -> SUSPECT: no new work; reads may be asked elsewhere
    LINK_TRUSTED, // SUSPECT -> UP
    LINK_RETIRED, // -> LEAVING: no new work, answers still come
    LINK_LOST, // -> DOWN; what was under way is lost
    LINK_SILENT, // -> DOWN by silence: as LOST, and the shell must dial anew
};

struct link {
    uint8_t state; // enum link_state
    uint64_t ran_us; // when this end last looked
    uint64_t heard_us; // when the last frame came; moved on by pauses of this end
    uint64_t read_us; // when the last frame came
    uint64_t beat_due_us; // heartbeat, or hello while GREETING
    uint64_t refused_until_us; // no hello before
    uint64_t nonce; // of the last hello
    uint64_t peer_clock_us; // to be echoed
    uint64_t aged_from_us; // an unread frame may be as old as this; 0: none is old
    uint64_t aged_until_us; // a heartbeat that answers one sent since then is the end of it
};

void link_init(struct link *link, uint64_t now_us);

// A broker's end: the peer said hello. No hello is accepted twice.
void link_accept(struct link *link, uint64_t now_us);

// The dialing end: the transport is connected (a hello is due), or no longer.
void link_connected(struct link *link, uint64_t now_us);
enum link_change link_disconnected(struct link *link);

// The dialing end wants to leave: as if the broker had said goaway.
enum link_change link_retire(struct link *link);

// Any well-formed frame of the peer. Handles WELCOME, HEARTBEAT, CREDIT (ret_beat is filled and
// *ret_has_beat set; beats of another greeting are ignored), GOAWAY, GOODBYE, REHELLO and REFUSAL
// (the next hello is due after REFUSED_MS, until then silence is right); every other kind, known or
// not, counts as a sign of life only. After LINK_LOST by REHELLO the link is GREETING and a hello
// is due.
enum link_change link_receive(struct link *link, const struct envelope *envelope, struct text body,
                              uint64_t now_us, struct beat *ret_beat, bool *ret_has_beat);

// Silence, and whether a frame is due now: in GREETING a hello, else a heartbeat. The caller
// sends it; the next is due HEARTBEAT_MS later. Must be called at least every HEARTBEAT_MS.
enum link_change link_tick(struct link *link, uint64_t now_us, bool *ret_frame_due);

// When link_tick is to be called next; UINT64_MAX while DOWN.
uint64_t link_next_us(const struct link *link);

// True where requests and replies may be sent, and where new work may.
bool link_is_open(const struct link *link);
bool link_takes_work(const struct link *link);

// How old a frame received now may be, beyond the usual. Zero again as soon as a heartbeat answers
// one that was sent after the pause, so that all older frames have been read.
uint64_t link_age_us(const struct link *link);

// Fills clock, echo and nonce of a beat to be sent.
void link_stamp_beat(struct link *link, struct beat *beat, uint64_t now_us);
