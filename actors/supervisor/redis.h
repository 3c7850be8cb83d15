// SPDX-License-Identifier: Apache-2.0
// The private Redis: a cache on one unix socket that writes nothing to disk. It may be killed at
// any time, so it is, like our own processes, when it gives no sign of life.
#pragma once
#include "child.h"
#include "servers.h"

#define REDIS_SOCKET "run/redis.sock" // in the servers' folder

struct redis {
    const struct servers *servers;
    char program[SERVERS_PATH_BYTES];
    char data[SERVERS_PATH_BYTES];
    char socket[SERVERS_PATH_BYTES];
    char url[SERVERS_URL_BYTES];
};

MUST_USE bool redis_find(struct redis *redis, const struct servers *servers, char *ret_sentence,
                         size_t size);

void redis_describe(const struct redis *redis, struct program *program);

extern const struct child_kind redis_kind;
