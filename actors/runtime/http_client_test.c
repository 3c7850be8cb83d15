// SPDX-License-Identifier: Apache-2.0
// Against a real server: a child that forks for each connection and answers as the path says.
#include "expect.h"
#include "http_client.h"
#include "http_listener.h"
#include "loop_until.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CALLS_MAX = 8, REPLY_MAX = 4096, DEADLINE_MS = 20000, SHORT_MS = 200, URL_BYTES = 64 };

// --- the server --------------------------------------------------------------------------------

static uint32_t *connections; // shared with the children
static uint16_t port;

static void say(int peer, const char *text) {
    (void)send(peer, text, strlen(text), MSG_NOSIGNAL); // a client that has left is no fault
}

// The head of a request, and its body of the length that it tells; false at the end.
static bool hear(int peer, char request[8192]) {
    size_t length = 0, wanted = 8191;
    while (length < wanted) {
        ssize_t got = recv(peer, request + length, 8191 - length, 0);
        if (got <= 0)
            return false;
        length += (size_t)got;
        request[length] = '\0';
        const char *end = strstr(request, "\r\n\r\n");
        if (end == NULL)
            continue;
        const char *told = strcasestr(request, "content-length: ");
        wanted = (size_t)(end + 4 - request) + (told == NULL ? 0 : strtoul(told + 16, NULL, 10));
    }
    return true;
}

static void answer_bytewise(int peer) {
    static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\npiece";
    for (size_t i = 0; i < sizeof text - 1; i++)
        (void)send(peer, text + i, 1, MSG_NOSIGNAL); // as above
}

static void answer_large(int peer) {
    static char body[REPLY_MAX + 1];
    memset(body, 'x', sizeof body);
    char head[64];
    (void)snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n",
                   sizeof body);
    say(peer, head);
    (void)send(peer, body, sizeof body, MSG_NOSIGNAL); // as above
}

static void answer_echo(int peer, const char *request) {
    char answer[9000];
    (void)snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
                   strlen(request), request);
    say(peer, answer);
}

static _Noreturn void serve(int peer) {
    char request[8192];
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (hear(peer, request)) {
        if (strstr(request, " /hangs ") != NULL)
            continue;
        if (strstr(request, " /closes ") != NULL)
            break;
        if (strstr(request, " /stops ") != NULL)
            say(peer, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\npie");
        else if (strstr(request, " /bytewise ") != NULL)
            answer_bytewise(peer);
        else if (strstr(request, " /busy ") != NULL)
            say(peer, "HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nbusy");
        else if (strstr(request, " /elsewhere ") != NULL)
            say(peer, "HTTP/1.1 302 Found\r\nLocation: /echo\r\nContent-Length: 0\r\n\r\n");
        else if (strstr(request, " /large ") != NULL)
            answer_large(peer);
        else if (strstr(request, " /nonsense ") != NULL)
            say(peer, "\x16\x03\x01 what?\r\n\r\n");
        else
            answer_echo(peer, request);
    }
    _exit(0);
}

static _Noreturn void server_main(int listener) {
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)signal(SIGCHLD, SIG_IGN);
    for (;;) {
        int peer = accept(listener, NULL, NULL);
        if (peer < 0)
            continue;
        __atomic_add_fetch(connections, 1, __ATOMIC_SEQ_CST);
        if (fork() == 0)
            serve(peer);
        close(peer);
    }
}

static void server_begin(void) {
    int listener = http_listen("127.0.0.1", 0);
    EXPECT(listener >= 0);
    EXPECT_INTEGER(fcntl(listener, F_SETFL, 0), 0);
    port = http_listener_port(listener);
    connections =
        mmap(NULL, sizeof *connections, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    EXPECT(connections != MAP_FAILED);
    fflush(NULL);
    pid_t pid = fork();
    EXPECT(pid >= 0);
    if (pid == 0)
        server_main(listener);
    close(listener);
}

// --- the client --------------------------------------------------------------------------------

struct heard {
    int code;
    char trouble[128];
    uint32_t retry_after_s;
    char body[REPLY_MAX + 1];
};

static struct loop *loop;
static struct http_client *client;
static struct heard heard[CALLS_MAX];
static uint32_t heard_order[CALLS_MAX];
static uint32_t heard_count;
static uint32_t wanted_count;

static void on_reply(void *context, void *request, const struct http_reply *reply) {
    struct heard *one = request;
    EXPECT(context == heard && heard_count < CALLS_MAX);
    heard_order[heard_count++] = (uint32_t)(one - heard);
    *one = (struct heard){.code = reply->code, .retry_after_s = reply->retry_after_s};
    (void)snprintf(one->trouble, sizeof one->trouble, "%s",
                   reply->trouble == NULL ? "" : reply->trouble);
    memcpy(one->body, reply->body.bytes == NULL ? "" : reply->body.bytes, reply->body.length);
}

static void client_begin(uint32_t connections_max) {
    loop = loop_new();
    client = http_client_new(loop, &(struct http_client_options){
                                       .connections_max = connections_max,
                                       .requests_max = CALLS_MAX - 1,
                                       .reply_bytes_max = REPLY_MAX,
                                       .context = heard,
                                       .on_reply = on_reply,
                                   });
    EXPECT(client != NULL);
    memset(heard, 0, sizeof heard);
    heard_count = 0;
}

static void client_end(void) {
    client = http_client_free(client);
    loop = loop_free(loop);
}

static bool send_to(uint32_t index, const char *url, struct text body, uint32_t deadline_ms) {
    static const char *const headers[] = {"Content-Type: application/json", "X-Mine: 7", NULL};
    return http_client_send(client, &(struct http_call){
                                        .method = body.bytes == NULL ? "GET" : "POST",
                                        .url = url,
                                        .headers = headers,
                                        .body = body,
                                        .deadline_ms = deadline_ms,
                                        .request = &heard[index],
                                    });
}

static bool send_path(uint32_t index, const char *path, struct text body, uint32_t deadline_ms) {
    char url[URL_BYTES]; // the client copies it
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u%s", port, path);
    return send_to(index, url, body, deadline_ms);
}

static bool all_heard(void *context) {
    (void)context;
    return heard_count == wanted_count;
}

static void hear_until(uint32_t count) {
    wanted_count = count;
    loop_until(loop, all_heard, NULL);
}

static const struct heard *ask(const char *path, uint32_t deadline_ms) {
    heard_count = 0;
    EXPECT(send_path(0, path, TEXT("{}"), deadline_ms));
    hear_until(1);
    return &heard[0];
}

// --- tests -------------------------------------------------------------------------------------

static void test_exchange(void) {
    client_begin(2);
    char body[] = "{\"a\":1}";
    EXPECT(send_path(0, "/echo?x=1", (struct text){body, sizeof body - 1}, DEADLINE_MS));
    memset(body, 'z', sizeof body); // it was copied
    EXPECT_INTEGER(heard_count, 0);
    hear_until(1);
    EXPECT_INTEGER(heard[0].code, 200);
    EXPECT_TEXT(text_of(heard[0].trouble), "");
    static const char *const parts[] = {"POST /echo?x=1 HTTP/1.1\r\n",
                                        "\r\nContent-Type: application/json\r\n",
                                        "\r\nX-Mine: 7\r\n",
                                        "\r\nContent-Length: 7\r\n",
                                        "\r\nUser-Agent: valorize\r\n",
                                        "\r\n\r\n{\"a\":1}"};
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        EXPECT(strstr(heard[0].body, parts[i]) != NULL);
    EXPECT(send_path(1, "/get", (struct text){0}, DEADLINE_MS));
    hear_until(2);
    EXPECT(strstr(heard[1].body, "GET /get HTTP/1.1\r\n") != NULL);
    EXPECT(strstr(heard[1].body, "Content-Length") == NULL);
    client_end();
}

static void test_connection_is_kept(void) {
    client_begin(2);
    uint32_t before = *connections;
    for (int i = 0; i < 5; i++)
        EXPECT_INTEGER(ask("/echo", DEADLINE_MS)->code, 200);
    EXPECT_INTEGER(*connections, before + 1);
    EXPECT_INTEGER(ask("/closes", DEADLINE_MS)->code, 0);
    EXPECT_INTEGER(ask("/echo", DEADLINE_MS)->code, 200);
    client_end();
}

static void test_other_answers(void) {
    client_begin(2);
    EXPECT_TEXT(text_of(ask("/bytewise", DEADLINE_MS)->body), "piece");
    const struct heard *busy = ask("/busy", DEADLINE_MS);
    EXPECT_INTEGER(busy->code, 503);
    EXPECT_INTEGER(busy->retry_after_s, 7);
    EXPECT_TEXT(text_of(busy->body), "busy");
    EXPECT_INTEGER(ask("/elsewhere", DEADLINE_MS)->code, 302);
    EXPECT_INTEGER(ask("/echo", DEADLINE_MS)->retry_after_s, 0);
    client_end();
}

static void test_trouble(void) {
    client_begin(2);
    static const struct {
        const char *path;
        uint32_t deadline_ms;
        const char *trouble;
    } rows[] = {
        {"/hangs", SHORT_MS, "Timeout was reached"},
        {"/stops", SHORT_MS, "Timeout was reached"},
        {"/closes", DEADLINE_MS, "Server returned nothing (no headers, no data)"},
        {"/large", DEADLINE_MS, "The answer is too long"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct heard *one = ask(rows[i].path, rows[i].deadline_ms);
        EXPECT_INTEGER(one->code, 0);
        EXPECT_TEXT(text_of(one->trouble), rows[i].trouble);
    }
    EXPECT_INTEGER(ask("/nonsense", DEADLINE_MS)->code, 0);
    EXPECT_INTEGER(ask("/echo", DEADLINE_MS)->code, 200); // it goes on
    client_end();
}

static void test_nobody_there(void) {
    char url[URL_BYTES];
    int listener = http_listen("127.0.0.1", 0);
    (void)snprintf(url, sizeof url, "http://localhost:%u/", http_listener_port(listener));
    close(listener);
    const char *const urls[] = {url, "http://no-such-name.invalid/", "nonsense://x/", "http://",
                                "file:///etc/passwd"};
    client_begin(2);
    for (uint32_t i = 0; i < COUNT_OF(urls); i++)
        EXPECT(send_to(i, urls[i], TEXT("{}"), SHORT_MS));
    hear_until(COUNT_OF(urls));
    for (uint32_t i = 0; i < COUNT_OF(urls); i++) {
        EXPECT_INTEGER(heard[i].code, 0);
        EXPECT(heard[i].trouble[0] != '\0');
    }
    client_end();
}

static void test_bounds(void) {
    client_begin(2);
    EXPECT(send_path(0, "/hangs", TEXT("{}"), SHORT_MS));
    EXPECT(send_path(1, "/hangs", TEXT("{}"), SHORT_MS));
    for (uint32_t i = 2; i < CALLS_MAX - 1; i++)
        EXPECT(send_path(i, "/echo", TEXT("{}"), DEADLINE_MS));
    EXPECT(!send_path(7, "/echo", TEXT("{}"), DEADLINE_MS));
    hear_until(CALLS_MAX - 1);
    EXPECT(heard_order[0] < 2); // two connections, both taken until a deadline came
    for (uint32_t i = 2; i < CALLS_MAX - 1; i++)
        EXPECT_INTEGER(heard[i].code, 200);
    client_end();
}

static void test_ends_in_the_middle(void) {
    client_begin(2);
    uint32_t before = *connections;
    EXPECT(send_path(0, "/hangs", TEXT("{}"), DEADLINE_MS));
    EXPECT(send_path(1, "/echo", TEXT("{}"), DEADLINE_MS));
    hear_until(1);
    EXPECT(*connections > before);
    client_end();
    EXPECT_INTEGER(heard_count, 1);
}

int main(void) {
    static const struct test tests[] = {
        {"a request and its answer, whole", test_exchange},
        {"connections are kept, and one that was closed is replaced", test_connection_is_kept},
        {"slow bytes, a delay, a redirect are an answer like any", test_other_answers},
        {"a server that hangs, stops, closes, floods or raves costs one request", test_trouble},
        {"nobody there, no such name, no such protocol", test_nobody_there},
        {"connections and requests are bounded", test_bounds},
        {"an end in the middle tells nobody", test_ends_in_the_middle},
    };
    (void)unsetenv("http_proxy");
    server_begin();
    return expect_run(tests, COUNT_OF(tests));
}
