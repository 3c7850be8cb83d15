// SPDX-License-Identifier: Apache-2.0
// The grants, deliveries and replies of an actor; see responder.h.
#include "responder.h"

#include "dial.h"

struct grant {
    uint64_t received; // requests on this connection, those lost under way included
    uint32_t in_hand; // delivered by this broker and unanswered, whatever became of it
    uint64_t lost_us; // when its connection was last lost
    uint64_t told_us; // when it was last asked to send no more; 0: not yet
    bool quiet; // it has confirmed that
    bool connected; // and not greeted yet, because the owner was not ready
};

struct responder {
    struct responder_port port;
    struct dial dial;
    struct grant grants[BROKERS_MAX]; // beside dial.ends
    struct responder_counters counters;
    uint32_t window;
    uint64_t stale_before_us; // see responder_is_stale
    uint64_t ran_us;
    uint64_t begun_us;
    bool greets; // the owner has been ready
    bool draining;
    bool drained;
};

// So old are the frames that are read now that their broker may have told the edge that they are
// lost.
static bool responder_is_behind(const struct responder *responder, uint32_t broker) {
    return link_age_us(&responder->dial.ends[broker].link) >= SUSPECT_MS * 1000ULL;
}

static uint64_t responder_limit(const struct responder *responder, uint32_t broker) {
    const struct grant *grant = &responder->grants[broker];
    // What would be refused is not asked for: a fast refusal looks like an idle actor.
    bool closed = responder->draining || responder->dial.ends[broker].retiring ||
                  responder_is_behind(responder, broker);
    uint64_t window = closed ? 0 : responder->window;
    uint64_t limit = grant->received + window;
    return limit > grant->in_hand ? limit - grant->in_hand : 0;
}

static void responder_fill_beat(void *owner, uint32_t broker, struct beat *beat) {
    beat->limit[0] = responder_limit(owner, broker);
}

struct responder *responder_new(const struct responder_options *options,
                                const struct responder_port *port, uint64_t now_us) {
    ASSERT(options->operation_count <= SERVED_MAX);
    struct responder *responder = calloc(1, sizeof *responder);
    ASSERT(responder != NULL);
    responder->port = *port;
    responder->window = options->window;
    responder->ran_us = responder->begun_us = now_us;
    responder->greets = port->ready == NULL;
    responder->dial = (struct dial){
        .context = port->context,
        .send = port->send,
        .redial = port->redial,
        .refused = port->refused,
        .owner = responder,
        .fill = responder_fill_beat,
        .hello = {.role = (uint8_t)options->role,
                  .instance = options->instance,
                  .process = options->process,
                  .window = options->window,
                  .operation_count = options->operation_count},
    };
    memcpy(responder->dial.hello.operations, options->operations,
           options->operation_count * sizeof options->operations[0]);
    dial_init(&responder->dial, options->name, options->broker_count, now_us);
    return responder;
}

struct responder *responder_free(struct responder *responder) {
    free(responder);
    return NULL;
}

// Notices that this process stood still: what it had in hand may have been given to others.
static void responder_run(struct responder *responder, uint64_t now_us) {
    if (now_us - responder->ran_us >= SUSPECT_MS * 1000ULL)
        responder->stale_before_us = now_us;
    responder->ran_us = now_us;
}

// The owner may ask before anything else has told the responder what time it is.
bool responder_is_stale(const struct responder *responder, const struct return_address *address,
                        uint64_t now_us) {
    return now_us - responder->ran_us >= SUSPECT_MS * 1000ULL ||
           address->received_us < responder->stale_before_us ||
           address->received_us < responder->grants[address->broker].lost_us;
}

static void responder_apply_change(struct responder *responder, uint32_t broker,
                                   enum link_change change) {
    struct grant *grant = &responder->grants[broker];
    switch (change) {
    case LINK_OPENED:
        grant->told_us = 0;
        grant->quiet = false;
        responder->dial.ends[broker].event_bytes = 0;
        responder->dial.ends[broker].event_bytes_told = 0;
        if (responder->port.welcomed != NULL)
            responder->port.welcomed(responder->port.context, broker,
                                     dial_is_alone(&responder->dial, broker));
        return;
    case LINK_LOST:
    case LINK_SILENT:
        grant->received = 0; // the next hello counts from there
        grant->lost_us = responder->ran_us;
        responder->counters.links_lost++;
        return;
    case LINK_UNCHANGED:
    case LINK_DOUBTED:
    case LINK_TRUSTED:
    case LINK_RETIRED:
        return;
    }
}

// Asks every open broker that is to be left for quiet, again with each heartbeat; true when all
// have confirmed.
static bool responder_ask_quiet(struct responder *responder, uint64_t now_us) {
    bool quiet = true;
    for (uint32_t broker = 0; broker < responder->dial.count; broker++) {
        struct grant *grant = &responder->grants[broker];
        const struct dial_end *end = &responder->dial.ends[broker];
        if (!link_is_open(&end->link) || !(responder->draining || end->retiring))
            continue;
        if (!grant->quiet && now_us >= grant->told_us + HEARTBEAT_MS * 1000ULL) {
            dial_send_bare(&responder->dial, broker, KIND_DRAIN);
            grant->told_us = now_us;
        }
        quiet &= grant->quiet;
    }
    return quiet;
}

// Work that comes before the owner can do it would wait here while others could have done it.
static void responder_look_whether_ready(struct responder *responder, uint64_t now_us) {
    if (responder->greets || responder->drained)
        return;
    responder->greets = responder->port.ready(responder->port.context) ||
                        now_us - responder->begun_us >= GREET_MS_MAX * 1000ULL;
    for (uint32_t broker = 0; broker < responder->dial.count && responder->greets; broker++) {
        if (responder->grants[broker].connected)
            link_connected(&responder->dial.ends[broker].link, now_us);
    }
}

static void responder_settle(struct responder *responder, uint64_t now_us) {
    struct dial *dial = &responder->dial;
    responder_look_whether_ready(responder, now_us);
    for (uint32_t broker = 0; broker < dial->count; broker++) {
        while (dial_is_due(dial, broker, now_us))
            responder_apply_change(responder, broker, dial_run(dial, broker, now_us));
    }
    bool quiet = responder_ask_quiet(responder, now_us);
    for (uint32_t broker = 0; broker < dial->count; broker++) {
        const struct grant *grant = &responder->grants[broker];
        if (dial->ends[broker].retiring && grant->quiet && grant->in_hand == 0)
            responder_apply_change(responder, broker, dial_part(dial, broker));
    }
    if (!responder->draining || responder->drained)
        return;
    if (quiet && responder->counters.in_hand == 0) {
        dial_close(dial);
        responder->drained = true;
    }
}

void responder_connected(struct responder *responder, uint32_t broker, uint64_t now_us) {
    responder_run(responder, now_us);
    struct dial_end *end = &responder->dial.ends[broker];
    end->broken = false;
    responder_apply_change(responder, broker, link_disconnected(&end->link));
    responder->grants[broker].connected = !responder->greets;
    if (responder->greets && !responder->drained)
        link_connected(&end->link, now_us);
    responder_settle(responder, now_us);
}

void responder_disconnected(struct responder *responder, uint32_t broker, uint64_t now_us) {
    responder_run(responder, now_us);
    struct dial_end *end = &responder->dial.ends[broker];
    end->broken = false;
    responder->grants[broker].connected = false;
    responder_apply_change(responder, broker, link_disconnected(&end->link));
    responder_settle(responder, now_us);
}

// --- receiving ---------------------------------------------------------------------------------

struct return_address responder_return_address(const struct delivery *delivery) {
    return (struct return_address){
        .session = delivery->envelope.session,
        .correlation = delivery->envelope.correlation,
        .tenant = delivery->envelope.tenant,
        .received_us = delivery->received_us,
        .flags = delivery->envelope.flags,
        .lane = delivery->envelope.lane,
        .attempt = delivery->envelope.attempt,
        .broker = delivery->broker,
    };
}

static void responder_receive_request(struct responder *responder, uint32_t broker,
                                      const struct envelope *envelope, struct text body,
                                      uint64_t now_us) {
    const struct link *link = &responder->dial.ends[broker].link;
    struct grant *grant = &responder->grants[broker];
    // Of an earlier connection: its sender has been told that it is lost.
    if (!link_is_open(link))
        return;
    bool behind = responder_is_behind(responder, broker);
    if (!behind && grant->received >= responder_limit(responder, broker))
        responder->counters.overdrawn++;
    grant->received++;
    grant->in_hand++;
    responder->counters.in_hand++;
    responder->counters.deliveries++;
    uint64_t age_us = link_age_us(link);
    uint64_t left_us = envelope->budget_us > age_us ? envelope->budget_us - age_us : 0;
    const struct delivery delivery = {
        .envelope = *envelope,
        .body = body,
        .received_us = now_us,
        .deadline_us = now_us + left_us,
        .broker = (uint8_t)broker,
    };
    if (left_us > 0 && !behind) {
        responder->port.deliver(responder->port.context, &delivery);
        return;
    }
    responder->counters.expired++;
    const struct return_address address = responder_return_address(&delivery);
    responder_reply(responder, &address, behind ? STATUS_UNAVAILABLE : STATUS_EXPIRED, 0,
                    &(struct reply_block){0}, TEXT(""));
}

void responder_receive(struct responder *responder, uint32_t broker, struct text frame,
                       uint64_t now_us) {
    responder_run(responder, now_us);
    struct dial_end *end = &responder->dial.ends[broker];
    struct envelope envelope;
    if (!envelope_read(frame, &envelope)) {
        responder->counters.malformed++;
        return;
    }
    struct text body = {frame.bytes + ENVELOPE_BYTES, frame.length - ENVELOPE_BYTES};
    struct beat beat;
    bool has_beat;
    bool behind = responder_is_behind(responder, broker);
    enum link_change change =
        dial_receive(&responder->dial, broker, &envelope, body, now_us, &beat, &has_beat);
    responder_apply_change(responder, broker, change);
    if (has_beat) { // what was lost under way is not owed for ever
        responder->grants[broker].received = beat.sent[0];
        end->event_bytes = beat.event_bytes;
        if (behind && !responder_is_behind(responder, broker))
            dial_send_beat(&responder->dial, broker, KIND_CREDIT, now_us);
    }
    switch (envelope.kind) {
    case KIND_REQUEST:
        responder_receive_request(responder, broker, &envelope, body, now_us);
        break;
    case KIND_CANCEL:
        responder->counters.cancels++;
        if (responder->port.cancel != NULL)
            responder->port.cancel(responder->port.context, envelope.session, envelope.correlation);
        break;
    case KIND_DRAIN:
        responder->grants[broker].quiet = true;
        break;
    case KIND_EVENT:
    case KIND_GAP:
        responder->counters.events++;
        if (responder->port.event != NULL)
            responder->port.event(responder->port.context, &envelope, body);
        dial_count_event(&responder->dial, broker, frame.length, now_us);
        break;
    default:
        break;
    }
    responder_settle(responder, now_us);
}

// --- replying ----------------------------------------------------------------------------------

// The broker that delivered, else any other that is open; dial.count when there is none.
static uint32_t responder_choose_broker(const struct responder *responder, uint32_t preferred) {
    const struct dial *dial = &responder->dial;
    if (link_is_open(&dial->ends[preferred].link) && !dial->ends[preferred].broken)
        return preferred;
    uint32_t broker = 0;
    while (broker < dial->count &&
           (!link_is_open(&dial->ends[broker].link) || dial->ends[broker].broken))
        broker++;
    return broker;
}

void responder_reply(struct responder *responder, const struct return_address *address,
                     enum status status, uint32_t retry_after_us, const struct reply_block *block,
                     struct text body) {
    struct grant *grant = &responder->grants[address->broker];
    ASSERT(grant->in_hand > 0);
    grant->in_hand--;
    responder->counters.in_hand--;
    struct envelope envelope = {
        .version = ENVELOPE_VERSION,
        .kind = KIND_REPLY,
        .flags = address->flags,
        .operation = (uint16_t)status,
        .lane = address->lane,
        .attempt = address->attempt,
        .budget_us = retry_after_us,
        .tenant = address->tenant,
        .session = address->session,
        .correlation = address->correlation,
    };
    uint32_t broker = responder_choose_broker(responder, address->broker);
    if (broker == responder->dial.count) {
        responder->counters.replies_dropped++;
        return;
    }
    char head[REPLY_HEAD_BYTES];
    reply_head_write(&envelope, block, body.length, head);
    envelope_set_credit(head, responder_limit(responder, broker));
    responder->counters.replies++;
    responder->counters.replies_elsewhere += broker != address->broker;
    dial_send(&responder->dial, broker, (struct text){head, REPLY_HEAD_BYTES}, body);
}

// --- the rest ----------------------------------------------------------------------------------

void responder_tick(struct responder *responder, uint64_t now_us) {
    responder_run(responder, now_us);
    responder_settle(responder, now_us);
}

uint64_t responder_next_us(const struct responder *responder) {
    bool drains = responder->draining && responder->counters.in_hand == 0;
    if (!responder->drained && (drains || !responder->greets))
        return MIN(responder->ran_us + 1000, dial_next_us(&responder->dial));
    return dial_next_us(&responder->dial);
}

bool responder_publish(struct responder *responder, uint16_t operation, struct uuid channel,
                       struct text body, bool all_brokers) {
    return dial_publish(&responder->dial, operation, channel, body, all_brokers);
}

void responder_retire(struct responder *responder, uint32_t broker, uint64_t now_us) {
    if (dial_retire(&responder->dial, broker))
        responder_settle(responder, now_us);
}

enum link_state responder_link(const struct responder *responder, uint32_t broker) {
    return (enum link_state)responder->dial.ends[broker].link.state;
}

void responder_drain(struct responder *responder, uint64_t now_us) {
    responder->draining = true;
    responder_settle(responder, now_us);
}

bool responder_drained(const struct responder *responder) {
    return responder->drained;
}

uint32_t responder_links(const struct responder *responder) {
    return dial_open_count(&responder->dial);
}

void responder_count(const struct responder *responder, struct responder_counters *ret_counters) {
    *ret_counters = responder->counters;
    ret_counters->links_up = dial_open_count(&responder->dial);
}
