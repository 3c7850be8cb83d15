// SPDX-License-Identifier: Apache-2.0
// A program to run: its arguments, its environment, and as whom. It starts in a session of its own,
// so that neither a terminal's Ctrl-C nor the death of the supervisor reaches it, with its output
// in a log file and nothing else inherited but one descriptor where asked.
#pragma once
#include "contract.h"

#include <sys/types.h>

enum { PROGRAM_ARGUMENTS_MAX = 64, PROGRAM_VARIABLES_MAX = 1024 };

struct identity { // whom a program runs as
    bool other; // false: as the supervisor does
    uid_t user;
    gid_t group;
};

struct program { // zero-initialized; strings are borrowed
    const char *arguments[PROGRAM_ARGUMENTS_MAX + 1]; // [0] is the file
    const char *variables[PROGRAM_VARIABLES_MAX + 1]; // "NAME=value"
    int argument_count;
    int variable_count;
    int passed; // a descriptor it inherits under the same number, or -1
    const char *input; // a file; NULL: nothing
    int nice; // how far it gives way to others; 0: not at all
    struct identity identity;
};

void program_add_argument(struct program *program, const char *argument);
void program_add_variable(struct program *program, const char *variable);

// The own environment but for what belongs to Valorize: VALORIZE_*, OTEL_*, DATABASE_URL,
// REDIS_URL, PORT. More than fit are left out.
void program_add_environment(struct program *program);

// What of the own environment begins with the prefix.
void program_add_own(struct program *program, const char *prefix);

// Forks and executes; output goes to the descriptor. Where the file cannot be executed, the child
// says so there and exits 127. -1 with errno when there can be no process.
MUST_USE pid_t program_start(const struct program *program, int output);

// The same, in the caller's session, and waits for it: true when it ended with exit code 0.
MUST_USE bool program_run(const struct program *program, int output);

// For a fresh child before it becomes something else: descriptors, signals, identity. Exits 126 on
// failure. input: a file, or NULL.
void program_settle(struct identity identity, const char *input, int output);
