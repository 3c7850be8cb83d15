// SPDX-License-Identifier: Apache-2.0
// What a running system tells of its processes: the supervisor's list, what each says of its links,
// what each broker says of its sessions; and what is missing until nobody would notice if one of
// them left. Pure.
#pragma once
#include "top_table.h"

enum { SYSTEM_PROCESSES_MAX = 256 };

struct process_view {
    struct text name, stage, state; // as in state.json
    int64_t pid; // 0: none
    // Of its own answer to `status`.
    int64_t links, brokers;
    bool has_links, has_brokers; // a peer of brokers, of a build that tells them
};

struct system_view {
    struct text state; // "up"
    int64_t supervisor; // pid
    struct list processes; // of struct process_view
    uint32_t broker_count;
    struct top_source brokers[BROKERS_MAX];
};

// The supervisor's answer to `top`; texts are in it, the list in the arena. False: it is not that
// of a build that knows stages.
MUST_USE bool system_view_read(struct text answer, struct arena *arena,
                               struct system_view *ret_view);

// A process's answer to `status`. One that makes no sense leaves it without links.
void process_view_read_links(struct text answer, struct arena *arena, struct process_view *process);

struct process_view *system_view_find(const struct system_view *view, struct text name);
bool process_view_is_in(const struct process_view *process, const char *stage);

// What is missing, as words to stand after "waiting: "; bytes == NULL: nothing. All of ours are
// ready and work with all brokers, and each broker knows them. Who was left down is not missed.
struct text system_view_missing(const struct system_view *view, struct arena *arena);

// The same of one process alone.
struct text process_view_missing(const struct process_view *process, struct arena *arena);
