// SPDX-License-Identifier: Apache-2.0
#include "operate.h"

#include "ask.h"
#include "clock.h"
#include "command.h"
#include "view_fields.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    ARENA_BYTES = 32 << 20, // of which only what is used costs memory
    LOOK_MS = 50, // each look asks every process
    SETTLE_MS = 1000,
    // The drain, pressing, a start from cold by a build with sanitizers.
    WAIT_MS = DRAIN_MS + START_SILENT_MS + 10000,
    SENTENCE_BYTES = 2048,
};

void steward_open(struct steward *steward, const char *command, const char *data) {
    *steward = (struct steward){.command = command, .data = data};
    arena_init(&steward->arena, ARENA_BYTES);
}

void steward_close(struct steward *steward) {
    arena_deinit(&steward->arena);
}

// --- looking -------------------------------------------------------------------------------------

static void look_at_links(struct steward *steward) {
    struct process_view *processes = steward->view.processes.items;
    for (uint32_t i = 0; i < steward->view.processes.count; i++) {
        char name[CHILD_NAME_BYTES];
        struct process_view *process = &processes[i];
        if (!text_equal(process->state, TEXT("ready")) || process_view_is_in(process, "servers"))
            continue;
        (void)snprintf(name, sizeof name, "%.*s", (int)process->name.length, process->name.bytes);
        struct text answer = ask_one(steward->data, name, "status\n", &steward->arena);
        if (answer.bytes != NULL)
            process_view_read_links(answer, &steward->arena, process);
    }
}

static void look_at_brokers(struct steward *steward) {
    struct system_view *view = &steward->view;
    const struct process_view *processes = view->processes.items;
    for (uint32_t i = 0; i < view->processes.count && view->broker_count < BROKERS_MAX; i++) {
        const struct process_view *process = &processes[i];
        if (!process_view_is_in(process, "brokers") || !text_equal(process->state, TEXT("ready")))
            continue;
        const char *name = arena_copy(&steward->arena, process->name).bytes;
        ASSERT(name != NULL); // the arena is for all of them
        struct top_source *source = &view->brokers[view->broker_count++];
        struct text answer = ask_one(steward->data, name, "top\n", &steward->arena);
        *source = (struct top_source){.name = name};
        source->answers =
            answer.bytes != NULL && top_broker_read(answer, &steward->arena, &source->top);
    }
}

bool steward_look(struct steward *steward) {
    arena_reset(&steward->arena);
    struct text answer = ask_one(steward->data, "supervisor", "top\n", &steward->arena);
    if (answer.bytes == NULL) {
        (void)ask_fail(steward->command, steward->data, "No supervisor");
        return false;
    }
    if (!system_view_read(answer, &steward->arena, &steward->view)) {
        (void)command_fail(steward->command,
                           "The supervisor is of another build. Kill it with -9 and start it "
                           "again with `valorize up`, which takes over all that runs.");
        return false;
    }
    look_at_links(steward);
    look_at_brokers(steward);
    return true;
}

int64_t steward_pid(const struct steward *steward, const char *name) {
    const struct process_view *process = system_view_find(&steward->view, text_of(name));
    return process == NULL ? 0 : process->pid;
}

// --- orders --------------------------------------------------------------------------------------

struct order_view {
    struct text error;
    int64_t pid;
    bool has_error, has_pid;
};

static const struct field order_view_fields[] = {
    OPTIONAL_OF(order_view, error, FIELD_STRING),
    OPTIONAL_OF(order_view, pid, FIELD_INTEGER),
};
MESSAGE(order_view);

bool steward_order(struct steward *steward, const char *order, int64_t *ret_pid) {
    char line[SENTENCE_BYTES], sentence[SENTENCE_BYTES];
    struct order_view view;
    (void)snprintf(line, sizeof line, "%s\n", order); // names are checked by whoever gets it
    arena_reset(&steward->arena);
    struct text answer = ask_one(steward->data, "supervisor", line, &steward->arena);
    if (answer.bytes == NULL) {
        (void)ask_fail(steward->command, steward->data, "No supervisor");
        return false;
    }
    bool good = json_read_view(&order_view_message, answer, &steward->arena, &view);
    if (good && view.has_pid) {
        *ret_pid = view.pid;
        return true;
    }
    if (good && view.has_error)
        (void)snprintf(sentence, sizeof sentence, "%.*s", (int)view.error.length, view.error.bytes);
    else
        (void)snprintf(sentence, sizeof sentence, "The supervisor answers nonsense.");
    (void)command_fail(steward->command, sentence);
    return false;
}

// --- waiting -------------------------------------------------------------------------------------

static struct text name_missing(struct steward *steward, const char *name, int64_t old_pid,
                                enum steward_wish wish) {
    const struct process_view *process = system_view_find(&steward->view, text_of(name));
    if (wish == WISH_DOWN)
        return process == NULL || process->pid == 0
                   ? (struct text){0}
                   : arena_format(&steward->arena, "%s is still there", name);
    if (process == NULL)
        return arena_format(&steward->arena, "%s is not there", name);
    if (process->pid == old_pid)
        return arena_format(&steward->arena, "%s has not ended", name);
    return process_view_missing(process, &steward->arena);
}

static bool is_failing(const struct steward *steward, const char *name) {
    const struct process_view *process = system_view_find(&steward->view, text_of(name));
    return process != NULL && text_equal(process->state, TEXT("failing"));
}

static bool fail_late(const struct steward *steward, const char *name, struct text missing) {
    char sentence[SENTENCE_BYTES];
    (void)snprintf(sentence, sizeof sentence,
                   "%s: %.*s. Nothing more was touched. `valorize up --status` shows all "
                   "processes, %s/log/%s.log what it said; repeat this when all are ready.",
                   name, (int)missing.length, missing.bytes, steward->data, name);
    (void)command_fail(steward->command, sentence);
    return false;
}

static void sleep_ms(long milliseconds) {
    const struct timespec pause = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    (void)nanosleep(&pause, NULL); // a signal only makes it shorter
}

bool steward_wait(struct steward *steward, const char *name, int64_t old_pid,
                  enum steward_wish wish) {
    uint64_t until_us = clock_monotonic_us() + WAIT_MS * 1000ULL;
    for (;;) {
        if (!steward_look(steward))
            return false;
        struct text missing = name_missing(steward, name, old_pid, wish);
        if (missing.bytes == NULL && wish == WISH_ALL_READY)
            missing = system_view_missing(&steward->view, &steward->arena);
        if (missing.bytes == NULL)
            return true;
        if (clock_monotonic_us() > until_us || is_failing(steward, name))
            return fail_late(steward, name, missing);
        sleep_ms(LOOK_MS);
    }
}

bool steward_settle(struct steward *steward, const char *name, enum steward_wish wish) {
    int64_t pid = steward_pid(steward, name);
    sleep_ms(SETTLE_MS);
    if (!steward_wait(steward, name, -1, wish))
        return false;
    if (steward_pid(steward, name) == pid)
        return true;
    return fail_late(steward, name,
                     arena_format(&steward->arena, "process %lld ended soon after it was ready",
                                  (long long)pid));
}
