// SPDX-License-Identifier: Apache-2.0
// One question at a time over a process's unix socket, from the loop. Who does not answer blocks
// nobody; the question stays open, and that is the silence the supervisor measures.
#pragma once
#include "loop.h"
#include "text.h"

#include <sys/types.h>

enum { PROBE_ANSWER_BYTES = 512 };

enum answer_form {
    ANSWER_LINE,
    ANSWER_ANY, // whatever comes first
};

struct question {
    struct text text;
    enum answer_form form;
};

struct probe {
    struct loop *loop;
    const char *path; // of the socket
    struct question question;
    uint32_t pause_ms; // from an answer to the next question
    void *context;
    // A line comes without its end. Length 0: the process hung up on us, which needs a living
    // loop, too.
    void (*heard)(void *context, struct text answer);
    struct watch watch;
    bool asked;
    uint64_t next_us; // no question before
    uint32_t length;
    char answer[PROBE_ANSWER_BYTES];
};

// Strings are borrowed.
void probe_init(struct probe *probe, struct loop *loop, const char *path, struct question question);

// Nothing happens while a question is open or in the pause after one, or when nobody listens.
void probe_ask(struct probe *probe, uint64_t now_us);
void probe_cancel(struct probe *probe); // the next question has no pause before it

// A connection that has the question and waits for nothing, or -1: nobody listens.
int probe_open(const char *path, const char *question);

// Who listens on the socket, also when it answers nothing; 0: nobody.
pid_t probe_owner(const char *path);

// For the command line, waiting a second or two at most: the whole answer's length, 0 when nobody
// listens or nothing was said; and the listening socket of an edge, or -1.
size_t probe_wait(const char *path, const char *question, char *ret_answer, size_t size);
int probe_take_listener(const char *path);
