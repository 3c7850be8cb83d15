// SPDX-License-Identifier: Apache-2.0
// Spans on their way to an OpenTelemetry collector, by OTLP over HTTP in JSON: SPANS_BATCH_MAX
// requests or SPANS_BATCH_MS together, one message at a time. A collector that is down, slow or
// busy is asked again a few times; meanwhile spans wait, bounded, and beyond that they are dropped
// and counted. Requests never wait for it.
#pragma once
#include "collector_settings.h"
#include "ended.h"
#include "metrics.h"

struct collector;

struct collector_options {
    const struct collector_config *config; // with an endpoint
    const char *process; // "http-1"
    uint64_t seed; // of the pauses between attempts
    int64_t (*wall_us)(void);
};

// NULL after a sentence on stderr: a setting that makes no sense, or memory is short.
struct collector *collector_new(struct loop *loop, const struct collector_options *options);

// What waits is dropped. Accepts NULL, returns NULL.
struct collector *collector_free(struct collector *collector);

// To be called where a trace begins: decides whether it is sampled, see trace.h.
void collector_sample(const struct collector *collector, uint8_t *trace, const uint8_t *parent);

// Takes the spans of a request, if it is sampled and no page of the edge's own.
void collector_add(struct collector *collector, const struct ended *ended);

// The process ends: what waits, and what is still added, is sent at once and asked about once.
void collector_flush(struct collector *collector);
bool collector_is_empty(const struct collector *collector); // nothing waits or is under way

void collector_metrics(const struct collector *collector, struct metrics *metrics);
