// SPDX-License-Identifier: Apache-2.0
// A key a token and minute, "r:<hash of the token's id>:<minute>", grows by INCRBY, whose answer is
// the sum of all edges; it dies by itself. A go takes what is due when its time has come, at most
// RATE_REPORTS_MAX reports under way at once; the next begins when all answers are in.
#include "rate_exchange.h"

#include "digest.h"
#include "format.h"
#include "limits.h"
#include "redis.h"

#include <stdio.h>

enum {
    NO_REPORT = RATE_REPORTS_MAX, // the number of a command whose answer says nothing
    KEY_BYTES_MAX = 2 + 2 * DIGEST_SHORT_BYTES + 1 + INTEGER_TEXT_BYTES,
};
#define KEY_MS "150000" // a minute, the next, in which it still counts, and clocks that differ
static_assert(2 * RATE_REPORTS_MAX <= CACHE_TICKETS_MAX, "all answers of a go may be owed");

struct rate_exchange {
    struct rate_exchange_options options;
    struct loop *loop;
    struct redis *redis;
    struct timer timer;
    uint32_t left; // tokens of this go that are not told yet
    uint32_t owed; // answers,
    uint64_t owed_since_us; // without a break
    uint32_t count; // reports under way
    struct rate_report reports[RATE_REPORTS_MAX];
    bool refused; // the last answer was an error
    uint64_t told, lost, errors;
};

static bool exchange_send(struct rate_exchange *exchange, const struct redis_command *command,
                          uint64_t number) {
    bool sent = redis_send(exchange->redis, command, number);
    if (exchange->owed == 0)
        exchange->owed_since_us = loop_now_us(exchange->loop);
    exchange->owed += sent;
    return sent;
}

static bool exchange_say(struct rate_exchange *exchange, const char *verb, const char *key,
                         const char *value, uint64_t number) {
    struct redis_command command = {.count = 0};
    redis_argument(&command, text_of(verb));
    redis_argument(&command, text_of(key));
    redis_argument(&command, text_of(value));
    return exchange_send(exchange, &command, number);
}

// So that an outage has its end in the log though nothing is to be told.
static void exchange_up(void *context) {
    struct redis_command command = {.count = 0};
    redis_argument(&command, TEXT("PING"));
    (void)exchange_send(context, &command, NO_REPORT);
}

static void key_write(const struct rate_report *report, char key[KEY_BYTES_MAX + 1]) {
    const struct text parts[] = {TEXT("rate"), {(const char *)report->token.bytes, 16}};
    uint8_t hash[DIGEST_SHORT_BYTES];
    digest_short(parts, COUNT_OF(parts), hash);
    char *at = stpcpy(key, "r:");
    at += hex_write(hash, sizeof hash, at);
    *at++ = ':';
    at += integer_write(report->window, at);
    *at = '\0';
}

// What cannot be said is lost to the others; the edge itself has counted it.
static void exchange_tell(struct rate_exchange *exchange, const struct rate_report *report) {
    char key[KEY_BYTES_MAX + 1], count[INTEGER_TEXT_BYTES + 1];
    key_write(report, key);
    count[integer_write(report->count, count)] = '\0';
    if (!exchange_say(exchange, "INCRBY", key, count, exchange->count))
        return;
    exchange->reports[exchange->count++] = *report;
    exchange->told++;
    if (report->first)
        (void)exchange_say(exchange, "PEXPIRE", key, KEY_MS, NO_REPORT);
}

static void exchange_go_on(struct rate_exchange *exchange) {
    struct rate_report report;
    exchange->count = 0;
    while (exchange->left > 0 && exchange->count < RATE_REPORTS_MAX &&
           redis_is_up(exchange->redis)) {
        uint32_t due = rate_due(exchange->options.table);
        if (!rate_next_report(exchange->options.table, &report)) {
            exchange->left = 0;
            return;
        }
        exchange_tell(exchange, &report);
        exchange->left -= MIN(due - rate_due(exchange->options.table), exchange->left);
    }
}

static void exchange_fire(struct timer *timer, uint64_t now_us) {
    struct rate_exchange *exchange = CONTAINER_OF(timer, struct rate_exchange, timer);
    const uint64_t period_us = RATE_EXCHANGE_MS * UINT64_C(1000);
    loop_timer_set(exchange->loop, timer, now_us + period_us);
    if (exchange->owed > 0) {
        if (now_us - exchange->owed_since_us >= period_us)
            redis_break(exchange->redis, "it does not answer");
        return;
    }
    exchange->left = rate_due(exchange->options.table);
    exchange_go_on(exchange);
}

static void exchange_refused(struct rate_exchange *exchange, struct text error) {
    char sentence[256];
    exchange->errors++;
    if (exchange->refused)
        return;
    exchange->refused = true;
    (void)snprintf(sentence, sizeof sentence, "Redis refuses to count requests: %.*s",
                   (int)MIN(error.length, 160U), error.bytes);
    exchange->options.on_trouble(sentence);
}

static void exchange_answered(void *context, uint64_t number, const struct redis_answer *answer) {
    struct rate_exchange *exchange = context;
    exchange->owed--;
    if (answer->kind == REDIS_ANSWER_LOST) {
        exchange->lost++;
        exchange->left = 0;
        return;
    }
    if (answer->kind == REDIS_ANSWER_ERROR)
        exchange_refused(exchange, answer->bytes);
    if (answer->kind == REDIS_ANSWER_INTEGER && number < NO_REPORT) {
        exchange->refused = false;
        rate_learn(exchange->options.table, &exchange->reports[number], answer->integer);
    }
    if (exchange->owed == 0)
        exchange_go_on(exchange);
}

static void exchange_trouble(void *context, const char *sentence) {
    const struct rate_exchange *exchange = context;
    exchange->options.on_trouble(sentence);
}

struct rate_exchange *rate_exchange_new(struct loop *loop,
                                        const struct rate_exchange_options *options,
                                        char *ret_sentence, size_t sentence_size) {
    struct rate_exchange *exchange = calloc(1, sizeof *exchange);
    ASSERT(exchange != NULL);
    exchange->options = *options;
    exchange->loop = loop;
    exchange->timer.fire = exchange_fire;
    exchange->redis = redis_new(loop,
                                &(struct redis_options){
                                    .url = options->url,
                                    .name = options->name,
                                    .seed = options->seed,
                                    .context = exchange,
                                    .on_up = exchange_up,
                                    .on_answer = exchange_answered,
                                    .on_trouble = exchange_trouble,
                                },
                                ret_sentence, sentence_size);
    if (exchange->redis == NULL) {
        free(exchange);
        return NULL;
    }
    loop_timer_set(loop, &exchange->timer, loop_now_us(loop) + RATE_EXCHANGE_MS * UINT64_C(1000));
    return exchange;
}

struct rate_exchange *rate_exchange_free(struct rate_exchange *exchange) {
    if (exchange == NULL)
        return NULL;
    loop_timer_clear(exchange->loop, &exchange->timer);
    redis_free(exchange->redis);
    free(exchange);
    return NULL;
}

void rate_exchange_metrics(const struct rate_exchange *exchange, struct metrics *metrics) {
    metrics_gauge(metrics, "valorize_rate_shared", "1: the rate limit is that of all edges.", NULL,
                  redis_is_up(exchange->redis) && !exchange->refused ? 1 : 0);
    metrics_counter(metrics, "valorize_rate_reports_total", "Counts of a token told to Redis.",
                    NULL, exchange->told);
    metrics_counter(metrics, "valorize_rate_lost_total", "Answers of Redis that never came.", NULL,
                    exchange->lost);
    metrics_counter(metrics, "valorize_rate_errors_total", "Errors that Redis answered.", NULL,
                    exchange->errors);
}
