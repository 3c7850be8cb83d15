// SPDX-License-Identifier: Apache-2.0
// The connections a query actor reads through: READ_CONNECTIONS of them, at most READ_IN_FLIGHT_MAX
// reads on each, every read ended by a sync of its own, the next read to the emptiest. Reads that
// nobody waits for any more are cancelled through one further connection. They are opened one after
// another, so that a beginning process does not keep the server from those who work.
#pragma once
#include "database.h"

struct pool;

struct pool_options {
    const char *url;
    const char *name;
    const struct statement *const *statements;
    uint32_t statement_count;
    uint32_t statement_timeout_ms;
    uint64_t seed;
    void *context; // of the callbacks, none of which comes from inside a call of this file
    // What statement number `place` (of pool_run's list) returned; the receiver frees it.
    void (*on_result)(void *context, uint32_t read, uint32_t place, struct database_result *result);
    // The read has left its connection. error: NULL when all went well.
    void (*on_done)(void *context, uint32_t read, const struct database_error *error);
    void (*on_lost)(void *context, uint32_t read); // with its connection
    void (*on_trouble)(void *context, const char *sentence);
    void (*on_refused)(void *context, const char *sentence); // see database.h
};

// NULL after filling the sentence, as database_new.
MUST_USE struct pool *pool_new(struct loop *loop, const struct pool_options *options,
                               char *ret_sentence, size_t sentence_size);
struct pool *pool_free(struct pool *pool); // accepts NULL, returns NULL

// For a process that ends: closes the connections one after another, since the end of a backend
// that has seen much of the database costs the server milliseconds. Blocks for
// READ_CONNECTIONS * DATABASE_APART_MS; only pool_free may follow.
void pool_leave(struct pool *pool);

bool pool_has_room(const struct pool *pool);

// Only where there is room. read: any number of the owner's, unique among those under way.
void pool_run(struct pool *pool, uint32_t read, const struct bound *const *bound, uint32_t count);

// Nobody waits for this read: if the server is at it now, it is asked to stop. on_done follows in
// any case. Another read may be hit instead; it ends with TROUBLE_TIMEOUT and may be run again.
void pool_cancel(struct pool *pool, uint32_t read);

uint64_t pool_down_since_us(const struct pool *pool); // 0 while one connection is up
struct database_counters pool_count(const struct pool *pool);
