// SPDX-License-Identifier: Apache-2.0
// When an actor makes itself known to its brokers. The rest of what it does is played through by
// broker_simulation_test, and with frames of other builds by skew_test.
#include "expect.h"
#include "responder.h"

enum { BROKERS = 2 };

struct rig {
    struct responder *responder;
    uint64_t now_us;
    bool ready;
    uint32_t asked;
    uint32_t hellos[BROKERS];
};

static bool rig_send(void *context, uint32_t broker, struct text head, struct text body) {
    struct rig *rig = context;
    struct envelope envelope;
    (void)body;
    EXPECT(envelope_read(head, &envelope));
    EXPECT_INTEGER(envelope.kind, KIND_HELLO);
    rig->hellos[broker]++;
    return true;
}

static void rig_redial(void *context, uint32_t broker) {
    (void)context;
    (void)broker;
}

static bool rig_is_ready(void *context) {
    struct rig *rig = context;
    rig->asked++;
    return rig->ready;
}

static void rig_init(struct rig *rig) {
    static const uint16_t served[] = {7};
    *rig = (struct rig){.now_us = 5000000};
    rig->responder = responder_new(
        &(struct responder_options){.name = "query-1",
                                    .role = ROLE_QUERY,
                                    .instance = 11,
                                    .process = 12,
                                    .broker_count = BROKERS,
                                    .window = 4,
                                    .operations = served,
                                    .operation_count = 1},
        &(struct responder_port){
            .context = rig, .send = rig_send, .redial = rig_redial, .ready = rig_is_ready},
        rig->now_us);
    for (uint32_t broker = 0; broker < BROKERS; broker++)
        responder_connected(rig->responder, broker, rig->now_us);
}

// As its shell does: never before it is due.
static void rig_run(struct rig *rig, uint64_t until_us) {
    while (rig->now_us < until_us) {
        rig->now_us = MIN(until_us, MAX(rig->now_us + 1, responder_next_us(rig->responder)));
        responder_tick(rig->responder, rig->now_us);
    }
}

static void test_brokers_are_greeted_when_the_owner_is_ready(void) {
    struct rig rig;
    rig_init(&rig);
    rig_run(&rig, rig.now_us + 300000);
    EXPECT_INTEGER(rig.hellos[0] + rig.hellos[1], 0);
    EXPECT(rig.asked >= 250); // often: others carry its part meanwhile
    rig.ready = true;
    rig_run(&rig, rig.now_us + 1001);
    EXPECT_INTEGER(rig.hellos[0], 1);
    EXPECT_INTEGER(rig.hellos[1], 1);
    uint32_t asked = rig.asked;
    rig.ready = false; // its database is gone; brokers know it and may have given it work
    responder_disconnected(rig.responder, 1, rig.now_us);
    responder_connected(rig.responder, 1, rig.now_us);
    EXPECT_INTEGER(rig.hellos[1], 2);
    EXPECT_INTEGER(rig.asked, asked);
    responder_free(rig.responder);
}

static void test_a_broker_that_left_meanwhile_is_not_greeted(void) {
    struct rig rig;
    rig_init(&rig);
    responder_disconnected(rig.responder, 0, rig.now_us);
    rig.ready = true;
    rig_run(&rig, rig.now_us + 1001);
    EXPECT_INTEGER(rig.hellos[0], 0);
    EXPECT_INTEGER(rig.hellos[1], 1);
    responder_connected(rig.responder, 0, rig.now_us);
    EXPECT_INTEGER(rig.hellos[0], 1);
    responder_free(rig.responder);
}

static void test_an_owner_that_does_not_get_ready_is_known_all_the_same(void) {
    struct rig rig;
    rig_init(&rig);
    uint64_t begun_us = rig.now_us;
    rig_run(&rig, begun_us + GREET_MS_MAX * 1000ULL - 1);
    EXPECT_INTEGER(rig.hellos[0] + rig.hellos[1], 0);
    rig_run(&rig, begun_us + GREET_MS_MAX * 1000ULL);
    EXPECT_INTEGER(rig.hellos[0], 1);
    EXPECT_INTEGER(rig.hellos[1], 1);
    responder_free(rig.responder);
}

static void test_one_that_is_not_ready_drains_at_once(void) {
    struct rig rig;
    rig_init(&rig);
    responder_drain(rig.responder, rig.now_us);
    EXPECT(responder_drained(rig.responder));
    rig.ready = true;
    rig_run(&rig, rig.now_us + 2000);
    EXPECT_INTEGER(rig.hellos[0] + rig.hellos[1], 0);
    responder_free(rig.responder);
}

int main(void) {
    static const struct test tests[] = {
        {"brokers are greeted when the owner is ready",
         test_brokers_are_greeted_when_the_owner_is_ready},
        {"a broker that left meanwhile is not greeted",
         test_a_broker_that_left_meanwhile_is_not_greeted},
        {"an owner that does not get ready is known all the same",
         test_an_owner_that_does_not_get_ready_is_known_all_the_same},
        {"one that is not ready drains at once", test_one_that_is_not_ready_drains_at_once},
    };
    return expect_run(tests, COUNT_OF(tests));
}
