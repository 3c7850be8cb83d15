// SPDX-License-Identifier: Apache-2.0
// The requests one edge has in flight: fixed slots, named by correlations that are never used
// twice, each on one list (by what it waits for) and on a timer wheel (by its deadline). Used by
// requester.c alone. Every step is O(1).
#pragma once
#include "control.h"
#include "slab.h"
#include "text.h"

enum {
    LIST_FREE,
    LIST_HELD, // waits for credit, one a lane
    LIST_SUSPECT = LIST_HELD + LANE_COUNT, // an actor was lost with it; waits a moment
    LIST_SENT, // waits for its reply, one a broker
    LIST_ORPHANS = LIST_SENT + BROKERS_MAX, // passing: their broker was lost
    LIST_COUNT,

    WHEEL_TICK_SHIFT = 13, // 8.192 ms
    WHEEL_SLOTS = 1024, // a turn takes 8.4 s; later deadlines stay for another turn
};

struct pending {
    void *request; // the owner's
    uint64_t correlation;
    uint64_t deadline_us;
    uint64_t first_sent_us; // 0: never
    uint64_t held_until_us;
    struct uuid tenant;
    char *frame; // in the slab, to be sent again
    uint32_t length;
    uint8_t list; // LIST_...
    uint8_t lane;
    uint8_t sends; // so far
    uint8_t broker; // of the last send
    uint8_t refused; // bits of the brokers that have nobody for it, or are lost to who had it
    bool read_only;
    bool maybe_done; // an attempt may have been carried out
    bool suspect; // an actor was lost with it in hand, or it is on trial
    uint64_t lost_instance; // the first one; 0: on trial
    char lost_actor[PEER_NAME_BYTES];
};

struct request_table {
    struct pending *pending; // REQUESTS_IN_FLIGHT_MAX
    struct list_node *lists; // the slots, then LIST_COUNT heads
    struct list_node *wheel; // the slots, then WHEEL_SLOTS heads, then the head of those due
    struct slab slab;
    uint64_t serial;
    uint64_t wheel_tick; // all earlier slots are empty of due requests
    uint32_t counts[LIST_COUNT];
    uint32_t used;
};

void request_table_init(struct request_table *table, uint64_t now_us);
void request_table_deinit(struct request_table *table);

// A slot with its correlation and a frame of that size, on no list. NULL when either is full.
MUST_USE struct pending *request_table_take(struct request_table *table, uint32_t frame_length,
                                            uint64_t deadline_us);
void request_table_give(struct request_table *table, struct pending *pending);

// NULL for one that is not in flight.
struct pending *request_table_find(const struct request_table *table, uint64_t correlation);

// To the end of that list, off the one it is on.
void request_table_move(struct request_table *table, struct pending *pending, uint32_t list);
struct pending *request_table_first(const struct request_table *table, uint32_t list);

// One that is past its deadline, or NULL. Turns the wheel up to now.
struct pending *request_table_due(struct request_table *table, uint64_t now_us);
uint64_t request_table_next_us(const struct request_table *table);
