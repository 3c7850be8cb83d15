// SPDX-License-Identifier: Apache-2.0
// One write connection and the commands that go through it: as many as are in hand leave together,
// as one transaction that begins with the lock of their tenants (batch.h decides which, and what
// becomes of them when it fails). The next batch gathers while one is under way.
#pragma once
#include "batch.h"
#include "database.h"
#include "metrics.h"

struct stream;

struct stream_options {
    const char *url;
    const char *name;
    const struct statement *const *statements;
    uint32_t statement_count;
    uint32_t statement_timeout_ms;
    uint32_t begin_ms; // wait before the first connection
    uint64_t seed;
    void *context; // of all callbacks, none of which comes from inside a call of this file
    // The statement of a command in hand, valid until it ends.
    const struct bound *(*bound)(void *context, uint16_t command);
    // Whether a command that has not begun is to be given back: others may have it by now.
    bool (*stale)(void *context, uint16_t command);
    // These were sent at sent_us, are committed, and no longer in hand. The results are the
    // receiver's.
    void (*on_committed)(void *context, const uint16_t *commands, uint32_t count,
                         struct database_result *const *results, uint64_t sent_us);
    // Ended without effect (STATUS_LOST: perhaps with it), no longer in hand. error: what its own
    // statement, or the commit of it alone, failed with; NULL where it ended for another reason.
    void (*on_ended)(void *context, uint16_t command, enum status status,
                     const struct database_error *error);
    // For the log: see database.h; and what fails whatever the commands are, once while it lasts.
    void (*on_trouble)(void *context, const char *sentence);
    void (*on_refused)(void *context, const char *sentence); // see database.h
};

// NULL after filling the sentence, as database_new.
MUST_USE struct stream *stream_new(struct loop *loop, const struct stream_options *options,
                                   char *ret_sentence, size_t sentence_size);
struct stream *stream_free(struct stream *stream); // accepts NULL, returns NULL

// Numbers below COMMANDS_IN_HAND_MAX, each once at a time. It ends with one of the two callbacks.
void stream_add(struct stream *stream, uint16_t command, const struct batch_command *about);

bool stream_is_up(const struct stream *stream);

struct stream_counters {
    uint64_t batches, members; // committed transactions and the commands in them
    uint64_t failures, isolations; // batches rolled back, tenants isolated
    struct histogram times; // from the first byte of a batch to its commit
};
const struct stream_counters *stream_count(struct stream *stream);
