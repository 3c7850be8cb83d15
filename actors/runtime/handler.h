// SPDX-License-Identifier: Apache-2.0
// What an actor has for each of its operations: statements and two pure functions. The generator
// writes the table of a process (handlers_query.c, handlers_command.c) and names the functions
// <operation>_bind and <operation>_reply, so the linker reports a missing one; an operation whose
// schema says `parameters = [...]` has neither: the runtime binds and replies by the tables.
#pragma once
#include "arena.h"
#include "failure.h"
#include "operation.h"
#include "render.h"

// One prepared statement: one shape of the use case's .sql file.
struct statement {
    const char *name; // "list_transactions_page_by_account"
    const char *sql;
    uint8_t parameter_count;
};

// The tenant and key a handler may use; never from a body.
struct caller {
    struct uuid tenant;
    uint8_t key[16]; // idempotency key; commands only
    int64_t now_us; // wall clock
};

enum { BOUND_STATEMENTS_MAX = 2 };
enum bound_when { BOUND_ALWAYS, BOUND_IF_EMPTY }; // the second: only if the first has no row

// Parameters of one statement in PostgreSQL's text or binary form.
struct bound {
    const struct statement *statement;
    uint8_t count;
    uint8_t when; // enum bound_when
    bool cached_apart; // a total: kept in Redis under its own key of statement and parameters
    struct text values[PARAMETERS_MAX]; // bytes == NULL is SQL NULL
    uint8_t binary[PARAMETERS_MAX]; // 1: binary format
};

struct binding {
    const struct caller *caller;
    const struct statement *shapes; // of this operation, indexed by the generated enum
    struct arena *arena;
    uint32_t count;
    struct bound bound[BOUND_STATEMENTS_MAX];
};

// What the statements returned. Queries: rows[i] belongs to bound[i]. Commands: one statement
// whose outcome is `outcome` ("ok" or a word of the use case) and whose rows[0] has at most one
// row, the reply's cells.
struct result {
    struct text outcome;
    struct rows rows[BOUND_STATEMENTS_MAX];
};

// Fills the binding. A status other than STATUS_OK (details in failure) ends the message.
typedef enum status bind_function(const void *request, struct binding *binding,
                                  struct failure *failure);

// Turns the result into a status: STATUS_OK (the operation's success; ret_page is filled for
// REPLY_PAGE) or a failure. The rows that are rendered are result->rows[0].
typedef enum status reply_function(const void *request, const struct result *result,
                                   struct page *ret_page, struct failure *failure);

struct handler {
    const struct operation *operation;
    const struct statement *statements;
    uint8_t statement_count;
    bind_function *bind;
    reply_function *reply;
};

// Starts the next statement of the binding; then one call a parameter, in order.
struct bound *binding_statement(struct binding *binding, uint32_t shape);
void binding_null(struct bound *bound);
void binding_text(struct bound *bound, struct text value);
void binding_integer(struct bound *bound, struct binding *binding, int64_t value);
void binding_boolean(struct bound *bound, bool value);
void binding_uuid(struct bound *bound, struct binding *binding, struct uuid value);
void binding_uuids(struct bound *bound, struct binding *binding, const struct uuid *values,
                   uint32_t count);
void binding_timestamp(struct bound *bound, struct binding *binding, int64_t microseconds);
void binding_bytes(struct bound *bound, struct text value);
// '%value%' with %, _ and the escape character \ escaped, for ILIKE ... ESCAPE '\'.
void binding_contains(struct bound *bound, struct binding *binding, struct text value);
