// SPDX-License-Identifier: Apache-2.0
#include "admin.h"

#include "clock.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    CALLERS_MAX = 16, // at once; then the one that has been silent longest is hung up on
    ACCEPTS_IN_A_TURN_MAX = CALLERS_MAX / 2, // so that a caller has a turn to ask
    LINE_BYTES_MAX = 512, // longer: hung up on
    CALLER_MS = 2000, // to ask and take the answer; then hung up on
    ANSWER_BYTES_MAX = 1 << 20, // a longer one is told as an error
    PATH_BYTES_MAX = 100, // of the socket
    BACKLOG = 256, // of connections that wait to be taken; then connecting to it fails
};

struct caller {
    struct watch watch; // descriptor -1: a free slot
    struct timer timer;
    struct admin *admin;
    char line[LINE_BYTES_MAX];
    uint32_t line_length;
    char *answer; // NULL while the line is read
    uint32_t answer_length;
    uint32_t answer_sent;
};

struct admin {
    struct loop *loop;
    struct admin_options options;
    struct watch watch;
    int64_t since_us; // wall clock
    char path[PATH_BYTES_MAX + 1];
    struct arena arena;
    struct caller callers[CALLERS_MAX];
};

// --- one caller --------------------------------------------------------------------------------

static void caller_hang_up(struct caller *caller) {
    loop_unwatch(caller->admin->loop, &caller->watch);
    loop_timer_clear(caller->admin->loop, &caller->timer);
    close(caller->watch.descriptor);
    free(caller->answer);
    caller->watch.descriptor = -1;
    caller->answer = NULL;
}

static void caller_late(struct timer *timer, uint64_t now_us) {
    (void)now_us;
    caller_hang_up(CONTAINER_OF(timer, struct caller, timer));
}

static void caller_send(struct caller *caller) {
    while (caller->answer_sent < caller->answer_length) {
        ssize_t sent = send(caller->watch.descriptor, caller->answer + caller->answer_sent,
                            caller->answer_length - caller->answer_sent, MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) {
            loop_rewatch(caller->admin->loop, &caller->watch, EPOLLOUT);
            return;
        }
        if (sent <= 0)
            break;
        caller->answer_sent += (uint32_t)sent;
    }
    caller_hang_up(caller);
}

static void caller_pass_listener(const struct caller *caller) {
    int descriptor = caller->admin->options.listener;
    if (descriptor < 0)
        return;
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    char byte = 'L';
    struct iovec part = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = sizeof control.bytes,
    };
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(&control.header), &descriptor, sizeof descriptor);
    // The first byte on a fresh socket always fits; a caller that is gone does not matter.
    (void)sendmsg(caller->watch.descriptor, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

// --- answers -----------------------------------------------------------------------------------

static const char *const state_names[] = {"starting", "ready", "draining"};

static struct text admin_status(struct admin *admin) {
    const struct admin_options *options = &admin->options;
    enum admin_state state = options->state(options->context);
    char more[64] = "";
    if (options->links != NULL) {
        uint32_t links, brokers;
        options->links(options->context, &links, &brokers);
        (void)snprintf(more, sizeof more, ",\"links\":%u,\"brokers\":%u", links, brokers); // fits
    }
    return arena_format(&admin->arena,
                        "{\"name\":\"%s\",\"pid\":%d,\"state\":\"%s\",\"since\":%lld%s}\n",
                        options->name, (int)getpid(), state_names[state],
                        (long long)(admin->since_us / 1000000), more);
}

static struct text admin_answer(struct admin *admin, struct text line) {
    const struct admin_options *options = &admin->options;
    if (text_equal(line, TEXT("status")))
        return admin_status(admin);
    if (text_equal(line, TEXT("metrics")) && options->metrics != NULL)
        return options->metrics(options->context, &admin->arena);
    if (text_equal(line, TEXT("top")) && options->top != NULL)
        return options->top(options->context, &admin->arena);
    struct text answer = {0};
    if (options->command != NULL)
        answer = options->command(options->context, line, &admin->arena);
    if (answer.bytes == NULL && !admin->arena.overflow)
        return TEXT("{\"error\":\"unknown command\"}\n");
    return answer;
}

static void caller_answer(struct caller *caller, struct text line) {
    struct admin *admin = caller->admin;
    if (text_equal(line, TEXT("listener"))) {
        caller_pass_listener(caller);
        caller_hang_up(caller);
        return;
    }
    arena_reset(&admin->arena);
    struct text answer = admin_answer(admin, line);
    if (answer.bytes == NULL)
        answer = TEXT("{\"error\":\"the answer is too long\"}\n");
    caller->answer = malloc((size_t)answer.length + 1);
    ASSERT(caller->answer != NULL);
    memcpy(caller->answer, answer.bytes, answer.length);
    caller->answer_length = answer.length;
    caller->answer_sent = 0;
    caller_send(caller);
}

static void caller_read(struct caller *caller) {
    char *free_bytes = caller->line + caller->line_length;
    ssize_t taken =
        recv(caller->watch.descriptor, free_bytes, LINE_BYTES_MAX - caller->line_length, 0);
    if (taken < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (taken <= 0) {
        caller_hang_up(caller);
        return;
    }
    const char *end = memchr(free_bytes, '\n', (size_t)taken);
    caller->line_length += (uint32_t)taken;
    if (end != NULL)
        caller_answer(caller, (struct text){caller->line, (uint32_t)(end - caller->line)});
    else if (caller->line_length == LINE_BYTES_MAX)
        caller_hang_up(caller);
}

static void caller_ready(struct watch *watch, uint32_t epoll_events, uint64_t now_us) {
    struct caller *caller = CONTAINER_OF(watch, struct caller, watch);
    (void)epoll_events;
    (void)now_us;
    if (caller->answer != NULL)
        caller_send(caller);
    else
        caller_read(caller);
}

// --- the door ----------------------------------------------------------------------------------

// A free one, else that of the caller who is silent longest, or NULL: all are being answered.
static struct caller *admin_make_slot(struct admin *admin) {
    struct caller *silent = NULL;
    for (uint32_t i = 0; i < CALLERS_MAX; i++) {
        struct caller *caller = &admin->callers[i];
        if (caller->watch.descriptor < 0)
            return caller;
        if (caller->answer == NULL &&
            (silent == NULL || caller->timer.due_us < silent->timer.due_us))
            silent = caller;
    }
    if (silent != NULL)
        caller_hang_up(silent);
    return silent;
}

static bool admin_take(struct admin *admin, uint64_t now_us) {
    int descriptor = accept4(admin->watch.descriptor, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor < 0)
        return false;
    struct caller *caller = admin_make_slot(admin);
    if (caller == NULL) {
        close(descriptor);
        return true;
    }
    caller->watch.descriptor = descriptor;
    caller->line_length = 0;
    loop_watch(admin->loop, &caller->watch, EPOLLIN);
    loop_timer_set(admin->loop, &caller->timer, now_us + CALLER_MS * 1000U);
    return true;
}

static void admin_accept(struct watch *watch, uint32_t epoll_events, uint64_t now_us) {
    struct admin *admin = CONTAINER_OF(watch, struct admin, watch);
    (void)epoll_events;
    for (int i = 0; i < ACCEPTS_IN_A_TURN_MAX && admin_take(admin, now_us); i++)
        continue;
}

// A socket file whose process died refuses connections and is removed.
static bool path_is_stale(const struct sockaddr_un *address) {
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0)
        return false;
    bool refused = connect(probe, (const struct sockaddr *)address, sizeof *address) != 0 &&
                   errno == ECONNREFUSED;
    close(probe);
    return refused;
}

static int listener_open(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    static_assert((size_t)PATH_BYTES_MAX < sizeof address.sun_path, "a path fits");
    memcpy(address.sun_path, path, strlen(path) + 1);
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        return -1;
    int bound = bind(descriptor, (const struct sockaddr *)&address, sizeof address);
    if (bound != 0 && errno == EADDRINUSE && path_is_stale(&address) && unlink(path) == 0)
        bound = bind(descriptor, (const struct sockaddr *)&address, sizeof address);
    if (bound == 0 && chmod(path, S_IRUSR | S_IWUSR) == 0 && listen(descriptor, BACKLOG) == 0)
        return descriptor;
    int reason = errno;
    close(descriptor);
    errno = reason;
    return -1;
}

struct admin *admin_new(struct loop *loop, const struct admin_options *options) {
    char path[PATH_BYTES_MAX + 1];
    int length = snprintf(path, sizeof path, "%s/%s.sock", options->directory, options->name);
    if (length < 0 || length > PATH_BYTES_MAX) {
        errno = ENAMETOOLONG;
        return NULL;
    }
    int descriptor = listener_open(path);
    if (descriptor < 0)
        return NULL;
    struct admin *admin = calloc(1, sizeof *admin);
    ASSERT(admin != NULL);
    admin->loop = loop;
    admin->options = *options;
    admin->since_us = clock_wall_us();
    memcpy(admin->path, path, sizeof path);
    arena_init(&admin->arena, ANSWER_BYTES_MAX);
    for (uint32_t i = 0; i < CALLERS_MAX; i++) {
        admin->callers[i] = (struct caller){
            .watch = {.descriptor = -1, .ready = caller_ready},
            .timer = {.fire = caller_late},
            .admin = admin,
        };
    }
    admin->watch = (struct watch){.descriptor = descriptor, .ready = admin_accept};
    loop_watch(loop, &admin->watch, EPOLLIN);
    return admin;
}

struct admin *admin_free(struct admin *admin) {
    if (admin == NULL)
        return NULL;
    for (uint32_t i = 0; i < CALLERS_MAX; i++) {
        if (admin->callers[i].watch.descriptor >= 0)
            caller_hang_up(&admin->callers[i]);
    }
    loop_unwatch(admin->loop, &admin->watch);
    close(admin->watch.descriptor);
    (void)unlink(admin->path); // already gone is as good
    arena_deinit(&admin->arena);
    free(admin);
    return NULL;
}
