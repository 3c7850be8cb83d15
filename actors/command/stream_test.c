// SPDX-License-Identifier: Apache-2.0
// Batches on a real PostgreSQL: what is committed together, what a failing member, a locked tenant
// and a dead server do to the others.
#include "expect.h"
#include "loop_until.h"
#include "outcome.h"
#include "stream.h"

#include <stdio.h>

enum { COMMANDS = 8, DENIED = -2, PENDING = -1 };

// Writes a row that says who wrote what, and divides by $4: 0 is an error of this member alone.
static const struct statement divide = {
    "divide",
    "WITH noted AS (INSERT INTO stream_test SELECT $1::uuid, $3::int, 60 / $4::int RETURNING value)"
    " SELECT 'ok'::text, false, $3::bigint,"
    " ARRAY[value::text, NULL, '', $2::uuid::text] FROM noted",
    4, 4};
static const struct statement *const statements[] = {&divide};

struct bench {
    struct loop *loop;
    struct stream *stream;
    struct bound bound[COMMANDS];
    struct uuid tenants[COMMANDS];
    char texts[COMMANDS][2][12];
    int ended[COMMANDS]; // PENDING, or enum status
    char states[COMMANDS][6]; // SQLSTATE of its own error
    uint32_t groups[COMMANDS]; // number of the commit it came with
    uint32_t commits, errors, sentences;
    char sentence[512]; // the last one
};

static const struct bound *bench_bound(void *context, uint16_t command) {
    return &((struct bench *)context)->bound[command];
}

static bool bench_stale(void *context, uint16_t command) {
    return ((struct bench *)context)->ended[command] == DENIED;
}

static void bench_committed(void *context, const uint16_t *commands, uint32_t count,
                            struct database_result *const *results, uint64_t sent_us) {
    struct bench *bench = context;
    EXPECT(sent_us != 0 && sent_us <= loop_now_us(bench->loop));
    bench->commits++;
    for (uint32_t i = 0; i < count; i++) {
        struct arena arena;
        struct outcome outcome;
        arena_init(&arena, 4096);
        EXPECT(outcome_read(results[i], &arena, &outcome));
        EXPECT_TEXT(outcome.word, "ok");
        EXPECT_INTEGER(outcome.version, 1000 + commands[i]);
        EXPECT(!outcome.replayed);
        EXPECT_INTEGER(outcome.rows.count, 1);
        EXPECT_INTEGER(outcome.rows.columns, 4);
        EXPECT(outcome.rows.cells[1].bytes == NULL);
        EXPECT(outcome.rows.cells[2].bytes != NULL && outcome.rows.cells[2].length == 0);
        EXPECT_INTEGER(outcome.rows.cells[3].length, 36);
        arena_deinit(&arena);
        database_result_free(results[i]);
        bench->ended[commands[i]] = STATUS_OK;
        bench->groups[commands[i]] = bench->commits;
    }
}

static void bench_ended(void *context, uint16_t command, enum status status,
                        const struct database_error *error) {
    struct bench *bench = context;
    bench->ended[command] = (int)status;
    bench->errors += error != NULL;
    snprintf(bench->states[command], sizeof bench->states[command], "%s",
             error == NULL ? "" : error->state);
}

static void bench_trouble(void *context, const char *sentence) {
    struct bench *bench = context;
    bench->sentences++;
    snprintf(bench->sentence, sizeof bench->sentence, "%s", sentence);
}

static void bench_refused(void *context, const char *sentence) {
    (void)context;
    fprintf(stderr, "%s\n", sentence);
    exit(1);
}

static bool is_up(void *context) {
    const struct bench *bench = context;
    return stream_is_up(bench->stream);
}

static bool all_ended(void *context) {
    const struct bench *bench = context;
    bool ended = true;
    for (uint32_t i = 0; i < COMMANDS; i++)
        ended &= bench->ended[i] >= 0;
    return ended;
}

static bool has_said(void *context) {
    return ((const struct bench *)context)->sentences > 0;
}

static bool all_but_first_ended(void *context) {
    const struct bench *bench = context;
    bool ended = bench->ended[0] == PENDING;
    for (uint32_t i = 1; i < COMMANDS; i++)
        ended &= bench->ended[i] >= 0;
    return ended;
}

// psql's answer without its line end.
static const char *sql(const char *statement) {
    static char answer[256];
    char line[2048];
    snprintf(line, sizeof line, "psql \"$DATABASE_URL\" -XAtqc \"%s\"", statement);
    FILE *pipe = popen(line, "r");
    EXPECT(pipe != NULL);
    answer[fread(answer, 1, sizeof answer - 1, pipe)] = '\0';
    EXPECT_INTEGER(pclose(pipe), 0);
    answer[strcspn(answer, "\n")] = '\0';
    return answer;
}

static void control(const char *server, const char *what) {
    char line[256];
    snprintf(line, sizeof line, "%s --control %s %s", WITH_SERVERS, server, what);
    EXPECT_INTEGER(system(line), 0);
}

static struct bench *bench_new(void) {
    struct bench *bench = calloc(1, sizeof *bench);
    char sentence[512];
    EXPECT(bench != NULL);
    bench->loop = loop_new();
    bench->stream = stream_new(bench->loop,
                               &(struct stream_options){
                                   .url = getenv("DATABASE_URL"),
                                   .name = "stream-test",
                                   .statements = statements,
                                   .statement_count = 1,
                                   .statement_timeout_ms = 5000,
                                   .seed = 7,
                                   .context = bench,
                                   .bound = bench_bound,
                                   .stale = bench_stale,
                                   .on_committed = bench_committed,
                                   .on_ended = bench_ended,
                                   .on_trouble = bench_trouble,
                                   .on_refused = bench_refused,
                               },
                               sentence, sizeof sentence);
    EXPECT(bench->stream != NULL);
    for (uint32_t i = 0; i < COMMANDS; i++)
        bench->ended[i] = STATUS_OK;
    (void)sql("TRUNCATE stream_test");
    return bench;
}

static void bench_free(struct bench *bench) {
    stream_free(bench->stream);
    loop_free(bench->loop);
    free(bench);
}

static void bench_add_until(struct bench *bench, uint16_t command, uint8_t tenant, int divisor,
                            uint64_t deadline_us) {
    struct bound *bound = &bench->bound[command];
    bench->tenants[command] = (struct uuid){{[0] = 0xaa, [15] = tenant}};
    snprintf(bench->texts[command][0], sizeof bench->texts[command][0], "%d", 1000 + command);
    snprintf(bench->texts[command][1], sizeof bench->texts[command][1], "%d", divisor);
    *bound = (struct bound){.statement = &divide};
    for (uint32_t i = 0; i < 2; i++)
        binding_bytes(bound, (struct text){(const char *)&bench->tenants[command],
                                           sizeof bench->tenants[command]});
    binding_text(bound, text_of(bench->texts[command][0]));
    binding_text(bound, text_of(bench->texts[command][1]));
    bench->ended[command] = PENDING;
    stream_add(bench->stream, command,
               &(struct batch_command){.tenant = bench->tenants[command],
                                       .solitary = tenant == 0,
                                       .bytes = 40,
                                       .deadline_us = deadline_us});
}

static void bench_add(struct bench *bench, uint16_t command, uint8_t tenant, int divisor) {
    bench_add_until(bench, command, tenant, divisor, loop_now_us(bench->loop) + 10000000);
}

static void test_one_batch_is_one_transaction(void) {
    struct bench *bench = bench_new();
    loop_until(bench->loop, is_up, bench);
    for (uint16_t i = 0; i < COMMANDS; i++)
        bench_add(bench, i, (uint8_t)(1 + i % 3), 1 + i);
    loop_until(bench->loop, all_ended, bench);
    EXPECT_INTEGER(bench->commits, 1);
    EXPECT_TEXT(text_of(sql("SELECT count(*), count(DISTINCT xmin::text), sum(value)"
                            " FROM stream_test")),
                "8|1|162");
    EXPECT_INTEGER(stream_count(bench->stream)->members, COMMANDS);
    bench_free(bench);
}

static void test_a_failing_member_costs_the_others_nothing(void) {
    struct bench *bench = bench_new();
    loop_until(bench->loop, is_up, bench);
    for (uint16_t i = 0; i < COMMANDS; i++)
        bench_add(bench, i, (uint8_t)(1 + i % 4), i == 5 ? 0 : 2);
    loop_until(bench->loop, all_ended, bench);
    for (uint16_t i = 0; i < COMMANDS; i++)
        EXPECT_INTEGER(bench->ended[i], i == 5 ? STATUS_INTERNAL : STATUS_OK);
    EXPECT_TEXT(text_of(sql("SELECT count(*), count(*) FILTER (WHERE number = 1005)"
                            " FROM stream_test")),
                "7|0");
    EXPECT_INTEGER(stream_count(bench->stream)->isolations, 1);
    EXPECT_INTEGER(bench->errors, 1); // told when it failed alone, not before
    EXPECT_TEXT(text_of(bench->states[5]), "22012");
    EXPECT_INTEGER(bench->sentences, 0);
    bench_free(bench);
}

static void test_a_command_of_nobody_goes_alone(void) {
    struct bench *bench = bench_new();
    loop_until(bench->loop, is_up, bench);
    bench_add(bench, 0, 0, 3);
    bench_add(bench, 1, 1, 3);
    bench_add(bench, 2, 2, 3);
    loop_until(bench->loop, all_ended, bench);
    EXPECT_INTEGER(bench->commits, 2);
    EXPECT(bench->groups[0] != bench->groups[1] && bench->groups[1] == bench->groups[2]);
    bench_free(bench);
}

// A transaction of somebody else's that has done this and waits.
static FILE *holder_begin(const char *statement) {
    FILE *holder = popen("psql \"$DATABASE_URL\" -XAtq >/dev/null", "w");
    EXPECT(holder != NULL);
    fprintf(holder, "BEGIN; %s; SELECT set_config('application_name', 'holder', false);\n",
            statement);
    fflush(holder);
    while (strcmp(sql("SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'"
                      " AND application_name = 'holder'"),
                  "1") != 0) {
    }
    return holder;
}

static void holder_commit(FILE *holder) {
    fputs("COMMIT;\n", holder);
    EXPECT_INTEGER(pclose(holder), 0);
}

static void test_a_locked_tenant_does_not_hold_the_others(void) {
    struct bench *bench = bench_new();
    loop_until(bench->loop, is_up, bench);
    FILE *holder = holder_begin(
        "SELECT FROM users WHERE id = 'aa000000-0000-0000-0000-000000000001' FOR UPDATE");
    for (uint16_t i = 0; i < COMMANDS; i++)
        bench_add(bench, i, (uint8_t)(1 + i), 2);
    loop_until(bench->loop, all_but_first_ended, bench);
    for (uint16_t i = 1; i < COMMANDS; i++)
        EXPECT_INTEGER(bench->ended[i], STATUS_OK);
    holder_commit(holder);
    loop_until(bench->loop, all_ended, bench);
    EXPECT_INTEGER(bench->ended[0], STATUS_OK);
    bench_free(bench);
}

static void test_a_command_of_nobody_tells_that_its_key_is_locked(void) {
    struct bench *bench = bench_new();
    loop_until(bench->loop, is_up, bench);
    FILE *holder = holder_begin("SELECT pg_advisory_xact_lock(x'aa00000000000000'::bigint)");
    bench_add(bench, 0, 0, 2);
    loop_until(bench->loop, all_ended, bench);
    EXPECT_INTEGER(bench->ended[0], STATUS_UNAVAILABLE);
    EXPECT_TEXT(text_of(bench->states[0]), "55P03");
    EXPECT_INTEGER(bench->sentences, 0);
    holder_commit(holder);
    bench_free(bench);
}

static void test_what_fails_for_all_is_said_once_while_it_lasts(void) {
    struct bench *bench = bench_new();
    loop_until(bench->loop, is_up, bench);
    FILE *holder = holder_begin(
        "SELECT FROM users WHERE id = 'aa000000-0000-0000-0000-000000000001' FOR UPDATE");
    bench_add(bench, 0, 1, 2);
    bench_add(bench, 1, 2, 2);
    loop_until(bench->loop, all_but_first_ended, bench); // the first waits for probes
    EXPECT_INTEGER(bench->sentences, 0);
    (void)sql("REVOKE UPDATE ON users FROM valorize_command");
    loop_until(bench->loop, has_said, bench);
    EXPECT(strstr(bench->sentence, "42501") != NULL);
    bench_add(bench, 2, 3, 2);
    loop_until(bench->loop, all_but_first_ended, bench);
    EXPECT_INTEGER(bench->ended[2], STATUS_UNAVAILABLE);
    EXPECT_INTEGER(bench->sentences, 1);
    (void)sql("GRANT UPDATE ON users TO valorize_command");
    holder_commit(holder);
    loop_until(bench->loop, all_ended, bench);
    EXPECT_INTEGER(bench->ended[0], STATUS_OK);
    EXPECT_INTEGER(bench->errors, 0);
    (void)sql("REVOKE UPDATE ON users FROM valorize_command");
    bench_add(bench, 3, 4, 2);
    loop_until(bench->loop, all_ended, bench);
    EXPECT_INTEGER(bench->sentences, 2);
    (void)sql("GRANT UPDATE ON users TO valorize_command");
    bench_free(bench);
}

// Its command goes on to find nobody, which is not this file's to say.
static void test_a_tenant_deleted_while_it_is_waited_for_is_free(void) {
    struct bench *bench = bench_new();
    loop_until(bench->loop, is_up, bench);
    FILE *holder =
        holder_begin("DELETE FROM users WHERE id = 'aa000000-0000-0000-0000-000000000008'");
    for (uint16_t i = 0; i < COMMANDS; i++)
        bench_add(bench, i, (uint8_t)(COMMANDS - i), 2);
    loop_until(bench->loop, all_but_first_ended, bench);
    holder_commit(holder);
    loop_until(bench->loop, all_ended, bench);
    EXPECT_INTEGER(bench->ended[0], STATUS_OK); // its deadline would say STATUS_EXPIRED
    bench_free(bench);
}

static void test_what_waits_while_the_server_is_dead_is_refused_and_service_returns(void) {
    struct bench *bench = bench_new();
    loop_until(bench->loop, is_up, bench);
    control("postgres", "kill");
    for (uint16_t i = 0; i < COMMANDS; i++)
        bench_add(bench, i, (uint8_t)(1 + i), 2);
    loop_until(bench->loop, all_ended, bench);
    for (uint16_t i = 0; i < COMMANDS; i++) // what was sent into the dead connection may be done
        EXPECT(bench->ended[i] == STATUS_UNAVAILABLE || bench->ended[i] == STATUS_LOST);
    control("postgres", "start");
    loop_until(bench->loop, is_up, bench);
    bench_add(bench, 0, 1, 4);
    loop_until(bench->loop, all_ended, bench);
    EXPECT_INTEGER(bench->ended[0], STATUS_OK);
    EXPECT_TEXT(text_of(sql("SELECT count(*) FROM stream_test WHERE number = 1000")), "1");
    bench_free(bench);
}

static void test_a_stale_command_is_given_back(void) {
    struct bench *bench = bench_new();
    loop_until(bench->loop, is_up, bench);
    bench_add(bench, 0, 1, 2);
    bench_add(bench, 1, 2, 2);
    bench->ended[1] = DENIED;
    loop_until(bench->loop, all_ended, bench);
    EXPECT_INTEGER(bench->ended[0], STATUS_OK);
    EXPECT_INTEGER(bench->ended[1], STATUS_UNAVAILABLE);
    EXPECT_TEXT(text_of(sql("SELECT count(*) FROM stream_test")), "1");
    bench_free(bench);
}

// Its time ran out while it waited for the batch before.
static void test_an_expired_command_is_not_sent(void) {
    struct bench *bench = bench_new();
    loop_until(bench->loop, is_up, bench);
    bench_add(bench, 0, 1, 2);
    bench_add_until(bench, 1, 2, 2, loop_now_us(bench->loop));
    loop_until(bench->loop, all_ended, bench);
    EXPECT_INTEGER(bench->ended[0], STATUS_OK);
    EXPECT_INTEGER(bench->ended[1], STATUS_EXPIRED);
    EXPECT_TEXT(text_of(sql("SELECT count(*) FROM stream_test")), "1");
    bench_free(bench);
}

int main(void) {
    static const struct test tests[] = {
        {"one batch is one transaction", test_one_batch_is_one_transaction},
        {"a failing member costs the others nothing",
         test_a_failing_member_costs_the_others_nothing},
        {"a command of nobody goes alone", test_a_command_of_nobody_goes_alone},
        {"a locked tenant does not hold the others", test_a_locked_tenant_does_not_hold_the_others},
        {"a command of nobody tells that its key is locked",
         test_a_command_of_nobody_tells_that_its_key_is_locked},
        {"what fails for all is said once while it lasts",
         test_what_fails_for_all_is_said_once_while_it_lasts},
        {"a tenant deleted while it is waited for is free",
         test_a_tenant_deleted_while_it_is_waited_for_is_free},
        {"what waits while the server is dead is refused, and service returns",
         test_what_waits_while_the_server_is_dead_is_refused_and_service_returns},
        {"a stale command is given back", test_a_stale_command_is_given_back},
        {"an expired command is not sent", test_an_expired_command_is_not_sent},
    };
    (void)sql(
        "CREATE TABLE stream_test (tenant uuid, number int, value int);"
        "GRANT INSERT, SELECT ON stream_test TO valorize_command;"
        "INSERT INTO users (id, name, email) SELECT ('aa000000-0000-0000-0000-00000000000' || "
        "i)::uuid, 'Teste ' || i, 't' || i || '@example.com' FROM generate_series(1, 8) i");
    return expect_run(tests, COUNT_OF(tests));
}
