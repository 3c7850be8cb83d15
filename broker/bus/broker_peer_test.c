// SPDX-License-Identifier: Apache-2.0
// Who is taken in by the broker's core, and who is not. Edges are at the addresses 1 and 2, actors
// from 11 on.
#include "broker_rig.h"

// The dialing end repeats its greeting until it is welcomed; the last one may be read when all that
// followed the first is over. Its sender is told to dial anew: both count from a new beginning.
static void test_a_greeting_counts_once(void) {
    struct hello hello = {
        .role = ROLE_QUERY, .instance = 110, .nonce = 7, .window = 4, .credit = 4};
    hello.operations[hello.operation_count++] = READ;
    struct rig *rig = rig_open();
    rig_edge(rig, 1);
    rig_hello(rig, 11, &hello);
    rig_ask(rig, 1, (struct ask){READ, .correlation = 1});
    (void)rig_take(rig, 11, KIND_REQUEST);
    rig->peers[11].mute = true;
    rig_wait(rig, GONE_MS + 50);
    (void)rig_take_status(rig, 1, STATUS_LOST);
    rig_hello(rig, 11, &hello);
    rig->peers[11].mute = true;
    (void)rig_take(rig, 11, KIND_GOODBYE);
    rig_hello(rig, 12, &hello); // the connection is another one, the greeting is not
    (void)rig_take(rig, 12, KIND_GOODBYE);
    EXPECT_INTEGER(rig->broker->peer_count, 1);
    hello.nonce = 8;
    rig_hello(rig, 12, &hello);
    rig_ask(rig, 1, (struct ask){READ, .correlation = 2});
    EXPECT_INTEGER(rig_take(rig, 12, KIND_REQUEST)->envelope.correlation, 2);
    rig_close(rig);
}

static void test_too_many_actors(void) {
    struct rig *rig = rig_open();
    for (uint64_t i = 0; i <= ACTORS_MAX; i++)
        rig_actor(rig, 11 + i, ROLE_QUERY, 1);
    EXPECT_INTEGER(rig->broker->peer_count, ACTORS_MAX);
    EXPECT_INTEGER(rig->broker->drops[CAUSE_PEERS], 1);
    rig_edge(rig, 1);
    EXPECT_INTEGER(rig->broker->peer_count, ACTORS_MAX + 1);
    rig_close(rig);
}

int main(void) {
    static const struct test tests[] = {
        {"a greeting that was accepted before makes no second record", test_a_greeting_counts_once},
        {"an actor too many is not taken in", test_too_many_actors},
    };
    return expect_run(tests, COUNT_OF(tests));
}
