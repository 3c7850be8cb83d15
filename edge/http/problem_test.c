// SPDX-License-Identifier: Apache-2.0
#include "expect.h"
#include "problem.h"

static struct arena arena;

static struct text written(const struct failure *failure) {
    arena_reset(&arena);
    return problem_write(failure, &arena);
}

static void test_status_alone(void) {
    struct failure failure;
    failure_reset(&failure);
    failure.status = STATUS_UNAUTHENTICATED;
    EXPECT_TEXT(written(&failure), "{\"message\":\"Unauthenticated.\"}");
    failure.sentence = TEXT("The body has the field \"name\" twice.");
    EXPECT_TEXT(written(&failure), "{\"message\":\"The body has the field \\\"name\\\" twice.\"}");
}

static void test_field_errors(void) {
    struct failure failure;
    failure_reset(&failure);
    failure_add(&failure, TEXT("amount.value"), TEXT("The amount is missing."));
    EXPECT_TEXT(written(&failure), "{\"message\":\"The amount is missing.\","
                                   "\"errors\":{\"amount.value\":[\"The amount is missing.\"]}}");
    failure_add(&failure, TEXT("accounts.0"), TEXT("Wrong."));
    EXPECT_TEXT(written(&failure), "{\"message\":\"The amount is missing. (and 1 more error)\","
                                   "\"errors\":{\"amount.value\":[\"The amount is missing.\"],"
                                   "\"accounts.0\":[\"Wrong.\"]}}");
    failure_add(&failure, TEXT("amount.value"), TEXT("Too \"big\"\\\n."));
    EXPECT_TEXT(written(&failure), "{\"message\":\"The amount is missing. (and 2 more errors)\","
                                   "\"errors\":{\"amount.value\":[\"The amount is missing.\","
                                   "\"Too \\\"big\\\"\\\\\\n.\"],\"accounts.0\":[\"Wrong.\"]}}");
}

static void test_many(void) {
    struct failure failure;
    failure_reset(&failure);
    for (int i = 0; i < FIELD_ERRORS_MAX + 5; i++)
        failure_add(&failure, TEXT("a"), TEXT("b"));
    struct text text = written(&failure);
    EXPECT_TEXT(((struct text){text.bytes, 42}), "{\"message\":\"b (and 36 more errors)\",\"error");
}

static void test_full_arena(void) {
    struct arena small;
    arena_init(&small, 256);
    struct failure failure;
    failure_reset(&failure);
    failure_add(&failure, TEXT("a"), TEXT("A sentence that needs more room than there is."));
    EXPECT(problem_write(&failure, &small).bytes == NULL);
    arena_deinit(&small);
}

static void test_bare(void) {
    char answer[256];
    arena_reset(&arena);
    EXPECT(
        problem_write_bare(STATUS_TOO_LARGE, "Content Too Large", &arena, answer, sizeof answer));
    EXPECT_TEXT(text_of(answer), "HTTP/1.1 413 Content Too Large\r\n"
                                 "Content-Type: application/json\r\n"
                                 "Access-Control-Allow-Origin: *\r\nConnection: close\r\n"
                                 "Content-Length: 44\r\n\r\n"
                                 "{\"message\":\"The request body is too large.\"}");
    EXPECT(!problem_write_bare(STATUS_TOO_LARGE, "Content Too Large", &arena, answer, 100));
}

int main(void) {
    static const struct test tests[] = {
        {"a status without details has its sentence", test_status_alone},
        {"field errors stand under their paths, escaped", test_field_errors},
        {"the message counts also the errors that were dropped", test_many},
        {"a whole answer of bare bytes", test_bare},
        {"a full arena gives no text", test_full_arena},
    };
    arena_init(&arena, 1 << 16);
    return expect_run(tests, COUNT_OF(tests));
}
