// SPDX-License-Identifier: Apache-2.0
#include "expect.h"
#include "log.h"

#include <fcntl.h>
#include <unistd.h>

static char line[16 << 10];
static int real_stderr;
static int ends[2];

static void capture_begin(void) {
    real_stderr = dup(STDERR_FILENO);
    ASSERT(pipe2(ends, O_NONBLOCK) == 0);
    ASSERT(dup2(ends[1], STDERR_FILENO) >= 0);
}

static struct text capture_end(void) {
    ASSERT(dup2(real_stderr, STDERR_FILENO) >= 0);
    ssize_t length = read(ends[0], line, sizeof line - 1);
    close(real_stderr);
    close(ends[0]);
    close(ends[1]);
    line[MAX(length, 0)] = '\0';
    return (struct text){line, (uint32_t)MAX(length, 0)};
}

static void expect_has(const char *part) {
    if (strstr(line, part) == NULL)
        fprintf(stderr, "in %s: ", line);
    EXPECT(strstr(line, part) != NULL);
}

static void test_line_is_json(void) {
    static const uint8_t trace[25] = {0xab, 1, 2, 3, [15] = 0x0f, [16] = 0xcd, [23] = 0x09};
    capture_begin();
    log_init("query-2", LOG_INFO);
    log_line(LOG_WARNING, trace, "a \"b\" \\ c\n\x01", "key", "Jo\xc3\xa3o\xff", NULL);
    (void)capture_end();
    expect_has("{\"severity\":\"WARNING\",\"time\":\"2");
    expect_has("\"process\":\"query-2\",\"message\":\"a \\\"b\\\" \\\\ c\\u000a\\u0001\"");
    expect_has("\"logging.googleapis.com/trace\":\"ab01020300000000000000000000000f\"");
    expect_has("\"logging.googleapis.com/spanId\":\"cd00000000000009\"");
    expect_has("\"key\":\"Jo\xc3\xa3o\\ufffd\"}\n");
}

static void test_level_hides(void) {
    capture_begin();
    log_init("query-2", LOG_WARNING);
    log_line(LOG_INFO, NULL, "hidden", NULL);
    EXPECT_INTEGER(capture_end().length, 0);
}

static void test_long_line_is_closed(void) {
    static char huge[10000];
    memset(huge, '"', sizeof huge - 1);
    capture_begin();
    log_init("query-2", LOG_INFO);
    log_line(LOG_ERROR, NULL, huge, "key", huge, NULL);
    struct text text = capture_end();
    EXPECT(text.length <= 4096);
    EXPECT_TEXT(((struct text){text.bytes + text.length - 5, 5}), "\\\"\"}\n");
}

int main(void) {
    static const struct test tests[] = {
        {"a line is one JSON object with the cloud's fields", test_line_is_json},
        {"a line below the level is not written", test_level_hides},
        {"a line that is too long is cut and still JSON", test_long_line_is_closed},
    };
    return expect_run(tests, COUNT_OF(tests));
}
