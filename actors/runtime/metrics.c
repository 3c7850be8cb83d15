// SPDX-License-Identifier: Apache-2.0
#include "metrics.h"

enum {
    QUARTERS = 4, // buckets a power of two
    BOUND_FIRST = 4, // bounds told to Prometheus: 2^4 us to 2^24 us
    BOUND_LAST = 24,
};

static uint32_t bucket_of(uint64_t value_us) {
    if (value_us < QUARTERS)
        return (uint32_t)value_us;
    uint32_t exponent = 63 - (uint32_t)__builtin_clzll(value_us);
    uint32_t quarter = (uint32_t)(value_us >> (exponent - 2)) & (QUARTERS - 1);
    return MIN(QUARTERS * (exponent - 1) + quarter, HISTOGRAM_BUCKETS - 1);
}

// The smallest value of a bucket.
static uint64_t bucket_start(uint32_t bucket) {
    if (bucket < QUARTERS)
        return bucket;
    uint32_t exponent = bucket / QUARTERS + 1;
    return (uint64_t)(QUARTERS + bucket % QUARTERS) << (exponent - 2);
}

void histogram_add(struct histogram *histogram, uint64_t value_us) {
    histogram->buckets[bucket_of(value_us)]++;
    histogram->count++;
    histogram->sum_us += value_us;
}

uint64_t histogram_quantile_us(const struct histogram *histogram, double part) {
    if (histogram->count == 0)
        return 0;
    double wanted = part * (double)histogram->count;
    uint64_t seen = 0;
    for (uint32_t bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
        seen += histogram->buckets[bucket];
        if (histogram->buckets[bucket] > 0 && (double)seen >= wanted)
            return (bucket_start(bucket) + bucket_start(bucket + 1)) / 2;
    }
    return bucket_start(HISTOGRAM_BUCKETS - 1);
}

void metrics_begin(struct metrics *metrics, struct arena *arena, const char *process) {
    *metrics = (struct metrics){.process = process};
    sheet_begin(&metrics->sheet, arena);
}

static void metrics_announce(struct metrics *metrics, const char *name, const char *help,
                             const char *type) {
    if (help != NULL)
        sheet_print(&metrics->sheet, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static const char *separator(const char *labels) {
    return labels == NULL ? "" : ",";
}

void metrics_counter(struct metrics *metrics, const char *name, const char *help,
                     const char *labels, uint64_t value) {
    metrics_announce(metrics, name, help, "counter");
    sheet_print(&metrics->sheet, "%s{process=\"%s\"%s%s} %llu\n", name, metrics->process,
                separator(labels), labels == NULL ? "" : labels, (unsigned long long)value);
}

void metrics_gauge(struct metrics *metrics, const char *name, const char *help, const char *labels,
                   double value) {
    metrics_announce(metrics, name, help, "gauge");
    sheet_print(&metrics->sheet, "%s{process=\"%s\"%s%s} %.10g\n", name, metrics->process,
                separator(labels), labels == NULL ? "" : labels, value);
}

void metrics_histogram(struct metrics *metrics, const char *name, const char *help,
                       const char *labels, const struct histogram *histogram) {
    metrics_announce(metrics, name, help, "histogram");
    const char *more = labels == NULL ? "" : labels;
    uint64_t seen = 0;
    uint32_t bucket = 0;
    for (uint32_t power = BOUND_FIRST; power <= BOUND_LAST; power++) {
        while (bucket < HISTOGRAM_BUCKETS && bucket_start(bucket) < (1ULL << power))
            seen += histogram->buckets[bucket++];
        sheet_print(&metrics->sheet, "%s_bucket{process=\"%s\"%s%s,le=\"%.6f\"} %llu\n", name,
                    metrics->process, separator(labels), more, (double)(1ULL << power) / 1e6,
                    (unsigned long long)seen);
    }
    sheet_print(&metrics->sheet, "%s_bucket{process=\"%s\"%s%s,le=\"+Inf\"} %llu\n", name,
                metrics->process, separator(labels), more, (unsigned long long)histogram->count);
    sheet_print(&metrics->sheet, "%s_sum{process=\"%s\"%s%s} %.6f\n", name, metrics->process,
                separator(labels), more, (double)histogram->sum_us / 1e6);
    sheet_print(&metrics->sheet, "%s_count{process=\"%s\"%s%s} %llu\n", name, metrics->process,
                separator(labels), more, (unsigned long long)histogram->count);
}

struct text metrics_end(struct metrics *metrics) {
    return sheet_end(&metrics->sheet);
}
