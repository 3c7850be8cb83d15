// SPDX-License-Identifier: Apache-2.0
// Any bytes from a client, in pieces, with its end at any moment: each request comes out once and
// whole, is answered or abandoned, and nothing is left of the connection. Input: a byte of choices,
// the size of a piece in steps of 8 bytes (0: all at once), then the bytes.
#include "clock.h"
#include "fuzz_input.h"
#include "http_listener.h"
#include "http_server.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    LATE_MS = 200, // whatever the server waits for
    PATIENCE_MS = 5000, // more than all its deadlines together
    TURNS = 3, // of the loop, in which the server has taken what was sent
    PIECES_MAX = 64,
    HELD_MAX = 4, // one of each connection
    BODY_MAX = 1000,
    ADDRESSES = 1 << 20, // of loopback's 2^24
};

enum answering { ANSWER_AT_ONCE, ANSWER_IN_A_TURN, ANSWER_AFTER_THE_END };
enum ending { END_RESET, END_CLOSE, END_OF_STREAM, END_EARLY };

struct rig {
    struct loop *loop;
    struct http_server *server;
    struct watch never_idle; // a descriptor that is always ready: no turn waits
    struct drain drain;
    uint16_t port;

    struct fuzz_input input;
    struct http_request *held[HELD_MAX];
    uint32_t held_count;
    uint8_t answering;
    uint8_t ending;
    uint32_t piece_bytes;
    uint32_t turn;
    int client; // -1: closed
    bool ended;
    uint64_t until_us;
    uint32_t runs;
    uint32_t sum; // of all that came out: each byte is looked at
};

static void rig_look_at(struct rig *rig, struct text text) {
    for (uint32_t i = 0; i < text.length; i++)
        rig->sum += (uint8_t)text.bytes[i];
}

// --- the server's owner ------------------------------------------------------------------------

static void rig_answer(struct rig *rig, struct http_request *request) {
    char length[16];
    (void)snprintf(length, sizeof length, "%u", request->body.length);
    rig_look_at(rig, request->body);
    http_request_answer(request, &(struct http_response){
                                     .code = request->trouble == HTTP_FINE ? 200 : 400,
                                     .body = request->path,
                                     .header_count = 1,
                                     .headers = {{"X-Length", length}},
                                 });
}

static void rig_on_request(void *context, struct http_request *request) {
    struct rig *rig = context;
    struct parameter parameters[HTTP_PARAMETERS_MAX];
    uint8_t *state = request->state;
    ASSERT(*state == 0 && request->trouble <= HTTP_NO_HOST);
    *state = 1;
    ASSERT(strlen(request->method.bytes) == request->method.length);
    ASSERT(strlen(request->path.bytes) == request->path.length);
    ASSERT(request->body.length <= BODY_MAX);
    uint32_t count = http_request_parameters(request, parameters);
    ASSERT(count <= HTTP_PARAMETERS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        rig_look_at(rig, parameters[i].name);
        rig_look_at(rig, parameters[i].value);
    }
    for (uint32_t i = 0; i < HTTP_REQUEST_HEADERS_MAX; i++)
        rig_look_at(rig, request->headers[i]);
    if (request->trouble != HTTP_FINE || rig->answering == ANSWER_AT_ONCE) {
        rig_answer(rig, request);
    } else {
        ASSERT(rig->held_count < HELD_MAX);
        rig->held[rig->held_count++] = request;
    }
}

static void rig_on_abandoned(void *context, struct http_request *request) {
    struct rig *rig = context;
    uint32_t i = 0;
    while (i < rig->held_count && rig->held[i] != request)
        i++;
    ASSERT(i < rig->held_count);
    rig->held[i] = rig->held[--rig->held_count];
}

// Where the client resets its connection, what is held is to be abandoned.
static void rig_answer_held(struct rig *rig) {
    if (rig->answering == ANSWER_AFTER_THE_END &&
        (!rig->ended || rig->ending == END_RESET || rig->ending == END_EARLY))
        return;
    while (rig->held_count > 0)
        rig_answer(rig, rig->held[--rig->held_count]);
}

// --- the client --------------------------------------------------------------------------------

// Each time from another address of loopback: ports of ended connections are taken for a minute.
static void client_connect(struct rig *rig) {
    uint32_t own = INADDR_LOOPBACK + 1 + rig->runs++ % ADDRESSES;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(own)};
    int yes = 1;
    rig->client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT(rig->client >= 0);
    ASSERT(setsockopt(rig->client, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof yes) == 0);
    ASSERT(bind(rig->client, (const struct sockaddr *)&address, sizeof address) == 0);
    address.sin_port = htons(rig->port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT(connect(rig->client, (const struct sockaddr *)&address, sizeof address) == 0);
}

// False: the server has ended the connection.
static bool client_read(struct rig *rig) {
    char bytes[4096];
    ssize_t got;
    while ((got = recv(rig->client, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
        rig_look_at(rig, (struct text){bytes, (uint32_t)got});
    return got < 0;
}

static void client_close(struct rig *rig) {
    (void)close(rig->client);
    rig->client = -1;
}

static void client_end(struct rig *rig) {
    rig->ended = true;
    if (rig->ending == END_OF_STREAM) {
        (void)shutdown(rig->client, SHUT_WR); // the server may have been faster
        return;
    }
    if (rig->ending == END_RESET || rig->ending == END_EARLY)
        (void)setsockopt(rig->client, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1},
                         sizeof(struct linger));
    client_close(rig);
}

static void client_send_piece(struct rig *rig) {
    struct text piece = fuzz_text(&rig->input, rig->piece_bytes);
    (void)send(rig->client, piece.bytes, piece.length, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (rig->ending == END_EARLY && rig->input.left == 0) // it is not waited for what comes
        client_end(rig);
}

// One step of the client each few turns; the run is over when the server has forgotten it.
static bool rig_run(struct drain *drain, uint64_t now_us) {
    struct rig *rig = CONTAINER_OF(drain, struct rig, drain);
    ASSERT(now_us < rig->until_us);
    rig_answer_held(rig);
    if (rig->client >= 0 && !client_read(rig)) {
        rig->ended = true;
        client_close(rig);
    }
    if (++rig->turn % TURNS == 0 && !rig->ended) {
        if (rig->input.left > 0)
            client_send_piece(rig);
        else
            client_end(rig);
    }
    if (rig->ended && rig->turn > TURNS && http_server_connections(rig->server) == 0)
        loop_stop(rig->loop);
    return false;
}

// --- the run -----------------------------------------------------------------------------------

static void rig_never_idle(struct watch *watch, uint32_t events, uint64_t now_us) {
    (void)watch;
    (void)events;
    (void)now_us;
}

static void rig_begin(struct rig *rig) {
    static const char *const headers[] = {"authorization", "content-type", "accept", NULL};
    int listener = http_listen("127.0.0.1", 0);
    ASSERT(listener >= 0);
    rig->port = http_listener_port(listener);
    rig->loop = loop_new();
    rig->drain.run = rig_run;
    rig->never_idle.descriptor = eventfd(1, EFD_CLOEXEC);
    rig->never_idle.ready = rig_never_idle;
    loop_watch(rig->loop, &rig->never_idle, EPOLLIN);
    rig->server =
        http_server_new(rig->loop, &(struct http_server_options){
                                       .listener = listener,
                                       .connections_max = HELD_MAX,
                                       .bodies_max = HELD_MAX,
                                       .body_bytes_max = BODY_MAX,
                                       .url_bytes_max = 500,
                                       .header_bytes_max = 700,
                                       .header_ms = LATE_MS,
                                       .body_ms = LATE_MS,
                                       .idle_ms = LATE_MS,
                                       .send_ms = LATE_MS,
                                       .timed_out = "HTTP/1.1 408 Request Timeout\r\n\r\n",
                                       .too_large = "HTTP/1.1 413 Content Too Large\r\n\r\n",
                                       .headers = headers,
                                       .state_bytes = 1,
                                       .context = rig,
                                       .on_request = rig_on_request,
                                       .on_abandoned = rig_on_abandoned,
                                   });
    ASSERT(rig->server != NULL);
    loop_add_drain(rig->loop, &rig->drain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct rig rig;
    if (rig.loop == NULL)
        rig_begin(&rig);
    rig.input = (struct fuzz_input){data, size};
    uint8_t choice = fuzz_byte(&rig.input);
    rig.answering = choice % 3;
    rig.ending = choice >> 2 & 3;
    rig.piece_bytes = 8U * fuzz_byte(&rig.input);
    if (rig.piece_bytes == 0 || rig.input.left / rig.piece_bytes >= PIECES_MAX)
        rig.piece_bytes = UINT32_MAX;
    rig.turn = 0;
    rig.ended = false;
    rig.until_us = clock_monotonic_us() + PATIENCE_MS * UINT64_C(1000);
    client_connect(&rig);
    loop_run(rig.loop, NULL, NULL);
    ASSERT(rig.held_count == 0 && http_server_requests(rig.server) == 0);
    if (rig.client >= 0)
        client_close(&rig);
    return 0;
}
