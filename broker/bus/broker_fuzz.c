// SPDX-License-Identifier: Apache-2.0
// Any frames from any addresses in any order, sends that fail, time and drain: the core never
// breaks, uses no frame that it gave away, and when everybody has fallen silent nothing is left in
// its tables. Input: a row of actions, each a byte and what it takes; if the last byte says so,
// every connection has proved a role by a key, which may be revoked.
#include "broker_state.h"
#include "fuzz_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ADDRESSES = 8, SESSIONS = 6, ACTIONS_MAX = 400, SILENCE_MS = 4000 };

struct rig {
    struct broker *broker;
    struct fuzz_input input;
    uint64_t now_us;
    char *current; // the frame being received, NULL once it was given away
    uint32_t current_length;
    uint64_t current_address;
    uint32_t unreachable; // bits of addresses
    uint32_t revoked; // the same, where keys are proved
    bool proves;
    uint32_t sum; // of all bytes sent: each is looked at
};

// --- effects -----------------------------------------------------------------------------------

static bool rig_send(void *context, uint64_t address, struct text frame) {
    struct rig *rig = context;
    ASSERT(address > 0 && address <= ADDRESSES && frame.length >= ENVELOPE_BYTES);
    for (uint32_t i = 0; i < frame.length; i++)
        rig->sum += (uint8_t)frame.bytes[i];
    return (rig->unreachable & 1U << address) == 0;
}

static bool rig_send_shared(void *context, uint64_t address) {
    struct rig *rig = context;
    ASSERT(rig->current != NULL);
    return rig_send(context, address, (struct text){rig->current, rig->current_length});
}

static bool rig_send_current(void *context, uint64_t address) {
    struct rig *rig = context;
    if (!rig_send_shared(context, address))
        return false;
    free(rig->current); // whoever touches it again is found out
    rig->current = NULL;
    return true;
}

// Each address has a key of its own.
static bool rig_prove(void *context, struct broker_proof *ret_proof) {
    const struct rig *rig = context;
    uint64_t address = rig->current_address;
    *ret_proof = (struct broker_proof){.role = 1 + address % (ROLE_COUNT - 1), .key = address};
    return (rig->revoked & 1U << address) == 0;
}

static void rig_refused(void *context, const struct hello *hello, enum refusal_reason reason) {
    struct rig *rig = context;
    rig->sum += hello->role + (uint32_t)reason + (uint32_t)strlen(hello->name);
}

static void rig_revoke(struct rig *rig) {
    uint64_t address = 1 + fuzz_byte(&rig->input) % ADDRESSES;
    rig->revoked |= 1U << address;
    broker_revoke(rig->broker, address, rig->now_us);
}

// --- frames ------------------------------------------------------------------------------------

static void rig_receive(struct rig *rig, struct text frame) {
    uint64_t address = 1 + fuzz_byte(&rig->input) % ADDRESSES;
    rig->current_address = address;
    rig->current = malloc(MAX(frame.length, 1U));
    ASSERT(rig->current != NULL);
    memcpy(rig->current, frame.bytes, frame.length);
    rig->current_length = frame.length;
    broker_receive(rig->broker, address, rig->current, rig->current_length, rig->now_us);
    free(rig->current);
    rig->current = NULL;
}

static void rig_hello(struct rig *rig) {
    struct hello hello = {
        .role = (uint8_t)(1 + fuzz_byte(&rig->input) % (ROLE_COUNT - 1)),
        .instance = 1 + fuzz_byte(&rig->input) % SESSIONS,
        .nonce = fuzz_byte(&rig->input) % 4,
        .window = (uint32_t)fuzz_number(&rig->input) & 0xff,
        .credit = fuzz_number(&rig->input),
        .name = "peer",
        .operation_count = fuzz_byte(&rig->input) % 4,
    };
    for (uint32_t i = 0; i < hello.operation_count; i++)
        hello.operations[i] = (uint16_t)fuzz_number(&rig->input);
    char frame[CONTROL_BYTES_MAX];
    uint32_t length = control_write_hello(&hello, frame);
    rig_receive(rig, (struct text){frame, length});
}

static struct envelope rig_envelope(struct rig *rig, uint8_t kind) {
    struct envelope envelope = {
        .version = ENVELOPE_VERSION,
        .kind = kind,
        .operation = (uint16_t)fuzz_number(&rig->input),
        .session = 1 + fuzz_byte(&rig->input) % SESSIONS,
        .correlation = fuzz_byte(&rig->input),
    };
    uint8_t choice = fuzz_byte(&rig->input);
    envelope.flags = choice & 1 ? FLAG_READ_ONLY : 0;
    envelope.attempt = choice >> 1 & 3;
    envelope.lane = choice >> 3 & 7; // above 3: none
    envelope.tenant.bytes[0] = fuzz_byte(&rig->input) % 4;
    return envelope;
}

static void rig_request(struct rig *rig) {
    struct envelope envelope = rig_envelope(rig, KIND_REQUEST);
    envelope.budget_us = fuzz_budget_us(&rig->input);
    char frame[4096];
    uint32_t body = fuzz_short(&rig->input) % (sizeof frame - ENVELOPE_BYTES);
    memset(frame, 'b', sizeof frame);
    envelope_write(&envelope, frame);
    rig_receive(rig, (struct text){frame, ENVELOPE_BYTES + body});
}

static void rig_reply(struct rig *rig) {
    struct envelope envelope = rig_envelope(rig, KIND_REPLY);
    char frame[REPLY_HEAD_BYTES];
    reply_head_write(&envelope, &(struct reply_block){0}, 0, frame);
    envelope_set_credit(frame, fuzz_number(&rig->input));
    uint32_t length = fuzz_byte(&rig->input) == 1 ? ENVELOPE_BYTES : REPLY_HEAD_BYTES;
    rig_receive(rig, (struct text){frame, length});
}

static void rig_beat(struct rig *rig) {
    struct beat beat = {
        .clock_us = rig->now_us,
        .echo_us = rig->now_us - fuzz_number(&rig->input) * 1000,
        .event_bytes = fuzz_number(&rig->input),
    };
    beat.limit[0] = fuzz_number(&rig->input);
    for (uint32_t lane = 0; lane < LANE_COUNT; lane++)
        beat.sent[lane] = fuzz_number(&rig->input);
    char frame[CONTROL_BYTES_MAX];
    uint8_t kind = fuzz_byte(&rig->input) % 2 == 0 ? KIND_HEARTBEAT : KIND_CREDIT;
    uint32_t length = control_write_beat(kind, &beat, frame);
    rig_receive(rig, (struct text){frame, length});
}

// Any kind with an envelope alone, events with a body among them.
static void rig_bare(struct rig *rig) {
    struct envelope envelope = rig_envelope(rig, fuzz_byte(&rig->input) % (KIND_REHELLO + 2));
    char frame[4096] = {0};
    envelope_write(&envelope, frame);
    uint32_t body = fuzz_short(&rig->input) % (sizeof frame - ENVELOPE_BYTES);
    rig_receive(rig, (struct text){frame, ENVELOPE_BYTES + body});
}

static void rig_channels(struct rig *rig) {
    struct uuid channels[4] = {0};
    uint8_t choice = fuzz_byte(&rig->input);
    for (uint32_t i = 0; i < COUNT_OF(channels); i++)
        channels[i].bytes[0] = fuzz_byte(&rig->input) % 4;
    char frame[CONTROL_BYTES_MAX];
    uint8_t kind = choice & 1 ? KIND_SUBSCRIBE : KIND_UNSUBSCRIBE;
    uint32_t length = control_write_channels(kind, channels, 1 + (choice >> 1 & 3), frame);
    rig_receive(rig, (struct text){frame, length});
}

static void rig_raw(struct rig *rig) {
    rig_receive(rig, fuzz_text(&rig->input, fuzz_short(&rig->input) % 4096));
}

// --- the run -----------------------------------------------------------------------------------

static void rig_wait(struct rig *rig, uint64_t wait_ms) {
    uint64_t end_us = rig->now_us + wait_ms * 1000;
    while (broker_next_us(rig->broker) <= end_us) {
        rig->now_us = MAX(rig->now_us, broker_next_us(rig->broker));
        broker_tick(rig->broker, rig->now_us);
    }
    rig->now_us = end_us;
}

static void rig_act(struct rig *rig) {
    static void (*const frames[])(struct rig *) = {rig_hello, rig_request,  rig_reply, rig_beat,
                                                   rig_bare,  rig_channels, rig_raw};
    uint8_t action = fuzz_byte(&rig->input) % 16;
    if (action < COUNT_OF(frames)) {
        frames[action](rig);
        return;
    }
    switch (action) {
    case 7:
        rig_request(rig); // there are more of them
        break;
    case 8:
        rig_wait(rig, fuzz_byte(&rig->input));
        break;
    case 9: // the process stands still
        rig->now_us += fuzz_short(&rig->input) * 100;
        break;
    case 10:
        rig->unreachable = fuzz_short(&rig->input);
        break;
    case 11:
        if (fuzz_byte(&rig->input) == 1) // else it would happen in every input
            broker_drain(rig->broker, rig->now_us);
        break;
    case 12: {
        const uint16_t numbers[] = {fuzz_byte(&rig->input), (uint16_t)fuzz_short(&rig->input)};
        broker_pause(rig->broker, numbers, fuzz_byte(&rig->input) % 3, rig->now_us);
        break;
    }
    case 13:
        if (rig->proves)
            rig_revoke(rig);
        break;
    default:
        rig_hello(rig);
        break;
    }
}

static void rig_look(const struct rig *rig) {
    struct broker_view view;
    struct broker_peer_view peer;
    struct broker_request_view request;
    broker_look(rig->broker, &view);
    for (uint32_t i = 0; broker_look_peer(rig->broker, i, rig->now_us, &peer); i++)
        ASSERT(i < PEERS_MAX);
    (void)broker_look_request(rig->broker, 1, rig->now_us, &request);
}

static void rig_check_empty(const struct broker *broker) {
    ASSERT(broker->peer_count == 0 && broker->actor_bits == 0 && broker->available == 0);
    ASSERT(broker->pool.used == 0 && broker->pool.queued == 0 && broker->pool.dispatched == 0);
    ASSERT(broker->pool.queued_bytes == 0 && broker->pool.slab.used_bytes == 0);
    ASSERT(broker->flows.used == 0);
    for (uint32_t lane = 0; lane < LANE_COUNT; lane++)
        ASSERT(broker->lanes[lane].queued == 0 && broker->lanes[lane].in_flight == 0);
    for (uint32_t i = 0; i < broker->channels.high; i++) {
        for (uint32_t word = 0; word < COUNT_OF(broker->channels.channels[i].peers); word++)
            ASSERT(broker->channels.channels[i].peers[word] == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct rig rig = {.input = {data, size}, .now_us = 10000000};
    rig.proves = size > 0 && (data[size - 1] & 3) == 3;
    const struct broker_port port = {.context = &rig,
                                     .send_current = rig_send_current,
                                     .send_shared = rig_send_shared,
                                     .send = rig_send,
                                     .prove = rig.proves ? rig_prove : NULL,
                                     .refused = rig_refused};
    rig.broker = broker_new(&(struct broker_options){.name = "broker"}, &port, rig.now_us);
    for (uint32_t i = 0; i < ACTIONS_MAX && rig.input.left > 0; i++)
        rig_act(&rig);
    rig_look(&rig);
    rig_wait(&rig, SILENCE_MS);
    rig_check_empty(rig.broker);
    rig.broker = broker_free(rig.broker);
    return 0;
}
