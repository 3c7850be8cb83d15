// SPDX-License-Identifier: Apache-2.0
// Requests in the broker's core: who gets them, in which order, and what is answered when nobody
// does. Edges are at the addresses 1 and 2, actors from 11 on.
#include "broker_rig.h"

// Every allocation of this program: the linker leads them here (CMakeLists.txt).
static uint64_t allocations;
void *__real_malloc(size_t size); // the linker's names
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);

void *__wrap_malloc(size_t size) {
    allocations++;
    return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size) {
    allocations++;
    return __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size) {
    allocations++;
    return __real_realloc(memory, size);
}

static uint64_t drops(const struct rig *rig, enum broker_cause cause) {
    return rig->broker->drops[cause];
}

// Asks `count` times, correlations from `first` on.
static void ask_many(struct rig *rig, struct ask ask, uint32_t count) {
    for (uint32_t i = 0; i < count; i++, ask.correlation++)
        rig_ask(rig, 1, ask);
}

// The actor answers and takes one more, so that what waits comes one by one.
static struct sent_frame *next_delivery(struct rig *rig, uint64_t actor) {
    struct sent_frame *frame = rig_take(rig, actor, KIND_REQUEST);
    rig_answer(rig, frame, 1);
    return frame;
}

static void test_request_and_reply(void) {
    struct rig *rig = rig_open();
    rig_edge(rig, 1);
    rig_edge(rig, 2);
    rig_actor(rig, 11, ROLE_QUERY, 4);
    EXPECT_INTEGER(rig->beats[1].limit[LANE_INTERACTIVE], EDGE_WINDOW_INTERACTIVE);
    EXPECT_INTEGER(rig->beats[1].limit[LANE_COMMAND], EDGE_WINDOW_COMMAND);
    rig_ask(rig, 1, (struct ask){READ, .correlation = 7, .tenant = 1, .budget_ms = 900});
    struct sent_frame *request = rig_take(rig, 11, KIND_REQUEST);
    EXPECT_INTEGER(request->envelope.correlation, 7);
    EXPECT_INTEGER(request->envelope.budget_us, 900000);
    EXPECT(memcmp(request->bytes.bytes + ENVELOPE_BYTES, "body", 4) == 0);
    rig_answer(rig, request, 4);
    struct sent_frame *reply = rig_take_status(rig, 1, STATUS_OK);
    EXPECT_INTEGER(reply->envelope.correlation, 7);
    EXPECT_INTEGER(envelope_credit(&reply->envelope), 1 + EDGE_WINDOW_INTERACTIVE);
    EXPECT(!rig_has(rig, 2));
    EXPECT_INTEGER(rig->broker->pool.used, 0);
    rig_close(rig);
}

static void test_pause(void) {
    const uint16_t paused[] = {READ, UINT16_MAX};
    struct rig *rig = rig_open();
    rig_edge(rig, 1);
    rig_actor(rig, 11, ROLE_QUERY, 1);
    ask_many(rig, (struct ask){READ, .correlation = 1, .tenant = 1}, 2); // the second one waits
    rig_ask(rig, 1, (struct ask){READ_TOO, .correlation = 3, .tenant = 1});
    struct sent_frame *under_way = rig_take(rig, 11, KIND_REQUEST);
    broker_pause(rig->broker, paused, 2, rig->now_us);
    EXPECT_INTEGER(rig_take_status(rig, 1, STATUS_BUSY)->envelope.correlation, 2);
    rig_ask(rig, 1, (struct ask){READ, .correlation = 4, .tenant = 2});
    struct sent_frame *refusal = rig_take_status(rig, 1, STATUS_BUSY);
    EXPECT_INTEGER(refusal->envelope.correlation, 4);
    EXPECT_INTEGER(refusal->envelope.budget_us, RETRY_AFTER_S * 1000000);
    EXPECT_INTEGER(drops(rig, CAUSE_PAUSED), 2);

    rig_answer(rig, under_way, 1);
    EXPECT_INTEGER(rig_take_status(rig, 1, STATUS_OK)->envelope.correlation, 1);
    EXPECT_INTEGER(next_delivery(rig, 11)->envelope.correlation, 3); // another operation
    broker_pause(rig->broker, paused, 0, rig->now_us);
    rig_ask(rig, 1, (struct ask){READ, .correlation = 5, .tenant = 2});
    EXPECT_INTEGER(next_delivery(rig, 11)->envelope.correlation, 5);
    rig_close(rig);
}

// Correlations of two edges may be the same.
static void test_look_request(void) {
    struct broker_request_view view;
    struct rig *rig = rig_open();
    rig_edge(rig, 1);
    rig_edge(rig, 2);
    rig_actor(rig, 11, ROLE_QUERY, 1);
    rig_ask(rig, 1, (struct ask){READ, .correlation = 7, .tenant = 1});
    rig_ask(rig, 2, (struct ask){READ, .correlation = 7, .tenant = 2});
    EXPECT(broker_look_request_of(rig->broker, 10, 7, rig->now_us, &view));
    EXPECT(view.dispatched && view.actor != NULL);
    EXPECT(broker_look_request_of(rig->broker, 20, 7, rig->now_us, &view));
    EXPECT(!view.dispatched && view.actor == NULL);
    EXPECT(!broker_look_request_of(rig->broker, 30, 7, rig->now_us, &view));
    EXPECT(broker_look_request(rig->broker, 7, rig->now_us, &view));
    rig_close(rig);
}

static void test_edge_credit(void) {
    struct rig *rig = rig_open();
    rig_edge(rig, 1);
    rig_actor(rig, 11, ROLE_QUERY, 1);
    ask_many(rig, (struct ask){READ, .correlation = 1, .tenant = 1}, 5);
    rig_wait(rig, HEARTBEAT_MS);
    EXPECT_INTEGER(rig->beats[1].limit[LANE_INTERACTIVE], EDGE_WINDOW_INTERACTIVE);
    // One that was lost on its way is not owed: the edge's count is what counts.
    rig->peers[1].asked[LANE_INTERACTIVE]++;
    rig_wait(rig, 2 * HEARTBEAT_MS);
    EXPECT_INTEGER(rig->beats[1].limit[LANE_INTERACTIVE], 1 + EDGE_WINDOW_INTERACTIVE);
    rig_close(rig);
}

static void test_strangers(void) {
    struct rig *rig = rig_open();
    rig_ask(rig, 1, (struct ask){READ, .correlation = 1});
    (void)rig_take(rig, 1, KIND_REHELLO);
    rig_receive(rig, 1, TEXT("garbage"));
    EXPECT_INTEGER(drops(rig, CAUSE_MALFORMED), 1);
    rig_actor(rig, 11, ROLE_QUERY, 4);
    rig_ask(rig, 11, (struct ask){READ, .correlation = 1}); // actors do not ask
    EXPECT_INTEGER(drops(rig, CAUSE_NOT_ALLOWED), 1);
    rig_edge(rig, 1);
    rig_ask(rig, 1, (struct ask){READ, .correlation = 1, .lane = LANE_COUNT});
    (void)rig_take_status(rig, 1, STATUS_UNAVAILABLE);
    EXPECT(!rig_has(rig, 11) && !rig_has(rig, 1));
    rig_close(rig);
}

static void test_least_loaded(void) {
    struct rig *rig = rig_open();
    rig_edge(rig, 1);
    rig_actor(rig, 11, ROLE_QUERY, 8);
    rig_actor(rig, 12, ROLE_QUERY, 4);
    ask_many(rig, (struct ask){READ, .correlation = 1}, 12);
    EXPECT_INTEGER(rig->peers[11].delivered, 8);
    EXPECT_INTEGER(rig->peers[12].delivered, 4);
    rig_close(rig);
}

static void test_lanes_have_floors(void) {
    struct rig *rig = rig_open();
    uint32_t served[LANE_COUNT] = {0};
    rig_edge(rig, 1);
    rig_actor(rig, 11, ROLE_QUERY, 1);
    for (uint8_t lane = 0; lane < LANE_COUNT; lane++)
        ask_many(rig, (struct ask){READ, .correlation = 1000U * lane + 1, .lane = lane},
                 lane == LANE_INTERACTIVE ? 200 : 20);
    (void)next_delivery(rig, 11);
    for (uint32_t i = 0; i < 200; i++)
        served[next_delivery(rig, 11)->envelope.lane]++;
    EXPECT_INTEGER(served[LANE_COMMAND], 10); // the 20th, the 40th, ...
    EXPECT_INTEGER(served[LANE_TASK], 9); // the 21st, ...
    EXPECT_INTEGER(served[LANE_BULK], 9);
    EXPECT_INTEGER(served[LANE_INTERACTIVE], 172);
    rig_close(rig);
}

static void test_tenants_take_turns(void) {
    struct rig *rig = rig_open();
    uint32_t served[4] = {0};
    rig_edge(rig, 1);
    rig_actor(rig, 11, ROLE_QUERY, 1);
    ask_many(rig, (struct ask){READ, .correlation = 1, .tenant = 1}, 100);
    ask_many(rig, (struct ask){READ, .correlation = 201, .tenant = 2}, 10);
    ask_many(rig, (struct ask){READ, .correlation = 301, .tenant = 3}, 1);
    EXPECT_INTEGER(next_delivery(rig, 11)->envelope.correlation, 1);
    for (uint32_t i = 0; i < 6; i++)
        served[next_delivery(rig, 11)->envelope.tenant.bytes[0]]++;
    EXPECT_INTEGER(served[3], 1);
    EXPECT(served[1] >= 2 && served[2] >= 2);
    for (uint32_t i = 0; i < 10; i++)
        (void)next_delivery(rig, 11);
    EXPECT_INTEGER(rig->broker->lanes[0].queued, 111 - 17 - 1);
    rig_close(rig);
}

// As when somebody tries one token after the other: there is always another look-up that waits.
static void test_requests_without_a_tenant_take_one_turn(void) {
    struct rig *rig = rig_open();
    uint32_t served[4] = {0};
    rig_edge(rig, 1);
    rig_edge(rig, 2);
    rig_actor(rig, 11, ROLE_QUERY, 1);
    ask_many(rig, (struct ask){READ, .correlation = 1}, 40);
    ask_many(rig, (struct ask){READ, .correlation = 1001, .tenant = 2}, 3);
    ask_many(rig, (struct ask){READ, .correlation = 2001, .tenant = 3}, 3);
    rig_ask(rig, 2, (struct ask){READ, .correlation = 77}); // has its turn among them
    for (uint32_t i = 0; i < 12; i++) {
        const struct sent_frame *frame = next_delivery(rig, 11);
        served[frame->envelope.session == 20 ? 1 : frame->envelope.tenant.bytes[0]]++;
        rig_ask(rig, 1, (struct ask){READ, .correlation = 41 + i});
    }
    EXPECT_INTEGER(served[1], 1);
    EXPECT_INTEGER(served[2], 3);
    EXPECT_INTEGER(served[3], 3);
    EXPECT_INTEGER(served[0], 5);
    rig_close(rig);
}

static void test_a_quarter_while_others_wait(uint8_t tenant) {
    struct rig *rig = rig_open();
    uint32_t in_hand[3] = {0};
    rig_edge(rig, 1);
    rig_actor(rig, 11, ROLE_QUERY, 16);
    ask_many(rig, (struct ask){READ, .correlation = 1, .tenant = tenant}, 40);
    EXPECT_INTEGER(rig->peers[11].delivered, 16); // alone it has all of it
    ask_many(rig, (struct ask){READ, .correlation = 101, .tenant = 2}, 2);
    struct sent_frame *first[16];
    for (uint32_t i = 0; i < 16; i++)
        first[i] = rig_take(rig, 11, KIND_REQUEST);
    rig_answer(rig, first[0], 1); // 15 of the first are in hand
    rig_answer(rig, first[1], 1);
    for (uint32_t i = 0; i < 2; i++)
        in_hand[rig_take(rig, 11, KIND_REQUEST)->envelope.tenant.bytes[0]]++;
    EXPECT_INTEGER(in_hand[2], 2);
    rig_answer(rig, first[2], 1); // nobody else waits any more
    EXPECT_INTEGER(rig_take(rig, 11, KIND_REQUEST)->envelope.tenant.bytes[0], tenant);
    rig_close(rig);
}

static void test_a_quarter_for_a_tenant(void) {
    test_a_quarter_while_others_wait(1);
}

static void test_a_quarter_without_a_tenant(void) {
    test_a_quarter_while_others_wait(0);
}

static void test_over_share(void) {
    struct rig *rig = rig_open();
    uint32_t share = EDGE_WINDOW_INTERACTIVE / TENANT_QUEUE_SHARE;
    rig_edge(rig, 1);
    rig_edge(rig, 2);
    rig_actor(rig, 11, ROLE_QUERY, 1);
    ask_many(rig, (struct ask){READ, .correlation = 1, .tenant = 1}, 1 + share);
    EXPECT(!rig_has(rig, 1));
    rig_ask(rig, 1, (struct ask){READ, .correlation = 5000, .tenant = 1});
    EXPECT_INTEGER(rig_take_status(rig, 1, STATUS_OVER_SHARE)->envelope.correlation, 5000);
    rig_ask(rig, 2, (struct ask){READ, .correlation = 1, .tenant = 1}); // whichever edge
    (void)rig_take_status(rig, 2, STATUS_OVER_SHARE);
    rig_ask(rig, 2, (struct ask){READ, .correlation = 2, .tenant = 2});
    EXPECT(!rig_has(rig, 2));
    EXPECT_INTEGER(drops(rig, CAUSE_OVER_SHARE), 2);
    rig_close(rig);
}

// Nobody is there to be told that it asks too much.
static void test_too_many_without_a_tenant(void) {
    struct rig *rig = rig_open();
    rig_edge(rig, 1);
    rig_edge(rig, 2);
    rig_actor(rig, 11, ROLE_QUERY, 1);
    ask_many(rig, (struct ask){READ, .correlation = 1},
             1 + EDGE_WINDOW_INTERACTIVE / TENANTLESS_QUEUE_SHARE);
    EXPECT(!rig_has(rig, 1));
    rig_ask(rig, 1, (struct ask){READ, .correlation = 5000});
    EXPECT_INTEGER(rig_take_status(rig, 1, STATUS_BUSY)->envelope.correlation, 5000);
    EXPECT_INTEGER(drops(rig, CAUSE_BUSY), 1);
    rig_ask(rig, 1, (struct ask){READ, .correlation = 5001, .tenant = 1});
    rig_ask(rig, 2, (struct ask){READ, .correlation = 1}); // the other edge has its own
    EXPECT(!rig_has(rig, 1) && !rig_has(rig, 2));
    rig_close(rig);
}

// No order is owed to anybody: one actor need not get them all.
static void test_commands_without_a_tenant_spread(void) {
    struct rig *rig = rig_open();
    rig_edge(rig, 1);
    rig_actor(rig, 11, ROLE_COMMAND, 4);
    rig_actor(rig, 12, ROLE_COMMAND, 4);
    ask_many(rig, (struct ask){WRITE, .correlation = 1, .lane = LANE_COMMAND}, 10);
    EXPECT_INTEGER(rig->peers[11].delivered, 4);
    EXPECT_INTEGER(rig->peers[12].delivered, 4);
    rig_answer(rig, rig_take(rig, 12, KIND_REQUEST), 1);
    EXPECT_INTEGER(rig->peers[12].delivered, 5);
    rig_close(rig);
}

static void test_budget_in_the_queue(void) {
    struct rig *rig = rig_open();
    rig_edge(rig, 1);
    rig_actor(rig, 11, ROLE_QUERY, 1);
    rig_ask(rig, 1, (struct ask){READ, .correlation = 1});
    rig_ask(rig, 1, (struct ask){READ, .correlation = 2, .budget_ms = 300});
    rig_ask(rig, 1, (struct ask){READ, .correlation = 3, .budget_ms = 100});
    rig_wait(rig, 150);
    EXPECT_INTEGER(rig_take_status(rig, 1, STATUS_EXPIRED)->envelope.correlation, 3);
    (void)next_delivery(rig, 11);
    struct sent_frame *late = rig_take(rig, 11, KIND_REQUEST);
    EXPECT_INTEGER(late->envelope.correlation, 2);
    EXPECT_INTEGER(late->envelope.budget_us, 150000);
    (void)rig_take_status(rig, 1, STATUS_OK);
    rig_answer(rig, late, 1);
    struct reply_block block;
    struct text body;
    EXPECT(reply_read(rig_take_status(rig, 1, STATUS_OK)->bytes, &block, &body));
    EXPECT_INTEGER(block.queue_us, 150000);
    rig_close(rig);
}

static void test_unanswered(void) {
    struct rig *rig = rig_open();
    rig_edge(rig, 1);
    rig_actor(rig, 11, ROLE_QUERY, 4);
    rig_ask(rig, 1, (struct ask){READ, .correlation = 1, .budget_ms = 100});
    rig_wait(rig, 1500);
    EXPECT(!rig_has(rig, 1));
    rig_wait(rig, 150);
    (void)rig_take_status(rig, 1, STATUS_EXPIRED);
    EXPECT_INTEGER(rig->broker->pool.used, 0);
    rig_close(rig);
}

static void test_duplicates(void) {
    struct rig *rig = rig_open();
    rig_edge(rig, 1);
    rig_actor(rig, 11, ROLE_QUERY, 4);
    rig_ask(rig, 1, (struct ask){READ, .correlation = 1});
    rig_ask(rig, 1, (struct ask){READ, .correlation = 1});
    EXPECT_INTEGER(drops(rig, CAUSE_DUPLICATE), 1);
    rig_ask(rig, 1, (struct ask){READ, .correlation = 1, .attempt = 1});
    EXPECT_INTEGER(rig->peers[11].delivered, 2);
    rig_close(rig);
}

static void test_suspect_actor(void) {
    struct rig *rig = rig_open();
    rig_edge(rig, 1);
    rig_actor(rig, 11, ROLE_QUERY, 4);
    rig_actor(rig, 12, ROLE_COMMAND, 4);
    rig_ask(rig, 1, (struct ask){READ, .correlation = 1});
    rig_ask(rig, 1, (struct ask){WRITE, .correlation = 2, .lane = LANE_COMMAND, .tenant = 1});
    rig->peers[11].mute = rig->peers[12].mute = true;
    rig_wait(rig, SUSPECT_MS + 25);
    EXPECT_INTEGER(rig_take_status(rig, 1, STATUS_LOST)->envelope.correlation, 1);
    rig_ask(rig, 1, (struct ask){READ, .correlation = 3}); // no new work for it
    EXPECT_INTEGER(rig->peers[11].delivered, 1);
    rig_beat(rig, 11);
    EXPECT_INTEGER(rig->peers[11].delivered, 2);
    EXPECT(!rig_has(rig, 1));
    rig_wait(rig, GONE_MS - SUSPECT_MS + 50); // 12 is gone, 11 has been silent again
    EXPECT_INTEGER(rig_take_status(rig, 1, STATUS_LOST)->envelope.correlation, 2);
    EXPECT_INTEGER(rig_take_status(rig, 1, STATUS_LOST)->envelope.correlation, 3);
    rig_close(rig);
}

static void test_unreachable_actor(void) {
    struct rig *rig = rig_open();
    rig_edge(rig, 1);
    rig_actor(rig, 11, ROLE_QUERY, 4);
    rig_ask(rig, 1, (struct ask){READ, .correlation = 1});
    rig->unreachable = 11;
    rig_ask(rig, 1, (struct ask){READ, .correlation = 2});
    (void)rig_take_status(rig, 1, STATUS_LOST);
    (void)rig_take_status(rig, 1, STATUS_LOST);
    EXPECT_INTEGER(rig->broker->pool.used, 0);
    rig_close(rig);
}

// The tenants of one actor go to another only when it has answered what it has of them.
static void test_owner_drains(void) {
    struct rig *rig = rig_open();
    struct ask command = {WRITE, .correlation = 1, .tenant = 5, .lane = LANE_COMMAND};
    rig_edge(rig, 1);
    rig_actor(rig, 11, ROLE_COMMAND, 4);
    rig_actor(rig, 12, ROLE_COMMAND, 4);
    ask_many(rig, command, 3);
    uint64_t owner = rig->peers[11].delivered == 3 ? 11 : 12;
    uint64_t other = owner == 11 ? 12 : 11;
    EXPECT_INTEGER(rig->peers[owner].delivered, 3);
    struct sent_frame *in_hand[3];
    for (uint32_t i = 0; i < 3; i++)
        in_hand[i] = rig_take(rig, owner, KIND_REQUEST);
    rig_bare(rig, owner, KIND_DRAIN);
    (void)rig_take(rig, owner, KIND_DRAIN); // confirmed: nothing follows
    command.correlation = 4;
    rig_ask(rig, 1, command);
    for (uint32_t i = 0; i < 3; i++) {
        EXPECT_INTEGER(rig->peers[other].delivered, 0);
        rig_answer(rig, in_hand[i], 0);
    }
    EXPECT_INTEGER(rig_take(rig, other, KIND_REQUEST)->envelope.correlation, 4);
    EXPECT(!rig_has(rig, owner));
    rig_close(rig);
}

static void test_nobody_serves_it(void) {
    struct rig *rig = rig_open();
    rig_edge(rig, 1);
    rig_ask(rig, 1, (struct ask){READ, .correlation = 1});
    (void)rig_take_status(rig, 1, STATUS_UNAVAILABLE);
    rig_actor(rig, 11, ROLE_QUERY, 4);
    rig_bare(rig, 11, KIND_GOODBYE);
    rig->peers[11].role = 0;
    rig_ask(rig, 1, (struct ask){READ, .correlation = 2}); // it may come back
    rig_ask(rig, 1, (struct ask){READ, .correlation = 3});
    EXPECT(!rig_has(rig, 1));
    rig_actor(rig, 12, ROLE_QUERY, 1);
    EXPECT_INTEGER(rig_take(rig, 12, KIND_REQUEST)->envelope.correlation, 2);
    rig_bare(rig, 12, KIND_GOODBYE);
    rig->peers[12].role = 0;
    EXPECT_INTEGER(rig_take_status(rig, 1, STATUS_LOST)->envelope.correlation, 2);
    rig_wait(rig, BROKER_NOBODY_MS + 50);
    EXPECT_INTEGER(rig_take_status(rig, 1, STATUS_UNAVAILABLE)->envelope.correlation, 3);
    rig_close(rig);
}

// Whatever slots of the table they have.
static void test_the_first_actor_gets_them_in_order(void) {
    struct rig *rig = rig_open();
    rig->broker->started_us = rig->now_us; // so young that its actors may still come
    rig_edge(rig, 1);
    for (uint32_t i = 1; i <= 3; i++)
        rig_ask(rig, 1, (struct ask){WRITE, .correlation = i, .tenant = 7, .lane = LANE_COMMAND});
    struct request *first = request_find(&rig->broker->pool, 10, 1, 0);
    EXPECT(first != NULL);
    dispatch_end(rig->broker, first, STATUS_EXPIRED, CAUSE_CANCELLED);
    rig_ask(rig, 1, (struct ask){WRITE, .correlation = 4, .tenant = 7, .lane = LANE_COMMAND});
    rig_actor(rig, 11, ROLE_COMMAND, 64);
    for (uint64_t i = 2; i <= 4; i++)
        EXPECT_INTEGER(rig_take(rig, 11, KIND_REQUEST)->envelope.correlation, i);
    rig_close(rig);
}

// A greeting that waited on the way behind another of its kind, and what waited behind it: the
// broker has missed its sender meanwhile.
static void test_cancel_and_lost_edge(void) {
    struct rig *rig = rig_open();
    rig_edge(rig, 1);
    rig_actor(rig, 11, ROLE_QUERY, 1);
    ask_many(rig, (struct ask){READ, .correlation = 1}, 3);
    struct sent_frame *request = rig_take(rig, 11, KIND_REQUEST);
    char frame[ENVELOPE_BYTES];
    struct envelope cancel = request->envelope;
    cancel.kind = KIND_CANCEL;
    envelope_write(&cancel, frame);
    rig_receive(rig, 1, (struct text){frame, sizeof frame});
    EXPECT_INTEGER(rig_take(rig, 11, KIND_CANCEL)->envelope.correlation, 1);
    cancel.correlation = 2;
    envelope_write(&cancel, frame);
    rig_receive(rig, 1, (struct text){frame, sizeof frame});
    EXPECT_INTEGER(rig_take_status(rig, 1, STATUS_EXPIRED)->envelope.correlation, 2);
    rig_bare(rig, 1, KIND_GOODBYE);
    rig->peers[1].role = 0;
    EXPECT_INTEGER(rig_take(rig, 11, KIND_CANCEL)->envelope.correlation, 1);
    rig_answer(rig, request, 1);
    EXPECT_INTEGER(drops(rig, CAUSE_NO_RECEIVER), 1);
    EXPECT_INTEGER(rig->broker->pool.used, 0);
    EXPECT(!rig_has(rig, 11));
    rig_close(rig);
}

// Of a request that came through another broker, or before this one started.
static void test_reply_of_another_broker(void) {
    struct rig *rig = rig_open();
    rig_edge(rig, 1);
    rig_actor(rig, 11, ROLE_QUERY, 1);
    const struct sent_frame request = {.address = 11,
                                       .envelope = {.session = 10, .correlation = 99}};
    rig_answer(rig, &request, 1);
    EXPECT_INTEGER(rig_take_status(rig, 1, STATUS_OK)->envelope.correlation, 99);
    rig_close(rig);
}

static void test_drain(void) {
    struct rig *rig = rig_open();
    rig_edge(rig, 1);
    rig_actor(rig, 11, ROLE_QUERY, 1);
    ask_many(rig, (struct ask){READ, .correlation = 1}, 2);
    broker_drain(rig->broker, rig->now_us);
    (void)rig_take(rig, 1, KIND_GOAWAY);
    EXPECT_INTEGER(rig_take_status(rig, 1, STATUS_UNAVAILABLE)->envelope.correlation, 2);
    rig_ask(rig, 1, (struct ask){READ, .correlation = 3});
    (void)rig_take_status(rig, 1, STATUS_UNAVAILABLE);
    rig_edge(rig, 2); // nobody new is taken in
    rig_wait(rig, RIG_MS);
    EXPECT(!broker_drained(rig->broker) && rig->broker->peer_count == 2);
    rig_answer(rig, rig_take(rig, 11, KIND_REQUEST), 1);
    (void)rig_take_status(rig, 1, STATUS_OK);
    rig_wait(rig, 50);
    EXPECT(broker_drained(rig->broker));
    (void)rig_take(rig, 1, KIND_GOODBYE);
    (void)rig_take(rig, 11, KIND_GOAWAY);
    (void)rig_take(rig, 11, KIND_GOODBYE);
    rig_close(rig);
}

static void test_drain_ends(void) {
    struct rig *rig = rig_open();
    rig_edge(rig, 1);
    rig_actor(rig, 11, ROLE_QUERY, 1);
    rig_ask(rig, 1, (struct ask){READ, .correlation = 1, .budget_ms = 60000});
    broker_drain(rig->broker, rig->now_us);
    rig_wait(rig, BROKER_DRAIN_MS - 50);
    EXPECT(!broker_drained(rig->broker));
    rig_wait(rig, 100);
    EXPECT(broker_drained(rig->broker));
    rig_close(rig);
}

static void test_no_memory_is_taken(void) {
    struct rig *rig = rig_open();
    rig_edge(rig, 1);
    rig_actor(rig, 11, ROLE_QUERY, 4);
    uint64_t before = allocations - rig->copies;
    for (uint32_t i = 0; i < 100; i++) { // some at once, most through the queue
        ask_many(rig, (struct ask){READ, .correlation = 100U * i, .tenant = (uint8_t)i}, 10);
        for (uint32_t k = 0; k < 10; k++) {
            rig_answer(rig, rig_take(rig, 11, KIND_REQUEST), 4);
            (void)rig_take_status(rig, 1, STATUS_OK);
        }
    }
    EXPECT_INTEGER(rig->broker->lanes[LANE_INTERACTIVE].dispatched, 1000);
    EXPECT_INTEGER(allocations - rig->copies, before);
    EXPECT(rig->copies >= 2000);
    rig_close(rig);
}

int main(void) {
    static const struct test tests[] = {
        {"a request goes to an actor, its reply to the edge", test_request_and_reply},
        {"a paused operation is refused, what waits of it too, and nothing else", test_pause},
        {"a request is found by its edge and its correlation", test_look_request},
        {"what an edge may send stands in heartbeats, counted by the edge", test_edge_credit},
        {"strangers, garbage and frames out of role are refused", test_strangers},
        {"the actor with the most free of its window is asked", test_least_loaded},
        {"each waiting lane gets a twentieth at least", test_lanes_have_floors},
        {"tenants take turns", test_tenants_take_turns},
        {"requests without a tenant take one turn an edge",
         test_requests_without_a_tenant_take_one_turn},
        {"a tenant has a quarter of a window while others wait", test_a_quarter_for_a_tenant},
        {"requests without a tenant have a quarter, too", test_a_quarter_without_a_tenant},
        {"a tenant's queue is limited, others still get in", test_over_share},
        {"requests without a tenant are limited an edge", test_too_many_without_a_tenant},
        {"commands without a tenant go to any actor", test_commands_without_a_tenant_spread},
        {"time in the queue is part of the budget", test_budget_in_the_queue},
        {"a request that an actor never answers is given up", test_unanswered},
        {"the same attempt counts once", test_duplicates},
        {"a silent actor loses its reads, gets none, then loses its commands", test_suspect_actor},
        {"an actor that cannot be reached is gone at once", test_unreachable_actor},
        {"a tenant moves when its last owner has answered all", test_owner_drains},
        {"a request waits for an actor that may come back", test_nobody_serves_it},
        {"what waited for a first actor comes in order", test_the_first_actor_gets_them_in_order},
        {"cancels reach the queue and the actor", test_cancel_and_lost_edge},
        {"a reply finds its edge without a record", test_reply_of_another_broker},
        {"a drain hands back, relays, and says goodbye", test_drain},
        {"a drain ends in time", test_drain_ends},
        {"no memory is taken for a message", test_no_memory_is_taken},
    };
    return expect_run(tests, COUNT_OF(tests));
}
