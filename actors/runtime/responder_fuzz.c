// SPDX-License-Identifier: Apache-2.0
// Any frames from any broker, connections that come and go, sends that fail, answers in any order,
// time and drain: what was delivered is counted until it is answered, and a drain ends. Input: a
// row of actions, each a byte and what it takes.
#include "fuzz_input.h"
#include "responder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BROKERS = 2, HELD_MAX = 500, ACTIONS_MAX = 400, INSTANCE = 5, LONG_MS = 4000 };

struct rig {
    struct responder *responder;
    struct fuzz_input input;
    uint64_t now_us;
    uint64_t nonces[BROKERS]; // of the last hellos
    struct return_address held[HELD_MAX];
    uint32_t held_count;
    uint32_t broken; // bits of brokers: sends fail
    uint32_t sum; // of all bytes: each is looked at
    bool at_once; // deliveries are answered in the callback
};

// --- effects -----------------------------------------------------------------------------------

static bool rig_send(void *context, uint32_t broker, struct text head, struct text body) {
    struct rig *rig = context;
    struct envelope envelope;
    struct hello hello;
    ASSERT(broker < BROKERS && envelope_read(head, &envelope));
    for (uint32_t i = 0; i < body.length; i++)
        rig->sum += (uint8_t)body.bytes[i];
    const struct text rest = {head.bytes + ENVELOPE_BYTES, head.length - ENVELOPE_BYTES};
    if (envelope.kind == KIND_HELLO) {
        ASSERT(control_read_hello(rest, &hello) && hello.operation_count == 2);
        rig->nonces[broker] = hello.nonce;
    }
    return (rig->broken & 1U << broker) == 0;
}

static void rig_redial(void *context, uint32_t broker) {
    (void)context;
    ASSERT(broker < BROKERS);
}

static void rig_answer(struct rig *rig, uint32_t index) {
    const struct return_address address = rig->held[index];
    rig->held[index] = rig->held[--rig->held_count];
    bool stale = responder_is_stale(rig->responder, &address, rig->now_us);
    responder_reply(rig->responder, &address, stale ? STATUS_UNAVAILABLE : STATUS_OK, 0,
                    &(struct reply_block){.version = 1}, TEXT("{}"));
}

static void rig_deliver(void *context, const struct delivery *delivery) {
    struct rig *rig = context;
    ASSERT(delivery->broker < BROKERS && delivery->deadline_us > rig->now_us);
    for (uint32_t i = 0; i < delivery->body.length; i++)
        rig->sum += (uint8_t)delivery->body.bytes[i];
    if (rig->held_count == HELD_MAX)
        rig_answer(rig, 0);
    rig->held[rig->held_count++] = responder_return_address(delivery);
    if (rig->at_once)
        rig_answer(rig, rig->held_count - 1);
}

static void rig_cancel(void *context, uint64_t session, uint64_t correlation) {
    struct rig *rig = context;
    rig->sum += (uint32_t)(session ^ correlation);
}

static void rig_event(void *context, const struct envelope *envelope, struct text body) {
    struct rig *rig = context;
    rig->sum += envelope->operation + body.length;
}

static void rig_refused(void *context, uint32_t broker, const struct refusal *refusal) {
    struct rig *rig = context;
    ASSERT(broker < BROKERS);
    rig->sum += refusal->reason;
}

// --- frames ------------------------------------------------------------------------------------

// In memory of its own, so that a step beyond its end is seen.
static void rig_receive(struct rig *rig, struct text frame) {
    uint32_t broker = fuzz_byte(&rig->input) % BROKERS;
    char *copy = malloc(MAX(frame.length, 1U));
    ASSERT(copy != NULL);
    memcpy(copy, frame.bytes, frame.length);
    responder_receive(rig->responder, broker, (struct text){copy, frame.length}, rig->now_us);
    free(copy);
}

static void rig_beat(struct rig *rig) {
    uint8_t choice = fuzz_byte(&rig->input);
    uint8_t kind = choice % 3 == 0 ? KIND_WELCOME : choice % 3 == 1 ? KIND_HEARTBEAT : KIND_CREDIT;
    struct beat beat = {
        .clock_us = rig->now_us,
        .echo_us = rig->now_us - fuzz_number(&rig->input) * 1000,
        .nonce = rig->nonces[choice >> 2 & 1],
        .event_bytes = fuzz_number(&rig->input),
        .sent = {fuzz_number(&rig->input)},
    };
    char frame[CONTROL_BYTES_MAX];
    uint32_t length = control_write_beat(kind, &beat, frame);
    rig_receive(rig, (struct text){frame, length});
}

static void rig_refusal(struct rig *rig) {
    char frame[CONTROL_BYTES_MAX];
    uint32_t length = fuzz_refusal(&rig->input, frame);
    rig_receive(rig, (struct text){frame, length});
}

static void rig_frame(struct rig *rig) {
    uint8_t choice = fuzz_byte(&rig->input);
    const struct envelope envelope = {
        .version = ENVELOPE_VERSION,
        .kind = choice < 128 ? KIND_REQUEST : (choice - 128) % (KIND_REHELLO + 2),
        .operation = fuzz_byte(&rig->input),
        .lane = fuzz_byte(&rig->input) & 7,
        .budget_us = fuzz_budget_us(&rig->input),
        .session = 3,
        .correlation = fuzz_byte(&rig->input),
    };
    char frame[ENVELOPE_BYTES + 64] = {0};
    envelope_write(&envelope, frame);
    rig_receive(rig, (struct text){frame, ENVELOPE_BYTES + choice % 64});
}

static void rig_raw(struct rig *rig) {
    rig_receive(rig, fuzz_text(&rig->input, fuzz_short(&rig->input) % 4096));
}

// --- the run -----------------------------------------------------------------------------------

static void rig_wait(struct rig *rig, uint64_t wait_ms) {
    uint64_t end_us = rig->now_us + wait_ms * 1000;
    uint64_t next_us;
    while ((next_us = responder_next_us(rig->responder)) <= end_us) {
        rig->now_us = MAX(rig->now_us, next_us);
        responder_tick(rig->responder, rig->now_us);
    }
    rig->now_us = end_us;
}

static void rig_act(struct rig *rig) {
    uint8_t action = fuzz_byte(&rig->input) % 16;
    switch (action) {
    case 0:
        responder_connected(rig->responder, fuzz_byte(&rig->input) % BROKERS, rig->now_us);
        break;
    case 1:
        responder_disconnected(rig->responder, fuzz_byte(&rig->input) % BROKERS, rig->now_us);
        break;
    case 2:
        rig_beat(rig);
        break;
    case 3:
        rig_raw(rig);
        break;
    case 4:
        rig_wait(rig, fuzz_byte(&rig->input));
        break;
    case 5: // the process stands still
        rig->now_us += fuzz_short(&rig->input) * 100;
        break;
    case 6:
        rig->broken = fuzz_byte(&rig->input);
        break;
    case 7:
        rig->at_once = fuzz_byte(&rig->input) & 1;
        break;
    case 8:
        (void)responder_publish(rig->responder, 3, (struct uuid){{1}}, TEXT("event"),
                                fuzz_byte(&rig->input) & 1);
        break;
    case 9:
        if (fuzz_byte(&rig->input) == 1) // else it would happen in every input
            responder_drain(rig->responder, rig->now_us);
        break;
    case 12:
        responder_retire(rig->responder, fuzz_byte(&rig->input) % BROKERS, rig->now_us);
        break;
    case 10:
    case 11:
        if (rig->held_count > 0)
            rig_answer(rig, fuzz_byte(&rig->input) % rig->held_count);
        break;
    case 13:
        rig_refusal(rig);
        break;
    default:
        rig_frame(rig);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct rig rig;
    static const uint16_t operations_of_rig[] = {1, 2};
    rig = (struct rig){.input = {data, size}, .now_us = 10000000};
    const struct responder_port port = {.context = &rig,
                                        .send = rig_send,
                                        .redial = rig_redial,
                                        .deliver = rig_deliver,
                                        .cancel = rig_cancel,
                                        .event = rig_event,
                                        .refused = rig_refused};
    const struct responder_options options = {.name = "query",
                                              .role = ROLE_QUERY,
                                              .instance = INSTANCE,
                                              .broker_count = BROKERS,
                                              .window = 4,
                                              .operations = operations_of_rig,
                                              .operation_count = COUNT_OF(operations_of_rig)};
    rig.responder = responder_new(&options, &port, rig.now_us);
    for (uint32_t i = 0; i < ACTIONS_MAX && rig.input.left > 0; i++)
        rig_act(&rig);
    struct responder_counters counters;
    responder_count(rig.responder, &counters);
    ASSERT(counters.in_hand == rig.held_count);
    while (rig.held_count > 0)
        rig_answer(&rig, rig.held_count - 1);
    responder_drain(rig.responder, rig.now_us);
    rig_wait(&rig, LONG_MS); // no broker speaks any more
    ASSERT(responder_drained(rig.responder));
    rig.responder = responder_free(rig.responder);
    return 0;
}
