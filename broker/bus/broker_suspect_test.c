// SPDX-License-Identifier: Apache-2.0
// Suspects in the broker's core: what is told of an actor that is lost, and who gets a request that
// may have been its end. The edge is at the address 1, actors are from 11 on.
#include "broker_rig.h"

static void ask_suspect(struct rig *rig, uint16_t operation, uint64_t correlation, uint8_t tenant) {
    rig_ask(rig, 1,
            (struct ask){operation, correlation, tenant, .attempt = 1, .suspect = true,
                         .lane = operation == WRITE ? LANE_COMMAND : LANE_INTERACTIVE});
}

// One of an actor that hung.
static void ask_grouped(struct rig *rig, uint16_t operation, uint64_t correlation, uint8_t tenant) {
    rig_ask(rig, 1,
            (struct ask){operation, correlation, tenant, .attempt = 1, .suspect = true,
                         .grouped = true,
                         .lane = operation == WRITE ? LANE_COMMAND : LANE_INTERACTIVE});
}

// The next answer to the edge is LOST; whether it tells which actor it was, and that it hung.
static bool take_lost_so(struct rig *rig, uint64_t correlation, uint64_t actor, bool hung) {
    struct sent_frame *frame = rig_take_status(rig, 1, STATUS_LOST);
    struct reply_block block;
    struct text name;
    EXPECT_INTEGER(frame->envelope.correlation, correlation);
    EXPECT(reply_read(frame->bytes, &block, &name));
    if ((block.flags & REPLY_ACTOR_LOST) == 0) {
        EXPECT_INTEGER(name.length, 0);
        return false;
    }
    EXPECT_INTEGER(block.version, actor * 10);
    EXPECT_TEXT(name, "actor");
    EXPECT_INTEGER((block.flags & REPLY_ACTOR_HUNG) != 0, hung);
    return true;
}

static bool take_lost(struct rig *rig, uint64_t correlation, uint64_t actor) {
    return take_lost_so(rig, correlation, actor, false);
}

static void test_who_was_lost(void) {
    struct rig *rig = rig_open();
    rig_edge(rig, 1);
    rig_actor(rig, 11, ROLE_COMMAND, 4);
    rig_ask(rig, 1, (struct ask){WRITE, .correlation = 1, .lane = LANE_COMMAND, .tenant = 1});
    rig->unreachable = 11; // the next one never reaches it
    rig_ask(rig, 1, (struct ask){WRITE, .correlation = 2, .lane = LANE_COMMAND, .tenant = 1});
    EXPECT(take_lost(rig, 1, 11));
    EXPECT(!take_lost(rig, 2, 11));
    rig->unreachable = 0;
    rig_actor(rig, 12, ROLE_COMMAND, 4);
    rig_ask(rig, 1, (struct ask){WRITE, .correlation = 3, .lane = LANE_COMMAND, .tenant = 1});
    rig_actor(rig, 12, ROLE_COMMAND, 4); // it lives, its connection is another one
    EXPECT(!take_lost(rig, 3, 12));
    rig_ask(rig, 1, (struct ask){WRITE, .correlation = 4, .lane = LANE_COMMAND, .tenant = 1});
    rig_bare(rig, 12, KIND_GOODBYE);
    EXPECT(!take_lost(rig, 4, 12));
    EXPECT_INTEGER(rig->broker->drops[CAUSE_ACTOR_LOST], 4);
    rig_close(rig);
}

static void test_one_at_an_actor(void) {
    struct rig *rig = rig_open();
    rig_edge(rig, 1);
    rig_actor(rig, 11, ROLE_QUERY, 8);
    for (uint8_t tenant = 1; tenant <= 12; tenant++)
        ask_suspect(rig, READ, tenant, tenant);
    rig_ask(rig, 1, (struct ask){READ, .correlation = 20, .tenant = 20});
    for (uint8_t tenant = 1; tenant <= 12; tenant++) {
        struct sent_frame *suspect = rig_take(rig, 11, KIND_REQUEST);
        EXPECT_INTEGER(suspect->envelope.correlation, tenant);
        if (tenant == 1) // one that is no suspect is not kept from it
            EXPECT_INTEGER(rig_take(rig, 11, KIND_REQUEST)->envelope.correlation, 20);
        EXPECT(!rig_has(rig, 11));
        rig_answer(rig, suspect, 8);
    }
    EXPECT(!rig_has(rig, 11));
    EXPECT_INTEGER(rig->broker->suspected, 0);
    rig_close(rig);
}

static void test_each_actor_takes_one(void) {
    struct rig *rig = rig_open();
    rig_edge(rig, 1);
    rig_actor(rig, 11, ROLE_QUERY, 8);
    rig_actor(rig, 12, ROLE_QUERY, 8);
    for (uint64_t correlation = 1; correlation <= 3; correlation++)
        ask_suspect(rig, READ, correlation, 0);
    rig_ask(rig, 1, (struct ask){READ, .correlation = 9}); // without a tenant: no order to keep
    EXPECT_INTEGER(rig->peers[11].delivered + rig->peers[12].delivered, 3);
    EXPECT(rig->peers[11].delivered > 0 && rig->peers[12].delivered > 0);
    EXPECT_INTEGER(rig->broker->pool.queued, 1);
    rig_close(rig);
}

static void test_a_tenants_order(void) {
    struct rig *rig = rig_open();
    rig_edge(rig, 1);
    rig_actor(rig, 11, ROLE_COMMAND, 8);
    ask_suspect(rig, WRITE, 1, 1);
    ask_suspect(rig, WRITE, 2, 2);
    rig_ask(rig, 1, (struct ask){WRITE, .correlation = 3, .lane = LANE_COMMAND, .tenant = 2});
    rig_ask(rig, 1, (struct ask){WRITE, .correlation = 4, .lane = LANE_COMMAND, .tenant = 1});
    struct sent_frame *first = rig_take(rig, 11, KIND_REQUEST);
    EXPECT_INTEGER(first->envelope.correlation, 1);
    EXPECT_INTEGER(rig_take(rig, 11, KIND_REQUEST)->envelope.correlation, 4);
    EXPECT(!rig_has(rig, 11)); // the suspect of tenant 2 waits, and what came after it
    rig_answer(rig, first, 8);
    EXPECT_INTEGER(rig_take(rig, 11, KIND_REQUEST)->envelope.correlation, 2);
    EXPECT_INTEGER(rig_take(rig, 11, KIND_REQUEST)->envelope.correlation, 3);
    rig_close(rig);
}

static void test_a_silent_actor_keeps_its_suspect(void) {
    struct rig *rig = rig_open();
    rig_edge(rig, 1);
    rig_actor(rig, 11, ROLE_QUERY, 8);
    rig_ask(rig, 1, (struct ask){READ, .correlation = 1, .tenant = 1});
    ask_suspect(rig, READ, 2, 2);
    rig->peers[11].mute = true;
    rig_wait(rig, SUSPECT_MS + 25);
    EXPECT(take_lost_so(rig, 1, 11, true));
    EXPECT(!rig_has(rig, 1));
    EXPECT_INTEGER(rig->broker->drops[CAUSE_POISON], 0);
    rig_wait(rig, GONE_MS - SUSPECT_MS);
    EXPECT(take_lost_so(rig, 2, 11, true));
    EXPECT_INTEGER(rig->broker->drops[CAUSE_POISON], 1);
    rig_close(rig);
}

// It may hang already, and another broker may have said so.
static void test_an_actor_that_is_overdue(void) {
    struct rig *rig = rig_open();
    rig_edge(rig, 1);
    rig_actor(rig, 11, ROLE_QUERY, 8);
    rig->peers[11].mute = true;
    rig_wait(rig, OVERDUE_MS + 25);
    ask_suspect(rig, READ, 1, 1);
    rig_ask(rig, 1, (struct ask){READ, .correlation = 2, .tenant = 2});
    EXPECT_INTEGER(rig_take(rig, 11, KIND_REQUEST)->envelope.correlation, 2);
    EXPECT(!rig_has(rig, 11));
    rig_actor(rig, 12, ROLE_QUERY, 8);
    EXPECT_INTEGER(rig_take(rig, 12, KIND_REQUEST)->envelope.correlation, 1);
    ask_suspect(rig, READ, 3, 3);
    EXPECT(!rig_has(rig, 11) && !rig_has(rig, 12));
    rig_beat(rig, 11);
    EXPECT_INTEGER(rig_take(rig, 11, KIND_REQUEST)->envelope.correlation, 3);
    rig_close(rig);
}

// Whoever kills it may be faster than the broker, which still has heard for itself that it hung.
static void test_who_is_killed_because_it_hung(void) {
    struct rig *rig = rig_open();
    rig_edge(rig, 1);
    rig_actor(rig, 11, ROLE_COMMAND, 8);
    rig_actor(rig, 12, ROLE_COMMAND, 8);
    rig_ask(rig, 1, (struct ask){WRITE, .correlation = 1, .lane = LANE_COMMAND, .tenant = 1});
    uint64_t owner = rig->peers[11].delivered > 0 ? 11 : 12;
    rig->peers[owner].mute = true;
    rig_wait(rig, SUSPECT_MS + HEARTBEAT_MS);
    EXPECT(!rig_has(rig, 1));
    rig->unreachable = owner;
    rig_wait(rig, HEARTBEAT_MS + 25);
    EXPECT(take_lost_so(rig, 1, owner, true));
    rig_close(rig);
}

static void test_a_group_at_an_actor(void) {
    struct rig *rig = rig_open();
    rig_edge(rig, 1);
    rig_actor(rig, 11, ROLE_COMMAND, 2 * SUSPECTS_MAX);
    for (uint8_t tenant = 1; tenant <= SUSPECTS_MAX + 1; tenant++)
        ask_grouped(rig, WRITE, tenant, tenant);
    ask_suspect(rig, WRITE, 90, 90); // one that goes alone waits until they are through
    struct sent_frame *first = rig_take(rig, 11, KIND_REQUEST);
    EXPECT_INTEGER(first->envelope.correlation, 1);
    EXPECT_INTEGER(first->envelope.flags, FLAG_SUSPECT | FLAG_GROUPED);
    struct sent_frame *others[SUSPECTS_MAX];
    for (uint32_t i = 0; i + 1 < SUSPECTS_MAX; i++)
        others[i] = rig_take(rig, 11, KIND_REQUEST);
    EXPECT(!rig_has(rig, 11));
    rig_answer(rig, first, 2 * SUSPECTS_MAX);
    others[SUSPECTS_MAX - 1] = rig_take(rig, 11, KIND_REQUEST);
    EXPECT_INTEGER(others[SUSPECTS_MAX - 1]->envelope.correlation, SUSPECTS_MAX + 1);
    for (uint32_t i = 0; i < SUSPECTS_MAX; i++) {
        EXPECT(!rig_has(rig, 11));
        rig_answer(rig, others[i], 2 * SUSPECTS_MAX);
    }
    struct sent_frame *alone = rig_take(rig, 11, KIND_REQUEST);
    EXPECT_INTEGER(alone->envelope.correlation, 90);
    ask_grouped(rig, WRITE, 91, 91);
    EXPECT(!rig_has(rig, 11)); // nobody is with that one
    rig_answer(rig, alone, 2 * SUSPECTS_MAX);
    rig_answer(rig, rig_take(rig, 11, KIND_REQUEST), 2 * SUSPECTS_MAX);
    EXPECT_INTEGER(rig->broker->suspected | rig->broker->closed, 0);
    rig_close(rig);
}

// Of several nobody knows which it was; one that was the only one left is as good as alone.
static void test_a_group_is_lost(void) {
    struct rig *rig = rig_open();
    rig_edge(rig, 1);
    rig_actor(rig, 11, ROLE_COMMAND, 8);
    for (uint8_t tenant = 1; tenant <= 2; tenant++)
        ask_grouped(rig, WRITE, tenant, tenant);
    rig_ask(rig, 1, (struct ask){WRITE, .correlation = 3, .lane = LANE_COMMAND, .tenant = 3});
    rig->peers[11].mute = true;
    rig_wait(rig, GONE_MS + 25);
    EXPECT(!take_lost(rig, 1, 11));
    EXPECT(!take_lost(rig, 2, 11));
    EXPECT(take_lost_so(rig, 3, 11, true)); // no suspect yet: from now on
    EXPECT_INTEGER(rig->broker->drops[CAUSE_POISON], 0);
    rig_actor(rig, 12, ROLE_COMMAND, 8);
    for (uint8_t tenant = 4; tenant <= 5; tenant++)
        ask_grouped(rig, WRITE, tenant, tenant);
    rig_answer(rig, rig_take(rig, 12, KIND_REQUEST), 8);
    rig->peers[12].mute = true;
    rig_take_status(rig, 1, STATUS_OK);
    rig_wait(rig, GONE_MS + 25);
    EXPECT(take_lost_so(rig, 5, 12, true));
    EXPECT_INTEGER(rig->broker->drops[CAUSE_POISON], 1);
    rig_close(rig);
}

static void test_a_broken_connection_is_no_death(void) {
    struct rig *rig = rig_open();
    rig_edge(rig, 1);
    rig_actor(rig, 11, ROLE_QUERY, 8);
    ask_suspect(rig, READ, 1, 1);
    rig->unreachable = 11;
    rig_wait(rig, HEARTBEAT_MS + 25);
    EXPECT_INTEGER(rig->broker->peer_count, 1); // found to be gone
    rig_wait(rig, BROKER_MISSED_MS - HEARTBEAT_MS);
    EXPECT(!rig_has(rig, 1));
    rig->unreachable = 0;
    rig_actor(rig, 11, ROLE_QUERY, 8); // it greets anew: it was the network
    EXPECT(!take_lost(rig, 1, 11));
    EXPECT_INTEGER(rig->broker->drops[CAUSE_POISON], 0);
    EXPECT_INTEGER(rig->broker->drops[CAUSE_ACTOR_LOST], 1);
    ask_suspect(rig, READ, 2, 1);
    rig->unreachable = 11;
    rig_wait(rig, HEARTBEAT_MS + 25);
    EXPECT_INTEGER(rig->broker->verdict_count, 1);
    rig->unreachable = 0;
    rig->peers[11].mute = true;
    rig_actor(rig, 12, ROLE_QUERY, 8); // another one, which is no proof
    EXPECT(!rig_has(rig, 1));
    rig_wait(rig, BROKER_MISSED_MS);
    EXPECT(take_lost(rig, 2, 11));
    EXPECT_INTEGER(rig->broker->drops[CAUSE_POISON], 1);
    EXPECT_INTEGER(rig->broker->verdict_count, 0);
    rig_close(rig);
}

// Nobody is answered whose edge has gone, and a draining broker, which hears no greetings, convicts
// nobody.
static void test_who_waits_for_a_verdict(void) {
    struct rig *rig = rig_open();
    rig_edge(rig, 1);
    rig_edge(rig, 2);
    rig_actor(rig, 11, ROLE_QUERY, 8);
    rig_actor(rig, 12, ROLE_QUERY, 8);
    ask_suspect(rig, READ, 1, 1);
    rig_ask(rig, 2, (struct ask){READ, .correlation = 2, .tenant = 2, .suspect = true});
    for (uint64_t actor = 11; actor <= 12; actor++) {
        rig->unreachable = actor;
        rig_wait(rig, HEARTBEAT_MS + 25);
    }
    EXPECT_INTEGER(rig->broker->verdict_count, 2);
    rig_bare(rig, 2, KIND_GOODBYE);
    rig->peers[2].mute = true;
    EXPECT_INTEGER(rig->broker->verdict_count, 1);
    broker_drain(rig->broker, rig->now_us);
    (void)rig_take(rig, 1, KIND_GOAWAY);
    rig_wait(rig, 100);
    EXPECT(!broker_drained(rig->broker));
    rig_wait(rig, BROKER_MISSED_MS);
    EXPECT(!take_lost(rig, 1, 12));
    EXPECT(broker_drained(rig->broker));
    EXPECT_INTEGER(rig->broker->drops[CAUSE_POISON], 0);
    rig_close(rig);
}

int main(void) {
    static const struct test tests[] = {
        {"an actor that dies is named to those it had, one that leaves is not", test_who_was_lost},
        {"an actor has one suspect at a time, others pass", test_one_at_an_actor},
        {"suspects spread over the actors", test_each_actor_takes_one},
        {"a tenant's commands wait behind its suspect", test_a_tenants_order},
        {"a broken connection is a death when its actor is not back soon",
         test_a_broken_connection_is_no_death},
        {"who waits for a verdict is answered, unless its edge has gone",
         test_who_waits_for_a_verdict},
        {"a silent actor keeps its suspect until it is gone",
         test_a_silent_actor_keeps_its_suspect},
        {"an actor that is overdue gets no suspects", test_an_actor_that_is_overdue},
        {"an actor that is killed because it hung is told to have hung",
         test_who_is_killed_because_it_hung},
        {"suspects of one that hung are several at an actor, but with none that goes alone",
         test_a_group_at_an_actor},
        {"a group that is lost is told nothing of it", test_a_group_is_lost},
    };
    return expect_run(tests, COUNT_OF(tests));
}
