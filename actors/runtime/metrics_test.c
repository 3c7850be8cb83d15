// SPDX-License-Identifier: Apache-2.0
#include "expect.h"
#include "metrics.h"

static void test_quantile_is_close(void) {
    struct histogram histogram = {0};
    EXPECT_INTEGER(histogram_quantile_us(&histogram, 0.5), 0);
    for (uint64_t value = 1; value <= 100000; value++)
        histogram_add(&histogram, value);
    for (int percent = 5; percent <= 99; percent += 2) {
        double exact = 100000.0 * percent / 100;
        double told = (double)histogram_quantile_us(&histogram, percent / 100.0);
        EXPECT(told > exact * 0.85 && told < exact * 1.15);
    }
}

static void test_extremes_have_a_bucket(void) {
    struct histogram histogram = {0};
    histogram_add(&histogram, 0);
    histogram_add(&histogram, UINT64_MAX / 2);
    EXPECT_INTEGER(histogram.buckets[0], 1);
    EXPECT_INTEGER(histogram.buckets[HISTOGRAM_BUCKETS - 1], 1);
    EXPECT_INTEGER(histogram.count, 2);
}

static void test_page(void) {
    struct arena arena;
    arena_init(&arena, 64 << 10);
    struct metrics metrics;
    metrics_begin(&metrics, &arena, "query-2");
    metrics_counter(&metrics, "a_total", "Things.", "lane=\"task\"", 7);
    metrics_counter(&metrics, "a_total", NULL, "lane=\"bulk\"", 9);
    metrics_gauge(&metrics, "b", "Level.", NULL, 1.5);
    EXPECT_TEXT(metrics_end(&metrics), "# HELP a_total Things.\n# TYPE a_total counter\n"
                                       "a_total{process=\"query-2\",lane=\"task\"} 7\n"
                                       "a_total{process=\"query-2\",lane=\"bulk\"} 9\n"
                                       "# HELP b Level.\n# TYPE b gauge\n"
                                       "b{process=\"query-2\"} 1.5\n");
    arena_deinit(&arena);
}

static bool page_has(struct text page, const char *line) {
    return memmem(page.bytes, page.length, line, strlen(line)) != NULL;
}

static void test_histogram_is_cumulative(void) {
    struct arena arena;
    arena_init(&arena, 64 << 10);
    struct histogram histogram = {0};
    histogram_add(&histogram, 3);
    histogram_add(&histogram, 15);
    histogram_add(&histogram, 16);
    histogram_add(&histogram, 40000000);
    struct metrics metrics;
    metrics_begin(&metrics, &arena, "http-1");
    metrics_histogram(&metrics, "t_seconds", "Times.", NULL, &histogram);
    struct text page = metrics_end(&metrics);
    EXPECT(page_has(page, "t_seconds_bucket{process=\"http-1\",le=\"0.000016\"} 2\n"));
    EXPECT(page_has(page, "t_seconds_bucket{process=\"http-1\",le=\"0.000032\"} 3\n"));
    EXPECT(page_has(page, "t_seconds_bucket{process=\"http-1\",le=\"16.777216\"} 3\n"));
    EXPECT(page_has(page, "t_seconds_bucket{process=\"http-1\",le=\"+Inf\"} 4\n"));
    EXPECT(page_has(page, "t_seconds_sum{process=\"http-1\"} 40.000034\n"));
    EXPECT(page_has(page, "t_seconds_count{process=\"http-1\"} 4\n"));
    arena_deinit(&arena);
}

static void test_overflow_is_told(void) {
    struct arena arena;
    arena_init(&arena, 4 << 10);
    struct metrics metrics;
    metrics_begin(&metrics, &arena, "http-1");
    for (int i = 0; i < 100; i++)
        metrics_counter(&metrics, "one_of_many_total", "A sentence to fill the page.", NULL, 1);
    EXPECT(metrics_end(&metrics).bytes == NULL);
    arena_deinit(&arena);
}

int main(void) {
    static const struct test tests[] = {
        {"a quantile is close to the exact one", test_quantile_is_close},
        {"the smallest and the largest time have a bucket", test_extremes_have_a_bucket},
        {"a page has one announcement a family and the process in each sample", test_page},
        {"a histogram's buckets are cumulative", test_histogram_is_cumulative},
        {"a page that does not fit is told", test_overflow_is_told},
    };
    return expect_run(tests, COUNT_OF(tests));
}
