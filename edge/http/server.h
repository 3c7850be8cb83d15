// SPDX-License-Identifier: Apache-2.0
// The HTTP edge: what happens between a request and its answer. Finds the operation, resolves the
// token, checks and packs the fields, sends one message over the bus, turns the reply into HTTP.
// It never sees SQL. Of replies it reads a failure and what a token stands for; a document it
// hands on as it is, expanded where it came compressed.
#pragma once
#include "collector.h"
#include "loop.h"
#include "rate.h"
#include "session.h"

struct server;

struct server_options {
    struct loop *loop;
    int listener; // owned by the server
    uint32_t connections_max;
    struct rate_table *rates; // outlives the server; NULL: no limit a token
    bool testing; // testing operations exist
    bool access_log; // a line a request at DEBUG
    uint64_t seed; // of trace ids: they need to be different, not secret
    int64_t (*wall_us)(void);
    struct collector *collector; // of spans; borrowed; NULL: there is none
};

struct server *server_new(const struct server_options *options); // NULL when memory is short
struct server *server_free(struct server *server); // accepts NULL, returns NULL

// Must be called once before the loop runs: the session has the server's callbacks.
void server_attach(struct server *server, struct session *session);

// The callbacks of its session; context is the server.
void server_on_answer(void *context, void *request, const struct answer *answer);
void server_on_event(void *context, const struct envelope *envelope, struct text body);
void server_on_missed(void *context);

// No further connections, every answer closes its own.
void server_drain(struct server *server);
bool server_quiet(const struct server *server); // no connection is left

void server_metrics(const struct server *server, struct metrics *metrics);
