// SPDX-License-Identifier: Apache-2.0
// `valorize pause OPERATION` and `valorize resume OPERATION`. What is paused has a file of its name
// in run/paused/; brokers look there when they start, and when they are told to. So a broker that
// was down or restarts knows as well, and two operators cannot undo each other's by accident.
#include "ask.h"
#include "command.h"
#include "operation.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ARENA_BYTES = 16 << 20, PATH_BYTES = 512, SENTENCE_BYTES = 8192 };

static bool is_operation(const char *name) {
    for (uint32_t i = 0; i < operation_count; i++) {
        if (strcmp(operations[i].name, name) == 0)
            return true;
    }
    return false;
}

static int fail_unknown(const char *command, const char *name) {
    char sentence[SENTENCE_BYTES];
    size_t length = (size_t)snprintf(sentence, sizeof sentence,
                                     "There is no operation \"%.100s\". There are ", name);
    for (uint32_t i = 0; i < operation_count && length < sizeof sentence; i++)
        length += (size_t)snprintf(sentence + length, sizeof sentence - length, "%s%s",
                                   operations[i].name, i + 1 < operation_count ? ", " : ".");
    return command_fail(command, sentence);
}

// --- the marks -----------------------------------------------------------------------------------

static void mark_path(const char *data, const char *name, char ret_path[PATH_BYTES]) {
    (void)snprintf(ret_path, PATH_BYTES, "%s/run/paused%s%s", data, name[0] == '\0' ? "" : "/",
                   name); // both are limited
}

static bool mark_make(const char *data, const char *name) {
    char path[PATH_BYTES];
    mark_path(data, "", path);
    if (mkdir(path, S_IRWXU) != 0 && errno != EEXIST)
        return false;
    mark_path(data, name, path);
    int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
    return file >= 0 && close(file) == 0;
}

static bool mark_remove(const char *data, const char *name, bool *ret_was) {
    char path[PATH_BYTES];
    mark_path(data, name, path);
    *ret_was = unlink(path) == 0;
    return *ret_was || errno == ENOENT;
}

// --- the brokers ---------------------------------------------------------------------------------

// One of an earlier build answers that it does not know the command.
static bool took_note(const struct text *answer) {
    static const char beginning[] = "{\"paused\":";
    return answer->length >= sizeof beginning - 1 &&
           memcmp(answer->bytes, beginning, sizeof beginning - 1) == 0;
}

// The names of those that took note, or of those that did not: "broker-1, broker-2".
static uint32_t names_write(const struct asked *asked, uint32_t count, bool noting,
                            char ret_names[SENTENCE_BYTES]) {
    uint32_t written = 0;
    size_t length = 0;
    ret_names[0] = '\0';
    for (uint32_t i = 0; i < count; i++) {
        if (took_note(&asked[i].answer) != noting || length + CHILD_NAME_BYTES + 2 > SENTENCE_BYTES)
            continue;
        length += (size_t)snprintf(ret_names + length, SENTENCE_BYTES - length, "%s%s",
                                   written == 0 ? "" : ", ", asked[i].name);
        written++;
    }
    return written;
}

static void say(const char *name, bool pause, bool was, const char *brokers) {
    if (pause)
        printf(
            "%s is paused at %s: requests get 503 with Retry-After until `valorize resume %s`.\n",
            name, brokers, name);
    else
        printf("%s%s at %s.\n", name, was ? " goes on" : " was not paused", brokers);
}

static int brokers_tell(const char *data, const char *name, bool pause, bool was) {
    struct asked asked[ASK_PROCESSES_MAX];
    char names[SENTENCE_BYTES];
    struct arena arena;
    arena_init(&arena, ARENA_BYTES);
    uint32_t count = ask_all(data, "broker-*", "paused\n", &arena, asked);
    if (names_write(asked, count, true, names) > 0)
        say(name, pause, was, names);
    if (names_write(asked, count, false, names) > 0)
        printf("%s did not take note; a broker looks again when it starts.\n", names);
    arena_deinit(&arena);
    return EXIT_DONE;
}

static bool is_running(const char *data) {
    struct arena arena;
    arena_init(&arena, ARENA_BYTES);
    bool running = ask_one(data, "supervisor", "status\n", &arena).bytes != NULL;
    struct asked asked[ASK_PROCESSES_MAX];
    uint32_t count = running ? 0 : ask_all(data, "broker-*", "status\n", &arena, asked);
    for (uint32_t i = 0; i < count; i++)
        running |= asked[i].answer.bytes != NULL;
    arena_deinit(&arena);
    return running;
}

static int run(const char *command, int argc, char **argv) {
    const char *data;
    bool pause = strcmp(command, "pause") == 0, was = false;
    data = command_data(argc, argv);
    if (argc != 2)
        return command_refuse(command, "It takes the name of one operation, e.g. list_banks.");
    if (!is_operation(argv[1]))
        return fail_unknown(command, argv[1]);
    if (!is_running(data))
        return ask_fail(command, data, "Nobody");
    bool done = pause ? mark_make(data, argv[1]) : mark_remove(data, argv[1], &was);
    if (!done) {
        char sentence[SENTENCE_BYTES];
        (void)snprintf(sentence, sizeof sentence,
                       "%s/run/paused/%s: %s. Run this as the user of `valorize up`.", data,
                       argv[1], strerror(errno));
        return command_fail(command, sentence);
    }
    return brokers_tell(data, argv[1], pause, was);
}

int pause_command(int argc, char **argv) {
    return run("pause", argc, argv);
}

int resume_command(int argc, char **argv) {
    return run("resume", argc, argv);
}
