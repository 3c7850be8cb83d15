// SPDX-License-Identifier: Apache-2.0
// valorize-command: carries out writes, in batches, in PostgreSQL.
#include "clock.h"
#include "digest.h"
#include "housekeeping.h"
#include "process.h"
#include "writer.h"

#include <stdio.h>

struct command_config {
    struct process_config base;
    const char *database_url;
    const char *redis_url;
    const char *operations;
};

static const struct setting settings[] = {
    PROCESS_SETTINGS(struct command_config, base, "command-1"),
    {"DATABASE_URL", SETTING_TEXT, 1, 4000, NULL, "the PostgreSQL database",
     offsetof(struct command_config, database_url)},
    {"REDIS_URL", SETTING_TEXT, 0, 4000, "", "the Redis cache; empty: none",
     offsetof(struct command_config, redis_url)},
    {"VALORIZE_OPERATIONS", SETTING_TEXT, 0, 16384, "",
     "comma list of the operations to serve; empty: all writes",
     offsetof(struct command_config, operations)},
};

struct parts {
    struct loop *loop;
    struct served served;
    struct writer *writer;
    struct housekeeping *housekeeping;
};

static void command_deliver(void *context, const struct delivery *delivery) {
    writer_deliver(context, delivery);
}

static bool command_ready(void *context) {
    return writer_ready(context);
}

static void command_metrics(void *context, struct metrics *metrics) {
    writer_metrics(context, metrics);
}

// False after a sentence on stderr.
static bool parts_open(struct parts *parts, const struct command_config *config) {
    char sentence[512] = "";
    uint64_t seed;
    digest_random(&seed, sizeof seed);
    parts->loop = loop_new();
    parts->writer = writer_new(parts->loop,
                               &(struct writer_options){
                                   .served = &parts->served,
                                   .name = config->base.name,
                                   .database_url = config->database_url,
                                   .redis_url = config->redis_url,
                                   .seed = seed,
                                   .wall_us = clock_wall_us,
                                   .random = digest_random,
                               },
                               sentence, sizeof sentence);
    if (parts->writer != NULL)
        parts->housekeeping = housekeeping_new(parts->loop, config->database_url, config->base.name,
                                               seed, sentence, sizeof sentence);
    if (parts->housekeeping == NULL)
        fprintf(stderr, "%s.\n", sentence);
    return parts->housekeeping != NULL;
}

static int parts_run(struct parts *parts, const struct command_config *config) {
    struct process *process = process_new(parts->loop, &(struct process_options){
                                                           .config = &config->base,
                                                           .role = ROLE_COMMAND,
                                                           .operations = parts->served.operations,
                                                           .operation_count = parts->served.count,
                                                           .window = WINDOW_COMMAND,
                                                           .listener = -1,
                                                           .context = parts->writer,
                                                           .on_delivery = command_deliver,
                                                           .ready = command_ready,
                                                           .metrics = command_metrics,
                                                       });
    if (process == NULL)
        return 1;
    writer_attach(parts->writer, process_session(process));
    int code = process_run(process);
    process_free(process);
    return code;
}

int main(int argument_count, char **arguments) {
    struct command_config config;
    struct parts parts = {0};
    char sentence[256];
    config_read(settings, COUNT_OF(settings), &config, argument_count, arguments);
    process_prepare(&config.base);
    if (!served_init(&parts.served, config.operations, sentence, sizeof sentence)) {
        fprintf(stderr, "%s.\n", sentence);
        served_deinit(&parts.served);
        return 2;
    }
    int code = parts_open(&parts, &config) ? parts_run(&parts, &config) : 1;
    housekeeping_free(parts.housekeeping);
    writer_free(parts.writer);
    loop_free(parts.loop);
    served_deinit(&parts.served);
    return code;
}
