// SPDX-License-Identifier: Apache-2.0
#include "operate.h"

#include "ask.h"
#include "clock.h"
#include "command.h"
#include "json.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    ARENA_BYTES = 32 << 20, // of which only what is used costs memory
    LOOK_MS = 20,
    // The drain, pressing, a start from cold by a build with sanitizers.
    WAIT_MS = DRAIN_MS + START_SILENT_MS + 10000,
    SENTENCE_BYTES = 2048,
};

void operator_open(struct operator* operator, const char * command, const char *data) {
    *operator=(struct operator) {.command = command, .data = data };
    arena_init(&operator->arena, ARENA_BYTES);
}

void operator_close(struct operator* operator) {
    arena_deinit(&operator->arena);
}

// --- looking -------------------------------------------------------------------------------------

static void look_at_links(struct operator* operator) {
    struct process_view *processes = operator->view.processes.items;
    for (uint32_t i = 0; i < operator->view.processes.count; i++) {
        char name[CHILD_NAME_BYTES];
        struct process_view *process = &processes[i];
        if (!text_equal(process->state, TEXT("ready")) || process_view_is_in(process, "servers"))
            continue;
        (void)snprintf(name, sizeof name, "%.*s", (int)process->name.length, process->name.bytes);
        struct text answer = ask_one(operator->data, name, "status\n", &operator->arena);
        if (answer.bytes != NULL)
            process_view_read_links(answer, &operator->arena, process);
    }
}

static void look_at_brokers(struct operator* operator) {
    struct system_view *view = &operator->view;
    const struct process_view *processes = view->processes.items;
    for (uint32_t i = 0; i < view->processes.count && view->broker_count < BROKERS_MAX; i++) {
        const struct process_view *process = &processes[i];
        if (!process_view_is_in(process, "brokers") || !text_equal(process->state, TEXT("ready")))
            continue;
        const char *name = arena_copy(&operator->arena, process->name).bytes;
        ASSERT(name != NULL); // the arena is for all of them
        struct top_source *source = &view->brokers[view->broker_count++];
        struct text answer = ask_one(operator->data, name, "top\n", &operator->arena);
        *source = (struct top_source){.name = name};
        source->answers =
            answer.bytes != NULL && top_broker_read(answer, &operator->arena, &source->top);
    }
}

bool operator_look(struct operator* operator) {
    arena_reset(&operator->arena);
    struct text answer = ask_one(operator->data, "supervisor", "top\n", &operator->arena);
    if (answer.bytes == NULL) {
        (void)ask_fail(operator->command, operator->data, "No supervisor");
        return false;
    }
    if (!system_view_read(answer, &operator->arena, &operator->view)) {
        (void)command_fail(operator->command,
                           "The supervisor is of another build. Kill it with -9 and start it "
                           "again with `valorize up`, which takes over all that runs.");
        return false;
    }
    look_at_links(operator);
    look_at_brokers(operator);
    return true;
}

// --- orders --------------------------------------------------------------------------------------

struct order_view {
    struct text error;
    int64_t pid;
    bool has_error, has_pid;
};

static const struct field order_fields[] = {
    {.name = "error",
     .type = FIELD_STRING,
     .offset = offsetof(struct order_view, error),
     .presence_offset = offsetof(struct order_view, has_error)},
    {.name = "pid",
     .type = FIELD_INTEGER,
     .offset = offsetof(struct order_view, pid),
     .presence_offset = offsetof(struct order_view, has_pid),
     .minimum = 0,
     .maximum = INT32_MAX},
};
static const struct message order_message = {"order", order_fields, COUNT_OF(order_fields),
                                             sizeof(struct order_view), 0};

bool operator_order(struct operator* operator, const char * order, int64_t *ret_pid) {
    char line[SENTENCE_BYTES], sentence[SENTENCE_BYTES];
    struct order_view view;
    (void)snprintf(line, sizeof line, "%s\n", order); // names are checked by whoever gets it
    arena_reset(&operator->arena);
    struct text answer = ask_one(operator->data, "supervisor", line, &operator->arena);
    if (answer.bytes == NULL) {
        (void)ask_fail(operator->command, operator->data, "No supervisor");
        return false;
    }
    bool good = json_read_view(&order_message, answer, &operator->arena, &view);
    if (good && view.has_pid) {
        *ret_pid = view.pid;
        return true;
    }
    if (good && view.has_error)
        (void)snprintf(sentence, sizeof sentence, "%.*s", (int)view.error.length, view.error.bytes);
    else
        (void)snprintf(sentence, sizeof sentence, "The supervisor answers nonsense.");
    (void)command_fail(operator->command, sentence);
    return false;
}

// --- waiting -------------------------------------------------------------------------------------

static struct text name_missing(struct operator* operator, const char * name, int64_t old_pid,
                                enum operator_wish wish) {
    const struct process_view *process = system_view_find(&operator->view, text_of(name));
    if (wish == WISH_DOWN)
        return process == NULL || process->pid == 0
                   ? (struct text){0}
                   : arena_format(&operator->arena, "%s is still there", name);
    if (process == NULL)
        return arena_format(&operator->arena, "%s is not there", name);
    if (process->pid == old_pid)
        return arena_format(&operator->arena, "%s has not ended", name);
    return process_view_missing(process, &operator->arena);
}

static bool is_failing(const struct operator* operator, const char * name) {
    const struct process_view *process = system_view_find(&operator->view, text_of(name));
    return process != NULL && text_equal(process->state, TEXT("failing"));
}

static bool fail_late(const struct operator* operator, const char * name, struct text missing) {
    char sentence[SENTENCE_BYTES];
    (void)snprintf(sentence, sizeof sentence,
                   "%s: %.*s. Nothing more was touched. `valorize up --status` shows all "
                   "processes, %s/log/%s.log what it said; repeat this when all are ready.",
                   name, (int)missing.length, missing.bytes, operator->data, name);
    (void)command_fail(operator->command, sentence);
    return false;
}

bool operator_wait(struct operator* operator, const char * name, int64_t old_pid,
                   enum operator_wish wish) {
    const struct timespec pause = {0, LOOK_MS * 1000000};
    uint64_t until_us = clock_monotonic_us() + WAIT_MS * 1000ULL;
    for (;;) {
        if (!operator_look(operator))
            return false;
        struct text missing = name_missing(operator, name, old_pid, wish);
        if (missing.bytes == NULL && wish == WISH_ALL_READY)
            missing = system_view_missing(&operator->view, &operator->arena);
        if (missing.bytes == NULL)
            return true;
        if (clock_monotonic_us() > until_us || is_failing(operator, name))
            return fail_late(operator, name, missing);
        (void)nanosleep(&pause, NULL); // a signal only makes it shorter
    }
}
