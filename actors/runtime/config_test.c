// SPDX-License-Identifier: Apache-2.0
#include "config.h"
#include "expect.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

struct sample {
    const char *name;
    int64_t port;
    bool testing;
    const char *database;
};

static const struct setting settings[] = {
    {"VALORIZE_NAME", SETTING_TEXT, 1, 8, "http-1", "name", offsetof(struct sample, name)},
    {"VALORIZE_HTTP_PORT", SETTING_INTEGER, 0, 65535, "8080", "port",
     offsetof(struct sample, port)},
    {"VALORIZE_TESTING", SETTING_BOOLEAN, 0, 1, "0", "testing", offsetof(struct sample, testing)},
    {"SAMPLE_DATABASE", SETTING_TEXT, 1, 100, NULL, "database", offsetof(struct sample, database)},
};

static char said[4096];

// What config_read does with this environment (NULL-ended pairs): its exit code, or -1 when it
// returned. `check` runs in the child after it returned.
static int outcome(const char *const *pairs, char *argument, void (*check)(const struct sample *)) {
    int ends[2];
    ASSERT(pipe(ends) == 0);
    fflush(stdout);
    pid_t child = fork();
    ASSERT(child >= 0);
    if (child == 0) {
        ASSERT(dup2(ends[1], STDERR_FILENO) >= 0 && dup2(ends[1], STDOUT_FILENO) >= 0);
        ASSERT(clearenv() == 0);
        for (; *pairs != NULL; pairs += 2)
            ASSERT(setenv(pairs[0], pairs[1], 1) == 0);
        struct sample sample;
        char *arguments[] = {(char *)"program", argument, NULL};
        config_read(settings, COUNT_OF(settings), &sample, argument == NULL ? 1 : 2, arguments);
        check(&sample);
        _exit(77);
    }
    close(ends[1]);
    size_t length = 0;
    for (ssize_t taken; (taken = read(ends[0], said + length, sizeof said - 1 - length)) > 0;)
        length += (size_t)taken;
    said[length] = '\0';
    close(ends[0]);
    int how = 0;
    ASSERT(waitpid(child, &how, 0) == child);
    EXPECT(WIFEXITED(how));
    return WEXITSTATUS(how) == 77 ? -1 : WEXITSTATUS(how);
}

static void check_nothing(const struct sample *sample) {
    (void)sample;
}

static void check_defaults(const struct sample *sample) {
    EXPECT_TEXT(text_of(sample->name), "http-1");
    EXPECT_INTEGER(sample->port, 8080);
    EXPECT(!sample->testing);
    EXPECT_TEXT(text_of(sample->database), "d");
}

static void test_defaults(void) {
    static const char *const pairs[] = {"SAMPLE_DATABASE", "d", "VALORIZE_WS_PORT", "7", NULL};
    EXPECT_INTEGER(outcome(pairs, NULL, check_defaults), -1);
}

static void check_values(const struct sample *sample) {
    EXPECT_TEXT(text_of(sample->name), "http-7");
    EXPECT_INTEGER(sample->port, 65535);
    EXPECT(sample->testing);
}

static void test_values(void) {
    static const char *const pairs[] = {"SAMPLE_DATABASE",
                                        "d",
                                        "VALORIZE_NAME",
                                        "http-7",
                                        "VALORIZE_HTTP_PORT",
                                        "65535",
                                        "VALORIZE_TESTING",
                                        "1",
                                        NULL};
    EXPECT_INTEGER(outcome(pairs, NULL, check_values), -1);
}

static void refused(const char *name, const char *value, const char *sentence) {
    const char *const pairs[] = {name, value, "SAMPLE_DATABASE", "d", NULL};
    EXPECT_INTEGER(outcome(pairs, NULL, check_nothing), 2);
    if (strstr(said, sentence) == NULL)
        fprintf(stderr, "said: %s", said);
    EXPECT(strstr(said, sentence) != NULL);
}

static void test_refusals(void) {
    refused("VALORIZE_HTTP_PROT", "8080", "VALORIZE_HTTP_PROT is not a setting of this build");
    refused("VALORIZE_HTTP_PORT", "65536", "VALORIZE_HTTP_PORT is out of range: \"65536\"");
    refused("VALORIZE_HTTP_PORT", "-1", "out of range");
    refused("VALORIZE_HTTP_PORT", "80 ", "must be a whole number");
    refused("VALORIZE_HTTP_PORT", "0x50", "must be a whole number");
    refused("VALORIZE_HTTP_PORT", "99999999999999999999", "must be a whole number");
    refused("VALORIZE_TESTING", "yes", "must be 0 or 1");
    refused("VALORIZE_NAME", "123456789", "is too long");
    EXPECT(strstr(said, "123456789") == NULL); // a text may be a secret
    refused("VALORIZE_NAME", "", "is too short");
}

static void test_required(void) {
    static const char *const pairs[] = {NULL};
    EXPECT_INTEGER(outcome(pairs, NULL, check_nothing), 2);
    EXPECT(strstr(said, "SAMPLE_DATABASE is required") != NULL);
}

static void test_help(void) {
    static const char *const pairs[] = {NULL};
    EXPECT_INTEGER(outcome(pairs, (char *)"--help", check_nothing), 0);
    EXPECT(strstr(said, "VALORIZE_HTTP_PORT: port (0 to 65535); default 8080") != NULL);
    EXPECT(strstr(said, "SAMPLE_DATABASE: database; required") != NULL);
}

int main(void) {
    static const struct test tests[] = {
        {"defaults hold, another process's variable is known", test_defaults},
        {"values of the environment win", test_values},
        {"an unknown name and an impossible value refuse to start", test_refusals},
        {"a required setting is required", test_required},
        {"--help prints the table", test_help},
    };
    return expect_run(tests, COUNT_OF(tests));
}
