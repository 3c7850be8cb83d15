// SPDX-License-Identifier: Apache-2.0
#include "http_acceptor.h"

#include <errno.h>
#include <sys/epoll.h>

enum {
    ACCEPTS_IN_A_TURN_MAX = 64, // the rest a turn later
    AGAIN_MS = 100, // after the system was short of what a connection needs
};

static void acceptor_pause(struct http_acceptor *acceptor) {
    if (acceptor->waiting)
        loop_unwatch(acceptor->loop, &acceptor->watch);
    acceptor->waiting = false;
}

static bool system_is_short(int error) {
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static void acceptor_ready(struct watch *watch, uint32_t epoll_events, uint64_t now_us) {
    struct http_acceptor *acceptor = CONTAINER_OF(watch, struct http_acceptor, watch);
    (void)epoll_events;
    for (int i = 0; i < ACCEPTS_IN_A_TURN_MAX; i++) {
        if (!acceptor->has_room(acceptor->context)) {
            acceptor_pause(acceptor);
            return;
        }
        struct sockaddr_storage storage;
        struct sockaddr *address = (struct sockaddr *)&storage;
        socklen_t length = sizeof storage;
        int descriptor = accept4(watch->descriptor, address, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (descriptor < 0 && system_is_short(errno)) {
            acceptor_pause(acceptor);
            loop_timer_set(acceptor->loop, &acceptor->timer, now_us + AGAIN_MS * 1000);
        }
        if (descriptor < 0)
            return;
        acceptor->take(acceptor->context, descriptor, address, length);
    }
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
    if (acceptor->waiting || acceptor->ended)
        return;
    loop_watch(acceptor->loop, &acceptor->watch, EPOLLIN);
    acceptor->waiting = true;
}

void http_acceptor_end(struct http_acceptor *acceptor) {
    acceptor_pause(acceptor);
    loop_timer_clear(acceptor->loop, &acceptor->timer);
    acceptor->ended = true;
}
