// SPDX-License-Identifier: Apache-2.0
#include "redis.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { END_MS = 5000, PRESS_MS = 1000 };

static bool program_find(char ret_program[SERVERS_PATH_BYTES]) {
    static const char *const folders[] = {"/usr/bin", "/usr/local/bin", "/bin"};
    for (size_t i = 0; i < COUNT_OF(folders); i++) {
        (void)snprintf(ret_program, SERVERS_PATH_BYTES, "%s/redis-server", folders[i]); // fits
        if (access(ret_program, X_OK) == 0)
            return true;
    }
    return false;
}

bool redis_find(struct redis *redis, const struct servers *servers, char *ret_sentence,
                size_t size) {
    *redis = (struct redis){.servers = servers};
    servers_path(servers, "redis", redis->data);
    servers_path(servers, REDIS_SOCKET, redis->socket);
    (void)snprintf(redis->url, sizeof redis->url, "unix://%s", redis->socket); // fits
    if (program_find(redis->program))
        return true;
    (void)snprintf(ret_sentence, size,
                   "Redis's server is not installed. ./up installs it; or set REDIS_URL.");
    return false;
}

void redis_describe(const struct redis *redis, struct program *program) {
    const char *const arguments[] = {
        redis->program,
        "--port",
        "0",
        "--unixsocket",
        redis->socket,
        "--unixsocketperm",
        "700",
        "--save",
        "",
        "--appendonly",
        "no",
        "--maxmemory",
        "256mb",
        "--dir",
        redis->data,
        "--maxmemory-policy",
        "allkeys-lru",
        "--daemonize",
        "no",
        "--logfile",
        "",
    };
    for (size_t i = 0; i < COUNT_OF(arguments); i++)
        program_add_argument(program, arguments[i]);
    program_add_environment(program);
    program->identity = redis->servers->identity;
}

static enum child_state redis_hear(struct text answer) {
    return answer.length >= 5 && memcmp(answer.bytes, "+PONG", 5) == 0 ? CHILD_READY
                                                                       : CHILD_STARTING;
}

const struct child_kind redis_kind = {
    .question = {TEXT("PING\r\n"), ANSWER_LINE},
    .gone_ms = GONE_MS,
    .hear = redis_hear,
    .end_signal = SIGTERM,
    .press_signal = SIGKILL,
    .end_ms = END_MS,
    .press_ms = PRESS_MS,
};
