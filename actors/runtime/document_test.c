// SPDX-License-Identifier: Apache-2.0
#include "document.h"
#include "expect.h"
#include "limits.h"

static struct arena arena;

// What repeats itself, as a list does; `stride` tells how little.
static struct text made(uint32_t length, uint32_t stride) {
    static char bytes[REPLY_BYTES_MAX + 1];
    uint64_t noise = 88172645463325252u;
    EXPECT(length <= sizeof bytes);
    for (uint32_t i = 0; i < length; i++) {
        noise ^= noise << 13;
        noise ^= noise >> 7;
        noise ^= noise << 17;
        bytes[i] = i >= stride ? bytes[i - stride] : (char)(uint8_t)(noise >> 32 | 1);
    }
    return (struct text){bytes, length};
}

static void expect_round_trip(struct text document, bool compressed) {
    struct text expanded;
    arena_reset(&arena);
    struct text small = document_compress(document, &arena);
    EXPECT_INTEGER(small.bytes != document.bytes, compressed);
    EXPECT(compressed ? small.length < document.length : small.length == document.length);
    EXPECT(document_expand(small, &arena, &expanded));
    EXPECT(text_equal(expanded, document));
}

static void test_documents_come_back(void) {
    expect_round_trip(TEXT(""), false);
    expect_round_trip(TEXT("{}"), false);
    expect_round_trip(made(DOCUMENT_COMPRESS_BYTES_MIN - 1, 300), false);
    expect_round_trip(made(DOCUMENT_COMPRESS_BYTES_MIN, 300), true);
    expect_round_trip(made(10894, 700), true);
    expect_round_trip(made(REPLY_BYTES_MAX, 700), true);
    expect_round_trip(made(20000, 20000), false); // does not shrink
}

static void expect_refused(struct text document, struct arena *room) {
    struct text expanded = TEXT("as before");
    EXPECT(!document_expand(document, room, &expanded));
    EXPECT_TEXT(expanded, "as before");
}

static void test_a_full_arena_leaves_it_as_it_is(void) {
    struct arena small;
    arena_init(&small, 4096);
    struct text document = made(8000, 300);
    EXPECT(document_compress(document, &small).bytes == document.bytes);
    EXPECT(!small.overflow);
    arena_reset(&arena);
    struct text packed = document_compress(document, &arena);
    EXPECT(packed.bytes != document.bytes);
    expect_refused(packed, &small);
    arena_deinit(&small);
}

static void test_the_malformed_is_refused(void) {
    static const struct text bad[] = {TEXT("\0"), TEXT("\0\1\0\0\0"),
                                      TEXT("\0\xff\xff\xff\xff\x10x"), TEXT("\0\x05\0\0\0\x10x")};
    for (uint32_t i = 0; i < COUNT_OF(bad); i++)
        expect_refused(bad[i], &arena);
    arena_reset(&arena);
    struct text small = document_compress(made(10894, 700), &arena);
    char *byte = (char *)(uintptr_t)small.bytes;
    byte[1]--; // one byte less than there is
    expect_refused(small, &arena);
    byte[1] = (char)(byte[1] + 2);
    expect_refused(small, &arena);
    byte[1]--;
    small.length--;
    expect_refused(small, &arena);
}

int main(void) {
    static const struct test tests[] = {
        {"documents come back as they were", test_documents_come_back},
        {"a full arena leaves a document as it is", test_a_full_arena_leaves_it_as_it_is},
        {"the malformed is refused", test_the_malformed_is_refused},
    };
    arena_init(&arena, 4 << 20);
    return expect_run(tests, COUNT_OF(tests));
}
