// SPDX-License-Identifier: Apache-2.0
#include "stage.h"

#include "expect.h"
#include "format.h"

enum { ARENA_BYTES = 1 << 20, VALUE_BYTES = 4096, SENTENCE_BYTES = 512, ARRAY_HEAD = 20 };

struct stage {
    struct sql_client *client;
    const char *role; // NULL: the owner's
    struct arena arena;
    struct caller caller;
    bool repeats;
    struct answer answer;
};

struct stage *stage_new(const char *role) {
    char sentence[SENTENCE_BYTES] = "DATABASE_URL is not set";
    const char *url = getenv("DATABASE_URL");
    struct stage *stage = calloc(1, sizeof *stage);
    EXPECT(stage != NULL);
    stage->role = role;
    stage->client = url == NULL ? NULL : sql_client_new(url, sentence, sizeof sentence);
    if (stage->client == NULL) {
        fprintf(stderr, "%s\n", sentence);
        exit(1);
    }
    arena_init(&stage->arena, ARENA_BYTES);
    stage->caller =
        (struct caller){.now_us = 1795438800000000, .trace = {0xa1, [16] = 0xb2, [24] = 1}};
    stage_run(stage, "BEGIN; SET LOCAL timezone = 'UTC'; SET LOCAL enable_seqscan = off;"
                     " SET LOCAL plan_cache_mode = force_generic_plan");
    stage_run(stage, "INSERT INTO users (id, name, email) VALUES"
                     " ('" STAGE_TENANT_A "', 'A', 'a@example.com'),"
                     " ('" STAGE_TENANT_B "', 'B', 'b@example.com')");
    return stage;
}

struct stage *stage_free(struct stage *stage) {
    stage_run(stage, "ROLLBACK");
    sql_client_free(stage->client);
    arena_deinit(&stage->arena);
    free(stage);
    return NULL;
}

static void stage_expect(bool went_well, const char *sentence, const char *sql) {
    if (went_well)
        return;
    fprintf(stderr, "%s\n%s\n", sentence, sql);
    exit(1);
}

// binary: the form of the cells that come back.
static void stage_query_as(struct stage *stage, bool binary, const char *sql,
                           const char *const *values, uint32_t count) {
    char sentence[SENTENCE_BYTES];
    bool (*query)(struct sql_client *, const char *, const char *const *, uint32_t, char *,
                  size_t) = binary ? sql_client_query_binary : sql_client_query;
    stage_expect(query(stage->client, sql, values, count, sentence, sizeof sentence), sentence,
                 sql);
}

static void stage_query(struct stage *stage, const char *sql, const char *const *values,
                        uint32_t count) {
    stage_query_as(stage, false, sql, values, count);
}

void stage_run(struct stage *stage, const char *sql) {
    char sentence[SENTENCE_BYTES];
    stage_expect(sql_client_run(stage->client, sql, sentence, sizeof sentence), sentence, sql);
}

const char *stage_value(struct stage *stage, const char *sql) {
    stage_query(stage, sql, NULL, 0);
    return sql_client_rows(stage->client) == 0 ? "" : sql_client_cell(stage->client, 0, 0);
}

uint32_t stage_lines(struct stage *stage, const char *sql) {
    stage_query(stage, sql, NULL, 0);
    return sql_client_rows(stage->client);
}

const char *stage_line(struct stage *stage, uint32_t line) {
    return sql_client_cell(stage->client, line, 0);
}

uint32_t stage_columns(struct stage *stage, const struct statement *statement) {
    static const char *const nothing[PARAMETERS_MAX];
    stage_query(stage, statement->sql, nothing, statement->parameter_count);
    return sql_client_columns(stage->client);
}

struct uuid stage_uuid(const char *text) {
    struct uuid uuid;
    EXPECT(uuid_parse(text_of(text), &uuid));
    return uuid;
}

bool answer_has(const struct answer *answer, const char *part) {
    return answer->json.bytes != NULL &&
           memmem(answer->json.bytes, answer->json.length, part, strlen(part)) != NULL;
}

bool answer_refuses(const struct answer *answer, const char *path) {
    bool found = false;
    for (uint32_t i = 0; i < answer->failure.error_count; i++)
        found |= text_equal(answer->failure.errors[i].path, text_of(path));
    return answer->status == STATUS_INVALID && found;
}

// --- parameters: the blocking client takes texts -------------------------------------------------

static bool is_uuid_array(struct text value) {
    static const char begin[] = {0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0x0b, (char)0x86};
    return value.length >= ARRAY_HEAD && memcmp(value.bytes, begin, sizeof begin) == 0;
}

static const char *text_of_binary(struct stage *stage, struct text value) {
    char text[VALUE_BYTES];
    char *at = text;
    struct uuid uuid;
    if (is_uuid_array(value)) {
        *at++ = '{';
        for (uint32_t i = ARRAY_HEAD + 4; i < value.length; i += 4 + (uint32_t)sizeof uuid) {
            memcpy(&uuid, value.bytes + i, sizeof uuid);
            at += uuid_write(uuid, at);
            *at++ = i + sizeof uuid < value.length ? ',' : '}';
        }
    } else if (value.length == sizeof uuid) {
        memcpy(&uuid, value.bytes, sizeof uuid);
        at += uuid_write(uuid, at);
    } else {
        at = stpcpy(at, "\\x");
        at += hex_write(value.bytes, value.length, at);
    }
    return arena_copy(&stage->arena, (struct text){text, (uint32_t)(at - text)}).bytes;
}

static void stage_send(struct stage *stage, const struct bound *bound, bool binary) {
    const char *values[PARAMETERS_MAX];
    EXPECT_INTEGER(bound->count, bound->statement->parameter_count);
    for (uint32_t i = 0; i < bound->count; i++) {
        struct text value = bound->values[i];
        if (value.bytes == NULL)
            values[i] = NULL;
        else if (bound->binary[i] != 0)
            values[i] = text_of_binary(stage, value);
        else
            values[i] = arena_copy(&stage->arena, value).bytes;
    }
    EXPECT(!stage->arena.overflow);
    stage_query_as(stage, binary, bound->statement->sql, values, bound->count);
}

// --- results -------------------------------------------------------------------------------------

static struct text copy_cell(struct stage *stage, uint32_t row, uint32_t column) {
    if (sql_client_is_null(stage->client, row, column))
        return (struct text){0};
    const struct text cell = {sql_client_cell(stage->client, row, column),
                              sql_client_length(stage->client, row, column)};
    return arena_copy(&stage->arena, cell);
}

static struct rows copy_rows(struct stage *stage, bool binary) {
    struct rows rows = {.count = sql_client_rows(stage->client),
                        .columns = sql_client_columns(stage->client),
                        .binary = binary};
    struct text *cells =
        arena_take(&stage->arena, sizeof *cells * ((size_t)rows.count * rows.columns + 1));
    EXPECT(cells != NULL);
    for (uint32_t i = 0; i < rows.count * rows.columns; i++)
        cells[i] = copy_cell(stage, i / rows.columns, i % rows.columns);
    rows.cells = cells;
    return rows;
}

// A command's reply is one text[]: its elements are the row's cells.
static struct result copy_outcome(struct stage *stage) {
    struct rows frame = copy_rows(stage, false);
    EXPECT_INTEGER(frame.count, 1);
    EXPECT_INTEGER(frame.columns, 4);
    struct result result = {.outcome = frame.cells[0]};
    stage->answer.replayed = text_equal(frame.cells[1], TEXT("t"));
    stage->answer.version =
        frame.cells[2].bytes == NULL ? 0 : strtoull(frame.cells[2].bytes, NULL, 10);
    if (frame.cells[3].bytes == NULL)
        return result;
    const char *array = frame.cells[3].bytes;
    stage_query(stage, "SELECT unnest($1::text[])", &array, 1);
    struct rows cells = copy_rows(stage, false);
    result.rows[0] = (struct rows){cells.count > 0, cells.count, cells.cells, false};
    return result;
}

static const struct handler *handler_of(uint16_t operation) {
    for (uint32_t i = 0; i < handler_count; i++) {
        if (handlers[i].operation->number == operation)
            return &handlers[i];
    }
    UNREACHABLE();
}

static struct result stage_carry_out(struct stage *stage, const struct binding *binding) {
    struct result result = {.outcome = TEXT("ok")};
    for (uint32_t i = 0; i < binding->count; i++) {
        if (binding->bound[i].when == BOUND_IF_EMPTY && result.rows[0].count > 0)
            continue;
        bool query = binding->operation->kind == OPERATION_QUERY;
        stage_send(stage, &binding->bound[i], query);
        if (query)
            result.rows[i] = copy_rows(stage, true);
        else
            result = copy_outcome(stage);
    }
    return result;
}

static void stage_render(struct stage *stage, const struct handler *handler, const void *request,
                         const struct result *result) {
    struct answer *answer = &stage->answer;
    struct page page = {.path = TEXT("/"), .query = TEXT("")};
    answer->status = handler_reply(handler, request, result, &page, &answer->failure);
    if (answer->status == STATUS_OK && handler->operation->form != REPLY_NONE)
        answer->status =
            render_reply(handler->operation, &result->rows[0], &page, &stage->arena, &answer->json);
}

void stage_repeat(struct stage *stage, uint8_t back) {
    stage->repeats = true;
    stage->caller.key[0] = (uint8_t)(stage->caller.key[0] - back);
}

const struct answer *stage_ask(struct stage *stage, uint16_t operation, const char *tenant,
                               const void *request) {
    const struct handler *handler = handler_of(operation);
    struct binding binding;
    stage->caller.random[UUID_RANDOM_BYTES - 1]++; // its tail, which tells ids apart
    if (!stage->repeats)
        stage->caller.key[0]++;
    stage->repeats = false;
    arena_reset(&stage->arena);
    stage->answer = (struct answer){0};
    failure_reset(&stage->answer.failure);
    stage->caller.tenant = stage_uuid(tenant);
    stage_query(stage, "SELECT set_config('role', $1, true)", &stage->role, 1);
    binding_init(&binding, handler, &stage->caller, &stage->arena);
    EXPECT_INTEGER(handler_bind(handler, request, &binding, &stage->answer.failure), STATUS_OK);
    const struct result result = stage_carry_out(stage, &binding);
    stage_run(stage, "RESET ROLE");
    stage_render(stage, handler, request, &result);
    return &stage->answer;
}
