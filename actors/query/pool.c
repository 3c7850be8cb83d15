// SPDX-License-Identifier: Apache-2.0
#include "pool.h"

#include <stdio.h>
#include <time.h>

enum { PLACES = BOUND_STATEMENTS_MAX };

struct channel {
    struct pool *pool;
    struct database *database;
    uint32_t count;
    uint32_t reads[READ_IN_FLIGHT_MAX]; // in the order of sending
};

struct pool {
    struct pool_options options;
    struct channel channels[READ_CONNECTIONS];
    struct database *control; // as the login role, which may cancel what it started
    const struct statement *control_statements[1];
};

static const struct statement cancel_statement = {"cancel", "SELECT pg_cancel_backend($1::int)", 1,
                                                  1};

// --- what the connections tell -------------------------------------------------------------------

static void channel_result(void *context, struct database *database, uint32_t tag,
                           struct database_result *result) {
    struct channel *channel = context;
    (void)database;
    const struct pool_options *options = &channel->pool->options;
    options->on_result(options->context, tag / PLACES, tag % PLACES, result);
}

static void channel_sync(void *context, struct database *database, uint32_t tag,
                         const struct database_error *error) {
    struct channel *channel = context;
    (void)database;
    ASSERT(channel->count > 0 && channel->reads[0] == tag);
    channel->count--;
    for (uint32_t i = 0; i < channel->count; i++)
        channel->reads[i] = channel->reads[i + 1];
    channel->pool->options.on_done(channel->pool->options.context, tag, error);
}

static void channel_up(void *context, struct database *database) {
    (void)context;
    (void)database; // whoever waits looks for room in each turn
}

static void channel_down(void *context, struct database *database, bool flushed) {
    struct channel *channel = context;
    (void)database;
    (void)flushed; // reads may be sent again in any case
    uint32_t count = channel->count, reads[READ_IN_FLIGHT_MAX];
    memcpy(reads, channel->reads, sizeof reads);
    channel->count = 0;
    for (uint32_t i = 0; i < count; i++)
        channel->pool->options.on_lost(channel->pool->options.context, reads[i]);
}

static void channel_trouble(void *context, struct database *database, const char *sentence) {
    struct channel *channel = context;
    (void)database;
    channel->pool->options.on_trouble(channel->pool->options.context, sentence);
}

static void channel_refused(void *context, struct database *database, const char *sentence) {
    struct channel *channel = context;
    (void)database;
    channel->pool->options.on_refused(channel->pool->options.context, sentence);
}

static void control_result(void *context, struct database *database, uint32_t tag,
                           struct database_result *result) {
    (void)context;
    (void)database;
    (void)tag;
    database_result_free(result);
}

static void control_sync(void *context, struct database *database, uint32_t tag,
                         const struct database_error *error) {
    (void)context;
    (void)database;
    (void)tag;
    (void)error; // a read that was not stopped ends by statement_timeout
}

static void control_down(void *context, struct database *database, bool flushed) {
    (void)context;
    (void)database;
    (void)flushed;
}

static void control_trouble(void *context, struct database *database, const char *sentence) {
    (void)context;
    (void)database;
    (void)sentence; // the channels say it
}

// --- life ----------------------------------------------------------------------------------------

static struct database *channel_open(struct pool *pool, struct channel *channel, struct loop *loop,
                                     uint32_t number, char *ret_sentence, size_t sentence_size) {
    channel->pool = pool;
    return database_new(loop,
                        &(struct database_options){
                            .url = pool->options.url,
                            .name = pool->options.name,
                            .role = "valorize_query",
                            .generic_plans = true,
                            .statement_timeout_ms = pool->options.statement_timeout_ms,
                            .statements = pool->options.statements,
                            .statement_count = pool->options.statement_count,
                            .in_flight_max = READ_IN_FLIGHT_MAX * (PLACES + 1),
                            .begin_ms = number * DATABASE_APART_MS,
                            .seed = pool->options.seed + number,
                            .context = channel,
                            .on_up = channel_up,
                            .on_result = channel_result,
                            .on_sync = channel_sync,
                            .on_down = channel_down,
                            .on_trouble = channel_trouble,
                            .on_refused = channel_refused,
                        },
                        ret_sentence, sentence_size);
}

static struct database *control_open(struct pool *pool, struct loop *loop, char *ret_sentence,
                                     size_t sentence_size) {
    pool->control_statements[0] = &cancel_statement;
    return database_new(loop,
                        &(struct database_options){
                            .url = pool->options.url,
                            .name = pool->options.name,
                            .statements = pool->control_statements,
                            .statement_count = 1,
                            .in_flight_max = 2 * READ_CONNECTIONS * READ_IN_FLIGHT_MAX,
                            .begin_ms = READ_CONNECTIONS * DATABASE_APART_MS,
                            .seed = pool->options.seed + READ_CONNECTIONS,
                            .context = &pool->channels[0],
                            .on_up = channel_up,
                            .on_result = control_result,
                            .on_sync = control_sync,
                            .on_down = control_down,
                            .on_trouble = control_trouble,
                            .on_refused = channel_refused,
                        },
                        ret_sentence, sentence_size);
}

struct pool *pool_new(struct loop *loop, const struct pool_options *options, char *ret_sentence,
                      size_t sentence_size) {
    struct pool *pool = calloc(1, sizeof *pool);
    ASSERT(pool != NULL);
    pool->options = *options;
    for (uint32_t i = 0; i < READ_CONNECTIONS; i++) {
        struct channel *channel = &pool->channels[i];
        channel->database = channel_open(pool, channel, loop, i, ret_sentence, sentence_size);
        if (channel->database == NULL)
            return pool_free(pool);
    }
    pool->control = control_open(pool, loop, ret_sentence, sentence_size);
    return pool->control == NULL ? pool_free(pool) : pool;
}

struct pool *pool_free(struct pool *pool) {
    if (pool == NULL)
        return NULL;
    for (uint32_t i = 0; i < READ_CONNECTIONS; i++)
        pool->channels[i].database = database_free(pool->channels[i].database);
    pool->control = database_free(pool->control);
    free(pool);
    return NULL;
}

void pool_leave(struct pool *pool) {
    const struct timespec pause = {.tv_nsec = DATABASE_APART_MS * 1000000};
    pool->control = database_free(pool->control);
    for (uint32_t i = 0; i < READ_CONNECTIONS; i++) {
        pool->channels[i].database = database_free(pool->channels[i].database);
        (void)nanosleep(&pause, NULL); // a signal only makes it shorter
    }
}

// --- use -----------------------------------------------------------------------------------------

static struct channel *pool_emptiest(const struct pool *pool) {
    const struct channel *best = NULL;
    for (uint32_t i = 0; i < READ_CONNECTIONS; i++) {
        const struct channel *channel = &pool->channels[i];
        bool usable = channel->count < READ_IN_FLIGHT_MAX && database_is_up(channel->database);
        if (usable && (best == NULL || channel->count < best->count))
            best = channel;
    }
    return (struct channel *)(uintptr_t)best;
}

bool pool_has_room(const struct pool *pool) {
    return pool_emptiest(pool) != NULL;
}

void pool_run(struct pool *pool, uint32_t read, const struct bound *const *bound, uint32_t count) {
    struct channel *channel = pool_emptiest(pool);
    ASSERT(channel != NULL && count <= PLACES);
    channel->reads[channel->count++] = read;
    for (uint32_t i = 0; i < count; i++)
        database_send(channel->database, bound[i], true, read * PLACES + i);
    database_sync(channel->database, read);
}

void pool_cancel(struct pool *pool, uint32_t read) {
    uint32_t busy_max = READ_CONNECTIONS * READ_IN_FLIGHT_MAX;
    for (uint32_t i = 0; i < READ_CONNECTIONS; i++) {
        struct channel *channel = &pool->channels[i];
        bool head = channel->count > 0 && channel->reads[0] == read;
        if (!head || !database_is_up(pool->control) || database_in_flight(pool->control) > busy_max)
            continue;
        char number[16];
        int length = snprintf(number, sizeof number, "%d", database_backend(channel->database));
        struct bound bound = {
            .statement = &cancel_statement, .count = 1, .values = {{number, (uint32_t)length}}};
        database_send(pool->control, &bound, false, 0);
        database_sync(pool->control, 0);
    }
}

uint64_t pool_down_since_us(const struct pool *pool) {
    uint64_t since_us = UINT64_MAX;
    for (uint32_t i = 0; i < READ_CONNECTIONS; i++)
        since_us = MIN(since_us, database_down_since_us(pool->channels[i].database));
    return since_us;
}

struct database_counters pool_count(const struct pool *pool) {
    struct database_counters sum = {0};
    for (uint32_t i = 0; i < READ_CONNECTIONS; i++) {
        struct database_counters one = database_count(pool->channels[i].database);
        sum.connects += one.connects;
        sum.failures += one.failures;
        sum.statements += one.statements;
        sum.errors += one.errors;
    }
    return sum;
}
