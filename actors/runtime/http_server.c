// SPDX-License-Identifier: Apache-2.0
// libmicrohttpd on an external epoll inside our loop: its epoll descriptor is a watch, MHD_run is
// a drain hook, so all that is ready in a turn is handled in one call. What the library lacks is
// here: it does not look at a suspended connection (each descriptor is also in our epoll for
// EPOLLRDHUP), its timeout counts inactivity (deadlines here are absolute, ended by shutdown), and
// an answer before the final call of its handler closes the connection (so we wait for that).
#include "http_server.h"

#include <microhttpd.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>

enum { ENDED_IN_A_TURN_MAX = 256 }; // late connections; the rest a turn later
enum { BODY_BYTES_KEPT = 16 << 10 }; // of a freed body block; the rest goes back to the system

// In which list of deadlines a connection is; each list is in the order of its deadlines, because
// all its members have the same limit.
enum phase { PHASE_IDLE, PHASE_HEADER, PHASE_BODY, PHASE_SENDING, PHASE_LISTS, PHASE_NONE };

enum request_state {
    REQUEST_NONE, // between requests, or its headers are not complete
    REQUEST_RECEIVING,
    REQUEST_HANDLING, // inside on_request
    REQUEST_WAITING, // suspended
    REQUEST_ANSWERED,
    REQUEST_ABANDONED, // the client left while it was suspended
};

struct connection {
    struct http_request request; // first: a request is found back as its connection
    struct http_server *server;
    struct MHD_Connection *mhd;
    struct MHD_Response *answer;
    struct watch watch; // EPOLLRDHUP only
    struct connection *previous; // in its list of deadlines
    struct connection *next; // there, or in the free list
    uint64_t due_us;
    uint64_t body_expected; // Content-Length
    int answer_code;
    uint32_t uri_bytes;
    uint8_t phase; // enum phase
    uint8_t state; // enum request_state
    bool uri_malformed;
    bool uri_cut;
    bool peer_left;
    bool chunked;
    char *body; // block of server->bodies, or NULL
    uint64_t body_bytes; // received, dropped ones included
};

struct deadlines {
    struct connection *first;
    struct connection *last;
    uint64_t limit_us;
};

struct http_server {
    struct http_server_options options;
    struct loop *loop;
    struct MHD_Daemon *daemon;
    struct watch watch; // the library's epoll descriptor
    struct drain drain;
    struct timer timer; // of the earliest deadline, or earlier
    struct deadlines deadlines[PHASE_LISTS];
    bool pending; // MHD_run has something to do
    bool draining;
    uint32_t connections_open;
    uint32_t requests_open;
    struct connection *connections; // table of connections_max
    uint32_t connections_used; // those further on were never used
    struct connection *connections_free;
    char *states; // state_bytes for each connection
    char *bodies; // body_bytes_max for each of bodies_max
    uint32_t *bodies_free; // stack of indexes
    uint32_t bodies_free_count;
    size_t header_lengths[HTTP_REQUEST_HEADERS_MAX];
    uint32_t header_count;
};

static struct connection *connection_from(struct MHD_Connection *mhd) {
    return MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

// --- deadlines ---------------------------------------------------------------------------------

static void connection_set_phase(struct connection *connection, enum phase phase) {
    struct http_server *server = connection->server;
    if (connection->phase != PHASE_NONE) {
        struct deadlines *list = &server->deadlines[connection->phase];
        *(connection->previous != NULL ? &connection->previous->next : &list->first) =
            connection->next;
        *(connection->next != NULL ? &connection->next->previous : &list->last) =
            connection->previous;
    }
    connection->phase = (uint8_t)phase;
    if (phase == PHASE_NONE)
        return;
    struct deadlines *list = &server->deadlines[phase];
    connection->due_us = loop_now_us(server->loop) + list->limit_us;
    connection->next = NULL;
    connection->previous = list->last;
    *(list->last != NULL ? &list->last->next : &list->first) = connection;
    list->last = connection;
    if (server->timer.due_us == 0 || connection->due_us < server->timer.due_us)
        loop_timer_set(server->loop, &server->timer, connection->due_us);
}

// For a body under way: the library takes no answer then and has sent nothing of one. If it
// cannot leave, the client sees the end only.
static void connection_send_raw(const struct connection *connection, const char *answer) {
    (void)send(connection->watch.descriptor, answer, strlen(answer), MSG_DONTWAIT | MSG_NOSIGNAL);
}

// The library notices the shutdown as the client's own.
static void connection_end_late(struct connection *connection) {
    if (connection->phase == PHASE_BODY)
        connection_send_raw(connection, connection->server->options.timed_out);
    connection_set_phase(connection, PHASE_NONE);
    (void)shutdown(connection->watch.descriptor, SHUT_RDWR); // fails only where it is closed
}

static void server_end_late(struct timer *timer, uint64_t now_us) {
    struct http_server *server = CONTAINER_OF(timer, struct http_server, timer);
    uint64_t next_us = 0;
    uint32_t ended = 0;
    for (int phase = 0; phase < PHASE_LISTS; phase++) {
        struct connection *first = server->deadlines[phase].first;
        for (; first != NULL && first->due_us <= now_us && ended < ENDED_IN_A_TURN_MAX; ended++) {
            connection_end_late(first);
            first = server->deadlines[phase].first;
        }
        if (first != NULL && (next_us == 0 || first->due_us < next_us))
            next_us = first->due_us;
    }
    if (next_us != 0)
        loop_timer_set(server->loop, &server->timer, next_us);
}

// --- one request -------------------------------------------------------------------------------

static bool body_append(struct connection *connection, const char *bytes, size_t length) {
    struct http_server *server = connection->server;
    struct http_request *request = &connection->request;
    connection->body_bytes += length;
    if (request->trouble != HTTP_FINE)
        return connection->body_bytes <= HTTP_DISCARD_BYTES_MAX;
    if (connection->body_bytes > server->options.body_bytes_max) {
        request->trouble = HTTP_BODY_TOO_LARGE;
        request->body = (struct text){0};
        return true;
    }
    if (connection->body == NULL) {
        if (server->bodies_free_count == 0) {
            request->trouble = HTTP_FULL;
            return true;
        }
        uint32_t index = server->bodies_free[--server->bodies_free_count];
        connection->body = server->bodies + (size_t)index * server->options.body_bytes_max;
        request->body.bytes = connection->body;
    }
    memcpy(connection->body + request->body.length, bytes, length);
    request->body.length += (uint32_t)length;
    return true;
}

static void body_free(struct connection *connection) {
    struct http_server *server = connection->server;
    if (connection->body == NULL)
        return;
    size_t size = server->options.body_bytes_max;
    if (connection->body_bytes > BODY_BYTES_KEPT && size > BODY_BYTES_KEPT)
        (void)madvise(connection->body + BODY_BYTES_KEPT, size - BODY_BYTES_KEPT, MADV_DONTNEED);
    size_t index = (size_t)(connection->body - server->bodies) / size;
    server->bodies_free[server->bodies_free_count++] = (uint32_t)index;
    connection->body = NULL;
}

struct header_walk {
    struct connection *connection;
    uint32_t hosts;
    uint32_t lengths;
    uint32_t encodings;
    bool malformed;
};

static bool header_is(const char *name, size_t length, const char *wanted, size_t wanted_length) {
    return length == wanted_length && strncasecmp(name, wanted, length) == 0;
}
#define HEADER_IS(name, length, literal) header_is(name, length, literal, sizeof(literal) - 1)

static enum MHD_Result header_take(void *context, enum MHD_ValueKind kind, const char *name,
                                   size_t name_length, const char *value, size_t value_length) {
    (void)kind;
    struct header_walk *walk = context;
    struct connection *connection = walk->connection;
    struct http_server *server = connection->server;
    if (name_length == 0 || memchr(name, ' ', name_length) || memchr(name, '\t', name_length))
        walk->malformed = true;
    else if (HEADER_IS(name, name_length, "host"))
        walk->hosts++;
    else if (HEADER_IS(name, name_length, "content-length")) {
        walk->lengths++;
        connection->body_expected = strtoull(value, NULL, 10); // digits: the library has checked
    } else if (HEADER_IS(name, name_length, "transfer-encoding")) {
        walk->encodings++;
        connection->chunked = true;
        walk->malformed |= !HEADER_IS(value, value_length, "chunked");
    }
    for (uint32_t i = 0; i < server->header_count; i++) {
        struct text *wanted = &connection->request.headers[i];
        if (wanted->bytes == NULL &&
            header_is(name, name_length, server->options.headers[i], server->header_lengths[i]))
            *wanted = (struct text){value == NULL ? "" : value, (uint32_t)value_length};
    }
    return MHD_YES;
}

// Fills the request from complete headers. False: where the body ends is unknown, or it is not
// worth waiting for; the answer must leave at once and close the connection.
static bool connection_read_headers(struct connection *connection, const char *method,
                                    const char *path, const char *version) {
    const struct http_server_options *options = &connection->server->options;
    struct http_request *request = &connection->request;
    size_t index = (size_t)(connection - connection->server->connections);
    *request = (struct http_request){
        .method = text_of(method),
        .path = text_of(path),
        .received_us = loop_now_us(connection->server->loop),
        .state = connection->server->states + index * options->state_bytes,
    };
    memset(request->state, 0, options->state_bytes);
    connection->body_expected = 0;
    connection->body_bytes = 0;
    connection->chunked = false;
    struct header_walk walk = {.connection = connection};
    (void)MHD_get_connection_values_n(connection->mhd, MHD_HEADER_KIND, header_take, &walk);
    size_t header_bytes =
        MHD_get_connection_info(connection->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)
            ->header_size;
    if (walk.malformed || walk.hosts > 1 || walk.lengths + walk.encodings > 1 ||
        connection->uri_malformed || (walk.hosts == 0 && strcmp(version, "HTTP/1.0") != 0))
        request->trouble = HTTP_MALFORMED;
    else if (connection->uri_cut || connection->uri_bytes > options->url_bytes_max)
        request->trouble = HTTP_URL_TOO_LONG;
    else if (header_bytes > (size_t)connection->uri_bytes + options->header_bytes_max)
        request->trouble = HTTP_HEADERS_TOO_LARGE;
    else if (connection->body_expected > options->body_bytes_max)
        request->trouble = HTTP_BODY_TOO_LARGE;
    return !walk.malformed && walk.lengths + walk.encodings <= 1 &&
           connection->body_expected <= HTTP_DISCARD_BYTES_MAX;
}

// Hands the answer to the library, which keeps it until it is sent.
static enum MHD_Result connection_queue(struct connection *connection) {
    struct MHD_Response *answer = TAKE(connection->answer);
    if (answer == NULL) // abandoned, or memory was short: the connection ends
        return MHD_NO;
    enum MHD_Result queued =
        MHD_queue_response(connection->mhd, (unsigned)connection->answer_code, answer);
    MHD_destroy_response(answer);
    return queued;
}

static enum MHD_Result connection_handle(struct connection *connection) {
    struct http_server *server = connection->server;
    connection->state = REQUEST_HANDLING;
    server->requests_open++;
    connection_set_phase(connection, PHASE_NONE);
    server->options.on_request(server->options.context, &connection->request);
    if (connection->state == REQUEST_ANSWERED)
        return connection_queue(connection);
    ASSERT(connection->request.trouble == HTTP_FINE);
    if (connection->peer_left) {
        server->requests_open--;
        connection->state = REQUEST_ABANDONED;
        server->options.on_abandoned(server->options.context, &connection->request);
        return MHD_NO;
    }
    connection->state = REQUEST_WAITING;
    MHD_suspend_connection(connection->mhd);
    return MHD_YES;
}

// The library calls this when the headers are complete, for each piece of a body, when all is
// there, and after a resume. MHD_NO ends the connection.
static enum MHD_Result on_access(void *context, struct MHD_Connection *mhd, const char *url,
                                 const char *method, const char *version, const char *upload,
                                 size_t *upload_length, void **request_context) {
    (void)context;
    struct connection *connection = connection_from(mhd);
    if (*request_context == NULL) {
        *request_context = connection;
        connection->state = REQUEST_RECEIVING;
        bool whole = connection_read_headers(connection, method, url, version);
        if (!whole)
            return connection_handle(connection);
        if (connection->chunked || connection->body_expected > 0)
            connection_set_phase(connection, PHASE_BODY);
        return MHD_YES;
    }
    if (*upload_length > 0) {
        size_t length = *upload_length;
        *upload_length = 0;
        if (body_append(connection, upload, length))
            return MHD_YES;
        connection_send_raw(connection, connection->server->options.too_large);
        return MHD_NO;
    }
    if (connection->state == REQUEST_RECEIVING)
        return connection_handle(connection);
    return connection_queue(connection);
}

static void on_completed(void *context, struct MHD_Connection *mhd, void **request_context,
                         enum MHD_RequestTerminationCode code) {
    (void)context;
    (void)code;
    struct connection *connection = connection_from(mhd);
    *request_context = NULL;
    if (connection->answer != NULL)
        MHD_destroy_response(TAKE(connection->answer));
    body_free(connection);
    connection->state = REQUEST_NONE;
    connection_set_phase(connection, PHASE_IDLE);
}

// The request line is complete, nothing of it is decoded yet. A query of more pairs than the
// connection's pool holds would hang the library (0.9.75 forgets its own error), so it is cut
// here, in the library's memory, before it is split; the owner refuses the request.
static void *on_request_line(void *context, const char *uri, struct MHD_Connection *mhd) {
    (void)context;
    struct connection *connection = connection_from(mhd);
    const char *path_end = strchrnul(uri, '?');
    connection->uri_bytes = (uint32_t)(path_end - uri + (ptrdiff_t)strlen(path_end));
    connection->uri_malformed = memmem(uri, (size_t)(path_end - uri), "%00", 3) != NULL;
    connection->uri_cut = false;
    uint32_t pairs = 1;
    for (const char *at = strchr(path_end, '&'); at != NULL; at = strchr(at + 1, '&'))
        if (++pairs > HTTP_PARAMETERS_MAX) {
            *(char *)(uintptr_t)at = '\0';
            connection->uri_cut = true;
            break;
        }
    if (connection->phase == PHASE_IDLE)
        connection_set_phase(connection, PHASE_HEADER);
    return NULL;
}

// --- connections -------------------------------------------------------------------------------

static void on_peer_event(struct watch *watch, uint32_t events, uint64_t now_us) {
    (void)events; // each of EPOLLRDHUP, EPOLLHUP, EPOLLERR means that nobody reads an answer
    (void)now_us;
    struct connection *connection = CONTAINER_OF(watch, struct connection, watch);
    struct http_server *server = connection->server;
    connection->peer_left = true;
    if (connection->state != REQUEST_WAITING)
        return;
    connection->state = REQUEST_ABANDONED;
    server->requests_open--;
    server->options.on_abandoned(server->options.context, &connection->request);
    MHD_resume_connection(connection->mhd);
    server->pending = true;
}

static void connection_open(struct http_server *server, struct MHD_Connection *mhd,
                            void **socket_context) {
    struct connection *connection = server->connections_free;
    if (connection != NULL)
        server->connections_free = connection->next;
    else {
        ASSERT(server->connections_used < server->options.connections_max);
        connection = &server->connections[server->connections_used++];
    }
    *connection = (struct connection){.server = server, .mhd = mhd, .phase = PHASE_NONE};
    connection->watch.descriptor =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    connection->watch.ready = on_peer_event;
    // Edge-triggered: the end of the client's stream is told once, whatever we do then.
    loop_watch(server->loop, &connection->watch, EPOLLRDHUP | EPOLLET);
    connection_set_phase(connection, PHASE_HEADER);
    server->connections_open++;
    *socket_context = connection;
}

static void on_connection(void *context, struct MHD_Connection *mhd, void **socket_context,
                          enum MHD_ConnectionNotificationCode code) {
    struct http_server *server = context;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        connection_open(server, mhd, socket_context);
        return;
    }
    struct connection *connection = *socket_context;
    loop_unwatch(server->loop, &connection->watch);
    connection_set_phase(connection, PHASE_NONE);
    connection->next = server->connections_free;
    server->connections_free = connection;
    server->connections_open--;
    server->pending = true; // a full library listens again in its next run, and not before
}

// --- answers -----------------------------------------------------------------------------------

static struct MHD_Response *response_new(const struct http_server *server,
                                         const struct http_response *response) {
    // Copied by the library; its interface only lacks the const.
    struct MHD_Response *answer = MHD_create_response_from_buffer(
        response->body.length, (void *)(uintptr_t)response->body.bytes, MHD_RESPMEM_MUST_COPY);
    if (answer == NULL)
        return NULL;
    bool added = !server->draining ||
                 MHD_add_response_header(answer, MHD_HTTP_HEADER_CONNECTION, "close") == MHD_YES;
    for (uint32_t i = 0; i < response->header_count; i++)
        added &= MHD_add_response_header(answer, response->headers[i].name,
                                         response->headers[i].value) == MHD_YES;
    if (!added)
        MHD_destroy_response(TAKE(answer));
    return answer;
}

void http_request_answer(struct http_request *request, const struct http_response *response) {
    struct connection *connection = CONTAINER_OF(request, struct connection, request);
    struct http_server *server = connection->server;
    ASSERT(connection->state == REQUEST_HANDLING || connection->state == REQUEST_WAITING);
    connection->answer = response_new(server, response);
    connection->answer_code = response->code;
    connection_set_phase(connection, PHASE_SENDING);
    server->requests_open--;
    if (connection->state == REQUEST_WAITING) {
        MHD_resume_connection(connection->mhd);
        server->pending = true;
    }
    connection->state = REQUEST_ANSWERED;
}

struct parameter_walk {
    struct parameter *parameters;
    uint32_t count;
};

static enum MHD_Result parameter_take(void *context, enum MHD_ValueKind kind, const char *name,
                                      size_t name_length, const char *value, size_t value_length) {
    (void)kind;
    struct parameter_walk *walk = context;
    ASSERT(walk->count < HTTP_PARAMETERS_MAX); // the rest was cut off
    walk->parameters[walk->count++] = (struct parameter){
        .name = {name, (uint32_t)name_length},
        .value = {value == NULL ? "" : value, (uint32_t)value_length},
    };
    return MHD_YES;
}

uint32_t http_request_parameters(const struct http_request *request,
                                 struct parameter parameters[HTTP_PARAMETERS_MAX]) {
    const struct connection *connection = (const struct connection *)(const void *)request;
    struct parameter_walk walk = {.parameters = parameters};
    (void)MHD_get_connection_values_n(connection->mhd, MHD_GET_ARGUMENT_KIND, parameter_take,
                                      &walk);
    return walk.count;
}

// --- the server --------------------------------------------------------------------------------

static void server_wake(struct watch *watch, uint32_t events, uint64_t now_us) {
    (void)events;
    (void)now_us;
    CONTAINER_OF(watch, struct http_server, watch)->pending = true;
}

static bool server_run(struct drain *drain, uint64_t now_us) {
    (void)now_us;
    struct http_server *server = CONTAINER_OF(drain, struct http_server, drain);
    MHD_UNSIGNED_LONG_LONG timeout_ms;
    if (!server->pending &&
        (MHD_get_timeout(server->daemon, &timeout_ms) != MHD_YES || timeout_ms > 0))
        return false;
    server->pending = false;
    (void)MHD_run(server->daemon); // MHD_NO only for a daemon with threads
    return true;
}

static bool server_allocate(struct http_server *server) {
    const struct http_server_options *options = &server->options;
    server->connections = calloc(options->connections_max, sizeof *server->connections);
    server->states = calloc(options->connections_max, MAX(options->state_bytes, 1));
    server->bodies_free = calloc(options->bodies_max, sizeof *server->bodies_free);
    // Address space only: a page is real once a body was written to it.
    server->bodies =
        mmap(NULL, (size_t)options->bodies_max * options->body_bytes_max, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (server->bodies == MAP_FAILED)
        server->bodies = NULL;
    if (server->connections == NULL || server->states == NULL || server->bodies_free == NULL ||
        server->bodies == NULL)
        return false;
    for (uint32_t i = options->bodies_max; i > 0; i--)
        server->bodies_free[server->bodies_free_count++] = i - 1;
    return true;
}

static bool server_start(struct http_server *server) {
    const struct http_server_options *options = &server->options;
    server->daemon =
        MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_access, server,
                         MHD_OPTION_LISTEN_SOCKET, options->listener, MHD_OPTION_CONNECTION_LIMIT,
                         (unsigned)options->connections_max, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                         (size_t)HTTP_CONNECTION_POOL_BYTES, MHD_OPTION_NOTIFY_CONNECTION,
                         on_connection, server, MHD_OPTION_NOTIFY_COMPLETED, on_completed, server,
                         MHD_OPTION_URI_LOG_CALLBACK, on_request_line, server, MHD_OPTION_END);
    if (server->daemon == NULL)
        return false;
    server->watch.descriptor =
        MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    server->watch.ready = server_wake;
    loop_watch(server->loop, &server->watch, EPOLLIN);
    server->drain.run = server_run;
    server->pending = true; // the first run puts the listening socket into the epoll set
    loop_add_drain(server->loop, &server->drain);
    return true;
}

struct http_server *http_server_new(struct loop *loop, const struct http_server_options *options) {
    struct http_server *server = calloc(1, sizeof *server);
    if (server == NULL)
        return NULL;
    server->options = *options;
    server->loop = loop;
    server->timer.fire = server_end_late;
    server->deadlines[PHASE_IDLE].limit_us = (uint64_t)options->idle_ms * 1000;
    server->deadlines[PHASE_HEADER].limit_us = (uint64_t)options->header_ms * 1000;
    server->deadlines[PHASE_BODY].limit_us = (uint64_t)options->body_ms * 1000;
    server->deadlines[PHASE_SENDING].limit_us = (uint64_t)options->send_ms * 1000;
    for (; options->headers[server->header_count] != NULL; server->header_count++) {
        ASSERT(server->header_count < HTTP_REQUEST_HEADERS_MAX);
        server->header_lengths[server->header_count] =
            strlen(options->headers[server->header_count]);
    }
    if (!server_allocate(server) || !server_start(server))
        return http_server_free(server);
    return server;
}

struct http_server *http_server_free(struct http_server *server) {
    if (server == NULL)
        return NULL;
    if (server->daemon != NULL) {
        for (uint32_t i = 0; i < server->connections_used; i++)
            if (server->connections[i].state == REQUEST_WAITING)
                on_peer_event(&server->connections[i].watch, EPOLLHUP, 0);
        (void)MHD_run(server->daemon); // ends the abandoned: a suspended one must not be stopped
        loop_unwatch(server->loop, &server->watch);
        loop_remove_drain(server->loop, &server->drain);
        MHD_stop_daemon(TAKE(server->daemon));
        loop_timer_clear(server->loop, &server->timer);
    }
    if (server->bodies != NULL)
        (void)munmap(server->bodies,
                     (size_t)server->options.bodies_max * server->options.body_bytes_max);
    free(server->connections);
    free(server->states);
    free(server->bodies_free);
    free(server);
    return NULL;
}

void http_server_drain(struct http_server *server) {
    server->draining = true;
    (void)MHD_quiesce_daemon(server->daemon); // the socket stays open: others may listen on it
}

uint32_t http_server_connections(const struct http_server *server) {
    return server->connections_open;
}

uint32_t http_server_requests(const struct http_server *server) {
    return server->requests_open;
}
