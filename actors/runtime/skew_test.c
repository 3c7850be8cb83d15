// SPDX-License-Identifier: Apache-2.0
// An edge's and an actor's side of the bus, and a broker of another build: what they do not know
// is skipped, and what they are refused they ask for seldom. The broker's own side is in
// broker_skew_test.c, bodies are in codec_test.c.
#include "bytes.h"
#include "expect.h"
#include "requester.h"
#include "responder.h"

enum { OPERATION = 7, BROKER = 0, FRAMES_MAX = 64 };

static const struct operation read_operation = {.name = "read",
                                                .number = OPERATION,
                                                .kind = OPERATION_QUERY,
                                                .lane = LANE_INTERACTIVE,
                                                .budget_ms = 5000};

// --- one broker, whose frames are written by the test ------------------------------------------

struct rig {
    uint64_t now_us;
    struct requester *requester; // one of these two
    struct responder *responder;
    uint32_t sent[UINT8_MAX + 1]; // by kind
    struct envelope last; // sent
    uint32_t redials, refusals, answers, deliveries, events;
    struct refusal refusal;
    struct answer answer;
    char answer_body[32];
    struct delivery delivery;
};

static bool rig_send(void *context, uint32_t broker, struct text head, struct text body) {
    struct rig *rig = context;
    (void)body;
    EXPECT_INTEGER(broker, BROKER);
    EXPECT(envelope_read(head, &rig->last));
    rig->sent[rig->last.kind]++;
    return true;
}

static void rig_redial(void *context, uint32_t broker) {
    ((struct rig *)context)->redials += broker == BROKER;
}

static void rig_refused(void *context, uint32_t broker, const struct refusal *refusal) {
    struct rig *rig = context;
    EXPECT_INTEGER(broker, BROKER);
    rig->refusals++;
    rig->refusal = *refusal;
}

static void rig_answer(void *context, void *request, const struct answer *answer) {
    struct rig *rig = context;
    EXPECT(request == rig);
    rig->answers++;
    rig->answer = *answer;
    EXPECT(answer->body.length < sizeof rig->answer_body);
    memcpy(rig->answer_body, answer->body.bytes, answer->body.length);
    rig->answer_body[answer->body.length] = '\0';
}

static void rig_deliver(void *context, const struct delivery *delivery) {
    struct rig *rig = context;
    rig->deliveries++;
    rig->delivery = *delivery;
}

static void rig_event(void *context, const struct envelope *envelope, struct text body) {
    (void)envelope;
    (void)body;
    ((struct rig *)context)->events++;
}

static void rig_tick(struct rig *rig) {
    if (rig->requester != NULL)
        requester_tick(rig->requester, rig->now_us);
    else
        responder_tick(rig->responder, rig->now_us);
}

static void rig_receive(struct rig *rig, struct text frame) {
    if (rig->requester != NULL)
        requester_receive(rig->requester, BROKER, frame, rig->now_us);
    else
        responder_receive(rig->responder, BROKER, frame, rig->now_us);
}

static void rig_connect(struct rig *rig) {
    if (rig->requester != NULL)
        requester_connected(rig->requester, BROKER, rig->now_us);
    else
        responder_connected(rig->responder, BROKER, rig->now_us);
    EXPECT_INTEGER(rig->last.kind, KIND_HELLO);
}

static void rig_wait(struct rig *rig, uint32_t wait_ms) {
    for (uint32_t passed = 0; passed < wait_ms; passed += 25) {
        rig->now_us += 25000;
        rig_tick(rig);
    }
}

// The number of the greeting that the last hello made.
static void rig_welcome(struct rig *rig, uint64_t nonce) {
    char frame[CONTROL_BYTES_MAX];
    struct beat beat = {
        .nonce = nonce, .limit = {8, 8, 8, 8}, .served = 1, .roles = 1U << ROLE_QUERY};
    rig_receive(rig, (struct text){frame, control_write_beat(KIND_WELCOME, &beat, frame)});
}

static struct rig *rig_edge(void) {
    struct rig *rig = calloc(1, sizeof *rig);
    EXPECT(rig != NULL);
    rig->now_us = 1000000;
    const struct requester_options options = {
        .name = "http-1", .role = ROLE_EDGE, .session = 10, .broker_count = 1};
    const struct requester_port port = {.context = rig,
                                        .send = rig_send,
                                        .redial = rig_redial,
                                        .answer = rig_answer,
                                        .event = rig_event,
                                        .refused = rig_refused};
    rig->requester = requester_new(&options, &port, rig->now_us);
    rig_connect(rig);
    return rig;
}

static struct rig *rig_actor(void) {
    static const uint16_t served[] = {OPERATION};
    struct rig *rig = calloc(1, sizeof *rig);
    EXPECT(rig != NULL);
    rig->now_us = 1000000;
    const struct responder_options options = {.name = "query-1",
                                              .role = ROLE_QUERY,
                                              .instance = 20,
                                              .broker_count = 1,
                                              .window = 8,
                                              .operations = served,
                                              .operation_count = 1};
    const struct responder_port port = {.context = rig,
                                        .send = rig_send,
                                        .redial = rig_redial,
                                        .deliver = rig_deliver,
                                        .event = rig_event,
                                        .refused = rig_refused};
    rig->responder = responder_new(&options, &port, rig->now_us);
    rig_connect(rig);
    return rig;
}

static void rig_close(struct rig *rig) {
    (void)requester_free(rig->requester);
    (void)responder_free(rig->responder);
    free(rig);
}

enum { FIRST_NONCE = 1000001 }; // link.h counts from the time of its making

static struct rig *rig_opened(struct rig *rig) {
    rig_welcome(rig, FIRST_NONCE);
    EXPECT(rig->requester == NULL || requester_links(rig->requester) == 1);
    EXPECT(rig->responder == NULL || responder_links(rig->responder) == 1);
    return rig;
}

static uint64_t rig_ask(struct rig *rig) {
    uint64_t correlation;
    const struct outgoing outgoing = {
        .operation = &read_operation, .body = TEXT("\x80"), .request = rig};
    EXPECT_INTEGER(requester_request(rig->requester, &outgoing, rig->now_us, &correlation),
                   STATUS_OK);
    EXPECT_INTEGER(rig->last.kind, KIND_REQUEST);
    return correlation;
}

// A reply of a build whose block has so many bytes.
static void rig_reply(struct rig *rig, uint64_t correlation, uint16_t status, uint8_t block_bytes,
                      struct text tail) {
    char frame[ENVELOPE_BYTES + UINT8_MAX + 100] = {0};
    const struct envelope envelope = {.version = ENVELOPE_VERSION,
                                      .kind = KIND_REPLY,
                                      .operation = status,
                                      .flags = UINT16_MAX,
                                      .session = 10,
                                      .correlation = correlation};
    envelope_write(&envelope, frame);
    envelope_set_credit(frame, 100);
    uint8_t *at = (uint8_t *)frame + ENVELOPE_BYTES;
    at[0] = 0xc4;
    at[1] = block_bytes;
    for (uint32_t i = 0; i < block_bytes; i++)
        at[2 + i] = (uint8_t)(1 + i);
    at += 2 + block_bytes;
    memcpy(at, "\xc6\0\0\0\4body", 9);
    memcpy(at + 9, tail.bytes, tail.length);
    rig_receive(rig, (struct text){frame, (uint32_t)(at + 9 - (uint8_t *)frame) + tail.length});
}

// --- what is not known is skipped --------------------------------------------------------------

static void test_unknown_kinds(void) {
    struct rig *rigs[] = {rig_opened(rig_edge()), rig_opened(rig_actor())};
    for (uint32_t i = 0; i < COUNT_OF(rigs); i++) {
        for (uint32_t kind = KIND_REFUSAL + 1; kind <= UINT8_MAX; kind++) {
            char frame[ENVELOPE_BYTES + 40] = {0};
            (void)control_write_bare((uint8_t)kind, frame);
            rig_receive(rigs[i], (struct text){frame, ENVELOPE_BYTES + kind % 40});
        }
        EXPECT_INTEGER(rigs[i]->redials + rigs[i]->answers + rigs[i]->deliveries, 0);
    }
    rig_reply(rigs[0], rig_ask(rigs[0]), STATUS_OK, 32, TEXT(""));
    EXPECT_INTEGER(rigs[0]->answers, 1);
    EXPECT_INTEGER(responder_links(rigs[1]->responder), 1);
    rig_close(rigs[0]);
    rig_close(rigs[1]);
}

static void test_reply_blocks_of_any_length(void) {
    struct rig *rig = rig_opened(rig_edge());
    for (uint32_t bytes = 0; bytes <= UINT8_MAX; bytes++) {
        rig_reply(rig, rig_ask(rig), STATUS_OK, (uint8_t)bytes,
                  bytes % 2 == 0 ? TEXT("") : TEXT("\xc0more"));
        EXPECT_INTEGER(rig->answers, bytes + 1);
        EXPECT_TEXT(text_of(rig->answer_body), "body");
        const struct reply_block *block = &rig->answer.block;
        EXPECT(block->version == (bytes >= 8 ? 0x0102030405060708ULL : block->version));
        EXPECT_INTEGER(block->flags, bytes >= 12 ? 0x090a0b0c : block->flags);
        EXPECT_INTEGER(block->actor_us, bytes >= 28 ? 0x191a1b1c : block->actor_us);
        EXPECT(bytes > 8 || block->flags == 0);
        EXPECT(bytes > 24 || block->actor_us == 0);
    }
    rig_close(rig);
}

static void test_unknown_statuses(void) {
    static const struct {
        uint16_t number;
        enum status read;
    } cases[] = {{9, STATUS_OK},        {27, STATUS_REFUSED},    {63, STATUS_INTERNAL},
                 {64, STATUS_INTERNAL}, {1000, STATUS_INTERNAL}, {65535, STATUS_INTERNAL}};
    struct rig *rig = rig_opened(rig_edge());
    for (uint32_t i = 0; i < COUNT_OF(cases); i++) {
        EXPECT(!status_known(cases[i].number));
        rig_reply(rig, rig_ask(rig), cases[i].number, 32, TEXT(""));
        EXPECT_INTEGER(rig->answers, i + 1); // ended, not sent again
        EXPECT_INTEGER(rig->answer.status, cases[i].read);
    }
    EXPECT_INTEGER(status_http(STATUS_REFUSED), 400);
    EXPECT_INTEGER(status_http(STATUS_INTERNAL), 500);
    rig_close(rig);
}

// So that a number that is not known says something: below 10 successes, below 30 the request's.
static void test_statuses_stand_in_their_class(void) {
    for (uint16_t number = 0; number < 1000; number++) {
        enum status status = (enum status)number;
        if (!status_known(number))
            continue;
        EXPECT_INTEGER(status_read(number), status);
        EXPECT_INTEGER(status_http(status) / 100, number < 10 ? 2 : number < 30 ? 4 : 5);
        EXPECT((status_message(status) == NULL) == (number < 10));
    }
}

static void test_requests_of_later_builds(void) {
    struct rig *rig = rig_opened(rig_actor());
    char frame[ENVELOPE_BYTES + 1];
    const struct envelope envelope = {.version = ENVELOPE_VERSION,
                                      .kind = KIND_REQUEST,
                                      .flags = UINT16_MAX,
                                      .operation = OPERATION,
                                      .schema = 9999,
                                      .lane = 77,
                                      .attempt = 200,
                                      .budget_us = 1000000,
                                      .session = 10,
                                      .correlation = 5};
    envelope_write(&envelope, frame);
    frame[ENVELOPE_BYTES] = '\x80';
    rig_receive(rig, (struct text){frame, sizeof frame});
    EXPECT_INTEGER(rig->deliveries, 1);
    const struct return_address address = responder_return_address(&rig->delivery);
    responder_reply(rig->responder, &address, STATUS_OK, 0, &(struct reply_block){0}, TEXT("[]"));
    EXPECT_INTEGER(rig->last.kind, KIND_REPLY);
    EXPECT_INTEGER(rig->last.lane, 77);
    EXPECT_INTEGER(rig->last.flags, UINT16_MAX);
    rig_close(rig);
}

// An edge of this build at a broker that does not tell roles.
static void test_a_broker_that_tells_no_roles(void) {
    struct rig *rig = rig_edge();
    char frame[CONTROL_BYTES_MAX];
    struct beat beat = {.nonce = FIRST_NONCE, .limit = {8, 8, 8, 8}};
    uint32_t length = control_write_beat(KIND_WELCOME, &beat, frame);
    bytes_put_u16((uint8_t *)frame + ENVELOPE_BYTES + 1, 5 + 2 * LANE_COUNT); // as it was before
    rig_receive(rig, (struct text){frame, length - 9});
    EXPECT(!requester_is_served(rig->requester, 1U << ROLE_QUERY));
    beat.served = 3;
    length = control_write_beat(KIND_HEARTBEAT, &beat, frame);
    rig_receive(rig, (struct text){frame, length});
    EXPECT(requester_is_served(rig->requester, 1U << ROLE_QUERY | 1U << ROLE_COMMAND));
    beat.roles = 1U << ROLE_QUERY | 1U << 31;
    length = control_write_beat(KIND_HEARTBEAT, &beat, frame);
    rig_receive(rig, (struct text){frame, length});
    EXPECT(requester_is_served(rig->requester, 1U << ROLE_QUERY));
    EXPECT(!requester_is_served(rig->requester, 1U << ROLE_QUERY | 1U << ROLE_COMMAND));
    rig_close(rig);
}

// --- refusals ----------------------------------------------------------------------------------

static void rig_refuse(struct rig *rig, struct wire_range speaks, uint32_t reason) {
    char frame[CONTROL_BYTES_MAX];
    const struct refusal refusal = {speaks, reason};
    rig_receive(rig, (struct text){frame, control_write_refusal(&refusal, frame)});
}

// A broker that refuses each hello gets one every REFUSED_MS, on the same connection, and the
// owner a line a minute.
static void expect_patience(struct rig *rig) {
    uint32_t answered = 0;
    for (uint32_t passed_ms = 0; passed_ms < 61000; passed_ms += 25) {
        if (rig->sent[KIND_HELLO] > answered) {
            answered = rig->sent[KIND_HELLO];
            rig_refuse(rig, (struct wire_range){5, 6}, REFUSED_VERSION);
        }
        rig_wait(rig, 25);
    }
    EXPECT_INTEGER(rig->sent[KIND_HELLO], 1 + 61000 / REFUSED_MS);
    EXPECT_INTEGER(rig->refusals, 2);
    EXPECT_INTEGER(rig->refusal.speaks.oldest, 5);
    EXPECT_INTEGER(rig->refusal.speaks.newest, 6);
    EXPECT_INTEGER(rig->redials, 0);
    rig_welcome(rig, FIRST_NONCE); // the broker has been replaced on the way
    rig_close(rig_opened(rig));
}

static void test_refused_edge(void) {
    expect_patience(rig_edge());
}

static void test_refused_actor(void) {
    expect_patience(rig_actor());
}

// A broker that says no more after it refused is dialed anew in the end.
static void test_a_refusal_is_no_sleep(void) {
    struct rig *rig = rig_edge();
    rig_refuse(rig, (struct wire_range){5, 6}, 77); // a reason of a later build
    EXPECT_INTEGER(rig->refusal.reason, 77);
    rig_wait(rig, REFUSED_MS - 100);
    EXPECT_INTEGER(rig->redials, 0);
    rig_wait(rig, GONE_MS + 200);
    EXPECT_INTEGER(rig->redials, 1);
    rig_close(rig);
}

static void test_a_late_refusal_means_nothing(void) {
    struct rig *rigs[] = {rig_opened(rig_edge()), rig_opened(rig_actor())};
    for (uint32_t i = 0; i < COUNT_OF(rigs); i++) {
        rig_refuse(rigs[i], (struct wire_range){5, 6}, REFUSED_VERSION);
        EXPECT_INTEGER(rigs[i]->refusals, 0);
        rig_close(rig_opened(rigs[i]));
    }
}

static void test_ranges(void) {
    struct rig *rig = rig_edge();
    rig_refuse(rig, (struct wire_range){0}, REFUSED_VERSION); // left out: version 1
    EXPECT(rig->refusal.speaks.oldest == 1 && rig->refusal.speaks.newest == 1);
    rig_close(rig);
    EXPECT(wire_meets((struct wire_range){WIRE_OLDEST, WIRE_NEWEST}));
    EXPECT(wire_meets((struct wire_range){1, WIRE_OLDEST}));
    EXPECT(wire_meets((struct wire_range){WIRE_NEWEST, UINT32_MAX}));
    EXPECT(!wire_meets((struct wire_range){WIRE_NEWEST + 1, UINT32_MAX}));
    EXPECT(!wire_meets((struct wire_range){0, WIRE_OLDEST - 1}));
}

int main(void) {
    static const struct test tests[] = {
        {"unknown kinds are skipped by edges and actors", test_unknown_kinds},
        {"a reply's block may be shorter or longer", test_reply_blocks_of_any_length},
        {"an unknown status ends a request by its class", test_unknown_statuses},
        {"every status stands in its class", test_statuses_stand_in_their_class},
        {"requests with unknown flags, lane and schema are delivered",
         test_requests_of_later_builds},
        {"a broker that tells no roles", test_a_broker_that_tells_no_roles},
        {"a refused edge asks seldom and tells once a minute", test_refused_edge},
        {"so does a refused actor", test_refused_actor},
        {"after a refusal silence is noticed, later", test_a_refusal_is_no_sleep},
        {"a refusal after the welcome means nothing", test_a_late_refusal_means_nothing},
        {"versions meet or do not", test_ranges},
    };
    return expect_run(tests, COUNT_OF(tests));
}
