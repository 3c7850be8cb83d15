// SPDX-License-Identifier: Apache-2.0
#include "broker_rig.h"

enum { GIVEN_AWAY = 0xee };

// --- effects -----------------------------------------------------------------------------------

static bool rig_send(void *context, uint64_t address, struct text frame) {
    struct rig *rig = context;
    EXPECT(address > 0 && address < ADDRESSES_MAX);
    if (address == rig->unreachable)
        return false;
    struct envelope envelope;
    EXPECT(envelope_read(frame, &envelope));
    struct text body = {frame.bytes + ENVELOPE_BYTES, frame.length - ENVELOPE_BYTES};
    if (envelope.kind == KIND_HEARTBEAT || envelope.kind == KIND_WELCOME) {
        EXPECT(control_read_beat(body, &rig->beats[address]));
        return true;
    }
    EXPECT(rig->sent_count < SENT_MAX);
    char *copy = malloc(frame.length);
    rig->copies++;
    EXPECT(copy != NULL);
    memcpy(copy, frame.bytes, frame.length);
    rig->sent[rig->sent_count++] = (struct sent_frame){
        .address = address, .envelope = envelope, .bytes = {copy, frame.length}};
    rig->peers[address].delivered += envelope.kind == KIND_REQUEST;
    return true;
}

static bool rig_send_shared(void *context, uint64_t address) {
    struct rig *rig = context;
    EXPECT(rig->current != NULL);
    return rig_send(context, address, (struct text){rig->current, rig->current_length});
}

static bool rig_send_current(void *context, uint64_t address) {
    struct rig *rig = context;
    if (!rig_send_shared(context, address))
        return false;
    memset(rig->current, GIVEN_AWAY, rig->current_length); // whoever reads it is misled
    rig->current = NULL;
    return true;
}

static bool rig_prove(void *context, struct broker_proof *ret_proof) {
    struct rig *rig = context;
    *ret_proof = rig->proofs[rig->receiving];
    return ret_proof->role != 0;
}

static void rig_refused(void *context, const struct hello *hello, enum refusal_reason reason) {
    struct rig *rig = context;
    EXPECT(reason >= REFUSED_VERSION && reason <= REFUSED_KEY);
    rig->refused = *hello;
    rig->told++;
}

// --- peers -------------------------------------------------------------------------------------

struct broker_port rig_port(struct rig *rig) {
    return (struct broker_port){.context = rig,
                                .send_current = rig_send_current,
                                .send_shared = rig_send_shared,
                                .send = rig_send,
                                .refused = rig_refused};
}

static struct rig *rig_make(bool with_keys) {
    struct rig *rig = calloc(1, sizeof *rig);
    EXPECT(rig != NULL);
    rig->now_us = 10000000;
    struct broker_port port = rig_port(rig);
    port.prove = with_keys ? rig_prove : NULL;
    rig->broker = broker_new(&(struct broker_options){.name = "broker-1"}, &port, rig->now_us);
    rig_wait(rig, BROKER_NOBODY_MS + 1);
    return rig;
}

struct rig *rig_open(void) {
    return rig_make(false);
}

struct rig *rig_open_with_keys(void) {
    return rig_make(true);
}

struct rig *rig_close(struct rig *rig) {
    for (uint32_t i = 0; i < rig->sent_count; i++)
        free((char *)(uintptr_t)rig->sent[i].bytes.bytes);
    rig->broker = broker_free(rig->broker);
    free(rig);
    return NULL;
}

void rig_receive(struct rig *rig, uint64_t address, struct text frame) {
    static char buffer[FRAME_BYTES_MAX];
    memcpy(buffer, frame.bytes, frame.length);
    rig->current = buffer;
    rig->current_length = frame.length;
    rig->receiving = address;
    broker_receive(rig->broker, address, buffer, frame.length, rig->now_us);
    for (uint32_t i = 0; rig->current == NULL && i < frame.length; i++)
        EXPECT_INTEGER((uint8_t)buffer[i], GIVEN_AWAY); // whoever wrote to it is found out
    rig->current = NULL;
}

void rig_hello(struct rig *rig, uint64_t address, const struct hello *hello) {
    char frame[CONTROL_BYTES_MAX];
    uint32_t length = control_write_hello(hello, frame);
    rig->peers[address] =
        (struct rig_peer){.role = hello->role, .session = hello->instance, .limit = hello->credit};
    rig_receive(rig, address, (struct text){frame, length});
}

void rig_edge(struct rig *rig, uint64_t address) {
    rig_hello(rig, address,
              &(struct hello){.role = ROLE_EDGE,
                              .instance = address * 10,
                              .nonce = ++rig->greetings,
                              .name = "http"});
}

void rig_actor(struct rig *rig, uint64_t address, uint8_t role, uint32_t window) {
    struct hello hello = {.role = role,
                          .instance = address * 10,
                          .nonce = ++rig->greetings,
                          .window = window,
                          .credit = window,
                          .name = "actor"};
    hello.operations[0] = role == ROLE_QUERY ? READ : WRITE;
    hello.operations[1] = READ_TOO;
    hello.operation_count = role == ROLE_QUERY ? 2 : 1;
    rig_hello(rig, address, &hello);
}

void rig_bare(struct rig *rig, uint64_t address, uint8_t kind) {
    char frame[ENVELOPE_BYTES];
    uint32_t length = control_write_bare(kind, frame);
    rig_receive(rig, address, (struct text){frame, length});
}

void rig_beat(struct rig *rig, uint64_t address) {
    const struct rig_peer *peer = &rig->peers[address];
    struct beat beat = {.clock_us = rig->now_us,
                        .echo_us = rig->beats[address].clock_us,
                        .limit = {peer->limit},
                        .event_bytes = peer->event_bytes};
    memcpy(beat.sent, peer->asked, sizeof beat.sent);
    char frame[CONTROL_BYTES_MAX];
    uint32_t length = control_write_beat(KIND_HEARTBEAT, &beat, frame);
    rig_receive(rig, address, (struct text){frame, length});
}

void rig_wait(struct rig *rig, uint32_t wait_ms) {
    for (uint64_t end_us = rig->now_us + wait_ms * 1000ULL; rig->now_us < end_us;) {
        rig->now_us = MIN(end_us, MAX(broker_next_us(rig->broker), rig->now_us + 1));
        for (uint64_t i = 1; i < ADDRESSES_MAX; i++) {
            if (rig->peers[i].role != 0 && !rig->peers[i].mute)
                rig_beat(rig, i);
        }
        broker_tick(rig->broker, rig->now_us);
    }
}

// --- messages ----------------------------------------------------------------------------------

void rig_ask(struct rig *rig, uint64_t address, struct ask ask) {
    const struct envelope envelope = {
        .version = ENVELOPE_VERSION,
        .kind = KIND_REQUEST,
        .flags = (uint16_t)((ask.operation == WRITE ? 0 : FLAG_READ_ONLY) |
                            (ask.suspect ? FLAG_SUSPECT : 0) | (ask.grouped ? FLAG_GROUPED : 0)),
        .operation = ask.operation,
        .lane = ask.lane,
        .attempt = ask.attempt,
        .budget_us = (ask.budget_ms == 0 ? 5000 : ask.budget_ms) * 1000,
        .tenant = {{ask.tenant}},
        .session = address * 10,
        .correlation = ask.correlation,
    };
    char frame[ENVELOPE_BYTES + 4] = {0};
    envelope_write(&envelope, frame);
    memcpy(frame + ENVELOPE_BYTES, "body", 4);
    if (ask.lane < LANE_COUNT)
        rig->peers[address].asked[ask.lane]++;
    rig_receive(rig, address, (struct text){frame, sizeof frame});
}

void rig_answer(struct rig *rig, const struct sent_frame *request, uint32_t free) {
    const struct envelope envelope = {
        .version = ENVELOPE_VERSION,
        .kind = KIND_REPLY,
        .operation = STATUS_OK,
        .lane = request->envelope.lane,
        .attempt = request->envelope.attempt,
        .tenant = request->envelope.tenant,
        .session = request->envelope.session,
        .correlation = request->envelope.correlation,
    };
    struct rig_peer *peer = &rig->peers[request->address];
    char frame[REPLY_HEAD_BYTES];
    reply_head_write(&envelope, &(struct reply_block){.version = 7}, 0, frame);
    peer->limit = peer->delivered + free;
    envelope_set_credit(frame, peer->limit);
    rig_receive(rig, request->address, (struct text){frame, sizeof frame});
}

void rig_publish(struct rig *rig, uint64_t address, uint16_t operation, uint8_t channel,
                 uint32_t bytes) {
    static char frame[FRAME_BYTES_MAX];
    const struct envelope envelope = {.version = ENVELOPE_VERSION,
                                      .kind = KIND_EVENT,
                                      .operation = operation,
                                      .lane = LANE_BULK,
                                      .tenant = {{channel}}};
    envelope_write(&envelope, frame);
    rig_receive(rig, address, (struct text){frame, ENVELOPE_BYTES + bytes});
}

void rig_subscribe(struct rig *rig, uint64_t address, uint8_t kind, uint8_t channel) {
    char frame[CONTROL_BYTES_MAX];
    uint32_t length = control_write_channels(kind, &(struct uuid){{channel}}, 1, frame);
    rig_receive(rig, address, (struct text){frame, length});
}

// --- what was sent -----------------------------------------------------------------------------

static struct sent_frame *rig_find(struct rig *rig, uint64_t address) {
    for (uint32_t i = 0; i < rig->sent_count; i++) {
        if (!rig->sent[i].taken && rig->sent[i].address == address)
            return &rig->sent[i];
    }
    return NULL;
}

bool rig_has(const struct rig *rig, uint64_t address) {
    return rig_find((struct rig *)(uintptr_t)rig, address) != NULL;
}

struct sent_frame *rig_take(struct rig *rig, uint64_t address, uint8_t kind) {
    struct sent_frame *frame = rig_find(rig, address);
    EXPECT(frame != NULL);
    EXPECT_INTEGER(frame->envelope.kind, kind);
    frame->taken = true;
    return frame;
}

struct sent_frame *rig_take_status(struct rig *rig, uint64_t address, enum status status) {
    struct sent_frame *frame = rig_take(rig, address, KIND_REPLY);
    EXPECT_INTEGER(frame->envelope.operation, status);
    return frame;
}
