// SPDX-License-Identifier: Apache-2.0
// What makes a rate limit one for all edges: tells Redis what this edge has counted, and learns
// from its answers what all have. No request waits for it. While Redis is down, hung or refuses,
// each edge goes on by its own count, and tells it all of the present minute when it is back.
#pragma once
#include "loop.h"
#include "metrics.h"
#include "rate.h"

struct rate_exchange;

struct rate_exchange_options {
    struct rate_table *table; // outlives the exchange
    const char *url; // of Redis
    const char *name; // of this process, for Redis to show
    uint64_t seed; // chance, for the waits between attempts
    void (*on_trouble)(const char *sentence); // for the log: Redis is gone, refuses, is back
};

// NULL after filling the sentence: the URL makes no sense or the host is unknown.
MUST_USE struct rate_exchange *rate_exchange_new(struct loop *loop,
                                                 const struct rate_exchange_options *options,
                                                 char *ret_sentence, size_t sentence_size);
struct rate_exchange *rate_exchange_free(struct rate_exchange *exchange); // accepts NULL

void rate_exchange_metrics(const struct rate_exchange *exchange, struct metrics *metrics);
