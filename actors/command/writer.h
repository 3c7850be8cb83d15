// SPDX-License-Identifier: Apache-2.0
// The commands an actor has in hand, from delivery to reply: bound, carried out in a batch
// (stream.h), the tenants' cached pages invalidated, answered. A read that starts after the reply
// never sees an older page; where Redis does not confirm, all query actors are told to go without
// it for that tenant first.
//
// COMMANDS_IN_HAND_MAX at once, then STATUS_BUSY. A repeat by the client of a key that is in hand
// is STATUS_CONFLICT; elsewhere a repeat waits for the lock and gets the recorded reply.
#pragma once
#include "served.h"
#include "session.h"

struct writer;

struct writer_options {
    const struct served *served;
    const char *name; // of this process
    const char *database_url;
    const char *redis_url; // "": no cache
    uint64_t seed;
    int64_t (*wall_us)(void);
    void (*random)(void *bytes, size_t count); // fit for secrets
};

// NULL after filling the sentence. Options are copied, strings borrowed.
MUST_USE struct writer *writer_new(struct loop *loop, const struct writer_options *options,
                                   char *ret_sentence, size_t sentence_size);
struct writer *writer_free(struct writer *writer); // accepts NULL, returns NULL

void writer_attach(struct writer *writer, struct session *session); // before the first delivery

void writer_deliver(struct writer *writer, const struct delivery *delivery);

bool writer_ready(const struct writer *writer); // but for heavy commands: they may wait a little

void writer_metrics(const struct writer *writer, struct metrics *metrics);
