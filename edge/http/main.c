// SPDX-License-Identifier: Apache-2.0
// valorize-http: HTTP on one side, the bus on the other, one loop.
#include "clock.h"
#include "digest.h"
#include "http_listener.h"
#include "limits.h"
#include "process.h"
#include "rate_exchange.h"
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

enum {
    RATE_LIMIT_USUAL = 6000, // a hundred a second: no app asks so much, a client run wild does
    RATE_LIMIT_NOT_SAID = -1,
};
enum { DRAIN_LOOK_MS = 20, DRAIN_RESERVE_MS = 1000 }; // the rest of DRAIN_MS is the session's
static_assert((int)HTTP_DRAIN_IDLE_MS < (int)DRAIN_MS - (int)DRAIN_RESERVE_MS,
              "clients that ask while idle connections end are answered");

struct http_config {
    struct process_config base;
    const char *address;
    int64_t port;
    int64_t cloud_port;
    int64_t listen_fd;
    bool testing;
    struct collector_config collector;
    int64_t rate_limit;
    const char *redis_url;
};

static const struct setting settings[] = {
    PROCESS_SETTINGS(struct http_config, base, "http-1"),
    {"VALORIZE_HTTP_ADDRESS", SETTING_TEXT, 1, 45, "127.0.0.1", "numeric address to listen on",
     offsetof(struct http_config, address)},
    {"VALORIZE_HTTP_PORT", SETTING_INTEGER, 0, 65535, "8080", "port to listen on; 0: a free one",
     offsetof(struct http_config, port)},
    {"PORT", SETTING_INTEGER, -1, 65535, "-1",
     "port to listen on, before VALORIZE_HTTP_PORT; -1: not set",
     offsetof(struct http_config, cloud_port)},
    {"VALORIZE_LISTEN_FD", SETTING_INTEGER, -1, 1 << 20, "-1",
     "inherited listening socket, instead of address and port",
     offsetof(struct http_config, listen_fd)},
    {"VALORIZE_TESTING", SETTING_BOOLEAN, 0, 1, "0", "1: operations for tests exist",
     offsetof(struct http_config, testing)},
    COLLECTOR_SETTINGS(struct http_config, collector),
    {"VALORIZE_RATE_LIMIT", SETTING_INTEGER, RATE_LIMIT_NOT_SAID, RATE_LIMIT_MAX, "-1",
     "requests a minute of one token; 0: no limit; -1: 6000, none with VALORIZE_TESTING",
     offsetof(struct http_config, rate_limit)},
    {"REDIS_URL", SETTING_TEXT, 0, 4000, "",
     "the Redis through which edges share that limit; empty: each has its own",
     offsetof(struct http_config, redis_url)},
};

struct edge {
    struct loop *loop;
    struct process *process;
    struct rate_table *rates; // NULL: no limit
    struct rate_exchange *exchange; // NULL: not shared
    struct server *server;
    struct collector *collector; // NULL: spans are not wanted
    struct timer drain_timer;
    uint64_t drain_until_us;
    bool flushing; // no client is left, only spans are
};

static void edge_on_answer(void *context, void *request, const struct answer *answer) {
    struct edge *edge = context;
    server_on_answer(edge->server, request, answer);
}

static void edge_on_event(void *context, const struct envelope *envelope, struct text body) {
    struct edge *edge = context;
    server_on_event(edge->server, envelope, body);
}

static void edge_on_missed(void *context) {
    struct edge *edge = context;
    server_on_missed(edge->server);
}

static void edge_metrics(void *context, struct metrics *metrics) {
    struct edge *edge = context;
    server_metrics(edge->server, metrics);
    if (edge->collector != NULL)
        collector_metrics(edge->collector, metrics);
    if (edge->exchange != NULL)
        rate_exchange_metrics(edge->exchange, metrics);
}

static void edge_on_trouble(const char *sentence) {
    log_line(LOG_WARNING, NULL, sentence, "counts", "rate limits", NULL);
}

// Clients that keep their connections are served to the end of the time there is; the collector has
// a little more.
static void edge_look_whether_quiet(struct timer *timer, uint64_t now_us) {
    struct edge *edge = CONTAINER_OF(timer, struct edge, drain_timer);
    bool quiet = server_quiet(edge->server);
    if (quiet && !edge->flushing) {
        edge->flushing = true;
        edge->drain_until_us = MIN(edge->drain_until_us, now_us + SPANS_FLUSH_MS * UINT64_C(1000));
    }
    bool told = edge->collector == NULL || collector_is_empty(edge->collector);
    if ((quiet && told) || now_us >= edge->drain_until_us)
        process_finish(edge->process);
    else
        loop_timer_set(edge->loop, timer, now_us + DRAIN_LOOK_MS * 1000);
}

static void edge_on_terminate(void *context) {
    struct edge *edge = context;
    uint64_t now_us = loop_now_us(edge->loop);
    server_drain(edge->server);
    if (edge->collector != NULL)
        collector_flush(edge->collector);
    edge->drain_until_us = now_us + (DRAIN_MS - DRAIN_RESERVE_MS) * 1000;
    loop_timer_set(edge->loop, &edge->drain_timer, now_us + 1);
}

// -1 after a sentence on stderr.
static int edge_listen(const struct http_config *config) {
    if (config->listen_fd >= 0) {
        int listener = (int)config->listen_fd;
        int flags = fcntl(listener, F_GETFL);
        if (flags >= 0 && http_listener_port(listener) != 0 &&
            fcntl(listener, F_SETFL, flags | O_NONBLOCK) == 0 &&
            fcntl(listener, F_SETFD, FD_CLOEXEC) == 0)
            return listener;
        fprintf(stderr, "VALORIZE_LISTEN_FD=%d is no listening socket.\n", listener);
        return -1;
    }
    int64_t port = config->cloud_port >= 0 ? config->cloud_port : config->port;
    int listener = http_listen(config->address, (uint16_t)port);
    if (listener < 0 && errno == EINVAL)
        fprintf(stderr, "VALORIZE_HTTP_ADDRESS must be a numeric address, not \"%s\".\n",
                config->address);
    else if (listener < 0)
        fprintf(stderr, "Cannot listen on %s port %d: %s. Choose another VALORIZE_HTTP_PORT.\n",
                config->address, (int)port, strerror(errno));
    return listener;
}

// Where anybody may make tokens, a limit a token keeps nobody out.
static int64_t edge_rate_limit(const struct http_config *config) {
    if (config->rate_limit != RATE_LIMIT_NOT_SAID)
        return config->rate_limit;
    return config->testing ? 0 : RATE_LIMIT_USUAL;
}

// False after a sentence on stderr.
static bool edge_make_rates(struct edge *edge, const struct http_config *config) {
    uint32_t limit = (uint32_t)edge_rate_limit(config);
    if (limit == 0)
        return true;
    char sentence[512] = "There is not enough memory to count the requests of tokens";
    edge->rates = rate_table_new(limit);
    if (edge->rates != NULL && config->redis_url[0] == '\0')
        return true;
    uint64_t seed;
    digest_random(&seed, sizeof seed);
    if (edge->rates != NULL)
        edge->exchange = rate_exchange_new(edge->loop,
                                           &(struct rate_exchange_options){
                                               .table = edge->rates,
                                               .url = config->redis_url,
                                               .name = config->base.name,
                                               .seed = seed,
                                               .on_trouble = edge_on_trouble,
                                           },
                                           sentence, sizeof sentence);
    if (edge->exchange == NULL)
        fprintf(stderr, "%s.\n", sentence);
    return edge->exchange != NULL;
}

static bool edge_make(struct edge *edge, const struct http_config *config, int listener) {
    uint64_t seed;
    digest_random(&seed, sizeof seed);
    if (config->collector.endpoint[0] != '\0') {
        edge->collector = collector_new(edge->loop, &(struct collector_options){
                                                        .config = &config->collector,
                                                        .process = config->base.name,
                                                        .seed = seed,
                                                        .wall_us = clock_wall_us,
                                                    });
        if (edge->collector == NULL)
            return false;
    }
    edge->server = server_new(&(struct server_options){
        .loop = edge->loop,
        .listener = listener,
        .connections_max = http_connections_allowed(HTTP_CONNECTIONS_MAX),
        .rates = edge->rates,
        .testing = config->testing,
        .access_log = strcmp(config->base.log_level, "debug") == 0,
        .seed = seed,
        .wall_us = clock_wall_us,
        .collector = edge->collector,
    });
    if (edge->server == NULL) {
        fprintf(stderr, "There is not enough memory for the tables of the HTTP edge.\n");
        return false;
    }
    edge->process = process_new(edge->loop, &(struct process_options){
                                                .config = &config->base,
                                                .role = ROLE_EDGE,
                                                .listener = listener,
                                                .context = edge,
                                                .on_answer = edge_on_answer,
                                                .on_event = edge_on_event,
                                                .on_missed = edge_on_missed,
                                                .on_terminate = edge_on_terminate,
                                                .metrics = edge_metrics,
                                            });
    if (edge->process == NULL)
        return false;
    server_attach(edge->server, process_session(edge->process));
    return true;
}

int main(int argument_count, char **arguments) {
    struct http_config config;
    config_read(settings, COUNT_OF(settings), &config, argument_count, arguments);
    process_prepare(&config.base);
    int listener = edge_listen(&config);
    if (listener < 0)
        return 1;
    struct edge edge = {.loop = loop_new(), .drain_timer.fire = edge_look_whether_quiet};
    char port[8];
    (void)snprintf(port, sizeof port, "%u", http_listener_port(listener));
    int code = 1;
    if (edge_make_rates(&edge, &config) && edge_make(&edge, &config, listener)) {
        log_line(LOG_INFO, NULL, "Listening.", "address", config.address, "port", port, NULL);
        code = process_run(edge.process);
    }
    edge.server = server_free(edge.server); // ends what is in hand, on the session
    edge.collector = collector_free(edge.collector);
    edge.process = process_free(edge.process);
    edge.exchange = rate_exchange_free(edge.exchange);
    edge.rates = rate_table_free(edge.rates);
    edge.loop = loop_free(edge.loop);
    return code;
}
