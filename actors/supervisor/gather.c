// SPDX-License-Identifier: Apache-2.0
#include "gather.h"

#include "control.h"
#include "limits.h"
#include "probe.h"

#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PATH_BYTES = 200 }; // more than a unix socket can have

struct asked {
    struct watch watch; // descriptor -1: not, or not any more
    struct gather *gather;
    char name[PEER_NAME_BYTES];
    bool whole; // it ended its answer
    uint32_t length;
    char *bytes; // METRICS_ANSWER_BYTES_MAX, of which only what is used costs memory
};

struct gather {
    struct loop *loop;
    const char *directory;
    void *context;
    void (*done)(void *context);
    struct timer timer;
    uint32_t count, open;
    struct asked asked[METRICS_PROCESSES_MAX];
};

static void asked_end(struct asked *asked, bool whole) {
    loop_unwatch(asked->gather->loop, &asked->watch);
    close(asked->watch.descriptor);
    asked->watch.descriptor = -1;
    asked->whole = whole;
    asked->gather->open--;
}

static void gather_end(struct gather *gather) {
    loop_timer_clear(gather->loop, &gather->timer);
    for (uint32_t i = 0; i < gather->count; i++) {
        if (gather->asked[i].watch.descriptor >= 0)
            asked_end(&gather->asked[i], false);
    }
}

static void gather_late(struct timer *timer, uint64_t now_us) {
    struct gather *gather = CONTAINER_OF(timer, struct gather, timer);
    (void)now_us;
    gather_end(gather);
    gather->done(gather->context);
}

static void asked_ready(struct watch *watch, uint32_t epoll_events, uint64_t now_us) {
    struct asked *asked = CONTAINER_OF(watch, struct asked, watch);
    struct gather *gather = asked->gather;
    (void)epoll_events;
    (void)now_us;
    size_t room = METRICS_ANSWER_BYTES_MAX - asked->length;
    ssize_t taken = recv(watch->descriptor, asked->bytes + asked->length, room, 0);
    if (taken < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (taken > 0 && (size_t)taken < room) {
        asked->length += (uint32_t)taken;
        return;
    }
    asked_end(asked, taken == 0);
    if (gather->open > 0)
        return;
    loop_timer_clear(gather->loop, &gather->timer);
    gather->done(gather->context);
}

struct gather *gather_new(struct loop *loop, const char *directory, void *context,
                          void (*done)(void *context)) {
    struct gather *gather = calloc(1, sizeof *gather);
    ASSERT(gather != NULL);
    gather->loop = loop;
    gather->directory = directory;
    gather->context = context;
    gather->done = done;
    gather->timer.fire = gather_late;
    return gather;
}

struct gather *gather_free(struct gather *gather) {
    if (gather == NULL)
        return NULL;
    gather_end(gather);
    for (uint32_t i = 0; i < METRICS_PROCESSES_MAX; i++)
        free(gather->asked[i].bytes);
    free(gather);
    return NULL;
}

static void asked_start(struct asked *asked, const char *question) {
    struct gather *gather = asked->gather;
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/%s.sock", gather->directory, asked->name); // or nobody's
    asked->watch.descriptor = probe_open(path, question);
    if (asked->watch.descriptor < 0)
        return;
    if (asked->bytes == NULL)
        asked->bytes = malloc(METRICS_ANSWER_BYTES_MAX);
    ASSERT(asked->bytes != NULL);
    loop_watch(gather->loop, &asked->watch, EPOLLIN);
    gather->open++;
}

void gather_start(struct gather *gather, const char *const *names, uint32_t count,
                  const char *question) {
    ASSERT(gather->open == 0 && gather->timer.due_us == 0);
    gather->count = MIN(count, METRICS_PROCESSES_MAX);
    for (uint32_t i = 0; i < gather->count; i++) {
        struct asked *asked = &gather->asked[i];
        asked->watch.ready = asked_ready;
        asked->gather = gather;
        asked->whole = false;
        asked->length = 0;
        (void)snprintf(asked->name, sizeof asked->name, "%s", names[i]); // a process's name fits
        asked_start(asked, question);
    }
    uint64_t patience_us = gather->open == 0 ? 1 : METRICS_MS * 1000;
    loop_timer_set(gather->loop, &gather->timer, loop_now_us(gather->loop) + patience_us);
}

uint32_t gather_count(const struct gather *gather) {
    return gather->count;
}

const char *gather_name(const struct gather *gather, uint32_t index) {
    ASSERT(index < gather->count);
    return gather->asked[index].name;
}

struct text gather_answer(const struct gather *gather, uint32_t index) {
    ASSERT(index < gather->count);
    const struct asked *asked = &gather->asked[index];
    return asked->whole ? (struct text){asked->bytes, asked->length} : (struct text){0};
}
