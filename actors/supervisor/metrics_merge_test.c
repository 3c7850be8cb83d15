// SPDX-License-Identifier: Apache-2.0
#include "expect.h"
#include "limits.h"
#include "metrics_merge.h"

enum { ARENA_BYTES = 4 << 20 };

static struct arena arena;

static struct text merge(const char *first, const char *second) {
    const struct metrics_source sources[] = {
        {"http-1", first == NULL ? (struct text){0} : text_of(first)},
        {"query-2", second == NULL ? (struct text){0} : text_of(second)},
    };
    arena_reset(&arena);
    return metrics_merge(sources, COUNT_OF(sources), &arena);
}

#define UP(first, second) \
    "# HELP valorize_up 1: the process gave its metrics in time.\n# TYPE valorize_up gauge\n" \
    "valorize_up{process=\"http-1\"} " first "\nvalorize_up{process=\"query-2\"} " second "\n"

static void test_families_are_put_together(void) {
    EXPECT_TEXT(merge("# HELP a First.\n# TYPE a counter\na{process=\"http-1\"} 1\n"
                      "# HELP b B.\n# TYPE b gauge\nb{process=\"http-1\"} 2\n",
                      "# HELP ab AB.\n# TYPE ab gauge\nab{process=\"query-2\"} 3\n"
                      "# HELP a Second.\n# TYPE a counter\na{process=\"query-2\",lane=\"x\"} 4\n"
                      "a{process=\"query-2\",lane=\"y\"} 5\n"),
                UP("1", "1") "# HELP a First.\n# TYPE a counter\na{process=\"http-1\"} 1\n"
                             "a{process=\"query-2\",lane=\"x\"} 4\n"
                             "a{process=\"query-2\",lane=\"y\"} 5\n"
                             "# HELP b B.\n# TYPE b gauge\nb{process=\"http-1\"} 2\n"
                             "# HELP ab AB.\n# TYPE ab gauge\nab{process=\"query-2\"} 3\n");
}

static void test_a_family_told_twice_by_one_process(void) {
    EXPECT_TEXT(merge("# TYPE a gauge\na 1\n# TYPE b gauge\nb 2\n# TYPE a gauge\na 3\n", NULL),
                UP("1", "0") "# TYPE a gauge\na 1\na 3\n# TYPE b gauge\nb 2\n");
}

static void test_pages_that_are_none(void) {
    static const char *const pages[] = {"", "{\"error\":\"unknown command\"}\n", "a 1\n",
                                        "# HELP a A.\n# TYPE a gauge\na 1"};
    for (uint32_t i = 0; i < COUNT_OF(pages); i++)
        EXPECT_TEXT(merge(pages[i], "# TYPE z gauge\nz 9\n"), UP("0", "1") "# TYPE z gauge\nz 9\n");
}

static void test_odd_pages_do_no_harm(void) {
    EXPECT_TEXT(merge("#\n#  \n# HELP\nx\n", "\n"), UP("1", "0") "#\n#  \n# HELP\nx\n");
}

static void test_too_many_families(void) {
    enum { LINE = 32, COUNT = METRICS_FAMILIES_MAX + 1 };
    static char page[COUNT * LINE];
    size_t length = 0;
    for (uint32_t i = 0; i < COUNT; i++)
        length += (size_t)snprintf(page + length, LINE, "# TYPE a%u gauge\na%u 1\n", i, i);
    EXPECT(merge(page, NULL).bytes == NULL);
    page[length - strlen("# TYPE a512 gauge\na512 1\n")] = '\0';
    EXPECT(merge(page, NULL).bytes != NULL);
}

int main(void) {
    static const struct test tests[] = {
        {"each family stands once, with the samples of all", test_families_are_put_together},
        {"also when one process tells it twice", test_a_family_told_twice_by_one_process},
        {"an error, half a page and nothing are a process that is down", test_pages_that_are_none},
        {"odd comments do no harm", test_odd_pages_do_no_harm},
        {"more families than there is room for are no page", test_too_many_families},
    };
    arena_init(&arena, ARENA_BYTES);
    int result = expect_run(tests, COUNT_OF(tests));
    arena_deinit(&arena);
    return result;
}
