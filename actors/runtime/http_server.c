// SPDX-License-Identifier: Apache-2.0
// libmicrohttpd on an external epoll inside our loop: its epoll descriptor is a watch, MHD_run is
// called from a drain hook, so all that is ready is handled in one call. What the library lacks is
// here: it handles every ready connection in that one call and walks all suspended ones (so
// connections are bundled, a daemon of the library each, and a pass of the hooks runs one bundle);
// it does not look at a suspended connection (each descriptor is also in our epoll for its end and
// errors) and forgets the end of a stream that came together with its last bytes (so such a
// connection is ended here, after its answers); its timeout counts inactivity (deadlines here are
// absolute, ended by shutdown); and an answer before the final call of its handler closes the
// connection (so we wait for that).
#include "http_server.h"

#include "http_acceptor.h"
#include "http_bodies.h"
#include "http_deadlines.h"
#include "http_head.h"

#include <microhttpd.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    BUNDLE_CONNECTIONS_MAX = 256, // handled in one go: a few milliseconds if all are busy
    RUNS_MAX = 3, // of the library in one go: to read, to suspend, to see that there is no more
    LEAVE_MS = 10, // after the end of the client's stream, for what it sent before
};

// A thread-safe daemon of libmicrohttpd 1.0 takes an added connection only in its next run; older
// ones without threads take it at once.
#if MHD_VERSION >= 0x00097707
enum { ONE_THREAD = MHD_USE_NO_THREAD_SAFETY };
#else
enum { ONE_THREAD = 0 };
#endif

enum request_state {
    REQUEST_NONE, // between requests, or its headers are not complete
    REQUEST_RECEIVING,
    REQUEST_HANDLING, // inside on_request
    REQUEST_WAITING, // suspended, or about to be
    REQUEST_ANSWERED,
    REQUEST_ABANDONED, // the connection was reset while it waited
};

struct connection {
    struct http_request request; // first: a request is found back as its connection
    struct http_server *server;
    struct bundle *bundle;
    struct MHD_Connection *mhd;
    struct MHD_Response *answer;
    struct watch watch; // EPOLLRDHUP, EPOLLHUP, EPOLLERR
    struct http_deadline deadline;
    struct connection *next; // in the free list
    struct http_target target;
    struct http_head head;
    int answer_code;
    uint8_t state; // enum request_state
    bool suspended;
    bool peer_ended; // its stream; it may still read
    char *body; // block of server->bodies, or NULL
    uint64_t body_bytes; // received, dropped ones included
};

struct bundle {
    struct http_server *server;
    struct MHD_Daemon *daemon;
    struct watch watch; // the library's epoll descriptor
    uint32_t connections;
    bool pending; // MHD_run has something to do
};

struct http_server {
    struct http_server_options options;
    struct loop *loop;
    struct http_acceptor acceptor;
    struct drain drain;
    struct http_deadlines deadlines;
    bool draining;
    struct bundle *bundles;
    uint32_t bundle_count;
    uint32_t bundle_next; // to run, if it is pending
    uint32_t connections_open;
    uint32_t requests_open;
    struct connection *connections; // table of connections_max
    uint32_t connections_used; // those further on were never used
    struct connection *connections_free;
    char *states; // state_bytes for each connection
    struct http_bodies *bodies;
    struct http_head_names wanted;
};

static struct connection *connection_from(struct MHD_Connection *mhd) {
    return MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

// --- deadlines ---------------------------------------------------------------------------------

// Nothing more comes after the end of the client's stream; answers still go out.
static void connection_set_phase(struct connection *connection, enum http_phase phase) {
    if (connection->peer_ended && phase < HTTP_PHASE_SENDING)
        phase = HTTP_PHASE_LEAVING;
    http_deadline_move(&connection->server->deadlines, &connection->deadline, phase);
}

// For a body under way: the library takes no answer then and has sent nothing of one. If it
// cannot leave, the client sees the end only.
static void connection_send_raw(const struct connection *connection, const char *answer) {
    (void)send(connection->watch.descriptor, answer, strlen(answer), MSG_DONTWAIT | MSG_NOSIGNAL);
}

static bool connection_has_unread(const struct connection *connection) {
    int unread;
    return ioctl(connection->watch.descriptor, FIONREAD, &unread) == 0 && unread > 0;
}

// The library notices the shutdown as the client's own.
static void connection_end_late(struct http_deadline *deadline) {
    struct connection *connection = CONTAINER_OF(deadline, struct connection, deadline);
    bool between = deadline->phase == HTTP_PHASE_LEAVING || deadline->phase == HTTP_PHASE_IDLE;
    if (between && connection_has_unread(connection)) {
        // The library has not come to it yet: a request before the end is still to be answered.
        http_deadline_move(&connection->server->deadlines, deadline, HTTP_PHASE_HEADER);
        return;
    }
    if (deadline->phase == HTTP_PHASE_BODY)
        connection_send_raw(connection, connection->server->options.timed_out);
    connection_set_phase(connection, HTTP_PHASE_NONE);
    (void)shutdown(connection->watch.descriptor, SHUT_RDWR); // fails only where it is closed
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
        connection->body = http_bodies_take(server->bodies);
        request->body.bytes = connection->body;
    }
    if (connection->body == NULL) {
        request->trouble = HTTP_FULL;
        return true;
    }
    memcpy(connection->body + request->body.length, bytes, length);
    request->body.length += (uint32_t)length;
    return true;
}

static enum MHD_Result header_take(void *context, enum MHD_ValueKind kind, const char *name,
                                   size_t name_length, const char *value, size_t value_length) {
    (void)kind;
    struct connection *connection = context;
    http_head_take(&connection->head, (struct text){name, (uint32_t)name_length},
                   (struct text){value == NULL ? "" : value, (uint32_t)value_length},
                   &connection->server->wanted, connection->request.headers);
    return MHD_YES;
}

// A bare NUL in a path ends it for us, while the library (0.9.75) finds the query behind it.
static bool connection_hides_query(const struct connection *connection) {
    return !connection->target.has_query &&
           MHD_get_connection_values(connection->mhd, MHD_GET_ARGUMENT_KIND, NULL, NULL) > 0;
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
    connection->body_bytes = 0;
    connection->head = (struct http_head){0};
    (void)MHD_get_connection_values_n(connection->mhd, MHD_HEADER_KIND, header_take, connection);
    size_t header_bytes =
        MHD_get_connection_info(connection->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)
            ->header_size;
    const struct http_target *target = &connection->target;
    if (target->path_has_nul || connection_hides_query(connection))
        request->trouble = HTTP_PATH_WITH_NUL;
    else if (target->is_cut || target->bytes > options->url_bytes_max)
        request->trouble = HTTP_URL_TOO_LONG;
    else if (header_bytes > (size_t)target->bytes + options->header_bytes_max)
        request->trouble = HTTP_HEADERS_TOO_LARGE;
    else if (connection->head.body_expected > options->body_bytes_max)
        request->trouble = HTTP_BODY_TOO_LARGE;
    else
        request->trouble = http_head_trouble(&connection->head, strcmp(version, "HTTP/1.0") == 0);
    return http_head_is_framed(&connection->head) &&
           connection->head.body_expected <= HTTP_DISCARD_BYTES_MAX;
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
    connection_set_phase(connection, HTTP_PHASE_NONE);
    server->options.on_request(server->options.context, &connection->request);
    if (connection->state == REQUEST_ANSWERED)
        return connection_queue(connection);
    ASSERT(connection->request.trouble == HTTP_FINE);
    connection->state = REQUEST_WAITING;
    return MHD_YES;
}

// Only when the library asks a second time, in its next run. A connection that is suspended in the
// run that has read its request is read once more when it is resumed, and where the client's stream
// has ended the library would close it with the answer in hand.
static enum MHD_Result connection_suspend(struct connection *connection) {
    connection->suspended = true;
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
        if (http_head_has_body(&connection->head))
            connection_set_phase(connection, HTTP_PHASE_BODY);
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
    if (connection->state == REQUEST_WAITING)
        return connection_suspend(connection);
    return connection_queue(connection);
}

static void connection_abandon(struct connection *connection) {
    struct http_server *server = connection->server;
    connection->state = REQUEST_ABANDONED;
    server->requests_open--;
    server->options.on_abandoned(server->options.context, &connection->request);
}

static void on_completed(void *context, struct MHD_Connection *mhd, void **request_context,
                         enum MHD_RequestTerminationCode code) {
    (void)context;
    (void)code;
    struct connection *connection = connection_from(mhd);
    *request_context = NULL;
    if (connection->state == REQUEST_WAITING) // it was reset before it was suspended
        connection_abandon(connection);
    if (connection->answer != NULL)
        MHD_destroy_response(TAKE(connection->answer));
    if (connection->body != NULL)
        http_bodies_give_back(connection->server->bodies, TAKE(connection->body),
                              connection->body_bytes);
    connection->state = REQUEST_NONE;
    connection_set_phase(connection, HTTP_PHASE_IDLE);
}

// The request line is complete, nothing of it is decoded yet. A query of more pairs than the
// connection's pool holds would hang the library (0.9.75 forgets its own error), so it is cut
// here, in the library's memory, before it is split; the owner refuses the request.
static void *on_request_line(void *context, const char *uri, struct MHD_Connection *mhd) {
    (void)context;
    struct connection *connection = connection_from(mhd);
    connection->target = http_target_read((char *)(uintptr_t)uri);
    if (connection->deadline.phase == HTTP_PHASE_IDLE)
        connection_set_phase(connection, HTTP_PHASE_HEADER);
    return NULL;
}

// --- connections -------------------------------------------------------------------------------

static void connection_resume(struct connection *connection) {
    if (connection->suspended)
        MHD_resume_connection(connection->mhd);
    connection->suspended = false;
    connection->bundle->pending = true;
}

// EPOLLRDHUP alone is the end of the client's stream: it may wait for its answer, or be gone, which
// only shows in a reset once the answer is sent. EPOLLHUP and EPOLLERR: nobody reads an answer.
static void on_peer_event(struct watch *watch, uint32_t events, uint64_t now_us) {
    (void)now_us;
    struct connection *connection = CONTAINER_OF(watch, struct connection, watch);
    connection->peer_ended = true;
    if (connection->state == REQUEST_WAITING) {
        if ((events & (EPOLLHUP | EPOLLERR)) == 0)
            return;
        connection_abandon(connection);
        connection_resume(connection);
    } else if (connection->deadline.phase < HTTP_PHASE_SENDING) {
        connection_set_phase(connection, HTTP_PHASE_LEAVING);
    }
}

static void connection_open(struct bundle *bundle, struct MHD_Connection *mhd,
                            void **socket_context) {
    struct http_server *server = bundle->server;
    struct connection *connection = server->connections_free;
    if (connection != NULL)
        server->connections_free = connection->next;
    else {
        ASSERT(server->connections_used < server->options.connections_max);
        connection = &server->connections[server->connections_used++];
    }
    *connection = (struct connection){
        .server = server,
        .bundle = bundle,
        .mhd = mhd,
        .deadline.phase = HTTP_PHASE_NONE,
    };
    connection->watch.descriptor =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    connection->watch.ready = on_peer_event;
    // Edge-triggered: the end of the client's stream is told once, whatever we do then, and a reset
    // once more.
    loop_watch(server->loop, &connection->watch, EPOLLRDHUP | EPOLLET);
    connection_set_phase(connection, HTTP_PHASE_HEADER);
    server->connections_open++;
    bundle->connections++;
    *socket_context = connection;
}

static void on_connection(void *context, struct MHD_Connection *mhd, void **socket_context,
                          enum MHD_ConnectionNotificationCode code) {
    struct bundle *bundle = context;
    struct http_server *server = bundle->server;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        connection_open(bundle, mhd, socket_context);
        return;
    }
    struct connection *connection = *socket_context;
    loop_unwatch(server->loop, &connection->watch);
    connection_set_phase(connection, HTTP_PHASE_NONE);
    connection->next = server->connections_free;
    server->connections_free = connection;
    server->connections_open--;
    bundle->connections--;
    http_acceptor_look(&server->acceptor);
}

static bool server_has_room(void *context) {
    const struct http_server *server = context;
    return server->connections_open < server->options.connections_max;
}

// The first bundle with a place, so that few are busy when few connections are open.
static void server_take(void *context, int descriptor, const struct sockaddr *address,
                        socklen_t length) {
    struct bundle *bundle = ((struct http_server *)context)->bundles;
    while (bundle->connections == BUNDLE_CONNECTIONS_MAX)
        bundle++;
    // The library closes it where memory is short.
    (void)MHD_add_connection(bundle->daemon, descriptor, address, length);
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
    connection_set_phase(connection, HTTP_PHASE_SENDING);
    server->requests_open--;
    if (connection->state == REQUEST_WAITING)
        connection_resume(connection);
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
    if (walk->count == HTTP_PARAMETERS_MAX) // hidden from us, and refused
        return MHD_NO;
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

static void bundle_wake(struct watch *watch, uint32_t events, uint64_t now_us) {
    (void)events;
    (void)now_us;
    CONTAINER_OF(watch, struct bundle, watch)->pending = true;
}

static void bundle_run(struct bundle *bundle) {
    bundle->pending = true;
    for (int run = 0; bundle->pending && run < RUNS_MAX; run++) {
        bundle->pending = false;
        (void)MHD_run(bundle->daemon); // MHD_NO only for a daemon with threads
        MHD_UNSIGNED_LONG_LONG timeout_ms;
        bundle->pending |=
            MHD_get_timeout(bundle->daemon, &timeout_ms) == MHD_YES && timeout_ms == 0;
    }
}

// One bundle a call: after it the loop looks how long its turn has taken.
static bool server_run(struct drain *drain, uint64_t now_us) {
    (void)now_us;
    struct http_server *server = CONTAINER_OF(drain, struct http_server, drain);
    for (uint32_t i = 0; i < server->bundle_count; i++) {
        struct bundle *bundle = &server->bundles[server->bundle_next];
        server->bundle_next = (server->bundle_next + 1) % server->bundle_count;
        if (bundle->pending) {
            bundle_run(bundle);
            return true;
        }
    }
    return false;
}

static bool bundle_start(struct bundle *bundle, struct http_server *server) {
    bundle->server = server;
    bundle->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME | ONE_THREAD, 0, NULL,
        NULL, on_access, NULL, MHD_OPTION_CONNECTION_LIMIT, (unsigned)BUNDLE_CONNECTIONS_MAX,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP_CONNECTION_POOL_BYTES,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, bundle, MHD_OPTION_NOTIFY_COMPLETED,
        on_completed, NULL, MHD_OPTION_URI_LOG_CALLBACK, on_request_line, NULL, MHD_OPTION_END);
    if (bundle->daemon == NULL)
        return false;
    bundle->watch.descriptor =
        MHD_get_daemon_info(bundle->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    bundle->watch.ready = bundle_wake;
    loop_watch(server->loop, &bundle->watch, EPOLLIN);
    return true;
}

static void bundle_stop(struct bundle *bundle) {
    if (bundle->daemon == NULL)
        return;
    (void)MHD_run(bundle->daemon); // ends the abandoned: a suspended one must not be stopped
    loop_unwatch(bundle->server->loop, &bundle->watch);
    MHD_stop_daemon(TAKE(bundle->daemon));
}

static bool server_start(struct http_server *server) {
    const struct http_server_options *options = &server->options;
    server->bundle_count =
        (options->connections_max + BUNDLE_CONNECTIONS_MAX - 1) / BUNDLE_CONNECTIONS_MAX;
    server->connections = calloc(options->connections_max, sizeof *server->connections);
    server->states = calloc(options->connections_max, MAX(options->state_bytes, 1));
    server->bodies = http_bodies_new(options->bodies_max, options->body_bytes_max);
    server->bundles = calloc(server->bundle_count, sizeof *server->bundles);
    if (server->connections == NULL || server->states == NULL || server->bodies == NULL ||
        server->bundles == NULL)
        return false;
    for (uint32_t i = 0; i < server->bundle_count; i++)
        if (!bundle_start(&server->bundles[i], server))
            return false;
    http_acceptor_begin(&server->acceptor);
    return true;
}

struct http_server *http_server_new(struct loop *loop, const struct http_server_options *options) {
    struct http_server *server = calloc(1, sizeof *server);
    if (server == NULL)
        return NULL;
    server->options = *options;
    server->loop = loop;
    server->drain.run = server_run;
    loop_add_drain(loop, &server->drain);
    server->acceptor = (struct http_acceptor){
        .loop = loop,
        .listener = options->listener,
        .context = server,
        .has_room = server_has_room,
        .take = server_take,
    };
    server->deadlines = (struct http_deadlines){
        .loop = loop,
        .late = connection_end_late,
        .limits_us =
            {
                [HTTP_PHASE_IDLE] = (uint64_t)options->idle_ms * 1000,
                [HTTP_PHASE_HEADER] = (uint64_t)options->header_ms * 1000,
                [HTTP_PHASE_BODY] = (uint64_t)options->body_ms * 1000,
                [HTTP_PHASE_SENDING] = (uint64_t)options->send_ms * 1000,
                [HTTP_PHASE_LEAVING] = LEAVE_MS * 1000,
            },
    };
    http_deadlines_init(&server->deadlines);
    server->wanted.names = options->headers;
    http_head_names_init(&server->wanted);
    return server_start(server) ? server : http_server_free(server);
}

struct http_server *http_server_free(struct http_server *server) {
    if (server == NULL)
        return NULL;
    http_acceptor_end(&server->acceptor);
    for (uint32_t i = 0; i < server->connections_used; i++)
        if (server->connections[i].state == REQUEST_WAITING)
            on_peer_event(&server->connections[i].watch, EPOLLHUP, 0);
    for (uint32_t i = 0; server->bundles != NULL && i < server->bundle_count; i++)
        bundle_stop(&server->bundles[i]);
    loop_remove_drain(server->loop, &server->drain);
    http_deadlines_deinit(&server->deadlines);
    (void)close(server->options.listener); // nothing is lost with it
    http_bodies_free(server->bodies);
    free(server->bundles);
    free(server->connections);
    free(server->states);
    free(server);
    return NULL;
}

void http_server_drain(struct http_server *server) {
    server->draining = true;
    http_acceptor_leave(&server->acceptor); // the socket stays open: others may listen on it
    http_deadlines_limit(&server->deadlines, HTTP_PHASE_IDLE,
                         MIN(server->options.idle_ms, HTTP_DRAIN_IDLE_MS) * UINT64_C(1000));
}

uint32_t http_server_connections(const struct http_server *server) {
    return server->connections_open;
}

uint32_t http_server_requests(const struct http_server *server) {
    return server->requests_open;
}
