// SPDX-License-Identifier: Apache-2.0
#include "system_view.h"

#include "view_fields.h"

static const struct field process_view_fields[] = {
    TEXT_OF(process_view, name),
    TEXT_OF(process_view, stage),
    TEXT_OF(process_view, state),
    NUMBER_OF(process_view, pid),
};
MESSAGE(process_view);

static const struct field system_view_fields[] = {
    TEXT_OF(system_view, state),
    NUMBER_OF(system_view, supervisor),
    LIST_OF(system_view, processes, process_view, SYSTEM_PROCESSES_MAX),
};
MESSAGE(system_view);

struct links_view { // of a process's own answer
    int64_t links, brokers;
    bool has_links, has_brokers;
};

static const struct field links_view_fields[] = {
    OPTIONAL_OF(links_view, links, FIELD_INTEGER),
    OPTIONAL_OF(links_view, brokers, FIELD_INTEGER),
};
MESSAGE(links_view);

bool system_view_read(struct text answer, struct arena *arena, struct system_view *ret_view) {
    return json_read_view(&system_view_message, answer, arena, ret_view);
}

void process_view_read_links(struct text answer, struct arena *arena,
                             struct process_view *process) {
    struct links_view told;
    if (!json_read_view(&links_view_message, answer, arena, &told))
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
