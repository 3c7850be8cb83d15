// SPDX-License-Identifier: Apache-2.0
// A request is a `struct call` from its first line to its answer. It goes through the functions
// of this file from top to bottom; each either hands it on or answers it (call_end):
//   call_begin -> call_route -> call_authenticate -> (look-up) -> call_admit -> call_send -> (bus)
#include "server.h"

#include "codec.h"
#include "document.h"
#include "http_server.h"
#include "journal.h"
#include "json.h"
#include "json_binding.h"
#include "key.h"
#include "limits.h"
#include "log.h"
#include "media.h"
#include "messages.h"
#include "openapi.h"
#include "operations.h"
#include "problem.h"
#include "router.h"
#include "tenant.h"
#include "timing.h"
#include "trace.h"

#include <stdio.h>

enum {
    SCRATCH_BYTES = 4 << 20, // one request's fields and packed body, or one error's text
    BARE_ANSWER_BYTES = 512,
    DELAY_BYTES = 16,
};

enum known_header {
    HEADER_AUTHORIZATION,
    HEADER_ACCEPT,
    HEADER_CONTENT_TYPE,
    HEADER_IDEMPOTENCY_KEY,
    HEADER_REQUEST_ID,
    HEADER_TRACEPARENT,
    HEADER_ORIGIN,
};

static const char *const known_headers[] = {
    [HEADER_AUTHORIZATION] = "authorization",
    [HEADER_ACCEPT] = "accept",
    [HEADER_CONTENT_TYPE] = "content-type",
    [HEADER_IDEMPOTENCY_KEY] = "idempotency-key",
    [HEADER_REQUEST_ID] = "x-request-id",
    [HEADER_TRACEPARENT] = "traceparent",
    [HEADER_ORIGIN] = "origin",
    NULL,
};

// Answered here, without the bus.
enum { PAGE_ALIVE, PAGE_READY, PAGE_OPENAPI, PAGE_COUNT };
static const struct operation pages[PAGE_COUNT] = {
    [PAGE_ALIVE] = {.name = "healthz", .method = "GET", .path = "/healthz"},
    [PAGE_READY] = {.name = "readyz", .method = "GET", .path = "/readyz"},
    [PAGE_OPENAPI] = {.name = "openapi", .method = "GET", .path = "/api/openapi.json"},
};

struct call {
    struct waiter waiter; // first: a look-up's waiters are found back as their calls
    struct server *server;
    struct http_request *http;
    const struct operation *operation; // NULL until one is found
    struct lookup *lookup; // while it waits for one
    struct token token;
    struct uuid tenant;
    struct rate_verdict rate; // seconds == 0: not judged
    bool on_bus;
    uint64_t correlation; // while it is on the bus
    uint32_t parameter_count;
    struct parameter parameters[ROUTE_PARAMETERS_MAX];
    struct trip trips[TRIP_COUNT];
    uint8_t trace[TRACE_BYTES];
    uint8_t parent[SPAN_ID_BYTES];
    char id[REQUEST_ID_BYTES_MAX + 1];
};

struct server {
    struct server_options options;
    struct session *session;
    struct http_server *http;
    struct router *router;
    struct tenant_table *tenants;
    struct journal *journal;
    struct arena scratch;
    const struct operation *authenticate;
    uint64_t random;
    bool draining;
    char timed_out[BARE_ANSWER_BYTES];
    char too_large[BARE_ANSWER_BYTES];
    const char **route_names; // operations, then pages
};

static void call_send(struct call *call);

// --- the answer --------------------------------------------------------------------------------

static void header_add(struct http_response *response, const char *name, const char *value) {
    ASSERT(response->header_count < HTTP_RESPONSE_HEADERS_MAX);
    response->headers[response->header_count++] = (struct http_header){name, value};
}

static uint32_t route_index(const struct call *call) {
    const struct operation *operation = call->operation;
    if (operation == NULL)
        return operation_count + PAGE_COUNT;
    if (operation >= pages && operation < pages + PAGE_COUNT)
        return operation_count + (uint32_t)(operation - pages);
    return (uint32_t)(operation - operations);
}

static uint64_t call_now_us(const struct call *call) {
    return loop_now_us(call->server->options.loop);
}

static void call_note(const struct call *call, enum status status) {
    journal_add(call->server->journal, &(struct ended){
                                           .operation = call->operation,
                                           .route = route_index(call),
                                           .method = call->http->method,
                                           .path = call->http->path,
                                           .id = call->id,
                                           .tenant = call->tenant,
                                           .trace = call->trace,
                                           .parent = call->parent,
                                           .status = status,
                                           .received_us = call->http->received_us,
                                           .now_us = call_now_us(call),
                                           .trips = call->trips,
                                       });
}

static void call_time(const struct call *call, char text[TIMING_BYTES]) {
    struct timing timing = timing_of(call_now_us(call) - call->http->received_us, call->trips);
    timing_write(&timing, text);
}

// The end of every call. answer is NULL where no message went out; allow only for two statuses.
static void call_end(struct call *call, enum status status, struct text body,
                     const struct answer *answer, const char *allow) {
    char timing[TIMING_BYTES];
    char retry[DELAY_BYTES], rate[RATE_TEXT_BYTES];
    struct http_response response = {.code = status_http(status), .body = body};
    call_time(call, timing);
    if (body.length > 0)
        header_add(&response, "Content-Type", "application/json");
    header_add(&response, "X-Request-Id", call->id);
    header_add(&response, "Server-Timing", timing);
    header_add(&response, "Access-Control-Allow-Origin", "*");
    if (call->http->headers[HEADER_ORIGIN].bytes != NULL)
        header_add(&response, "Access-Control-Expose-Headers",
                   "X-Request-Id, Server-Timing, Retry-After, Idempotency-Replayed, RateLimit, "
                   "RateLimit-Policy");
    if (problem_wants_retry(status)) {
        uint64_t delay_us = answer == NULL ? 0 : answer->retry_after_us;
        uint64_t delay_s =
            status == STATUS_OVER_LIMIT ? call->rate.seconds : (delay_us + 999999) / 1000000;
        (void)snprintf(retry, sizeof retry, "%u", (unsigned)MAX(RETRY_AFTER_S, delay_s));
        header_add(&response, "Retry-After", retry);
    }
    if (call->rate.seconds > 0) {
        rate_write(&call->rate, rate);
        header_add(&response, "RateLimit-Policy", rate_policy(call->server->options.rates));
        header_add(&response, "RateLimit", rate);
    }
    if (answer != NULL && (answer->block.flags & REPLY_REPLAYED) != 0)
        header_add(&response, "Idempotency-Replayed", "true");
    if (status == STATUS_UNAUTHENTICATED)
        header_add(&response, "WWW-Authenticate", "Bearer");
    if (allow != NULL)
        header_add(&response, "Allow", allow);
    call_note(call, status);
    http_request_answer(call->http, &response);
}

static void call_fail(struct call *call, const struct failure *failure, const struct answer *answer,
                      const char *allow) {
    struct arena *scratch = &call->server->scratch;
    arena_reset(scratch); // the failure's texts are the callers': none is here
    call_end(call, failure->status, problem_write(failure, scratch), answer, allow);
}

static void call_refuse(struct call *call, enum status status) {
    call_fail(call, &(struct failure){.status = status}, NULL, NULL);
}

// --- its way in --------------------------------------------------------------------------------

static void preflight(struct call *call, const char *allow) {
    char timing[TIMING_BYTES];
    struct http_response response = {.code = status_http(STATUS_NO_CONTENT)};
    call_time(call, timing);
    header_add(&response, "X-Request-Id", call->id);
    header_add(&response, "Server-Timing", timing);
    header_add(&response, "Allow", allow);
    header_add(&response, "Access-Control-Allow-Origin", "*");
    header_add(&response, "Access-Control-Allow-Methods", allow);
    header_add(&response, "Access-Control-Allow-Headers",
               "Authorization, Content-Type, Accept, Idempotency-Key, X-Request-Id, traceparent, "
               "If-Match, If-None-Match");
    header_add(&response, "Access-Control-Max-Age", "86400");
    call_note(call, STATUS_NO_CONTENT);
    http_request_answer(call->http, &response);
}

// While a whole class of actors is missing, another edge may have it. Operations are not counted:
// one that only actors of the next release know is refused, and no reason to take the edge away.
static bool server_is_ready(const struct server *server) {
    return !server->draining && session_ready(server->session) &&
           session_is_served(server->session, 1U << ROLE_QUERY | 1U << ROLE_COMMAND);
}

static void page_answer(struct call *call) {
    const struct server *server = call->server;
    switch (call->operation - pages) {
    case PAGE_ALIVE:
        call_end(call, STATUS_OK, TEXT("{\"status\":\"alive\"}"), NULL, NULL);
        return;
    case PAGE_READY:
        if (server_is_ready(server))
            call_end(call, STATUS_OK, TEXT("{\"status\":\"ready\"}"), NULL, NULL);
        else
            call_refuse(call, STATUS_UNAVAILABLE);
        return;
    default:
        call_end(call, STATUS_OK, (struct text){openapi_json, openapi_json_length}, NULL, NULL);
    }
}

static void call_look_up(struct call *call) {
    struct server *server = call->server;
    bool first;
    call->lookup = tenant_lookup_join(server->tenants, &call->token, &call->waiter, &first);
    if (call->lookup == NULL) {
        call_refuse(call, STATUS_BUSY);
        return;
    }
    if (!first)
        return;
    struct authenticate_request request = {
        .token_id = call->token.id,
        .secret_hash = {(const char *)call->token.secret_hash, sizeof call->token.secret_hash},
    };
    struct outgoing outgoing = {
        .operation = server->authenticate, .trace = call->trace, .request = call->lookup};
    uint64_t correlation; // not kept: a look-up is not cancelled, the next request profits
    arena_reset(&server->scratch);
    enum status status =
        codec_encode(&authenticate_request_message, &request, &server->scratch, &outgoing.body);
    if (status == STATUS_OK)
        status = session_request(server->session, &outgoing, &correlation);
    if (status == STATUS_OK)
        return;
    (void)tenant_lookup_fail(server->tenants, TAKE(call->lookup)); // this call alone waited
    call_refuse(call, status);
}

// Its tenant is known: it counts.
static void call_admit(struct call *call) {
    struct rate_table *rates = call->server->options.rates;
    char sentence[RATE_SENTENCE_BYTES];
    if (rates != NULL)
        call->rate = rate_take(rates, call->token.id, call->server->options.wall_us());
    if (rates == NULL || call->rate.passes) {
        call_send(call);
        return;
    }
    rate_explain(rates, &call->rate, sentence);
    struct failure failure = {.status = STATUS_OVER_LIMIT, .sentence = text_of(sentence)};
    call_fail(call, &failure, NULL, NULL);
}

static void call_authenticate(struct call *call) {
    struct server *server = call->server;
    if (!token_parse(call->http->headers[HEADER_AUTHORIZATION], &call->token)) {
        call_refuse(call, STATUS_UNAUTHENTICATED);
        return;
    }
    switch (tenant_find(server->tenants, &call->token, loop_now_us(server->options.loop),
                        server->options.wall_us(), &call->tenant)) {
    case TENANT_KNOWN:
        call_admit(call);
        return;
    case TENANT_UNKNOWN:
        call_refuse(call, STATUS_UNAUTHENTICATED);
        return;
    case TENANT_NOT_HERE:
        call_look_up(call);
    }
}

static void call_route(struct call *call) {
    struct http_request *http = call->http;
    struct route_match match;
    enum status status = router_find(call->server->router, http->method, http->path, &match);
    if (status == STATUS_METHOD_NOT_ALLOWED && text_equal(http->method, TEXT("OPTIONS"))) {
        preflight(call, match.allow);
        return;
    }
    if (status != STATUS_OK) {
        call_fail(call, &(struct failure){.status = status}, NULL,
                  status == STATUS_METHOD_NOT_ALLOWED ? match.allow : NULL);
        return;
    }
    call->operation = match.operation;
    call->parameter_count = match.parameter_count;
    memcpy(call->parameters, match.parameters, sizeof call->parameters);
    if (!media_accepts_json(http->headers[HEADER_ACCEPT]))
        call_refuse(call, STATUS_NOT_ACCEPTABLE);
    else if (match.operation >= pages && match.operation < pages + PAGE_COUNT)
        page_answer(call);
    else if (match.operation->authenticated)
        call_authenticate(call);
    else
        call_send(call);
}

static void call_begin(void *context, struct http_request *http) {
    static const enum status troubles[] = {
        [HTTP_NO_HOST] = STATUS_NO_HOST,
        [HTTP_MALFORMED] = STATUS_UNFRAMED,
        [HTTP_URL_TOO_LONG] = STATUS_URL_TOO_LONG,
        [HTTP_HEADERS_TOO_LARGE] = STATUS_HEADERS_TOO_LARGE,
        [HTTP_BODY_TOO_LARGE] = STATUS_TOO_LARGE,
        [HTTP_FULL] = STATUS_BUSY,
        [HTTP_PATH_WITH_NUL] = STATUS_NOT_FOUND,
    };
    struct server *server = context;
    struct call *call = http->state;
    call->server = server;
    call->http = http;
    trace_begin(http->headers[HEADER_TRACEPARENT], &server->random, call->trace, call->parent);
    if (server->options.collector != NULL)
        collector_sample(server->options.collector, call->trace, call->parent);
    request_id_begin(http->headers[HEADER_REQUEST_ID], call->trace, call->id);
    if (http->trouble != HTTP_FINE)
        call_refuse(call, troubles[http->trouble]);
    else
        call_route(call);
}

static void call_abandon(void *context, struct http_request *http) {
    struct server *server = context;
    struct call *call = http->state;
    if (call->lookup != NULL)
        tenant_lookup_leave(call->lookup, &call->waiter);
    if (call->on_bus)
        session_cancel(server->session, call->correlation);
}

// --- onto the bus ------------------------------------------------------------------------------

// Checks the key and the fields, so that all that is wrong is told at once.
static enum status call_pack(struct call *call, struct failure *failure, struct text *ret_body) {
    struct arena *scratch = &call->server->scratch;
    struct http_request *http = call->http;
    struct parameter query[HTTP_PARAMETERS_MAX];
    struct binding_source source = {
        .path = call->parameters,
        .path_count = call->parameter_count,
        .query = query,
        .query_count = http_request_parameters(http, query),
        .body = http->body,
    };
    if (http->body.length > 0 && binding_wants_body(call->operation) &&
        !media_is_json(http->headers[HEADER_CONTENT_TYPE]))
        return failure->status = STATUS_UNSUPPORTED_MEDIA;
    enum status status = binding_pack(call->operation, &source, scratch, failure, ret_body);
    struct text key = http->headers[HEADER_IDEMPOTENCY_KEY];
    if (call->operation->kind == OPERATION_COMMAND && key.bytes != NULL && !key_is_sane(key) &&
        (status == STATUS_OK || status == STATUS_INVALID))
        failure_add(failure, TEXT("Idempotency-Key"),
                    TEXT("The Idempotency-Key must be 1 to 255 printable ASCII characters."));
    return failure->status;
}

static void call_send(struct call *call) {
    struct server *server = call->server;
    struct failure failure = {.status = STATUS_OK};
    uint64_t held_us = 0;
    struct outgoing outgoing = {
        .operation = call->operation,
        .tenant = call->tenant,
        .trace = call->trace,
        .request = call,
        .flags = FLAG_EXPANDS,
        .ret_held_us = &held_us,
    };
    arena_reset(&server->scratch);
    enum status status = call_pack(call, &failure, &outgoing.body);
    if (status != STATUS_OK) {
        call_end(call, status, problem_write(&failure, &server->scratch), NULL, NULL);
        return;
    }
    uint8_t key[16];
    struct text key_text = call->http->headers[HEADER_IDEMPOTENCY_KEY];
    if (call->operation->kind == OPERATION_COMMAND && key_text.bytes != NULL) {
        key_hash(key_text, call->tenant, call->operation, key);
        outgoing.key = key;
    }
    status = session_request(server->session, &outgoing, &call->correlation);
    call->on_bus = status == STATUS_OK;
    failure.status = status;
    if (status != STATUS_OK)
        call_fail(call, &failure, &(struct answer){.retry_after_us = (uint32_t)held_us}, NULL);
}

// --- and back ----------------------------------------------------------------------------------

// Its document is plain: a look-up asks without FLAG_EXPANDS.
static void lookup_end(struct server *server, struct lookup *lookup, const struct answer *answer) {
    struct waiter *waiters;
    enum status refusal = answer->status;
    struct session_view view = {0};
    arena_reset(&server->scratch);
    if (answer->status == STATUS_UNAUTHENTICATED) {
        waiters = tenant_lookup_settle(server->tenants, lookup, NULL, 0,
                                       loop_now_us(server->options.loop));
    } else if (answer->status == STATUS_OK &&
               json_read_view(&session_view_message, answer->body, &server->scratch, &view)) {
        int64_t expires_at_us = view.has_expires_at ? view.expires_at : 0;
        bool expired = expires_at_us != 0 && expires_at_us <= server->options.wall_us();
        refusal = expired ? STATUS_UNAUTHENTICATED : STATUS_OK;
        waiters = tenant_lookup_settle(server->tenants, lookup, expired ? NULL : &view.tenant_id,
                                       expires_at_us, loop_now_us(server->options.loop));
    } else {
        if (answer->status == STATUS_OK)
            refusal = STATUS_INTERNAL;
        waiters = tenant_lookup_fail(server->tenants, lookup);
    }
    for (struct waiter *next; waiters != NULL; waiters = next) {
        next = waiters->next;
        struct call *call = CONTAINER_OF(waiters, struct call, waiter);
        call->lookup = NULL;
        call->tenant = view.tenant_id;
        call->trips[TRIP_LOOK_UP] = trip_of(answer, call->http->received_us, call_now_us(call));
        if (refusal == STATUS_OK)
            call_admit(call);
        else
            call_fail(call, &(struct failure){.status = refusal}, answer, NULL);
    }
}

static void call_succeed(struct call *call, const struct answer *answer) {
    struct text document;
    arena_reset(&call->server->scratch);
    if (document_expand(answer->body, &call->server->scratch, &document)) {
        call_end(call, call->operation->success, document, answer, NULL);
        return;
    }
    log_line(LOG_ERROR, call->trace, "A reply's document is malformed.", "operation",
             call->operation->name, NULL);
    call_fail(call, &(struct failure){.status = STATUS_INTERNAL}, answer, NULL);
}

void server_on_answer(void *context, void *request, const struct answer *answer) {
    struct server *server = context;
    struct lookup *lookup = tenant_lookup_of(server->tenants, request);
    if (lookup != NULL) {
        lookup_end(server, lookup, answer);
        return;
    }
    struct call *call = request;
    call->on_bus = false;
    call->trips[TRIP_OWN] = trip_of(answer, call->http->received_us, call_now_us(call));
    if (answer->status == STATUS_OK || answer->status == call->operation->success) {
        call_succeed(call, answer);
        return;
    }
    struct failure failure;
    if (!failure_decode(&failure, answer->status, answer->body))
        failure = (struct failure){.status = answer->status};
    call_fail(call, &failure, answer, NULL);
}

void server_on_event(void *context, const struct envelope *envelope, struct text body) {
    struct server *server = context;
    if (envelope->kind == KIND_GAP) {
        tenant_table_clear(server->tenants); // a revocation may be among the dropped ones
        return;
    }
    if (envelope->operation != EVENT_AUTH_REVOKED)
        return;
    if (body.length == 0)
        tenant_revoke_all(server->tenants, envelope->tenant);
    struct uuid id;
    for (uint32_t at = 0; at + sizeof id <= body.length; at += (uint32_t)sizeof id) {
        memcpy(&id, body.bytes + at, sizeof id);
        tenant_revoke_token(server->tenants, id);
    }
}

void server_on_missed(void *context) {
    struct server *server = context;
    tenant_table_clear(server->tenants); // a revocation may have been missed
}

// --- its life ----------------------------------------------------------------------------------

static bool server_make_answers(struct server *server) {
    arena_reset(&server->scratch);
    return problem_write_bare(STATUS_TIMED_OUT, "Request Timeout", &server->scratch,
                              server->timed_out, sizeof server->timed_out) &&
           problem_write_bare(STATUS_TOO_LARGE, "Content Too Large", &server->scratch,
                              server->too_large, sizeof server->too_large);
}

static bool server_make_routes(struct server *server) {
    server->router = router_new();
    server->route_names = calloc(operation_count + PAGE_COUNT, sizeof *server->route_names);
    if (server->router == NULL || server->route_names == NULL)
        return false;
    router_add(server->router, operations, operation_count, server->options.testing);
    router_add(server->router, pages, PAGE_COUNT, false);
    for (uint32_t i = 0; i < operation_count; i++)
        server->route_names[i] = operations[i].name;
    for (uint32_t i = 0; i < PAGE_COUNT; i++)
        server->route_names[operation_count + i] = pages[i].name;
    server->authenticate = operation_find(OPERATION_AUTHENTICATE);
    server->journal = journal_new(&(struct journal_options){
        .route_names = server->route_names,
        .route_count = operation_count + PAGE_COUNT,
        .every_request = server->options.access_log,
        .collector = server->options.collector,
    });
    return server->authenticate != NULL && server->journal != NULL;
}

struct server *server_new(const struct server_options *options) {
    struct server *server = calloc(1, sizeof *server);
    if (server == NULL)
        return NULL;
    server->options = *options;
    server->random = options->seed;
    arena_init(&server->scratch, SCRATCH_BYTES);
    server->tenants = tenant_table_new();
    if (server->tenants == NULL || !server_make_routes(server) || !server_make_answers(server))
        return server_free(server);
    server->http = http_server_new(options->loop, &(struct http_server_options){
                                                      .listener = options->listener,
                                                      .connections_max = options->connections_max,
                                                      .bodies_max = HTTP_BODIES_MAX,
                                                      .body_bytes_max = HTTP_BODY_BYTES_MAX,
                                                      .url_bytes_max = HTTP_URL_BYTES_MAX,
                                                      .header_bytes_max = HTTP_HEADER_BYTES_MAX,
                                                      .header_ms = HTTP_HEADER_MS,
                                                      .body_ms = HTTP_BODY_MS,
                                                      .idle_ms = HTTP_IDLE_MS,
                                                      .send_ms = HTTP_SEND_MS,
                                                      .timed_out = server->timed_out,
                                                      .too_large = server->too_large,
                                                      .headers = known_headers,
                                                      .state_bytes = sizeof(struct call),
                                                      .context = server,
                                                      .on_request = call_begin,
                                                      .on_abandoned = call_abandon,
                                                  });
    return server->http == NULL ? server_free(server) : server;
}

struct server *server_free(struct server *server) {
    if (server == NULL)
        return NULL;
    http_server_free(server->http);
    router_free(server->router);
    tenant_table_free(server->tenants);
    journal_free(server->journal);
    arena_deinit(&server->scratch);
    free(server->route_names);
    free(server);
    return NULL;
}

void server_attach(struct server *server, struct session *session) {
    server->session = session;
}

void server_drain(struct server *server) {
    server->draining = true;
    http_server_drain(server->http);
}

bool server_quiet(const struct server *server) {
    return http_server_connections(server->http) == 0;
}

void server_metrics(const struct server *server, struct metrics *metrics) {
    metrics_gauge(metrics, "valorize_http_connections", "Open connections.", NULL,
                  http_server_connections(server->http));
    metrics_gauge(metrics, "valorize_http_requests_in_hand", "Requests not answered yet.", NULL,
                  http_server_requests(server->http));
    journal_metrics(server->journal, metrics);
}
