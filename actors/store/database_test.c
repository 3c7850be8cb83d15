// SPDX-License-Identifier: Apache-2.0
// A pipelined connection to a real PostgreSQL that is stopped, killed and started again. Run by
// tests/with_servers --own.
#include "database.h"
#include "expect.h"
#include "loop_until.h"

#include "clock.h"

#include <signal.h>
#include <stdarg.h>
#include <unistd.h>

enum { IN_FLIGHT_MAX = 32, EVENTS_BYTES_MAX = 1024 };

static const struct statement texts_statement = {
    "texts", "SELECT $1::text, $2::text, $3::text IS NULL, encode($4::bytea, 'hex'), $5::bytea", 5,
    5};
static const struct statement insert_statement = {
    "insert", "INSERT INTO things (number) VALUES ($1::int) RETURNING number", 1, 1};
static const struct statement count_statement = {"count", "SELECT count(*) FROM things", 0, 1};
static const struct statement divide_statement = {"divide", "SELECT 6 / $1::int", 1, 1};
static const struct statement sleep_statement = {"sleep", "SELECT pg_sleep($1::float)", 1, 1};
static const struct statement lock_statement = {"lock", "SELECT pg_advisory_lock($1::int)", 1, 1};
static const struct statement length_statement = {"length", "SELECT length($1::text)", 1, 1};
static const struct statement settings_statement = {
    "settings",
    "SELECT current_setting(unnest(ARRAY['role', 'TimeZone', 'lock_timeout', 'statement_timeout',"
    " 'plan_cache_mode', 'application_name', 'client_encoding']))",
    0, 1};

static const struct statement *const statements[] = {
    &texts_statement, &insert_statement, &count_statement,  &divide_statement,
    &sleep_statement, &lock_statement,   &length_statement, &settings_statement,
};

// A connection and what it told: "r1=7 r2! s1! " are two results and a sync, the second failed.
struct bench {
    struct database *database;
    char events[EVENTS_BYTES_MAX];
    struct database_result *result; // the last one
    struct database_error error; // of the last failed result or sync
    uint32_t ups, downs, syncs, troubles;
    bool flushed;
    char refusal[512];
};

static struct loop *loop;
static struct bench benches[2];
static struct arena arena;

// --- what is waited for ------------------------------------------------------------------------

static bool is_up(void *context) {
    const struct bench *waited = context;
    return database_is_up(waited->database);
}

static bool is_down(void *context) {
    const struct bench *waited = context;
    return waited->downs > 0;
}

static bool is_synced(void *context) {
    const struct bench *waited = context;
    return waited->syncs > 0;
}

static bool are_synced(void *context) {
    const struct bench *waited = context;
    return waited->syncs > 1;
}

static bool is_refused(void *context) {
    const struct bench *waited = context;
    return waited->refusal[0] != '\0';
}

static bool is_in_trouble(void *context) {
    const struct bench *waited = context;
    return waited->troubles > 0;
}

// --- what the connection says
// ----------------------------------------------------------------------

static void PRINTF_LIKE(2, 3) note(struct bench *bench, const char *format, ...) {
    size_t length = strlen(bench->events);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(bench->events + length, sizeof bench->events - length, format, arguments);
    va_end(arguments);
}

static void up(void *context, struct database *database) {
    struct bench *bench = context;
    EXPECT(database == bench->database);
    bench->ups++;
}

static struct rows rows_of(const struct database_result *result) {
    struct rows rows;
    arena_reset(&arena);
    EXPECT(database_result_rows(result, &arena, &rows));
    return rows;
}

static void takes_result(void *context, struct database *database, uint32_t tag,
                         struct database_result *result) {
    struct bench *bench = context;
    EXPECT(database == bench->database);
    bench->result = database_result_free(bench->result);
    bench->result = result;
    if (!database_result_is_ok(result)) {
        note(bench, "r%u%s ", tag, database_result_is_skipped(result) ? "-" : "!");
        return;
    }
    struct rows rows = rows_of(result);
    struct text cell = rows.count > 0 ? rows.cells[0] : TEXT("");
    note(bench, "r%u=%.*s ", tag, (int)MIN(cell.length, 20U), cell.bytes);
}

static void synced(void *context, struct database *database, uint32_t tag,
                   const struct database_error *error) {
    struct bench *bench = context;
    EXPECT(database == bench->database);
    note(bench, "s%u%s ", tag, error == NULL ? "" : "!");
    if (error != NULL)
        bench->error = *error;
    bench->syncs++;
}

static void down(void *context, struct database *database, bool flushed) {
    struct bench *bench = context;
    EXPECT(!database_is_up(database));
    bench->downs++;
    bench->flushed = flushed;
}

static void trouble(void *context, struct database *database, const char *sentence) {
    struct bench *bench = context;
    (void)database;
    EXPECT(sentence[0] != '\0');
    bench->troubles++;
}

static void refused(void *context, struct database *database, const char *sentence) {
    struct bench *bench = context;
    (void)database;
    snprintf(bench->refusal, sizeof bench->refusal, "%s", sentence);
}

// --- what a test does
// ------------------------------------------------------------------------------

static struct database_options options_of(struct bench *bench) {
    return (struct database_options){
        .url = getenv("DATABASE_URL"),
        .name = "database-test",
        .statements = statements,
        .statement_count = COUNT_OF(statements),
        .in_flight_max = IN_FLIGHT_MAX,
        .seed = 9,
        .context = bench,
        .on_up = up,
        .on_result = takes_result,
        .on_sync = synced,
        .on_down = down,
        .on_trouble = trouble,
        .on_refused = refused,
    };
}

static struct bench *begin_with(uint32_t number, const struct database_options *options) {
    struct bench *bench = &benches[number];
    char sentence[256] = "";
    *bench = (struct bench){.database = NULL};
    bench->database = database_new(loop, options, sentence, sizeof sentence);
    EXPECT_TEXT(text_of(sentence), "");
    EXPECT(!database_is_up(bench->database));
    return bench;
}

static struct bench *begin(uint32_t number) {
    const struct database_options options = options_of(&benches[number]);
    struct bench *bench = begin_with(number, &options);
    loop_until(loop, is_up, bench);
    return bench;
}

static void end(struct bench *bench) {
    bench->database = database_free(bench->database);
    bench->result = database_result_free(bench->result);
}

static void forget(struct bench *bench) {
    bench->events[0] = '\0';
    bench->syncs = bench->downs = bench->ups = bench->troubles = 0;
}

static void put(struct bench *bench, const struct statement *statement, const char *value,
                uint32_t tag) {
    struct bound bound = {.statement = statement, .count = statement->parameter_count};
    if (bound.count > 0)
        bound.values[0] = text_of(value);
    database_send(bench->database, &bound, false, tag);
}

static void ask(struct bench *bench, const struct statement *statement, const char *value) {
    forget(bench);
    put(bench, statement, value, 1);
    database_sync(bench->database, 9);
    loop_until(loop, is_synced, bench);
}

static void psql(const char *sql) {
    char command[1024];
    snprintf(command, sizeof command, "psql \"$DATABASE_URL\" -Xqc \"%s\" >/dev/null 2>&1", sql);
    EXPECT_INTEGER(system(command), 0);
}

static void postgres(const char *what) {
    char command[512];
    snprintf(command, sizeof command, "%s --control postgres %s", WITH_SERVERS, what);
    EXPECT_INTEGER(system(command), 0);
}

// --- tests: what is asked
// --------------------------------------------------------------------------

static void test_results_come_in_order(void) {
    struct bench *bench = begin(0);
    EXPECT(database_backend(bench->database) > 0);
    EXPECT_INTEGER(database_down_since_us(bench->database), 0);
    EXPECT_INTEGER(bench->ups, 1);
    put(bench, &length_statement, "four", 11);
    put(bench, &divide_statement, "2", 12);
    database_sync(bench->database, 21);
    put(bench, &length_statement, "eleven char", 13);
    database_sync(bench->database, 22);
    EXPECT_INTEGER(database_in_flight(bench->database), 5);
    loop_until(loop, are_synced, bench);
    EXPECT_TEXT(text_of(bench->events), "r11=4 r12=3 s21 r13=11 s22 ");
    EXPECT_INTEGER(database_in_flight(bench->database), 0);
    EXPECT_INTEGER(database_count(bench->database).statements, 3);
    EXPECT_INTEGER(database_count(bench->database).connects, 1);
    end(bench);
}

static void test_a_failed_statement_skips_the_rest_of_its_transaction(void) {
    struct bench *bench = begin(0);
    put(bench, &insert_statement, "101", 1);
    put(bench, &divide_statement, "0", 2);
    put(bench, &insert_statement, "102", 3);
    database_sync(bench->database, 4);
    put(bench, &count_statement, NULL, 5);
    database_sync(bench->database, 6);
    loop_until(loop, are_synced, bench);
    EXPECT_TEXT(text_of(bench->events), "r1=101 r2! r3- s4! r5=0 s6 ");
    EXPECT_TEXT(text_of(bench->error.state), "22012");
    EXPECT_TEXT(text_of(bench->error.message), "division by zero");
    EXPECT_INTEGER(bench->error.trouble, TROUBLE_STATEMENT);
    EXPECT_INTEGER(database_count(bench->database).errors, 1);
    end(bench);
}

static void test_a_commit_that_fails(void) {
    struct bench *bench = begin(0);
    put(bench, &insert_statement, "201", 1);
    put(bench, &insert_statement, "201", 2); // unique, deferred to the commit
    database_sync(bench->database, 3);
    put(bench, &count_statement, NULL, 4);
    database_sync(bench->database, 5);
    loop_until(loop, are_synced, bench);
    EXPECT_TEXT(text_of(bench->events), "r1=201 r2=201 s3! r4=0 s5 ");
    EXPECT_TEXT(text_of(bench->error.state), "23505");
    end(bench);
}

static void test_parameters_and_cells(void) {
    struct bench *bench = begin(0);
    struct bound bound = {.statement = &texts_statement, .count = 5};
    bound.values[0] = (struct text){"not terminated", 3};
    bound.values[1] = TEXT("");
    bound.values[2] = (struct text){NULL, 0};
    bound.values[3] = (struct text){"\0\xff", 2};
    bound.values[4] = TEXT("");
    bound.binary[3] = bound.binary[4] = 1;
    database_send(bench->database, &bound, false, 1);
    database_sync(bench->database, 2);
    loop_until(loop, is_synced, bench);
    struct rows rows = rows_of(bench->result);
    EXPECT_INTEGER(rows.count, 1);
    EXPECT_INTEGER(rows.columns, 5);
    EXPECT_TEXT(rows.cells[0], "not");
    EXPECT_TEXT(rows.cells[1], "");
    EXPECT(rows.cells[1].bytes != NULL);
    EXPECT_TEXT(rows.cells[2], "t");
    EXPECT_TEXT(rows.cells[3], "00ff");
    EXPECT_TEXT(rows.cells[4], "\\x");

    bound.values[4] = (struct text){NULL, 0};
    forget(bench);
    database_send(bench->database, &bound, true, 1);
    database_sync(bench->database, 2);
    loop_until(loop, is_synced, bench);
    rows = rows_of(bench->result);
    EXPECT_INTEGER(rows.cells[2].length, 1); // a binary boolean
    EXPECT_INTEGER(rows.cells[2].bytes[0], 1);
    EXPECT(rows.cells[4].bytes == NULL); // NULL is not an empty value
    end(bench);
}

static void test_an_arena_that_is_too_small(void) {
    struct bench *bench = begin(0);
    ask(bench, &settings_statement, NULL);
    EXPECT_INTEGER(rows_of(bench->result).count, 7);
    struct arena small;
    struct rows rows;
    arena_init(&small, 32);
    EXPECT(!database_result_rows(bench->result, &small, &rows));
    arena_deinit(&small);
    end(bench);
}

static void test_settings(void) {
    struct database_options options = options_of(&benches[0]);
    options.role = "database_test_reader";
    options.generic_plans = true;
    options.lock_timeout_ms = 1234;
    options.statement_timeout_ms = 5678;
    struct bench *bench = begin_with(0, &options);
    loop_until(loop, is_up, bench);
    ask(bench, &settings_statement, NULL);
    static const char *const expected[] = {
        "database_test_reader", "UTC",           "1234ms", "5678ms",
        "force_generic_plan",   "database-test", "UTF8",
    };
    struct rows rows = rows_of(bench->result);
    EXPECT_INTEGER(rows.count, COUNT_OF(expected));
    for (uint32_t i = 0; i < rows.count; i++)
        EXPECT_TEXT(rows.cells[i], expected[i]);
    ask(bench, &insert_statement, "301"); // the role may not
    EXPECT_TEXT(text_of(bench->events), "r1! s9! ");
    EXPECT_TEXT(text_of(bench->error.state), "42501");
    end(bench);
}

static void test_timeouts(void) {
    struct database_options options = options_of(&benches[1]);
    options.lock_timeout_ms = 50;
    options.statement_timeout_ms = 200;
    struct bench *owner = begin(0), *bench = begin_with(1, &options);
    loop_until(loop, is_up, bench);
    ask(owner, &lock_statement, "77");
    ask(bench, &lock_statement, "77");
    EXPECT_TEXT(text_of(bench->events), "r1! s9! ");
    EXPECT_TEXT(text_of(bench->error.state), "55P03");
    EXPECT_INTEGER(bench->error.trouble, TROUBLE_LOCKED);
    ask(bench, &sleep_statement, "3600");
    EXPECT_TEXT(text_of(bench->error.state), "57014");
    EXPECT_INTEGER(bench->error.trouble, TROUBLE_TIMEOUT);
    ask(bench, &length_statement, "alive");
    EXPECT_TEXT(text_of(bench->events), "r1=5 s9 ");
    end(owner);
    end(bench);
}

static void test_a_large_parameter(void) {
    static char large[FRAME_BYTES_MAX + 1];
    memset(large, 'x', FRAME_BYTES_MAX);
    struct bench *bench = begin(0);
    ask(bench, &length_statement, large);
    char expected[64];
    (void)snprintf(expected, sizeof expected, "r1=%d s9 ", FRAME_BYTES_MAX);
    EXPECT_TEXT(text_of(bench->events), expected);
    end(bench);
}

// --- tests: what is refused
// ------------------------------------------------------------------------

static void test_a_wrong_statement_is_refused(void) {
    static const struct statement wrong = {"no_such_table", "SELECT 1 FROM nowhere", 0, 1};
    const struct statement *const two[] = {&length_statement, &wrong};
    struct database_options options = options_of(&benches[0]);
    options.statements = two;
    options.statement_count = COUNT_OF(two);
    struct bench *bench = begin_with(0, &options);
    loop_until(loop, is_refused, bench);
    EXPECT_TEXT(text_of(bench->refusal), "statement no_such_table cannot be used on this database: "
                                         "relation \"nowhere\" does not exist (42P01)");
    EXPECT_INTEGER(bench->ups, 0);
    end(bench);
}

static void expect_wrong_shape(const struct statement *wrong, const char *expected) {
    const struct statement *const two[] = {&length_statement, wrong};
    struct database_options options = options_of(&benches[0]);
    options.statements = two;
    options.statement_count = COUNT_OF(two);
    struct bench *bench = begin_with(0, &options);
    loop_until(loop, is_refused, bench);
    EXPECT_TEXT(text_of(bench->refusal), expected);
    EXPECT_INTEGER(bench->ups, 0);
    end(bench);
}

static void test_a_statement_of_another_shape_is_refused(void) {
#define SENTENCE " cannot be used on this database: it has "
    expect_wrong_shape(&(struct statement){"narrow", "SELECT $1::int, 'a'", 1, 3},
                       "statement narrow" SENTENCE
                       "1 parameters and 2 columns, wanted are 1 and 3");
    expect_wrong_shape(&(struct statement){"wide", "SELECT 1 WHERE $2::int > $1::int", 2, 0},
                       "statement wide" SENTENCE "2 parameters and 1 columns, wanted are 2 and 0");
    expect_wrong_shape(&(struct statement){"deaf", "SELECT $1::int", 2, 1},
                       "statement deaf" SENTENCE "1 parameters and 1 columns, wanted are 2 and 1");
#undef SENTENCE
}

static void test_a_role_that_is_missing_is_refused(void) {
    struct database_options options = options_of(&benches[0]);
    options.role = "database_test_nobody";
    struct bench *bench = begin_with(0, &options);
    loop_until(loop, is_refused, bench);
    EXPECT_TEXT(text_of(bench->refusal),
                "role database_test_nobody cannot be used on this database: "
                "role \"database_test_nobody\" does not exist (22023)");
    end(bench);
}

static void expect_no_database(const char *url, const char *expected) {
    struct database_options options = options_of(&benches[0]);
    char sentence[256] = "";
    options.url = url;
    EXPECT(database_new(loop, &options, sentence, sizeof sentence) == NULL);
    EXPECT(strncmp(sentence, expected, strlen(expected)) == 0);
}

static void test_urls_that_make_no_sense(void) {
    expect_no_database("postgresql://host:port:port/x", "DATABASE_URL: ");
    expect_no_database("colour=blue", "DATABASE_URL: invalid connection option \"colour\"");
    expect_no_database("host='no such host'", "DATABASE_URL: the host no such host is unknown: ");
    expect_no_database("host='/tmp,no such host'",
                       "DATABASE_URL: the host no such host is unknown: ");
}

// --- tests: what dies
// ------------------------------------------------------------------------------

static void test_a_killed_server(void) {
    struct bench *bench = begin(0);
    forget(bench);
    put(bench, &length_statement, "done", 1);
    database_sync(bench->database, 2);
    put(bench, &sleep_statement, "3600", 3);
    database_sync(bench->database, 4);
    loop_until(loop, is_synced, bench); // the second is under way now
    postgres("kill");
    loop_until(loop, is_down, bench);
    EXPECT_TEXT(text_of(bench->events), "r1=4 s2 ");
    EXPECT(bench->flushed);
    EXPECT_INTEGER(database_in_flight(bench->database), 0);
    EXPECT(database_down_since_us(bench->database) > 0);
    loop_until(loop, is_in_trouble, bench);
    postgres("start");
    uint64_t start_us = clock_monotonic_us();
    loop_until(loop, is_up, bench);
    EXPECT(clock_monotonic_us() - start_us < 2000000);
    EXPECT_INTEGER(bench->downs, 1);
    EXPECT_INTEGER(database_count(bench->database).connects, 2);
    ask(bench, &length_statement, "prepared again");
    EXPECT_TEXT(text_of(bench->events), "r1=14 s9 ");
    end(bench);
}

static void test_the_first_attempt_may_wait(void) {
    struct database_options options = options_of(&benches[1]);
    options.begin_ms = 600000;
    struct bench *later = begin_with(1, &options), *bench = begin(0);
    EXPECT_INTEGER(database_count(later->database).connects, 0);
    EXPECT_INTEGER(later->troubles, 0);
    end(later);
    end(bench);
}

static void test_a_server_that_is_not_there_yet(void) {
    postgres("kill");
    const struct database_options options = options_of(&benches[0]);
    struct bench *bench = begin_with(0, &options);
    loop_until(loop, is_in_trouble, bench);
    EXPECT_INTEGER(bench->downs, 0); // it was never up
    postgres("start");
    loop_until(loop, is_up, bench);
    end(bench);
}

static void test_a_lost_session(void) {
    struct bench *bench = begin(0);
    char sql[64];
    int backend = database_backend(bench->database);
    forget(bench);
    snprintf(sql, sizeof sql, "SELECT pg_terminate_backend(%d)", backend);
    psql(sql);
    loop_until(loop, is_down, bench);
    loop_until(loop, is_up, bench);
    EXPECT(database_backend(bench->database) != backend);
    end(bench);
}

// More than the sockets hold: part of it has never left.
static void test_a_stopped_server_takes_not_all(void) {
    static char large[FRAME_BYTES_MAX + 1];
    memset(large, 'x', FRAME_BYTES_MAX);
    struct bench *bench = begin(0);
    forget(bench);
    postgres("pause");
    for (uint32_t i = 0; i < 4; i++)
        put(bench, &length_statement, large, i);
    database_sync(bench->database, 4);
    postgres("kill");
    loop_until(loop, is_down, bench);
    EXPECT(!bench->flushed);
    EXPECT_TEXT(text_of(bench->events), "");
    postgres("start");
    loop_until(loop, is_up, bench);
    end(bench);
}

static void test_a_stopped_server_that_goes_on(void) {
    struct bench *bench = begin(0);
    forget(bench);
    postgres("pause");
    put(bench, &length_statement, "late", 1);
    database_sync(bench->database, 2);
    postgres("resume");
    loop_until(loop, is_synced, bench);
    EXPECT_TEXT(text_of(bench->events), "r1=4 s2 ");
    EXPECT_INTEGER(bench->downs, 0);
    end(bench);
}

int main(void) {
    static const struct test tests[] = {
        {"results come in order, a sync ends a transaction", test_results_come_in_order},
        {"a failed statement skips the rest of its transaction and undoes it",
         test_a_failed_statement_skips_the_rest_of_its_transaction},
        {"a commit that fails is the sync's failure", test_a_commit_that_fails},
        {"NULL, empty and binary parameters and cells", test_parameters_and_cells},
        {"an arena that is too small for the rows says so", test_an_arena_that_is_too_small},
        {"role, timeouts and plans are set at connect", test_settings},
        {"lock_timeout and statement_timeout have their kinds", test_timeouts},
        {"a parameter as large as a frame", test_a_large_parameter},
        {"a wrong statement is refused by name", test_a_wrong_statement_is_refused},
        {"a statement of other columns or parameters is refused",
         test_a_statement_of_another_shape_is_refused},
        {"a role that is missing is refused by name", test_a_role_that_is_missing_is_refused},
        {"URLs that make no sense are refused with a sentence", test_urls_that_make_no_sense},
        {"a killed server: down once, then up with its statements", test_a_killed_server},
        {"the first attempt may wait", test_the_first_attempt_may_wait},
        {"a server that is not there yet", test_a_server_that_is_not_there_yet},
        {"a lost session", test_a_lost_session},
        {"a stopped server takes not all", test_a_stopped_server_takes_not_all},
        {"a stopped server that goes on", test_a_stopped_server_that_goes_on},
    };
    (void)signal(SIGPIPE, SIG_IGN);
    EXPECT(getenv("DATABASE_URL") != NULL);
    psql("CREATE TABLE things (number int UNIQUE DEFERRABLE INITIALLY DEFERRED);"
         "CREATE ROLE database_test_reader; GRANT SELECT ON things TO database_test_reader");
    loop = loop_new();
    arena_init(&arena, 1 << 16);
    int result = expect_run(tests, COUNT_OF(tests));
    arena_deinit(&arena);
    loop = loop_free(loop);
    return result;
}
