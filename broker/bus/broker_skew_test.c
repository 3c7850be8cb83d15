// SPDX-License-Identifier: Apache-2.0
// A broker and peers of other builds: what it does not know is skipped or refused, and the session
// lives. Edges are at the addresses 1 and 2, actors from 11 on.
#include "broker_rig.h"
#include "bytes.h"

static struct rig *rig_of_two(void) {
    struct rig *rig = rig_open();
    rig_edge(rig, 1);
    rig_actor(rig, 11, ROLE_QUERY, 4);
    return rig;
}

static uint64_t drops(const struct rig *rig, enum broker_cause cause) {
    struct broker_view view;
    broker_look(rig->broker, &view);
    return view.drops[cause];
}

// The whole way there and back: everybody still has a session and credit.
static void expect_service(struct rig *rig) {
    static uint64_t correlation = 1000;
    rig_ask(rig, 1, (struct ask){READ, .correlation = ++correlation, .tenant = 7});
    rig_answer(rig, rig_take(rig, 11, KIND_REQUEST), 4);
    EXPECT_INTEGER(rig_take_status(rig, 1, STATUS_OK)->envelope.correlation, correlation);
    EXPECT(!rig_has(rig, 1) && !rig_has(rig, 11));
}

static void send_kind(struct rig *rig, uint64_t address, uint8_t kind, uint32_t more) {
    char frame[ENVELOPE_BYTES + 64] = {0};
    (void)control_write_bare(kind, frame);
    rig_receive(rig, address, (struct text){frame, ENVELOPE_BYTES + more});
}

static void test_unknown_kinds(void) {
    struct rig *rig = rig_of_two();
    for (uint32_t kind = KIND_REFUSAL + 1; kind <= UINT8_MAX; kind++) {
        send_kind(rig, 1, (uint8_t)kind, kind % 64);
        send_kind(rig, 11, (uint8_t)kind, 0);
    }
    EXPECT_INTEGER(drops(rig, CAUSE_UNKNOWN), 2 * (UINT8_MAX - KIND_REFUSAL));
    expect_service(rig);
    send_kind(rig, 1, KIND_REFUSAL, 0); // a broker's word
    EXPECT_INTEGER(drops(rig, CAUSE_NOT_ALLOWED), 1);
    expect_service(rig);
    rig_close(rig);
}

static void test_a_later_kind_is_a_sign_of_life(void) {
    struct rig *rig = rig_of_two();
    rig->peers[1].mute = true;
    for (uint32_t i = 0; i < 12; i++) {
        rig_wait(rig, GONE_MS / 4);
        send_kind(rig, 1, 200, 8);
    }
    expect_service(rig);
    rig_close(rig);
}

// Every bit of the flags reaches the actor as it was sent.
static void test_unknown_flags(void) {
    struct rig *rig = rig_of_two();
    char frame[ENVELOPE_BYTES];
    for (uint32_t bit = 0; bit < 16; bit++) {
        const struct envelope envelope = {.version = ENVELOPE_VERSION,
                                          .kind = KIND_REQUEST,
                                          .flags = (uint16_t)(1U << bit | FLAG_READ_ONLY),
                                          .operation = READ,
                                          .schema = 65535,
                                          .budget_us = 1000000,
                                          .session = 10,
                                          .correlation = 1 + bit};
        envelope_write(&envelope, frame);
        rig_receive(rig, 1, (struct text){frame, sizeof frame});
        const struct sent_frame *request = rig_take(rig, 11, KIND_REQUEST);
        EXPECT_INTEGER(request->envelope.flags, envelope.flags);
        EXPECT_INTEGER(request->envelope.schema, 65535);
        rig_answer(rig, request, 4);
        (void)rig_take_status(rig, 1, STATUS_OK);
    }
    rig_close(rig);
}

// Answered at once, not after the edge's patience: it asks another broker.
static void test_lanes_and_operations_of_later_builds(void) {
    struct rig *rig = rig_of_two();
    rig_ask(rig, 1, (struct ask){READ, .correlation = 1, .tenant = 1, .lane = LANE_COUNT});
    EXPECT_INTEGER(envelope_credit(&rig_take_status(rig, 1, STATUS_UNAVAILABLE)->envelope), 0);
    rig_ask(rig, 1, (struct ask){READ, .correlation = 2, .tenant = 1, .lane = 255});
    (void)rig_take_status(rig, 1, STATUS_UNAVAILABLE);
    rig_ask(rig, 1, (struct ask){OPERATIONS_MAX, .correlation = 3, .tenant = 1});
    (void)rig_take_status(rig, 1, STATUS_UNAVAILABLE);
    EXPECT_INTEGER(drops(rig, CAUSE_UNKNOWN), 3);
    rig_ask(rig, 1, (struct ask){WRITE, .correlation = 4, .tenant = 1}); // known, served by nobody
    (void)rig_take_status(rig, 1, STATUS_UNAVAILABLE);
    expect_service(rig);
    rig_close(rig);
}

// Three actors of two builds: the operation that only the newer ones serve meets only these.
static void test_operations_go_to_actors_that_know_them(void) {
    enum { ADDED = 7 };
    struct rig *rig = rig_of_two();
    struct hello newer = {.role = ROLE_QUERY,
                          .nonce = 1,
                          .window = 4,
                          .credit = 4,
                          .name = "newer",
                          .operation_count = 3,
                          .operations = {READ, READ_TOO, ADDED}};
    newer.instance = 120;
    rig_hello(rig, 12, &newer);
    newer.instance = 130;
    rig_hello(rig, 13, &newer);
    for (uint64_t i = 1; i <= 8; i++)
        rig_ask(rig, 1, (struct ask){ADDED, .correlation = i, .tenant = (uint8_t)i});
    for (uint32_t i = 0; i < 4; i++) {
        (void)rig_take(rig, 12, KIND_REQUEST);
        (void)rig_take(rig, 13, KIND_REQUEST);
    }
    EXPECT(!rig_has(rig, 11) && !rig_has(rig, 12) && !rig_has(rig, 13));
    expect_service(rig); // the older one has nothing to do
    // The newer ones leave: with nobody who knows it, it is refused.
    rig_bare(rig, 12, KIND_GOODBYE);
    rig_bare(rig, 13, KIND_GOODBYE);
    for (uint32_t i = 0; i < 8; i++)
        (void)rig_take_status(rig, 1, STATUS_LOST);
    rig_ask(rig, 1, (struct ask){ADDED, .correlation = 9, .tenant = 9});
    EXPECT(!rig_has(rig, 1)); // another one may come in a moment
    rig_wait(rig, BROKER_NOBODY_MS + 100);
    (void)rig_take_status(rig, 1, STATUS_UNAVAILABLE);
    rig_ask(rig, 1, (struct ask){ADDED, .correlation = 10, .tenant = 9});
    (void)rig_take_status(rig, 1, STATUS_UNAVAILABLE); // at once
    EXPECT(!rig_has(rig, 11));
    newer.instance = 140;
    rig_hello(rig, 14, &newer);
    rig_ask(rig, 1, (struct ask){ADDED, .correlation = 11, .tenant = 9});
    (void)rig_take(rig, 14, KIND_REQUEST);
    rig_close(rig);
}

// A control frame of a later build: `count` further numbers in its first array, `tail` bytes at
// its end, all of them 0xcf.
static uint32_t grow(char *frame, uint32_t length, uint32_t count, uint32_t tail) {
    uint8_t *array = (uint8_t *)frame + ENVELOPE_BYTES;
    uint32_t had = bytes_get_u16(array + 1);
    uint8_t *end = array + 3 + (size_t)had * 9;
    size_t after = (size_t)((uint8_t *)frame + length - end);
    memmove(end + (size_t)count * 9, end, after);
    memset(end, 0xcf, (size_t)count * 9);
    bytes_put_u16(array + 1, (uint16_t)(had + count));
    memset(frame + length + count * 9, 0xcf, tail);
    return length + count * 9 + tail;
}

static void test_longer_hello_and_beat(void) {
    char frame[CONTROL_BYTES_MAX + 1000];
    struct rig *rig = rig_open();
    struct hello hello = {.role = ROLE_EDGE, .instance = 10, .nonce = 1, .name = "http"};
    rig->peers[1] = (struct rig_peer){.role = ROLE_EDGE, .session = 10};
    uint32_t length = grow(frame, control_write_hello(&hello, frame), 20, 33);
    rig_receive(rig, 1, (struct text){frame, length});
    rig_actor(rig, 11, ROLE_QUERY, 4);
    struct beat beat = {.sent = {40, 30, 20, 10}};
    length = grow(frame, control_write_beat(KIND_HEARTBEAT, &beat, frame), 9, 100);
    rig_receive(rig, 1, (struct text){frame, length});
    rig->peers[1].asked[0] = 40;
    rig->peers[1].asked[1] = 30;
    rig_wait(rig, 2 * HEARTBEAT_MS);
    EXPECT_INTEGER(rig->beats[1].limit[LANE_COMMAND], 30 + EDGE_WINDOW_COMMAND);
    EXPECT_INTEGER(drops(rig, CAUSE_MALFORMED), 0);
    expect_service(rig);
    rig_close(rig);
}

// As the release before this one wrote them: without the numbers that came since.
static void test_shorter_hello(void) {
    char frame[CONTROL_BYTES_MAX];
    struct rig *rig = rig_of_two();
    struct hello hello = {.role = ROLE_EDGE, .instance = 20, .nonce = 3, .name = "http"};
    uint32_t length = control_write_hello(&hello, frame);
    uint8_t *array = (uint8_t *)frame + ENVELOPE_BYTES;
    memmove(array + 3 + 6 * 9, array + 3 + 8 * 9, length - ENVELOPE_BYTES - 3 - 8 * 9);
    bytes_put_u16(array + 1, 6);
    rig_receive(rig, 2, (struct text){frame, length - 2 * 9});
    EXPECT_INTEGER(rig->beats[2].nonce, 3);
    EXPECT_INTEGER(rig->beats[2].roles, 1 << ROLE_QUERY);
    EXPECT_INTEGER(drops(rig, CAUSE_REFUSED), 0);
    rig_close(rig);
}

// A longer block, something after the body, a status that nobody here knows.
static void test_replies_of_later_builds_pass(void) {
    struct rig *rig = rig_of_two();
    char frame[REPLY_HEAD_BYTES + 100] = {0};
    rig_ask(rig, 1, (struct ask){READ, .correlation = 5, .tenant = 1});
    const struct sent_frame *request = rig_take(rig, 11, KIND_REQUEST);
    struct envelope envelope = request->envelope;
    envelope.kind = KIND_REPLY;
    envelope.operation = 4444;
    reply_head_write(&envelope, &(struct reply_block){.version = 99, .actor_us = 8}, 3, frame);
    envelope_set_credit(frame, 100);
    char *block = frame + ENVELOPE_BYTES;
    block[1] = 48; // 16 more than we know
    memcpy(block + 2 + 48, "\xc6\0\0\0\3[1]\xc0\xc0", 10);
    rig->now_us += 5000;
    rig_receive(rig, 11, (struct text){frame, ENVELOPE_BYTES + 2 + 48 + 10});
    const struct sent_frame *reply = rig_take(rig, 1, KIND_REPLY);
    struct reply_block known;
    struct text body;
    EXPECT_INTEGER(reply->envelope.operation, 4444);
    EXPECT(reply_read(reply->bytes, &known, &body));
    EXPECT_INTEGER(known.version, 99);
    EXPECT_INTEGER(known.actor_us, 8);
    EXPECT_TEXT(body, "[1]");
    expect_service(rig);
    rig_close(rig);
}

static void expect_refusal(struct rig *rig, uint64_t address, enum refusal_reason reason) {
    const struct sent_frame *frame = rig_take(rig, address, KIND_REFUSAL);
    struct refusal refusal;
    EXPECT(control_read_refusal(
        (struct text){frame->bytes.bytes + ENVELOPE_BYTES, frame->bytes.length - ENVELOPE_BYTES},
        &refusal));
    EXPECT_INTEGER(refusal.reason, reason);
    EXPECT_INTEGER(refusal.speaks.oldest, WIRE_OLDEST);
    EXPECT_INTEGER(refusal.speaks.newest, WIRE_NEWEST);
}

static void test_incompatible_hellos(void) {
    struct rig *rig = rig_of_two();
    struct hello hello = {.role = ROLE_QUERY,
                          .instance = 120,
                          .nonce = 1,
                          .process = 4711,
                          .window = 4,
                          .speaks = {WIRE_NEWEST + 1, WIRE_NEWEST + 2},
                          .name = "query-9",
                          .operation_count = 1,
                          .operations = {READ}};
    rig_hello(rig, 12, &hello);
    expect_refusal(rig, 12, REFUSED_VERSION);
    rig->peers[12].role = 0;
    EXPECT_INTEGER(rig->told, 1);
    EXPECT_INTEGER(rig->refused.process, 4711);
    EXPECT_INTEGER(rig->refused.speaks.newest, WIRE_NEWEST + 2);
    hello.speaks = (struct wire_range){1, WIRE_NEWEST + 5}; // understands this build, too
    rig_hello(rig, 13, &hello);
    EXPECT(!rig_has(rig, 13));
    EXPECT_INTEGER(rig->beats[13].nonce, 1);
    rig_bare(rig, 13, KIND_GOODBYE);
    rig->peers[13].role = 0;

    struct broker_peer_view view;
    EXPECT(broker_look_peer(rig->broker, 2, rig->now_us, &view));
    EXPECT_TEXT(text_of(view.name), "query-9");
    EXPECT_TEXT(text_of(view.state), "refused");
    EXPECT(!broker_look_peer(rig->broker, 3, rig->now_us, &view));
    rig_wait(rig, 2 * REFUSED_MS + 100);
    EXPECT(!broker_look_peer(rig->broker, 2, rig->now_us, &view));
    expect_service(rig);
    rig_close(rig);
}

static void test_roles_of_later_builds(void) {
    struct rig *rig = rig_of_two();
    struct hello hello = {.role = ROLE_COUNT, .instance = 120, .nonce = 1, .name = "monitor-1"};
    rig_hello(rig, 12, &hello);
    expect_refusal(rig, 12, REFUSED_ROLE);
    hello.role = UINT8_MAX;
    rig_hello(rig, 12, &hello);
    expect_refusal(rig, 12, REFUSED_ROLE);
    rig->peers[12].role = 0;
    EXPECT_INTEGER(drops(rig, CAUSE_REFUSED), 2);
    expect_service(rig);
    rig_close(rig);
}

// Another header: only that it is a hello of version 2 can be read.
static void test_another_header(void) {
    struct rig *rig = rig_of_two();
    rig_receive(rig, 12, TEXT("\x9e\xcc\x02\xcc\x01whatever comes then"));
    expect_refusal(rig, 12, REFUSED_VERSION);
    EXPECT_INTEGER(rig->refused.speaks.newest, 2);
    rig_receive(rig, 12, TEXT("\x9e\xcc\x02\xcc\x05no hello"));
    rig_receive(rig, 12, TEXT("\x9e\xcc\x02\xcc"));
    EXPECT_INTEGER(drops(rig, CAUSE_MALFORMED), 2);
    EXPECT(!rig_has(rig, 12));
    expect_service(rig);
    rig_close(rig);
}

// One that never stops, then hundreds of names: each hello is answered, few are told.
static void test_no_storm_of_lines(void) {
    struct rig *rig = rig_of_two();
    struct hello hello = {.role = ROLE_QUERY, .instance = 120, .speaks = {9, 9}, .name = "a"};
    for (uint32_t second = 0; second < 100; second++) {
        for (uint32_t i = 0; i < 4; i++, hello.nonce++) {
            rig_hello(rig, 12, &hello);
            expect_refusal(rig, 12, REFUSED_VERSION);
        }
        rig->peers[12].role = 0;
        rig_wait(rig, 1000);
    }
    EXPECT_INTEGER(rig->told, 2); // of 100 s: the first, and one after a minute
    for (uint32_t i = 0; i < 300; i++) {
        (void)snprintf(hello.name, sizeof hello.name, "name-%u", i);
        rig_hello(rig, 12, &hello);
        expect_refusal(rig, 12, REFUSED_VERSION);
    }
    EXPECT_INTEGER(rig->told, 3);
    EXPECT_INTEGER(drops(rig, CAUSE_REFUSED), 700);
    for (uint32_t i = 0; i < 2 * REFUSED_MAX; i++) { // at leisure each has its line
        rig->peers[12].role = 0;
        rig_wait(rig, 1100);
        (void)snprintf(hello.name, sizeof hello.name, "other-%u", i);
        rig_hello(rig, 12, &hello);
        expect_refusal(rig, 12, REFUSED_VERSION);
        EXPECT_INTEGER(rig->told, 4 + i);
    }
    rig_close(rig);
}

int main(void) {
    static const struct test tests[] = {
        {"unknown kinds are counted, and the session lives", test_unknown_kinds},
        {"an unknown kind is a sign of life", test_a_later_kind_is_a_sign_of_life},
        {"unknown flags reach the actor", test_unknown_flags},
        {"unknown lanes and operations are refused at once",
         test_lanes_and_operations_of_later_builds},
        {"an operation goes to actors that know it", test_operations_go_to_actors_that_know_them},
        {"a longer hello, a longer heartbeat", test_longer_hello_and_beat},
        {"the hello of the release before", test_shorter_hello},
        {"replies pass with what is unknown in them", test_replies_of_later_builds_pass},
        {"an incompatible hello is refused, told and shown", test_incompatible_hellos},
        {"an unknown role is refused", test_roles_of_later_builds},
        {"a hello with another header is refused", test_another_header},
        {"however often it is tried, the log is not flooded", test_no_storm_of_lines},
    };
    return expect_run(tests, COUNT_OF(tests));
}
