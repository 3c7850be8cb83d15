// SPDX-License-Identifier: Apache-2.0
// Reads on a real PostgreSQL: how they spread over the connections, how one is stopped, what a dead
// server does to them.
#include "expect.h"
#include "loop_until.h"
#include "pool.h"

enum { READS = READ_CONNECTIONS * READ_IN_FLIGHT_MAX };

enum ending { PENDING, DONE, FAILED, LOST };

// The backend that ran it, the parameter, and how long it slept.
static const struct statement sleeper = {
    "sleeper", "SELECT pg_backend_pid()::text, $1::text, pg_sleep($2::float8)", 2, 3};
static const struct statement *const statements[] = {&sleeper};

struct bench {
    struct loop *loop;
    struct pool *pool;
    struct bound bound[READS];
    char texts[READS][12];
    enum ending endings[READS];
    enum trouble troubles[READS];
    char backends[READS][12];
};

static void bench_result(void *context, uint32_t read, uint32_t place,
                         struct database_result *result) {
    struct bench *bench = context;
    struct arena arena;
    struct rows rows;
    EXPECT_INTEGER(place, 0);
    if (database_result_is_ok(result)) {
        arena_init(&arena, 4096);
        EXPECT(database_result_rows(result, &arena, &rows));
        EXPECT_INTEGER(rows.count, 1);
        EXPECT_TEXT(rows.cells[1], bench->texts[read]);
        snprintf(bench->backends[read], sizeof bench->backends[read], "%.*s",
                 (int)rows.cells[0].length, rows.cells[0].bytes);
        arena_deinit(&arena);
    }
    database_result_free(result);
}

static void bench_done(void *context, uint32_t read, const struct database_error *error) {
    struct bench *bench = context;
    EXPECT_INTEGER(bench->endings[read], PENDING);
    bench->endings[read] = error == NULL ? DONE : FAILED;
    bench->troubles[read] = error == NULL ? TROUBLE_NONE : error->trouble;
}

static void bench_lost(void *context, uint32_t read) {
    struct bench *bench = context;
    EXPECT_INTEGER(bench->endings[read], PENDING);
    bench->endings[read] = LOST;
}

static void bench_trouble(void *context, const char *sentence) {
    (void)context;
    (void)sentence; // servers are killed here
}

static void bench_refused(void *context, const char *sentence) {
    (void)context;
    fprintf(stderr, "%s\n", sentence);
    exit(1);
}

static bool all_came_up(void *context) {
    const struct bench *bench = context;
    return pool_count(bench->pool).connects == READ_CONNECTIONS;
}

static bool is_up(void *context) {
    const struct bench *bench = context;
    return pool_down_since_us(bench->pool) == 0;
}

static bool is_down(void *context) {
    const struct bench *bench = context;
    return pool_down_since_us(bench->pool) != 0;
}

static bool all_ended(void *context) {
    const struct bench *bench = context;
    for (uint32_t i = 0; i < READS; i++) {
        if (bench->endings[i] == PENDING)
            return false;
    }
    return true;
}

static struct bench *bench_new(void) {
    struct bench *bench = calloc(1, sizeof *bench);
    char sentence[512];
    EXPECT(bench != NULL);
    bench->loop = loop_new();
    bench->pool = pool_new(bench->loop,
                           &(struct pool_options){
                               .url = getenv("DATABASE_URL"),
                               .name = "pool-test",
                               .statements = statements,
                               .statement_count = 1,
                               .statement_timeout_ms = 15000,
                               .seed = 11,
                               .context = bench,
                               .on_result = bench_result,
                               .on_done = bench_done,
                               .on_lost = bench_lost,
                               .on_trouble = bench_trouble,
                               .on_refused = bench_refused,
                           },
                           sentence, sizeof sentence);
    EXPECT(bench->pool != NULL);
    for (uint32_t i = 0; i < READS; i++)
        bench->endings[i] = DONE;
    return bench;
}

static void bench_free(struct bench *bench) {
    pool_free(bench->pool);
    loop_free(bench->loop);
    free(bench);
}

static void bench_run(struct bench *bench, uint32_t read, const char *seconds) {
    struct bound *bound = &bench->bound[read];
    snprintf(bench->texts[read], sizeof bench->texts[read], "read %u", read);
    *bound = (struct bound){.statement = &sleeper};
    binding_text(bound, text_of(bench->texts[read]));
    binding_text(bound, text_of(seconds));
    bench->endings[read] = PENDING;
    pool_run(bench->pool, read, &(const struct bound *){bound}, 1);
}

static void test_reads_spread_over_the_connections(void) {
    struct bench *bench = bench_new();
    EXPECT(!pool_has_room(bench->pool)); // nothing is connected yet
    loop_until(bench->loop, all_came_up, bench);
    for (uint32_t i = 0; i < READS; i++) {
        EXPECT(pool_has_room(bench->pool));
        bench_run(bench, i, "0.01");
    }
    EXPECT(!pool_has_room(bench->pool));
    loop_until(bench->loop, all_ended, bench);
    EXPECT(pool_has_room(bench->pool));
    for (uint32_t i = 0; i < READS; i++) {
        uint32_t same = 0;
        for (uint32_t j = 0; j < READS; j++)
            same += strcmp(bench->backends[i], bench->backends[j]) == 0;
        EXPECT_INTEGER(bench->endings[i], DONE);
        EXPECT_INTEGER(same, READ_IN_FLIGHT_MAX);
    }
    bench_free(bench);
}

// The statement would sleep longer than the test is patient.
static void test_a_read_that_nobody_waits_for_is_stopped(void) {
    struct bench *bench = bench_new();
    loop_until(bench->loop, all_came_up, bench);
    bench_run(bench, 3, "3600");
    bench_run(bench, 4, "0.01");
    pool_cancel(bench->pool, 3);
    loop_until(bench->loop, all_ended, bench);
    EXPECT_INTEGER(bench->endings[3], FAILED);
    EXPECT_INTEGER(bench->troubles[3], TROUBLE_TIMEOUT);
    EXPECT_INTEGER(bench->endings[4], DONE);
    bench_run(bench, 3, "0");
    loop_until(bench->loop, all_ended, bench);
    EXPECT_INTEGER(bench->endings[3], DONE);
    bench_free(bench);
}

static void control(const char *what) {
    char line[256];
    snprintf(line, sizeof line, "%s --control postgres %s", WITH_SERVERS, what);
    EXPECT_INTEGER(system(line), 0);
}

static void test_reads_of_a_dead_server_are_lost_and_connections_return(void) {
    struct bench *bench = bench_new();
    loop_until(bench->loop, all_came_up, bench);
    for (uint32_t i = 0; i < READS; i++)
        bench_run(bench, i, "3600");
    control("kill");
    loop_until(bench->loop, is_down, bench);
    for (uint32_t i = 0; i < READS; i++)
        EXPECT_INTEGER(bench->endings[i], LOST);
    EXPECT(!pool_has_room(bench->pool));
    control("start");
    loop_until(bench->loop, is_up, bench);
    bench_run(bench, 5, "0");
    loop_until(bench->loop, all_ended, bench);
    EXPECT_INTEGER(bench->endings[5], DONE);
    bench_free(bench);
}

int main(void) {
    static const struct test tests[] = {
        {"reads spread over the connections", test_reads_spread_over_the_connections},
        {"a read that nobody waits for is stopped", test_a_read_that_nobody_waits_for_is_stopped},
        {"reads of a dead server are lost, and connections return",
         test_reads_of_a_dead_server_are_lost_and_connections_return},
    };
    return expect_run(tests, COUNT_OF(tests));
}
