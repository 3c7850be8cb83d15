// SPDX-License-Identifier: Apache-2.0
// The metrics of all processes on one HTTP port, in the supervisor's loop:
//   GET /metrics   what each process says on its admin socket, merged (metrics_merge.h); a dead or
//                  slow one costs METRICS_MS at most and is told as valorize_up{process=".."} 0
//   GET /healthz   200 while this loop turns
#pragma once
#include "loop.h"
#include "metrics.h"

struct metrics_port;

struct metrics_port_options {
    int listener; // bound, listening, non-blocking; the port closes it
    const char *run_directory; // of the admin sockets; borrowed
    void *context;
    // The processes that should run: names[] (METRICS_PROCESSES_MAX) is filled, the count returned.
    // Names need to be valid until the next turn only.
    uint32_t (*names)(void *context, const char **names);
    // The supervisor's own numbers, under process="supervisor"; NULL: none.
    void (*metrics)(void *context, struct metrics *metrics);
};

// NULL when memory is short. Options are copied.
struct metrics_port *metrics_port_new(struct loop *loop,
                                      const struct metrics_port_options *options);
struct metrics_port *metrics_port_free(struct metrics_port *port); // accepts NULL, returns NULL
