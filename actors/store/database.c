// SPDX-License-Identifier: Apache-2.0
#include "database.h"

#include "database_address.h"
#include "limits.h"
#include "log.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
    SETTINGS_MAX = 8,
    // Escaping at most doubles what a frame holds; each copy has its NUL and is aligned.
    PARAMETER_BYTES = 2 * FRAME_BYTES_MAX + PARAMETERS_MAX * 32,
    OUTAGE_SAID_EVERY = 10,
    // While preparing; then each statement has two, of its preparation and of its description.
    TAG_SETTINGS = 0,
    TAG_STATEMENTS = 2,
};

enum database_state {
    DATABASE_DOWN, // waits for the next attempt
    DATABASE_CONNECTING,
    DATABASE_PREPARING,
    DATABASE_UP,
};

// What the server still has to answer, in order.
struct expected {
    uint32_t tag;
    bool sync;
};

struct database {
    struct database_options options;
    struct loop *loop;
    struct database_address address;
    enum database_state state;
    PGconn *connection;
    struct watch watch; // of a duplicate of libpq's descriptor, which libpq closes when it likes
    uint32_t epoll_events;
    struct timer timer; // next attempt, end of patience, or a drop that is due
    bool broken; // to be dropped from the loop
    bool wants_flush;
    bool unsent; // broken before its last sync was put
    uint64_t down_since_us;
    uint64_t random;
    uint32_t attempts; // since it was last up
    struct expected *expected; // a ring
    uint32_t expected_first, expected_count;
    bool got_result; // of the first expected statement
    struct database_error sync_error;
    struct arena parameters; // terminated copies of texts, of one statement
    struct database_counters counters;
};

static void database_ready(struct watch *watch, uint32_t epoll_events, uint64_t now_us);
static void database_fire(struct timer *timer, uint64_t now_us);
static void notice_ignore(void *context, const char *message) {
    (void)context;
    (void)message;
}

// --- results -------------------------------------------------------------------------------------

static PGresult *result_of(const struct database_result *result) {
    return (PGresult *)(uintptr_t)result;
}

struct database_result *database_result_free(struct database_result *result) {
    PQclear(result_of(result));
    return NULL;
}

bool database_result_is_ok(const struct database_result *result) {
    ExecStatusType status = PQresultStatus(result_of(result));
    return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
}

bool database_result_is_skipped(const struct database_result *result) {
    return PQresultStatus(result_of(result)) == PGRES_PIPELINE_ABORTED;
}

static void error_fill(const PGresult *result, struct database_error *ret_error) {
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    ret_error->trouble = trouble_of_state(state);
    snprintf(ret_error->state, sizeof ret_error->state, "%s", state == NULL ? "" : state);
    snprintf(ret_error->message, sizeof ret_error->message, "%s",
             message == NULL ? PQresultErrorMessage(result) : message);
}

bool database_result_rows(const struct database_result *result, struct arena *arena,
                          struct rows *ret_rows) {
    const PGresult *rows = result_of(result);
    int count = PQntuples(rows), columns = PQnfields(rows);
    struct text *cells =
        arena_take(arena, sizeof(struct text) * (size_t)count * (size_t)columns + 1);
    if (cells == NULL)
        return false;
    *ret_rows = (struct rows){(uint32_t)count, (uint32_t)columns, cells, PQbinaryTuples(rows) == 1};
    for (int row = 0; row < count; row++) {
        for (int column = 0; column < columns; column++, cells++) {
            cells->length = (uint32_t)PQgetlength(rows, row, column);
            cells->bytes = PQgetvalue(rows, row, column);
            if (cells->length == 0 && PQgetisnull(rows, row, column))
                cells->bytes = NULL;
        }
    }
    return true;
}

// --- life ----------------------------------------------------------------------------------------

static bool address_read(struct database_address *address, const struct database_options *options,
                         char *ret_sentence, size_t sentence_size) {
    char *trouble = NULL;
    PQconninfoOption *words = PQconninfoParse(options->url, &trouble);
    if (words == NULL) {
        snprintf(ret_sentence, sentence_size, "DATABASE_URL: %s",
                 trouble == NULL ? "out of memory" : trouble);
        ret_sentence[strcspn(ret_sentence, "\n")] = '\0';
        PQfreemem(trouble);
        return false;
    }
    for (PQconninfoOption *word = words; word->keyword != NULL; word++) {
        if (word->val != NULL)
            database_address_add(address, word->keyword, word->val);
    }
    PQconninfoFree(words);
    return database_address_complete(address, options->name, ret_sentence, sentence_size);
}

struct database *database_new(struct loop *loop, const struct database_options *options,
                              char *ret_sentence, size_t sentence_size) {
    struct database *database = calloc(1, sizeof *database);
    ASSERT(database != NULL);
    if (!address_read(&database->address, options, ret_sentence, sentence_size)) {
        database_address_deinit(&database->address);
        free(database);
        return NULL;
    }
    database->options = *options;
    database->loop = loop;
    database->random = options->seed | 1;
    database->watch = (struct watch){.descriptor = -1, .ready = database_ready};
    database->timer = (struct timer){.fire = database_fire};
    // The settings and the statements of PREPARING share the ring.
    database->options.in_flight_max = MAX(options->in_flight_max, 2 * options->statement_count + 2);
    database->expected = calloc(database->options.in_flight_max, sizeof *database->expected);
    ASSERT(database->expected != NULL);
    arena_init(&database->parameters, PARAMETER_BYTES);
    database->down_since_us = loop_now_us(loop);
    loop_timer_set(loop, &database->timer, loop_now_us(loop) + options->begin_ms * 1000ULL + 1);
    return database;
}

static void database_unwatch(struct database *database) {
    if (database->watch.descriptor < 0)
        return;
    loop_unwatch(database->loop, &database->watch);
    close(database->watch.descriptor);
    database->watch.descriptor = -1;
}

static bool database_watch(struct database *database, uint32_t epoll_events) {
    database_unwatch(database);
    database->watch.descriptor = dup(PQsocket(database->connection));
    if (database->watch.descriptor < 0)
        return false;
    database->epoll_events = epoll_events;
    loop_watch(database->loop, &database->watch, epoll_events);
    return true;
}

struct database *database_free(struct database *database) {
    if (database == NULL)
        return NULL;
    database_unwatch(database);
    loop_timer_clear(database->loop, &database->timer);
    PQfinish(database->connection);
    database_address_deinit(&database->address);
    arena_deinit(&database->parameters);
    free(database->expected);
    free(database);
    return NULL;
}

bool database_is_up(const struct database *database) {
    return database->state == DATABASE_UP && !database->broken;
}

uint64_t database_down_since_us(const struct database *database) {
    return database->down_since_us;
}

uint32_t database_in_flight(const struct database *database) {
    return database->expected_count;
}

int database_backend(const struct database *database) {
    return database->connection == NULL ? 0 : PQbackendPID(database->connection);
}

struct database_counters database_count(const struct database *database) {
    return database->counters;
}

// --- the end of a connection and the wait for the next -------------------------------------------

// Half as long again each time; 40 to 80 % of that, so that many actors do not come at once and
// the longest wait stays below the 2 s in which service must be back.
static uint64_t database_backoff_us(struct database *database) {
    uint64_t base_us = DATABASE_BACKOFF_MS_MIN * UINT64_C(1000);
    for (uint32_t i = 1; i < database->attempts && base_us < DATABASE_BACKOFF_MS_MAX * 1000; i++)
        base_us += base_us / 2;
    base_us = MIN(base_us, DATABASE_BACKOFF_MS_MAX * UINT64_C(1000));
    database->random = database->random * UINT64_C(6364136223846793005) + 1442695040888963407;
    return base_us * 2 / 5 + (database->random >> 33) % (base_us * 2 / 5);
}

static void database_drop(struct database *database, const char *sentence, uint64_t now_us) {
    bool was_up = database->state == DATABASE_UP;
    database_unwatch(database);
    char text[512];
    snprintf(text, sizeof text, "%s", *sentence == '\0' ? "given up from this side" : sentence);
    text[strcspn(text, "\n")] = '\0';
    PQfinish(database->connection);
    database->connection = NULL;
    database->state = DATABASE_DOWN;
    bool flushed = !database->wants_flush && !database->unsent;
    database->broken = database->unsent = database->wants_flush = database->got_result = false;
    database->sync_error.trouble = TROUBLE_NONE;
    database->expected_first = database->expected_count = 0;
    database->attempts++;
    database->counters.failures++;
    if (database->down_since_us == 0)
        database->down_since_us = now_us;
    loop_timer_set(database->loop, &database->timer, now_us + database_backoff_us(database));
    if (was_up)
        database->options.on_down(database->options.context, database, flushed);
    if (database->attempts % OUTAGE_SAID_EVERY == 1)
        database->options.on_trouble(database->options.context, database, text);
}

// From inside a send: the drop waits for the loop.
static void database_break(struct database *database) {
    database->broken = true;
    loop_timer_set(database->loop, &database->timer, MAX(loop_now_us(database->loop), 1));
}

// --- connecting ----------------------------------------------------------------------------------

static void database_connect(struct database *database, uint64_t now_us) {
    database->connection = PQconnectStartParams(database->address.keywords,
                                                (const char *const *)database->address.values, 0);
    ASSERT(database->connection != NULL);
    PQsetNoticeProcessor(database->connection, notice_ignore, NULL);
    database->state = DATABASE_CONNECTING;
    loop_timer_set(database->loop, &database->timer, now_us + DATABASE_CONNECT_MS * 1000);
    if (PQstatus(database->connection) == CONNECTION_BAD)
        database_drop(database, PQerrorMessage(database->connection), now_us);
    else if (!database_watch(database, EPOLLOUT))
        database_drop(database, "no descriptor left", now_us);
}

static void expected_add(struct database *database, uint32_t tag, bool sync) {
    ASSERT(database->expected_count < database->options.in_flight_max);
    uint32_t last =
        (database->expected_first + database->expected_count++) % database->options.in_flight_max;
    database->expected[last] = (struct expected){tag, sync};
}

// One statement sets everything, so that connecting costs one round trip.
static bool database_send_settings(struct database *database) {
    const struct database_options *options = &database->options;
    char lock_timeout[16], statement_timeout[16];
    snprintf(lock_timeout, sizeof lock_timeout, "%u", options->lock_timeout_ms);
    snprintf(statement_timeout, sizeof statement_timeout, "%u", options->statement_timeout_ms);
    const char *values[SETTINGS_MAX] = {
        options->role == NULL ? "none" : options->role,
        lock_timeout,
        statement_timeout,
        options->generic_plans ? "force_generic_plan" : "auto",
    };
    return PQsendQueryParams(database->connection,
                             "SELECT set_config('role', $1, false),"
                             " set_config('lock_timeout', $2, false),"
                             " set_config('statement_timeout', $3, false),"
                             " set_config('plan_cache_mode', $4, false),"
                             " set_config('enable_seqscan',"
                             "            CASE $4 WHEN 'auto' THEN 'on' ELSE 'off' END, false),"
                             " set_config('TimeZone', 'UTC', false),"
                             " set_config('DateStyle', 'ISO, YMD', false),"
                             " set_config('bytea_output', 'hex', false),"
                             " set_config('jit', 'off', false)",
                             4, NULL, values, NULL, NULL, 0) == 1;
}

static bool database_prepare(struct database *database) {
    PGconn *connection = database->connection;
    if (PQsetnonblocking(connection, 1) != 0 || PQenterPipelineMode(connection) != 1 ||
        !database_send_settings(database))
        return false;
    expected_add(database, TAG_SETTINGS, false);
    for (uint32_t i = 0; i < database->options.statement_count; i++) {
        const struct statement *statement = database->options.statements[i];
        if (PQsendPrepare(connection, statement->name, statement->sql, 0, NULL) != 1 ||
            PQsendDescribePrepared(connection, statement->name) != 1)
            return false;
        expected_add(database, TAG_STATEMENTS + 2 * i, false);
        expected_add(database, TAG_STATEMENTS + 2 * i + 1, false);
    }
    if (PQpipelineSync(connection) != 1)
        return false;
    expected_add(database, 0, true);
    database->state = DATABASE_PREPARING;
    return true;
}

static void database_flush(struct database *database);

static void database_poll(struct database *database, uint64_t now_us) {
    database_unwatch(database); // libpq may change its descriptor
    PostgresPollingStatusType status = PQconnectPoll(database->connection);
    bool ok = status != PGRES_POLLING_FAILED;
    if (status == PGRES_POLLING_OK)
        ok = database_prepare(database);
    if (ok)
        ok = database_watch(database, status == PGRES_POLLING_WRITING ? EPOLLOUT : EPOLLIN);
    if (!ok)
        database_drop(database, PQerrorMessage(database->connection), now_us);
    else if (status == PGRES_POLLING_OK)
        database_flush(database);
}

// Whether a failed preparation is the fault of this build, not of the moment.
static bool database_is_refused(const struct database_error *error) {
    return error->trouble == TROUBLE_STATEMENT && strncmp(error->state, "28", 2) != 0;
}

void database_end_process(void *context, const char *sentence) {
    (void)context;
    log_line(LOG_CRITICAL, NULL, sentence, "hint", "run `valorize migrate` of this build", NULL);
    exit(EXIT_FAILURE);
}

static const struct statement *tag_statement(const struct database *database, uint32_t tag) {
    return database->options.statements[(tag - TAG_STATEMENTS) / 2];
}

static void database_refuse(struct database *database, uint32_t tag) {
    const struct database_error *error = &database->sync_error;
    const struct database_options *options = &database->options;
    const char *role = options->role == NULL ? "" : options->role;
    char sentence[512], state[16] = "";
    if (error->state[0] != '\0')
        snprintf(state, sizeof state, " (%s)", error->state);
    snprintf(sentence, sizeof sentence, "%s %s cannot be used on this database: %s%s",
             tag == TAG_SETTINGS ? "role" : "statement",
             tag == TAG_SETTINGS ? role : tag_statement(database, tag)->name, error->message,
             state);
    options->on_refused(options->context, database, sentence);
}

// A statement of other parameters or columns than its table says fails each time it is used.
static void check_shape(const struct statement *statement, const PGresult *described,
                        struct database_error *ret_error) {
    int parameters = PQnparams(described), columns = PQnfields(described);
    if (parameters == statement->parameter_count && columns == statement->column_count)
        return;
    ret_error->trouble = TROUBLE_STATEMENT;
    ret_error->state[0] = '\0'; // the server finds nothing wrong with it
    snprintf(ret_error->message, sizeof ret_error->message,
             "it has %d parameters and %d columns, wanted are %u and %u", parameters, columns,
             statement->parameter_count, statement->column_count);
}

static void database_prepared(struct database *database, uint32_t tag, const PGresult *result) {
    ExecStatusType status = PQresultStatus(result);
    struct database_error *error = &database->sync_error;
    if (error->trouble != TROUBLE_NONE)
        return;
    if (status == PGRES_FATAL_ERROR)
        error_fill(result, error);
    else if (tag >= TAG_STATEMENTS && tag % 2 != 0) // of a description
        check_shape(tag_statement(database, tag), result, error);
    if (database_is_refused(error))
        database_refuse(database, tag);
}

static void database_came_up(struct database *database, uint64_t now_us) {
    if (database->sync_error.trouble != TROUBLE_NONE) {
        database_drop(database, database->sync_error.message, now_us);
        return;
    }
    database->state = DATABASE_UP;
    database->attempts = 0;
    database->down_since_us = 0;
    database->counters.connects++;
    loop_timer_clear(database->loop, &database->timer);
    database->options.on_up(database->options.context, database);
}

static void database_fire(struct timer *timer, uint64_t now_us) {
    struct database *database = CONTAINER_OF(timer, struct database, timer);
    if (database->state == DATABASE_DOWN)
        database_connect(database, now_us);
    else if (database->broken)
        database_drop(database, PQerrorMessage(database->connection), now_us);
    else if (database->state != DATABASE_UP)
        database_drop(database, "the connection took too long", now_us);
}

// --- sending -------------------------------------------------------------------------------------

void database_send(struct database *database, const struct bound *bound, bool binary,
                   uint32_t tag) {
    ASSERT(database->state == DATABASE_UP);
    expected_add(database, tag, false);
    if (database->broken)
        return; // on_down follows
    const char *values[PARAMETERS_MAX];
    int lengths[PARAMETERS_MAX], formats[PARAMETERS_MAX];
    arena_reset(&database->parameters);
    for (uint32_t i = 0; i < bound->count; i++) {
        struct text value = bound->values[i];
        formats[i] = bound->binary[i];
        lengths[i] = (int)value.length;
        if (value.bytes != NULL && bound->binary[i] == 0)
            value = arena_copy(&database->parameters, value); // libpq wants it terminated
        values[i] = value.bytes;
    }
    ASSERT(!database->parameters.overflow);
    if (PQsendQueryPrepared(database->connection, bound->statement->name, bound->count, values,
                            lengths, formats, binary) != 1) {
        database->unsent = true;
        database_break(database);
    }
    database->counters.statements++;
}

static void database_flush(struct database *database) {
    int result = PQflush(database->connection);
    if (result < 0) {
        database_break(database);
        return;
    }
    database->wants_flush = result > 0;
    uint32_t epoll_events = database->wants_flush ? EPOLLIN | EPOLLOUT : EPOLLIN;
    if (epoll_events == database->epoll_events)
        return;
    database->epoll_events = epoll_events;
    loop_rewatch(database->loop, &database->watch, epoll_events);
}

void database_sync(struct database *database, uint32_t tag) {
    expected_add(database, tag, true);
    if (database->broken)
        return;
    if (PQpipelineSync(database->connection) != 1)
        database_break(database);
    else
        database_flush(database);
}

// --- receiving -----------------------------------------------------------------------------------

static struct expected expected_take(struct database *database) {
    struct expected expected = database->expected[database->expected_first];
    database->expected_first = (database->expected_first + 1) % database->options.in_flight_max;
    database->expected_count--;
    database->got_result = false;
    return expected;
}

static void database_take_sync(struct database *database, PGresult *result, uint64_t now_us) {
    if (PQresultStatus(result) != PGRES_PIPELINE_SYNC) { // the commit failed; the sync follows
        error_fill(result, &database->sync_error);
        PQclear(result);
        return;
    }
    PQclear(result);
    struct expected expected = expected_take(database);
    if (database->state == DATABASE_PREPARING) {
        database_came_up(database, now_us);
        return;
    }
    bool failed = database->sync_error.trouble != TROUBLE_NONE;
    struct database_error error = database->sync_error;
    database->sync_error = (struct database_error){.trouble = TROUBLE_NONE};
    database->options.on_sync(database->options.context, database, expected.tag,
                              failed ? &error : NULL);
}

static void database_take_result(struct database *database, PGresult *result) {
    uint32_t tag = database->expected[database->expected_first].tag;
    database->got_result = true;
    ExecStatusType status = PQresultStatus(result);
    if (database->state == DATABASE_PREPARING) {
        database_prepared(database, tag, result);
        PQclear(result);
        return;
    }
    if (status == PGRES_FATAL_ERROR) {
        database->counters.errors++;
        error_fill(result, &database->sync_error);
    }
    database->options.on_result(database->options.context, database, tag,
                                (struct database_result *)result);
}

// libpq's own word that the connection is gone, after all that had been received.
static bool database_is_over(const struct database *database, const PGresult *result) {
    if (PQstatus(database->connection) != CONNECTION_BAD)
        return result == NULL && !database->got_result &&
               !database->expected[database->expected_first].sync;
    return result == NULL ? !database->got_result
                          : PQresultStatus(result) == PGRES_FATAL_ERROR &&
                                PQresultErrorField(result, PG_DIAG_SQLSTATE) == NULL;
}

// A statement's results end with a NULL, a sync has none. False: the connection is gone.
static bool database_take_results(struct database *database, uint64_t now_us) {
    while (database->expected_count > 0 && !database->broken && !PQisBusy(database->connection)) {
        bool sync = database->expected[database->expected_first].sync;
        PGresult *result = PQgetResult(database->connection);
        if (database_is_over(database, result)) {
            PQclear(result);
            return false;
        }
        if (result == NULL && !sync)
            (void)expected_take(database);
        else if (result != NULL && sync)
            database_take_sync(database, result, now_us);
        else if (result != NULL)
            database_take_result(database, result);
        if (database->state == DATABASE_DOWN)
            return true; // a failed preparation dropped it
    }
    return PQstatus(database->connection) != CONNECTION_BAD;
}

static void database_receive(struct database *database, uint64_t now_us) {
    bool open = PQconsumeInput(database->connection) == 1;
    open = database_take_results(database, now_us) && open;
    if (database->state == DATABASE_DOWN)
        return;
    if (!open)
        database_drop(database, PQerrorMessage(database->connection), now_us);
    else if (!database->broken)
        database_flush(database);
}

static void database_ready(struct watch *watch, uint32_t epoll_events, uint64_t now_us) {
    (void)epoll_events;
    struct database *database = CONTAINER_OF(watch, struct database, watch);
    if (database->state == DATABASE_CONNECTING)
        database_poll(database, now_us);
    else if (database->broken)
        database_drop(database, PQerrorMessage(database->connection), now_us);
    else
        database_receive(database, now_us);
}
