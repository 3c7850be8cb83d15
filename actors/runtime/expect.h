// SPDX-License-Identifier: Apache-2.0
// For unit tests only: checks that print both values, and the table of sentences a test ends with.
//
//   int main(void) {
//       static const struct test tests[] = {
//           {"a worker without credit gets no request", test_worker_without_credit},
//       };
//       return expect_run(tests, COUNT_OF(tests));
//   }
#pragma once
#include "contract.h"
#include "text.h"

#include <stdio.h>

struct test {
    const char *sentence;
    void (*run)(void);
};

#define EXPECT(condition) ((condition) ? (void)0 : expect_failed_(__FILE__, __LINE__, #condition))

#define EXPECT_NEVER(sentence) expect_failed_(__FILE__, __LINE__, "never: " sentence)

#define EXPECT_INTEGER(actual, expected) \
    expect_integer_(__FILE__, __LINE__, #actual, (long long)(actual), (long long)(expected))

#define EXPECT_TEXT(actual, expected) \
    expect_text_(__FILE__, __LINE__, #actual, (actual), text_of(expected))

static inline _Noreturn void expect_failed_(const char *file, int line, const char *condition) {
    fprintf(stderr, "%s:%d: expected %s\n", file, line, condition);
    exit(1);
}

static inline void expect_integer_(const char *file, int line, const char *expression,
                                   long long actual, long long expected) {
    if (actual == expected)
        return;
    fprintf(stderr, "%s:%d: %s is %lld, expected %lld\n", file, line, expression, actual, expected);
    exit(1);
}

static inline void expect_text_(const char *file, int line, const char *expression,
                                struct text actual, struct text expected) {
    if (text_equal(actual, expected))
        return;
    fprintf(stderr, "%s:%d: %s is \"%.*s\", expected \"%.*s\"\n", file, line, expression,
            (int)actual.length, actual.bytes == NULL ? "" : actual.bytes, (int)expected.length,
            expected.bytes);
    exit(1);
}

static inline int expect_run(const struct test *tests, size_t count) {
    for (size_t i = 0; i < count; i++) {
        printf("%s\n", tests[i].sentence);
        fflush(stdout);
        tests[i].run();
    }
    printf("%zu passed, 0 failed\n", count);
    return 0;
}
