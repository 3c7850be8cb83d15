// SPDX-License-Identifier: Apache-2.0
// A connection to PostgreSQL that blocks: for commands that people wait for (migrate, warm-up, the
// demo user), never for a process with a loop.
//
// What goes wrong is an English sentence in the caller's buffer. The rows of the last query belong
// to the client and are valid until its next call.
#pragma once
#include "contract.h"

struct sql_client;

// url: libpq's URL or key=value form. NULL: not reachable, refused, or older than PostgreSQL 15.
MUST_USE struct sql_client *sql_client_new(const char *url, char *ret_sentence, size_t size);
struct sql_client *sql_client_free(struct sql_client *client); // accepts NULL, returns NULL

// One or more statements without parameters. The sentence of a wrong one names its line.
MUST_USE bool sql_client_run(struct sql_client *client, const char *sql, char *ret_sentence,
                             size_t size);

// One statement; values are texts, NULL is SQL's NULL.
MUST_USE bool sql_client_query(struct sql_client *client, const char *sql,
                               const char *const *values, uint32_t value_count, char *ret_sentence,
                               size_t size);
// The same, with cells in PostgreSQL's binary form.
MUST_USE bool sql_client_query_binary(struct sql_client *client, const char *sql,
                                      const char *const *values, uint32_t value_count,
                                      char *ret_sentence, size_t size);
uint32_t sql_client_rows(const struct sql_client *client);
uint32_t sql_client_columns(const struct sql_client *client);
const char *sql_client_cell(const struct sql_client *client, uint32_t row, uint32_t column);
uint32_t sql_client_length(const struct sql_client *client, uint32_t row, uint32_t column);
bool sql_client_is_null(const struct sql_client *client, uint32_t row, uint32_t column);
