// SPDX-License-Identifier: Apache-2.0
// Any frames from any broker, connections that come and go, sends that fail, cancels, time and
// drain: every request that was accepted and not cancelled ends with exactly one answer, and
// nothing is left in the table. Input: a row of actions, each a byte and what it takes.
#include "fuzz_input.h"
#include "requester.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BROKERS = 2, REQUESTS_MAX = 300, ACTIONS_MAX = 400, SESSION = 5, LONG_MS = 12000 };

enum asked { NOT_ASKED, ASKED, ANSWERED, CANCELLED };

struct rig {
    struct requester *requester;
    struct fuzz_input input;
    uint64_t now_us;
    uint64_t nonces[BROKERS]; // of the last hellos
    uint64_t correlations[REQUESTS_MAX];
    uint8_t asked[REQUESTS_MAX]; // enum asked
    uint32_t count;
    uint32_t broken; // bits of brokers: sends fail
    uint32_t sum; // of all bytes sent: each is looked at
    bool asks_on; // a request from inside an answer
};

static const struct operation operations_of_rig[] = {
    {.number = 1, .kind = OPERATION_QUERY, .lane = LANE_INTERACTIVE, .budget_ms = 5000},
    {.number = 2, .kind = OPERATION_COMMAND, .lane = LANE_COMMAND, .budget_ms = 10000},
    {.number = 3, .kind = OPERATION_QUERY, .lane = LANE_BULK, .budget_ms = 300},
    {.number = 4, .kind = OPERATION_COMMAND, .lane = LANE_TASK, .budget_ms = 0},
};

static void rig_ask(struct rig *rig) {
    if (rig->count == REQUESTS_MAX)
        return;
    uint32_t id = rig->count++;
    uint8_t choice = fuzz_byte(&rig->input);
    static const char body[2000];
    uint8_t key[16] = {(uint8_t)id, 1};
    const struct outgoing outgoing = {
        .operation = &operations_of_rig[choice & 3],
        .tenant = {{(uint8_t)(choice >> 4 & 3)}},
        .key = choice & 8 ? key : NULL,
        .body = {body, fuzz_short(&rig->input) % sizeof body},
        .request = (void *)((uintptr_t)id + 1),
    };
    enum status status =
        requester_request(rig->requester, &outgoing, rig->now_us, &rig->correlations[id]);
    ASSERT(status == STATUS_OK || status == STATUS_BUSY || status == STATUS_QUARANTINED);
    rig->asked[id] = status == STATUS_OK ? ASKED : NOT_ASKED;
}

// --- effects -----------------------------------------------------------------------------------

static bool rig_send(void *context, uint32_t broker, struct text head, struct text body) {
    struct rig *rig = context;
    struct envelope envelope;
    struct hello hello;
    ASSERT(broker < BROKERS && envelope_read(head, &envelope));
    for (uint32_t i = 0; i < head.length; i++)
        rig->sum += (uint8_t)head.bytes[i];
    for (uint32_t i = 0; i < body.length; i++)
        rig->sum += (uint8_t)body.bytes[i];
    const struct text rest = {head.bytes + ENVELOPE_BYTES, head.length - ENVELOPE_BYTES};
    if (envelope.kind == KIND_HELLO) {
        ASSERT(control_read_hello(rest, &hello));
        rig->nonces[broker] = hello.nonce;
    }
    return (rig->broken & 1U << broker) == 0;
}

static void rig_redial(void *context, uint32_t broker) {
    (void)context;
    ASSERT(broker < BROKERS);
}

static void rig_answer(void *context, void *request, const struct answer *answer) {
    struct rig *rig = context;
    uint32_t id = (uint32_t)(uintptr_t)request - 1;
    ASSERT(id < rig->count && rig->asked[id] == ASKED);
    rig->asked[id] = ANSWERED;
    for (uint32_t i = 0; i < answer->body.length; i++)
        rig->sum += (uint8_t)answer->body.bytes[i];
    if (rig->asks_on && rig->input.left > 0)
        rig_ask(rig);
}

static void rig_event(void *context, const struct envelope *envelope, struct text body) {
    struct rig *rig = context;
    rig->sum += envelope->operation + body.length;
}

static void rig_poison(void *context, const struct poison *poison) {
    struct rig *rig = context;
    rig->sum += poison->trace[0] + (uint32_t)strlen(poison->first_actor) +
                (uint32_t)strlen(poison->last_actor);
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
    requester_receive(rig->requester, broker, (struct text){copy, frame.length}, rig->now_us);
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
        .served = choice >> 3 & 1,
    };
    for (uint32_t lane = 0; lane < LANE_COUNT; lane++)
        beat.limit[lane] = fuzz_number(&rig->input);
    char frame[CONTROL_BYTES_MAX];
    uint32_t length = control_write_beat(kind, &beat, frame);
    rig_receive(rig, (struct text){frame, length});
}

static void rig_reply(struct rig *rig) {
    uint32_t id = fuzz_byte(&rig->input);
    uint8_t choice = fuzz_byte(&rig->input);
    const struct envelope envelope = {
        .version = ENVELOPE_VERSION,
        .kind = KIND_REPLY,
        .operation = fuzz_byte(&rig->input) % 40,
        .lane = choice & 7,
        .attempt = choice >> 3 & 3,
        .session = choice & 0x80 ? SESSION + 1 : SESSION,
        .correlation = id < rig->count ? rig->correlations[id] : id,
    };
    char frame[REPLY_HEAD_BYTES + 4] = {0};
    reply_head_write(&envelope, &(struct reply_block){.version = 1}, 4, frame);
    envelope_set_credit(frame, fuzz_number(&rig->input));
    uint32_t length = choice & 0x40 ? ENVELOPE_BYTES + 10 : sizeof frame;
    rig_receive(rig, (struct text){frame, length});
}

// A broker's answer: the actor that had it is gone.
static void rig_lost(struct rig *rig) {
    uint32_t id = fuzz_byte(&rig->input);
    uint8_t choice = fuzz_byte(&rig->input);
    static const char name[] = "query-1";
    const struct envelope envelope = {
        .version = ENVELOPE_VERSION,
        .kind = KIND_REPLY,
        .operation = choice & 1 ? STATUS_LOST : STATUS_UNAVAILABLE,
        .attempt = choice >> 1 & 3,
        .session = SESSION,
        .correlation = id < rig->count ? rig->correlations[id] : id,
    };
    const struct reply_block block = {
        .version = choice >> 3 & 3,
        .flags = (choice & 32 ? REPLY_BROKERS_OWN : REPLY_ACTOR_LOST) |
                 (choice & 64 ? REPLY_ACTOR_HUNG : 0),
    };
    char frame[REPLY_HEAD_BYTES + sizeof name];
    reply_head_write(&envelope, &block, sizeof name, frame);
    memcpy(frame + REPLY_HEAD_BYTES, name, sizeof name);
    rig_receive(rig, (struct text){frame, sizeof frame});
}

static void rig_bare(struct rig *rig) {
    const struct envelope envelope = {
        .version = ENVELOPE_VERSION,
        .kind = fuzz_byte(&rig->input) % (KIND_REHELLO + 2),
        .operation = fuzz_byte(&rig->input),
    };
    char frame[CONTROL_BYTES_MAX] = {0};
    envelope_write(&envelope, frame);
    uint32_t length = envelope.kind == KIND_REFUSAL ? fuzz_refusal(&rig->input, frame)
                                                    : ENVELOPE_BYTES + fuzz_byte(&rig->input) % 64;
    rig_receive(rig, (struct text){frame, length});
}

static void rig_raw(struct rig *rig) {
    rig_receive(rig, fuzz_text(&rig->input, fuzz_short(&rig->input) % 4096));
}

// --- the run -----------------------------------------------------------------------------------

static void rig_wait(struct rig *rig, uint64_t wait_ms) {
    uint64_t end_us = rig->now_us + wait_ms * 1000;
    uint64_t next_us;
    while ((next_us = requester_next_us(rig->requester)) <= end_us) {
        rig->now_us = MAX(rig->now_us, next_us);
        requester_tick(rig->requester, rig->now_us);
    }
    rig->now_us = end_us;
}

static void rig_cancel(struct rig *rig) {
    uint32_t id = fuzz_byte(&rig->input);
    uint64_t correlation = id < rig->count ? rig->correlations[id] : id;
    if (id < rig->count && rig->asked[id] == ASKED)
        rig->asked[id] = CANCELLED;
    requester_cancel(rig->requester, correlation);
}

static void rig_tell(struct rig *rig) {
    const struct uuid channel = {{fuzz_byte(&rig->input)}};
    uint8_t choice = fuzz_byte(&rig->input);
    if (choice % 3 == 0)
        requester_subscribe(rig->requester, &channel, 1);
    else if (choice % 3 == 1)
        requester_unsubscribe(rig->requester, &channel, 1);
    else
        (void)requester_publish(rig->requester, choice, channel, TEXT("event"), choice & 0x80);
}

static void rig_act(struct rig *rig) {
    uint8_t action = fuzz_byte(&rig->input) % 16;
    switch (action) {
    case 0:
        requester_connected(rig->requester, fuzz_byte(&rig->input) % BROKERS, rig->now_us);
        break;
    case 1:
        requester_disconnected(rig->requester, fuzz_byte(&rig->input) % BROKERS, rig->now_us);
        break;
    case 2:
        rig_beat(rig);
        break;
    case 3:
        rig_reply(rig);
        break;
    case 4:
        rig_bare(rig);
        break;
    case 5:
        rig_raw(rig);
        break;
    case 6:
        rig_wait(rig, fuzz_byte(&rig->input));
        break;
    case 7: // the process stands still
        rig->now_us += fuzz_short(&rig->input) * 100;
        break;
    case 8:
        rig_cancel(rig);
        break;
    case 9:
        rig->broken = fuzz_byte(&rig->input);
        break;
    case 10:
        rig_tell(rig);
        break;
    case 11:
        rig->asks_on = fuzz_byte(&rig->input) & 1;
        break;
    case 12:
        if (fuzz_byte(&rig->input) == 1) // else it would happen in every input
            requester_drain(rig->requester, rig->now_us);
        break;
    case 13:
        requester_retire(rig->requester, fuzz_byte(&rig->input) % BROKERS, rig->now_us);
        break;
    case 14:
        rig_lost(rig);
        break;
    default:
        rig_ask(rig);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct rig rig;
    rig = (struct rig){.input = {data, size}, .now_us = 10000000};
    const struct requester_port port = {.context = &rig,
                                        .send = rig_send,
                                        .redial = rig_redial,
                                        .answer = rig_answer,
                                        .event = rig_event,
                                        .poison = rig_poison,
                                        .refused = rig_refused};
    const struct requester_options options = {
        .name = "edge", .role = ROLE_EDGE, .session = SESSION, .broker_count = BROKERS};
    rig.requester = requester_new(&options, &port, rig.now_us);
    for (uint32_t i = 0; i < ACTIONS_MAX && rig.input.left > 0; i++)
        rig_act(&rig);
    rig.asks_on = false;
    rig_wait(&rig, LONG_MS);
    for (uint32_t i = 0; i < rig.count; i++)
        ASSERT(rig.asked[i] != ASKED);
    struct requester_counters counters;
    requester_count(rig.requester, &counters);
    ASSERT(counters.in_flight == 0 && counters.bytes == 0 && counters.waiting == 0);
    rig.requester = requester_free(rig.requester);
    return 0;
}
