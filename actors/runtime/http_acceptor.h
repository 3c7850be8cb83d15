// SPDX-License-Identifier: Apache-2.0
// Takes connections from a listening socket while there is room for them; those it does not take
// wait in the listen queue. Several processes may share the socket: a connection wakes one of
// them, in turn, and never one without room. Where the system itself is short of descriptors or
// memory it tries again a little later.
#pragma once
#include "loop.h"

#include <sys/socket.h>

struct http_acceptor {
    struct loop *loop;
    int listener; // non-blocking
    void *context;
    bool (*has_room)(void *context);
    // Non-blocking, the callee's.
    void (*take)(void *context, int descriptor, const struct sockaddr *address, socklen_t length);
    // its own
    struct watch watch;
    struct timer timer;
    bool waiting; // the listener is watched
    bool ended;
};

// The owner has filled the first part.
void http_acceptor_begin(struct http_acceptor *acceptor);
void http_acceptor_look(struct http_acceptor *acceptor); // there may be room again
void http_acceptor_leave(struct http_acceptor *acceptor); // takes what waits, then as below
void http_acceptor_end(struct http_acceptor *acceptor); // for good; the listener stays open
