// SPDX-License-Identifier: Apache-2.0
// For tests only: use cases on a real, migrated database, bound, run and rendered as their process
// does it, by its role, in one transaction that is rolled back at the end.
#pragma once
#include "handler.h"
#include "sql_client.h"

struct stage;

#define STAGE_TENANT_A "0a000000-0000-7000-8000-000000000001"
#define STAGE_TENANT_B "0b000000-0000-7000-8000-000000000001"
#define STAGE_TRACEPARENT \
    "00-a1000000000000000000000000000000-b200000000000000-01" // of each request

struct answer {
    enum status status;
    bool replayed;
    uint64_t version;
    struct text json; // of a success
    struct failure failure;
};

// In DATABASE_URL, with two users who have nothing. Whatever goes wrong in a call fails the test.
struct stage *stage_new(const char *role);
struct stage *stage_free(struct stage *stage);

// As the owner of the database.
void stage_run(struct stage *stage, const char *sql);
const char *stage_value(struct stage *stage,
                        const char *sql); // one cell, valid until the next call
uint32_t stage_lines(struct stage *stage, const char *sql); // rows of one column; then each:
const char *stage_line(struct stage *stage, uint32_t line);

// As the process. The request is the operation's struct; ret_answer is valid until the next call.
const struct answer *stage_ask(struct stage *stage, uint16_t operation, const char *tenant,
                               const void *request);
// The columns of a statement of a read, without a value for any parameter.
uint32_t stage_columns(struct stage *stage, const struct statement *statement);
// The next stage_ask has the key of the last one, or of the one `back` before it.
void stage_repeat(struct stage *stage, uint8_t back);

struct uuid stage_uuid(const char *text);
bool answer_has(const struct answer *answer, const char *part); // in its document
bool answer_refuses(const struct answer *answer, const char *path); // STATUS_INVALID for this field

// --- what holds for every statement of the process -----------------------------------------------

// The database accepts it, and its parameters and columns fit the tables.
void stage_test_statements(void);

// Whatever id of another tenant stands in a request: nothing of that tenant is shown or changed.
void stage_test_foreign_ids(const char *role);
