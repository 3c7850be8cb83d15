// SPDX-License-Identifier: Apache-2.0
// See dial.h.
#include "dial.h"

void dial_init(struct dial *dial, const char *name, uint32_t count, uint64_t now_us) {
    ASSERT(count >= 1 && count <= BROKERS_MAX);
    ASSERT(dial->hello.instance != 0);
    dial->count = count;
    size_t length = MIN(strlen(name), (size_t)PEER_NAME_BYTES - 1);
    memcpy(dial->hello.name, name, length);
    dial->hello.speaks = (struct wire_range){WIRE_OLDEST, WIRE_NEWEST};
    for (uint32_t i = 0; i < count; i++)
        link_init(&dial->ends[i].link, now_us);
}

void dial_send(struct dial *dial, uint32_t broker, struct text head, struct text body) {
    if (!dial->send(dial->context, broker, head, body))
        dial->ends[broker].broken = true;
}

static void dial_send_hello(struct dial *dial, uint32_t broker) {
    char frame[CONTROL_BYTES_MAX];
    struct beat beat = {0};
    dial->fill(dial->owner, broker, &beat);
    dial->hello.credit = beat.limit[0];
    dial->hello.nonce = dial->ends[broker].link.nonce;
    uint32_t length = control_write_hello(&dial->hello, frame);
    dial_send(dial, broker, (struct text){frame, length}, TEXT(""));
}

void dial_send_beat(struct dial *dial, uint32_t broker, uint8_t kind, uint64_t now_us) {
    struct dial_end *end = &dial->ends[broker];
    struct beat beat = {.event_bytes = end->event_bytes};
    dial->fill(dial->owner, broker, &beat);
    link_stamp_beat(&end->link, &beat, now_us);
    end->event_bytes_told = end->event_bytes;
    char frame[CONTROL_BYTES_MAX];
    uint32_t length = control_write_beat(kind, &beat, frame);
    dial_send(dial, broker, (struct text){frame, length}, TEXT(""));
}

void dial_send_bare(struct dial *dial, uint32_t broker, uint8_t kind) {
    char frame[ENVELOPE_BYTES];
    uint32_t length = control_write_bare(kind, frame);
    dial_send(dial, broker, (struct text){frame, length}, TEXT(""));
}

bool dial_publish(struct dial *dial, uint16_t operation, struct uuid channel, struct text body,
                  bool all_brokers) {
    const struct envelope envelope = {
        .version = ENVELOPE_VERSION,
        .kind = KIND_EVENT,
        .operation = operation,
        .lane = LANE_BULK,
        .tenant = channel,
        .session = dial->hello.instance,
    };
    char head[ENVELOPE_BYTES];
    envelope_write(&envelope, head);
    bool sent = false;
    for (uint32_t broker = 0; broker < dial->count && (all_brokers || !sent); broker++) {
        const struct dial_end *end = &dial->ends[broker];
        if (!link_is_open(&end->link) || end->broken)
            continue;
        dial_send(dial, broker, (struct text){head, ENVELOPE_BYTES}, body);
        sent |= !end->broken;
    }
    return sent;
}

void dial_send_channels(struct dial *dial, uint8_t kind, const struct uuid *channels,
                        uint32_t count) {
    char frame[CONTROL_BYTES_MAX];
    uint32_t length = control_write_channels(kind, channels, count, frame);
    for (uint32_t broker = 0; broker < dial->count; broker++) {
        if (link_is_open(&dial->ends[broker].link))
            dial_send(dial, broker, (struct text){frame, length}, TEXT(""));
    }
}

void dial_count_event(struct dial *dial, uint32_t broker, uint32_t length, uint64_t now_us) {
    struct dial_end *end = &dial->ends[broker];
    end->event_bytes += length;
    if (end->event_bytes - end->event_bytes_told > EVENT_WINDOW_BYTES / 4)
        dial_send_beat(dial, broker, KIND_CREDIT, now_us);
}

static void dial_tell_refusal(struct dial *dial, uint32_t broker, struct text body,
                              uint64_t now_us) {
    struct dial_end *end = &dial->ends[broker];
    struct refusal refusal;
    if (dial->refused == NULL || end->link.state != LINK_GREETING ||
        (end->refused_us != 0 && now_us - end->refused_us < REFUSED_TOLD_MS * 1000ULL) ||
        !control_read_refusal(body, &refusal))
        return;
    end->refused_us = now_us;
    dial->refused(dial->context, broker, &refusal);
}

enum link_change dial_receive(struct dial *dial, uint32_t broker, const struct envelope *envelope,
                              struct text body, uint64_t now_us, struct beat *ret_beat,
                              bool *ret_has_beat) {
    struct link *link = &dial->ends[broker].link;
    if (envelope->kind == KIND_REFUSAL)
        dial_tell_refusal(dial, broker, body, now_us);
    bool parts = envelope->kind == KIND_GOODBYE && link->state != LINK_DOWN;
    enum link_change change = link_receive(link, envelope, body, now_us, ret_beat, ret_has_beat);
    if (parts)
        dial->redial(dial->context, broker);
    return change;
}

bool dial_is_due(const struct dial *dial, uint32_t broker, uint64_t now_us) {
    const struct dial_end *end = &dial->ends[broker];
    return end->broken || now_us >= link_next_us(&end->link);
}

enum link_change dial_run(struct dial *dial, uint32_t broker, uint64_t now_us) {
    struct dial_end *end = &dial->ends[broker];
    if (end->broken) {
        end->broken = false;
        return link_disconnected(&end->link);
    }
    bool due;
    enum link_change change = link_tick(&end->link, now_us, &due);
    if (change == LINK_SILENT)
        dial->redial(dial->context, broker);
    if (!due || dial->closed)
        return change;
    if (end->link.state == LINK_GREETING)
        dial_send_hello(dial, broker);
    else
        dial_send_beat(dial, broker, KIND_HEARTBEAT, now_us);
    return change;
}

bool dial_retire(struct dial *dial, uint32_t broker) {
    struct dial_end *end = &dial->ends[broker];
    end->retiring = link_is_open(&end->link) && !end->broken;
    (void)link_retire(&end->link); // it may be leaving already
    return end->retiring;
}

enum link_change dial_part(struct dial *dial, uint32_t broker) {
    struct dial_end *end = &dial->ends[broker];
    end->retiring = false;
    if (!link_is_open(&end->link))
        return LINK_UNCHANGED;
    dial_send_bare(dial, broker, KIND_GOODBYE);
    end->broken = false;
    dial->redial(dial->context, broker);
    return link_disconnected(&end->link);
}

uint64_t dial_next_us(const struct dial *dial) {
    uint64_t next_us = UINT64_MAX;
    for (uint32_t broker = 0; broker < dial->count; broker++) {
        const struct dial_end *end = &dial->ends[broker];
        next_us = MIN(next_us, end->broken ? 0 : link_next_us(&end->link));
    }
    return next_us;
}

void dial_close(struct dial *dial) {
    for (uint32_t broker = 0; broker < dial->count; broker++) {
        if (link_is_open(&dial->ends[broker].link))
            dial_send_bare(dial, broker, KIND_GOODBYE);
        (void)link_disconnected(&dial->ends[broker].link); // nothing is under way any more
        dial->ends[broker].broken = false;
    }
    dial->closed = true;
}

uint32_t dial_open_count(const struct dial *dial) {
    uint32_t open = 0;
    for (uint32_t broker = 0; broker < dial->count; broker++)
        open += link_is_open(&dial->ends[broker].link);
    return open;
}

bool dial_is_alone(const struct dial *dial, uint32_t broker) {
    bool alone = true;
    for (uint32_t other = 0; other < dial->count; other++)
        alone &= other == broker || dial->ends[other].link.state != LINK_UP;
    return alone;
}
