// SPDX-License-Identifier: Apache-2.0
#include "expect.h"
#include "span.h"

static const struct operation operation = {
    .name = "list_banks", .number = 7, .method = "GET", .path = "/api/banks"};

// Received at 5,000,000 us of the edge's clock, answered 1,000 us later.
static struct ended ended_with(const struct trip *trips) {
    static const uint8_t trace[TRACE_BYTES] = {0xab, [15] = 0x0f, [16] = 0xcd, [23] = 9, [24] = 1};
    static const uint8_t parent[SPAN_ID_BYTES] = {0xee, [7] = 1};
    return (struct ended){
        .operation = &operation,
        .method = TEXT("GET"),
        .path = TEXT("/api/banks"),
        .id = "mine-7",
        .trace = trace,
        .parent = parent,
        .status = STATUS_OK,
        .received_us = 5000000,
        .now_us = 5001000,
        .trips = trips,
    };
}

static struct span spans[SPANS_PER_REQUEST_MAX];
static struct traced traced;

static uint32_t build(const struct trip *trips) {
    struct ended ended = ended_with(trips);
    traced_take(&ended, 1800000000001000, &traced);
    return span_build(&traced, spans);
}

static void expect_span(uint32_t index, enum span_station station, uint32_t parent,
                        uint64_t begin_us, uint64_t end_us) {
    EXPECT_INTEGER(spans[index].station, station);
    EXPECT(memcmp(spans[index].parent, spans[parent].id, SPAN_ID_BYTES) == 0);
    EXPECT_INTEGER(spans[index].begin_us, begin_us);
    EXPECT_INTEGER(spans[index].end_us, end_us);
}

static void test_edge_alone(void) {
    const struct trip none[TRIP_COUNT] = {0};
    EXPECT_INTEGER(build(none), 1);
    EXPECT_INTEGER(traced.received_wall_us, 1800000000000000);
    EXPECT_INTEGER(spans[0].begin_us, 0);
    EXPECT_INTEGER(spans[0].end_us, 1000);
    EXPECT(spans[0].id[0] == 0xcd && spans[0].id[7] == 9);
    EXPECT(spans[0].parent[0] == 0xee && spans[0].parent[7] == 1);
}

// 800 us away: 60 in the queue, 500 at the actor; of the 240 under way half before and half after.
static const struct trip whole = {
    .sent_us = 5000100,
    .back_us = 5000900,
    .sends = 1,
    .block = {.queue_us = 60, .wait_us = 30, .database_us = 410, .actor_us = 500},
};

static void test_stations(void) {
    const struct trip trips[TRIP_COUNT] = {[TRIP_OWN] = whole};
    EXPECT_INTEGER(build(trips), 4);
    expect_span(1, SPAN_BUS, 0, 100, 900);
    expect_span(2, SPAN_ACTOR, 1, 280, 780);
    expect_span(3, SPAN_DATABASE, 2, 310, 720);
    for (uint32_t i = 1; i < 4; i++) {
        EXPECT_INTEGER(spans[i].trip, TRIP_OWN);
        for (uint32_t j = 0; j < i; j++)
            EXPECT(memcmp(spans[i].id, spans[j].id, SPAN_ID_BYTES) != 0);
    }
}

static void test_look_up(void) {
    const struct trip trips[TRIP_COUNT] = {
        [TRIP_LOOK_UP] = {.sent_us = 5000010,
                          .back_us = 5000090,
                          .sends = 2,
                          .block = {.actor_us = 20, .database_us = 20}},
        [TRIP_OWN] = whole,
    };
    EXPECT_INTEGER(build(trips), 7);
    expect_span(1, SPAN_BUS, 0, 10, 90);
    expect_span(2, SPAN_ACTOR, 1, 40, 60);
    expect_span(3, SPAN_DATABASE, 2, 40, 60);
    EXPECT_INTEGER(spans[3].trip, TRIP_LOOK_UP);
    expect_span(4, SPAN_BUS, 0, 100, 900);
    expect_span(6, SPAN_DATABASE, 5, 310, 720);
}

static void test_no_actor_answered(void) {
    const struct trip trips[TRIP_COUNT] = {
        [TRIP_OWN] = {.sent_us = 5000100, .back_us = 5000900, .sends = 3}};
    EXPECT_INTEGER(build(trips), 2);
    expect_span(1, SPAN_BUS, 0, 100, 900);
}

static void test_lies(void) {
    struct trip lie = whole;
    lie.block = (struct reply_block){.queue_us = UINT32_MAX,
                                     .wait_us = UINT32_MAX,
                                     .database_us = UINT32_MAX,
                                     .actor_us = UINT32_MAX};
    const struct trip trips[TRIP_COUNT] = {[TRIP_OWN] = lie};
    EXPECT_INTEGER(build(trips), 4);
    expect_span(2, SPAN_ACTOR, 1, 900, 900);
    expect_span(3, SPAN_DATABASE, 2, 900, 900);
    lie.block.queue_us = 0;
    const struct trip others[TRIP_COUNT] = {[TRIP_OWN] = lie};
    EXPECT_INTEGER(build(others), 4);
    expect_span(2, SPAN_ACTOR, 1, 100, 900);
}

static void test_client_texts(void) {
    const struct trip none[TRIP_COUNT] = {0};
    char path[2 * SPAN_PATH_BYTES];
    memset(path, 'x', sizeof path);
    memcpy(path, "/a\nb\xff", 5);
    struct ended ended = ended_with(none);
    ended.path = (struct text){path, sizeof path};
    ended.method = TEXT("BREW");
    traced_take(&ended, 0, &traced);
    EXPECT_INTEGER(strlen(traced.path), SPAN_PATH_BYTES);
    EXPECT(memcmp(traced.path, "/a?b?xx", 7) == 0);
    EXPECT_TEXT(text_of(traced.method), "_OTHER");
    EXPECT_TEXT(text_of(traced.id), "mine-7");
}

int main(void) {
    static const struct test tests[] = {
        {"a request that went nowhere has the edge's span", test_edge_alone},
        {"each station has its own, as long as it says, inside the one before", test_stations},
        {"the way for the token has spans, too", test_look_up},
        {"without an actor's answer there is the bus", test_no_actor_answered},
        {"no span is outside its parent, whatever a reply claims", test_lies},
        {"what the client wrote is cut and made plain", test_client_texts},
    };
    return expect_run(tests, COUNT_OF(tests));
}
