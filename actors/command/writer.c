// SPDX-License-Identifier: Apache-2.0
#include "writer.h"

#include "cache.h"
#include "format.h"
#include "job.h"
#include "log.h"
#include "operations.h"
#include "outcome.h"
#include "stream.h"

enum {
    NONE = UINT16_MAX,
    REQUEST_ARENA_BYTES = 192 << 10, // a body of HTTP_BODY_BYTES_MAX, decoded, bound, its outcome
    REPLY_ARENA_BYTES = 256 << 10,
    STREAMS_MAX = 3, // one, and two for heavy use cases where there are any
};

enum command_state {
    COMMAND_FREE,
    COMMAND_IN_HAND, // of its stream
    COMMAND_COMMITTED, // waits until its tenant's pages are invalidated
};

struct command {
    struct job job;
    enum command_state state;
    uint16_t next; // free, or committed together
    struct outcome outcome;
    struct database_result *result; // the outcome's cells point into it
};

struct writer {
    struct writer_options options;
    struct loop *loop;
    struct session *session;
    struct cache *cache; // NULL: none is configured
    struct stream *streams[STREAMS_MAX];
    uint32_t stream_count;
    uint32_t last_heavy; // of streams, in turn
    struct arena arena; // of the reply being made
    struct command commands[COMMANDS_IN_HAND_MAX];
    uint16_t first_free;
    struct failure failure;
    uint64_t command_count, conflict_count, replay_count, unconfirmed_count;
};

static uint16_t command_number(const struct writer *writer, const struct command *command) {
    return (uint16_t)(command - writer->commands);
}

// --- ends ----------------------------------------------------------------------------------------

static void command_free(struct writer *writer, struct command *command) {
    command->result = database_result_free(command->result);
    command->state = COMMAND_FREE;
    command->next = writer->first_free;
    writer->first_free = command_number(writer, command);
}

static void command_refuse(struct writer *writer, struct command *command, enum status status) {
    arena_reset(&writer->arena);
    job_refuse(&command->job, writer->session, status, &writer->failure, &writer->arena,
               loop_now_us(writer->loop));
    command_free(writer, command);
}

// The record of a release whose reply had other columns: it cannot be said again.
static bool command_is_estranged(const struct command *command) {
    const struct outcome *outcome = &command->outcome;
    const struct message *reply = command->job.handler->operation->reply;
    return outcome->replayed && outcome->rows.count == 1 && reply != NULL &&
           outcome->rows.columns != reply->column_count;
}

static void command_answer(struct writer *writer, struct command *command) {
    const struct outcome *outcome = &command->outcome;
    const struct result result = {.outcome = outcome->word, .rows = {outcome->rows}};
    struct text json = {0};
    enum status status = STATUS_INVALID;
    arena_reset(&writer->arena);
    if (text_equal(outcome->word, TEXT("key_reused"))) {
        failure_reset(&writer->failure);
        failure_add(&writer->failure, TEXT("Idempotency-Key"),
                    TEXT("The Idempotency-Key was used with another request."));
    } else if (command_is_estranged(command)) {
        status = STATUS_ANSWER_GONE;
    } else {
        status = job_render(&command->job, &result, &writer->arena, &writer->failure, &json);
    }
    if (status == STATUS_INTERNAL)
        log_line(LOG_ERROR, command->job.trace, "A reply does not fit its schema.", "operation",
                 command->job.handler->operation->name, NULL);
    if (status != STATUS_OK) {
        command_refuse(writer, command, status);
        return;
    }
    writer->replay_count += outcome->replayed;
    command->job.version = outcome->version;
    if (outcome->replayed && !command->job.caller.internal)
        command->job.flags |= REPLY_REPLAYED;
    job_reply(&command->job, writer->session, json, loop_now_us(writer->loop));
    command_free(writer, command);
}

static void chain_answer(struct writer *writer, uint16_t first) {
    for (uint16_t number = first, next; number != NONE; number = next) {
        next = writer->commands[number].next;
        command_answer(writer, &writer->commands[number]);
    }
}

// --- after the commit ----------------------------------------------------------------------------

// A result that has no such shape is a bug of the statement; its effect stands all the same.
static void command_read_outcome(struct command *command) {
    if (outcome_read(command->result, &command->job.arena, &command->outcome))
        return;
    log_line(LOG_ERROR, command->job.trace, "A command's statement returned no outcome.",
             "operation", command->job.handler->operation->name, NULL);
    command->outcome = (struct outcome){.word = TEXT("internal")};
}

static bool command_had_effect(const struct command *command) {
    return text_equal(command->outcome.word, TEXT("ok"));
}

// Tenants of a chain that changed, each once: members of a batch come sorted by tenant. A repeat
// counts too, since what its first run had invalidated is not known here.
static uint32_t chain_changed_tenants(const struct writer *writer, uint16_t first,
                                      struct uuid tenants[BATCH_MEMBERS_MAX]) {
    uint32_t count = 0;
    for (uint16_t number = first; number != NONE; number = writer->commands[number].next) {
        const struct command *command = &writer->commands[number];
        const struct uuid tenant = command->job.caller.tenant;
        if (command_had_effect(command) && (count == 0 || !uuid_equal(tenants[count - 1], tenant)))
            tenants[count++] = tenant;
    }
    return count;
}

static void stream_commits(void *context, const uint16_t *commands, uint32_t count,
                           struct database_result *const *results, uint64_t sent_us) {
    struct writer *writer = context;
    bool news = false;
    for (uint32_t i = 0; i < count; i++) {
        struct command *command = &writer->commands[commands[i]];
        command->state = COMMAND_COMMITTED;
        command->next = i + 1 < count ? commands[i + 1] : NONE;
        command->result = results[i];
        command->job.begun_us = sent_us;
        command->job.done_us = loop_now_us(writer->loop);
        command_read_outcome(command);
        news |= command_had_effect(command) && !command->outcome.replayed;
    }
    if (news)
        session_publish(writer->session, EVENT_OUTBOX_READY, (struct uuid){{0}}, TEXT(""), false);
    struct uuid tenants[BATCH_MEMBERS_MAX];
    uint32_t changed = chain_changed_tenants(writer, commands[0], tenants);
    if (changed > 0 && writer->cache != NULL)
        cache_invalidate(writer->cache, tenants, changed, commands[0]);
    else
        chain_answer(writer, commands[0]);
}

static void cache_invalidated(void *context, uint32_t tag, bool confirmed) {
    struct writer *writer = context;
    struct uuid tenants[BATCH_MEMBERS_MAX];
    uint32_t count = chain_changed_tenants(writer, (uint16_t)tag, tenants);
    for (uint32_t i = 0; i < count && !confirmed; i++) {
        writer->unconfirmed_count++;
        cache_owe(writer->cache, tenants[i]);
        session_publish(writer->session, EVENT_CACHE_BYPASS, tenants[i], TEXT(""), true);
    }
    chain_answer(writer, (uint16_t)tag);
}

static void cache_answers(void *context, uint32_t tag, const struct cache_answer *answer) {
    (void)context;
    (void)tag;
    (void)answer;
    UNREACHABLE(); // commands read nothing from the cache
}

// --- what a stream asks and tells ----------------------------------------------------------------

static const struct bound *stream_asks_bound(void *context, uint16_t number) {
    const struct writer *writer = context;
    return &writer->commands[number].job.binding.bound[0];
}

static bool stream_asks_stale(void *context, uint16_t number) {
    const struct writer *writer = context;
    return session_is_stale(writer->session, &writer->commands[number].job.address);
}

static void command_log_error(const struct command *command, const struct database_error *error) {
    char tenant[UUID_TEXT_BYTES + 1];
    tenant[uuid_write(command->job.caller.tenant, tenant)] = '\0';
    log_line(LOG_ERROR, command->job.trace, "A command failed in PostgreSQL.", "operation",
             command->job.handler->operation->name, "tenant", tenant, "state", error->state,
             "error", error->message, NULL);
}

static void stream_ends(void *context, uint16_t number, enum status status,
                        const struct database_error *error) {
    struct writer *writer = context;
    struct command *command = &writer->commands[number];
    if (error != NULL)
        command_log_error(command, error);
    command_refuse(writer, command, status);
}

static void says_trouble(void *context, const char *sentence) {
    (void)context;
    log_line(LOG_WARNING, NULL, sentence, NULL);
}

// --- deliveries ----------------------------------------------------------------------------------

static struct command *writer_take(struct writer *writer) {
    if (writer->first_free == NONE)
        return NULL;
    struct command *command = &writer->commands[writer->first_free];
    writer->first_free = command->next;
    command->next = NONE;
    return command;
}

// A client that repeats itself while the first is under way. The same request sent again by its
// edge is none: it waits for the lock behind the first and gets its reply.
static bool writer_has_key(const struct writer *writer, const struct delivery *delivery) {
    const struct envelope *envelope = &delivery->envelope;
    if ((envelope->flags & FLAG_CLIENT_KEY) == 0)
        return false;
    for (uint32_t i = 0; i < COMMANDS_IN_HAND_MAX; i++) {
        const struct job *job = &writer->commands[i].job;
        bool same_request = job->address.session == envelope->session &&
                            job->address.correlation == envelope->correlation;
        if (writer->commands[i].state != COMMAND_FREE && !same_request &&
            job->handler->operation->number == envelope->operation &&
            memcmp(job->caller.key, envelope->key, sizeof envelope->key) == 0 &&
            uuid_equal(job->address.tenant, envelope->tenant))
            return true;
    }
    return false;
}

static struct stream *writer_choose_stream(struct writer *writer, const struct handler *handler) {
    if (!handler->operation->heavy)
        return writer->streams[0];
    writer->last_heavy = writer->last_heavy + 1 < writer->stream_count ? writer->last_heavy + 1 : 1;
    return writer->streams[writer->last_heavy];
}

static uint32_t bound_bytes(const struct bound *bound) {
    uint32_t bytes = 0;
    for (uint32_t i = 0; i < bound->count; i++)
        bytes += bound->values[i].length;
    return bytes;
}

static void command_begin(struct writer *writer, struct command *command,
                          const struct handler *handler, const struct delivery *delivery,
                          const struct return_address *address) {
    struct job *job = &command->job;
    job->caller.now_us = writer->options.wall_us();
    writer->options.random(job->caller.random, sizeof job->caller.random);
    enum status status = job_begin(job, handler, delivery, address, &writer->failure);
    if (status != STATUS_OK) {
        command_refuse(writer, command, status);
        return;
    }
    ASSERT(job->binding.count == 1); // a command is one statement
    command->state = COMMAND_IN_HAND;
    const struct batch_command about = {
        .tenant = job->caller.tenant,
        .solitary = !handler->operation->authenticated,
        .bytes = bound_bytes(&job->binding.bound[0]),
        .deadline_us = job->deadline_us,
    };
    stream_add(writer_choose_stream(writer, handler), command_number(writer, command), &about);
}

void writer_deliver(struct writer *writer, const struct delivery *delivery) {
    const struct handler *handler =
        served_find(writer->options.served, delivery->envelope.operation);
    const struct return_address address = session_return_address(delivery);
    writer->command_count++;
    if (handler == NULL) {
        session_refuse(writer->session, &address, STATUS_UNAVAILABLE);
        return;
    }
    if (writer_has_key(writer, delivery)) {
        writer->conflict_count++;
        session_refuse(writer->session, &address, STATUS_CONFLICT);
        return;
    }
    struct command *command = writer_take(writer);
    if (command == NULL)
        session_refuse(writer->session, &address, STATUS_BUSY);
    else
        command_begin(writer, command, handler, delivery, &address);
}

// --- life ----------------------------------------------------------------------------------------

static bool writer_open_streams(struct writer *writer, char *ret_sentence, size_t sentence_size) {
    const struct writer_options *options = &writer->options;
    uint32_t wanted = options->served->heavy ? STREAMS_MAX : 1;
    while (writer->stream_count < wanted) {
        struct stream *stream =
            stream_new(writer->loop,
                       &(struct stream_options){
                           .url = options->database_url,
                           .name = options->name,
                           .statements = options->served->statements,
                           .statement_count = options->served->statement_count,
                           .statement_timeout_ms = options->served->budget_ms_max,
                           .begin_ms = writer->stream_count * DATABASE_APART_MS,
                           .seed = options->seed + writer->stream_count,
                           .context = writer,
                           .bound = stream_asks_bound,
                           .stale = stream_asks_stale,
                           .on_committed = stream_commits,
                           .on_ended = stream_ends,
                           .on_trouble = says_trouble,
                           .on_refused = database_end_process,
                       },
                       ret_sentence, sentence_size);
        if (stream == NULL)
            return false;
        writer->streams[writer->stream_count++] = stream;
    }
    return true;
}

static bool writer_open_cache(struct writer *writer, char *ret_sentence, size_t sentence_size) {
    if (writer->options.redis_url[0] == '\0')
        return true;
    writer->cache = cache_new(writer->loop,
                              &(struct cache_options){
                                  .url = writer->options.redis_url,
                                  .name = writer->options.name,
                                  .seed = writer->options.seed | 1,
                                  .context = writer,
                                  .on_answer = cache_answers,
                                  .on_invalidated = cache_invalidated,
                                  .on_trouble = says_trouble,
                              },
                              ret_sentence, sentence_size);
    return writer->cache != NULL;
}

struct writer *writer_new(struct loop *loop, const struct writer_options *options,
                          char *ret_sentence, size_t sentence_size) {
    struct writer *writer = calloc(1, sizeof *writer);
    ASSERT(writer != NULL);
    writer->options = *options;
    writer->loop = loop;
    arena_init(&writer->arena, REPLY_ARENA_BYTES);
    writer->first_free = NONE;
    for (uint32_t i = COMMANDS_IN_HAND_MAX; i-- > 0;) {
        job_init(&writer->commands[i].job, REQUEST_ARENA_BYTES);
        command_free(writer, &writer->commands[i]);
    }
    bool open = writer_open_streams(writer, ret_sentence, sentence_size) &&
                writer_open_cache(writer, ret_sentence, sentence_size);
    return open ? writer : writer_free(writer);
}

struct writer *writer_free(struct writer *writer) {
    if (writer == NULL)
        return NULL;
    for (uint32_t i = 0; i < writer->stream_count; i++)
        writer->streams[i] = stream_free(writer->streams[i]);
    writer->cache = cache_free(writer->cache);
    for (uint32_t i = 0; i < COMMANDS_IN_HAND_MAX; i++) {
        database_result_free(writer->commands[i].result);
        job_deinit(&writer->commands[i].job);
    }
    arena_deinit(&writer->arena);
    free(writer);
    return NULL;
}

void writer_attach(struct writer *writer, struct session *session) {
    writer->session = session;
}

bool writer_ready(const struct writer *writer) {
    return stream_is_up(writer->streams[0]);
}

static void stream_metrics(struct stream *stream, uint32_t number, struct metrics *metrics) {
    static const char *const labels[STREAMS_MAX] = {"stream=\"shared\"", "stream=\"heavy-1\"",
                                                    "stream=\"heavy-2\""};
    const struct stream_counters *counters = stream_count(stream);
    metrics_counter(metrics, "valorize_batches_total", "Transactions committed.", labels[number],
                    counters->batches);
    metrics_counter(metrics, "valorize_batch_members_total", "Commands in them.", labels[number],
                    counters->members);
    metrics_counter(metrics, "valorize_batch_failures_total", "Batches rolled back.",
                    labels[number], counters->failures);
    metrics_counter(metrics, "valorize_batch_isolations_total",
                    "Tenants that went alone after a failed command.", labels[number],
                    counters->isolations);
    metrics_histogram(metrics, "valorize_batch_seconds", "From a batch's sending to its commit.",
                      labels[number], &counters->times);
}

void writer_metrics(const struct writer *writer, struct metrics *metrics) {
    metrics_counter(metrics, "valorize_commands_total", "Commands delivered.", NULL,
                    writer->command_count);
    metrics_counter(metrics, "valorize_commands_replayed_total",
                    "Repeats answered with the recorded reply.", NULL, writer->replay_count);
    metrics_counter(metrics, "valorize_commands_conflict_total",
                    "Repeats refused while the first was in hand.", NULL, writer->conflict_count);
    metrics_counter(metrics, "valorize_invalidations_unconfirmed_total",
                    "Tenants without cache for a while, since Redis did not answer.", NULL,
                    writer->unconfirmed_count);
    for (uint32_t i = 0; i < writer->stream_count; i++)
        stream_metrics(writer->streams[i], i, metrics);
    if (writer->cache != NULL)
        cache_metrics(writer->cache, metrics);
}
