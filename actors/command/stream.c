// SPDX-License-Identifier: Apache-2.0
#include "stream.h"

#include <stdio.h>

enum {
    OWN_STATEMENTS = 3,
    LOOK_MS = 20, // how often deadlines are compared and parked tenants may be asked for
    HEAD_ARENA_BYTES = 4 << 10, // the tenants of a batch
    TAG_HEAD = 0, // members follow
    ADVISORY_KEY_BYTES = 8,
};

// The head of every batch: all batches meet their tenants in this order, so none waits for another
// in a circle, and each member's snapshot is newer than the lock.
static const struct statement lock_statement = {
    "lock_tenants", "SELECT FROM users WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE", 1,
    0};

// The same for a command of nobody: what a repeat of it would meet is its key.
static const struct statement lock_key_statement = {
    "lock_key", "SELECT pg_advisory_xact_lock($1::bigint)", 1, 1};

// Which tenants need not be waited for any more; one that was deleted is among them.
static const struct statement probe_statement = {
    "probe_tenants",
    "WITH free AS (SELECT id FROM users WHERE id = ANY($1::uuid[]) ORDER BY id"
    " FOR NO KEY UPDATE SKIP LOCKED)"
    " SELECT id FROM free UNION ALL SELECT id FROM unnest($1::uuid[]) AS asked (id)"
    " WHERE NOT EXISTS (SELECT FROM users WHERE users.id = asked.id)",
    1, 1};

struct stream {
    struct stream_options options;
    struct loop *loop;
    struct database *database;
    const struct statement **statements; // own ones, then those of the use cases
    struct batch *batch;
    struct batch_group group; // under way, or BATCH_NOTHING
    struct database_result *results[BATCH_MEMBERS_MAX];
    struct database_result *head_result;
    uint32_t failed_tag; // UINT32_MAX: none
    bool failing; // whatever the commands are; said
    uint64_t sent_us;
    struct drain drain;
    struct timer timer;
    struct arena arena; // of the head's parameter
    struct batch_verdicts verdicts;
    struct stream_counters counters;
};

// --- how a batch ends ----------------------------------------------------------------------------

static void stream_drop_results(struct stream *stream) {
    stream->head_result = database_result_free(stream->head_result);
    for (uint32_t i = 0; i < stream->group.count; i++)
        stream->results[i] = database_result_free(stream->results[i]);
}

static void stream_tell_verdicts(struct stream *stream, const struct database_error *error) {
    for (uint32_t i = 0; i < stream->verdicts.count; i++) {
        const struct batch_verdict *verdict = &stream->verdicts.verdicts[i];
        stream->options.on_ended(stream->options.context, verdict->command, verdict->status, error);
    }
    stream->verdicts.count = 0;
}

static void stream_say_failing(struct stream *stream, const char *what,
                               const struct database_error *error) {
    if (stream->failing)
        return;
    stream->failing = true;
    char sentence[512];
    (void)snprintf(sentence, sizeof sentence, "%s: %s (%s)", what, error->message,
                   error->state); // cut where it is too long
    stream->options.on_trouble(stream->options.context, sentence);
}

static void stream_committed(struct stream *stream, uint64_t now_us) {
    struct batch_group group = stream->group;
    stream->group.kind = BATCH_NOTHING;
    stream->head_result = database_result_free(stream->head_result);
    stream->failing = false;
    batch_committed(stream->batch);
    stream->counters.batches++;
    stream->counters.members += group.count;
    histogram_add(&stream->counters.times, now_us - stream->sent_us);
    stream->options.on_committed(stream->options.context, group.members, group.count,
                                 stream->results, stream->sent_us);
    memset(stream->results, 0, sizeof stream->results);
}

// An error is a command's own unless the server is in trouble, or the lock is for another reason
// than that somebody holds it. Verdicts come of such a one only where the command was alone.
static bool error_is_of_command(enum batch_failure failure, const struct database_error *error) {
    return error->trouble != TROUBLE_SERVER &&
           (failure != BATCH_FAILED_LOCK || error->trouble == TROUBLE_LOCKED);
}

// error: NULL when the connection ended.
static void stream_failed(struct stream *stream, enum batch_failure failure,
                          const struct database_error *error, uint64_t now_us) {
    bool own = error != NULL && error_is_of_command(failure, error);
    stream_drop_results(stream);
    stream->counters.failures++;
    uint32_t position = failure == BATCH_FAILED_MEMBER ? stream->failed_tag - 1 : 0;
    batch_failed(stream->batch, failure, position, error == NULL ? TROUBLE_SERVER : error->trouble,
                 now_us, &stream->verdicts);
    stream->counters.isolations = batch_isolations(stream->batch);
    stream->group.kind = BATCH_NOTHING;
    if (error != NULL && !own)
        stream_say_failing(stream, "Batches of commands fail in PostgreSQL and are refused", error);
    stream_tell_verdicts(stream, own ? error : NULL);
}

// failed: it is asked again.
static void stream_probed(struct stream *stream, bool failed, uint64_t now_us) {
    struct uuid tenants[BATCH_MEMBERS_MAX];
    struct rows rows = {0};
    arena_reset(&stream->arena);
    if (!failed && database_result_rows(stream->head_result, &stream->arena, &rows)) {
        ASSERT(rows.count <= BATCH_MEMBERS_MAX);
        for (uint32_t i = 0; i < rows.count; i++)
            memcpy(&tenants[i], rows.cells[i].bytes, sizeof tenants[i]); // binary
    }
    stream->group.kind = BATCH_NOTHING;
    stream->head_result = database_result_free(stream->head_result);
    batch_probed(stream->batch, tenants, rows.count, now_us);
}

// --- what the connection tells -------------------------------------------------------------------

static void stream_up(void *context, struct database *database) {
    (void)context;
    (void)database; // the next turn begins
}

static void stream_result(void *context, struct database *database, uint32_t tag,
                          struct database_result *result) {
    struct stream *stream = context;
    (void)database;
    struct database_result **place =
        tag == TAG_HEAD ? &stream->head_result : &stream->results[tag - 1];
    database_result_free(*place);
    *place = result;
    if (database_result_is_ok(result) || database_result_is_skipped(result) ||
        stream->failed_tag != UINT32_MAX)
        return;
    stream->failed_tag = tag;
}

static void stream_sync(void *context, struct database *database, uint32_t tag,
                        const struct database_error *error) {
    struct stream *stream = context;
    (void)database;
    (void)tag;
    uint64_t now_us = loop_now_us(stream->loop);
    if (stream->group.kind == BATCH_PROBE) {
        if (error != NULL)
            stream_say_failing(stream, "Asking which tenants are free fails, and goes on", error);
        stream_probed(stream, error != NULL, now_us);
    } else if (error == NULL) {
        stream_committed(stream, now_us);
    } else if (stream->failed_tag == UINT32_MAX) {
        stream_failed(stream, BATCH_FAILED_SYNC, error, now_us);
    } else {
        stream_failed(stream,
                      stream->failed_tag == TAG_HEAD ? BATCH_FAILED_LOCK : BATCH_FAILED_MEMBER,
                      error, now_us);
    }
}

static void stream_down(void *context, struct database *database, bool flushed) {
    struct stream *stream = context;
    (void)database;
    uint64_t now_us = loop_now_us(stream->loop);
    if (stream->group.kind == BATCH_PROBE)
        stream_probed(stream, true, now_us);
    else if (stream->group.kind == BATCH_COMMANDS)
        stream_failed(stream, flushed ? BATCH_LOST : BATCH_UNSENT, NULL, now_us);
}

static void stream_trouble(void *context, struct database *database, const char *sentence) {
    struct stream *stream = context;
    (void)database;
    stream->options.on_trouble(stream->options.context, sentence);
}

static void stream_refused(void *context, struct database *database, const char *sentence) {
    struct stream *stream = context;
    (void)database;
    stream->options.on_refused(stream->options.context, sentence);
}

// --- sending -------------------------------------------------------------------------------------

// A group without tenants is one command of nobody. Its key is its second parameter, as every
// command's, and the first bytes of it are the number to lock.
static void stream_send_head(struct stream *stream, const struct statement *statement) {
    const struct batch_group *group = &stream->group;
    struct binding binding = {.arena = &stream->arena};
    struct bound bound = {.statement = statement};
    arena_reset(&stream->arena);
    if (group->tenant_count > 0) {
        binding_uuids(&bound, &binding, group->tenants, group->tenant_count);
    } else {
        const struct bound *member =
            stream->options.bound(stream->options.context, group->members[0]);
        binding_bytes(&bound, (struct text){member->values[1].bytes, ADVISORY_KEY_BYTES});
    }
    database_send(stream->database, &bound, true, TAG_HEAD);
}

static void stream_send(struct stream *stream, uint64_t now_us) {
    const struct batch_group *group = &stream->group;
    stream->failed_tag = UINT32_MAX;
    stream->sent_us = now_us;
    if (group->kind == BATCH_PROBE)
        stream_send_head(stream, &probe_statement);
    else
        stream_send_head(stream, group->tenant_count > 0 ? &lock_statement : &lock_key_statement);
    for (uint32_t i = 0; i < group->count; i++)
        database_send(stream->database,
                      stream->options.bound(stream->options.context, group->members[i]), true,
                      i + 1);
    database_sync(stream->database, 0);
}

static void stream_give_back_stale(struct stream *stream) {
    uint16_t waiting[COMMANDS_IN_HAND_MAX];
    uint32_t count = batch_waiting(stream->batch, waiting);
    for (uint32_t i = 0; i < count; i++) {
        if (!stream->options.stale(stream->options.context, waiting[i]))
            continue;
        (void)batch_remove(stream->batch, waiting[i]); // it waits, so it goes
        stream->options.on_ended(stream->options.context, waiting[i], STATUS_UNAVAILABLE, NULL);
    }
}

static bool stream_turn(struct drain *drain, uint64_t now_us) {
    struct stream *stream = CONTAINER_OF(drain, struct stream, drain);
    if (stream->group.kind != BATCH_NOTHING || !database_is_up(stream->database) ||
        batch_count(stream->batch) == 0)
        return false;
    stream_give_back_stale(stream);
    batch_expire(stream->batch, now_us, &stream->verdicts);
    stream_tell_verdicts(stream, NULL);
    batch_next(stream->batch, now_us, &stream->group);
    if (stream->group.kind == BATCH_NOTHING)
        return false;
    stream_send(stream, now_us);
    return true;
}

static void stream_look(struct timer *timer, uint64_t now_us) {
    struct stream *stream = CONTAINER_OF(timer, struct stream, timer);
    uint64_t down_us = database_down_since_us(stream->database);
    batch_expire(stream->batch, now_us, &stream->verdicts);
    if (down_us != 0 && now_us - down_us > DATABASE_HOLD_MS * UINT64_C(1000))
        batch_refuse_waiting(stream->batch, STATUS_UNAVAILABLE, &stream->verdicts);
    stream_tell_verdicts(stream, NULL);
    loop_timer_set(stream->loop, timer, now_us + LOOK_MS * 1000);
}

// --- life ----------------------------------------------------------------------------------------

static struct database *stream_connect(struct stream *stream, char *ret_sentence,
                                       size_t sentence_size) {
    const struct stream_options *options = &stream->options;
    return database_new(stream->loop,
                        &(struct database_options){
                            .url = options->url,
                            .name = options->name,
                            .role = "valorize_command",
                            .generic_plans = true,
                            .lock_timeout_ms = LOCK_TIMEOUT_MS,
                            .statement_timeout_ms = options->statement_timeout_ms,
                            .statements = stream->statements,
                            .statement_count = options->statement_count + OWN_STATEMENTS,
                            .in_flight_max = BATCH_MEMBERS_MAX + 2,
                            .begin_ms = options->begin_ms,
                            .seed = options->seed,
                            .context = stream,
                            .on_up = stream_up,
                            .on_result = stream_result,
                            .on_sync = stream_sync,
                            .on_down = stream_down,
                            .on_trouble = stream_trouble,
                            .on_refused = stream_refused,
                        },
                        ret_sentence, sentence_size);
}

struct stream *stream_new(struct loop *loop, const struct stream_options *options,
                          char *ret_sentence, size_t sentence_size) {
    struct stream *stream = calloc(1, sizeof *stream);
    ASSERT(stream != NULL);
    stream->options = *options;
    stream->loop = loop;
    stream->batch = batch_new();
    arena_init(&stream->arena, HEAD_ARENA_BYTES);
    stream->statements =
        calloc(OWN_STATEMENTS + options->statement_count, sizeof *stream->statements);
    ASSERT(stream->statements != NULL);
    stream->statements[0] = &lock_statement;
    stream->statements[1] = &lock_key_statement;
    stream->statements[2] = &probe_statement;
    memcpy(stream->statements + OWN_STATEMENTS, options->statements,
           options->statement_count * sizeof *stream->statements);
    stream->drain.run = stream_turn;
    stream->timer.fire = stream_look;
    loop_add_drain(loop, &stream->drain);
    loop_timer_set(loop, &stream->timer, loop_now_us(loop) + LOOK_MS * 1000);
    stream->database = stream_connect(stream, ret_sentence, sentence_size);
    return stream->database == NULL ? stream_free(stream) : stream;
}

struct stream *stream_free(struct stream *stream) {
    if (stream == NULL)
        return NULL;
    loop_remove_drain(stream->loop, &stream->drain);
    loop_timer_clear(stream->loop, &stream->timer);
    stream->database = database_free(stream->database);
    stream_drop_results(stream);
    stream->batch = batch_free(stream->batch);
    arena_deinit(&stream->arena);
    free(stream->statements);
    free(stream);
    return NULL;
}

void stream_add(struct stream *stream, uint16_t command, const struct batch_command *about) {
    batch_add(stream->batch, command, about);
}

bool stream_is_up(const struct stream *stream) {
    return database_is_up(stream->database);
}

const struct stream_counters *stream_count(struct stream *stream) {
    return &stream->counters;
}
