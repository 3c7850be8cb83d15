// SPDX-License-Identifier: Apache-2.0
#include "child.h"

#include "log.h"
#include "log_file.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    LOOK_STARTING_US = 20000, // while it may become ready at any moment
    STARTING_SOON_US = 3000000, // which is so in this time
    LOOK_READY_US = HEARTBEAT_MS * 1000,
    CLEAR_AGAIN_US = 20000,
};

// --- its state ---------------------------------------------------------------------------------

#define MOVE(state) (1U << (state))

static const uint32_t legal_moves[] = {
    [CHILD_DOWN] = MOVE(CHILD_STARTING) | MOVE(CHILD_WAITING),
    [CHILD_WAITING] = MOVE(CHILD_STARTING) | MOVE(CHILD_WAITING) | MOVE(CHILD_DOWN),
    [CHILD_STARTING] =
        MOVE(CHILD_READY) | MOVE(CHILD_ENDING) | MOVE(CHILD_WAITING) | MOVE(CHILD_DOWN),
    [CHILD_READY] =
        MOVE(CHILD_STARTING) | MOVE(CHILD_ENDING) | MOVE(CHILD_WAITING) | MOVE(CHILD_DOWN),
    [CHILD_ENDING] = MOVE(CHILD_WAITING) | MOVE(CHILD_DOWN),
};

static void child_set_state(struct child *child, enum child_state state) {
    ASSERT((legal_moves[child->state] & MOVE(state)) != 0);
    child->state = state;
    child->since_us = loop_now_us(child->loop);
    child->options.changed(child->options.context, child);
}

static void child_wake_in(struct child *child, uint64_t delay_us) {
    loop_timer_set(child->loop, &child->timer, loop_now_us(child->loop) + delay_us + 1);
}

const char *child_state_name(const struct child *child) {
    static const char *const names[] = {
        [CHILD_DOWN] = "down",   [CHILD_WAITING] = "waiting", [CHILD_STARTING] = "starting",
        [CHILD_READY] = "ready", [CHILD_ENDING] = "draining",
    };
    bool failing = child->policy.failing && child->wanted && child->state != CHILD_READY;
    return failing ? "failing" : names[child->state];
}

uint32_t child_restarts(const struct child *child) {
    return child->starts > 0 ? child->starts - 1 : 0;
}

static void child_signal(const struct child *child, int number) {
    // Through its pidfd: a pid that was reused meanwhile is not meant.
    (void)pidfd_send_signal(child->watch.descriptor, number, NULL, 0); // it may have just ended
}

// --- its end -----------------------------------------------------------------------------------

// A signal that people and the system send, not one that a bug raises.
static bool is_sent(int number) {
    return number == SIGKILL || number == SIGTERM || number == SIGINT || number == SIGHUP ||
           number == SIGQUIT;
}

// Why it ended, in words and in kind. One that had not become ready is to blame for its own end,
// so that a process which something kills at every start is not started at full speed for ever.
static enum end_cause end_explain(struct child *child) {
    siginfo_t how = {0};
    bool was_up = child->state == CHILD_READY || child->state == CHILD_ENDING;
    enum end_cause outside = was_up ? END_FROM_OUTSIDE : END_BY_ITSELF;
    int waited = waitid(P_PIDFD, (id_t)child->watch.descriptor, &how, WEXITED | WNOHANG);
    if (child->silenced) {
        (void)snprintf(child->why, sizeof child->why, "gave no sign of life and was killed");
        return END_BY_ITSELF;
    }
    if (waited != 0 || how.si_pid == 0) { // adopted: not our child
        (void)snprintf(child->why, sizeof child->why, "ended; an adopted process does not say how");
        return outside;
    }
    if (how.si_code == CLD_EXITED) {
        (void)snprintf(child->why, sizeof child->why, "ended with exit code %d", how.si_status);
        return how.si_status == 0 ? outside : END_BY_ITSELF;
    }
    (void)snprintf(child->why, sizeof child->why, "killed by signal %d (%s)", how.si_status,
                   strsignal(how.si_status));
    return is_sent(how.si_status) ? outside : END_BY_ITSELF;
}

static void end_log(const struct child *child, enum end_cause cause, uint64_t delay_us) {
    char milliseconds[24], last[CHILD_WHY_BYTES];
    (void)snprintf(milliseconds, sizeof milliseconds, "%u", (unsigned)(delay_us / 1000));
    log_file_last_line(child->log, last, sizeof last);
    log_line(cause == END_FROM_OUTSIDE ? LOG_INFO : LOG_WARNING, NULL,
             child->policy.failing ? "A process is failing; it is started again every 5 s."
                                   : "A process ended; it is started again.",
             "name", child->name, "why", child->why, "its_last_line", last, "in_ms", milliseconds,
             NULL);
}

static void child_forget(struct child *child) {
    loop_unwatch(child->loop, &child->watch);
    close(child->watch.descriptor);
    child->watch.descriptor = -1;
    probe_cancel(&child->probe);
    loop_timer_clear(child->loop, &child->timer);
    child->pid = 0;
}

static void child_ended(struct watch *watch, uint32_t epoll_events, uint64_t now_us) {
    struct child *child = CONTAINER_OF(watch, struct child, watch);
    (void)epoll_events;
    enum end_cause cause = end_explain(child);
    child_forget(child);
    child->silenced = false;
    if (!child->wanted) {
        child_set_state(child, CHILD_DOWN);
        return;
    }
    child->chance = child->chance * 1664525U + 1013904223U;
    uint64_t delay_us = restart_policy_end(&child->policy, cause, now_us, child->chance);
    end_log(child, cause, delay_us);
    child_set_state(child, CHILD_WAITING);
    child_wake_in(child, delay_us);
}

// --- signs of life -----------------------------------------------------------------------------

static void child_found(struct child *child, enum child_state state) {
    if (child->state == CHILD_ENDING || state == child->state)
        return;
    child_set_state(child, state);
    if (state == CHILD_ENDING)
        child_wake_in(child, child->options.kind->end_ms * 1000ULL);
}

static void child_heard(void *context, struct text answer) {
    struct child *child = context;
    bool first = !child->heartbeat.heard_ever;
    heartbeat_heard(&child->heartbeat);
    if (answer.length > 0 && child->options.kind->hear != NULL)
        child_found(child, child->options.kind->hear(answer));
    if (first)
        child->options.changed(child->options.context, child);
}

static void child_silence(struct child *child) {
    log_line(LOG_ERROR, NULL, "A process gives no sign of life; it is killed.", "name", child->name,
             NULL);
    child->silenced = true;
    child_signal(child, SIGKILL);
    child_set_state(child, CHILD_ENDING);
    child_wake_in(child, child->options.kind->end_ms * 1000ULL);
}

static void child_look(struct child *child, uint64_t now_us) {
    const struct child_kind *kind = child->options.kind;
    if (heartbeat_is_gone(&child->heartbeat, now_us)) {
        child_silence(child);
        return;
    }
    if (kind->is_ready != NULL)
        child_found(child, kind->is_ready(child) ? CHILD_READY : CHILD_STARTING);
    probe_ask(&child->probe, now_us);
    bool ready = child->state == CHILD_READY;
    if (ready && restart_policy_ready(&child->policy, child->since_us, now_us))
        child->options.changed(child->options.context, child);
    bool soon = !ready && now_us - child->since_us < STARTING_SOON_US;
    child_wake_in(child, soon ? LOOK_STARTING_US : LOOK_READY_US);
}

// --- its beginning -----------------------------------------------------------------------------

// False: it is gone already.
static bool child_watch(struct child *child, pid_t pid, bool adopted) {
    int handle = pidfd_open(pid, 0);
    if (handle < 0)
        return false;
    child->pid = pid;
    child->adopted = adopted;
    child->starts++;
    child->watch = (struct watch){.descriptor = handle, .ready = child_ended};
    loop_watch(child->loop, &child->watch, EPOLLIN);
    heartbeat_begin(&child->heartbeat, child->options.kind->gone_ms, loop_now_us(child->loop));
    child_set_state(child, CHILD_STARTING);
    child_wake_in(child, 0);
    return true;
}

bool child_adopt(struct child *child) {
    ASSERT(child->pid == 0);
    pid_t pid = probe_owner(child->socket);
    if (pid <= 0 || !child_watch(child, pid, true))
        return false;
    heartbeat_heard(&child->heartbeat); // it listens, so it has begun: it has no START_SILENT_MS
    return true;
}

static void child_wait(struct child *child, uint64_t delay_us) {
    if (child->state != CHILD_WAITING)
        child_set_state(child, CHILD_WAITING);
    child_wake_in(child, delay_us);
}

static void child_spawn(struct child *child) {
    struct program program = {.passed = -1};
    int log = log_file_open(child->log);
    child->options.describe(child->options.context, child, &program);
    pid_t pid = log < 0 ? -1 : program_start(&program, log);
    bool started = pid > 0 && child_watch(child, pid, false);
    int reason = errno;
    if (log >= 0)
        close(log);
    if (started)
        return;
    if (strcmp(child->why, strerror(reason)) != 0)
        log_line(LOG_ERROR, NULL, "A process cannot be started; it is tried again.", "name",
                 child->name, "log", child->log, "reason", strerror(reason), NULL);
    (void)snprintf(child->why, sizeof child->why, "%s", strerror(reason)); // fits
    child_wait(child, RESTART_MS_MAX * 1000ULL);
}

// One that runs under its name already, whoever started it, is taken over instead.
static void child_begin(struct child *child) {
    const struct child_kind *kind = child->options.kind;
    if (child_adopt(child))
        return;
    if (kind->clear != NULL && !kind->clear(child))
        child_wait(child, CLEAR_AGAIN_US);
    else
        child_spawn(child);
}

void child_start(struct child *child) {
    child->wanted = true;
    child->left_down = false;
    if (child->state == CHILD_DOWN)
        child_begin(child);
}

// --- ending it ---------------------------------------------------------------------------------

static void child_press_on(struct child *child) {
    const struct child_kind *kind = child->options.kind;
    uint64_t spent_us = loop_now_us(child->loop) - child->since_us;
    bool last = spent_us >= (uint64_t)(kind->end_ms + kind->press_ms) * 1000;
    child_signal(child, last ? SIGKILL : kind->press_signal);
    child_wake_in(child, kind->press_ms * 1000ULL);
}

// True when no process is left that could run on.
static bool child_give_up(struct child *child) {
    child->wanted = false;
    if (child->state == CHILD_WAITING) {
        loop_timer_clear(child->loop, &child->timer);
        child_set_state(child, CHILD_DOWN);
    }
    return child->state == CHILD_DOWN;
}

static void child_ask_to_end(struct child *child) {
    child_signal(child, child->options.kind->end_signal);
    if (child->state == CHILD_ENDING)
        return;
    child_set_state(child, CHILD_ENDING);
    child_wake_in(child, child->options.kind->end_ms * 1000ULL);
}

void child_end(struct child *child) {
    if (!child_give_up(child))
        child_ask_to_end(child);
}

void child_drain(struct child *child, bool again) {
    if (!again && child_give_up(child))
        return;
    if (child->pid != 0 && child->state != CHILD_ENDING)
        child_ask_to_end(child);
}

void child_press(struct child *child) {
    child_end(child);
    if (child->state != CHILD_ENDING)
        return;
    child_signal(child, child->options.kind->press_signal);
    child_wake_in(child, child->options.kind->press_ms * 1000ULL);
}

void child_leave(struct child *child) {
    if (child_give_up(child))
        return;
    child_forget(child);
    child_set_state(child, CHILD_DOWN);
}

// --- life --------------------------------------------------------------------------------------

static void child_timer(struct timer *timer, uint64_t now_us) {
    struct child *child = CONTAINER_OF(timer, struct child, timer);
    switch (child->state) {
    case CHILD_WAITING:
        child_begin(child);
        return;
    case CHILD_STARTING:
    case CHILD_READY:
        child_look(child, now_us);
        return;
    case CHILD_ENDING:
        child_press_on(child);
        return;
    case CHILD_DOWN:
        break;
    }
    UNREACHABLE();
}

static void copy_text(char *ret_copy, size_t size, const char *text) {
    ASSERT(strlen(text) < size);
    memcpy(ret_copy, text, strlen(text) + 1);
}

void child_init(struct child *child, struct loop *loop, const struct child_options *options,
                uint32_t chance) {
    *child = (struct child){.loop = loop, .options = *options, .chance = chance};
    copy_text(child->name, sizeof child->name, options->name);
    copy_text(child->socket, sizeof child->socket, options->socket);
    copy_text(child->log, sizeof child->log, options->log);
    child->options.name = child->name;
    child->options.socket = child->socket;
    child->options.log = child->log;
    child->watch.descriptor = -1;
    child->timer.fire = child_timer;
    child->since_us = loop_now_us(loop);
    probe_init(&child->probe, loop, child->socket, options->kind->question);
    child->probe.pause_ms = options->kind->pause_ms;
    child->probe.context = child;
    child->probe.heard = child_heard;
}

void child_deinit(struct child *child) {
    if (child->pid != 0)
        child_forget(child);
    loop_timer_clear(child->loop, &child->timer);
}
