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
        uint8_t parent[SPAN_ID_BYTES];
        trace_begin(text_of(good[i]), &random, trace, parent);
        EXPECT_TEXT(trace_id_text(trace), TRACE_ID);
        EXPECT(trace_is_sampled(trace));
        uint8_t span[8];
        EXPECT(hex_parse(TEXT(SPAN_ID), span, sizeof span));
        EXPECT(memcmp(span, trace + SPAN_ID_AT, sizeof span) != 0); // its own span
        EXPECT(memcmp(span, parent, sizeof span) == 0);
    }
    uint64_t random = 7;
    uint8_t trace[TRACE_BYTES], parent[SPAN_ID_BYTES];
    trace_begin(TEXT("00-" TRACE_ID "-" SPAN_ID "-00"), &random, trace, parent);
    EXPECT_TEXT(trace_id_text(trace), TRACE_ID);
    EXPECT(!trace_is_sampled(trace));
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
        static const uint8_t none[SPAN_ID_BYTES];
        uint8_t trace[TRACE_BYTES], parent[SPAN_ID_BYTES] = {1};
        trace_begin(text_of(bad[i]), &random, trace, parent);
        EXPECT(memcmp(parent, none, sizeof parent) == 0);
        struct text id = trace_id_text(trace);
        EXPECT(!text_equal(id, TEXT(TRACE_ID)));
        EXPECT(!text_equal(id, text_of(before))); // each made one is another
        EXPECT(!trace_is_sampled(trace));
        memcpy(before, id.bytes, id.length);
    }
    uint8_t trace[TRACE_BYTES], parent[SPAN_ID_BYTES];
    trace_begin((struct text){0}, &random, trace, parent);
    EXPECT(!text_equal(trace_id_text(trace), text_of(before)));
}

// How many of 1,000 traces, begun here or by a client, are sampled.
static uint32_t sampled(struct text traceparent, double ratio) {
    uint64_t random = 4711;
    uint32_t count = 0;
    for (int i = 0; i < 1000; i++) {
        uint8_t trace[TRACE_BYTES], parent[SPAN_ID_BYTES];
        trace_begin(traceparent, &random, trace, parent);
        trace_sample(trace, parent, ratio);
        count += trace_is_sampled(trace);
    }
    return count;
}

static void test_sampling(void) {
    EXPECT_INTEGER(sampled((struct text){0}, 0), 0);
    EXPECT_INTEGER(sampled((struct text){0}, 1), 1000);
    uint32_t quarter = sampled((struct text){0}, 0.25);
    EXPECT(quarter > 200 && quarter < 300);
    EXPECT_INTEGER(sampled(TEXT("00-" TRACE_ID "-" SPAN_ID "-00"), 1), 0);
    EXPECT_INTEGER(sampled(TEXT("00-" TRACE_ID "-" SPAN_ID "-01"), 0), 1000);
    // By the last 63 bits of the id, as all of OpenTelemetry's samplers.
    uint8_t trace[TRACE_BYTES] = {0xff, [8] = 0x40}, parent[SPAN_ID_BYTES] = {0};
    trace_sample(trace, parent, 0.25);
    EXPECT(!trace_is_sampled(trace));
    trace_sample(trace, parent, 0.2501);
    EXPECT(trace_is_sampled(trace));
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
        {"what is sampled is the client's choice, or chance by the id", test_sampling},
        {"a sane request id is kept, any other is the trace id", test_request_id},
    };
    return expect_run(tests, COUNT_OF(tests));
}
