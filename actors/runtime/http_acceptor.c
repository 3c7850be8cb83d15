// SPDX-License-Identifier: Apache-2.0
#include "http_acceptor.h"

#include <errno.h>
#include <sys/epoll.h>

enum {
    ACCEPTS_IN_A_TURN_MAX = 64, // the rest a turn later
    AGAIN_MS = 100, // after the system was short of what a connection needs
};

static void acceptor_watch(struct http_acceptor *acceptor) {
    loop_watch(acceptor->loop, &acceptor->watch, EPOLLIN | EPOLLEXCLUSIVE);
    acceptor->waiting = true;
}

static void acceptor_pause(struct http_acceptor *acceptor) {
    if (acceptor->waiting)
        loop_unwatch(acceptor->loop, &acceptor->watch);
    acceptor->waiting = false;
}

static bool system_is_short(int error) {
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

// The errno of the accept that failed; 0 where none did.
static int acceptor_take_some(struct http_acceptor *acceptor) {
    for (int i = 0; i < ACCEPTS_IN_A_TURN_MAX && acceptor->has_room(acceptor->context); i++) {
        struct sockaddr_storage storage;
        struct sockaddr *address = (struct sockaddr *)&storage;
        socklen_t length = sizeof storage;
        int descriptor =
            accept4(acceptor->listener, address, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (descriptor < 0)
            return errno;
        acceptor->take(acceptor->context, descriptor, address, length);
    }
    return 0;
}

// A connection wakes the first process in the socket's line only (EPOLLEXCLUSIVE). So whoever was
// woken goes to the end of the line, or the first would get nearly all; who has no room leaves it,
// or the connection that woke him would wait for the next one. To join the line again tells of
// what waits already.
static void acceptor_ready(struct watch *watch, uint32_t epoll_events, uint64_t now_us) {
    struct http_acceptor *acceptor = CONTAINER_OF(watch, struct http_acceptor, watch);
    (void)epoll_events;
    int error = acceptor_take_some(acceptor);
    acceptor_pause(acceptor);
    if (system_is_short(error))
        loop_timer_set(acceptor->loop, &acceptor->timer, now_us + AGAIN_MS * 1000);
    else
        http_acceptor_look(acceptor);
}

static void acceptor_again(struct timer *timer, uint64_t now_us) {
    (void)now_us;
    http_acceptor_look(CONTAINER_OF(timer, struct http_acceptor, timer));
}

void http_acceptor_begin(struct http_acceptor *acceptor) {
    acceptor->watch = (struct watch){.descriptor = acceptor->listener, .ready = acceptor_ready};
    acceptor->timer.fire = acceptor_again;
    http_acceptor_look(acceptor);
}

void http_acceptor_look(struct http_acceptor *acceptor) {
    if (!acceptor->waiting && !acceptor->ended && acceptor->has_room(acceptor->context))
        acceptor_watch(acceptor);
}

// The others may not have been woken for what came just now.
void http_acceptor_leave(struct http_acceptor *acceptor) {
    if (acceptor->waiting)
        (void)acceptor_take_some(acceptor); // what is left after an error waits for the others
    http_acceptor_end(acceptor);
}

void http_acceptor_end(struct http_acceptor *acceptor) {
    acceptor_pause(acceptor);
    loop_timer_clear(acceptor->loop, &acceptor->timer);
    acceptor->ended = true;
}
