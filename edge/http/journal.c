// SPDX-License-Identifier: Apache-2.0
#include "journal.h"

#include "format.h"
#include "limits.h"
#include "log.h"
#include "timing.h"

struct budget {
    uint64_t second; // of the lines counted in `lines`
    uint32_t lines;
};

struct journal {
    struct journal_options options;
    struct traffic *traffic;
    struct budget refusals, others;
    uint64_t lines_left_out;
};

struct journal *journal_new(const struct journal_options *options) {
    struct journal *journal = calloc(1, sizeof *journal);
    if (journal == NULL)
        return NULL;
    journal->options = *options;
    journal->traffic = traffic_new(options->route_count);
    return journal->traffic == NULL ? journal_free(journal) : journal;
}

struct journal *journal_free(struct journal *journal) {
    if (journal == NULL)
        return NULL;
    traffic_free(journal->traffic);
    free(journal);
    return NULL;
}

// --- the log -----------------------------------------------------------------------------------

// NULL: nobody will ask. The edge's own pages (their number is 0) say "not ready" as their purpose.
static const char *why_notable(const struct ended *ended) {
    if (ended->operation != NULL && ended->operation->number == 0)
        return NULL;
    if (status_http(ended->status) >= status_http(STATUS_INTERNAL))
        return "A request failed.";
    for (int i = 0; i < TRIP_COUNT; i++)
        if (ended->trips[i].sends > 1)
            return "A request had to be sent again.";
    if (ended->now_us - ended->received_us >= NOTABLE_SLOW_MS * UINT64_C(1000))
        return "A request was slow.";
    return NULL;
}

// Nothing was begun. In an overload there are thousands a second, each like the one before.
static bool is_refusal(enum status status) {
    return status == STATUS_BUSY || status == STATUS_QUARANTINED || status == STATUS_UNAVAILABLE;
}

static bool line_is_allowed(struct journal *journal, const struct ended *ended) {
    struct budget *budget = is_refusal(ended->status) ? &journal->refusals : &journal->others;
    uint64_t second = ended->now_us / 1000000;
    if (second != budget->second)
        *budget = (struct budget){.second = second};
    if (budget->lines == NOTABLE_LINES_MAX) {
        journal->lines_left_out++;
        return false;
    }
    budget->lines++;
    return true;
}

static void line_write(const struct ended *ended, enum log_level level, const char *message) {
    char code[INTEGER_TEXT_BYTES + 1], duration[INTEGER_TEXT_BYTES + 1];
    char sends[INTEGER_TEXT_BYTES + 1], text[TIMING_BYTES];
    uint64_t total_us = ended->now_us - ended->received_us;
    struct timing timing = timing_of(total_us, ended->trips);
    timing_write(&timing, text);
    code[integer_write(status_http(ended->status), code)] = '\0';
    duration[integer_write((int64_t)total_us, duration)] = '\0';
    sends[integer_write(ended->trips[TRIP_OWN].sends, sends)] = '\0';
    log_line(level, ended->trace, message, "method", ended->method.bytes, "path", ended->path.bytes,
             "code", code, "status", status_name(ended->status), "microseconds", duration, "timing",
             text, "sends", sends, "request_id", ended->id, NULL);
}

// --- all of it ---------------------------------------------------------------------------------

void journal_add(struct journal *journal, const struct ended *ended) {
    traffic_count(journal->traffic, ended->route, ended->status,
                  ended->now_us - ended->received_us);
    if (journal->options.collector != NULL)
        collector_add(journal->options.collector, ended);
    const char *notable = why_notable(ended);
    if (notable != NULL && line_is_allowed(journal, ended))
        line_write(ended, LOG_INFO, notable);
    else if (journal->options.every_request)
        line_write(ended, LOG_DEBUG, "A request was answered.");
}

void journal_metrics(const struct journal *journal, struct metrics *metrics) {
    traffic_write(journal->traffic, journal->options.route_names, metrics);
    metrics_counter(metrics, "valorize_http_lines_left_out_total",
                    "Lines about notable requests that did not go into the log: too many a second.",
                    NULL, journal->lines_left_out);
}
