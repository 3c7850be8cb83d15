// SPDX-License-Identifier: Apache-2.0
// What holds for every statement of a process, told from its tables alone.
#include "expect.h"
#include "messages.h"
#include "stage.h"

#include <stdio.h>

enum { SQL_BYTES = 16 << 10, REQUEST_BYTES = 4096 };

// --- statements fit the tables -------------------------------------------------------------------

static void check_parameters(struct stage *stage, const struct statement *statement) {
    static char sql[SQL_BYTES];
    int length = snprintf(sql, sizeof sql, "PREPARE checked AS %s", statement->sql);
    EXPECT(length < (int)sizeof sql);
    stage_run(stage, sql);
    const char *count = stage_value(stage, "SELECT cardinality(parameter_types) FROM"
                                           " pg_prepared_statements WHERE name = 'checked'");
    EXPECT_INTEGER(strtol(count, NULL, 10), statement->parameter_count);
    stage_run(stage, "DEALLOCATE checked");
}

// What a write shows stands in the array that its own test renders.
static void check_columns(struct stage *stage, const struct handler *handler, uint32_t shape) {
    if (handler->operation->kind == OPERATION_COMMAND)
        return;
    const struct statement *statement = &handler->statements[shape];
    EXPECT_INTEGER(stage_columns(stage, statement), statement->column_count);
}

void stage_test_statements(void) {
    struct stage *stage = stage_new(NULL);
    EXPECT(handler_count > 0);
    for (uint32_t i = 0; i < handler_count; i++)
        for (uint32_t shape = 0; shape < handlers[i].statement_count; shape++) {
            check_parameters(stage, &handlers[i].statements[shape]);
            check_columns(stage, &handlers[i], shape);
        }
    stage_free(stage);
}

// --- other tenants' ids --------------------------------------------------------------------------

#define ID(tenant, thing) tenant "000000-0000-7000-8000-0000000000" thing
#define BANK "018c0000-0000-7000-8000-000000000001"

// One of each kind, of one tenant; the second account is empty.
#define OWN(tenant) \
    "INSERT INTO accounts (id, tenant_id, bank_id, balance, version, transaction_count, currency," \
    " type, name) SELECT id::uuid, '" ID( \
        tenant, \
        "01") "', '" BANK "', count * 7, 1, count, 'BRL'," \
              " 'checking', 'mine' FROM (VALUES ('" ID(tenant, "a0") "', 1), ('" ID( \
                  tenant, \
                  "a1") "', 0))" \
                        " AS own (id, count);" \
                        "INSERT INTO categories (id, tenant_id, version, is_default, color, name)" \
                        " VALUES ('" ID(tenant, "c0") "', '" ID( \
                            tenant, \
                            "01") "', 1, false, 'red', 'mine');" \
                                  "INSERT INTO transactions (id, tenant_id, account_id, " \
                                  "category_id, amount, date, version)" \
                                  " VALUES ('" ID(tenant, "d0") "', '" ID(tenant, "01") "', '" ID( \
                                      tenant, "a0") "'," \
                                                    " '" ID(tenant, \
                                                            "c0") "', 7, '2026-01-01', 1);"

// All that is B's.
static const char picture[] =
    "SELECT md5(string_agg(row, ',' ORDER BY row)) FROM ("
    "SELECT to_jsonb(users)::text AS row, id AS tenant_id FROM users UNION ALL"
    " SELECT to_jsonb(accounts)::text, tenant_id FROM accounts UNION ALL"
    " SELECT to_jsonb(categories)::text, tenant_id FROM categories UNION ALL"
    " SELECT to_jsonb(transactions)::text, tenant_id FROM transactions UNION ALL"
    " SELECT to_jsonb(outbox)::text, tenant_id FROM outbox) AS rows"
    " WHERE tenant_id = '" STAGE_TENANT_B "'";

// Which of a tenant's things an id of a request is: that of its name, `id` that of the operation.
// NULL: none of a tenant.
static const char *const *things_of(const char *operation, const char *field) {
    static const struct {
        const char *word;
        const char *ids[2]; // A's, B's
    } kinds[] = {
        {"accounts", {ID("0a", "a0"), ID("0b", "a0")}},
        {"account_id", {ID("0a", "a0"), ID("0b", "a0")}},
        {"categor", {ID("0a", "c0"), ID("0b", "c0")}},
        {"transaction", {ID("0a", "d0"), ID("0b", "d0")}},
        {"account", {ID("0a", "a1"), ID("0b", "a1")}},
    };
    const char *word = strcmp(field, "id") == 0 ? operation : field;
    for (uint32_t i = 0; i < COUNT_OF(kinds); i++) {
        if (strstr(word, kinds[i].word) != NULL)
            return kinds[i].ids;
    }
    return NULL;
}

static void fill_field(const struct field *field, struct arena *arena, const char *id,
                       void *request) {
    void *member = field_member(field, request);
    field_set_present(field, request, true);
    if (field->list) {
        struct uuid *item = arena_take(arena, sizeof *item);
        EXPECT(item != NULL);
        *item = stage_uuid(id);
        *(struct list *)member = (struct list){item, 1};
    } else if (field->type == FIELD_UUID) {
        *(struct uuid *)member = stage_uuid(id);
    } else if (field->type == FIELD_STRING) {
        *(struct text *)member = TEXT("abcde");
    }
}

// What must be there, with A's own ids, but in `foreign` (NULL: no field) B's.
static void fill(const struct operation *operation, const struct field *foreign,
                 struct arena *arena, void *request) {
    message_reset(operation->request, request);
    for (uint32_t i = 0; i < operation->request->field_count; i++) {
        const struct field *field = &operation->request->fields[i];
        const char *const *things = things_of(operation->name, field->name);
        if (field->required || field == foreign)
            fill_field(field, arena, things == NULL ? BANK : things[field == foreign], request);
    }
}

static void check_answer(const struct operation *operation, const struct field *foreign,
                         const struct answer *answer) {
    enum status wanted = STATUS_OK; // a filter matches nothing
    if (foreign != NULL && foreign->place == PLACE_PATH)
        wanted = STATUS_FORBIDDEN;
    else if (foreign != NULL && foreign->place == PLACE_BODY)
        wanted = STATUS_INVALID;
    if (answer->status != wanted || answer_has(answer, "0b000000-"))
        fprintf(stderr, "%s with %s of another tenant\n", operation->name,
                foreign == NULL ? "nothing" : foreign->name);
    EXPECT_INTEGER(answer->status, wanted);
    EXPECT(!answer_has(answer, "0b000000-"));
}

static void try_operation(struct stage *stage, const struct operation *operation,
                          const struct field *foreign) {
    static max_align_t request[REQUEST_BYTES / sizeof(max_align_t)];
    static struct arena arena;
    char before[64];
    EXPECT(operation->request->size <= sizeof request);
    if (arena.memory == NULL)
        arena_init(&arena, REQUEST_BYTES);
    arena_reset(&arena);
    snprintf(before, sizeof before, "%s", stage_value(stage, picture));
    stage_run(stage, "SAVEPOINT before");
    fill(operation, foreign, &arena, request);
    check_answer(operation, foreign, stage_ask(stage, operation->number, STAGE_TENANT_A, request));
    EXPECT_TEXT(text_of(stage_value(stage, picture)), before);
    stage_run(stage, "ROLLBACK TO before");
}

void stage_test_foreign_ids(const char *role) {
    struct stage *stage = stage_new(role);
    stage_run(stage, OWN("0a") OWN("0b"));
    uint32_t tried = 0;
    for (uint32_t i = 0; i < handler_count; i++) {
        const struct operation *operation = handlers[i].operation;
        if (!operation->authenticated)
            continue; // of nobody
        try_operation(stage, operation, NULL);
        for (uint32_t j = 0; j < operation->request->field_count; j++) {
            const struct field *field = &operation->request->fields[j];
            if (field->type != FIELD_UUID || things_of(operation->name, field->name) == NULL)
                continue;
            try_operation(stage, operation, field);
            tried++;
        }
    }
    EXPECT(tried > 0);
    stage_free(stage);
}
