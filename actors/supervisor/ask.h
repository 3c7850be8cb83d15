// SPDX-License-Identifier: Apache-2.0
// What a command asks the processes of a running system from outside: one question over their
// admin sockets, one process after another. None is waited for longer than two seconds.
#pragma once
#include "arena.h"
#include "child.h"

enum { ASK_ANSWER_BYTES = 1 << 20, ASK_PROCESSES_MAX = 256 };

struct asked {
    char name[CHILD_NAME_BYTES];
    struct text answer; // bytes == NULL: it is down, or hangs
};

// Whoever has a socket in the folder's run/ whose name fits the pattern ("broker-*"), by name;
// those who died without removing theirs are among them. Names and answers that do not fit are
// left out. The question has its line end. Returns how many there are.
uint32_t ask_all(const char *data, const char *pattern, const char *question, struct arena *arena,
                 struct asked ret_asked[ASK_PROCESSES_MAX]);

// One of them; bytes == NULL: it does not answer.
struct text ask_one(const char *data, const char *name, const char *question, struct arena *arena);

// The same as a sentence: who did not answer, and what to do. Returns the status to exit with.
int ask_fail(const char *command, const char *data, const char *whom);
