// SPDX-License-Identifier: Apache-2.0
// `valorize <command>`: finds the command and runs it.
#include "command.h"

#include "config.h"
#include "contract.h"

#include <stdio.h>
#include <string.h>

static const struct command commands[] = {
    {"up", "starts the system and keeps it running, in the foreground",
     "  --detach  returns when everything is ready\n"
     "  --status  prints the processes; exit code 0 when all are ready\n"
     "  --stop    ends a running system\n\n",
     up_command},
    {"migrate", "brings the database to the shape this build needs", "", migrate_command},
    {"top", "shows what goes through the brokers of a running system, anew each second",
     "  --once    prints one table after a second and ends, as it does where there is no terminal\n"
     "  --json    prints what the brokers tell, for programs\n\n",
     top_command},
    {"peers", "shows every session of every local broker",
     "  --json    prints them for programs\n\n", peers_command},
    {"restart", "restarts all processes, one after another, and no request fails",
     "  --rolling  brokers, then actors, then edges; each makes room when the last is ready "
     "again\n\n"
     "Ends at the first that does not come back. PostgreSQL, Redis and the supervisor go on; a "
     "new\n"
     "build's supervisor takes over with kill -9 and `valorize up`.\n\n",
     restart_command},
    {"drain", "NAME: one process finishes what it has and ends; a new one takes its place",
     "  --stay    none does; `valorize start NAME`, or a new supervisor, starts it\n\n",
     drain_command},
    {"start", "NAME: starts a process that was left down, or one more actor or edge",
     "One more than configured, e.g. query-3, serves until `valorize drain query-3 --stay` or the\n"
     "supervisor's end.\n\n",
     start_command},
    {"pause", "OPERATION: its requests get 503 with Retry-After, those that wait too",
     "The names are those of `operationId` in /api/openapi.json, and a few that have no route.\n"
     "Holds until `valorize resume`, also for brokers that start later; `valorize top` shows "
     "it.\n\n",
     pause_command},
    {"resume", "OPERATION: ends its pause", "", resume_command},
    {"inflight", "ID: where a request without an answer is; without an ID, the oldest ones",
     "  --json    prints them for programs\n\n"
     "The id is a trace's (X-Request-Id, where the client chose none) or a correlation.\n\n",
     inflight_command},
    {"trace", "ID: what all processes have logged of one request, in the order of time",
     "  --json    prints the lines as they stand in the logs\n\n"
     "The id is that of X-Request-Id, or of a traceparent.\n\n",
     trace_command},
    {"keys", "makes the keys with which processes of several machines know each other",
     "  --rotate ROLE  adds a new pair beside the old one, and says what to copy\n"
     "  --reload       running processes take their pair anew, one after another; no request "
     "fails\n\n",
     keys_command},
    {"warm-up", "fills the cache with what people look at first",
     "  --tenants N  only the N most recently active users; else all\n\n", warm_up_command},
};

static void usage_print(FILE *stream) {
    fprintf(stream, "Usage: valorize COMMAND [OPTION...]\n\n");
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        fprintf(stream, "  %-8s  %s\n", commands[i].name, commands[i].sentence);
    fprintf(stream, "\n`valorize COMMAND --help` lists its options and settings.\n");
}

static bool asks_for_help(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0)
            return true;
    }
    return false;
}

const char *command_data(int argc, char **argv) {
    static const struct setting setting = {
        "VALORIZE_DATA", SETTING_TEXT, 1, 255, ".valorize", "folder of the running system", 0};
    const char *data;
    config_read(&setting, 1, &data, argc, argv);
    return data;
}

int command_refuse(const char *command, const char *sentence) {
    fprintf(stderr, "valorize %s: %s\n", command, sentence);
    return EXIT_REFUSED;
}

int command_fail(const char *command, const char *sentence) {
    fprintf(stderr, "valorize %s: %s\n", command, sentence);
    return EXIT_FAILED;
}

int main(int argc, char **argv) {
    const char *name = argc > 1 ? argv[1] : "";
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        if (strcmp(commands[i].name, name) != 0)
            continue;
        if (asks_for_help(argc - 1, argv + 1)) {
            printf("valorize %s: %s.\n\n%s", name, commands[i].sentence, commands[i].options);
        }
        return commands[i].run(argc - 1, argv + 1);
    }
    bool help = strcmp(name, "--help") == 0;
    if (!help && name[0] != '\0')
        fprintf(stderr, "valorize: there is no command \"%s\".\n\n", name);
    usage_print(help ? stdout : stderr);
    return help ? EXIT_DONE : EXIT_REFUSED;
}
