// SPDX-License-Identifier: Apache-2.0
#include "metrics_port.h"

#include "gather.h"
#include "http_server.h"
#include "limits.h"
#include "metrics_merge.h"

enum {
    CONNECTIONS_MAX = 64,
    ARENA_BYTES = 8 << 20, // of which only what is used costs memory
    OWN_ARENA_BYTES = 256 << 10,
};

static const char own_name[] = "supervisor";
static const char page_type[] = "text/plain; version=0.0.4; charset=utf-8";
static const char timed_out[] =
    "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
static const char too_large[] =
    "HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

struct metrics_port {
    struct loop *loop;
    struct metrics_port_options options;
    struct http_server *http;
    struct gather *gather;
    struct arena arena, own_arena;
    struct http_request *waiting[METRICS_SCRAPES_MAX]; // for what is being gathered
    uint32_t waiting_count;
    bool gathering;
};

static void answer(struct http_request *request, int code, const char *type, struct text body) {
    http_request_answer(request, &(struct http_response){
                                     .code = code,
                                     .body = body,
                                     .header_count = 1,
                                     .headers = {{"Content-Type", type}},
                                 });
}

static void refuse(struct http_request *request, int code, const char *sentence) {
    answer(request, code, "text/plain; charset=utf-8", text_of(sentence));
}

// --- one page ----------------------------------------------------------------------------------

static struct text own_page(struct metrics_port *port) {
    if (port->options.metrics == NULL)
        return (struct text){0};
    struct metrics metrics;
    arena_reset(&port->own_arena);
    metrics_begin(&metrics, &port->own_arena, own_name);
    port->options.metrics(port->options.context, &metrics);
    return metrics_end(&metrics);
}

static struct text merged_page(struct metrics_port *port) {
    struct metrics_source sources[METRICS_PROCESSES_MAX + 1];
    uint32_t count = gather_count(port->gather);
    for (uint32_t i = 0; i < count; i++)
        sources[i] =
            (struct metrics_source){gather_name(port->gather, i), gather_answer(port->gather, i)};
    if (port->options.metrics != NULL)
        sources[count++] = (struct metrics_source){own_name, own_page(port)};
    arena_reset(&port->arena);
    return metrics_merge(sources, count, &port->arena);
}

static void gathered(void *context) {
    struct metrics_port *port = context;
    struct text page = merged_page(port);
    port->gathering = false;
    uint32_t count = port->waiting_count;
    port->waiting_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (page.bytes == NULL)
            refuse(port->waiting[i], 500, "The metrics of all processes do not fit one page.\n");
        else
            answer(port->waiting[i], 200, page_type, page);
    }
}

// Who asks while a page is being made gets that page.
static void scrape(struct metrics_port *port, struct http_request *request) {
    if (port->waiting_count == METRICS_SCRAPES_MAX) {
        refuse(request, 503, "Too many ask for the metrics at once; ask again.\n");
        return;
    }
    port->waiting[port->waiting_count++] = request;
    if (port->gathering)
        return;
    const char *names[METRICS_PROCESSES_MAX];
    port->gathering = true;
    gather_start(port->gather, names, port->options.names(port->options.context, names),
                 "metrics\n");
}

// --- HTTP --------------------------------------------------------------------------------------

static void on_request(void *context, struct http_request *request) {
    struct metrics_port *port = context;
    if (request->trouble != HTTP_FINE)
        refuse(request, 400, "This request makes no sense here; GET /metrics does.\n");
    else if (!text_equal(request->method, TEXT("GET")) &&
             !text_equal(request->method, TEXT("HEAD")))
        refuse(request, 405, "Only GET is answered here.\n");
    else if (text_equal(request->path, TEXT("/metrics")))
        scrape(port, request);
    else if (text_equal(request->path, TEXT("/healthz")))
        answer(request, 200, "application/json", TEXT("{\"status\":\"alive\"}"));
    else
        refuse(request, 404, "Here are /metrics and /healthz.\n");
}

static void on_abandoned(void *context, struct http_request *request) {
    struct metrics_port *port = context;
    for (uint32_t i = 0; i < port->waiting_count; i++) {
        if (port->waiting[i] == request) {
            port->waiting[i] = port->waiting[--port->waiting_count];
            return;
        }
    }
}

struct metrics_port *metrics_port_new(struct loop *loop,
                                      const struct metrics_port_options *options) {
    static const char *const no_headers[] = {NULL};
    struct metrics_port *port = calloc(1, sizeof *port);
    if (port == NULL)
        return NULL;
    port->loop = loop;
    port->options = *options;
    arena_init(&port->arena, ARENA_BYTES);
    arena_init(&port->own_arena, OWN_ARENA_BYTES);
    port->gather = gather_new(loop, options->run_directory, port, gathered);
    port->http = http_server_new(loop, &(struct http_server_options){
                                           .listener = options->listener,
                                           .connections_max = CONNECTIONS_MAX,
                                           .bodies_max = 1,
                                           .body_bytes_max = 1024,
                                           .url_bytes_max = HTTP_URL_BYTES_MAX,
                                           .header_bytes_max = HTTP_HEADER_BYTES_MAX,
                                           .header_ms = HTTP_HEADER_MS,
                                           .body_ms = HTTP_HEADER_MS,
                                           .idle_ms = HTTP_IDLE_MS,
                                           .send_ms = HTTP_SEND_MS,
                                           .timed_out = timed_out,
                                           .too_large = too_large,
                                           .headers = no_headers,
                                           .context = port,
                                           .on_request = on_request,
                                           .on_abandoned = on_abandoned,
                                       });
    return port->http == NULL ? metrics_port_free(port) : port;
}

struct metrics_port *metrics_port_free(struct metrics_port *port) {
    if (port == NULL)
        return NULL;
    if (port->http != NULL)
        port->http = http_server_free(port->http); // abandons what waits
    port->gather = gather_free(port->gather);
    arena_deinit(&port->arena);
    arena_deinit(&port->own_arena);
    free(port);
    return NULL;
}
