// SPDX-License-Identifier: Apache-2.0
// The edge's side of the bus against brokers that the test plays: which of them gets a request, and
// how it ends.
#include "digest.h"
#include "expect.h"
#include "requester.h"

enum { BROKERS = 3, SESSION = 5, SENT_MAX = 64, CREDIT = 100 };

static const struct operation read = {
    .number = 1, .kind = OPERATION_QUERY, .lane = LANE_INTERACTIVE, .budget_ms = 5000};
static const struct operation write = {
    .number = 2, .kind = OPERATION_COMMAND, .lane = LANE_COMMAND, .budget_ms = 10000};

struct sent_frame {
    uint32_t broker;
    struct envelope envelope;
};

static struct {
    struct requester *requester;
    uint64_t now_us;
    uint64_t nonces[BROKERS];
    struct sent_frame sent[SENT_MAX]; // requests and cancels
    uint32_t sent_count, taken;
    enum status status; // of the last answer
    uint32_t answers;
    uint32_t poisons; // found
    char lost[2][PEER_NAME_BYTES]; // by the last of them
    uint32_t quarantine_s;
    uint64_t held_us; // when a request was in quarantine
    uint32_t goodbyes, redials; // bits of brokers
} rig;

static bool port_send(void *context, uint32_t broker, struct text head, struct text body) {
    struct envelope envelope;
    struct hello hello;
    (void)context, (void)body;
    EXPECT(envelope_read(head, &envelope));
    if (envelope.kind == KIND_HELLO) {
        EXPECT(control_read_hello(
            (struct text){head.bytes + ENVELOPE_BYTES, head.length - ENVELOPE_BYTES}, &hello));
        rig.nonces[broker] = hello.nonce;
    } else if (envelope.kind == KIND_GOODBYE) {
        rig.goodbyes |= 1U << broker;
    } else if (envelope.kind == KIND_REQUEST || envelope.kind == KIND_CANCEL) {
        EXPECT(rig.sent_count < SENT_MAX);
        rig.sent[rig.sent_count++] = (struct sent_frame){broker, envelope};
    }
    return true;
}

static void port_redial(void *context, uint32_t broker) {
    (void)context;
    rig.redials |= 1U << broker;
}

static void port_answer(void *context, void *request, const struct answer *answer) {
    (void)context, (void)request;
    rig.status = answer->status;
    rig.answers++;
}

static void port_poison(void *context, const struct poison *poison) {
    (void)context;
    rig.poisons++;
    rig.quarantine_s = poison->quarantine_s;
    (void)snprintf(rig.lost[0], sizeof rig.lost[0], "%s", poison->first_actor);
    (void)snprintf(rig.lost[1], sizeof rig.lost[1], "%s", poison->last_actor);
}

static void port_event(void *context, const struct envelope *envelope, struct text body) {
    (void)context, (void)envelope, (void)body;
}

// A broker of that number grants credit in every lane.
static void rig_beat(uint32_t broker, uint8_t kind, uint64_t credit) {
    struct beat beat = {.clock_us = rig.now_us, .nonce = rig.nonces[broker], .served = 9};
    char frame[CONTROL_BYTES_MAX];
    for (uint32_t lane = 0; lane < LANE_COUNT; lane++)
        beat.limit[lane] = credit;
    uint32_t length = control_write_beat(kind, &beat, frame);
    requester_receive(rig.requester, broker, (struct text){frame, length}, rig.now_us);
}

static void rig_open(void) {
    memset(&rig, 0, sizeof rig);
    rig.now_us = 5000000;
    rig.requester = requester_new(
        &(struct requester_options){
            .name = "http-1", .role = ROLE_EDGE, .session = SESSION, .broker_count = BROKERS},
        &(struct requester_port){.send = port_send,
                                 .redial = port_redial,
                                 .answer = port_answer,
                                 .poison = port_poison,
                                 .event = port_event},
        rig.now_us);
    for (uint32_t broker = 0; broker < BROKERS; broker++) {
        requester_connected(rig.requester, broker, rig.now_us);
        rig_beat(broker, KIND_WELCOME, CREDIT);
    }
}

static void rig_close(void) {
    rig.requester = requester_free(rig.requester);
}

static enum status rig_ask(const struct operation *operation, uint8_t tenant, const char *body) {
    uint64_t correlation;
    return requester_request(rig.requester,
                             &(struct outgoing){.operation = operation,
                                                .tenant = {{tenant}},
                                                .body = text_of(body),
                                                .request = &rig,
                                                .ret_held_us = &rig.held_us},
                             rig.now_us, &correlation);
}

// The next frame that was sent; none: the test fails.
static const struct sent_frame *rig_take(uint8_t kind) {
    EXPECT(rig.taken < rig.sent_count);
    const struct sent_frame *frame = &rig.sent[rig.taken++];
    EXPECT_INTEGER(frame->envelope.kind, kind);
    return frame;
}

// What comes of a request through some broker.
static void rig_say(const struct sent_frame *request, uint32_t broker, enum status status,
                    uint32_t flags) {
    struct envelope envelope = request->envelope;
    char head[REPLY_HEAD_BYTES];
    envelope.kind = KIND_REPLY;
    envelope.operation = (uint16_t)status;
    reply_head_write(&envelope, &(struct reply_block){.flags = flags}, 0, head);
    envelope_set_credit(head, CREDIT);
    requester_receive(rig.requester, broker, (struct text){head, sizeof head}, rig.now_us);
}

static void rig_reply(const struct sent_frame *request, uint32_t broker, enum status status) {
    rig_say(request, broker, status, 0);
}

// Its broker says that an actor of that instance was lost with it in hand, and how.
static void rig_lose_so(const struct sent_frame *request, uint64_t instance, const char *name,
                        uint32_t how) {
    struct envelope envelope = request->envelope;
    char frame[REPLY_HEAD_BYTES + PEER_NAME_BYTES];
    uint32_t length = (uint32_t)strlen(name);
    const struct reply_block block = {.flags = REPLY_ACTOR_LOST | how, .version = instance};
    envelope.kind = KIND_REPLY;
    envelope.operation = STATUS_LOST;
    reply_head_write(&envelope, &block, length, frame);
    memcpy(frame + REPLY_HEAD_BYTES, name, length);
    envelope_set_credit(frame, CREDIT);
    requester_receive(rig.requester, request->broker,
                      (struct text){frame, REPLY_HEAD_BYTES + length}, rig.now_us);
}

static void rig_lose(const struct sent_frame *request, uint64_t instance, const char *name) {
    rig_lose_so(request, instance, name, 0);
}

// Time passes, the brokers go on beating.
static void rig_wait(uint64_t wait_ms) {
    for (uint64_t end_us = rig.now_us + wait_ms * 1000; rig.now_us < end_us;) {
        rig.now_us = MIN(end_us, rig.now_us + HEARTBEAT_MS * 1000);
        for (uint32_t broker = 0; broker < BROKERS; broker++)
            rig_beat(broker, KIND_HEARTBEAT, CREDIT);
        requester_tick(rig.requester, rig.now_us);
    }
}

static bool is_suspect(const struct sent_frame *request) {
    return (request->envelope.flags & FLAG_SUSPECT) != 0;
}

static bool goes_alone(const struct sent_frame *request) {
    return is_suspect(request) && (request->envelope.flags & FLAG_GROUPED) == 0;
}

// --- who is asked again ------------------------------------------------------------------------

static void test_each_broker_once(void) {
    static const struct operation *const kinds[] = {&read, &write};
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        uint32_t asked = 0;
        rig_open();
        EXPECT_INTEGER(rig_ask(kinds[i], 1, "a"), STATUS_OK);
        for (uint32_t attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
            const struct sent_frame *request = rig_take(KIND_REQUEST);
            asked |= 1U << request->broker;
            EXPECT_INTEGER(rig.answers, 0);
            rig_say(request, request->broker, STATUS_UNAVAILABLE, REPLY_BROKERS_OWN);
        }
        EXPECT_INTEGER(asked, 7);
        EXPECT_INTEGER(rig.status, STATUS_UNAVAILABLE);
        rig_close();
    }
}

// It was asked before its brokers knew that it stood still. The one that brings its refusal knows.
static void test_an_actor_refuses(void) {
    rig_open();
    EXPECT_INTEGER(rig_ask(&write, 1, "a"), STATUS_OK);
    const struct sent_frame *request = rig_take(KIND_REQUEST);
    rig_reply(request, request->broker, STATUS_UNAVAILABLE);
    EXPECT_INTEGER(rig_take(KIND_REQUEST)->broker, request->broker);
    rig_close();
}

// An actor refuses a command whose broker it has lost, through a broker that it has: that one is
// good.
static void test_the_way_that_failed_is_left(void) {
    for (uint8_t tenant = 1; tenant < 20; tenant++) {
        rig_open();
        EXPECT_INTEGER(rig_ask(&write, tenant, "a"), STATUS_OK);
        const struct sent_frame *request = rig_take(KIND_REQUEST);
        rig_reply(request, (request->broker + 1) % BROKERS, STATUS_UNAVAILABLE);
        const struct sent_frame *again = rig_take(KIND_REQUEST);
        EXPECT(again->broker != request->broker);
        rig_close();
    }
}

// A frame may be under way unnoticed for a while, so nobody may begin a command as late as its edge
// waits for it; a read may be begun until the end. The same when they are sent again.
static void test_others_get_less_time_for_a_command(void) {
    rig_open();
    EXPECT_INTEGER(rig_ask(&write, 1, "a"), STATUS_OK);
    const struct sent_frame *request = rig_take(KIND_REQUEST);
    EXPECT_INTEGER(request->envelope.budget_us, (10000 - BUDGET_MARGIN_MS) * 1000);
    rig.now_us += 7000000;
    rig_reply(request, request->broker, STATUS_UNAVAILABLE);
    EXPECT_INTEGER(rig_take(KIND_REQUEST)->envelope.budget_us, (3000 - BUDGET_MARGIN_MS) * 1000);
    EXPECT_INTEGER(rig_ask(&read, 1, "b"), STATUS_OK);
    EXPECT_INTEGER(rig_take(KIND_REQUEST)->envelope.budget_us, 5000 * 1000);
    rig_close();
}

// --- poison ------------------------------------------------------------------------------------

static void poison(const struct operation *operation, uint8_t tenant, const char *body) {
    EXPECT_INTEGER(rig_ask(operation, tenant, body), STATUS_OK);
    const struct sent_frame *request = rig_take(KIND_REQUEST);
    EXPECT(!is_suspect(request));
    rig_lose(request, 11, "query-1");
    EXPECT_INTEGER(rig.answers, 0);
    rig_wait(SUSPECT_HOLD_MS - 1);
    EXPECT_INTEGER(rig.taken, rig.sent_count); // whoever died with that one is not given it
    EXPECT(requester_next_us(rig.requester) <= rig.now_us + 1000);
    rig_wait(1);
    request = rig_take(KIND_REQUEST);
    EXPECT(goes_alone(request));
    EXPECT_INTEGER(request->broker, 0); // where all suspects go
    rig_lose(request, 12, "query-2");
    EXPECT_INTEGER(rig.answers, 1);
}

static void test_two_actors(void) {
    rig_open();
    poison(&write, 3, "a");
    EXPECT_INTEGER(rig.status, STATUS_POISON);
    EXPECT_INTEGER(rig.poisons, 1);
    EXPECT_TEXT(text_of(rig.lost[0]), "query-1");
    EXPECT_TEXT(text_of(rig.lost[1]), "query-2");
    EXPECT_INTEGER(rig.quarantine_s, QUARANTINE_S_MIN);
    rig_close();
    rig_open();
    poison(&read, 3, "a");
    EXPECT_INTEGER(rig.status, STATUS_POISON_READ);
    rig_close();
}

// Who hung may have been stopped by something else: what it had goes on with others, and is judged
// by its last attempt, alone.
static void test_an_actor_that_hung(void) {
    rig_open();
    EXPECT_INTEGER(rig_ask(&write, 3, "a"), STATUS_OK);
    rig_lose_so(rig_take(KIND_REQUEST), 11, "command-1", REPLY_ACTOR_HUNG);
    rig_wait(SUSPECT_HOLD_MS);
    const struct sent_frame *request = rig_take(KIND_REQUEST);
    EXPECT(is_suspect(request) && !goes_alone(request));
    rig_say(request, request->broker, STATUS_LOST, REPLY_BROKERS_OWN); // with others
    EXPECT_INTEGER(rig.answers, 0);
    rig_wait(SUSPECT_HOLD_MS - 1);
    EXPECT_INTEGER(rig.taken, rig.sent_count); // whoever died with that one is not given it
    rig_wait(1);
    request = rig_take(KIND_REQUEST);
    EXPECT(goes_alone(request));
    EXPECT_INTEGER(request->broker, 0);
    rig_lose_so(request, 13, "command-3", REPLY_ACTOR_HUNG);
    EXPECT_INTEGER(rig.status, STATUS_POISON);
    EXPECT_TEXT(text_of(rig.lost[0]), "command-1");
    EXPECT_TEXT(text_of(rig.lost[1]), "command-3");
    rig_close();
    rig_open();
    EXPECT_INTEGER(rig_ask(&write, 3, "a"), STATUS_OK);
    rig_lose_so(rig_take(KIND_REQUEST), 11, "command-1", REPLY_ACTOR_HUNG);
    rig_wait(SUSPECT_HOLD_MS);
    rig_lose_so(rig_take(KIND_REQUEST), 12, "command-2", REPLY_ACTOR_HUNG); // it had no other
    EXPECT_INTEGER(rig.status, STATUS_POISON);
    rig_close();
}

// An attempt that no actor was lost with is one, too.
static void test_the_last_attempt_goes_alone(void) {
    rig_open();
    EXPECT_INTEGER(rig_ask(&write, 3, "a"), STATUS_OK);
    const struct sent_frame *request = rig_take(KIND_REQUEST);
    rig_say(request, request->broker, STATUS_UNAVAILABLE, REPLY_BROKERS_OWN);
    rig_lose_so(rig_take(KIND_REQUEST), 11, "command-1", REPLY_ACTOR_HUNG);
    rig_wait(SUSPECT_HOLD_MS);
    EXPECT(goes_alone(rig_take(KIND_REQUEST)));
    rig_close();
}

static void test_one_actor_told_twice(void) {
    rig_open();
    EXPECT_INTEGER(rig_ask(&write, 1, "a"), STATUS_OK);
    rig_lose(rig_take(KIND_REQUEST), 11, "command-1");
    rig_wait(SUSPECT_HOLD_MS);
    rig_lose(rig_take(KIND_REQUEST), 11, "command-1");
    EXPECT_INTEGER(rig.answers, 0);
    rig_lose(rig_take(KIND_REQUEST), 12, "command-2");
    EXPECT_INTEGER(rig.status, STATUS_POISON);
    rig_close();
}

// The actor that says so lives, and so may the actors of a broker that is lost.
static void test_other_losses(void) {
    rig_open();
    EXPECT_INTEGER(rig_ask(&write, 1, "a"), STATUS_OK);
    const struct sent_frame *request = rig_take(KIND_REQUEST);
    rig_reply(request, request->broker, STATUS_LOST);
    request = rig_take(KIND_REQUEST);
    EXPECT(!is_suspect(request));
    requester_disconnected(rig.requester, request->broker, rig.now_us);
    EXPECT(!is_suspect(rig_take(KIND_REQUEST)));
    rig_close();
}

static void test_quarantine(void) {
    rig_open();
    poison(&write, 3, "a");
    EXPECT_INTEGER(rig_ask(&write, 3, "a"), STATUS_QUARANTINED);
    EXPECT_INTEGER(rig_ask(&write, 3, "b"), STATUS_OK);
    EXPECT_INTEGER(rig_ask(&write, 4, "a"), STATUS_OK);
    EXPECT_INTEGER(rig_ask(&read, 3, "a"), STATUS_OK);
    for (uint32_t i = 0; i < 3; i++) {
        const struct sent_frame *other = rig_take(KIND_REQUEST);
        EXPECT(!is_suspect(other));
        rig_reply(other, other->broker, STATUS_OK);
    }
    rig_wait(QUARANTINE_S_MIN * 1000 - 1);
    rig.held_us = 0;
    EXPECT_INTEGER(rig_ask(&write, 3, "a"), STATUS_QUARANTINED);
    EXPECT_INTEGER(rig.held_us, 1000);
    rig_wait(1);
    EXPECT_INTEGER(rig_ask(&write, 3, "a"), STATUS_OK); // one is tried
    EXPECT_INTEGER(rig_ask(&write, 3, "a"), STATUS_QUARANTINED);
    EXPECT_INTEGER(rig.held_us, write.budget_ms * 1000ULL);
    const struct sent_frame *trial = rig_take(KIND_REQUEST);
    EXPECT(goes_alone(trial));
    rig_lose(trial, 13, "command-3");
    EXPECT_INTEGER(rig.status, STATUS_POISON);
    EXPECT_INTEGER(rig.poisons, 2);
    EXPECT_TEXT(text_of(rig.lost[0]), "");
    EXPECT_TEXT(text_of(rig.lost[1]), "command-3");
    EXPECT_INTEGER(rig.quarantine_s, 2 * QUARANTINE_S_MIN);
    rig_close();
}

static void test_a_trial_that_is_refused(void) {
    rig_open();
    poison(&write, 3, "a");
    rig_wait(QUARANTINE_S_MIN * 1000);
    requester_drain(rig.requester, rig.now_us);
    for (uint32_t i = 0; i < 2; i++) // it was none
        EXPECT_INTEGER(rig_ask(&write, 3, "a"), STATUS_BUSY);
    rig_close();
}

static void test_an_answer_ends_it(void) {
    rig_open();
    poison(&read, 3, "a");
    rig_wait(QUARANTINE_S_MIN * 1000);
    EXPECT_INTEGER(rig_ask(&read, 3, "a"), STATUS_OK);
    const struct sent_frame *trial = rig_take(KIND_REQUEST);
    rig_reply(trial, trial->broker, STATUS_BUSY); // that was no actor's
    EXPECT_INTEGER(rig_ask(&read, 3, "a"), STATUS_QUARANTINED);
    rig_wait(read.budget_ms);
    EXPECT_INTEGER(rig_ask(&read, 3, "a"), STATUS_OK);
    trial = rig_take(KIND_REQUEST);
    EXPECT(is_suspect(trial));
    rig_reply(trial, trial->broker, STATUS_NOT_FOUND);
    EXPECT_INTEGER(rig.status, STATUS_NOT_FOUND);
    EXPECT_INTEGER(rig_ask(&read, 3, "a"), STATUS_OK);
    EXPECT(!is_suspect(rig_take(KIND_REQUEST)));
    rig_close();
}

// What is under way already and asks for the same must not cost two more.
static void test_equal_ones_end_with_it(void) {
    rig_open();
    EXPECT_INTEGER(rig_ask(&write, 3, "a"), STATUS_OK);
    EXPECT_INTEGER(rig_ask(&write, 3, "a"), STATUS_OK);
    EXPECT_INTEGER(rig_ask(&write, 3, "b"), STATUS_OK);
    rig_lose(rig_take(KIND_REQUEST), 11, "command-1");
    rig_wait(SUSPECT_HOLD_MS);
    const struct sent_frame *equal = rig_take(KIND_REQUEST);
    (void)rig_take(KIND_REQUEST);
    rig_lose(rig_take(KIND_REQUEST), 12, "command-2");
    EXPECT_INTEGER(rig.answers, 2);
    EXPECT_INTEGER(rig.status, STATUS_POISON);
    EXPECT_INTEGER(rig_take(KIND_CANCEL)->envelope.correlation, equal->envelope.correlation);
    EXPECT_INTEGER(rig.taken, rig.sent_count);
    rig_close();
}

static void test_quarantine_is_bounded(void) {
    char body[2] = {0};
    rig_open();
    for (uint32_t i = 0; i <= QUARANTINE_MAX; i++) {
        body[0] = (char)('0' + i);
        rig.answers = 0;
        poison(&read, 3, body);
        rig_wait(1);
        rig.sent_count = rig.taken = 0;
    }
    EXPECT_INTEGER(rig_ask(&read, 3, body), STATUS_QUARANTINED);
    EXPECT_INTEGER(rig_ask(&read, 3, "1"), STATUS_QUARANTINED);
    EXPECT_INTEGER(rig_ask(&read, 3, "0"), STATUS_OK); // the oldest made room for the last
    rig_close();
}

// --- a connection is dialed anew -----------------------------------------------------------------

static void test_a_retired_broker_finishes_first(void) {
    rig_open();
    EXPECT_INTEGER(rig_ask(&write, 1, "a"), STATUS_OK);
    const struct sent_frame *request = rig_take(KIND_REQUEST);
    uint32_t retired = request->broker;
    requester_retire(rig.requester, retired, rig.now_us);
    for (uint8_t tenant = 1; tenant < 20; tenant++) { // meanwhile the others are asked
        EXPECT_INTEGER(rig_ask(&write, tenant, "b"), STATUS_OK);
        EXPECT(rig_take(KIND_REQUEST)->broker != retired);
    }
    EXPECT_INTEGER(rig.redials, 0);
    EXPECT_INTEGER(requester_link(rig.requester, retired), LINK_LEAVING);
    rig_reply(request, retired, STATUS_OK);
    EXPECT_INTEGER(rig.answers, 1);
    EXPECT_INTEGER(rig.goodbyes, 1U << retired);
    EXPECT_INTEGER(rig.redials, 1U << retired);
    EXPECT_INTEGER(requester_link(rig.requester, retired), LINK_DOWN);
    requester_connected(rig.requester, retired, rig.now_us);
    rig_beat(retired, KIND_WELCOME, CREDIT);
    EXPECT_INTEGER(requester_link(rig.requester, retired), LINK_UP);
    requester_retire(rig.requester, (retired + 1) % BROKERS, rig.now_us); // the next one
    EXPECT_INTEGER(rig_ask(&write, 1, "c"), STATUS_OK);
    rig_close();
}

// Nobody else could be asked: what is under way is sent again, over the new connection.
static void test_the_only_broker_is_dialed_at_once(void) {
    rig_open();
    requester_disconnected(rig.requester, 1, rig.now_us);
    requester_disconnected(rig.requester, 2, rig.now_us);
    EXPECT_INTEGER(rig_ask(&write, 1, "a"), STATUS_OK);
    EXPECT_INTEGER(rig_take(KIND_REQUEST)->broker, 0);
    requester_retire(rig.requester, 0, rig.now_us);
    EXPECT_INTEGER(rig.redials, 1);
    EXPECT_INTEGER(rig.goodbyes, 1);
    requester_connected(rig.requester, 0, rig.now_us);
    rig_beat(0, KIND_WELCOME, CREDIT);
    const struct sent_frame *again = rig_take(KIND_REQUEST);
    EXPECT_INTEGER(again->envelope.attempt, 1);
    rig_reply(again, 0, STATUS_OK);
    EXPECT_INTEGER(rig.answers, 1);
    EXPECT_INTEGER(rig.status, STATUS_OK);
    rig_close();
}

int main(void) {
    digest_init();
    static const struct test tests[] = {
        {"a broker that refused is asked again after all others", test_each_broker_once},
        {"where an actor refused, the same broker is asked for another", test_an_actor_refuses},
        {"the broker that a refused request was sent to is left, whoever brings the refusal",
         test_the_way_that_failed_is_left},
        {"others get less time for a command than its edge waits",
         test_others_get_less_time_for_a_command},
        {"a request that cost two actors is poison, and told", test_two_actors},
        {"a suspect of an actor that hung goes with others, then alone", test_an_actor_that_hung},
        {"the last attempt of a suspect goes alone", test_the_last_attempt_goes_alone},
        {"an actor that two brokers lost is one actor", test_one_actor_told_twice},
        {"other losses raise no suspicion", test_other_losses},
        {"an equal request is refused, then tried, then refused twice as long", test_quarantine},
        {"a trial that is refused is none", test_a_trial_that_is_refused},
        {"an actor's answer ends the quarantine", test_an_answer_ends_it},
        {"equal requests under way end with it", test_equal_ones_end_with_it},
        {"the quarantine is bounded", test_quarantine_is_bounded},
        {"a broker that is retired finishes first, and is dialed anew",
         test_a_retired_broker_finishes_first},
        {"the only broker is dialed anew at once", test_the_only_broker_is_dialed_at_once},
    };
    return expect_run(tests, COUNT_OF(tests));
}
