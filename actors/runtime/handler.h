// SPDX-License-Identifier: Apache-2.0
// What an actor has for each of its operations: statements and two pure functions. The generator
// writes the table of a process (handlers_query.c, handlers_command.c) and names the functions
// <operation>_bind and <operation>_reply, so the linker reports a missing one; an operation whose
// schema says `parameters = [...]` has neither, its row names fields of the request instead.
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
    uint8_t column_count;
};

// Who asks; never from a body. The process fills it from the envelope.
struct caller {
    struct uuid tenant;
    int64_t now_us; // wall clock
    uint8_t random[16]; // fresh for this message: ids (uuid_make takes 10 bytes of it)
    // Commands only:
    uint8_t trace[TRACE_BYTES];
    uint8_t key[16]; // idempotency key
    uint8_t fingerprint[16]; // of the request's canonical bytes
    bool internal; // the key was made by the edge
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
    const struct operation *operation;
    const struct statement *shapes; // of this operation, indexed by the generated enum
    struct arena *arena;
    uint32_t count;
    struct bound bound[BOUND_STATEMENTS_MAX];
};

// What the statements returned. Queries: rows[i] belongs to bound[i]. Commands: one statement
// whose outcome is `outcome` and whose rows[0] has at most one row, the reply's cells. An outcome
// is "ok", or the name of a failure's status, or what is wrong with the request's fields, a line
// each: the field's path, a space, the sentence.
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
    bind_function *bind; // NULL, as reply: by the fields
    reply_function *reply;
    const uint16_t *fields; // places in request->fields, or HANDLER_NEW_ID
    uint8_t field_count;
};
enum { HANDLER_NEW_ID = 0xFFFF };

extern const struct handler handlers[]; // of this process, generated
extern const uint32_t handler_count;

// Binds the request as the handler does. Without a function of its own: its first shape with its
// fields (a money is two parameters, value and currency; an absent field is NULL; a new id is a
// fresh UUIDv7); a second shape, if there is one, with the same parameters, only if the first has
// no row.
MUST_USE enum status handler_bind(const struct handler *handler, const void *request,
                                  struct binding *binding, struct failure *failure);

// Its reply. Without a function of its own: binding_rows.
MUST_USE enum status handler_reply(const struct handler *handler, const void *request,
                                   const struct result *result, struct page *ret_page,
                                   struct failure *failure);

// For the process, before handler_bind. caller and arena outlive the binding.
void binding_init(struct binding *binding, const struct handler *handler,
                  const struct caller *caller, struct arena *arena);

// Starts the next statement of the binding and binds what every statement of its kind begins
// with: a query's $1 is the tenant (no tenant where the operation is not authenticated, none
// where the statement has no parameter at all), a command's $1 to $5 are tenant, key,
// fingerprint, internal, traceparent. Then one call a parameter, in order, from $2 or $6 on.
//
// Ids and bytes are bound in binary, all else as text, so `$2` may be inferred as any type that
// reads such a text. Texts given here are borrowed until the statement is sent.
struct bound *binding_statement(struct binding *binding, uint32_t shape);
void binding_null(struct bound *bound);
void binding_text(struct bound *bound, struct text value);
void binding_integer(struct bound *bound, struct binding *binding, int64_t value);
void binding_boolean(struct bound *bound, bool value);
void binding_uuid(struct bound *bound, struct binding *binding, struct uuid value);
void binding_uuids(struct bound *bound, struct binding *binding, const struct uuid *values,
                   uint32_t count);
void binding_timestamp(struct bound *bound, struct binding *binding, int64_t microseconds);
void binding_date(struct bound *bound, struct binding *binding, int32_t days);
void binding_bytes(struct bound *bound, struct text value);
// '%value%' with %, _ and the escape character \ escaped, for ILIKE ... ESCAPE '\'.
void binding_contains(struct bound *bound, struct binding *binding, struct text value);

// An outcome other than "ok" fails as it says (STATUS_INTERNAL when it is of no such form);
// REPLY_ONE without a row is STATUS_FORBIDDEN where the second shape found one (the row is another
// tenant's), else STATUS_NOT_FOUND.
enum status binding_rows(const struct operation *operation, const struct result *result,
                         struct failure *failure);

// What a REPLY_PAGE has in common. The offset of its first row; and the reply of an operation whose
// second statement's one cell is the total.
int64_t binding_offset(int64_t number, int64_t per_page);
enum status binding_page(const struct result *result, int64_t number, int64_t per_page,
                         struct page *ret_page);
