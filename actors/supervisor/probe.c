// SPDX-License-Identifier: Apache-2.0
#include "probe.h"

#include "limits.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

// Connected without waiting, or -1. A full queue of a process that hangs counts as nobody.
static int socket_connect(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    if (length >= sizeof address.sun_path)
        return -1;
    memcpy(address.sun_path, path, length + 1);
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        return -1;
    if (connect(descriptor, (const struct sockaddr *)&address, sizeof address) == 0)
        return descriptor;
    close(descriptor);
    return -1;
}

// A fresh socket has room for a line.
static int question_open(const char *path, struct text question) {
    int descriptor = socket_connect(path);
    if (descriptor < 0 ||
        send(descriptor, question.bytes, question.length, MSG_NOSIGNAL) == (ssize_t)question.length)
        return descriptor;
    close(descriptor);
    return -1;
}

int probe_open(const char *path, const char *question) {
    return question_open(path, (struct text){question, (uint32_t)strlen(question)});
}

// --- in the loop -------------------------------------------------------------------------------

void probe_cancel(struct probe *probe) {
    probe->next_us = 0;
    if (!probe->asked)
        return;
    loop_unwatch(probe->loop, &probe->watch);
    close(probe->watch.descriptor);
    probe->asked = false;
}

static void probe_end(struct probe *probe, uint32_t length) {
    probe_cancel(probe);
    probe->next_us = loop_now_us(probe->loop) + probe->pause_ms * 1000ULL;
    probe->heard(probe->context, (struct text){probe->answer, length});
}

static void probe_ready(struct watch *watch, uint32_t epoll_events, uint64_t now_us) {
    struct probe *probe = CONTAINER_OF(watch, struct probe, watch);
    (void)epoll_events;
    (void)now_us;
    char *free_bytes = probe->answer + probe->length;
    ssize_t taken = recv(watch->descriptor, free_bytes, PROBE_ANSWER_BYTES - probe->length, 0);
    if (taken < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (taken <= 0) {
        probe_end(probe, 0);
        return;
    }
    const char *end = memchr(free_bytes, '\n', (size_t)taken);
    probe->length += (uint32_t)taken;
    if (probe->question.form == ANSWER_ANY)
        probe_end(probe, probe->length);
    else if (end != NULL)
        probe_end(probe, (uint32_t)(end - probe->answer));
    else if (probe->length == PROBE_ANSWER_BYTES)
        probe_end(probe, 0);
}

void probe_init(struct probe *probe, struct loop *loop, const char *path,
                struct question question) {
    probe->loop = loop;
    probe->path = path;
    probe->question = question;
    probe->watch = (struct watch){.descriptor = -1, .ready = probe_ready};
}

void probe_ask(struct probe *probe, uint64_t now_us) {
    if (probe->asked || now_us < probe->next_us)
        return;
    int descriptor = question_open(probe->path, probe->question.text);
    if (descriptor < 0)
        return;
    probe->asked = true;
    probe->length = 0;
    probe->watch.descriptor = descriptor;
    loop_watch(probe->loop, &probe->watch, EPOLLIN);
}

// --- waiting for it ----------------------------------------------------------------------------

pid_t probe_owner(const char *path) {
    struct ucred owner = {0};
    socklen_t length = sizeof owner;
    int descriptor = socket_connect(path);
    if (descriptor < 0)
        return 0;
    if (getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &owner, &length) != 0)
        owner.pid = 0;
    close(descriptor);
    return owner.pid;
}

// Asked, and receiving from it waits; -1: nobody listens.
static int socket_ask(const char *path, const char *question) {
    const struct timeval patience = {.tv_sec = GONE_MS / 1000, .tv_usec = GONE_MS % 1000 * 1000};
    int descriptor = probe_open(path, question);
    if (descriptor < 0)
        return -1;
    if (fcntl(descriptor, F_SETFL, 0) == 0 &&
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0)
        return descriptor;
    close(descriptor);
    return -1;
}

size_t probe_wait(const char *path, const char *question, char *ret_answer, size_t size) {
    int descriptor = socket_ask(path, question);
    if (descriptor < 0)
        return 0;
    size_t length = 0;
    ssize_t taken = 1;
    while (taken > 0 && length < size) {
        taken = recv(descriptor, ret_answer + length, size - length, 0);
        length += (size_t)MAX(taken, 0);
    }
    close(descriptor);
    return taken == 0 ? length : 0;
}

int probe_take_listener(const char *path) {
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    char byte;
    struct iovec part = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = sizeof control.bytes,
    };
    int descriptor = socket_ask(path, "listener\n");
    if (descriptor < 0)
        return -1;
    int listener = -1;
    ssize_t taken = recvmsg(descriptor, &message, MSG_CMSG_CLOEXEC);
    const struct cmsghdr *header = taken > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    if (header != NULL && header->cmsg_type == SCM_RIGHTS)
        memcpy(&listener, CMSG_DATA(header), sizeof listener);
    close(descriptor);
    return listener;
}
