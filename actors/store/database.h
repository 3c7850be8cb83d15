// SPDX-License-Identifier: Apache-2.0
// One connection to PostgreSQL in the loop, in pipeline mode: it connects, prepares its statements
// and comes back by itself. The only file that knows libpq beside migrate.c, which blocks.
//
// Between two syncs is one transaction. Results come in the order of sending: one on_result a
// statement (also for those skipped after a failed one), then one on_sync. When the connection
// ends, all results that have not come are gone: on_down tells once, in the loop, never from inside
// a send.
#pragma once
#include "arena.h"
#include "handler.h"
#include "loop.h"
#include "trouble.h"

struct database;
struct database_result; // what one statement returned; its receiver frees it

struct database_error {
    enum trouble trouble;
    char state[6]; // SQLSTATE, or ""
    char message[256]; // the server's first line
};

struct database_options {
    const char *url; // libpq's URL or key=value form
    const char *name; // application_name
    const char *role; // SET ROLE at connect; NULL: none
    bool generic_plans; // one plan a statement, whatever its parameters, and always by an index:
                        // a plan made while a table was empty would scan it when it is full
    uint32_t lock_timeout_ms; // 0: none
    uint32_t statement_timeout_ms; // 0: none
    const struct statement *const *statements; // prepared at each connect; outlive the connection
    uint32_t statement_count;
    uint32_t in_flight_max; // statements and syncs; more is a bug of the owner
    uint32_t begin_ms; // wait before the first attempt
    uint64_t seed; // chance, for the waits between attempts
    void *context;
    void (*on_up)(void *context, struct database *database);
    void (*on_result)(void *context, struct database *database, uint32_t tag,
                      struct database_result *result);
    // error: of the statement that failed, or of the commit; NULL when it was committed.
    void (*on_sync)(void *context, struct database *database, uint32_t tag,
                    const struct database_error *error);
    // flushed: all that was given had left this process, so the server may have acted on it.
    void (*on_down)(void *context, struct database *database, bool flushed);
    // An attempt failed (for the log): the first of an outage, then every tenth.
    void (*on_trouble)(void *context, struct database *database, const char *sentence);
    // A statement is wrong, or has other parameters or columns than its struct says: this build
    // does not fit this database. The process ends, by
    // database_end_process.
    void (*on_refused)(void *context, struct database *database, const char *sentence);
};

// Logs the sentence and exits: what an owner does about on_refused.
_Noreturn void database_end_process(void *context, const char *sentence);

// Names of hosts are resolved here, once, blocking. NULL after filling the sentence: the URL makes
// no sense or the host is unknown. Options are copied.
MUST_USE struct database *database_new(struct loop *loop, const struct database_options *options,
                                       char *ret_sentence, size_t sentence_size);
struct database *database_free(struct database *database); // accepts NULL, returns NULL

bool database_is_up(const struct database *database);
uint64_t database_down_since_us(const struct database *database); // 0 while it is up
uint32_t database_in_flight(const struct database *database); // statements and syncs

// Only while it is up. Values are copied into libpq's buffer. binary: form of the result's columns.
void database_send(struct database *database, const struct bound *bound, bool binary, uint32_t tag);
void database_sync(struct database *database, uint32_t tag);

int database_backend(const struct database *database); // process id of the server's side

struct database_counters {
    uint64_t connects, failures, statements, errors;
};
struct database_counters database_count(const struct database *database);

// --- results -------------------------------------------------------------------------------------

// Accepts NULL, returns NULL.
struct database_result *database_result_free(struct database_result *result);

// True for a statement that went well.
bool database_result_is_ok(const struct database_result *result);

// True for a statement that was skipped because an earlier one of its transaction failed.
bool database_result_is_skipped(const struct database_result *result);

// The cells point into the result. False: the arena is full.
MUST_USE bool database_result_rows(const struct database_result *result, struct arena *arena,
                                   struct rows *ret_rows);
