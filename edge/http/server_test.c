// SPDX-License-Identifier: Apache-2.0
// The whole edge over real sockets; only the bus is played by the test: session_request and its
// sisters are the ones below. A transaction's memo says how the bus answers.
#include "codec.h"
#include "expect.h"
#include "expect_http.h"
#include "format.h"
#include "http_listener.h"
#include "log.h"
#include "messages.h"
#include "operations.h"
#include "server.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

// --- the bus -----------------------------------------------------------------------------------

enum { HELD_MAX = 16 };

struct session {
    struct server *server;
    struct drain drain;
    struct held {
        struct outgoing outgoing; // body and key are set when it is answered
        uint64_t correlation;
        bool has_key;
        uint8_t key[16];
        uint32_t body_length;
        char body[4096];
    } held[HELD_MAX];
    uint32_t held_count;
    uint32_t lookups;
    uint32_t cancels;
    uint64_t correlations;
    bool ready;
    uint64_t roles;
};

static struct session bus;
static struct arena bus_arena;
static struct loop *bus_loop;

enum status session_request(struct session *session, const struct outgoing *outgoing,
                            uint64_t *ret_correlation) {
    EXPECT(session->held_count < HELD_MAX);
    struct held *held = &session->held[session->held_count++];
    held->outgoing = *outgoing;
    EXPECT(outgoing->body.length <= sizeof held->body);
    held->body_length = outgoing->body.length;
    memcpy(held->body, outgoing->body.bytes, outgoing->body.length);
    held->has_key = outgoing->key != NULL;
    if (held->has_key)
        memcpy(held->key, outgoing->key, sizeof held->key);
    held->correlation = *ret_correlation = ++session->correlations;
    return STATUS_OK;
}

void session_cancel(struct session *session, uint64_t correlation) {
    for (uint32_t i = 0; i < session->held_count; i++)
        if (session->held[i].correlation == correlation) {
            session->held[i] = session->held[--session->held_count];
            session->cancels++;
            return;
        }
    expect_failed_(__FILE__, __LINE__, "a correlation that is held");
}

bool session_ready(const struct session *session) {
    return session->ready;
}

bool session_is_served(const struct session *session, uint64_t roles) {
    return (session->roles & roles) == roles;
}

static void bus_answer_lookup(const struct outgoing *outgoing, struct answer *answer) {
    struct authenticate_request request;
    bus.lookups++;
    EXPECT_INTEGER(
        codec_decode(&authenticate_request_message, outgoing->body, &bus_arena, &request),
        STATUS_OK);
    EXPECT_INTEGER(request.secret_hash.length, 32);
    switch (request.token_id.bytes[15]) {
    case 1: // far in the future
        answer->body = TEXT("{\"tenant_id\":\"aaaaaaaa-0000-7000-8000-000000000001\","
                            "\"expires_at\":\"2199-01-01T00:00:00Z\",\"abilities\":[\"*\"]}");
        return;
    case 2:
        answer->status = STATUS_UNAUTHENTICATED;
        return;
    case 3:
        answer->body = TEXT("{\"tenant_id\":\"aaaaaaaa-0000-7000-8000-000000000001\","
                            "\"expires_at\":\"2001-01-01T00:00:00Z\",\"abilities\":[\"*\"]}");
        return;
    default:
        answer->status = STATUS_UNAVAILABLE;
    }
}

static void bus_answer_memo(struct text memo, struct answer *answer) {
    static struct failure failure;
    if (text_equal(memo, TEXT("replayed"))) {
        answer->block.flags = REPLY_REPLAYED;
    } else if (text_equal(memo, TEXT("busy"))) {
        answer->status = STATUS_BUSY;
        answer->retry_after_us = 2500000;
        answer->body = (struct text){0};
    } else if (text_equal(memo, TEXT("refused"))) {
        failure_reset(&failure);
        failure_add(&failure, TEXT("account_id"), TEXT("The account is closed."));
        answer->status = STATUS_INVALID;
        answer->body = failure_encode(&failure, &bus_arena);
    } else if (text_equal(memo, TEXT("revoked"))) {
        struct uuid tenant = {{0xaa, 0xaa, 0xaa, 0xaa, 0, 0, 0x70, 0, 0x80}};
        tenant.bytes[15] = 1;
        server_on_event(bus.server,
                        &(struct envelope){
                            .kind = KIND_EVENT, .operation = EVENT_AUTH_REVOKED, .tenant = tenant},
                        (struct text){0});
    } else if (text_equal(memo, TEXT("gap"))) { // one event was dropped
        server_on_event(bus.server,
                        &(struct envelope){.kind = KIND_GAP, .operation = EVENT_AUTH_REVOKED},
                        TEXT("\x91\x01"));
    } else if (text_equal(memo, TEXT("missed"))) {
        server_on_missed(bus.server);
    }
}

static void bus_answer(const struct outgoing *outgoing) {
    char key[33] = "none", tenant[37] = "";
    if (outgoing->key != NULL)
        key[hex_write(outgoing->key, 16, key)] = '\0';
    tenant[uuid_write(outgoing->tenant, tenant)] = '\0';
    struct answer answer = {
        .sent_us = loop_now_us(bus_loop),
        .block = {.actor_us = 0, .version = 1},
        .body = arena_format(&bus_arena,
                             "{\"operation\":\"%s\",\"tenant\":\"%s\",\"key\":\"%s\","
                             "\"lookups\":%u,\"cancels\":%u}",
                             outgoing->operation->name, tenant, key, bus.lookups, bus.cancels),
    };
    if (outgoing->operation->number == OPERATION_AUTHENTICATE) {
        bus_answer_lookup(outgoing, &answer);
    } else if (outgoing->operation->number == OPERATION_CREATE_TRANSACTION) {
        struct create_transaction_request request;
        EXPECT_INTEGER(
            codec_decode(outgoing->operation->request, outgoing->body, &bus_arena, &request),
            STATUS_OK);
        bus_answer_memo(request.memo, &answer);
    }
    server_on_answer(bus.server, outgoing->request, &answer);
}

static bool is_kept(const struct held *held) {
    return memmem(held->body, held->body_length, "forever", 7) != NULL;
}

static bool bus_run(struct drain *drain, uint64_t now_us) {
    (void)drain;
    (void)now_us;
    for (uint32_t i = 0; i < bus.held_count; i++) {
        if (is_kept(&bus.held[i]))
            continue;
        struct held held = bus.held[i];
        held.outgoing.body = (struct text){held.body, held.body_length};
        held.outgoing.key = held.has_key ? held.key : NULL;
        bus.held[i] = bus.held[--bus.held_count];
        arena_reset(&bus_arena);
        bus_answer(&held.outgoing);
        return true;
    }
    return false;
}

// --- the edge in a child -----------------------------------------------------------------------

static pid_t edge_pid;
static uint16_t edge_port;

static int64_t wall_us(void) {
    return 1800000000000000; // 2027
}

static void edge_stop(void *context) {
    (void)context;
    loop_stop(bus_loop);
}

static _Noreturn void edge_main(int listener) {
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    log_init("http-test", LOG_ERROR);
    bus_loop = loop_new();
    arena_init(&bus_arena, 1 << 16);
    bus.ready = true;
    bus.roles = UINT64_MAX;
    bus.drain.run = bus_run;
    bus.server = server_new(&(struct server_options){
        .loop = bus_loop,
        .listener = listener,
        .connections_max = 64,
        .testing = false,
        .seed = 42,
        .wall_us = wall_us,
    });
    EXPECT(bus.server != NULL);
    server_attach(bus.server, &bus);
    loop_add_drain(bus_loop, &bus.drain);
    loop_run(bus_loop, edge_stop, NULL);
    server_free(bus.server);
    arena_deinit(&bus_arena);
    loop_free(bus_loop);
    exit(bus.held_count == 0 ? 0 : 1);
}

static void edge_begin(void) {
    int listener = http_listen("127.0.0.1", 0);
    EXPECT(listener >= 0);
    edge_port = http_listener_port(listener);
    fflush(NULL);
    edge_pid = fork();
    EXPECT(edge_pid >= 0);
    if (edge_pid == 0)
        edge_main(listener);
    close(listener);
}

static void edge_end(void) {
    int status;
    EXPECT_INTEGER(kill(edge_pid, SIGTERM), 0);
    EXPECT_INTEGER(waitpid(edge_pid, &status, 0), edge_pid);
    EXPECT_INTEGER(status, 0);
}

// --- requests ----------------------------------------------------------------------------------

#define TOKEN(n) "01890000-0000-7000-8000-0000000000" n "|0123456789012345678901234567890123456789"
#define AUTH "Host: here\r\nAuthorization: Bearer " TOKEN("01") "\r\n"
#define ID "01890000-0000-7000-8000-000000000077"

// One request on a connection of its own that ends with the answer.
static struct client *asked(const char *line, const char *headers, const char *body) {
    static char text[32 << 10];
    struct client *client = client_connect(edge_port);
    int length = snprintf(text, sizeof text,
                          "%s HTTP/1.1\r\n%sContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
                          line, headers, strlen(body), body);
    EXPECT(length > 0 && (size_t)length < sizeof text);
    client_send(client, text);
    return client;
}

static void ask(const char *line, const char *headers, const char *body,
                const char *const *wanted) {
    struct client *client = asked(line, headers, body);
    for (; *wanted != NULL; wanted++)
        client_expect(client, *wanted);
    client_close(client);
}
#define ASK(line, headers, body, ...) \
    ask(line, headers, body, (const char *const[]){__VA_ARGS__, NULL})

#define TRANSACTION(memo) \
    "{\"account_id\":\"" ID "\",\"amount\":{\"value\":5,\"currency\":\"BRL\"}," \
    "\"date\":\"2026-11-23\",\"memo\":\"" memo "\"}"

static void test_paths(void) {
    ASK("GET /nowhere", "Host: here\r\n", "", "404", "Content-Type: application/json",
        "Server-Timing: edge;dur=", "{\"message\":\"Not found.\"}");
    ASK("PATCH /api/transactions", "Host: here\r\n", "", "405", "Allow: GET, HEAD, POST, OPTIONS",
        "{\"message\":");
    ASK("OPTIONS /api/transactions", "Host: here\r\nOrigin: http://a\r\n", "", "204",
        "Server-Timing: edge;dur=0.", "Access-Control-Allow-Origin: *",
        "Access-Control-Allow-Methods: GET, HEAD, POST, OPTIONS",
        "Access-Control-Allow-Headers: Authorization");
    ASK("POST /api/testing/load-test-user", "Host: here\r\n", "", "404");
    ASK("GET /healthz", "Host: here\r\n", "", "200", "{\"status\":\"alive\"}");
    ASK("GET /readyz", "Host: here\r\n", "", "200", "{\"status\":\"ready\"}");
    ASK("GET /api/openapi.json", "Host: here\r\n", "", "200", "\"openapi\"");
}

static void test_tokens(void) {
    ASK("GET /api/transactions", "Host: here\r\n", "", "401", "WWW-Authenticate: Bearer",
        "{\"message\":\"Unauthenticated.\"}");
    ASK("GET /api/transactions", "Host: here\r\nAuthorization: Bearer nonsense\r\n", "", "401");
    ASK("GET /api/transactions", "Host: here\r\nAuthorization: Bearer " TOKEN("02") "\r\n", "",
        "401");
    ASK("GET /api/transactions", "Host: here\r\nAuthorization: Bearer " TOKEN("02") "\r\n", "",
        "401");
    ASK("GET /api/transactions", "Host: here\r\nAuthorization: Bearer " TOKEN("03") "\r\n", "",
        "401");
    ASK("GET /api/transactions", "Host: here\r\nAuthorization: Bearer " TOKEN("04") "\r\n", "",
        "503", "Retry-After: 1");
    for (int i = 0; i < 3; i++) // 02 once, 03 once, 04 once, and this one once
        ASK("GET /api/transactions", AUTH, "", "200", "Server-Timing: edge;dur=", "bus;dur=",
            "{\"operation\":\"list_transactions\","
            "\"tenant\":\"aaaaaaaa-0000-7000-8000-000000000001\"",
            "\"lookups\":4");
    ASK("POST /api/transactions", AUTH, TRANSACTION("revoked"), "201", "\"lookups\":4");
    ASK("GET /api/transactions", AUTH, "", "200", "\"lookups\":5");
}

static void test_missed_revocations(void) {
    ASK("POST /api/transactions", AUTH, TRANSACTION("gap"), "201", "\"lookups\":5");
    ASK("GET /api/transactions", AUTH, "", "200", "\"lookups\":6");
    ASK("POST /api/transactions", AUTH, TRANSACTION("missed"), "201", "\"lookups\":6");
    ASK("GET /api/transactions", AUTH, "", "200", "\"lookups\":7");
}

static void test_joined_lookups(void) {
    struct client *clients[5];
    for (size_t i = 0; i < COUNT_OF(clients); i++) {
        clients[i] = client_connect(edge_port);
        client_send(clients[i], "GET /readyz HTTP/1.1\r\nHost: here\r\n\r\n");
        client_expect(clients[i], "ready");
    }
    ASK("POST /api/transactions", AUTH, TRANSACTION("revoked"), "201");
    for (size_t i = 0; i < COUNT_OF(clients); i++)
        client_send(clients[i], "GET /api/accounts HTTP/1.1\r\n" AUTH "\r\n");
    for (size_t i = 0; i < COUNT_OF(clients); i++) {
        client_expect(clients[i], "\"operation\":\"list_accounts\"");
        client_expect(clients[i], "\"lookups\":8");
        client_close(clients[i]);
    }
}

static void test_fields(void) {
    ASK("POST /api/transactions", AUTH, "{\"amount\":{\"value\":\"x\"}}", "422", "(and ",
        "more errors)\",\"errors\":{", "\"account_id\":[\"", "\"amount.value\":[\"");
    ASK("POST /api/transactions", AUTH, "", "422", "\"account_id\":[\"");
    ASK("POST /api/transactions", AUTH, "{\"a\":", "400", "{\"message\":");
    ASK("POST /api/transactions", AUTH, "{\"memo\":\"\xff\"}", "400");
    ASK("POST /api/transactions", AUTH, "{\"memo\":\"a\",\"memo\":\"b\"}", "400");
    ASK("POST /api/transactions", AUTH "Content-Type: text/plain\r\n", "{}", "415");
    ASK("GET /api/transactions", AUTH "Accept: text/html\r\n", "", "406");
    ASK("GET /api/transactions/" ID, AUTH, "", "200", "show_transaction");
    ASK("GET /api/transactions/no-uuid", AUTH, "", "404");
    ASK("GET /api/transactions?page=0", AUTH, "", "422", "\"page\":[\"");
    ASK("GET /api/transactions?accounts%5B%5D=" ID "&accounts=" ID "&accounts[]=no", AUTH, "",
        "422", "\"accounts.2\":[\"");
    ASK("GET /api/transactions?unknown=1&per_page=100", AUTH, "", "200");
}

static void test_limits(void) {
    static char long_query[9000], body[70000];
    (void)snprintf(long_query, sizeof long_query, "GET /api/transactions?x=%08191d", 7);
    ASK(long_query, AUTH, "", "414", "{\"message\":\"The address is too long.\"}");
    (void)snprintf(body, sizeof body, AUTH "X-Filler: %08191d\r\n", 7);
    ASK("GET /api/transactions", body, "", "431", "{\"message\":");
    struct client *client = client_connect(edge_port);
    client_send(client, "POST /api/transactions HTTP/1.1\r\n" AUTH "Content-Length: 65537\r\n\r\n");
    memset(body, ' ', 65537);
    body[65537] = '\0';
    client_send(client, body);
    client_expect(client, "413");
    client_expect(client, "{\"message\":\"The request body is too large.\"}");
    client_send(client, "GET /healthz HTTP/1.1\r\nHost: here\r\n\r\n");
    client_expect(client, "alive");
    client_close(client);
    char *at = stpcpy(body, "GET /api/transactions?a");
    for (int i = 0; i < 600; i++)
        at = stpcpy(at, "&a");
    ASK(body, AUTH, "", "414");
}

// The key with which a request reached the bus.
static void key_of(const char *line, const char *headers, char ret_key[33]) {
    struct client *client = asked(line, headers, TRANSACTION("a"));
    client_expect(client, "\"key\":\"");
    while (client->length < 33) {
        ssize_t got = recv(client->descriptor, client->read + client->length,
                           sizeof client->read - client->length, 0);
        EXPECT(got > 0);
        client->length += (size_t)got;
    }
    memcpy(ret_key, client->read, 32);
    ret_key[32] = '\0';
    EXPECT(client->read[32] == '"');
    client_close(client);
}

static void test_keys(void) {
    char first[33], again[33], other[33], elsewhere[33];
    key_of("POST /api/transactions", AUTH "Idempotency-Key: k 1~\r\n", first);
    key_of("POST /api/transactions", AUTH "Idempotency-Key: k 1~\r\n", again);
    key_of("POST /api/transactions", AUTH "Idempotency-Key: k 2~\r\n", other);
    key_of("PUT /api/transactions/" ID, AUTH "Idempotency-Key: k 1~\r\n", elsewhere);
    EXPECT_TEXT(text_of(again), first);
    EXPECT(strcmp(first, other) != 0);
    EXPECT(strcmp(first, elsewhere) != 0);
    ASK("POST /api/transactions", AUTH, TRANSACTION("a"), "201", "\"key\":\"none\"");
    ASK("GET /api/transactions", AUTH "Idempotency-Key: k\r\n", "", "200", "\"key\":\"none\"");
    static char headers[1024];
    for (unsigned length = 255; length <= 256; length++) {
        (void)snprintf(headers, sizeof headers, AUTH "Idempotency-Key: %0*d\r\n", (int)length, 1);
        ASK("POST /api/transactions", headers, TRANSACTION("a"), length == 255 ? "201" : "422",
            length == 255 ? "create_transaction" : "{\"Idempotency-Key\":[\"");
    }
    ASK("POST /api/transactions", AUTH "Idempotency-Key: \xc3\xa9\r\n", "{}", "422",
        "\"account_id\":[\"", "\"Idempotency-Key\":[\"");
    ASK("POST /api/transactions", AUTH "Idempotency-Key:\r\n", TRANSACTION("a"), "422");
}

static void test_answer_headers(void) {
    ASK("POST /api/transactions", AUTH "X-Request-Id: mine-7\r\nOrigin: http://a\r\n",
        TRANSACTION("replayed"), "201 Created", "X-Request-Id: mine-7",
        "Access-Control-Allow-Origin: *", "Access-Control-Expose-Headers: X-Request-Id",
        "Idempotency-Replayed: true", "create_transaction");
    ASK("POST /api/transactions", AUTH, TRANSACTION("busy"), "503", "Retry-After: 3",
        "{\"message\":\"The service is full");
    ASK("POST /api/transactions", AUTH, TRANSACTION("refused"), "422",
        "{\"message\":\"The account is closed.\",\"errors\":{\"account_id\":"
        "[\"The account is closed.\"]}}");
    struct client *client = client_connect(edge_port);
    client_send(client, "HEAD /api/transactions HTTP/1.1\r\n" AUTH "\r\n"
                        "GET /healthz HTTP/1.1\r\nHost: here\r\n\r\n");
    client_expect(client, "\r\n\r\nHTTP/1.1 200 OK");
    client_close(client);
}

static void test_cancel(void) {
    struct client *client = client_connect(edge_port);
    static const char body[] = TRANSACTION("forever");
    char text[1024];
    (void)snprintf(text, sizeof text,
                   "POST /api/transactions HTTP/1.1\r\n" AUTH "Content-Length: %zu\r\n\r\n%s",
                   sizeof(body) - 1, body);
    client_send(client, text);
    for (int turn = 0; turn < 2; turn++) // so that it is on the bus
        ASK("GET /healthz", "Host: here\r\n", "", "200");
    struct linger no_linger = {.l_onoff = 1}; // only a reset says that nobody reads an answer
    setsockopt(client->descriptor, SOL_SOCKET, SO_LINGER, &no_linger, sizeof no_linger);
    client_close(client);
    bool cancelled = false;
    for (int tries = 0; !cancelled; tries++) {
        EXPECT(tries < 1000);
        client = asked("GET /api/transactions", AUTH, "");
        client_expect(client, "\"cancels\":");
        while (client->length == 0) {
            ssize_t got = recv(client->descriptor, client->read, 1, 0);
            EXPECT(got == 1);
            client->length = 1;
        }
        cancelled = client->read[0] == '1';
        client_close(client);
    }
}

int main(void) {
    static const struct test tests[] = {
        {"paths, methods and pages without the bus", test_paths},
        {"a token is looked up once, until it is revoked", test_tokens},
        {"tokens are looked up again when revocations may have been missed",
         test_missed_revocations},
        {"requests with one token wait for one look-up", test_joined_lookups},
        {"what is wrong with a request is told field by field", test_fields},
        {"what is too large is told so", test_limits},
        {"the client's key is checked and passed on for commands only", test_keys},
        {"an answer brings its headers", test_answer_headers},
        {"a client that resets its connection cancels its message", test_cancel},
    };
    edge_begin();
    expect_run(tests, COUNT_OF(tests));
    edge_end();
    return 0;
}
