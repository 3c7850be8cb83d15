// SPDX-License-Identifier: Apache-2.0
// Work that blocks, done in a forked copy of the supervisor so that its loop goes on: making the
// database, migrating it.
#pragma once
#include "loop.h"
#include "program.h"

enum { TASK_SENTENCE_BYTES = 1024 };

struct task { // zero-initialized
    // Runs in the child. True: done; the sentence says what, or why not.
    bool (*run)(void *argument, char *ret_sentence, size_t size);
    void *argument;
    struct identity identity;
    void *context;
    void (*ended)(void *context, bool done, const char *sentence);
    struct loop *loop;
    struct watch watch;
    int sentence; // read end of a pipe
    pid_t pid; // 0: nothing runs
};

// output: what the child says otherwise. False with errno when there can be no process.
MUST_USE bool task_start(struct task *task, struct loop *loop, int output);

// Ends it at once; `ended` is not called.
void task_cancel(struct task *task);
