// SPDX-License-Identifier: Apache-2.0
// A stream of open_loop: what is due when, its connections, and what became of each request.
//
// Single-threaded; nothing blocks. The owner waits on load->epoll, whose events carry a connection
// (or NULL, which is its own), and calls stream_due on each point of the grid.
#pragma once
#include "http_answer.h"
#include "record.h"
#include "request_file.h"
#include "stream_options.h"

#include <netinet/in.h>
#include <stdio.h>

enum {
    STREAMS_MAX = 64,
    CONNECTIONS_MAX = 8192, // of all streams
    REQUESTS_MAX = 1 << 20, // due and not ended; then they are given up at once
    GRID_US = 1000,
    STATUSES = 600,
};

struct request {
    struct record record;
    struct request *next;
    uint64_t at_us; // of a repeat
};

struct queue {
    struct request *first, *last;
};

struct connection {
    struct stream *stream;
    struct request *request; // NULL: idle
    int descriptor; // -1: closed
    char *out; // the request's text
    uint32_t out_length, out_sent;
    uint64_t sent_us; // this time
    char *in;
    uint32_t in_length, in_size;
};

struct stack {
    struct connection **items;
    uint32_t count;
};

struct stream {
    struct stream_options options;
    struct load *load;
    struct request_file file;
    struct connection *connections;
    struct stack open, closed; // connections without a request; an open one is taken first
    struct queue waiting; // due, no connection free
    struct queue silent, refused; // to be repeated, in order of time
    uint64_t number; // of the next request
    uint64_t from_us, to_us;
    uint64_t grid_us; // next due
    uint64_t under_way; // requests not ended
    uint64_t statuses[STATUSES];
    uint64_t troubles[TROUBLES];
};

struct load {
    struct sockaddr_in address;
    bool stopping; // nothing more is due
    struct stream streams[STREAMS_MAX];
    uint32_t stream_count;
    struct request *requests; // REQUESTS_MAX, touched as far as used
    struct request *free;
    uint32_t used;
    int epoll;
    FILE *records;
    uint64_t chance; // state of the random source
    uint64_t began_us, behind_us_max;
};

// options are filled and the file is read.
void stream_init(struct stream *stream, struct load *load);
void stream_deinit(struct stream *stream);

void stream_start(struct stream *stream, uint64_t began_us);

// Sends what an open loop owes until now, what a closed one has connections for, and repeats.
void stream_due(struct stream *stream, uint64_t now_us);

// Gives up what has waited for too long. A few times a second.
void stream_sweep(struct stream *stream, uint64_t now_us);

// Nothing will be due any more, and all has ended.
bool stream_is_done(const struct stream *stream, uint64_t now_us);

void connection_ready(struct connection *connection, uint32_t events);
