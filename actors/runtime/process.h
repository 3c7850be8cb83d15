// SPDX-License-Identifier: Apache-2.0
// What every main.c shares: base settings, log, admin socket, session with the brokers, readiness,
// SIGTERM and the drain. A main.c reads its config, makes the loop and its own parts on it, then
// calls process_new and process_run:
//
//   struct query_config { struct process_config base; const char *database; };
//   static const struct setting settings[] = {
//       PROCESS_SETTINGS(struct query_config, base, "query-1"),
//       {.name = "DATABASE_URL", ..., .offset = offsetof(struct query_config, database)},
//   };
//   config_read(settings, COUNT_OF(settings), &config, argc, argv);
//   process_prepare(&config.base);
//   struct loop *loop = loop_new();
//   ... own parts ...
//   struct process *process = process_new(loop, &(struct process_options){...});
//   if (process == NULL) return 1; // said why
//   int code = process_run(process);
//   process = process_free(process); ... own parts ...; loop = loop_free(loop);
#pragma once
#include "admin.h"
#include "config.h"
#include "log.h"
#include "metrics.h"
#include "session.h"

struct process_config {
    const char *name; // VALORIZE_NAME
    const char *data; // VALORIZE_DATA
    const char *brokers; // VALORIZE_BROKERS; "": two ipc sockets under the run folder
    const char *log_level; // VALORIZE_LOG_LEVEL
    const char *keys; // VALORIZE_KEYS; "": none
};

// The rows of the base settings, first in each process's table.
// clang-format off
#define PROCESS_SETTINGS(type, member, default_name) \
    {"VALORIZE_NAME", SETTING_TEXT, 1, 31, default_name, \
     "name of this process, <class>-<n>", offsetof(type, member.name)}, \
    {"VALORIZE_DATA", SETTING_TEXT, 1, 4000, ".valorize", \
     "folder of run/ and log/", offsetof(type, member.data)}, \
    {"VALORIZE_BROKERS", SETTING_TEXT, 0, 4000, "", \
     "comma list of broker endpoints; default: two ipc sockets under run/", \
     offsetof(type, member.brokers)}, \
    {"VALORIZE_LOG_LEVEL", SETTING_TEXT, 4, 7, "info", \
     "debug, info, warning or error", offsetof(type, member.log_level)}, \
    {"VALORIZE_KEYS", SETTING_TEXT, 0, 1000, "", \
     "folder of the keys for tcp:// brokers, made by `valorize keys`; without it they must be on " \
     "loopback", offsetof(type, member.keys)}
// clang-format on

struct process;

struct process_options {
    const struct process_config *config;
    enum session_role role; // 0: no session (the broker, which is one)
    const uint16_t *operations; // actors: numbers of the served ones
    uint32_t operation_count;
    uint32_t window; // actors: WINDOW_QUERY, WINDOW_COMMAND
    int listener; // edges: the public listening descriptor; else -1
    void *context; // of all callbacks below; each may be NULL where nothing is to be said
    void (*on_delivery)(void *context, const struct delivery *delivery); // see session.h
    void (*on_cancel)(void *context, uint64_t session, uint64_t correlation);
    void (*on_answer)(void *context, void *request, const struct answer *answer);
    void (*on_event)(void *context, const struct envelope *envelope, struct text body);
    void (*on_missed)(void *context); // events may have been: no broker was heard for a while
    // The process's own condition of readiness (database connected, listening); the session's
    // comes on top.
    bool (*ready)(void *context);
    // SIGTERM. NULL: the session drains at once. Else the owner stops taking work and calls
    // process_finish when its side is done (an edge: its last request is answered).
    void (*on_terminate)(void *context);
    void (*metrics)(void *context, struct metrics *metrics); // own ones; the session's are added
    struct text (*top)(void *context, struct arena *arena);
    struct text (*command)(void *context, struct text line, struct arena *arena);
};

// Log, signals (SIGPIPE ignored), descriptor limit raised to its maximum, run folder made. To be
// called before anything else is made. Exits 2 with a sentence when it cannot be.
void process_prepare(const struct process_config *config);

// "<VALORIZE_DATA>/run", absolute; valid after process_prepare until the process ends.
const char *process_run_directory(void);

// NULL after a line on stderr: a broker list that makes no sense, a path over 100 bytes, another
// process of that name is alive.
MUST_USE struct process *process_new(struct loop *loop, const struct process_options *options);
struct process *process_free(struct process *process); // accepts NULL, returns NULL

struct session *process_session(struct process *process); // NULL with role 0

// Runs until SIGTERM or SIGINT and the drain that follows, DRAIN_MS at most; returns the exit code.
int process_run(struct process *process);

// After on_terminate: the owner's side is done. Drains the session, then ends process_run. Calling
// it without a signal ends the process in the same way.
void process_finish(struct process *process);

enum admin_state process_state(const struct process *process);
