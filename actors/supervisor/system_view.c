// SPDX-License-Identifier: Apache-2.0
#include "system_view.h"

#include "json.h"

// clang-format off
#define FIELD(of, label, member, kind) \
    {.name = (label), .type = (kind), .offset = offsetof(struct of, member), \
     .presence_offset = FIELD_ALWAYS, .minimum = INT64_MIN, .maximum = INT64_MAX}
#define MAYBE(of, member) \
    {.name = #member, .type = FIELD_INTEGER, .offset = offsetof(struct of, member), \
     .presence_offset = offsetof(struct of, has_##member), \
     .minimum = INT64_MIN, .maximum = INT64_MAX}
// clang-format on

static const struct field process_fields[] = {
    FIELD(process_view, "name", name, FIELD_STRING),
    FIELD(process_view, "stage", stage, FIELD_STRING),
    FIELD(process_view, "state", state, FIELD_STRING),
    FIELD(process_view, "pid", pid, FIELD_INTEGER),
};
static const struct message process_message = {"process", process_fields, COUNT_OF(process_fields),
                                               sizeof(struct process_view), 0};

static const struct field system_fields[] = {
    FIELD(system_view, "state", phase, FIELD_STRING),
    FIELD(system_view, "supervisor", supervisor, FIELD_INTEGER),
    {.name = "processes",
     .type = FIELD_MESSAGE,
     .offset = offsetof(struct system_view, processes),
     .presence_offset = FIELD_ALWAYS,
     .list = true,
     .list_maximum = SYSTEM_PROCESSES_MAX,
     .nested = &process_message,
     .element_size = sizeof(struct process_view)},
};
static const struct message system_message = {"system", system_fields, COUNT_OF(system_fields),
                                              sizeof(struct system_view), 0};

static const struct field links_fields[] = {
    MAYBE(process_view, links),
    MAYBE(process_view, brokers),
};
static const struct message links_message = {"status", links_fields, COUNT_OF(links_fields),
                                             sizeof(struct process_view), 0};

bool system_view_read(struct text answer, struct arena *arena, struct system_view *ret_view) {
    return json_read_view(&system_message, answer, arena, ret_view);
}

void process_view_read_links(struct text answer, struct arena *arena,
                             struct process_view *process) {
    struct process_view told;
    if (!json_read_view(&links_message, answer, arena, &told))
        return;
    process->links = told.links;
    process->brokers = told.brokers;
    process->has_links = told.has_links;
    process->has_brokers = told.has_brokers;
}

struct process_view *system_view_find(const struct system_view *view, struct text name) {
    struct process_view *processes = view->processes.items;
    for (uint32_t i = 0; i < view->processes.count; i++) {
        if (text_equal(processes[i].name, name))
            return &processes[i];
    }
    return NULL;
}

bool process_view_is_in(const struct process_view *process, const char *stage) {
    return text_equal(process->stage, text_of(stage));
}

struct text process_view_missing(const struct process_view *process, struct arena *arena) {
    int length = (int)process->name.length;
    if (!text_equal(process->state, TEXT("ready")))
        return arena_format(arena, "%.*s is %.*s", length, process->name.bytes,
                            (int)process->state.length, process->state.bytes);
    if (process->has_links && process->has_brokers && process->links < process->brokers)
        return arena_format(arena, "%.*s works with %lld of %lld brokers", length,
                            process->name.bytes, (long long)process->links,
                            (long long)process->brokers);
    return (struct text){0};
}

static bool is_peer(const struct process_view *process) {
    return process->pid != 0 &&
           (process_view_is_in(process, "actors") || process_view_is_in(process, "edges"));
}

// Up at this broker, in its present life.
static bool broker_knows(const struct top_source *broker, const struct process_view *process) {
    const struct top_process *peers = broker->top.peers.items;
    for (uint32_t i = 0; i < broker->top.peers.count; i++) {
        if (peers[i].pid == process->pid && text_equal(peers[i].name, process->name) &&
            text_equal(peers[i].state, TEXT("up")))
            return true;
    }
    return false;
}

// A broker may be of another build, or just be leaving: then the processes' own words decide.
static struct text broker_missing(const struct system_view *view, const struct top_source *broker,
                                  struct arena *arena) {
    const struct process_view *processes = view->processes.items;
    for (uint32_t i = 0; broker->answers && i < view->processes.count; i++) {
        if (is_peer(&processes[i]) && !broker_knows(broker, &processes[i]))
            return arena_format(arena, "%s does not know %.*s yet", broker->name,
                                (int)processes[i].name.length, processes[i].name.bytes);
    }
    return (struct text){0};
}

struct text system_view_missing(const struct system_view *view, struct arena *arena) {
    const struct process_view *processes = view->processes.items;
    struct text missing = {0};
    for (uint32_t i = 0; i < view->processes.count && missing.bytes == NULL; i++) {
        if (!text_equal(processes[i].state, TEXT("down")))
            missing = process_view_missing(&processes[i], arena);
    }
    for (uint32_t i = 0; i < view->broker_count && missing.bytes == NULL; i++)
        missing = broker_missing(view, &view->brokers[i], arena);
    return missing;
}
