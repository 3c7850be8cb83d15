// SPDX-License-Identifier: Apache-2.0
// Who may say what: every kind of frame by every role, roles that were not proved, sessions of
// others, keys that are trusted no more.
#include "broker_rig.h"

enum { EDGE = 1, QUERY_ACTOR, COMMAND_ACTOR, TASK_ACTOR, BRIDGE, NEWCOMER, EDGE_KEY = 71 };

static uint64_t drops(const struct rig *rig, enum broker_cause cause) {
    struct broker_view view;
    broker_look(rig->broker, &view);
    return view.drops[cause];
}

static uint32_t peers(const struct rig *rig) {
    struct broker_view view;
    broker_look(rig->broker, &view);
    return view.peers;
}

static struct hello hello_of(uint64_t address, uint8_t role) {
    return (struct hello){.role = role, .instance = address * 10, .nonce = 500, .name = "x"};
}

// One peer of each role, at the address of its number.
static struct rig *everybody(void) {
    struct rig *rig = rig_open();
    for (uint8_t role = ROLE_EDGE; role < ROLE_COUNT; role++) {
        const struct hello hello = hello_of(role, role);
        rig_hello(rig, role, &hello);
    }
    EXPECT_INTEGER(peers(rig), ROLE_COUNT - 1);
    return rig;
}

static bool is_not_allowed(uint8_t role, uint8_t kind) {
    struct rig *rig = everybody();
    char frame[CONTROL_BYTES_MAX];
    uint32_t length = control_write_channels(kind, &(struct uuid){{4}}, 1, frame);
    rig_receive(rig, role, (struct text){frame, length});
    bool refused = drops(rig, CAUSE_NOT_ALLOWED) == 1;
    EXPECT_INTEGER(drops(rig, CAUSE_STRANGER), 0);
    rig = rig_close(rig);
    return refused;
}

// A letter a role: edge, query, command, task, bridge. A reply of one that serves nothing is
// refused as well, whatever its role; a cancel of nothing is ignored.
static void test_every_kind_of_every_role(void) {
    static const struct {
        uint8_t kind;
        const char *allowed;
    } rows[] = {
        {KIND_WELCOME, "....."},   {KIND_HEARTBEAT, "eqctb"},
        {KIND_CREDIT, "eqctb"},    {KIND_CANCEL, "e...b"},
        {KIND_DRAIN, "eqctb"},     {KIND_GOAWAY, "....."},
        {KIND_GOODBYE, "eqctb"},   {KIND_EVENT, "e.ctb"},
        {KIND_SUBSCRIBE, "e...b"}, {KIND_UNSUBSCRIBE, "e...b"},
        {KIND_GAP, "....."},       {KIND_REHELLO, "....."},
        {KIND_REPLY, "....."},     {99, "eqctb"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        for (uint8_t role = ROLE_EDGE; role < ROLE_COUNT; role++) {
            bool refused = is_not_allowed(role, rows[i].kind);
            if (refused != (rows[i].allowed[role - 1] == '.'))
                fprintf(stderr, "kind %u of role %u\n", rows[i].kind, role);
            EXPECT_INTEGER(refused, rows[i].allowed[role - 1] == '.');
        }
    }
}

static void test_only_edges_and_the_bridge_ask(void) {
    for (uint8_t role = ROLE_EDGE; role < ROLE_COUNT; role++) {
        bool may = role == ROLE_EDGE || role == ROLE_BRIDGE;
        struct rig *rig = everybody();
        rig_actor(rig, NEWCOMER, ROLE_QUERY, 4);
        rig_ask(rig, role, (struct ask){.operation = READ, .correlation = 1, .tenant = 9});
        EXPECT_INTEGER(drops(rig, CAUSE_NOT_ALLOWED), may ? 0 : 1);
        EXPECT(rig_has(rig, NEWCOMER) == may);
        rig = rig_close(rig);
    }
}

static void test_a_request_names_its_own_session(void) {
    struct rig *rig = everybody();
    rig_actor(rig, NEWCOMER, ROLE_QUERY, 4);
    struct envelope envelope = {.version = ENVELOPE_VERSION,
                                .kind = KIND_REQUEST,
                                .operation = READ,
                                .flags = FLAG_READ_ONLY,
                                .budget_us = 5000000,
                                .session = BRIDGE * 10,
                                .correlation = 1};
    char frame[ENVELOPE_BYTES];
    envelope_write(&envelope, frame);
    rig_receive(rig, EDGE, (struct text){frame, sizeof frame});
    EXPECT_INTEGER(drops(rig, CAUSE_NOT_ALLOWED), 1);
    EXPECT(!rig_has(rig, NEWCOMER));
    rig = rig_close(rig);
}

static void test_who_asks_does_not_serve(void) {
    for (uint8_t role = ROLE_EDGE; role < ROLE_COUNT; role++) {
        bool may = role != ROLE_EDGE && role != ROLE_BRIDGE;
        struct rig *rig = rig_open();
        struct hello hello = hello_of(NEWCOMER, role);
        hello.window = hello.operation_count = 1;
        hello.credit = 1;
        hello.operations[0] = READ;
        rig_hello(rig, NEWCOMER, &hello);
        EXPECT_INTEGER(peers(rig), may);
        EXPECT_INTEGER(drops(rig, CAUSE_REFUSED), !may);
        EXPECT_INTEGER(rig->told, !may);
        rig = rig_close(rig);
    }
}

static void test_a_session_is_not_taken_over_by_another_role(void) {
    struct rig *rig = everybody();
    struct hello hello = hello_of(EDGE, ROLE_QUERY); // an edge's, as actors read it in requests
    rig_hello(rig, NEWCOMER, &hello);
    EXPECT_INTEGER(drops(rig, CAUSE_REFUSED), 1);
    EXPECT_INTEGER(peers(rig), ROLE_COUNT - 1);
    hello = hello_of(EDGE, ROLE_EDGE);
    hello.nonce++; // it came back
    rig_hello(rig, NEWCOMER, &hello);
    EXPECT_INTEGER(drops(rig, CAUSE_REFUSED), 1);
    EXPECT_INTEGER(peers(rig), ROLE_COUNT - 1);
    rig = rig_close(rig);
}

static void test_a_claim_is_held_against_the_key(void) {
    for (uint8_t proved = 0; proved < ROLE_COUNT; proved++) {
        for (uint8_t claimed = ROLE_EDGE; claimed < ROLE_COUNT; claimed++) {
            struct rig *rig = rig_open_with_keys();
            const struct hello hello = hello_of(NEWCOMER, claimed);
            rig->proofs[NEWCOMER] = (struct broker_proof){.role = proved, .key = proved};
            rig_hello(rig, NEWCOMER, &hello);
            EXPECT_INTEGER(peers(rig), proved == claimed);
            EXPECT_INTEGER(rig->told, proved != claimed);
            EXPECT_INTEGER(drops(rig, CAUSE_REFUSED), proved != claimed);
            rig = rig_close(rig);
        }
    }
}

static void test_a_revoked_key_ends_its_sessions(void) {
    struct rig *rig = rig_open_with_keys();
    rig->proofs[EDGE] = (struct broker_proof){ROLE_EDGE, EDGE_KEY};
    rig->proofs[NEWCOMER] = (struct broker_proof){ROLE_EDGE, EDGE_KEY + 1};
    rig->proofs[QUERY_ACTOR] = (struct broker_proof){ROLE_QUERY, EDGE_KEY + 2};
    rig_edge(rig, EDGE);
    rig_edge(rig, NEWCOMER);
    rig_actor(rig, QUERY_ACTOR, ROLE_QUERY, 4);
    rig_ask(rig, EDGE, (struct ask){.operation = READ, .correlation = 1, .tenant = 9});
    (void)rig_take(rig, QUERY_ACTOR, KIND_REQUEST);
    broker_revoke(rig->broker, EDGE_KEY, rig->now_us);
    (void)rig_take(rig, EDGE, KIND_GOODBYE);
    (void)rig_take(rig, QUERY_ACTOR, KIND_CANCEL); // what it asked concerns nobody any more
    EXPECT_INTEGER(peers(rig), 2);
    rig->proofs[EDGE] = (struct broker_proof){0};
    rig_edge(rig, EDGE); // over the connection that is still there
    EXPECT_INTEGER(peers(rig), 2);
    EXPECT_INTEGER(rig->told, 1);
    rig = rig_close(rig);
}

// Each answers what it was given: what another has in hand, and what nobody has yet, is not its.
static void test_who_answers_for_another_is_not_heard(void) {
    struct rig *rig = rig_open();
    rig_edge(rig, EDGE);
    rig_actor(rig, QUERY_ACTOR, ROLE_QUERY, 1);
    rig_ask(rig, EDGE, (struct ask){.operation = READ, .correlation = 71, .tenant = 9});
    struct sent_frame *given = rig_take(rig, QUERY_ACTOR, KIND_REQUEST);
    rig_ask(rig, EDGE, (struct ask){.operation = READ, .correlation = 72, .tenant = 9}); // waits
    rig_actor(rig, COMMAND_ACTOR, ROLE_COMMAND, 4);
    for (uint64_t correlation = 71; correlation <= 72; correlation++) {
        struct sent_frame forged = *given;
        forged.address = COMMAND_ACTOR;
        forged.envelope.correlation = correlation;
        rig_answer(rig, &forged, 4);
    }
    EXPECT_INTEGER(drops(rig, CAUSE_NOT_ALLOWED), 2);
    EXPECT(!rig_has(rig, EDGE));
    rig_answer(rig, given, 1);
    EXPECT_INTEGER(rig_take_status(rig, EDGE, STATUS_OK)->envelope.correlation, 71);
    rig_answer(rig, rig_take(rig, QUERY_ACTOR, KIND_REQUEST), 1);
    EXPECT_INTEGER(rig_take_status(rig, EDGE, STATUS_OK)->envelope.correlation, 72);
    rig = rig_close(rig);
}

int main(void) {
    static const struct test tests[] = {
        {"every kind of frame is for its roles", test_every_kind_of_every_role},
        {"only edges and the bridge ask", test_only_edges_and_the_bridge_ask},
        {"a request names its own session", test_a_request_names_its_own_session},
        {"who asks does not serve", test_who_asks_does_not_serve},
        {"a session is not taken over by another role",
         test_a_session_is_not_taken_over_by_another_role},
        {"who answers for another is not heard", test_who_answers_for_another_is_not_heard},
        {"a claim is held against the key", test_a_claim_is_held_against_the_key},
        {"a revoked key ends its sessions", test_a_revoked_key_ends_its_sessions},
    };
    return expect_run(tests, COUNT_OF(tests));
}
