// SPDX-License-Identifier: Apache-2.0
// `valorize restart --rolling`: one process after another makes room for a new one, brokers first,
// then actors, then edges. The next leaves when everything is as it was before the last one left,
// and has been so for a moment, so that there is always somebody who serves and no two beginnings
// come together. A class, but for brokers, has one more for that time.
#include "clock.h"
#include "command.h"
#include "limits.h"
#include "operate.h"

#include <stdio.h>
#include <string.h>

enum { ORDER_BYTES = 400, NAMES_MAX = SYSTEM_PROCESSES_MAX, NAME_BYTES = 32 };

struct names { // of the processes to be restarted, in this order
    uint32_t count;
    char texts[NAMES_MAX][NAME_BYTES];
};

static void names_add(struct names *names, const struct system_view *view, const char *stage) {
    const struct process_view *processes = view->processes.items;
    for (uint32_t i = 0; i < view->processes.count; i++) {
        const struct process_view *process = &processes[i];
        if (process_view_is_in(process, stage) && process->pid != 0 && names->count < NAMES_MAX)
            (void)snprintf(names->texts[names->count++], NAME_BYTES, "%.*s",
                           (int)process->name.length, process->name.bytes); // a name fits
    }
}

static bool is_broker(const char *name) {
    return strncmp(name, "broker-", 7) == 0;
}

static size_t class_length(const char *name) {
    const char *end = strrchr(name, '-');
    return end == NULL ? strlen(name) : (size_t)(end - name);
}

static bool is_of_class(const char *name, const char *other) {
    return class_length(name) == class_length(other) &&
           strncmp(name, other, class_length(name)) == 0;
}

// How many of the names are of the same class.
static uint32_t names_of_class(const struct names *names, const char *name) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < names->count; i++)
        count += is_of_class(names->texts[i], name);
    return count;
}

// A name of its class that nobody has.
static bool further_name(const struct steward *steward, const char *name,
                         char ret_further[NAME_BYTES]) {
    for (int i = 2; i <= CLASS_COUNT_MAX; i++) {
        (void)snprintf(ret_further, NAME_BYTES, "%.*s-%d", (int)class_length(name), name, i);
        if (system_view_find(&steward->view, text_of(ret_further)) == NULL)
            return true;
    }
    return false;
}

static bool order(struct steward *steward, const char *verb, const char *name, const char *more,
                  int64_t *ret_pid) {
    char line[ORDER_BYTES];
    (void)snprintf(line, sizeof line, "%s %s%s", verb, name, more); // fits
    return steward_order(steward, line, ret_pid);
}

static bool renew(struct steward *steward, const char *name) {
    int64_t pid;
    uint64_t begun_us = clock_monotonic_us();
    printf("  %-16s ", name);
    fflush(stdout);
    if (!order(steward, "drain", name, "", &pid) ||
        !steward_wait(steward, name, pid, WISH_ALL_READY))
        return false;
    printf("ready again after %.2f s\n", (double)(clock_monotonic_us() - begun_us) / 1e6);
    fflush(stdout);
    return steward_settle(steward, name, WISH_ALL_READY);
}

// All of the class of the name at this place, which is its first.
static bool renew_members(struct steward *steward, const struct names *names, uint32_t first) {
    for (uint32_t i = first; i < names->count; i++) {
        if (is_of_class(names->texts[i], names->texts[first]) && !renew(steward, names->texts[i]))
            return false;
    }
    return true;
}

// One more serves meanwhile, so that what the class can do never sinks.
static bool renew_class(struct steward *steward, const struct names *names, uint32_t first) {
    char further[NAME_BYTES];
    const char *name = names->texts[first];
    int64_t pid;
    if (is_broker(name) || !further_name(steward, name, further))
        return renew_members(steward, names, first);
    printf("  %-16s for the time of %.*s\n", further, (int)class_length(name), name);
    return order(steward, "start", further, "", &pid) &&
           steward_wait(steward, further, -1, WISH_ALL_READY) &&
           steward_settle(steward, further, WISH_ALL_READY) &&
           renew_members(steward, names, first) &&
           order(steward, "drain", further, " stay", &pid) &&
           steward_wait(steward, further, pid, WISH_DOWN) &&
           steward_settle(steward, further, WISH_DOWN);
}

// False after a sentence: restarting would be noticed.
static bool allowed(struct steward *steward, const struct names *names) {
    char sentence[1024];
    struct text missing = system_view_missing(&steward->view, &steward->arena);
    if (missing.bytes != NULL || !text_equal(steward->view.state, TEXT("up"))) {
        (void)snprintf(sentence, sizeof sentence,
                       "Not now: %.*s. A rolling restart needs all to be ready; see `valorize up "
                       "--status`.",
                       (int)missing.length, missing.bytes == NULL ? "" : missing.bytes);
        (void)command_fail("restart", sentence);
        return false;
    }
    for (uint32_t i = 0; i < names->count; i++) {
        if (!is_broker(names->texts[i]) || names_of_class(names, names->texts[i]) > 1)
            continue;
        (void)command_fail("restart",
                           "There is one broker only: while it restarts all requests are refused. "
                           "Start the system with VALORIZE_BROKER_COUNT=2, or restart this one "
                           "with `valorize drain`.");
        return false;
    }
    return true;
}

static bool restart_all(struct steward *steward, struct names *names) {
    uint64_t begun_us = clock_monotonic_us();
    if (!steward_look(steward))
        return false;
    names_add(names, &steward->view, "brokers");
    names_add(names, &steward->view, "actors");
    names_add(names, &steward->view, "edges");
    if (!allowed(steward, names))
        return false;
    for (uint32_t i = 0; i < names->count; i++) {
        bool first = true;
        for (uint32_t j = 0; j < i; j++)
            first &= !is_of_class(names->texts[j], names->texts[i]);
        if (first && !renew_class(steward, names, i))
            return false;
    }
    printf("%u processes restarted in %.1f s.\n", names->count,
           (double)(clock_monotonic_us() - begun_us) / 1e6);
    return true;
}

int restart_command(int argc, char **argv) {
    const char *data;
    struct steward steward;
    data = command_data(argc, argv);
    if (argc != 2 || strcmp(argv[1], "--rolling") != 0)
        return command_refuse("restart",
                              "It takes --rolling: all processes, one after another. A single one "
                              "is restarted by `valorize drain NAME`.");
    struct names *names = calloc(1, sizeof *names);
    ASSERT(names != NULL);
    steward_open(&steward, "restart", data);
    bool done = restart_all(&steward, names);
    steward_close(&steward);
    free(names);
    return done ? EXIT_DONE : EXIT_FAILED;
}
