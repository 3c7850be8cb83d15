// SPDX-License-Identifier: Apache-2.0
// More comes than is answered: who gets in, who is refused, and when. One edge, one actor with a
// hand of four that answers one request a millisecond: the limit is about 100.
#include "broker_rig.h"

enum { EDGE = 1, ACTOR = 11, HAND = 4 };

struct flood {
    struct rig *rig;
    uint64_t next; // correlation
    uint64_t asked_us[SENT_MAX]; // by correlation
    uint32_t asked[10]; // by tenant
    uint32_t refused[10];
    uint32_t answered[10];
    uint64_t latest_us; // the longest wait for a refusal
    uint32_t busy, over_share;
    uint8_t lane;
};

static struct flood *flood_open(void) {
    struct flood *flood = calloc(1, sizeof *flood);
    EXPECT(flood != NULL);
    flood->rig = rig_open();
    rig_edge(flood->rig, EDGE);
    rig_actor(flood->rig, ACTOR, ROLE_QUERY, HAND);
    return flood;
}

static void flood_close(struct flood *flood) {
    rig_close(flood->rig);
    free(flood);
}

static void flood_ask(struct flood *flood, uint8_t tenant, uint8_t lane, uint8_t attempt) {
    uint64_t correlation = ++flood->next;
    EXPECT(correlation < SENT_MAX);
    flood->asked_us[correlation] = flood->rig->now_us;
    flood->asked[tenant]++;
    rig_ask(flood->rig, EDGE,
            (struct ask){READ, correlation, tenant, .lane = lane, .attempt = attempt});
}

// Everything that came for the edge.
static void flood_look(struct flood *flood) {
    struct rig *rig = flood->rig;
    for (uint32_t i = 0; i < rig->sent_count; i++) {
        struct sent_frame *frame = &rig->sent[i];
        if (frame->taken || frame->address != EDGE)
            continue;
        frame->taken = true;
        uint8_t tenant = frame->envelope.tenant.bytes[0];
        enum status status = (enum status)frame->envelope.operation;
        flood->answered[tenant] += status == STATUS_OK;
        flood->busy += status == STATUS_BUSY;
        flood->over_share += status == STATUS_OVER_SHARE;
        if (status == STATUS_OK)
            continue;
        EXPECT(status == STATUS_BUSY || status == STATUS_OVER_SHARE);
        EXPECT_INTEGER(frame->envelope.budget_us, RETRY_AFTER_S * 1000000);
        uint64_t waited_us = rig->now_us - flood->asked_us[frame->envelope.correlation];
        flood->latest_us = MAX(flood->latest_us, waited_us);
        flood->refused[tenant]++;
    }
}

// The actor answers one, if it has one.
static void flood_serve(struct flood *flood) {
    struct rig *rig = flood->rig;
    for (uint32_t i = 0; i < rig->sent_count; i++) {
        struct sent_frame *frame = &rig->sent[i];
        if (frame->taken || frame->address != ACTOR)
            continue;
        frame->taken = true;
        rig_answer(rig, frame, HAND - (uint32_t)(rig->broker->actors[0].in_flight - 1));
        break;
    }
}

static uint32_t inside(const struct flood *flood) {
    return flood->rig->broker->pool.used;
}

// A millisecond: one is answered.
static void flood_pass(struct flood *flood) {
    flood_serve(flood);
    rig_wait(flood->rig, 1);
    flood_look(flood);
}

// So many a millisecond of each of these tenants.
static void flood_run(struct flood *flood, uint8_t tenants, uint32_t each, uint32_t length_ms) {
    for (uint32_t ms = 0; ms < length_ms; ms++) {
        for (uint8_t tenant = 1; tenant <= tenants; tenant++) {
            for (uint32_t i = 0; i < each; i++)
                flood_ask(flood, tenant, flood->lane, 0);
        }
        flood_pass(flood);
    }
}

static void test_one_floods(void) {
    struct flood *flood = flood_open();
    flood_run(flood, 1, 5, 38);
    EXPECT_INTEGER(flood->refused[1], 0); // nothing is measured yet
    flood_run(flood, 1, 5, 162);
    EXPECT(inside(flood) >= 90 && inside(flood) <= 120);
    EXPECT_INTEGER(flood->busy, 0); // its own doing, all of it
    struct broker_limit_view view;
    EXPECT(broker_look_limit(flood->rig->broker, 0, &view) && !view.alone);
    EXPECT(view.most >= 90 && view.most <= 110);
    EXPECT_INTEGER(view.refused, flood->over_share);
    EXPECT_INTEGER(view.queued + view.in_flight, inside(flood));
    EXPECT(!broker_look_limit(flood->rig->broker, 1, &view));
    EXPECT(flood->latest_us <= 100000);
    for (uint32_t i = 0; i < 50; i++) { // one that asks little is heard
        flood_ask(flood, 2, 0, 0);
        flood_run(flood, 1, 5, 4);
    }
    EXPECT_INTEGER(flood->refused[2], 0);
    EXPECT_INTEGER(flood->answered[2], 49 + (flood->answered[2] == 50));
    flood_close(flood);
}

// Its place is that of the newest of the one that floods, so the queue gets no longer.
static void test_many_that_ask_little(void) {
    struct flood *flood = flood_open();
    flood_run(flood, 1, 5, 150);
    for (uint8_t tenant = 2; tenant < 10; tenant++) {
        for (uint32_t i = 0; i < 4; i++)
            flood_ask(flood, tenant, 0, 0);
    }
    flood_look(flood);
    for (uint8_t tenant = 2; tenant < 10; tenant++)
        EXPECT_INTEGER(flood->refused[tenant], 0);
    EXPECT(inside(flood) <= 110);
    EXPECT(flood->latest_us <= 100000);
    flood_close(flood);
}

// All that waits of the one that floods is too old to be refused.
static void test_old_ones_keep_nobody_out(void) {
    struct flood *flood = flood_open();
    flood_run(flood, 1, 4, 36); // not enough to be a flood
    for (uint32_t i = 0; i < 60; i++) // as many come as are answered
        flood_run(flood, 1, 1, 2);
    EXPECT_INTEGER(flood->refused[1], 0);
    for (uint32_t i = 0; i < 60; i++) {
        flood_ask(flood, 2, 0, 0);
        flood_run(flood, 1, 2, 2);
    }
    EXPECT(flood->refused[1] > 0);
    EXPECT_INTEGER(flood->refused[2], 0);
    flood_close(flood);
}

static void test_who_waits_long_is_served(void) {
    struct flood *flood = flood_open();
    flood_run(flood, 1, 4, 36); // not enough to be a flood
    rig_wait(flood->rig, 101);
    for (uint32_t i = 0; i < 600; i++) {
        flood_ask(flood, 2, 0, 0);
        flood_run(flood, 0, 0, i % 3 == 0);
    }
    EXPECT(flood->refused[2] > 0);
    EXPECT_INTEGER(flood->refused[1], 0);
    EXPECT(flood->latest_us <= 100000);
    flood_close(flood);
}

static void test_four_flood(void) {
    struct flood *flood = flood_open();
    flood_run(flood, 4, 2, 150);
    EXPECT(inside(flood) <= 120);
    for (uint32_t i = 0; i < 50; i++) {
        flood_ask(flood, 5, 0, 0);
        flood_run(flood, 4, 2, 4);
    }
    EXPECT_INTEGER(flood->refused[5], 0);
    for (uint8_t tenant = 1; tenant <= 4; tenant++)
        EXPECT(flood->answered[tenant] >= 50 && flood->answered[tenant] <= 100);
    EXPECT(flood->latest_us <= 100000);
    flood_close(flood);
}

static void test_the_lowest_lane_goes_first(void) {
    struct flood *flood = flood_open();
    flood->lane = LANE_BULK;
    flood_run(flood, 1, 5, 150);
    uint32_t bulk = flood->rig->broker->lanes[LANE_BULK].queued;
    EXPECT(bulk >= 20 && bulk <= 110);
    flood->lane = LANE_INTERACTIVE;
    flood_run(flood, 2, 3, 100);
    bulk = flood->rig->broker->lanes[LANE_BULK].queued;
    EXPECT(bulk >= 1 && bulk <= 12); // its floor still has something to take
    EXPECT(flood->rig->broker->lanes[LANE_INTERACTIVE].queued >= 80);
    flood_close(flood);
}

static void test_it_ends_at_once(void) {
    struct flood *flood = flood_open();
    flood_run(flood, 2, 5, 200);
    EXPECT(flood->refused[1] > 0 && flood->refused[2] > 0);
    uint32_t refused = flood->refused[1] + flood->refused[2];
    for (uint32_t i = 0; i < 200; i++) { // half of what it can do
        if (i % 2 == 0)
            flood_ask(flood, (uint8_t)(3 + i % 4), 0, 0);
        flood_pass(flood);
    }
    EXPECT_INTEGER(flood->refused[1] + flood->refused[2], refused);
    EXPECT_INTEGER(flood->refused[3] + flood->refused[5], 0);
    EXPECT(inside(flood) <= HAND);
    flood_close(flood);
}

// A whole edge's requests come again when another broker is gone.
static void test_what_was_lost_is_taken(void) {
    struct flood *flood = flood_open();
    flood_run(flood, 1, 5, 150);
    uint32_t before = inside(flood);
    uint32_t lost = EDGE_WINDOW_INTERACTIVE / TENANT_QUEUE_SHARE + 88; // more than its share
    for (uint32_t i = 0; i < lost; i++)
        flood_ask(flood, 2, 0, 1);
    flood_look(flood);
    EXPECT_INTEGER(flood->refused[2], 0);
    EXPECT_INTEGER(inside(flood), before + lost);
    flood_close(flood);
}

// Nothing is answered for a while: what gathers is no flood.
static void test_a_standstill(void) {
    struct flood *flood = flood_open();
    for (uint32_t i = 0; i < 400; i++) {
        flood_ask(flood, (uint8_t)(1 + i % 2), 0, 0);
        rig_wait(flood->rig, 1);
    }
    for (uint32_t i = 0; i < 300; i++) {
        if (i % 2 == 0)
            flood_ask(flood, 3, 0, 0);
        flood_pass(flood);
    }
    EXPECT_INTEGER(flood->busy + flood->over_share, 0);
    flood_close(flood);
}

// --- memory ------------------------------------------------------------------------------------

static void ask_in_lane(struct rig *rig, uint64_t correlation, uint32_t bytes, uint16_t operation,
                        uint8_t lane) {
    static char frame[ENVELOPE_BYTES + (64 << 10)];
    const struct envelope envelope = {.version = ENVELOPE_VERSION,
                                      .kind = KIND_REQUEST,
                                      .flags = operation == READ ? FLAG_READ_ONLY : 0,
                                      .operation = operation,
                                      .lane = lane,
                                      .budget_us = 5000000,
                                      .tenant = {{(uint8_t)correlation, 1}},
                                      .session = EDGE * 10,
                                      .correlation = correlation};
    envelope_write(&envelope, frame);
    rig->peers[EDGE].asked[lane]++;
    rig_receive(rig, EDGE, (struct text){frame, ENVELOPE_BYTES + bytes});
}

static void ask_with_body(struct rig *rig, uint64_t correlation, uint32_t bytes) {
    ask_in_lane(rig, correlation, bytes, READ, LANE_INTERACTIVE);
}

// A message costs its bytes, rounded, a byte in 64, its record, its place in two tables, and the
// record of its tenant, if it is the only one.
static void test_a_message_costs_little(void) {
    struct rig *rig = rig_open();
    rig_edge(rig, EDGE);
    rig_actor(rig, ACTOR, ROLE_QUERY, 1);
    ask_with_body(rig, 1, 100);
    for (uint64_t i = 2; i < 200; i++)
        ask_with_body(rig, i, (uint32_t)(100 + 37 * i % 4000));
    const struct request_pool *pool = &rig->broker->pool;
    uint64_t records = pool->queued * (sizeof(struct request) + sizeof(struct flow) +
                                       (REQUEST_BUCKETS / REQUESTS_MAX + 2) * sizeof(uint32_t));
    uint64_t all = pool->slab.used_bytes + pool->slab.used_bytes / SLAB_UNIT_BYTES + records;
    EXPECT_INTEGER(pool->queued, 198);
    EXPECT(all <= pool->queued_bytes + 256 * pool->queued);
    rig_close(rig);
}

// A broker with as little memory for queues as may be, and an actor that takes one request.
static struct rig *rig_open_small(void) {
    struct rig *rig = rig_open();
    rig->broker = broker_free(rig->broker);
    const struct broker_port port = rig_port(rig);
    const struct broker_options options = {.name = "small", .queue_mb = BROKER_QUEUE_MB_MIN};
    rig->broker = broker_new(&options, &port, rig->now_us);
    rig_edge(rig, EDGE);
    rig_actor(rig, ACTOR, ROLE_QUERY, 1);
    return rig;
}

static void test_memory_is_limited(void) {
    struct rig *rig = rig_open_small();
    uint64_t correlation = 1;
    for (; !rig_has(rig, EDGE); correlation++)
        ask_with_body(rig, correlation, 64 << 10);
    (void)rig_take_status(rig, EDGE, STATUS_BUSY);
    uint64_t bytes = rig->broker->pool.queued_bytes;
    EXPECT(bytes > 5 << 20 && bytes < (BROKER_QUEUE_MB_MIN << 20) - REQUEST_TABLE_BYTES);
    rig_answer(rig, rig_take(rig, ACTOR, KIND_REQUEST), 1);
    (void)rig_take_status(rig, EDGE, STATUS_OK);
    ask_with_body(rig, correlation, 64 << 10); // there is a place again
    EXPECT(!rig_has(rig, EDGE));
    rig_close(rig);
}

// A long newcomer would not fit into the place of a short one: nobody has to go for it.
static void test_nobody_goes_in_vain(void) {
    struct rig *rig = rig_open_small();
    ask_with_body(rig, 1, 100); // the actor has it
    for (uint64_t i = 1; i <= 4; i++)
        ask_with_body(rig, (i << 8) + 7, 100); // one tenant's
    for (uint64_t i = (8 << 8) + 8; !rig_has(rig, EDGE); i++)
        ask_with_body(rig, i, 64 << 10);
    (void)rig_take_status(rig, EDGE, STATUS_BUSY);
    EXPECT(!rig_has(rig, EDGE));
    rig_close(rig);
}

// Reads of one tenant have filled the memory. A command of another one gets a place, a further one
// of the tenant itself does not.
static void test_memory_is_shared(void) {
    enum { OTHER_ACTOR = 12, ONE = 7, OTHER = 9 };
    struct rig *rig = rig_open_small();
    rig_actor(rig, OTHER_ACTOR, ROLE_COMMAND, 1);
    uint64_t turn = 1;
    for (; !rig_has(rig, EDGE); turn++)
        ask_with_body(rig, (turn << 8) + ONE, 64 << 10);
    (void)rig_take_status(rig, EDGE, STATUS_OVER_SHARE);
    for (uint64_t i = 0; i < 2; i++) // the first is in the actor's hand, the second has to wait
        ask_in_lane(rig, (turn++ << 8) + OTHER, 64 << 10, WRITE, LANE_COMMAND);
    const struct sent_frame *refused = rig_take_status(rig, EDGE, STATUS_OVER_SHARE);
    EXPECT_INTEGER(refused->envelope.correlation & 0xff, ONE);
    EXPECT_INTEGER(rig->broker->lanes[LANE_COMMAND].queued, 1);
    ask_with_body(rig, (turn << 8) + ONE, 64 << 10);
    refused = rig_take_status(rig, EDGE, STATUS_OVER_SHARE);
    EXPECT_INTEGER(refused->envelope.correlation, (turn << 8) + ONE);
    EXPECT(!rig_has(rig, EDGE));
    rig_close(rig);
}

// What can wait gives way where the memory is full, even if no limit holds.
static void test_memory_is_of_the_higher_lane(void) {
    struct rig *rig = rig_open_small();
    uint64_t turn = 1;
    for (; !rig_has(rig, EDGE); turn++)
        ask_in_lane(rig, turn, 64 << 10, READ, LANE_BULK);
    (void)rig_take_status(rig, EDGE, STATUS_BUSY);
    ask_with_body(rig, turn, 64 << 10);
    const struct sent_frame *refused = rig_take_status(rig, EDGE, STATUS_BUSY);
    EXPECT_INTEGER(refused->envelope.lane, LANE_BULK);
    EXPECT_INTEGER(rig->broker->lanes[LANE_INTERACTIVE].queued, 1);
    rig_close(rig);
}

int main(void) {
    static const struct test tests[] = {
        {"who floods is told so, and who asks little gets in", test_one_floods},
        {"many that ask little take the places of one that floods", test_many_that_ask_little},
        {"an old queue of one keeps nobody else out", test_old_ones_keep_nobody_out},
        {"who waits already is not refused any more", test_who_waits_long_is_served},
        {"four that flood do not keep a fifth out", test_four_flood},
        {"the lowest lane goes first, and keeps its floor", test_the_lowest_lane_goes_first},
        {"the end of a flood ends the refusals", test_it_ends_at_once},
        {"what was lost elsewhere is taken in", test_what_was_lost_is_taken},
        {"what gathers in a standstill is no flood", test_a_standstill},
        {"a queued message costs at most its bytes and 256", test_a_message_costs_little},
        {"nobody is refused for one that finds no place all the same", test_nobody_goes_in_vain},
        {"the memory of the queues is what is configured", test_memory_is_limited},
        {"who fills the memory makes room for others of other actors", test_memory_is_shared},
        {"the memory is of the higher lane first", test_memory_is_of_the_higher_lane},
    };
    return expect_run(tests, COUNT_OF(tests));
}
