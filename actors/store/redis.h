// SPDX-License-Identifier: Apache-2.0
// One connection to Redis in the loop: it connects, greets, and comes back by itself. The only file
// that knows hiredis, of whose two generations (0.14 and 1) it uses what they have in common.
//
// It is up once Redis has said who it is. Answers come in the order of sending, one on_answer a
// command, all commands of a turn in one write. There are no deadlines here: an owner that has
// waited enough breaks the connection. The process ignores SIGPIPE (process.h).
#pragma once
#include "limits.h"
#include "loop.h"
#include "text.h"

struct redis;

enum { REDIS_ITEMS_MAX = 4, REDIS_ARGUMENTS_MAX = 1 + BATCH_MEMBERS_MAX, REDIS_RUN_BYTES = 16 };

enum redis_answer_kind {
    REDIS_ANSWER_LOST, // the connection ended before: Redis may have obeyed or not
    REDIS_ANSWER_ERROR,
    REDIS_ANSWER_NIL,
    REDIS_ANSWER_BYTES,
    REDIS_ANSWER_INTEGER,
    REDIS_ANSWER_LIST,
    REDIS_ANSWER_OTHER, // of no use to anybody here
};

struct redis_answer { // valid during the callback
    enum redis_answer_kind kind;
    struct text bytes; // of BYTES and ERROR
    int64_t integer; // of INTEGER
    uint32_t count; // of a LIST, REDIS_ITEMS_MAX at most
    struct text items[REDIS_ITEMS_MAX]; // bytes == NULL: nil, or not bytes
};

struct redis_command {
    uint32_t count;
    struct text arguments[REDIS_ARGUMENTS_MAX];
};

struct redis_options {
    const char *url; // see redis_address.h
    const char *name; // CLIENT SETNAME
    uint64_t seed; // chance, for the waits between attempts
    void *context;
    void (*on_up)(void *context); // may be NULL; what it sends goes before all else
    // May send further commands. kind LOST also comes from redis_free.
    void (*on_answer)(void *context, uint64_t number, const struct redis_answer *answer);
    void (*on_trouble)(void *context, const char *sentence); // for the log: gone, back
};

// Resolves the host's name, blocking. NULL after filling the sentence: the URL makes no sense or
// the host is unknown. The first attempt begins at once.
MUST_USE struct redis *redis_new(struct loop *loop, const struct redis_options *options,
                                 char *ret_sentence, size_t sentence_size);
struct redis *redis_free(struct redis *redis); // accepts NULL, returns NULL

bool redis_is_up(const struct redis *redis);

// Which life of which server answers, the first bytes of its run_id: another one knows nothing of
// what this one was told. Of the last connection that was up.
struct text redis_run(const struct redis *redis);

// Copies the arguments. False: it is down, or CACHE_TICKETS_MAX answers are owed.
MUST_USE bool redis_send(struct redis *redis, const struct redis_command *command, uint64_t number);

// Drops the connection, from the loop, and tries again after CACHE_BREAKER_MS.
void redis_break(struct redis *redis, const char *reason);

// Proof that no Redis is there: its unix socket refuses a fresh connection, so nobody listens, and
// what the process that did had in memory is gone. False where there is no proof.
bool redis_is_gone(const struct redis *redis);

static inline void redis_argument(struct redis_command *command, struct text argument) {
    ASSERT(command->count < REDIS_ARGUMENTS_MAX);
    command->arguments[command->count++] = argument;
}
