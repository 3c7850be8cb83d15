// SPDX-License-Identifier: Apache-2.0
// Numbers about a process: plain fields counted in the loop, written as Prometheus text when the
// admin socket is asked. Every sample carries the label process="<name>"; HELP and TYPE stand once
// a family and process, so whoever merges several processes keeps the first. No locks, no
// registry, no allocation but the arena's.
#pragma once
#include "sheet.h"

// Times from 1 us to about an hour in buckets that grow by a quarter (four per power of two): a
// quantile is off by an eighth at most. Zero-initialized, copied and added like any number.
enum { HISTOGRAM_BUCKETS = 128 };

struct histogram {
    uint64_t buckets[HISTOGRAM_BUCKETS];
    uint64_t count;
    uint64_t sum_us;
};

void histogram_add(struct histogram *histogram, uint64_t value_us);

// The time below which `part` (0 to 1) of the values lie; 0 while there are none.
uint64_t histogram_quantile_us(const struct histogram *histogram, double part);

// A sheet of metrics being written.
struct metrics {
    struct sheet sheet;
    const char *process;
};

void metrics_begin(struct metrics *metrics, struct arena *arena, const char *process);

// name: "valorize_requests_total"; help: a sentence, or NULL for a further sample of the family
// just announced. labels: `lane="command"` or NULL.
void metrics_counter(struct metrics *metrics, const char *name, const char *help,
                     const char *labels, uint64_t value);
void metrics_gauge(struct metrics *metrics, const char *name, const char *help, const char *labels,
                   double value);

// In seconds, as Prometheus wants it: cumulative buckets at powers of two, _sum, _count.
void metrics_histogram(struct metrics *metrics, const char *name, const char *help,
                       const char *labels, const struct histogram *histogram);

// The sheet; bytes == NULL when it did not fit.
struct text metrics_end(struct metrics *metrics);
