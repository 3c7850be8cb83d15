// SPDX-License-Identifier: Apache-2.0
// Lines of logs in; which belong to a request, in order, and what people see of them, out.
#include "expect.h"
#include "trace_lines.h"

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define OTHER "00f067aa0ba902b7aaaaaaaaaaaaaaaa"
#define LINE(time, process, message, more) \
    "{\"severity\":\"ERROR\",\"time\":\"2026-11-24T10:00:0" time "Z\",\"process\":\"" process \
    "\",\"message\":\"" message "\"" more "}"
#define OF(trace) \
    ",\"logging.googleapis.com/trace\":\"" trace \
    "\",\"logging.googleapis.com/spanId\":\"00f067aa0ba902b7\""

static const char failed[] =
    LINE("0.000002", "query-1", "It \\\"failed\\\".", OF(TRACE) ",\"operation\":\"list_banks\"");
static const char answered[] =
    LINE("0.000003", "http-1", "A request was answered.", OF(TRACE) ",\"request_id\":\"mine-7\"");
static const char foreign[] =
    LINE("0.000001", "http-1", "A request was answered.", OF(OTHER) ",\"request_id\":\"mine-77\"");
static const char mentions[] = LINE("0.000001", "query-1", TRACE " and mine-7", OF(OTHER));

static bool finds(const char *id, const char *line) {
    static const char *const all[] = {failed, answered, foreign, mentions};
    struct trace_search search;
    EXPECT(trace_search_begin(&search, text_of(id)));
    for (size_t i = 0; i < COUNT_OF(all); i++)
        trace_search_learn(&search, text_of(all[i]));
    return trace_search_finds(&search, text_of(line));
}

static void test_by_trace(void) {
    EXPECT(finds(TRACE, failed) && finds(TRACE, answered));
    EXPECT(!finds(TRACE, foreign) && !finds(TRACE, mentions));
}

static void test_by_request(void) {
    EXPECT(finds("mine-7", answered));
    EXPECT(finds("mine-7", failed)); // it has only the trace
    EXPECT(!finds("mine-7", foreign) && !finds("mine-7", mentions));
    EXPECT(!finds("mine", answered));
}

static void test_other_lines(void) {
    static const char *const lines[] = {
        "",
        "{",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":\"",
        "{\"logging.googleapis.com/trace\":\"" TRACE,
        "{\"a\":\"\\",
        TRACE,
        "LOG: " TRACE,
        "{\"logging.googleapis.com/trace\":" TRACE "}",
    };
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        EXPECT(!finds(TRACE, lines[i]));
    struct trace_search search;
    EXPECT(!trace_search_begin(&search, TEXT("")));
    EXPECT(!trace_search_begin(&search, TEXT("a\"b")));
    EXPECT(!trace_search_begin(&search, TEXT(TRACE TRACE "a")));
    EXPECT(trace_search_begin(&search, TEXT(TRACE TRACE)));
}

static void test_order(void) {
    static const char later[] = LINE("1.000000", "a", "m", "");
    static const char same[] = LINE("0.000003", "command-1", "m", "");
    struct text lines[] = {text_of(later), text_of(answered), text_of(same), text_of(failed),
                           TEXT("")};
    qsort(lines, COUNT_OF(lines), sizeof lines[0], trace_lines_compare);
    EXPECT_TEXT(lines[0], "");
    EXPECT_TEXT(lines[1], failed);
    EXPECT_TEXT(lines[2], same);
    EXPECT_TEXT(lines[3], answered);
    EXPECT_TEXT(lines[4], later);
}

static void test_form(void) {
    struct arena arena;
    struct sheet sheet;
    arena_init(&arena, 8192);
    sheet_begin(&sheet, &arena);
    trace_line_write(&sheet, text_of(failed));
    EXPECT_TEXT(sheet_end(&sheet), "2026-11-24T10:00:00.000002Z  ERROR     query-1       "
                                   "It \\\"failed\\\".  operation=\"list_banks\"\n");
    arena_deinit(&arena);
}

int main(void) {
    static const struct test tests[] = {
        {"lines of a trace", test_by_trace},
        {"a request's id leads to its trace", test_by_request},
        {"what is no line of a log, and no id", test_other_lines},
        {"in the order of time", test_order},
        {"a line for people", test_form},
    };
    return expect_run(tests, COUNT_OF(tests));
}
