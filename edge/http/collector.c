// SPDX-License-Identifier: Apache-2.0
#include "collector.h"

#include "chance.h"
#include "format.h"
#include "http_client.h"
#include "limits.h"
#include "log.h"
#include "otlp.h"
#include "pairs.h"

#include <stdio.h>

enum {
    SETTINGS_BYTES = 64 << 10,
    HEADERS_MAX = 16,
    ATTRIBUTES_MAX = 32,
    ANSWER_BYTES_MAX = 16 << 10,
    COMPLAINT_MS = 60000, // at most one line about a collector that does not take spans
};

enum state {
    STATE_GATHERING, // until a batch is whole, or the timer
    STATE_SENDING, // its answer is awaited
    STATE_PAUSING, // until the timer; then the same message again
};

struct collector {
    struct loop *loop;
    struct collector_options options;
    struct http_client *client;
    struct timer timer;
    enum state state;
    bool flushing;
    double ratio;
    uint64_t random;
    struct arena settings; // what follows
    struct arena scratch;
    const char *url;
    const char *headers[HEADERS_MAX + 2]; // and Content-Type, and NULL
    struct text resource;
    uint32_t first, count; // of waiting[]
    struct traced *waiting; // a ring of SPANS_WAITING_MAX
    char *message; // of the batch that is sent
    uint32_t length;
    uint32_t spans; // in it
    uint32_t attempts;
    uint64_t sent, dropped_full, dropped_untaken; // spans
    bool complaining; // spans were dropped since the last that were taken
    uint64_t complained_us;
};

// --- its way out -------------------------------------------------------------------------------

static void message_send(struct collector *collector) {
    collector->state = STATE_SENDING;
    collector->attempts++;
    bool taken =
        http_client_send(collector->client, &(struct http_call){
                                                .method = "POST",
                                                .url = collector->url,
                                                .headers = collector->headers,
                                                .body = {collector->message, collector->length},
                                                .deadline_ms = SPANS_DEADLINE_MS,
                                            });
    ASSERT(taken); // one at a time
}

static void message_make(struct collector *collector) {
    struct span spans[SPANS_PER_REQUEST_MAX];
    uint32_t requests = MIN(collector->count, SPANS_BATCH_MAX);
    char *at = otlp_begin(collector->resource, collector->message);
    collector->spans = 0;
    collector->attempts = 0;
    for (uint32_t i = 0; i < requests; i++) {
        const struct traced *traced = &collector->waiting[collector->first];
        at = otlp_add(traced, i == 0, at);
        collector->spans += span_build(traced, spans);
        collector->first = (collector->first + 1) % SPANS_WAITING_MAX;
        collector->count--;
    }
    collector->length = (uint32_t)(otlp_end(at) - collector->message);
}

// Sends what waits, if there is enough of it; else when it has waited long enough.
static void collector_go_on(struct collector *collector) {
    bool at_once = collector->flushing || collector->count >= SPANS_BATCH_MAX;
    if (collector->state != STATE_GATHERING || collector->count == 0)
        return;
    if (at_once) {
        loop_timer_clear(collector->loop, &collector->timer);
        message_make(collector);
        message_send(collector);
    } else if (collector->timer.due_us == 0) {
        loop_timer_set(collector->loop, &collector->timer,
                       loop_now_us(collector->loop) + SPANS_BATCH_MS * UINT64_C(1000));
    }
}

static void collector_time_has_come(struct timer *timer, uint64_t now_us) {
    struct collector *collector = CONTAINER_OF(timer, struct collector, timer);
    (void)now_us;
    if (collector->state == STATE_GATHERING)
        message_make(collector);
    message_send(collector);
}

// --- the answer --------------------------------------------------------------------------------

static bool is_taken(const struct http_reply *reply) {
    return reply->code >= 200 && reply->code < 300;
}

// As OTLP has it; and where there is no answer at all.
static bool is_worth_another_attempt(const struct http_reply *reply) {
    static const int codes[] = {0, 429, 502, 503, 504};
    for (size_t i = 0; i < COUNT_OF(codes); i++)
        if (reply->code == codes[i])
            return true;
    return false;
}

// Twice as long each time, a quarter of it by chance; or what the collector asks for.
static uint64_t pause_ms(struct collector *collector, const struct http_reply *reply) {
    uint64_t ms = (uint64_t)SPANS_PAUSE_MS_MIN << (collector->attempts - 1);
    ms += chance_next(&collector->random) % (ms / 4);
    ms = MAX(ms, reply->retry_after_s * UINT64_C(1000));
    return MIN(ms, SPANS_PAUSE_MS_MAX);
}

static void complain(struct collector *collector, const struct http_reply *reply) {
    uint64_t now_us = loop_now_us(collector->loop);
    char code[INTEGER_TEXT_BYTES + 1];
    code[integer_write(reply->code, code)] = '\0';
    collector->complaining = true;
    if (collector->complained_us != 0 &&
        now_us - collector->complained_us < COMPLAINT_MS * UINT64_C(1000))
        return;
    collector->complained_us = now_us;
    log_line(LOG_WARNING, NULL,
             "The collector does not take spans; they are dropped. Requests are served as ever. "
             "Look at OTEL_EXPORTER_OTLP_ENDPOINT and at the collector.",
             "url", collector->url, "trouble", reply->trouble == NULL ? "" : reply->trouble, "code",
             code, NULL);
}

static void message_is_taken(struct collector *collector, const struct http_reply *reply) {
    arena_reset(&collector->scratch);
    uint64_t rejected = otlp_rejected(reply->body, &collector->scratch);
    rejected = MIN(rejected, collector->spans);
    collector->sent += collector->spans - rejected;
    collector->dropped_untaken += rejected;
    if (rejected > 0)
        complain(collector, reply);
    else if (collector->complaining)
        log_line(LOG_INFO, NULL, "The collector takes spans again.", NULL);
    collector->complaining = rejected > 0;
}

static void collector_is_answered(void *context, void *request, const struct http_reply *reply) {
    struct collector *collector = context;
    (void)request;
    collector->state = STATE_GATHERING;
    if (is_taken(reply)) {
        message_is_taken(collector, reply);
    } else if (is_worth_another_attempt(reply) && collector->attempts < SPANS_ATTEMPTS_MAX &&
               !collector->flushing) {
        collector->state = STATE_PAUSING;
        loop_timer_set(collector->loop, &collector->timer,
                       loop_now_us(collector->loop) + pause_ms(collector, reply) * 1000);
    } else {
        collector->dropped_untaken += collector->spans;
        complain(collector, reply);
    }
    collector_go_on(collector);
}

// --- its way in --------------------------------------------------------------------------------

void collector_sample(const struct collector *collector, uint8_t *trace, const uint8_t *parent) {
    trace_sample(trace, parent, collector->ratio);
}

void collector_add(struct collector *collector, const struct ended *ended) {
    if (!trace_is_sampled(ended->trace) ||
        (ended->operation != NULL && ended->operation->number == 0))
        return;
    if (collector->count == SPANS_WAITING_MAX) {
        struct span spans[SPANS_PER_REQUEST_MAX];
        struct traced traced;
        traced_take(ended, collector->options.wall_us(), &traced);
        collector->dropped_full += span_build(&traced, spans);
        return;
    }
    uint32_t place = (collector->first + collector->count) % SPANS_WAITING_MAX;
    traced_take(ended, collector->options.wall_us(), &collector->waiting[place]);
    collector->count++;
    collector_go_on(collector);
}

void collector_flush(struct collector *collector) {
    collector->flushing = true;
    if (collector->state == STATE_PAUSING) {
        loop_timer_clear(collector->loop, &collector->timer);
        message_send(collector);
    }
    collector_go_on(collector);
}

bool collector_is_empty(const struct collector *collector) {
    return collector->state == STATE_GATHERING && collector->count == 0;
}

void collector_metrics(const struct collector *collector, struct metrics *metrics) {
    metrics_counter(metrics, "valorize_spans_sent_total", "Spans that the collector took.", NULL,
                    collector->sent);
    metrics_counter(metrics, "valorize_spans_dropped_total",
                    "Spans that were lost: too many waited, or the collector did not take them.",
                    "reason=\"full\"", collector->dropped_full);
    metrics_counter(metrics, "valorize_spans_dropped_total", NULL, "reason=\"not_taken\"",
                    collector->dropped_untaken);
    metrics_gauge(metrics, "valorize_spans_requests_waiting",
                  "Requests whose spans wait for the collector.", NULL, collector->count);
}

// --- settings ----------------------------------------------------------------------------------

// The value may hold a password, and what is printed here gets into logs.
static bool refuse(const char *name, const char *wanted) {
    fprintf(stderr, "%s must be %s; its value may be a secret and is not shown.\n", name, wanted);
    return false;
}

static bool read_endpoint(struct collector *collector) {
    const char *endpoint = collector->options.config->endpoint;
    size_t length = strlen(endpoint);
    const char *host = strncmp(endpoint, "http://", 7) == 0    ? endpoint + 7
                       : strncmp(endpoint, "https://", 8) == 0 ? endpoint + 8
                                                               : "";
    if (*host == '\0' || *host == '/')
        return refuse("OTEL_EXPORTER_OTLP_ENDPOINT",
                      "the http:// or https:// address of a collector");
    while (endpoint[length - 1] == '/')
        length--;
    collector->url =
        arena_format(&collector->settings, "%.*s/v1/traces", (int)length, endpoint).bytes;
    return collector->url != NULL;
}

static bool read_headers(struct collector *collector) {
    const char *headers = collector->options.config->headers;
    struct parameter pairs[HEADERS_MAX];
    uint32_t count;
    if (!pairs_read(text_of(headers), &collector->settings, pairs, HEADERS_MAX, &count))
        return refuse("OTEL_EXPORTER_OTLP_HEADERS", "name=value,name=value");
    collector->headers[0] = "Content-Type: application/json";
    for (uint32_t i = 0; i < count; i++)
        collector->headers[i + 1] =
            arena_format(&collector->settings, "%s: %s", pairs[i].name.bytes, pairs[i].value.bytes)
                .bytes;
    return !collector->settings.overflow;
}

static bool read_resource(struct collector *collector) {
    const struct collector_config *config = collector->options.config;
    struct parameter pairs[ATTRIBUTES_MAX + 1];
    struct sheet sheet;
    uint32_t count;
    if (!pairs_read(text_of(config->resource), &collector->settings, pairs, ATTRIBUTES_MAX, &count))
        return refuse("OTEL_RESOURCE_ATTRIBUTES", "name=value,name=value");
    if (config->service[0] != '\0') { // it counts more than one among the attributes
        for (uint32_t i = 0; i < count; i++)
            if (text_equal(pairs[i].name, TEXT("service.name")))
                pairs[i--] = pairs[--count];
        pairs[count++] = (struct parameter){TEXT("service.name"), text_of(config->service)};
    }
    sheet_begin(&sheet, &collector->settings);
    otlp_resource_write(&sheet, collector->options.process, pairs, count);
    collector->resource = sheet_end(&sheet);
    return collector->resource.bytes != NULL;
}

static bool read_sampler(struct collector *collector) {
    const struct collector_config *config = collector->options.config;
    bool by_ratio = config->sampler[0] == '\0' || strcmp(config->sampler, SAMPLER_RATIO) == 0;
    if (!by_ratio && strcmp(config->sampler, SAMPLER_ALWAYS) != 0)
        return refuse("OTEL_TRACES_SAMPLER", SAMPLER_ALWAYS " or " SAMPLER_RATIO);
    collector->ratio = 1;
    if (!by_ratio || config->ratio[0] == '\0')
        return true;
    char *end;
    collector->ratio = strtod(config->ratio, &end);
    if (*end != '\0' || !(collector->ratio >= 0 && collector->ratio <= 1))
        return refuse("OTEL_TRACES_SAMPLER_ARG", "a number from 0 to 1");
    return true;
}

// --- life --------------------------------------------------------------------------------------

static bool collector_open(struct collector *collector) {
    const char *certificates = collector->options.config->certificates;
    collector->client = http_client_new(
        collector->loop, &(struct http_client_options){
                             .connections_max = 1,
                             .requests_max = 1,
                             .reply_bytes_max = ANSWER_BYTES_MAX,
                             .certificates = certificates[0] == '\0' ? NULL : certificates,
                             .context = collector,
                             .on_reply = collector_is_answered,
                         });
    collector->waiting = calloc(SPANS_WAITING_MAX, sizeof *collector->waiting);
    collector->message = malloc(OTLP_FRAME_BYTES + collector->resource.length +
                                (size_t)SPANS_BATCH_MAX * OTLP_REQUEST_BYTES_MAX);
    if (collector->client != NULL && collector->waiting != NULL && collector->message != NULL)
        return true;
    fprintf(stderr, "There is not enough memory for spans.\n");
    return false;
}

struct collector *collector_new(struct loop *loop, const struct collector_options *options) {
    struct collector *collector = calloc(1, sizeof *collector);
    ASSERT(collector != NULL);
    collector->loop = loop;
    collector->options = *options;
    collector->random = options->seed;
    collector->timer.fire = collector_time_has_come;
    arena_init(&collector->settings, SETTINGS_BYTES);
    arena_init(&collector->scratch, 4 * (size_t)ANSWER_BYTES_MAX);
    return read_endpoint(collector) && read_headers(collector) && read_sampler(collector) &&
                   read_resource(collector) && collector_open(collector)
               ? collector
               : collector_free(collector);
}

struct collector *collector_free(struct collector *collector) {
    if (collector == NULL)
        return NULL;
    http_client_free(collector->client);
    loop_timer_clear(collector->loop, &collector->timer);
    arena_deinit(&collector->settings);
    arena_deinit(&collector->scratch);
    free(collector->waiting);
    free(collector->message);
    free(collector);
    return NULL;
}
