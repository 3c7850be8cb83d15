// SPDX-License-Identifier: Apache-2.0
// One process that the supervisor keeps alive: starts it or adopts the one that runs under its
// name, asks for signs of life, kills what hangs, starts again what ended, ends it in good order.
#pragma once
#include "heartbeat.h"
#include "loop.h"
#include "probe.h"
#include "program.h"
#include "restart_policy.h"

enum { CHILD_NAME_BYTES = 32, CHILD_PATH_BYTES = 4200, CHILD_WHY_BYTES = 256 };

enum child_state {
    CHILD_DOWN, // not running, and not to be
    CHILD_WAITING, // for its next start
    CHILD_STARTING, // running, not ready
    CHILD_READY,
    CHILD_ENDING, // running, told to end (by whomever)
};

struct child;

// What differs between our processes, PostgreSQL and Redis.
struct child_kind {
    struct question question; // for signs of life, over its socket
    uint32_t pause_ms; // from an answer to the next question; 0: until the next look
    uint32_t gone_ms; // one that has answered before and is silent so long is killed
    enum child_state (*hear)(struct text answer); // CHILD_STARTING, CHILD_READY or CHILD_ENDING
    bool (*is_ready)(const struct child *child); // instead, where no answer says it
    bool (*clear)(const struct child *child); // before a start; false: remains still die, ask again
    int end_signal; // asks it to end; after end_ms press_signal, after press_ms SIGKILL
    int press_signal;
    uint32_t end_ms;
    uint32_t press_ms;
};

struct child_options {
    const char *name;
    const struct child_kind *kind;
    const char *socket; // path, also where its owner is found when it is to be adopted
    const char *log; // path
    const char *folder; // of the kind's own use
    uint32_t stage; // of the owner's own use
    void *context;
    void (*describe)(void *context, const struct child *child, struct program *program);
    void (*changed)(void *context, struct child *child); // state, pid or failing
};

struct child {
    char name[CHILD_NAME_BYTES];
    char socket[CHILD_PATH_BYTES];
    char log[CHILD_PATH_BYTES];
    struct child_options options; // its strings are those above
    struct loop *loop;
    enum child_state state;
    uint64_t since_us; // of the state
    bool wanted; // to be running
    bool left_down; // by an operator; it is listed all the same
    pid_t pid; // 0: none
    bool adopted; // started by an earlier supervisor
    bool silenced; // killed by us for giving no sign of life
    uint32_t starts;
    uint32_t chance;
    char why[CHILD_WHY_BYTES]; // it last ended; "" when it never did
    struct watch watch; // of its pidfd
    struct timer timer; // of its state
    struct probe probe;
    struct heartbeat heartbeat;
    struct restart_policy policy;
};

// Does not start it. The storage stays where it is until child_deinit. Strings are copied but for
// folder.
void child_init(struct child *child, struct loop *loop, const struct child_options *options,
                uint32_t chance);
void child_deinit(struct child *child); // leaves the process alone

// From now on there is to be such a process.
void child_start(struct child *child);

// Takes over the process that listens on its socket; false: there is none.
bool child_adopt(struct child *child);

void child_end(struct child *child); // asks it to end, and presses when it does not
// The same, gently: one that is ending already is not hurried. again: it is started again.
void child_drain(struct child *child, bool again);
void child_press(struct child *child); // now
void child_leave(struct child *child); // it runs on without us

// "starting", "ready", ... and "failing" of one that is started again and again.
const char *child_state_name(const struct child *child);

uint32_t child_restarts(const struct child *child);
