// SPDX-License-Identifier: Apache-2.0
// The reads a query actor has in hand, from delivery to reply: look into Redis, on a miss run the
// use case's statements, render, fill the cache. Equal misses under the same token are run once.
//
// READS_IN_HAND_MAX at once, then STATUS_BUSY. A read ends at the latest with its budget
// (STATUS_EXPIRED); without any connection to PostgreSQL after DATABASE_HOLD_MS
// (STATUS_UNAVAILABLE). Without Redis everything comes from PostgreSQL. A statement that does not
// fit the database ends the process.
#pragma once
#include "served.h"
#include "session.h"

struct reader;

struct reader_options {
    const struct served *served;
    const char *name; // of this process
    const char *database_url;
    const char *redis_url; // "": no cache
    uint64_t seed;
};

// NULL after filling the sentence. Options are copied, strings borrowed.
MUST_USE struct reader *reader_new(struct loop *loop, const struct reader_options *options,
                                   char *ret_sentence, size_t sentence_size);
struct reader *reader_free(struct reader *reader); // accepts NULL, returns NULL
void reader_leave(struct reader *reader); // the loop has ended; see pool_leave

void reader_attach(struct reader *reader, struct session *session); // before the first delivery

void reader_deliver(struct reader *reader, const struct delivery *delivery);
void reader_cancel(struct reader *reader, uint64_t session, uint64_t correlation);
void reader_event(struct reader *reader, const struct envelope *envelope); // or a GAP of events
void reader_missed(struct reader *reader); // events may have been

bool reader_ready(const struct reader *reader); // a connection to PostgreSQL is up

void reader_metrics(const struct reader *reader, struct metrics *metrics);
