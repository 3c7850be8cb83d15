// SPDX-License-Identifier: Apache-2.0
#include "session.h"

#include "bus_socket.h"
#include "digest.h"
#include "endpoint.h"
#include "inflight.h"
#include "key_turn.h"
#include "log.h"
#include "machine.h"
#include "renewal.h"

#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
    BURST_MAX = 256, // frames of one broker in one pass
    ENDPOINT_BYTES_MAX = 160,
    GOODBYE_MS = 200, // the last frames of a drained session have so long to leave
    REFUSAL_US = 5000000, // why a renewal failed is told so long: later it was another's
};

// The connection to one broker. `unread`: its descriptor was readable or something was sent since
// the socket last said that nothing is there; only then asking it again is needed.
struct session_end {
    struct session *session;
    uint32_t broker;
    struct bus_socket *socket;
    struct watch watch, change_watch;
    bool unread;
    bool changed;
    bool redial;
    struct key_turn turn; // of the keys that a broker may have
    uint32_t refusals; // since it was last connected
    char endpoint[ENDPOINT_BYTES_MAX];
};

struct session {
    struct loop *loop;
    struct session_options options;
    struct bus *bus;
    struct machine machine;
    struct drain drain;
    struct timer timer;
    uint64_t armed_us;
    struct session_end ends[BROKERS_MAX];
    uint32_t end_count;
    uint64_t redials;
    uint64_t refusals;
    bool draining;
    bool drained;
    struct renewal renewal; // of the own key
    struct certificate former, next;
    char refusal[KEYS_SENTENCE_BYTES]; // why the last renewal failed, or ""
    uint64_t refused_us;
};

// --- connections -------------------------------------------------------------------------------

static void end_readable(struct watch *watch, uint32_t epoll_events, uint64_t now_us) {
    (void)epoll_events;
    (void)now_us;
    CONTAINER_OF(watch, struct session_end, watch)->unread = true;
}

static void end_changed(struct watch *watch, uint32_t epoll_events, uint64_t now_us) {
    (void)epoll_events;
    (void)now_us;
    CONTAINER_OF(watch, struct session_end, change_watch)->changed = true;
}

static bool end_has_keys(const struct session_end *end) {
    return end->session->options.keys != NULL && endpoint_is_tcp(text_of(end->endpoint));
}

static bool end_open(struct session_end *end) {
    struct keys *keys = end->session->options.keys;
    struct bus_keys used;
    if (end_has_keys(end)) {
        (void)keys_refresh(keys);
        used = (struct bus_keys){.public_key = keys->own.public_key,
                                 .secret_key = keys->own.secret_key,
                                 .broker_key = keys_of_broker(keys, end->turn.key)};
    }
    end->socket =
        bus_socket_dial(end->session->bus, end->endpoint, end_has_keys(end) ? &used : NULL);
    if (end->socket == NULL)
        return false;
    end->watch = (struct watch){bus_socket_descriptor(end->socket), end_readable};
    end->change_watch = (struct watch){bus_socket_change_descriptor(end->socket), end_changed};
    loop_watch(end->session->loop, &end->watch, EPOLLIN);
    loop_watch(end->session->loop, &end->change_watch, EPOLLIN);
    end->unread = true;
    end->changed = true;
    end->redial = false;
    end->turn.due_us = 0;
    return true;
}

static void end_close(struct session_end *end) {
    if (end->socket == NULL)
        return;
    loop_unwatch(end->session->loop, &end->watch);
    loop_unwatch(end->session->loop, &end->change_watch);
    end->socket = bus_socket_free(end->socket);
}

static void end_redial(struct session_end *end) {
    end_close(end);
    end->session->redials++;
    ASSERT(end_open(end)); // the endpoint was good before
}

// True when a frame came.
static bool end_receive(struct session_end *end, uint64_t now_us) {
    struct bus_frame frame;
    uint32_t count = 0;
    for (; count < BURST_MAX && !end->redial; count++) {
        if (!bus_socket_receive(end->socket, &frame)) {
            end->unread = false;
            break;
        }
        machine_receive(&end->session->machine, end->broker,
                        (struct text){frame.bytes, frame.length}, now_us);
    }
    return count > 0;
}

static void end_refused(struct session_end *end, uint64_t now_us) {
    bool keys = end_has_keys(end);
    end->session->refusals++;
    end->refusals++;
    if (keys && key_turn_refused(&end->turn, keys_of_brokers(end->session->options.keys), now_us))
        return;
    // One alone is a broker that is just ending; then ever more seldom.
    if (end->refusals == 1 || (end->refusals & (end->refusals - 1)) != 0)
        return;
    log_line(LOG_WARNING, NULL,
             keys ? "A broker and this process do not accept each other's keys. Compare public/ of "
                    "VALORIZE_KEYS on both machines, and look into the broker's log."
                  : "A broker breaks the connection off: has it keys? Then VALORIZE_KEYS must be "
                    "set here, too.",
             "broker", end->endpoint, NULL);
}

static void end_take_changes(struct session_end *end, uint64_t now_us) {
    end->changed = false;
    end->unread = true;
    for (;;) {
        switch (bus_socket_change(end->socket)) {
        case BUS_SAME:
            return;
        case BUS_REFUSED:
            end_refused(end, now_us);
            break;
        case BUS_CONNECTED:
            end->refusals = 0;
            key_turn_fits(&end->turn);
            machine_connected(&end->session->machine, end->broker, now_us);
            break;
        case BUS_DISCONNECTED:
            machine_disconnected(&end->session->machine, end->broker, now_us);
            break;
        }
    }
}

// --- effects -----------------------------------------------------------------------------------

static bool port_send(void *context, uint32_t broker, struct text head, struct text body) {
    struct session_end *end = &((struct session *)context)->ends[broker];
    end->unread = true; // sending may have swallowed the descriptor's edge
    return bus_socket_send(end->socket, 0, head, body);
}

// Not at once: a frame of the old socket may be in use.
static void port_redial(void *context, uint32_t broker) {
    ((struct session *)context)->ends[broker].redial = true;
}

static void port_answer(void *context, void *request, const struct answer *answer) {
    struct session *session = context;
    session->options.on_answer(session->options.context, request, answer);
}

static void port_poison(void *context, const struct poison *poison) {
    struct session *session = context;
    if (session->options.on_poison != NULL)
        session->options.on_poison(session->options.context, poison);
}

static void port_deliver(void *context, const struct delivery *delivery) {
    struct session *session = context;
    session->options.on_delivery(session->options.context, delivery);
}

static bool port_ready(void *context) {
    const struct session *session = context;
    return session->options.ready == NULL || session->options.ready(session->options.context);
}

static void port_cancel(void *context, uint64_t edge, uint64_t correlation) {
    struct session *session = context;
    if (session->options.on_cancel != NULL)
        session->options.on_cancel(session->options.context, edge, correlation);
}

static void port_welcomed(void *context, uint32_t broker, bool alone) {
    struct session *session = context;
    (void)broker;
    if (session->options.on_connected != NULL)
        session->options.on_connected(session->options.context, alone);
}

static void port_event(void *context, const struct envelope *envelope, struct text body) {
    struct session *session = context;
    if (session->options.on_event != NULL)
        session->options.on_event(session->options.context, envelope, body);
}

static const char *refusal_sentence(uint32_t reason) {
    switch (reason) {
    case REFUSED_VERSION:
        return "A broker refuses this process: it speaks no version of the bus that this process "
               "speaks. Let both be of neighbouring releases.";
    case REFUSED_KEY:
        return "A broker refuses this process: its role is not that of its key, or no longer. Give "
               "it its own in secret/ of VALORIZE_KEYS.";
    default:
        return "A broker refuses this process, whose role it does not know. Restart the broker "
               "with the release of this process.";
    }
}

static void port_refused(void *context, uint32_t broker, const struct refusal *refusal) {
    const struct session *session = context;
    char theirs[32], ours[32];
    (void)snprintf(theirs, sizeof theirs, "%u to %u", refusal->speaks.oldest,
                   refusal->speaks.newest); // both fit
    (void)snprintf(ours, sizeof ours, "%u to %u", WIRE_OLDEST, WIRE_NEWEST);
    log_line(LOG_ERROR, NULL, refusal_sentence(refusal->reason), "broker",
             session->ends[broker].endpoint, "it_speaks", theirs, "this_speaks", ours, NULL);
}

// --- a new key ---------------------------------------------------------------------------------

static const char keys_unproved[] =
    "It has this key, but no broker has let it in, neither that at %s nor another. Are brokers "
    "running, and is its public half in public/ of VALORIZE_KEYS there?";

static struct renewal_view session_view(const struct session *session) {
    struct renewal_view view = {0};
    for (uint32_t i = 0; i < session->end_count; i++) {
        const struct session_end *end = &session->ends[i];
        enum link_state link = machine_link(&session->machine, i);
        uint32_t bit = 1U << i;
        view.all |= bit;
        view.keyed |= end_has_keys(end) ? bit : 0;
        view.up |= link == LINK_UP ? bit : 0;
        view.parted |= end->redial || link == LINK_DOWN ? bit : 0;
    }
    return view;
}

static void session_refuse_renewal(struct session *session, const char *format, uint64_t now_us) {
    (void)snprintf(session->refusal, sizeof session->refusal, format,
                   session->ends[session->renewal.broker].endpoint); // fits
    session->refused_us = now_us;
    log_line(LOG_ERROR, NULL, session->refusal, NULL);
}

static void session_run_renewal(struct session *session, uint64_t now_us) {
    struct certificate *own = &session->options.keys->own;
    const struct renewal_view view = session_view(session);
    switch (renewal_run(&session->renewal, &view, now_us)) {
    case RENEWAL_NOTHING:
        return;
    case RENEWAL_RETIRE:
        *own = session->next;
        machine_retire(&session->machine, session->renewal.broker, now_us);
        return;
    case RENEWAL_DIAL:
        session->ends[session->renewal.broker].redial = true; // what is in hand is sent again
        return;
    case RENEWAL_DONE:
        log_line(LOG_INFO, NULL, "The new key is in use.", NULL);
        return;
    case RENEWAL_REFUSED:
        *own = session->former;
        session->ends[session->renewal.broker].redial = true;
        session_refuse_renewal(session,
                               "The broker at %s does not let the new key in; the old one is in "
                               "use again. Is its public half in public/ of VALORIZE_KEYS there?",
                               now_us);
        return;
    case RENEWAL_APART:
        *own = session->former;
        session_refuse_renewal(session,
                               "Not all brokers are connected, and a connection is closed only "
                               "while the others work; next was that to %s. The old key stays in "
                               "use. Reload again when all are back.",
                               now_us);
        return;
    case RENEWAL_ALONE:
        *own = session->next;
        for (uint32_t i = 0; i < session->end_count; i++)
            session->ends[i].redial |= end_has_keys(&session->ends[i]);
        session_refuse_renewal(session, keys_unproved, now_us);
        return;
    }
    UNREACHABLE();
}

// Goes on with the renewal that the folder's pair needs, if any.
static enum keys_state session_renew(struct session *session, uint64_t now_us,
                                     char ret_sentence[KEYS_SENTENCE_BYTES]) {
    struct keys *keys = session->options.keys;
    const struct renewal_view view = session_view(session);
    struct certificate own;
    if (session->renewal.state != RENEWAL_IDLE || session->draining)
        return KEYS_TURNING;
    bool refused = session->refusal[0] != '\0' && now_us - session->refused_us < REFUSAL_US;
    (void)snprintf(ret_sentence, KEYS_SENTENCE_BYTES, "%s", session->refusal); // as long
    session->refusal[0] = '\0';
    if (refused || !keys_read_own(keys, &own, ret_sentence))
        return KEYS_REFUSED;
    bool changed = strcmp(own.public_key, keys->own.public_key) != 0;
    if (view.keyed == 0 || (!changed && (view.up & view.keyed) != 0)) {
        keys->own = own;
        return KEYS_CURRENT;
    }
    if (!changed) {
        (void)snprintf(ret_sentence, KEYS_SENTENCE_BYTES, keys_unproved,
                       session->ends[__builtin_ctz(view.keyed)].endpoint); // fits
        return KEYS_REFUSED;
    }
    session->former = keys->own;
    session->next = own;
    renewal_begin(&session->renewal, &view, now_us);
    session_run_renewal(session, now_us);
    return KEYS_TURNING;
}

struct text session_renew_keys(struct session *session, struct arena *arena) {
    char sentence[KEYS_SENTENCE_BYTES];
    if (session->options.keys == NULL)
        return keys_answer(KEYS_UNUSED, NULL, arena);
    enum keys_state state = session_renew(session, loop_now_us(session->loop), sentence);
    return keys_answer(state, state == KEYS_REFUSED ? sentence : NULL, arena);
}

// --- the loop's side ---------------------------------------------------------------------------

static uint64_t session_next_us(const struct session *session) {
    uint64_t next_us = machine_next_us(&session->machine);
    for (uint32_t i = 0; i < session->end_count; i++) {
        if (session->ends[i].turn.due_us != 0)
            next_us = MIN(next_us, session->ends[i].turn.due_us);
    }
    return MIN(next_us, renewal_next_us(&session->renewal));
}

static void session_arm(struct session *session) {
    uint64_t next_us = session_next_us(session);
    if (next_us == session->armed_us)
        return;
    session->armed_us = next_us;
    if (next_us == UINT64_MAX)
        loop_timer_clear(session->loop, &session->timer);
    else
        loop_timer_set(session->loop, &session->timer, MAX(next_us, 1));
}

// The tick itself happens in the hook, which every turn ends with.
static void session_timer(struct timer *timer, uint64_t now_us) {
    (void)now_us;
    CONTAINER_OF(timer, struct session, timer)->armed_us = UINT64_MAX;
}

// After a frame all hooks have another turn: what it set in motion may wait in an earlier one.
static bool session_run(struct drain *drain, uint64_t now_us) {
    struct session *session = CONTAINER_OF(drain, struct session, drain);
    bool worked = false;
    for (uint32_t i = 0; i < session->end_count; i++) {
        struct session_end *end = &session->ends[i];
        if (end->unread)
            worked |= end_receive(end, now_us);
        if (end->changed)
            end_take_changes(end, now_us);
    }
    if (machine_next_us(&session->machine) <= now_us)
        machine_tick(&session->machine, now_us);
    if (session->renewal.state != RENEWAL_IDLE)
        session_run_renewal(session, now_us);
    for (uint32_t i = 0; i < session->end_count; i++) {
        struct session_end *end = &session->ends[i];
        if (end->redial || key_turn_is_due(&end->turn, now_us))
            end_redial(end);
        worked |= end->unread;
    }
    session_arm(session);
    if (session->draining && !session->drained && machine_drained(&session->machine)) {
        session->drained = true;
        if (session->options.on_drained != NULL)
            session->options.on_drained(session->options.context);
    }
    return worked;
}

// --- making ------------------------------------------------------------------------------------

static bool session_split_brokers(struct session *session) {
    for (const char *at = session->options.brokers; *at != '\0';) {
        size_t length = strcspn(at, ",");
        if (session->end_count == BROKERS_MAX || length == 0 || length >= ENDPOINT_BYTES_MAX)
            return false;
        struct session_end *end = &session->ends[session->end_count];
        *end = (struct session_end){.session = session, .broker = session->end_count};
        memcpy(end->endpoint, at, length);
        session->end_count++;
        at += length + (at[length] == ',' ? 1 : 0);
    }
    return session->end_count > 0;
}

static void session_make_machine(struct session *session, uint64_t identity) {
    const struct session_options *options = &session->options;
    uint64_t now_us = loop_now_us(session->loop);
    const struct requester_options asks = {
        .name = options->name,
        .role = options->role,
        .session = identity,
        .process = (uint64_t)getpid(),
        .broker_count = session->end_count,
    };
    const struct requester_port asks_port = {
        .context = session,
        .send = port_send,
        .redial = port_redial,
        .answer = port_answer,
        .poison = port_poison,
        .event = port_event,
        .welcomed = port_welcomed,
        .refused = port_refused,
    };
    const struct responder_options answers = {
        .name = options->name,
        .role = options->role,
        .instance = identity,
        .process = (uint64_t)getpid(),
        .broker_count = session->end_count,
        .window = options->window,
        .operations = options->operations,
        .operation_count = options->operation_count,
    };
    const struct responder_port answers_port = {
        .context = session,
        .send = port_send,
        .redial = port_redial,
        .deliver = port_deliver,
        .ready = port_ready,
        .cancel = port_cancel,
        .event = port_event,
        .welcomed = port_welcomed,
        .refused = port_refused,
    };
    if (options->role == ROLE_EDGE || options->role == ROLE_BRIDGE)
        session->machine.requester = requester_new(&asks, &asks_port, now_us);
    else
        session->machine.responder = responder_new(&answers, &answers_port, now_us);
}

struct session *session_new(struct loop *loop, const struct session_options *options) {
    struct session *session = calloc(1, sizeof *session);
    ASSERT(session != NULL);
    session->loop = loop;
    session->options = *options;
    session->armed_us = UINT64_MAX;
    session->timer.fire = session_timer;
    session->drain.run = session_run;
    bool good = session_split_brokers(session);
    if (!good) {
        free(session);
        errno = EINVAL;
        return NULL;
    }
    session->bus = bus_new();
    for (uint32_t i = 0; i < session->end_count && good; i++)
        good = end_open(&session->ends[i]);
    if (!good) {
        int reason = errno;
        session = session_free(session);
        errno = reason;
        return NULL;
    }
    uint64_t identity = 0;
    while (identity == 0)
        digest_random(&identity, sizeof identity);
    session_make_machine(session, identity);
    loop_add_drain(loop, &session->drain);
    return session;
}

struct session *session_free(struct session *session) {
    if (session == NULL)
        return NULL;
    loop_remove_drain(session->loop, &session->drain);
    loop_timer_clear(session->loop, &session->timer);
    for (uint32_t i = 0; i < session->end_count; i++) {
        if (session->drained)
            bus_socket_linger(session->ends[i].socket, GOODBYE_MS);
        end_close(&session->ends[i]);
    }
    machine_free(&session->machine);
    session->bus = bus_free(session->bus);
    free(session);
    return NULL;
}

// --- use ---------------------------------------------------------------------------------------

bool session_ready(const struct session *session) {
    return machine_links(&session->machine) > 0;
}

void session_links(const struct session *session, uint32_t *ret_links, uint32_t *ret_brokers) {
    *ret_links = machine_links(&session->machine);
    *ret_brokers = session->end_count;
}

bool session_is_served(const struct session *session, uint64_t roles) {
    return requester_is_served(session->machine.requester, roles);
}

struct return_address session_return_address(const struct delivery *delivery) {
    return responder_return_address(delivery);
}

void session_reply(struct session *session, const struct return_address *address,
                   enum status status, uint32_t retry_after_us, const struct reply_block *block,
                   struct text body) {
    responder_reply(session->machine.responder, address, status, retry_after_us, block, body);
}

void session_refuse(struct session *session, const struct return_address *address,
                    enum status status) {
    session_reply(session, address, status, RETRY_AFTER_S * 1000000U, &(struct reply_block){0},
                  TEXT(""));
}

bool session_is_stale(const struct session *session, const struct return_address *address) {
    return responder_is_stale(session->machine.responder, address, loop_now_us(session->loop));
}

enum status session_request(struct session *session, const struct outgoing *outgoing,
                            uint64_t *ret_correlation) {
    return requester_request(session->machine.requester, outgoing, loop_now_us(session->loop),
                             ret_correlation);
}

void session_cancel(struct session *session, uint64_t correlation) {
    requester_cancel(session->machine.requester, correlation);
}

void session_publish(struct session *session, uint16_t operation, struct uuid channel,
                     struct text body, bool all_brokers) {
    // Without a broker nobody listens: events are soft.
    (void)machine_publish(&session->machine, operation, channel, body, all_brokers);
}

void session_drain(struct session *session) {
    if (session->draining)
        return;
    session->draining = true;
    machine_drain(&session->machine, loop_now_us(session->loop));
}

struct text session_tell_inflight(const struct session *session, struct text line,
                                  struct arena *arena) {
    if (session->machine.requester == NULL)
        return (struct text){0};
    return inflight_tell(session->machine.requester, line, loop_now_us(session->loop), arena);
}

// --- metrics -----------------------------------------------------------------------------------

void session_metrics(const struct session *session, struct metrics *metrics) {
    machine_metrics(&session->machine, metrics);
    metrics_counter(metrics, "valorize_bus_redials_total", "Connections dialed anew.", NULL,
                    session->redials);
    metrics_counter(metrics, "valorize_bus_refusals_total",
                    "Connections that failed over the keys of their ends.", NULL,
                    session->refusals);
}
