// SPDX-License-Identifier: Apache-2.0
#include "session.h"

#include "bus_socket.h"
#include "digest.h"
#include "inflight.h"
#include "log.h"

#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
    BURST_MAX = 256, // frames of one broker in one pass
    ENDPOINT_BYTES_MAX = 160,
    GOODBYE_MS = 200, // the last frames of a drained session have so long to leave
};

// The connection to one broker. `unread`: its descriptor was readable or something was sent since
// the socket last said that nothing is there; only then asking it again is needed.
struct session_end {
    struct session *session;
    uint32_t broker;
    struct bus_socket *socket;
    struct watch watch;
    struct watch change_watch;
    bool unread;
    bool changed;
    bool redial;
    char endpoint[ENDPOINT_BYTES_MAX];
};

struct session {
    struct loop *loop;
    struct session_options options;
    struct bus *bus;
    struct requester *requester; // one of these two
    struct responder *responder;
    struct drain drain;
    struct timer timer;
    uint64_t armed_us;
    struct session_end ends[BROKERS_MAX];
    uint32_t end_count;
    uint64_t redials;
    bool draining;
    bool drained;
};

// --- the two pure machines, as one -------------------------------------------------------------

static void machine_connected(struct session *session, uint32_t broker, uint64_t now_us) {
    if (session->requester != NULL)
        requester_connected(session->requester, broker, now_us);
    else
        responder_connected(session->responder, broker, now_us);
}

static void machine_disconnected(struct session *session, uint32_t broker, uint64_t now_us) {
    if (session->requester != NULL)
        requester_disconnected(session->requester, broker, now_us);
    else
        responder_disconnected(session->responder, broker, now_us);
}

static void machine_receive(struct session *session, uint32_t broker, struct text frame,
                            uint64_t now_us) {
    if (session->requester != NULL)
        requester_receive(session->requester, broker, frame, now_us);
    else
        responder_receive(session->responder, broker, frame, now_us);
}

static void machine_tick(struct session *session, uint64_t now_us) {
    if (session->requester != NULL)
        requester_tick(session->requester, now_us);
    else
        responder_tick(session->responder, now_us);
}

static uint64_t machine_next_us(const struct session *session) {
    return session->requester != NULL ? requester_next_us(session->requester)
                                      : responder_next_us(session->responder);
}

static bool machine_drained(const struct session *session) {
    return session->requester != NULL ? requester_drained(session->requester)
                                      : responder_drained(session->responder);
}

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

static bool end_open(struct session_end *end) {
    end->socket = bus_socket_dial(end->session->bus, end->endpoint);
    if (end->socket == NULL)
        return false;
    end->watch = (struct watch){bus_socket_descriptor(end->socket), end_readable};
    end->change_watch = (struct watch){bus_socket_change_descriptor(end->socket), end_changed};
    loop_watch(end->session->loop, &end->watch, EPOLLIN);
    loop_watch(end->session->loop, &end->change_watch, EPOLLIN);
    end->unread = true;
    end->changed = true;
    end->redial = false;
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
        machine_receive(end->session, end->broker, (struct text){frame.bytes, frame.length},
                        now_us);
    }
    return count > 0;
}

static void end_take_changes(struct session_end *end, uint64_t now_us) {
    end->changed = false;
    end->unread = true;
    for (;;) {
        switch (bus_socket_change(end->socket)) {
        case BUS_SAME:
            return;
        case BUS_CONNECTED:
            machine_connected(end->session, end->broker, now_us);
            break;
        case BUS_DISCONNECTED:
            machine_disconnected(end->session, end->broker, now_us);
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

static void port_deliver(void *context, const struct delivery *delivery) {
    struct session *session = context;
    session->options.on_delivery(session->options.context, delivery);
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

static void port_refused(void *context, uint32_t broker, const struct refusal *refusal) {
    const struct session *session = context;
    char theirs[32], ours[32];
    (void)snprintf(theirs, sizeof theirs, "%u to %u", refusal->speaks.oldest,
                   refusal->speaks.newest); // both fit
    (void)snprintf(ours, sizeof ours, "%u to %u", WIRE_OLDEST, WIRE_NEWEST);
    log_line(LOG_ERROR, NULL,
             refusal->reason == REFUSED_VERSION
                 ? "A broker refuses this process: it speaks no version of the bus that this "
                   "process speaks. Let both be of neighbouring releases."
                 : "A broker refuses this process, whose role it does not know. Restart the "
                   "broker with the release of this process.",
             "broker", session->ends[broker].endpoint, "it_speaks", theirs, "this_speaks", ours,
             NULL);
}

// --- the loop's side ---------------------------------------------------------------------------

static void session_arm(struct session *session) {
    uint64_t next_us = machine_next_us(session);
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
    if (machine_next_us(session) <= now_us)
        machine_tick(session, now_us);
    for (uint32_t i = 0; i < session->end_count; i++) {
        if (session->ends[i].redial)
            end_redial(&session->ends[i]);
        worked |= session->ends[i].unread;
    }
    session_arm(session);
    if (session->draining && !session->drained && machine_drained(session)) {
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

static void session_make_requester(struct session *session, uint64_t identity) {
    const struct requester_options options = {
        .name = session->options.name,
        .role = session->options.role,
        .session = identity,
        .process = (uint64_t)getpid(),
        .broker_count = session->end_count,
    };
    const struct requester_port port = {
        .context = session,
        .send = port_send,
        .redial = port_redial,
        .answer = port_answer,
        .event = port_event,
        .welcomed = port_welcomed,
        .refused = port_refused,
    };
    session->requester = requester_new(&options, &port, loop_now_us(session->loop));
}

static void session_make_responder(struct session *session, uint64_t identity) {
    const struct responder_options options = {
        .name = session->options.name,
        .role = session->options.role,
        .instance = identity,
        .process = (uint64_t)getpid(),
        .broker_count = session->end_count,
        .window = session->options.window,
        .operations = session->options.operations,
        .operation_count = session->options.operation_count,
    };
    const struct responder_port port = {
        .context = session,
        .send = port_send,
        .redial = port_redial,
        .deliver = port_deliver,
        .cancel = port_cancel,
        .event = port_event,
        .welcomed = port_welcomed,
        .refused = port_refused,
    };
    session->responder = responder_new(&options, &port, loop_now_us(session->loop));
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
    if (options->role == ROLE_EDGE || options->role == ROLE_BRIDGE)
        session_make_requester(session, identity);
    else
        session_make_responder(session, identity);
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
    session->requester = requester_free(session->requester);
    session->responder = responder_free(session->responder);
    session->bus = bus_free(session->bus);
    free(session);
    return NULL;
}

// --- use ---------------------------------------------------------------------------------------

bool session_ready(const struct session *session) {
    uint32_t links, brokers;
    session_links(session, &links, &brokers);
    return links > 0;
}

void session_links(const struct session *session, uint32_t *ret_links, uint32_t *ret_brokers) {
    *ret_links = session->requester != NULL ? requester_links(session->requester)
                                            : responder_links(session->responder);
    *ret_brokers = session->end_count;
}

bool session_is_served(const struct session *session, uint64_t roles) {
    return requester_is_served(session->requester, roles);
}

struct return_address session_return_address(const struct delivery *delivery) {
    return responder_return_address(delivery);
}

void session_reply(struct session *session, const struct return_address *address,
                   enum status status, uint32_t retry_after_us, const struct reply_block *block,
                   struct text body) {
    responder_reply(session->responder, address, status, retry_after_us, block, body);
}

void session_refuse(struct session *session, const struct return_address *address,
                    enum status status) {
    session_reply(session, address, status, RETRY_AFTER_S * 1000000U, &(struct reply_block){0},
                  TEXT(""));
}

bool session_is_stale(const struct session *session, const struct return_address *address) {
    return responder_is_stale(session->responder, address, loop_now_us(session->loop));
}

enum status session_request(struct session *session, const struct outgoing *outgoing,
                            uint64_t *ret_correlation) {
    return requester_request(session->requester, outgoing, loop_now_us(session->loop),
                             ret_correlation);
}

void session_cancel(struct session *session, uint64_t correlation) {
    requester_cancel(session->requester, correlation);
}

void session_publish(struct session *session, uint16_t operation, struct uuid channel,
                     struct text body, bool all_brokers) {
    if (session->requester != NULL)
        (void)requester_publish(session->requester, operation, channel, body, all_brokers);
    else // without a broker nobody listens: events are soft
        (void)responder_publish(session->responder, operation, channel, body, all_brokers);
}

void session_drain(struct session *session) {
    if (session->draining)
        return;
    session->draining = true;
    if (session->requester != NULL)
        requester_drain(session->requester, loop_now_us(session->loop));
    else
        responder_drain(session->responder, loop_now_us(session->loop));
}

struct text session_tell_inflight(const struct session *session, struct text line,
                                  struct arena *arena) {
    if (session->requester == NULL)
        return (struct text){0};
    return inflight_tell(session->requester, line, loop_now_us(session->loop), arena);
}

// --- metrics -----------------------------------------------------------------------------------

static void requester_metrics(const struct requester *requester, struct metrics *metrics) {
    struct requester_counters counters;
    requester_count(requester, &counters);
    metrics_counter(metrics, "valorize_bus_requests_total", "Requests handed to the bus.", NULL,
                    counters.requests);
    metrics_counter(metrics, "valorize_bus_answers_total", "Requests that ended.", NULL,
                    counters.answers);
    metrics_counter(metrics, "valorize_bus_resends_total", "Requests sent again.", NULL,
                    counters.resends);
    metrics_counter(metrics, "valorize_bus_cancels_total", "Requests nobody waited for.", NULL,
                    counters.cancels);
    metrics_counter(metrics, "valorize_bus_held_total", "Requests that waited for credit.", NULL,
                    counters.held);
    metrics_counter(metrics, "valorize_bus_refused_total", "Requests refused at once.", NULL,
                    counters.refused);
    metrics_counter(metrics, "valorize_bus_expired_total", "Requests whose budget ran out.", NULL,
                    counters.expired);
    metrics_counter(metrics, "valorize_bus_late_replies_total", "Second replies, dropped.", NULL,
                    counters.late_replies);
    metrics_counter(metrics, "valorize_bus_links_lost_total", "Brokers lost.", NULL,
                    counters.links_lost);
    metrics_counter(metrics, "valorize_bus_malformed_total", "Frames that made no sense.", NULL,
                    counters.malformed);
    metrics_gauge(metrics, "valorize_bus_in_flight", "Requests without an answer.", NULL,
                  counters.in_flight);
    metrics_gauge(metrics, "valorize_bus_bytes", "Frames kept to be sent again.", NULL,
                  (double)counters.bytes);
    metrics_gauge(metrics, "valorize_bus_waiting", "Requests that wait for credit.", NULL,
                  counters.waiting);
    metrics_gauge(metrics, "valorize_bus_links", "Brokers connected.", NULL, counters.links_up);
}

static void responder_metrics(const struct responder *responder, struct metrics *metrics) {
    struct responder_counters counters;
    responder_count(responder, &counters);
    metrics_counter(metrics, "valorize_bus_deliveries_total", "Messages received.", NULL,
                    counters.deliveries);
    metrics_counter(metrics, "valorize_bus_replies_total", "Messages answered.", NULL,
                    counters.replies);
    metrics_counter(metrics, "valorize_bus_replies_elsewhere_total",
                    "Answers that left through another broker.", NULL, counters.replies_elsewhere);
    metrics_counter(metrics, "valorize_bus_replies_dropped_total",
                    "Answers that no broker could take.", NULL, counters.replies_dropped);
    metrics_counter(metrics, "valorize_bus_expired_total", "Messages whose budget ran out.", NULL,
                    counters.expired);
    metrics_counter(metrics, "valorize_bus_cancels_total", "Messages nobody waits for.", NULL,
                    counters.cancels);
    metrics_counter(metrics, "valorize_bus_overdrawn_total", "Messages beyond the window.", NULL,
                    counters.overdrawn);
    metrics_counter(metrics, "valorize_bus_links_lost_total", "Brokers lost.", NULL,
                    counters.links_lost);
    metrics_counter(metrics, "valorize_bus_malformed_total", "Frames that made no sense.", NULL,
                    counters.malformed);
    metrics_gauge(metrics, "valorize_bus_in_hand", "Messages without an answer.", NULL,
                  counters.in_hand);
    metrics_gauge(metrics, "valorize_bus_links", "Brokers connected.", NULL, counters.links_up);
}

void session_metrics(const struct session *session, struct metrics *metrics) {
    if (session->requester != NULL)
        requester_metrics(session->requester, metrics);
    else
        responder_metrics(session->responder, metrics);
    metrics_counter(metrics, "valorize_bus_redials_total", "Silent connections dialed anew.", NULL,
                    session->redials);
}
