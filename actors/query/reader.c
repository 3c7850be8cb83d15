// SPDX-License-Identifier: Apache-2.0
#include "reader.h"

#include "admission.h"
#include "cache.h"
#include "cell.h"
#include "document.h"
#include "format.h"
#include "job.h"
#include "log.h"
#include "operations.h"
#include "page_name.h"
#include "pool.h"

enum {
    NONE = UINT16_MAX,
    REQUEST_ARENA_BYTES = 32 << 10, // a URL's parameters, decoded and bound
    REPLY_ARENA_BYTES = 2 << 20, // the cells of the largest reply and its document
    LOOK_MS = 20, // how often deadlines are compared
};

enum read_state {
    READ_FREE,
    READ_LOOKING, // Redis was asked
    READ_WAITING, // for a place on a connection, in the order of waiting
    READ_RUNNING, // on a connection
    READ_JOINED, // gets the reply of an equal one that waits or runs
    READ_ABANDONED, // on a connection, but answered already
};

struct read {
    struct job job;
    enum read_state state;
    uint16_t next; // free, waiting, or joined to the same leader
    uint16_t followers; // first of those joined to it
    uint8_t attempts; // lost with a connection, or stopped in another's place
    uint8_t place_count; // statements sent together
    uint8_t places[BOUND_STATEMENTS_MAX]; // which of binding.bound
    bool fills; // there is a token under which its pages may be kept
    bool keeps[CACHE_PAGES_MAX]; // and they are worth it
    uint64_t token;
    struct cache_id ids[CACHE_PAGES_MAX]; // of the page, and of the total
    char total[INTEGER_TEXT_BYTES]; // a cached total's cell
    struct rows rows[BOUND_STATEMENTS_MAX];
    struct text total_cell;
    struct database_result *results[BOUND_STATEMENTS_MAX];
};

struct reader {
    struct reader_options options;
    struct loop *loop;
    struct session *session;
    struct cache *cache; // NULL: none is configured
    struct admission admission;
    struct pool *pool;
    struct drain drain;
    struct timer timer;
    struct arena arena; // of the reply being made
    struct read reads[READS_IN_HAND_MAX];
    uint16_t first_free, first_waiting, last_waiting;
    struct failure failure;
    uint64_t read_count, hit_count, joined_count, expired_count, lost_count, cancel_count;
    struct histogram database_times;
};

static uint16_t read_number(const struct reader *reader, const struct read *read) {
    return (uint16_t)(read - reader->reads);
}

// In which its page is kept and sent.
static enum document_form read_form(const struct read *read) {
    return (read->job.address.flags & FLAG_EXPANDS) != 0 ? DOCUMENT_COMPRESSED : DOCUMENT_PLAIN;
}

// --- ends ----------------------------------------------------------------------------------------

static void read_drop_results(struct read *read) {
    for (uint32_t i = 0; i < BOUND_STATEMENTS_MAX; i++)
        read->results[i] = database_result_free(read->results[i]);
}

static void read_free(struct reader *reader, struct read *read) {
    read_drop_results(read);
    read->state = READ_FREE;
    read->next = reader->first_free;
    reader->first_free = read_number(reader, read);
}

static void read_refuse(struct reader *reader, struct read *read, enum status status) {
    arena_reset(&reader->arena);
    job_refuse(&read->job, reader->session, status, &reader->failure, &reader->arena,
               loop_now_us(reader->loop));
}

static void read_wait(struct reader *reader, struct read *read) {
    read->state = READ_WAITING;
    read->next = NONE;
    if (reader->first_waiting == NONE)
        reader->first_waiting = read_number(reader, read);
    else
        reader->reads[reader->last_waiting].next = read_number(reader, read);
    reader->last_waiting = read_number(reader, read);
}

// Those joined to a read that failed go their own way.
static void read_release_followers(struct reader *reader, struct read *read) {
    for (uint16_t number = read->followers, next; number != NONE; number = next) {
        struct read *follower = &reader->reads[number];
        next = follower->next;
        read_wait(reader, follower);
    }
    read->followers = NONE;
}

static void read_fail(struct reader *reader, struct read *read, enum status status) {
    read_refuse(reader, read, status);
    read_release_followers(reader, read);
    read_free(reader, read);
}

static void read_reply(struct reader *reader, struct read *read, struct text document) {
    uint64_t now_us = loop_now_us(reader->loop);
    job_reply(&read->job, reader->session, document, now_us);
    for (uint16_t number = read->followers, next; number != NONE; number = next) {
        struct read *follower = &reader->reads[number];
        next = follower->next;
        job_reply(&follower->job, reader->session, document, now_us);
        read_free(reader, follower);
    }
    read_free(reader, read);
}

// --- what PostgreSQL returned --------------------------------------------------------------------

// The total's one cell is kept under its own key, whatever page it came with; as a text, so that
// it does not matter to who reads it in which form it came.
static void read_fill_total(struct reader *reader, struct read *read, uint32_t place) {
    const struct rows *rows = &read->rows[place];
    if (!read->fills || !read->keeps[1] || read->results[place] == NULL ||
        !read->job.binding.bound[place].cached_apart)
        return;
    char text[INTEGER_TEXT_BYTES];
    int64_t total;
    if (rows->count == 1 && rows->columns == 1 &&
        cell_integer(rows->cells[0], rows->binary, &total))
        cache_fill(reader->cache, read->job.caller.tenant, &read->ids[1], read->token,
                   (struct text){text, integer_write(total, text)});
}

static bool read_collect_rows(struct reader *reader, struct read *read) {
    for (uint32_t i = 0; i < read->job.binding.count; i++) {
        if (read->results[i] != NULL &&
            !database_result_rows(read->results[i], &reader->arena, &read->rows[i]))
            return false;
    }
    return true;
}

// The second statement of some runs only where the first found nothing.
static bool read_goes_on(struct read *read) {
    const struct binding *binding = &read->job.binding;
    bool second = binding->count > 1 && binding->bound[1].when == BOUND_IF_EMPTY &&
                  read->results[1] == NULL && read->rows[0].count == 0;
    if (second) {
        read->place_count = 1;
        read->places[0] = 1;
    }
    return second;
}

static void read_finish(struct reader *reader, struct read *read) {
    arena_reset(&reader->arena);
    if (!read_collect_rows(reader, read)) {
        log_line(LOG_ERROR, read->job.trace, "A read's rows are too many for its memory.",
                 "operation", read->job.handler->operation->name, NULL);
        read_fail(reader, read, STATUS_INTERNAL);
        return;
    }
    if (read_goes_on(read)) {
        read_wait(reader, read);
        return;
    }
    const struct result result = {.outcome = TEXT("ok"), .rows = {read->rows[0], read->rows[1]}};
    struct text document = {0};
    enum status status =
        job_render(&read->job, &result, &reader->arena, &reader->failure, &document);
    for (uint32_t i = 0; i < read->job.binding.count; i++)
        read_fill_total(reader, read, i);
    if (status != STATUS_OK) {
        if (status == STATUS_INTERNAL)
            log_line(LOG_ERROR, read->job.trace, "A reply does not fit its schema.", "operation",
                     read->job.handler->operation->name, NULL);
        read_fail(reader, read, status);
        return;
    }
    if (read->fills && read->keeps[0]) {
        if (read_form(read) == DOCUMENT_COMPRESSED)
            document = document_compress(document, &reader->arena);
        cache_fill(reader->cache, read->job.caller.tenant, &read->ids[0], read->token, document);
    }
    read_reply(reader, read, document);
}

static void pool_result(void *context, uint32_t number, uint32_t place,
                        struct database_result *result) {
    struct reader *reader = context;
    struct read *read = &reader->reads[number];
    uint8_t slot = read->places[place];
    database_result_free(read->results[slot]);
    read->results[slot] = result;
}

static bool read_may_run_again(const struct read *read, const struct database_error *error) {
    return error->trouble == TROUBLE_TIMEOUT && read->attempts < READ_ATTEMPTS_MAX;
}

static void pool_done(void *context, uint32_t number, const struct database_error *error) {
    struct reader *reader = context;
    struct read *read = &reader->reads[number];
    read->job.done_us = loop_now_us(reader->loop);
    if (read->state == READ_ABANDONED) {
        read_free(reader, read);
        return;
    }
    ASSERT(read->state == READ_RUNNING);
    histogram_add(&reader->database_times, read->job.done_us - read->job.begun_us);
    if (error == NULL) {
        read_finish(reader, read);
        return;
    }
    read_drop_results(read);
    if (read_may_run_again(read, error)) {
        read->attempts++;
        read_wait(reader, read);
        return;
    }
    log_line(LOG_ERROR, read->job.trace, "A read failed in PostgreSQL.", "operation",
             read->job.handler->operation->name, "state", error->state, "error", error->message,
             NULL);
    read_fail(reader, read, trouble_status(error->trouble));
}

static void pool_lost(void *context, uint32_t number) {
    struct reader *reader = context;
    struct read *read = &reader->reads[number];
    read_drop_results(read);
    reader->lost_count++;
    if (read->state == READ_ABANDONED)
        read_free(reader, read);
    else if (++read->attempts < READ_ATTEMPTS_MAX)
        read_wait(reader, read);
    else
        read_fail(reader, read, STATUS_UNAVAILABLE);
}

static void read_expire(struct reader *reader, struct read *read) {
    reader->expired_count++;
    read_refuse(reader, read, STATUS_EXPIRED);
    read_release_followers(reader, read);
    if (read->state != READ_RUNNING) {
        read_free(reader, read);
        return;
    }
    read->state = READ_ABANDONED;
    reader->cancel_count++;
    pool_cancel(reader->pool, read_number(reader, read));
}

// --- running -------------------------------------------------------------------------------------

static void read_run(struct reader *reader, struct read *read) {
    const struct bound *list[BOUND_STATEMENTS_MAX];
    for (uint32_t i = 0; i < read->place_count; i++)
        list[i] = &read->job.binding.bound[read->places[i]];
    read->state = READ_RUNNING;
    if (read->job.begun_us == 0)
        read->job.begun_us = loop_now_us(reader->loop);
    pool_run(reader->pool, read_number(reader, read), list, read->place_count);
}

// What goes with the first trip: all but what depends on it, and but what the cache knew.
static void read_plan(struct read *read) {
    const struct binding *binding = &read->job.binding;
    read->place_count = 0;
    for (uint32_t i = 0; i < binding->count; i++) {
        bool known = read->rows[i].count > 0;
        if (binding->bound[i].when == BOUND_ALWAYS && !known)
            read->places[read->place_count++] = (uint8_t)i;
    }
}

static bool reader_run_waiting(struct drain *drain, uint64_t now_us) {
    struct reader *reader = CONTAINER_OF(drain, struct reader, drain);
    bool worked = false;
    while (reader->first_waiting != NONE && pool_has_room(reader->pool)) {
        struct read *read = &reader->reads[reader->first_waiting];
        reader->first_waiting = read->next;
        worked = true;
        if (session_is_stale(reader->session, &read->job.address))
            read_fail(reader, read, STATUS_UNAVAILABLE); // somebody else has it by now
        else if (read->job.deadline_us <= now_us)
            read_expire(reader, read);
        else
            read_run(reader, read);
    }
    return worked;
}

static struct read *reader_find_equal(struct reader *reader, const struct read *read) {
    for (uint32_t i = 0; i < READS_IN_HAND_MAX; i++) {
        struct read *other = &reader->reads[i];
        bool under_way = other->state == READ_WAITING || other->state == READ_RUNNING;
        if (under_way && other != read && other->fills && other->token == read->token &&
            memcmp(&other->ids[0], &read->ids[0], sizeof read->ids[0]) == 0)
            return other;
    }
    return NULL;
}

static void read_join(struct reader *reader, struct read *read, struct read *leader) {
    read->state = READ_JOINED;
    read->next = leader->followers;
    leader->followers = read_number(reader, read);
    reader->joined_count++;
}

// --- the cache -----------------------------------------------------------------------------------

// Index in binding.bound of the statement whose result is kept apart, or binding.count.
static uint32_t binding_total(const struct binding *binding) {
    uint32_t i = 0;
    while (i < binding->count && !binding->bound[i].cached_apart)
        i++;
    return i;
}

static void read_look(struct reader *reader, struct read *read) {
    const struct binding *binding = &read->job.binding;
    uint32_t total = binding_total(binding);
    read->ids[0] = page_name(read->job.handler->operation, read->job.body, read_form(read));
    if (total < binding->count)
        read->ids[1] = total_name(&binding->bound[total]);
    bool wanted = (read->job.address.flags & FLAG_KEEP) != 0;
    uint64_t now_us = loop_now_us(reader->loop);
    for (uint32_t i = 0; i < (total < binding->count ? 2U : 1U); i++)
        read->keeps[i] = admission_ask(&reader->admission, &read->ids[i], now_us) || wanted;
    read->state = READ_LOOKING;
    cache_read(reader->cache, read->job.caller.tenant, read->ids, total < binding->count ? 2 : 1,
               read_number(reader, read));
}

static void read_take_total(struct read *read, struct text cell) {
    uint32_t total = binding_total(&read->job.binding);
    if (cell.bytes == NULL || cell.length > sizeof read->total || total == read->job.binding.count)
        return;
    memcpy(read->total, cell.bytes, cell.length);
    read->total_cell = (struct text){read->total, cell.length};
    read->rows[total] = (struct rows){1, 1, &read->total_cell, false};
}

static void cache_answers(void *context, uint32_t tag, const struct cache_answer *answer) {
    struct reader *reader = context;
    struct read *read = &reader->reads[tag];
    ASSERT(read->state == READ_LOOKING);
    read->fills = answer->available;
    read->token = answer->token;
    if (answer->available && answer->pages[0].bytes != NULL) {
        reader->hit_count++;
        read->job.flags |= REPLY_CACHED;
        read_reply(reader, read, answer->pages[0]);
        return;
    }
    if (answer->available)
        read_take_total(read, answer->pages[1]);
    read_plan(read);
    struct read *leader = answer->settled ? reader_find_equal(reader, read) : NULL;
    if (leader != NULL)
        read_join(reader, read, leader);
    else
        read_wait(reader, read);
}

static void cache_invalidated(void *context, uint32_t tag, bool confirmed) {
    (void)context;
    (void)tag;
    (void)confirmed;
    UNREACHABLE(); // readers invalidate nothing
}

static void says_trouble(void *context, const char *sentence) {
    (void)context;
    log_line(LOG_WARNING, NULL, sentence, NULL);
}

// --- deliveries ----------------------------------------------------------------------------------

static struct read *reader_take(struct reader *reader) {
    if (reader->first_free == NONE)
        return NULL;
    struct read *read = &reader->reads[reader->first_free];
    reader->first_free = read->next;
    read->next = read->followers = NONE;
    read->attempts = 0;
    read->fills = false;
    memset(read->rows, 0, sizeof read->rows);
    return read;
}

void reader_deliver(struct reader *reader, const struct delivery *delivery) {
    const struct handler *handler =
        served_find(reader->options.served, delivery->envelope.operation);
    const struct return_address address = session_return_address(delivery);
    struct read *read = handler == NULL ? NULL : reader_take(reader);
    reader->read_count++;
    if (read == NULL) {
        session_refuse(reader->session, &address,
                       handler == NULL ? STATUS_UNAVAILABLE : STATUS_BUSY);
        return;
    }
    enum status status = job_begin(&read->job, handler, delivery, &address, &reader->failure);
    if (status != STATUS_OK) {
        read_fail(reader, read, status);
        return;
    }
    if (handler->operation->cached && reader->cache != NULL) {
        read_look(reader, read);
    } else {
        read_plan(read);
        read_wait(reader, read);
    }
}

// It ends with the next look at the deadlines, and its statement is stopped.
void reader_cancel(struct reader *reader, uint64_t session, uint64_t correlation) {
    for (uint32_t i = 0; i < READS_IN_HAND_MAX; i++) {
        struct job *job = &reader->reads[i].job;
        if (reader->reads[i].state != READ_FREE && job->address.session == session &&
            job->address.correlation == correlation)
            job->deadline_us = 0;
    }
}

void reader_event(struct reader *reader, const struct envelope *envelope) {
    if (envelope->operation != EVENT_CACHE_BYPASS || reader->cache == NULL)
        return;
    if (envelope->kind == KIND_GAP)
        cache_bypass_all(reader->cache);
    else
        cache_bypass(reader->cache, envelope->tenant);
}

void reader_missed(struct reader *reader) {
    if (reader->cache != NULL)
        cache_unsettle(reader->cache);
}

// --- deadlines -----------------------------------------------------------------------------------

// Waiting reads leave the list in its order, so the list is made anew.
static void reader_expire_waiting(struct reader *reader, uint64_t now_us) {
    uint64_t down_us = pool_down_since_us(reader->pool);
    bool hopeless = down_us != 0 && now_us - down_us > DATABASE_HOLD_MS * UINT64_C(1000);
    uint16_t number = reader->first_waiting;
    reader->first_waiting = reader->last_waiting = NONE;
    for (uint16_t next; number != NONE; number = next) {
        struct read *read = &reader->reads[number];
        next = read->next;
        if (read->job.deadline_us <= now_us)
            read_expire(reader, read);
        else if (hopeless)
            read_fail(reader, read, STATUS_UNAVAILABLE);
        else
            read_wait(reader, read);
    }
}

static void reader_look(struct timer *timer, uint64_t now_us) {
    struct reader *reader = CONTAINER_OF(timer, struct reader, timer);
    reader_expire_waiting(reader, now_us);
    for (uint32_t i = 0; i < READS_IN_HAND_MAX; i++) {
        struct read *read = &reader->reads[i];
        if (read->state == READ_RUNNING && read->job.deadline_us <= now_us)
            read_expire(reader, read);
    }
    loop_timer_set(reader->loop, timer, now_us + LOOK_MS * 1000);
}

// --- life ----------------------------------------------------------------------------------------

static bool reader_open(struct reader *reader, char *ret_sentence, size_t sentence_size) {
    const struct reader_options *options = &reader->options;
    reader->pool = pool_new(reader->loop,
                            &(struct pool_options){
                                .url = options->database_url,
                                .name = options->name,
                                .statements = options->served->statements,
                                .statement_count = options->served->statement_count,
                                .statement_timeout_ms = options->served->budget_ms_max,
                                .seed = options->seed,
                                .context = reader,
                                .on_result = pool_result,
                                .on_done = pool_done,
                                .on_lost = pool_lost,
                                .on_trouble = says_trouble,
                                .on_refused = database_end_process,
                            },
                            ret_sentence, sentence_size);
    if (reader->pool == NULL || options->redis_url[0] == '\0')
        return reader->pool != NULL;
    reader->cache = cache_new(reader->loop,
                              &(struct cache_options){
                                  .url = options->redis_url,
                                  .name = options->name,
                                  .seed = options->seed | 1,
                                  .context = reader,
                                  .on_answer = cache_answers,
                                  .on_invalidated = cache_invalidated,
                                  .on_trouble = says_trouble,
                              },
                              ret_sentence, sentence_size);
    return reader->cache != NULL;
}

struct reader *reader_new(struct loop *loop, const struct reader_options *options,
                          char *ret_sentence, size_t sentence_size) {
    struct reader *reader = calloc(1, sizeof *reader);
    ASSERT(reader != NULL);
    reader->options = *options;
    reader->loop = loop;
    arena_init(&reader->arena, REPLY_ARENA_BYTES);
    reader->first_free = reader->first_waiting = reader->last_waiting = NONE;
    for (uint32_t i = READS_IN_HAND_MAX; i-- > 0;) {
        job_init(&reader->reads[i].job, REQUEST_ARENA_BYTES);
        read_free(reader, &reader->reads[i]);
    }
    reader->timer.fire = reader_look;
    reader->drain.run = reader_run_waiting;
    loop_add_drain(loop, &reader->drain);
    loop_timer_set(loop, &reader->timer, loop_now_us(loop) + LOOK_MS * 1000);
    return reader_open(reader, ret_sentence, sentence_size) ? reader : reader_free(reader);
}

struct reader *reader_free(struct reader *reader) {
    if (reader == NULL)
        return NULL;
    loop_remove_drain(reader->loop, &reader->drain);
    loop_timer_clear(reader->loop, &reader->timer);
    reader->cache = cache_free(reader->cache);
    reader->pool = pool_free(reader->pool);
    for (uint32_t i = 0; i < READS_IN_HAND_MAX; i++) {
        read_drop_results(&reader->reads[i]);
        job_deinit(&reader->reads[i].job);
    }
    arena_deinit(&reader->arena);
    free(reader);
    return NULL;
}

void reader_leave(struct reader *reader) {
    pool_leave(reader->pool);
}

void reader_attach(struct reader *reader, struct session *session) {
    reader->session = session;
}

bool reader_ready(const struct reader *reader) {
    return pool_down_since_us(reader->pool) == 0;
}

void reader_metrics(const struct reader *reader, struct metrics *metrics) {
    struct database_counters database = pool_count(reader->pool);
    metrics_counter(metrics, "valorize_reads_total", "Reads taken in hand.", NULL,
                    reader->read_count);
    metrics_counter(metrics, "valorize_reads_cached_total", "Reads answered from Redis.", NULL,
                    reader->hit_count);
    metrics_counter(metrics, "valorize_reads_joined_total",
                    "Reads answered with an equal one's result.", NULL, reader->joined_count);
    metrics_counter(metrics, "valorize_reads_expired_total", "Reads whose budget ran out.", NULL,
                    reader->expired_count);
    metrics_counter(metrics, "valorize_reads_cancelled_total",
                    "Statements stopped because nobody waited.", NULL, reader->cancel_count);
    metrics_counter(metrics, "valorize_reads_lost_total", "Reads lost with a connection.", NULL,
                    reader->lost_count);
    metrics_counter(metrics, "valorize_database_statements_total", "Statements sent.", NULL,
                    database.statements);
    metrics_counter(metrics, "valorize_database_errors_total", "Statements that failed.", NULL,
                    database.errors);
    metrics_counter(metrics, "valorize_database_connects_total", "Connections made.", NULL,
                    database.connects);
    metrics_counter(metrics, "valorize_database_connects_failed_total",
                    "Connections lost, and attempts that failed.", NULL, database.failures);
    metrics_histogram(metrics, "valorize_database_seconds", "A read's time in PostgreSQL.", NULL,
                      &reader->database_times);
    if (reader->cache != NULL)
        cache_metrics(reader->cache, metrics);
}
