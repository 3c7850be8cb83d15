// SPDX-License-Identifier: Apache-2.0
// The life of a request at its edge; see requester.h. Most public calls end with requester_settle,
// so that a connection found broken inside a callback is dealt with outside of it.
#include "bytes.h"
#include "number_mix.h"
#include "requester_state.h"

enum {
    NO_BROKER = 0xff,
    READS_APART = 1024, // a broker with so many more unanswered reads is busier than another; a
                        // flood is refused before, by the one that has measured it
};

static void requester_fill_beat(void *owner, uint32_t broker, struct beat *beat) {
    const struct requester *requester = owner;
    memcpy(beat->sent, requester->ends[broker].sent, sizeof beat->sent);
}

struct requester *requester_new(const struct requester_options *options,
                                const struct requester_port *port, uint64_t now_us) {
    struct requester *requester = calloc(1, sizeof *requester);
    ASSERT(requester != NULL);
    requester->port = *port;
    requester->dial = (struct dial){
        .context = port->context,
        .send = port->send,
        .redial = port->redial,
        .refused = port->refused,
        .owner = requester,
        .fill = requester_fill_beat,
        .hello = {.role = (uint8_t)options->role,
                  .instance = options->session,
                  .process = options->process},
    };
    dial_init(&requester->dial, options->name, options->broker_count, now_us);
    request_table_init(&requester->table, now_us);
    return requester;
}

struct requester *requester_free(struct requester *requester) {
    if (requester == NULL)
        return NULL;
    request_table_deinit(&requester->table);
    free(requester);
    return NULL;
}

// --- answers -----------------------------------------------------------------------------------

static void requester_answer(struct requester *requester, struct pending *pending,
                             struct answer *answer) {
    void *request = pending->request;
    answer->sent_us = pending->first_sent_us;
    answer->sends = pending->sends;
    if (answer->status == STATUS_EXPIRED) {
        requester->counters.expired++;
        answer->status = pending->read_only ? STATUS_EXPIRED_READ : STATUS_EXPIRED;
    }
    request_table_give(&requester->table, pending);
    requester->counters.answers++;
    requester->port.answer(requester->port.context, request, answer);
}

// Ends a request with one of the edge's own answers. "Nothing was done" is said only where it is
// known.
static void requester_refuse(struct requester *requester, struct pending *pending,
                             enum status status) {
    bool denies = status == STATUS_BUSY || status == STATUS_UNAVAILABLE;
    if (denies && pending->maybe_done && !pending->read_only)
        status = STATUS_LOST;
    if (status == STATUS_LOST && pending->read_only)
        status = STATUS_UNAVAILABLE; // a read has no outcome to be in doubt about
    if (status == STATUS_POISON && pending->read_only)
        status = STATUS_POISON_READ;
    struct answer answer = {
        .status = status, .retry_after_us = RETRY_AFTER_S * 1000000U, .body = TEXT("")};
    requester_answer(requester, pending, &answer);
}

// --- sending -----------------------------------------------------------------------------------

// Higher is better; 0: cannot take it now.
static uint64_t requester_rate_broker(const struct requester *requester,
                                      const struct pending *pending, uint32_t broker) {
    const struct broker_end *end = &requester->ends[broker];
    const struct dial_end *dialed = &requester->dial.ends[broker];
    if (!link_takes_work(&dialed->link) || dialed->broken ||
        end->sent[pending->lane] >= end->limit[pending->lane])
        return 0;
    // One that has none for it, or leaves, does so for the next attempt, too. One that has just
    // started may not have met the actors yet.
    bool refused = (pending->refused & 1U << broker) != 0;
    uint64_t rank = (refused ? 0U : 2U) + (end->served > 0 ? 1U : 0U);
    uint64_t choice;
    if (pending->suspect) { // through the same for all edges, which then knows of all suspects
        choice = BROKERS_MAX - broker;
    } else if (pending->read_only) { // through the edge's own broker, so that wake-ups carry many
                                     // frames
        uint64_t load = requester->table.counts[LIST_SENT + broker] / READS_APART;
        uint64_t home = number_mix(requester->dial.hello.instance ^ number_mix(broker + 1)) >> 32;
        choice = (UINT16_MAX - load) << 32 | home;
    } else { // a tenant's commands through one broker, while it lives
        choice = number_mix(bytes_get_u64(pending->tenant.bytes) ^
                            bytes_get_u64(pending->tenant.bytes + 8) ^ number_mix(broker + 1)) >>
                 8;
    }
    return (rank + 1) << 60 | choice;
}

static uint32_t requester_choose_broker(const struct requester *requester,
                                        const struct pending *pending) {
    uint64_t best = 0;
    uint32_t chosen = NO_BROKER;
    for (uint32_t broker = 0; broker < requester->dial.count; broker++) {
        uint64_t rating = requester_rate_broker(requester, pending, broker);
        if (rating > best) {
            best = rating;
            chosen = broker;
        }
    }
    return chosen;
}

static void requester_send_request(struct requester *requester, struct pending *pending,
                                   uint32_t broker, uint64_t now_us) {
    struct broker_end *end = &requester->ends[broker];
    if (pending->suspect && pending->sends + 1 == ATTEMPTS_MAX) // so that it can be judged
        envelope_set_flags(pending->frame,
                           pending_envelope(pending).flags & (uint16_t)~FLAG_GROUPED);
    // When the edge gives a command up, nobody may begin it any more: the others get less time.
    uint64_t margin_us = pending->read_only ? 0 : BUDGET_MARGIN_MS * 1000ULL;
    uint64_t left_us = pending->deadline_us - MIN(now_us + margin_us, pending->deadline_us);
    envelope_set_budget(pending->frame, (uint32_t)left_us);
    envelope_set_attempt(pending->frame, pending->sends);
    if (pending->first_sent_us == 0)
        pending->first_sent_us = now_us;
    requester->counters.resends += pending->sends > 0;
    pending->sends++;
    pending->broker = (uint8_t)broker;
    end->sent[pending->lane]++;
    request_table_move(&requester->table, pending, LIST_SENT + broker);
    dial_send(&requester->dial, broker, (struct text){pending->frame, pending->length}, TEXT(""));
}

static void requester_place(struct requester *requester, struct pending *pending, uint64_t now_us) {
    uint32_t list = LIST_HELD + pending->lane;
    uint32_t broker = requester_choose_broker(requester, pending);
    // Those that already wait for credit in this lane go first.
    if (broker != NO_BROKER && request_table_first(&requester->table, list) == NULL) {
        requester_send_request(requester, pending, broker, now_us);
        return;
    }
    requester->counters.held++;
    pending->held_until_us = now_us + CREDIT_HOLD_MS * 1000ULL;
    request_table_move(&requester->table, pending, list);
}

static void requester_release_held(struct requester *requester, uint64_t now_us) {
    for (uint32_t lane = 0; lane < LANE_COUNT; lane++) {
        struct pending *pending;
        while ((pending = request_table_first(&requester->table, LIST_HELD + lane)) != NULL) {
            uint32_t broker = requester_choose_broker(requester, pending);
            if (broker == NO_BROKER)
                break;
            requester_send_request(requester, pending, broker, now_us);
        }
    }
}

// After a failure of the machinery; `failure` stands if it cannot be sent again.
static void requester_retry(struct requester *requester, struct pending *pending,
                            enum status failure, uint64_t now_us) {
    if (now_us >= pending->deadline_us)
        requester_refuse(requester, pending, STATUS_EXPIRED);
    else if (pending->sends >= ATTEMPTS_MAX)
        requester_refuse(requester, pending, failure);
    else
        requester_place(requester, pending, now_us);
}

enum status requester_request(struct requester *requester, const struct outgoing *outgoing,
                              uint64_t now_us, uint64_t *ret_correlation) {
    const struct operation *operation = outgoing->operation;
    const struct demand demand = {outgoing->tenant, operation->number, outgoing->body};
    if (outgoing->body.length > FRAME_BYTES_MAX - ENVELOPE_BYTES)
        return STATUS_TOO_LARGE;
    uint64_t budget_us = operation->budget_ms * 1000ULL;
    bool read_only = operation->kind == OPERATION_QUERY;
    enum quarantine_state state =
        quarantine_ask(&requester->quarantine, &demand, now_us, outgoing->ret_held_us);
    if (state == QUARANTINE_HELD) {
        requester->counters.quarantined++;
        return STATUS_QUARANTINED;
    }
    uint32_t length = ENVELOPE_BYTES + outgoing->body.length;
    struct pending *pending =
        requester->draining ? NULL
                            : request_table_take(&requester->table, length, now_us + budget_us);
    if (pending == NULL) {
        requester->counters.refused++;
        return STATUS_BUSY;
    }
    pending->request = outgoing->request;
    pending->tenant = outgoing->tenant;
    pending->lane = operation->lane;
    pending->read_only = read_only;
    pending->suspect = state == QUARANTINE_TRIAL;
    if (pending->suspect)
        quarantine_try(&requester->quarantine, &demand, now_us + budget_us);
    pending_write(requester, pending, outgoing);
    requester->counters.requests++;
    *ret_correlation = pending->correlation;
    requester_place(requester, pending, now_us);
    return STATUS_OK;
}

// Tells the broker that nobody waits any more.
static void requester_tell_cancel(struct requester *requester, const struct pending *pending) {
    if (pending->list < LIST_SENT || pending->list >= LIST_ORPHANS ||
        !link_is_open(&requester->dial.ends[pending->broker].link))
        return;
    struct envelope envelope = pending_envelope(pending);
    envelope.kind = KIND_CANCEL;
    char frame[ENVELOPE_BYTES];
    envelope_write(&envelope, frame);
    dial_send(&requester->dial, pending->broker, (struct text){frame, ENVELOPE_BYTES}, TEXT(""));
}

// A drain that this ends is noticed at the next tick, which is due at once.
void requester_cancel(struct requester *requester, uint64_t correlation) {
    struct pending *pending = request_table_find(&requester->table, correlation);
    if (pending == NULL)
        return;
    requester->counters.cancels++;
    requester_tell_cancel(requester, pending);
    request_table_give(&requester->table, pending);
}

// --- links -------------------------------------------------------------------------------------

static void requester_lose_link(struct requester *requester, uint32_t broker, uint64_t now_us) {
    struct broker_end *end = &requester->ends[broker];
    requester->counters.links_lost++;
    memset(end->limit, 0, sizeof end->limit);
    memset(end->sent, 0, sizeof end->sent);
    end->served = 0;
    end->roles = 0;
    // Two passes: an answer given here may bring new requests, which must not be taken for lost.
    struct pending *pending;
    while ((pending = request_table_first(&requester->table, LIST_SENT + broker)) != NULL)
        request_table_move(&requester->table, pending, LIST_ORPHANS);
    while ((pending = request_table_first(&requester->table, LIST_ORPHANS)) != NULL) {
        pending->maybe_done = true;
        requester_retry(requester, pending, STATUS_LOST, now_us);
    }
}

// The broker is silent: reads are asked elsewhere, if there is an elsewhere.
static void requester_doubt_link(struct requester *requester, uint32_t broker, uint64_t now_us) {
    uint32_t left = requester->table.counts[LIST_SENT + broker];
    for (; left > 0; left--) {
        struct pending *pending = request_table_first(&requester->table, LIST_SENT + broker);
        if (pending == NULL)
            return;
        uint32_t other = NO_BROKER;
        if (pending->read_only && pending->sends < ATTEMPTS_MAX && now_us < pending->deadline_us)
            other = requester_choose_broker(requester, pending); // not the silent one
        if (other != NO_BROKER)
            requester_send_request(requester, pending, other, now_us);
        else
            request_table_move(&requester->table, pending, LIST_SENT + broker);
    }
}

static void requester_apply_beat(struct requester *requester, uint32_t broker,
                                 const struct beat *beat, uint64_t now_us) {
    struct broker_end *end = &requester->ends[broker];
    memcpy(end->limit, beat->limit, sizeof end->limit);
    // What was lost under way is not owed for ever.
    requester->dial.ends[broker].event_bytes = beat->event_bytes;
    end->served = beat->served;
    end->roles = beat->roles;
    requester_release_held(requester, now_us);
}

static void requester_apply_change(struct requester *requester, uint32_t broker,
                                   enum link_change change, uint64_t now_us) {
    struct broker_end *end = &requester->ends[broker];
    switch (change) {
    case LINK_UNCHANGED:
    case LINK_RETIRED:
        return;
    case LINK_OPENED:
        memset(end->sent, 0, sizeof end->sent);
        requester->dial.ends[broker].event_bytes_told = 0;
        if (requester->port.welcomed != NULL)
            requester->port.welcomed(requester->port.context, broker,
                                     dial_is_alone(&requester->dial, broker));
        return;
    case LINK_TRUSTED:
        requester_release_held(requester, now_us);
        return;
    case LINK_DOUBTED:
        requester_doubt_link(requester, broker, now_us);
        return;
    case LINK_SILENT:
    case LINK_LOST:
        requester_lose_link(requester, broker, now_us);
        return;
    }
}

// Nothing is under way, or nobody else could be asked meanwhile.
static bool requester_may_part(const struct requester *requester, uint32_t broker) {
    uint32_t others = 0;
    for (uint32_t other = 0; other < requester->dial.count; other++)
        others += other != broker && link_takes_work(&requester->dial.ends[other].link) &&
                  requester->ends[other].served > 0;
    return others == 0 || requester->table.counts[LIST_SENT + broker] == 0;
}

static void requester_settle(struct requester *requester, uint64_t now_us) {
    struct dial *dial = &requester->dial;
    for (uint32_t broker = 0; broker < dial->count; broker++) {
        while (dial_is_due(dial, broker, now_us))
            requester_apply_change(requester, broker, dial_run(dial, broker, now_us), now_us);
        if (dial->ends[broker].retiring && requester_may_part(requester, broker))
            requester_apply_change(requester, broker, dial_part(dial, broker), now_us);
    }
    if (requester->draining && !requester->drained && requester->table.used == 0) {
        dial_close(dial);
        requester->drained = true;
    }
}

void requester_connected(struct requester *requester, uint32_t broker, uint64_t now_us) {
    struct dial_end *end = &requester->dial.ends[broker];
    end->broken = false;
    requester_apply_change(requester, broker, link_disconnected(&end->link), now_us);
    if (!requester->drained)
        link_connected(&end->link, now_us);
    requester_settle(requester, now_us);
}

void requester_disconnected(struct requester *requester, uint32_t broker, uint64_t now_us) {
    struct dial_end *end = &requester->dial.ends[broker];
    end->broken = false;
    requester_apply_change(requester, broker, link_disconnected(&end->link), now_us);
    requester_settle(requester, now_us);
}

// --- poison ------------------------------------------------------------------------------------

// All that ask for the same end with it, wherever they are. Two passes: an answer may bring others.
static void requester_condemn(struct requester *requester, const struct pending *culprit) {
    const struct demand demand = pending_demand(culprit);
    for (uint32_t i = 0; i < REQUESTS_IN_FLIGHT_MAX; i++) {
        struct pending *pending = &requester->table.pending[i];
        if (pending->list == LIST_FREE)
            continue;
        struct demand other = pending_demand(pending);
        if (memcmp(&other.tenant, &demand.tenant, sizeof other.tenant) != 0 ||
            other.operation != demand.operation || !text_equal(other.body, demand.body))
            continue;
        if (pending != culprit)
            requester_tell_cancel(requester, pending);
        request_table_move(&requester->table, pending, LIST_ORPHANS);
    }
    struct pending *pending;
    while ((pending = request_table_first(&requester->table, LIST_ORPHANS)) != NULL)
        requester_refuse(requester, pending, STATUS_POISON);
}

// To another actor, when whoever died together with the last one is known to be dead.
static void requester_hold_suspect(struct requester *requester, struct pending *pending,
                                   uint64_t now_us) {
    pending->held_until_us = now_us + SUSPECT_HOLD_MS * 1000ULL;
    request_table_move(&requester->table, pending, LIST_SUSPECT);
}

// An actor was lost with it in hand, so it may have been its end. Of one that is lost to several
// brokers each may tell.
static void requester_lose_actor(struct requester *requester, struct pending *pending,
                                 const struct answer *answer, uint64_t now_us) {
    uint64_t instance = answer->block.version;
    char name[PEER_NAME_BYTES] = {0};
    memcpy(name, answer->body.bytes, MIN(answer->body.length, sizeof name - 1));
    if (pending->suspect && pending->lost_instance == instance) {
        requester_retry(requester, pending, answer->status, now_us);
        return;
    }
    const struct envelope envelope = pending_envelope(pending);
    const struct demand demand = pending_demand(pending);
    if (!pending->suspect &&
        quarantine_ask(&requester->quarantine, &demand, now_us, NULL) != QUARANTINE_HELD) {
        pending->suspect = true;
        pending->lost_instance = instance;
        memcpy(pending->lost_actor, name, sizeof name);
        bool hung = (answer->block.flags & REPLY_ACTOR_HUNG) != 0;
        envelope_set_flags(pending->frame,
                           envelope.flags | FLAG_SUSPECT | (hung ? FLAG_GROUPED : 0));
        requester_hold_suspect(requester, pending, now_us);
        return;
    }
    requester->counters.poisoned++;
    const struct poison poison = {
        .operation = demand.operation,
        .tenant = demand.tenant,
        .trace = envelope.trace,
        .first_actor = pending->lost_actor,
        .last_actor = name,
        .quarantine_s = quarantine_convict(&requester->quarantine, &demand, now_us),
    };
    if (requester->port.poison != NULL)
        requester->port.poison(requester->port.context, &poison);
    requester_condemn(requester, pending);
}

// --- receiving ---------------------------------------------------------------------------------

static void requester_receive_reply(struct requester *requester, uint32_t broker,
                                    const struct envelope *envelope, struct text frame,
                                    uint64_t now_us) {
    struct pending *pending = request_table_find(&requester->table, envelope->correlation);
    struct answer answer = {.status = status_read(envelope->operation),
                            .retry_after_us = envelope->budget_us};
    if (envelope->session != requester->dial.hello.instance || pending == NULL) {
        requester->counters.late_replies++;
        return;
    }
    if (!reply_read(frame, &answer.block, &answer.body)) {
        requester->counters.malformed++;
        return;
    }
    bool current = envelope->attempt + 1 == pending->sends && pending->list >= LIST_SENT;
    bool refusal = status_is_refusal(answer.status);
    if (refusal && !current) { // a newer attempt is under way: its answer counts
        requester->counters.late_replies++;
    } else if (status_may_resend(answer.status)) {
        pending->maybe_done |= answer.status == STATUS_LOST;
        // An actor that stood still refuses what every broker gives it until it has told them; so
        // its broker, which knows now, is the one to ask. It answers through another one when it
        // has lost that.
        bool elsewhere = broker != pending->broker;
        bool own = (answer.block.flags & REPLY_BROKERS_OWN) != 0;
        if (answer.status == STATUS_UNAVAILABLE && (own || elsewhere))
            pending->refused |= (uint8_t)(1U << pending->broker);
        bool actor_lost = (answer.block.flags & REPLY_ACTOR_LOST) != 0;
        if (actor_lost)
            requester_lose_actor(requester, pending, &answer, now_us);
        else if (pending->suspect && own && answer.status == STATUS_LOST)
            requester_hold_suspect(requester, pending, now_us); // with others
        else
            requester_retry(requester, pending, answer.status, now_us);
    } else if (refusal && pending->maybe_done && !pending->read_only) {
        // An earlier attempt may still be carried out, also where this one came too late.
        requester_refuse(requester, pending, STATUS_LOST);
    } else {
        if (pending->suspect && !refusal) { // an actor has survived it
            const struct demand demand = pending_demand(pending);
            quarantine_acquit(&requester->quarantine, &demand);
        }
        requester_answer(requester, pending, &answer);
    }
}

void requester_receive(struct requester *requester, uint32_t broker, struct text frame,
                       uint64_t now_us) {
    struct link *link = &requester->dial.ends[broker].link;
    struct envelope envelope;
    if (!envelope_read(frame, &envelope)) {
        requester->counters.malformed++;
        return;
    }
    struct text body = {frame.bytes + ENVELOPE_BYTES, frame.length - ENVELOPE_BYTES};
    struct beat beat;
    bool has_beat;
    enum link_change change =
        dial_receive(&requester->dial, broker, &envelope, body, now_us, &beat, &has_beat);
    requester_apply_change(requester, broker, change, now_us);
    if (has_beat)
        requester_apply_beat(requester, broker, &beat, now_us);
    switch (envelope.kind) {
    case KIND_REPLY:
        if (link_is_open(link) && envelope.lane < LANE_COUNT)
            requester->ends[broker].limit[envelope.lane] = envelope_credit(&envelope);
        requester_receive_reply(requester, broker, &envelope, frame, now_us);
        requester_release_held(requester, now_us);
        break;
    case KIND_EVENT:
    case KIND_GAP:
        requester->counters.events++;
        requester->port.event(requester->port.context, &envelope, body);
        dial_count_event(&requester->dial, broker, frame.length, now_us);
        break;
    default:
        break;
    }
    requester_settle(requester, now_us);
}

// --- time --------------------------------------------------------------------------------------

static void requester_end_holds(struct requester *requester, uint64_t now_us) {
    bool open = dial_open_count(&requester->dial) > 0;
    for (uint32_t lane = 0; lane < LANE_COUNT; lane++) {
        struct pending *pending;
        while ((pending = request_table_first(&requester->table, LIST_HELD + lane)) != NULL &&
               now_us >= pending->held_until_us)
            requester_refuse(requester, pending, open ? STATUS_BUSY : STATUS_UNAVAILABLE);
    }
}

static void requester_release_suspects(struct requester *requester, uint64_t now_us) {
    struct pending *pending;
    while ((pending = request_table_first(&requester->table, LIST_SUSPECT)) != NULL &&
           now_us >= pending->held_until_us)
        requester_retry(requester, pending, STATUS_LOST, now_us);
}

void requester_tick(struct requester *requester, uint64_t now_us) {
    requester_settle(requester, now_us);
    requester_release_held(requester, now_us);
    requester_release_suspects(requester, now_us);
    struct pending *pending;
    while ((pending = request_table_due(&requester->table, now_us)) != NULL) {
        requester_tell_cancel(requester, pending);
        requester_refuse(requester, pending, STATUS_EXPIRED);
    }
    requester_end_holds(requester, now_us);
    requester_settle(requester, now_us);
}

uint64_t requester_next_us(const struct requester *requester) {
    if (requester->draining && !requester->drained && requester->table.used == 0)
        return 0;
    uint64_t next_us = request_table_next_us(&requester->table);
    next_us = MIN(next_us, dial_next_us(&requester->dial));
    for (uint32_t list = LIST_HELD; list < LIST_SENT; list++) {
        const struct pending *held = request_table_first(&requester->table, list);
        if (held != NULL)
            next_us = MIN(next_us, held->held_until_us);
    }
    return next_us;
}

bool requester_publish(struct requester *requester, uint16_t operation, struct uuid channel,
                       struct text body, bool all_brokers) {
    return dial_publish(&requester->dial, operation, channel, body, all_brokers);
}

void requester_subscribe(struct requester *requester, const struct uuid *channels, uint32_t count) {
    dial_send_channels(&requester->dial, KIND_SUBSCRIBE, channels, count);
}

void requester_unsubscribe(struct requester *requester, const struct uuid *channels,
                           uint32_t count) {
    dial_send_channels(&requester->dial, KIND_UNSUBSCRIBE, channels, count);
}

void requester_retire(struct requester *requester, uint32_t broker, uint64_t now_us) {
    if (dial_retire(&requester->dial, broker))
        requester_settle(requester, now_us);
}

enum link_state requester_link(const struct requester *requester, uint32_t broker) {
    return (enum link_state)requester->dial.ends[broker].link.state;
}

void requester_drain(struct requester *requester, uint64_t now_us) {
    requester->draining = true;
    requester_settle(requester, now_us);
}

bool requester_drained(const struct requester *requester) {
    return requester->drained;
}
