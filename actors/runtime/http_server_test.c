// SPDX-License-Identifier: Apache-2.0
// A server with short limits in a child process, clients over real sockets in this one.
#include "expect.h"
#include "expect_http.h"
#include "http_listener.h"
#include "http_server.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BODY_MAX = 1000, URL_MAX = 500, HEADERS_MAX = 700, LATE_MS = 300, IDLE_MS = 1500 };
enum { CONNECTIONS = 300, BUNDLE = 256 }; // more than the library handles in one go
enum { STALL_MS = 30 }; // several times what a client that left is waited for

// --- the server in the child -------------------------------------------------------------------

struct echo {
    struct loop *loop;
    struct http_server *server;
    struct drain drain;
    struct http_request *later[8]; // answered in the next turn of hooks
    struct http_request *never[8]; // answered by /release
    uint32_t later_count;
    uint32_t never_count;
    uint32_t abandoned;
};

// "<method> <path> <body bytes> <trouble> <header x-note> <abandoned so far>"
static void echo_answer(struct echo *echo, struct http_request *request) {
    static char text[2048];
    struct parameter parameters[HTTP_PARAMETERS_MAX];
    uint32_t parameter_count = http_request_parameters(request, parameters);
    int length = snprintf(
        text, sizeof text, "%s %s %u %d [%.*s] %u", request->method.bytes, request->path.bytes,
        request->body.length, (int)request->trouble, (int)request->headers[0].length,
        request->headers[0].bytes == NULL ? "" : request->headers[0].bytes, echo->abandoned);
    for (uint32_t i = 0; i < parameter_count; i++)
        length += snprintf(text + length, sizeof text - (size_t)length, " %.*s=%.*s",
                           (int)parameters[i].name.length, parameters[i].name.bytes,
                           (int)parameters[i].value.length, parameters[i].value.bytes);
    http_request_answer(request, &(struct http_response){
                                     .code = request->trouble == HTTP_FINE ? 200 : 400,
                                     .body = {text, (uint32_t)length},
                                     .header_count = 1,
                                     .headers = {{"Content-Type", "text/plain"}},
                                 });
}

static bool echo_run(struct drain *drain, uint64_t now_us) {
    (void)now_us;
    struct echo *echo = CONTAINER_OF(drain, struct echo, drain);
    uint32_t count = echo->later_count;
    echo->later_count = 0;
    for (uint32_t i = 0; i < count; i++)
        echo_answer(echo, echo->later[i]);
    return count > 0;
}

static void stall(void) {
    (void)nanosleep(&(struct timespec){.tv_nsec = STALL_MS * 1000000}, NULL);
}

static void echo_on_request(void *context, struct http_request *request) {
    struct echo *echo = context;
    uint8_t *state = request->state;
    EXPECT_INTEGER(state[0], 0);
    state[0] = 1;
    if (request->trouble != HTTP_FINE) {
        echo_answer(echo, request);
    } else if (text_equal(request->path, TEXT("/later"))) {
        echo->later[echo->later_count++] = request;
    } else if (text_equal(request->path, TEXT("/never"))) {
        echo->never[echo->never_count++] = request;
    } else if (text_equal(request->path, TEXT("/release"))) {
        while (echo->never_count > 0)
            echo_answer(echo, echo->never[--echo->never_count]);
        echo_answer(echo, request);
    } else if (text_equal(request->path, TEXT("/stall"))) {
        stall();
        echo_answer(echo, request);
    } else if (text_equal(request->path, TEXT("/stall/never"))) {
        stall();
        echo->never[echo->never_count++] = request;
    } else if (text_equal(request->path, TEXT("/drain"))) {
        http_server_drain(echo->server);
        echo_answer(echo, request);
    } else {
        echo_answer(echo, request);
    }
}

static void echo_on_abandoned(void *context, struct http_request *request) {
    struct echo *echo = context;
    EXPECT_INTEGER(echo->never_count, 1);
    EXPECT(echo->never[0] == request);
    echo->never_count = 0;
    echo->abandoned++;
}

static void echo_stop(void *context) {
    struct echo *echo = context;
    loop_stop(echo->loop);
}

static _Noreturn void echo_main(int listener) {
    static const char *const headers[] = {"x-note", NULL};
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); // a failed test leaves nobody behind
    struct echo echo = {.loop = loop_new(), .drain.run = echo_run};
    echo.server = http_server_new(
        echo.loop, &(struct http_server_options){
                       .listener = listener,
                       .connections_max = CONNECTIONS,
                       .bodies_max = 2,
                       .body_bytes_max = BODY_MAX,
                       .url_bytes_max = URL_MAX,
                       .header_bytes_max = HEADERS_MAX,
                       .header_ms = LATE_MS,
                       .body_ms = LATE_MS,
                       .idle_ms = IDLE_MS,
                       .send_ms = LATE_MS,
                       .timed_out = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n"
                                    "Content-Length: 4\r\n\r\nlate",
                       .too_large = "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\n"
                                    "Content-Length: 7\r\n\r\nendless",
                       .headers = headers,
                       .state_bytes = 8,
                       .context = &echo,
                       .on_request = echo_on_request,
                       .on_abandoned = echo_on_abandoned,
                   });
    EXPECT(echo.server != NULL);
    loop_add_drain(echo.loop, &echo.drain);
    loop_run(echo.loop, echo_stop, &echo);
    http_server_free(echo.server);
    loop_free(echo.loop);
    exit(echo.never_count == 0 ? 0 : 1);
}

// --- clients -----------------------------------------------------------------------------------

static pid_t server_pid;
static uint16_t server_port;

static struct client *connected(void) {
    return client_connect(server_port);
}

static void server_begin(void) {
    int listener = http_listen("127.0.0.1", 0);
    EXPECT(listener >= 0);
    server_port = http_listener_port(listener);
    fflush(NULL);
    server_pid = fork();
    EXPECT(server_pid >= 0);
    if (server_pid == 0)
        echo_main(listener);
    close(listener);
}

static void server_end(void) {
    int status;
    EXPECT_INTEGER(kill(server_pid, SIGTERM), 0);
    EXPECT_INTEGER(waitpid(server_pid, &status, 0), server_pid);
    EXPECT_INTEGER(status, 0);
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: here\r\n\r\n"

static void test_keep_alive(void) {
    struct client *client = connected();
    for (int i = 0; i < 3; i++) {
        client_send(client, "GET /now HTTP/1.1\r\nHost: here\r\nX-Note: a b\r\n\r\n");
        client_expect(client, "HTTP/1.1 200 OK\r\n");
        client_expect(client, "\r\n\r\nGET /now 0 0 [a b] 0");
        client_send(client, GET("/later?a%5B%5D=1&a[]=%C3%A9+2&b"));
        client_expect(client, "\r\n\r\nGET /later 0 0 [] 0 a[]=1 a[]=\xc3\xa9 2 b=");
    }
    client_close(client);
}

static void test_pipelining(void) {
    struct client *client = connected();
    client_send(
        client,
        GET("/later?1")
            GET("/now?2") "POST /later HTTP/1.1\r\nHost: here\r\nContent-Length: 3\r\n\r\nabc" GET(
                "/now?4"));
    client_expect(client, "\r\n\r\nGET /later 0 0 [] 0 1=");
    client_expect(client, "\r\n\r\nGET /now 0 0 [] 0 2=");
    client_expect(client, "\r\n\r\nPOST /later 3 0 [] 0");
    client_expect(client, "\r\n\r\nGET /now 0 0 [] 0 4=");
    client_close(client);
}

static void test_pieces(void) {
    struct client *client = connected();
    const char *request = "POST /later HTTP/1.1\r\nHost: here\r\nX-Note: z\r\n"
                          "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n";
    for (const char *at = request; *at != '\0'; at++)
        client_send(client, (char[]){*at, '\0'});
    client_expect(client, "\r\n\r\nPOST /later 5 0 [z] 0");
    client_close(client);
}

static void test_head(void) {
    struct client *client = connected();
    client_send(client, "HEAD /later HTTP/1.1\r\nHost: here\r\n\r\n" GET("/now"));
    client_expect(client, "Content-Length: 20\r\n\r\nHTTP/1.1 200 OK\r\n");
    client_expect(client, "GET /now");
    client_close(client);
}

static void test_late_headers(void) {
    struct client *client = connected();
    client_send(client, "GET /now HTTP/1.1\r\nHost: here\r\nX-");
    EXPECT(client_ended(client));
    client_close(client);
    client = connected(); // each byte is activity, the deadline is absolute
    client_send(client, GET("/now"));
    client_expect(client, "GET /now 0 0 [] 0");
    client_send(client, "GET /now HTTP/1.1\r\n");
    struct timeval short_patience = {.tv_usec = 20000};
    setsockopt(client->descriptor, SOL_SOCKET, SO_RCVTIMEO, &short_patience, sizeof short_patience);
    int sent = 0;
    for (; sent < IDLE_MS / 40; sent++) {
        (void)send(client->descriptor, "X", 1, MSG_NOSIGNAL);
        char byte;
        ssize_t got = recv(client->descriptor, &byte, 1, 0);
        if (got == 0 || (got < 0 && errno != EAGAIN))
            break;
    }
    EXPECT(sent < IDLE_MS / 40); // not the idle one
    client_close(client);
}

static void test_late_body(void) {
    struct client *client = connected();
    client_send(client, "POST /now HTTP/1.1\r\nHost: here\r\nContent-Length: 10\r\n\r\nabc");
    client_expect(client, "HTTP/1.1 408 Request Timeout\r\n");
    client_expect(client, "late");
    EXPECT(client_ended(client));
    client_close(client);
}

static void test_idle(void) {
    struct client *client = connected();
    client_send(client, GET("/now"));
    client_expect(client, "GET /now 0 0 [] 0");
    EXPECT(client_ended(client));
    client_close(client);
}

static void client_reset(struct client *client) {
    struct linger no_linger = {.l_onoff = 1};
    setsockopt(client->descriptor, SOL_SOCKET, SO_LINGER, &no_linger, sizeof no_linger);
    client_close(client);
}

// When it returns, the server has handled what others sent before the call.
static void expect_handled(void) {
    struct client *client = connected();
    for (int turn = 0; turn < 2; turn++) {
        client_send(client, GET("/now"));
        client_expect(client, "GET /now 0 0 [] ");
        (void)client_peek(client);
        client->length = 0;
    }
    client_close(client);
}

static char abandoned_so_far(void) {
    struct client *client = connected();
    client_send(client, GET("/now"));
    client_expect(client, "GET /now 0 0 [] ");
    char abandoned = client_peek(client);
    client_close(client);
    return abandoned;
}

static void test_client_leaves(void) {
    struct client *client = connected();
    client_send(client, GET("/never"));
    expect_handled();
    client_reset(client);
    while (abandoned_so_far() == '0')
        continue;
    struct client *older = connected(); // the library looks at the oldest one first
    do { // while its request is looked at, unless it is faster
        client = connected();
        client_send(client, GET("/now") GET("/stall/never"));
        client_expect(client, "GET /now 0 0 [] 1");
        client_reset(client);
        expect_handled();
    } while (abandoned_so_far() == '1');
    client_close(older);
}

static void client_half_close(struct client *client) {
    EXPECT_INTEGER(shutdown(client->descriptor, SHUT_WR), 0);
}

static void release(void) {
    struct client *client = connected();
    client_send(client, GET("/release"));
    client_expect(client, "GET /release");
    client_close(client);
}

static void test_half_closed(void) {
    for (int i = 0; i < 20; i++) {
        struct client *client = connected();
        client_send(client, i % 2 == 0 ? GET("/now") : GET("/later"));
        client_half_close(client);
        client_expect(client, i % 2 == 0 ? "GET /now 0 0 [] 2" : "GET /later 0 0 [] 2");
        EXPECT(client_ended(client));
        client_close(client);
    }
    static const char *const waiting[] = {
        GET("/never"),
        "POST /never HTTP/1.1\r\nHost: here\r\nContent-Length: 3\r\n\r\nabc",
        ("POST /never HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n"
         "3\r\nabc\r\n0\r\n\r\n"),
    };
    for (size_t i = 0; i < COUNT_OF(waiting); i++) {
        struct client *client = connected();
        client_send(client, waiting[i]);
        client_half_close(client);
        expect_handled();
        release();
        client_expect(client, i == 0 ? "GET /never 0 0 [] 2" : "POST /never 3 0 [] 2");
        EXPECT(client_ended(client));
        client_close(client);
    }
    struct client *client = connected();
    client_send(client, GET("/later") "POST /later HTTP/1.1\r\nHost: here\r\n"
                                      "Content-Length: 3\r\n\r\nabc" GET("/never"));
    client_half_close(client);
    client_expect(client, "GET /later 0 0 [] 2");
    client_expect(client, "POST /later 3 0 [] 2");
    expect_handled(); // its last request and its end
    release();
    client_expect(client, "GET /never 0 0 [] 2");
    EXPECT(client_ended(client));
    client_close(client);
}

// Other connections keep the server from reading what came before the end.
static void test_half_closed_while_busy(void) {
    static struct client *clients[BUNDLE + 2];
    for (size_t i = 0; i < COUNT_OF(clients); i++) {
        clients[i] = connected();
        client_send(clients[i], GET("/now"));
        client_expect(clients[i], "GET /now 0 0 [] 2");
    }
    struct client *same = clients[BUNDLE], *client = clients[BUNDLE + 1];
    client_send(same, GET("/now") GET("/stall"));
    client_expect(same, "GET /now 0 0 [] 2");
    client_send(clients[0], GET("/stall"));
    client_send(client, GET("/now"));
    client_half_close(client);
    client_expect(client, "GET /now 0 0 [] 2");
    EXPECT(client_ended(client));
    for (size_t i = 0; i < COUNT_OF(clients); i++)
        client_close(clients[i]);
}

static void test_slow_answer_outlives_deadlines(void) {
    struct client *client = connected();
    struct client *other = connected();
    client_send(client, GET("/never") GET("/now"));
    EXPECT(client_ended(other)); // its header deadline, as long as the body's
    client_close(other);
    other = connected();
    client_send(other, GET("/release"));
    client_expect(other, "GET /release 0 0 [] 2");
    client_expect(client, "GET /never 0 0 [] 2");
    client_expect(client, "GET /now 0 0 [] 2");
    client_close(client);
    client_close(other);
}

static void test_big_body(void) {
    struct client *client = connected();
    static char body[BODY_MAX + 2];
    memset(body, 'b', BODY_MAX);
    client_send(client, "POST /now HTTP/1.1\r\nHost: here\r\nContent-Length: 1000\r\n\r\n");
    client_send(client, body);
    client_expect(client, "POST /now 1000 0 [] 2");
    body[BODY_MAX] = 'b';
    client_send(client, "POST /now HTTP/1.1\r\nHost: here\r\nContent-Length: 1001\r\n\r\n");
    client_send(client, body);
    client_expect(client, "400 Bad Request");
    client_expect(client, "POST /now 0 4 [] 2");
    client_send(client, "POST /now HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n"
                        "3e9\r\n");
    client_send(client, body);
    client_send(client, "\r\n0\r\n\r\n" GET("/later"));
    client_expect(client, "POST /now 0 4 [] 2");
    client_expect(client, "GET /later 0 0 [] 2");
    client_send(client, "POST /now HTTP/1.1\r\nHost: here\r\nContent-Length: 9999999999\r\n\r\n");
    client_expect(client, "Connection: close");
    client_expect(client, "POST /now 0 4 [] 2");
    EXPECT(client_ended(client));
    client_close(client);
}

static void test_endless_body(void) {
    struct client *client = connected();
    static char chunk[(64 << 10) + 16] = "10000\r\n";
    memset(chunk + 7, 'x', 64 << 10);
    memcpy(chunk + 7 + (64 << 10), "\r\n", 2);
    client_send(client, "POST /now HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < HTTP_DISCARD_BYTES_MAX >> 16; i++)
        client_send(client, chunk);
    client_send(client, "1\r\nx\r\n");
    client_expect(client, "413 Content Too Large");
    client_expect(client, "endless");
    EXPECT(client_ended(client));
    client_close(client);
}

static void test_refused(void) {
    static char url[URL_MAX + 1], header[HEADERS_MAX + 1];
    memset(url, 'u', URL_MAX);
    memset(header, 'h', HEADERS_MAX);
    static char text[4096];
    const struct {
        const char *head;
        const char *answer;
        bool closes;
        bool early; // libmicrohttpd 1.0 refuses it itself, with a page of its own
    } cases[] = {
        {"GET /%s%s HTTP/1.1\r\nHost: here\r\n\r\n", " 0 2 [] 2", false, false},
        {"GET /%.1s HTTP/1.1\r\nHost: here\r\nX-Note: %s\r\n\r\n", "hh] 2", false, false},
        {"GET /%%00%.1s%.1s HTTP/1.1\r\nHost: here\r\n\r\n", "GET / 0 6 [] 2", false, false},
        {"GET /%.1s%.1s HTTP/1.1\r\n\r\n", "GET /uh 0 7 [] 2", false, true},
        {"GET /%.1s%.1s HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "GET /uh 0 7 [] 2", false, false},
        {"POST /%.1s%.1s HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
         "POST /uh 0 1 [] 2", true, false},
        {"POST /%.1s%.1s HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n"
         "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         "POST /uh 0 1 [] 2", true, false},
        {"POST /%.1s%.1s HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\nab",
         "POST /uh 0 1 [] 2", true, true},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct client *client = connected();
        (void)snprintf(text, sizeof text, cases[i].head, url, header);
        client_send(client, text);
        client_expect(client, "400 Bad Request");
        client_expect(client, "\r\n\r\n");
        bool by_library = cases[i].early && client_peek(client) == '<';
        client_expect(client, by_library ? "</html>" : cases[i].answer);
        if (cases[i].closes || by_library) {
            EXPECT(client_ended(client));
        } else {
            client_send(client, GET("/now"));
            client_expect(client, "GET /now 0 0 [] 2");
        }
        client_close(client);
    }
}

static void test_garbage(void) {
    static const char *const garbage[] = {"\r\n\r\n\r\n", "GET\r\n\r\n", "\x16\x03\x01\x02",
                                          "GET / HTTP/9.9\r\n\r\n",
                                          "GET / HTTP/1.1\r\nno colon\r\n"};
    for (size_t i = 0; i < COUNT_OF(garbage); i++) {
        struct client *client = connected();
        client_send(client, garbage[i]);
        shutdown(client->descriptor, SHUT_WR);
        while (recv(client->descriptor, client->read, sizeof client->read, 0) > 0)
            continue;
        client_close(client);
    }
    struct client *client = connected();
    client_send(client, GET("/now"));
    client_expect(client, "GET /now 0 0 [] 2");
    client_close(client);
}

static void test_full_table(void) {
    static struct client *clients[CONNECTIONS + 1];
    for (size_t i = 0; i < COUNT_OF(clients); i++) {
        clients[i] = connected();
        client_send(clients[i], GET("/now"));
        if (i < CONNECTIONS)
            client_expect(clients[i], "GET /now 0 0 [] 2");
    }
    struct timeval patience = {.tv_sec = 1}; // in IDLE_MS others end and wake the server
    setsockopt(clients[CONNECTIONS]->descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience,
               sizeof patience);
    client_close(clients[5]);
    client_expect(clients[CONNECTIONS], "GET /now 0 0 [] 2");
    for (size_t i = 0; i < COUNT_OF(clients); i++)
        if (i != 5)
            client_close(clients[i]);
}

static uint64_t now_ms(void) {
    struct timespec now;
    EXPECT_INTEGER(clock_gettime(CLOCK_MONOTONIC, &now), 0);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

// Last bytes and end come together, which the library sees as bytes only.
static void test_client_leaves_in_the_middle(void) {
    static const char *const begun[] = {
        "GET /now HT",
        "GET /now HTTP/1.1\r\nHost: he",
        "POST /now HTTP/1.1\r\nHost: here\r\nContent-Length: 3\r\n\r\nab",
        "POST /now HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    };
    enum { TIMES = 20 };
    uint64_t start_ms = now_ms();
    for (size_t i = 0; i < TIMES * COUNT_OF(begun); i++) {
        struct client *client = connected();
        client_send(client, begun[i % COUNT_OF(begun)]);
        EXPECT_INTEGER(shutdown(client->descriptor, SHUT_WR), 0);
        EXPECT(client_ended(client));
        client_close(client);
    }
    EXPECT(now_ms() - start_ms < TIMES * LATE_MS); // not by their deadlines
}

static void test_drain(void) {
    struct client *kept = connected();
    struct client *client = connected();
    client_send(kept, GET("/now"));
    client_expect(kept, "GET /now 0 0 [] 2");
    client_send(client, GET("/drain"));
    client_expect(client, "Connection: close\r\n");
    client_expect(client, "GET /drain 0 0 [] 2");
    EXPECT(client_ended(client));
    client_send(kept, GET("/later"));
    client_expect(kept, "Connection: close\r\n");
    client_expect(kept, "GET /later 0 0 [] 2");
    EXPECT(client_ended(kept));
    client_close(kept);
    client_close(client);
}

static void test_stop_with_request_in_hand(void) {
    struct client *client = connected();
    client_send(client, GET("/never"));
    struct client *other = connected();
    client_send(other, GET("/now")); // is read after the first one's
    client_expect(other, "GET /now 0 0 [] 0");
    server_end();
    EXPECT(client_ended(client));
    client_close(other);
    client_close(client);
}

int main(void) {
    static const struct test tests[] = {
        {"a connection serves several requests, answered now and later", test_keep_alive},
        {"pipelined requests are answered in their order", test_pipelining},
        {"a chunked request may come byte by byte", test_pieces},
        {"HEAD gets the headers of GET and no body", test_head},
        {"headers that are late end the connection, however busy it is", test_late_headers},
        {"a body that is late is told so", test_late_body},
        {"an idle connection is closed", test_idle},
        {"a client that resets its connection abandons its request", test_client_leaves},
        {"a half-closed connection gets all its answers", test_half_closed},
        {"a half-closed connection gets them also from a busy server", test_half_closed_while_busy},
        {"a request in hand has no deadline here", test_slow_answer_outlives_deadlines},
        {"a body above the limit is refused, its connection lives on", test_big_body},
        {"a body that does not end is cut off with an answer", test_endless_body},
        {"what HTTP forbids is named to the owner", test_refused},
        {"garbage disturbs nobody else", test_garbage},
        {"a client that leaves in the middle of a request leaves nothing behind",
         test_client_leaves_in_the_middle},
        {"connections above the table wait", test_full_table},
        {"a drain closes each connection with its next answer", test_drain},
    };
    server_begin();
    expect_run(tests, COUNT_OF(tests));
    server_end();
    static const struct test stopped[] = {
        {"a stop abandons what is in hand", test_stop_with_request_in_hand},
    };
    server_begin();
    return expect_run(stopped, COUNT_OF(stopped));
}
