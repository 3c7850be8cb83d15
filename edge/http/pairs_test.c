// SPDX-License-Identifier: Apache-2.0
#include "expect.h"
#include "pairs.h"

enum { PAIRS_MAX = 3 };

static struct arena arena;
static struct parameter pairs[PAIRS_MAX];

static bool read(const char *text, uint32_t *count) {
    arena_reset(&arena);
    return pairs_read(text_of(text), &arena, pairs, PAIRS_MAX, count);
}

static void test_sound(void) {
    uint32_t count;
    EXPECT(read("a=1, Authorization = Basic%20eD15%3D=,c=", &count));
    EXPECT_INTEGER(count, 3);
    EXPECT_TEXT(pairs[0].name, "a");
    EXPECT_TEXT(pairs[0].value, "1");
    EXPECT_TEXT(pairs[1].name, "Authorization");
    EXPECT_TEXT(pairs[1].value, "Basic eD15==");
    EXPECT(strcmp(pairs[1].value.bytes, "Basic eD15==") == 0); // ended by a NUL
    EXPECT_TEXT(pairs[2].value, "");
    EXPECT(read(" ", &count));
    EXPECT_INTEGER(count, 0);
}

static void test_unsound(void) {
    static const char *const bad[] = {"a",   "=1",    "a=1,",  ",a=1",  "a=%4",  "a=%zz",
                                      "a=%", "a=%0d", "a=1\n", "a=%00", "%7f=1", "a=1,b=2,c=3,d=4"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        uint32_t count;
        if (read(bad[i], &count))
            fprintf(stderr, "\"%s\": ", bad[i]);
        EXPECT(!read(bad[i], &count));
    }
}

static void test_full_arena(void) {
    struct arena small;
    uint32_t count;
    arena_init(&small, 16);
    EXPECT(!pairs_read(TEXT("a=1,b=2"), &small, pairs, PAIRS_MAX, &count));
    arena_deinit(&small);
}

int main(void) {
    static const struct test tests[] = {
        {"pairs are trimmed and unescaped", test_sound},
        {"what makes no sense is refused", test_unsound},
        {"a full arena is no pair", test_full_arena},
    };
    arena_init(&arena, 1024);
    return expect_run(tests, COUNT_OF(tests));
}
