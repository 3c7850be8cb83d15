// SPDX-License-Identifier: Apache-2.0
// The private door of every process: a unix socket <VALORIZE_DATA>/run/<name>.sock, mode 0600.
// One line in, one answer out, then it closes:
//   status    {"name":..,"pid":..,"state":"starting|ready|draining","since":..} and of a peer of
//             brokers "links":2,"brokers":2: with how many of all it works
//   metrics   Prometheus text
//   top       one JSON object of the process's own making
//   listener  one byte with the public listening descriptor attached (SCM_RIGHTS); edges only
// It is answered from the loop, so an answer is the heartbeat the supervisor looks for.
#pragma once
#include "arena.h"
#include "loop.h"

enum admin_state { ADMIN_STARTING, ADMIN_READY, ADMIN_DRAINING };

struct admin;

struct admin_options {
    const char *directory; // "<VALORIZE_DATA>/run"
    const char *name;
    int listener; // descriptor, or -1
    void *context;
    enum admin_state (*state)(void *context);
    // NULL: it is no peer of brokers.
    void (*links)(void *context, uint32_t *ret_links, uint32_t *ret_brokers);
    struct text (*metrics)(void *context, struct arena *arena);
    struct text (*top)(void *context, struct arena *arena); // NULL: none
    // Any other line, e.g. "inflight 7"; bytes == NULL: unknown command. NULL: none.
    struct text (*command)(void *context, struct text line, struct arena *arena);
};

// NULL, with errno set, when the socket cannot be made: the path is over 100 bytes, the folder is
// missing, a living process has it. A dead one's socket is replaced. Strings are borrowed.
struct admin *admin_new(struct loop *loop, const struct admin_options *options);
struct admin *admin_free(struct admin *admin); // removes the socket; accepts NULL, returns NULL
