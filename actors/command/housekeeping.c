// SPDX-License-Identifier: Apache-2.0
#include "housekeeping.h"

#include "log.h"

enum {
    TIMEOUT_MS = 30000,
    AGAIN_MS = 200, // where there is more to do
    BEGIN_MS = 1000, // a process that begins has more urgent things to do
    ARENA_BYTES = 256, // its one cell
};

static const struct statement housekeeping_statement = {"housekeeping", "SELECT housekeeping()", 0,
                                                        1};

struct housekeeping {
    struct loop *loop;
    struct database *database;
    const struct statement *statements[1];
    struct timer timer;
    uint64_t wait_us; // between calls; not the same in every actor
    struct arena arena;
};

static void housekeeping_call(struct timer *timer, uint64_t now_us) {
    struct housekeeping *housekeeping = CONTAINER_OF(timer, struct housekeeping, timer);
    loop_timer_set(housekeeping->loop, timer, now_us + housekeeping->wait_us);
    if (!database_is_up(housekeeping->database) || database_in_flight(housekeeping->database) > 0)
        return; // the next time
    const struct bound bound = {.statement = &housekeeping_statement};
    database_send(housekeeping->database, &bound, false, 0);
    database_sync(housekeeping->database, 0);
}

static void housekeeping_up(void *context, struct database *database) {
    struct housekeeping *housekeeping = context;
    (void)database;
    loop_timer_set(housekeeping->loop, &housekeeping->timer, loop_now_us(housekeeping->loop) + 1);
}

static void housekeeping_result(void *context, struct database *database, uint32_t tag,
                                struct database_result *result) {
    struct housekeeping *housekeeping = context;
    struct rows rows;
    (void)database;
    (void)tag;
    arena_reset(&housekeeping->arena);
    if (database_result_is_ok(result) &&
        database_result_rows(result, &housekeeping->arena, &rows) && rows.count == 1 &&
        text_equal(rows.cells[0], TEXT("t"))) // there is more to do
        loop_timer_set(housekeeping->loop, &housekeeping->timer,
                       loop_now_us(housekeeping->loop) + AGAIN_MS * 1000);
    database_result_free(result);
}

static void housekeeping_sync(void *context, struct database *database, uint32_t tag,
                              const struct database_error *error) {
    (void)context;
    (void)database;
    (void)tag;
    if (error != NULL)
        log_line(LOG_ERROR, NULL, "Housekeeping failed; it is tried again.", "state", error->state,
                 "error", error->message, NULL);
}

static void housekeeping_down(void *context, struct database *database, bool flushed) {
    (void)context;
    (void)database;
    (void)flushed; // it is called again when the connection is back
}

static void housekeeping_trouble(void *context, struct database *database, const char *sentence) {
    (void)context;
    (void)database;
    (void)sentence; // the write connection says it
}

static void housekeeping_refused(void *context, struct database *database, const char *sentence) {
    (void)database;
    database_end_process(context, sentence);
}

struct housekeeping *housekeeping_new(struct loop *loop, const char *url, const char *name,
                                      uint64_t seed, char *ret_sentence, size_t sentence_size) {
    struct housekeeping *housekeeping = calloc(1, sizeof *housekeeping);
    ASSERT(housekeeping != NULL);
    housekeeping->loop = loop;
    housekeeping->timer.fire = housekeeping_call;
    arena_init(&housekeeping->arena, ARENA_BYTES);
    housekeeping->wait_us = HOUSEKEEPING_MS * UINT64_C(1000) + seed % 5000000;
    housekeeping->statements[0] = &housekeeping_statement;
    housekeeping->database = database_new(loop,
                                          &(struct database_options){
                                              .url = url,
                                              .name = name,
                                              .role = "valorize_command",
                                              .statement_timeout_ms = TIMEOUT_MS,
                                              .lock_timeout_ms = LOCK_TIMEOUT_MS,
                                              .statements = housekeeping->statements,
                                              .statement_count = 1,
                                              .in_flight_max = 2,
                                              .begin_ms = BEGIN_MS,
                                              .seed = seed,
                                              .context = housekeeping,
                                              .on_up = housekeeping_up,
                                              .on_result = housekeeping_result,
                                              .on_sync = housekeeping_sync,
                                              .on_down = housekeeping_down,
                                              .on_trouble = housekeeping_trouble,
                                              .on_refused = housekeeping_refused,
                                          },
                                          ret_sentence, sentence_size);
    return housekeeping->database == NULL ? housekeeping_free(housekeeping) : housekeeping;
}

struct housekeeping *housekeeping_free(struct housekeeping *housekeeping) {
    if (housekeeping == NULL)
        return NULL;
    loop_timer_clear(housekeeping->loop, &housekeeping->timer);
    housekeeping->database = database_free(housekeeping->database);
    arena_deinit(&housekeeping->arena);
    free(housekeeping);
    return NULL;
}
