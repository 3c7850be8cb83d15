// SPDX-License-Identifier: Apache-2.0
// valorize-query: answers reads, from Redis or PostgreSQL.
#include "digest.h"
#include "process.h"
#include "reader.h"

#include <stdio.h>

struct query_config {
    struct process_config base;
    const char *database_url;
    const char *redis_url;
    const char *operations;
};

static const struct setting settings[] = {
    PROCESS_SETTINGS(struct query_config, base, "query-1"),
    {"DATABASE_URL", SETTING_TEXT, 1, 4000, NULL, "the PostgreSQL database",
     offsetof(struct query_config, database_url)},
    {"REDIS_URL", SETTING_TEXT, 0, 4000, "", "the Redis cache; empty: none",
     offsetof(struct query_config, redis_url)},
    {"VALORIZE_OPERATIONS", SETTING_TEXT, 0, 16384, "",
     "comma list of the operations to serve; empty: all reads",
     offsetof(struct query_config, operations)},
};

static void query_deliver(void *context, const struct delivery *delivery) {
    reader_deliver(context, delivery);
}

static void query_cancel(void *context, uint64_t session, uint64_t correlation) {
    reader_cancel(context, session, correlation);
}

static void query_event(void *context, const struct envelope *envelope, struct text body) {
    (void)body;
    reader_event(context, envelope);
}

static void query_missed(void *context) {
    reader_missed(context);
}

static bool query_ready(void *context) {
    return reader_ready(context);
}

static void query_metrics(void *context, struct metrics *metrics) {
    reader_metrics(context, metrics);
}

static struct reader *query_open(struct loop *loop, const struct query_config *config,
                                 const struct served *served) {
    uint64_t seed;
    digest_random(&seed, sizeof seed);
    char sentence[512] = "";
    struct reader *reader = reader_new(loop,
                                       &(struct reader_options){
                                           .served = served,
                                           .name = config->base.name,
                                           .database_url = config->database_url,
                                           .redis_url = config->redis_url,
                                           .seed = seed,
                                       },
                                       sentence, sizeof sentence);
    if (reader == NULL)
        fprintf(stderr, "%s.\n", sentence);
    return reader;
}

static int query_run(struct loop *loop, struct reader *reader, const struct query_config *config,
                     const struct served *served) {
    struct process *process = process_new(loop, &(struct process_options){
                                                    .config = &config->base,
                                                    .role = ROLE_QUERY,
                                                    .operations = served->operations,
                                                    .operation_count = served->count,
                                                    .window = WINDOW_QUERY,
                                                    .listener = -1,
                                                    .context = reader,
                                                    .on_delivery = query_deliver,
                                                    .on_cancel = query_cancel,
                                                    .on_event = query_event,
                                                    .on_missed = query_missed,
                                                    .ready = query_ready,
                                                    .metrics = query_metrics,
                                                });
    if (process == NULL)
        return 1;
    reader_attach(reader, process_session(process));
    int code = process_run(process);
    process_free(process);
    reader_leave(reader);
    return code;
}

int main(int argument_count, char **arguments) {
    struct query_config config;
    struct served served;
    char sentence[256];
    config_read(settings, COUNT_OF(settings), &config, argument_count, arguments);
    process_prepare(&config.base);
    if (!served_init(&served, config.operations, sentence, sizeof sentence)) {
        fprintf(stderr, "%s.\n", sentence);
        served_deinit(&served);
        return 2;
    }
    struct loop *loop = loop_new();
    struct reader *reader = query_open(loop, &config, &served);
    int code = reader == NULL ? 1 : query_run(loop, reader, &config, &served);
    reader_free(reader);
    loop_free(loop);
    served_deinit(&served);
    return code;
}
