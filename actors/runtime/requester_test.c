// SPDX-License-Identifier: Apache-2.0
// The edge's side of the bus against brokers that the test plays: which of them gets a request, and
// how it ends.
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
    } else if (envelope.kind == KIND_REQUEST || envelope.kind == KIND_CANCEL) {
        EXPECT(rig.sent_count < SENT_MAX);
        rig.sent[rig.sent_count++] = (struct sent_frame){broker, envelope};
    }
    return true;
}

static void port_redial(void *context, uint32_t broker) {
    (void)context, (void)broker;
}

static void port_answer(void *context, void *request, const struct answer *answer) {
    (void)context, (void)request;
    rig.status = answer->status;
    rig.answers++;
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
        &(struct requester_port){
            .send = port_send, .redial = port_redial, .answer = port_answer, .event = port_event},
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
    return requester_request(
        rig.requester,
        &(struct outgoing){
            .operation = operation, .tenant = {{tenant}}, .body = text_of(body), .request = &rig},
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
static void rig_reply(const struct sent_frame *request, uint32_t broker, enum status status) {
    struct envelope envelope = request->envelope;
    char head[REPLY_HEAD_BYTES];
    envelope.kind = KIND_REPLY;
    envelope.operation = (uint16_t)status;
    reply_head_write(&envelope, &(struct reply_block){0}, 0, head);
    envelope_set_credit(head, CREDIT);
    requester_receive(rig.requester, broker, (struct text){head, sizeof head}, rig.now_us);
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
            rig_reply(request, request->broker, STATUS_UNAVAILABLE);
        }
        EXPECT_INTEGER(asked, 7);
        EXPECT_INTEGER(rig.status, STATUS_UNAVAILABLE);
        rig_close();
    }
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

int main(void) {
    static const struct test tests[] = {
        {"a broker that refused is asked again after all others", test_each_broker_once},
        {"the broker that a refused request was sent to is left, whoever brings the refusal",
         test_the_way_that_failed_is_left},
    };
    return expect_run(tests, COUNT_OF(tests));
}
