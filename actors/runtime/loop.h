// SPDX-License-Identifier: Apache-2.0
// The one event loop of a process: epoll, timers, and a hook that runs before each wait.
//
// A turn: wait; call the watches that are ready; call the timers that are due; then call every
// `drain` hook until none reports work (some rounds at most, then the others have a turn), and wait
// again. Timers are as fine as a millisecond. Hooks are where sockets without a plain
// level-triggered descriptor (ZeroMQ, libmicrohttpd) are emptied and where batches leave. A debug
// build aborts when a turn takes over 50 ms of CPU. No callback may block.
#pragma once
#include "contract.h"

struct loop;

struct watch { // embedded in its owner; found back with CONTAINER_OF
    int descriptor;
    void (*ready)(struct watch *watch, uint32_t epoll_events, uint64_t now_us);
};

struct timer { // embedded; inactive while due_us == 0
    uint64_t due_us;
    uint32_t heap_index;
    void (*fire)(struct timer *timer, uint64_t now_us);
};

struct drain { // embedded; linked into the loop's list
    bool (*run)(struct drain *drain, uint64_t now_us); // true: did something, call all again
    struct drain *next;
};

// Blocks SIGTERM and SIGINT, so it precedes every thread; a child to be started must unblock them.
struct loop *loop_new(void);
struct loop *loop_free(struct loop *loop); // accepts NULL, returns NULL

void loop_watch(struct loop *loop, struct watch *watch, uint32_t epoll_events);
void loop_rewatch(struct loop *loop, struct watch *watch, uint32_t epoll_events);
void loop_unwatch(struct loop *loop, struct watch *watch); // no event of it is delivered any more

void loop_timer_set(struct loop *loop, struct timer *timer, uint64_t due_us); // moves a set one
void loop_timer_clear(struct loop *loop, struct timer *timer);

void loop_add_drain(struct loop *loop, struct drain *drain); // called in order of adding
void loop_remove_drain(struct loop *loop, struct drain *drain); // not from inside a hook

uint64_t loop_now_us(const struct loop *loop); // of this turn

// Runs until loop_stop. SIGTERM and SIGINT call on_terminate once (a second one stops at once).
void loop_run(struct loop *loop, void (*on_terminate)(void *context), void *context);
void loop_stop(struct loop *loop);
