// SPDX-License-Identifier: Apache-2.0
// The private PostgreSQL: on one unix socket, durable (fsync and synchronous_commit are on, as they
// are by default), sized for a small machine.
#pragma once
#include "child.h"
#include "servers.h"

#define POSTGRES_SOCKET "run/.s.PGSQL.5432" // in the servers' folder

struct postgres {
    const struct servers *servers;
    char programs[64]; // folder of PostgreSQL's programs
    char program[80]; // the server
    char data[SERVERS_PATH_BYTES];
    char socket_folder[SERVERS_PATH_BYTES];
    char socket[SERVERS_PATH_BYTES];
    char url[SERVERS_URL_BYTES];
    // What describe needs room for.
    char folders_setting[SERVERS_PATH_BYTES + 64];
    char connections_setting[64];
};

// Finds the programs that fit the data, or the newest. False: the sentence says what to do.
MUST_USE bool postgres_find(struct postgres *postgres, const struct servers *servers,
                            uint32_t connections, char *ret_sentence, size_t size);

bool postgres_has_data(const struct postgres *postgres);

// The run of a task with the servers' identity; argument: the struct postgres. Blocks for a second.
bool postgres_make_data(void *argument, char *ret_sentence, size_t size);

void postgres_describe(const struct postgres *postgres, struct program *program);

// Its child's folder is the data.
extern const struct child_kind postgres_kind;
