// SPDX-License-Identifier: Apache-2.0
#include "expect.h"
#include "format.h"
#include "trace.h"

#define TRACE_ID "0af7651916cd43dd8448eb211c80319c"
#define SPAN_ID "b7ad6b7169203331"

static struct text trace_id_text(const uint8_t trace[TRACE_BYTES]) {
    static char text[32];
    return (struct text){text, hex_write(trace, 16, text)};
}

static void test_continued(void) {
    static const char *const good[] = {
        "00-" TRACE_ID "-" SPAN_ID "-01",
        "cc-" TRACE_ID "-" SPAN_ID "-01",
        "cc-" TRACE_ID "-" SPAN_ID "-01-what-comes-later",
    };
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        uint64_t random = 7;
        uint8_t trace[TRACE_BYTES];
        trace_begin(text_of(good[i]), &random, trace);
        EXPECT_TEXT(trace_id_text(trace), TRACE_ID);
        EXPECT_INTEGER(trace[24], 1);
        uint8_t span[8];
        EXPECT(hex_parse(TEXT(SPAN_ID), span, sizeof span));
        EXPECT(memcmp(span, trace + 16, sizeof span) != 0); // its own span
    }
    uint64_t random = 7;
    uint8_t trace[TRACE_BYTES];
    trace_begin(TEXT("00-" TRACE_ID "-" SPAN_ID "-00"), &random, trace);
    EXPECT_TEXT(trace_id_text(trace), TRACE_ID);
    EXPECT_INTEGER(trace[24], 0);
}

static void test_made(void) {
    static const char *const bad[] = {
        "",
        "00-" TRACE_ID "-" SPAN_ID,
        "00-" TRACE_ID "-" SPAN_ID "-0",
        "00-" TRACE_ID "-" SPAN_ID "-01-",
        "00-" TRACE_ID "-" SPAN_ID "-011",
        "cc-" TRACE_ID "-" SPAN_ID "-011",
        "ff-" TRACE_ID "-" SPAN_ID "-01",
        "00-00000000000000000000000000000000-" SPAN_ID "-01",
        "00-" TRACE_ID "-0000000000000000-01",
        "00-0AF7651916CD43DD8448EB211C80319C-" SPAN_ID "-01",
        "00-0xf7651916cd43dd8448eb211c80319c-" SPAN_ID "-01",
        "00_" TRACE_ID "-" SPAN_ID "-01",
    };
    uint64_t random = 7;
    char before[33] = "";
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        uint8_t trace[TRACE_BYTES];
        trace_begin(text_of(bad[i]), &random, trace);
        struct text id = trace_id_text(trace);
        EXPECT(!text_equal(id, TEXT(TRACE_ID)));
        EXPECT(!text_equal(id, text_of(before))); // each made one is another
        EXPECT_INTEGER(trace[24], 0);
        memcpy(before, id.bytes, id.length);
    }
    uint8_t trace[TRACE_BYTES];
    trace_begin((struct text){0}, &random, trace);
    EXPECT(!text_equal(trace_id_text(trace), text_of(before)));
}

static void test_request_id(void) {
    uint8_t trace[TRACE_BYTES] = {0xab, 0xcd};
    char id[REQUEST_ID_BYTES_MAX + 1];
    char longest[REQUEST_ID_BYTES_MAX + 2] = "";
    memset(longest, 'x', REQUEST_ID_BYTES_MAX);
    request_id_begin(TEXT("order-7.A_b"), trace, id);
    EXPECT_TEXT(text_of(id), "order-7.A_b");
    request_id_begin(text_of(longest), trace, id);
    EXPECT_TEXT(text_of(id), longest);
    longest[REQUEST_ID_BYTES_MAX] = 'x';
    static const char *const bad[] = {"", "a b", "a\r\nSet-Cookie: x", "\xc3\xa9", "a\"b"};
    for (size_t i = 0; i <= COUNT_OF(bad); i++) {
        request_id_begin(text_of(i == COUNT_OF(bad) ? longest : bad[i]), trace, id);
        EXPECT_TEXT(text_of(id), "abcd0000000000000000000000000000");
    }
    request_id_begin((struct text){0}, trace, id);
    EXPECT_TEXT(text_of(id), "abcd0000000000000000000000000000");
}

int main(void) {
    static const struct test tests[] = {
        {"a sound traceparent is continued with a span of our own", test_continued},
        {"an unsound one is replaced", test_made},
        {"a sane request id is kept, any other is the trace id", test_request_id},
    };
    return expect_run(tests, COUNT_OF(tests));
}
