// SPDX-License-Identifier: Apache-2.0
#include "loop.h"

#include "clock.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum {
    EVENTS_MAX = 256, // taken from epoll at once; the rest comes in the next turn
    DRAIN_PASSES_MAX = 8, // of the hooks in one turn; then descriptors and timers have their turn
    DRAIN_US_MAX = 5000, // no further pass in a turn that has taken so long
    TIMERS_START = 256, // heap slots; doubled when full
    TURN_CPU_US_MAX = 50000, // debug builds abort above it
};

struct loop {
    int epoll;
    struct watch signals;
    sigset_t mask_before;
    struct epoll_event events[EVENTS_MAX];
    int event_next; // of the batch being delivered
    int event_count;
    struct timer **heap; // heap[0] unused, so that a clear timer has index 0
    uint32_t timer_count;
    uint32_t timer_capacity;
    struct drain *drains;
    uint64_t now_us;
    void (*on_terminate)(void *context);
    void *context;
    bool terminating;
    bool stopped;
};

// --- signals -----------------------------------------------------------------------------------

static void signals_ready(struct watch *watch, uint32_t epoll_events, uint64_t now_us) {
    struct loop *loop = CONTAINER_OF(watch, struct loop, signals);
    struct signalfd_siginfo signal;
    (void)epoll_events;
    (void)now_us;
    while (read(watch->descriptor, &signal, sizeof signal) == (ssize_t)sizeof signal) {
        if (loop->terminating || loop->on_terminate == NULL) {
            loop->stopped = true;
            continue;
        }
        loop->terminating = true;
        loop->on_terminate(loop->context);
    }
}

// --- making ------------------------------------------------------------------------------------

struct loop *loop_new(void) {
    struct loop *loop = calloc(1, sizeof *loop);
    ASSERT(loop != NULL);
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    ASSERT(loop->epoll >= 0);
    loop->timer_capacity = TIMERS_START;
    loop->heap = malloc(TIMERS_START * sizeof(struct timer *));
    ASSERT(loop->heap != NULL);
    loop->now_us = clock_monotonic_us();

    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGTERM);
    sigaddset(&mask, SIGINT);
    ASSERT(sigprocmask(SIG_BLOCK, &mask, &loop->mask_before) == 0);
    loop->signals = (struct watch){.ready = signals_ready};
    loop->signals.descriptor = signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
    ASSERT(loop->signals.descriptor >= 0);
    loop_watch(loop, &loop->signals, EPOLLIN);
    return loop;
}

struct loop *loop_free(struct loop *loop) {
    if (loop == NULL)
        return NULL;
    close(loop->signals.descriptor);
    close(loop->epoll);
    (void)sigprocmask(SIG_SETMASK, &loop->mask_before, NULL);
    free((void *)loop->heap);
    free(loop);
    return NULL;
}

// --- descriptors -------------------------------------------------------------------------------

static void loop_control(struct loop *loop, int how, struct watch *watch, uint32_t epoll_events) {
    struct epoll_event event = {.events = epoll_events, .data.ptr = watch};
    int result = epoll_ctl(loop->epoll, how, watch->descriptor, &event);
    ASSERT(result == 0);
}

void loop_watch(struct loop *loop, struct watch *watch, uint32_t epoll_events) {
    loop_control(loop, EPOLL_CTL_ADD, watch, epoll_events);
}

void loop_rewatch(struct loop *loop, struct watch *watch, uint32_t epoll_events) {
    loop_control(loop, EPOLL_CTL_MOD, watch, epoll_events);
}

void loop_unwatch(struct loop *loop, struct watch *watch) {
    loop_control(loop, EPOLL_CTL_DEL, watch, 0);
    for (int i = loop->event_next; i < loop->event_count; i++) {
        if (loop->events[i].data.ptr == watch)
            loop->events[i].data.ptr = NULL;
    }
}

// --- timers: a binary heap, heap[1] is due first -------------------------------------------------

static void heap_place(struct loop *loop, struct timer *timer, uint32_t index) {
    loop->heap[index] = timer;
    timer->heap_index = index;
}

static void heap_rise(struct loop *loop, struct timer *timer, uint32_t index) {
    while (index > 1 && loop->heap[index / 2]->due_us > timer->due_us) {
        heap_place(loop, loop->heap[index / 2], index);
        index /= 2;
    }
    heap_place(loop, timer, index);
}

static void heap_sink(struct loop *loop, struct timer *timer, uint32_t index) {
    for (uint32_t child = 2 * index; child <= loop->timer_count; child = 2 * index) {
        if (child < loop->timer_count && loop->heap[child + 1]->due_us < loop->heap[child]->due_us)
            child++;
        if (loop->heap[child]->due_us >= timer->due_us)
            break;
        heap_place(loop, loop->heap[child], index);
        index = child;
    }
    heap_place(loop, timer, index);
}

void loop_timer_set(struct loop *loop, struct timer *timer, uint64_t due_us) {
    ASSERT(due_us != 0);
    bool was_set = timer->due_us != 0;
    bool later = was_set && due_us > timer->due_us;
    timer->due_us = due_us;
    if (later) {
        heap_sink(loop, timer, timer->heap_index);
        return;
    }
    if (!was_set) {
        loop->timer_count++;
        if (loop->timer_count == loop->timer_capacity) {
            loop->timer_capacity *= 2;
            loop->heap = (struct timer **)realloc((void *)loop->heap,
                                                  loop->timer_capacity * sizeof(struct timer *));
            ASSERT(loop->heap != NULL);
        }
        timer->heap_index = loop->timer_count;
    }
    heap_rise(loop, timer, timer->heap_index);
}

void loop_timer_clear(struct loop *loop, struct timer *timer) {
    if (timer->due_us == 0)
        return;
    struct timer *last = loop->heap[loop->timer_count--];
    uint32_t index = timer->heap_index;
    timer->due_us = 0;
    timer->heap_index = 0;
    if (last == timer)
        return;
    if (index > 1 && loop->heap[index / 2]->due_us > last->due_us)
        heap_rise(loop, last, index);
    else
        heap_sink(loop, last, index);
}

// Timers set while firing wait for the next turn, also when they are due already.
static void loop_fire_timers(struct loop *loop) {
    for (uint32_t left = loop->timer_count; left > 0 && loop->timer_count > 0; left--) {
        struct timer *timer = loop->heap[1];
        if (timer->due_us > loop->now_us)
            return;
        loop_timer_clear(loop, timer);
        timer->fire(timer, loop->now_us);
    }
}

// --- hooks and turns ---------------------------------------------------------------------------

void loop_add_drain(struct loop *loop, struct drain *drain) {
    struct drain **end = &loop->drains;
    while (*end != NULL)
        end = &(*end)->next;
    drain->next = NULL;
    *end = drain;
}

void loop_remove_drain(struct loop *loop, struct drain *drain) {
    struct drain **link = &loop->drains;
    while (*link != NULL && *link != drain)
        link = &(*link)->next;
    if (*link != NULL)
        *link = drain->next;
}

// True when hooks still have work.
static bool loop_run_drains(struct loop *loop) {
    uint64_t end_us = loop->now_us + DRAIN_US_MAX;
    bool worked = true;
    for (int pass = 0; worked && pass < DRAIN_PASSES_MAX && loop->now_us < end_us; pass++) {
        worked = false;
        for (struct drain *drain = loop->drains; drain != NULL; drain = drain->next)
            worked |= drain->run(drain, loop->now_us);
        if (worked)
            loop->now_us = clock_monotonic_us();
    }
    return worked;
}

static int loop_timeout_ms(const struct loop *loop, bool worked) {
    if (worked)
        return 0;
    if (loop->timer_count == 0)
        return -1;
    uint64_t due_us = loop->heap[1]->due_us;
    uint64_t now_us = clock_monotonic_us();
    if (due_us <= now_us)
        return 0;
    return (int)MIN((due_us - now_us + 999) / 1000, 60000U);
}

static void loop_wait(struct loop *loop, int timeout_ms) {
    int count = epoll_wait(loop->epoll, loop->events, EVENTS_MAX, timeout_ms);
    ASSERT(count >= 0 || errno == EINTR);
    loop->event_next = 0;
    loop->event_count = MAX(count, 0);
    loop->now_us = clock_monotonic_us();
}

static void loop_deliver_events(struct loop *loop) {
    while (loop->event_next < loop->event_count) {
        struct epoll_event *event = &loop->events[loop->event_next++];
        struct watch *watch = event->data.ptr;
        if (watch != NULL)
            watch->ready(watch, event->events, loop->now_us);
    }
    loop->event_count = 0;
}

// Measured in CPU time, so that a busy machine is not taken for a long turn. Valgrind is.
static void loop_check_turn(uint64_t cpu_before_us) {
    static int checked = -1;
    if (checked < 0) {
        const char *preload = getenv("LD_PRELOAD");
        checked = preload == NULL || strstr(preload, "vgpreload") == NULL;
    }
    uint64_t spent_us = clock_cpu_us() - cpu_before_us;
    if (checked == 0 || spent_us <= TURN_CPU_US_MAX)
        return;
    fprintf(stderr, "a turn of the loop took %llu us of CPU\n", (unsigned long long)spent_us);
    contract_broken("a turn takes at most 50 ms", __FILE__, __LINE__);
}

#ifdef VALORIZE_TURN_CHECK
enum { TURN_CHECK = 1 };
#else
enum { TURN_CHECK = 0 };
#endif

void loop_run(struct loop *loop, void (*on_terminate)(void *context), void *context) {
    loop->on_terminate = on_terminate;
    loop->context = context;
    loop->stopped = false;
    while (!loop->stopped) {
        uint64_t cpu_us = TURN_CHECK ? clock_cpu_us() : 0;
        loop_deliver_events(loop);
        loop_fire_timers(loop);
        bool worked = loop_run_drains(loop);
        if (TURN_CHECK)
            loop_check_turn(cpu_us);
        if (!loop->stopped)
            loop_wait(loop, loop_timeout_ms(loop, worked));
    }
}

void loop_stop(struct loop *loop) {
    loop->stopped = true;
}

uint64_t loop_now_us(const struct loop *loop) {
    return loop->now_us;
}
