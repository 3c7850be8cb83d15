// SPDX-License-Identifier: Apache-2.0
// Slots, lists and wheel of request_table.h. Lists are rings through a head node, so that a
// member leaves without anyone knowing which list it was on.
#include "request_table.h"

struct list_node {
    uint16_t next;
    uint16_t previous;
};

enum {
    SLOTS = REQUESTS_IN_FLIGHT_MAX,
    INDEX_BITS = 16, // of a correlation; the rest is the serial number
    WHEEL_DUE = SLOTS + WHEEL_SLOTS,
};

static_assert(SLOTS + WHEEL_SLOTS + 1 <= UINT16_MAX, "nodes have 16 bit names");

static void node_unlink(struct list_node *nodes, uint32_t node) {
    nodes[nodes[node].previous].next = nodes[node].next;
    nodes[nodes[node].next].previous = nodes[node].previous;
    nodes[node] = (struct list_node){(uint16_t)node, (uint16_t)node};
}

static void node_append(struct list_node *nodes, uint32_t head, uint32_t node) {
    uint16_t last = nodes[head].previous;
    nodes[node] = (struct list_node){(uint16_t)head, last};
    nodes[last].next = (uint16_t)node;
    nodes[head].previous = (uint16_t)node;
}

static void node_prepend(struct list_node *nodes, uint32_t head, uint32_t node) {
    uint16_t first = nodes[head].next;
    nodes[node] = (struct list_node){first, (uint16_t)head};
    nodes[first].previous = (uint16_t)node;
    nodes[head].next = (uint16_t)node;
}

static struct list_node *nodes_new(uint32_t count) {
    struct list_node *nodes = calloc(count, sizeof *nodes);
    ASSERT(nodes != NULL);
    for (uint32_t i = 0; i < count; i++)
        nodes[i] = (struct list_node){(uint16_t)i, (uint16_t)i};
    return nodes;
}

static uint32_t slot_of(const struct request_table *table, const struct pending *pending) {
    return (uint32_t)(pending - table->pending);
}

void request_table_init(struct request_table *table, uint64_t now_us) {
    *table = (struct request_table){
        .pending = calloc(SLOTS, sizeof *table->pending),
        .lists = nodes_new(SLOTS + LIST_COUNT),
        .wheel = nodes_new(SLOTS + WHEEL_SLOTS + 1),
        .wheel_tick = now_us >> WHEEL_TICK_SHIFT,
    };
    ASSERT(table->pending != NULL);
    slab_init(&table->slab, REQUEST_BYTES_MAX);
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        node_append(table->lists, SLOTS + LIST_FREE, slot);
        table->counts[LIST_FREE]++;
    }
}

void request_table_deinit(struct request_table *table) {
    free(table->pending);
    free(table->lists);
    free(table->wheel);
    slab_deinit(&table->slab);
}

struct pending *request_table_take(struct request_table *table, uint32_t frame_length,
                                   uint64_t deadline_us) {
    struct pending *pending = request_table_first(table, LIST_FREE);
    char *frame = pending == NULL ? NULL : slab_take(&table->slab, frame_length);
    if (frame == NULL)
        return NULL;
    uint32_t slot = slot_of(table, pending);
    table->serial++;
    *pending = (struct pending){
        .correlation = table->serial << INDEX_BITS | slot,
        .deadline_us = deadline_us,
        .frame = frame,
        .length = frame_length,
        .list = LIST_FREE,
    };
    table->used++;
    uint64_t tick = MAX(deadline_us >> WHEEL_TICK_SHIFT, table->wheel_tick);
    node_append(table->wheel, SLOTS + (uint32_t)(tick % WHEEL_SLOTS), slot);
    return pending;
}

void request_table_give(struct request_table *table, struct pending *pending) {
    slab_give(&table->slab, pending->frame, pending->length);
    pending->frame = NULL;
    pending->correlation = 0;
    uint32_t slot = slot_of(table, pending);
    node_unlink(table->wheel, slot);
    table->counts[pending->list]--;
    node_unlink(table->lists, slot);
    node_prepend(table->lists, SLOTS + LIST_FREE, slot); // the warm slot is taken next
    pending->list = LIST_FREE;
    table->counts[LIST_FREE]++;
    table->used--;
}

struct pending *request_table_find(const struct request_table *table, uint64_t correlation) {
    uint32_t slot = correlation & ((1U << INDEX_BITS) - 1);
    if (slot >= SLOTS || correlation == 0 || table->pending[slot].correlation != correlation)
        return NULL;
    return &table->pending[slot];
}

void request_table_move(struct request_table *table, struct pending *pending, uint32_t list) {
    uint32_t slot = slot_of(table, pending);
    table->counts[pending->list]--;
    node_unlink(table->lists, slot);
    node_append(table->lists, SLOTS + list, slot);
    pending->list = (uint8_t)list;
    table->counts[list]++;
}

struct pending *request_table_first(const struct request_table *table, uint32_t list) {
    uint32_t slot = table->lists[SLOTS + list].next;
    return slot >= SLOTS ? NULL : &table->pending[slot];
}

// Moves the requests of one slot of the wheel that are due to the due list.
static void wheel_empty_slot(struct request_table *table, uint32_t head, uint64_t now_us) {
    uint32_t slot = table->wheel[head].next;
    while (slot != head) {
        uint32_t next = table->wheel[slot].next;
        if (table->pending[slot].deadline_us <= now_us) {
            node_unlink(table->wheel, slot);
            node_append(table->wheel, WHEEL_DUE, slot);
        }
        slot = next;
    }
}

struct pending *request_table_due(struct request_table *table, uint64_t now_us) {
    uint64_t now_tick = now_us >> WHEEL_TICK_SHIFT;
    if (now_tick > table->wheel_tick + WHEEL_SLOTS)
        table->wheel_tick = now_tick - WHEEL_SLOTS;
    for (; table->wheel_tick < now_tick; table->wheel_tick++)
        wheel_empty_slot(table, SLOTS + (uint32_t)(table->wheel_tick % WHEEL_SLOTS), now_us);
    uint32_t slot = table->wheel[WHEEL_DUE].next;
    return slot == WHEEL_DUE ? NULL : &table->pending[slot];
}

uint64_t request_table_next_us(const struct request_table *table) {
    if (table->used == 0)
        return UINT64_MAX;
    return (table->wheel_tick + 1) << WHEEL_TICK_SHIFT;
}
