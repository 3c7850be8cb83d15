// SPDX-License-Identifier: Apache-2.0
#include "task.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PIPE_END = STDERR_FILENO + 1 };

static_assert((int)TASK_SENTENCE_BYTES <= 4096, "a pipe takes a sentence without waiting");

static _Noreturn void task_work(const struct task *task, int output, int pipe_end) {
    char sentence[TASK_SENTENCE_BYTES] = "";
    (void)setsid(); // fails only for a group's leader, which a fresh child is not
    program_settle(task->identity, NULL, output);
    // Nothing else stays open here: a supervisor that is killed meanwhile must leave its sockets.
    if (dup2(pipe_end, PIPE_END) < 0 || close_range(PIPE_END + 1, ~0U, 0) != 0)
        _exit(1);
    bool done = task->run(task->argument, sentence, sizeof sentence);
    ssize_t written = write(PIPE_END, sentence, strlen(sentence));
    _exit(done && written >= 0 ? 0 : 1);
}

static bool task_release(struct task *task) {
    int how = 0;
    pid_t waited;
    loop_unwatch(task->loop, &task->watch);
    close(task->watch.descriptor);
    while ((waited = waitpid(task->pid, &how, 0)) < 0 && errno == EINTR)
        continue;
    task->pid = 0;
    return waited > 0 && WIFEXITED(how) && WEXITSTATUS(how) == 0;
}

static void task_ended(struct watch *watch, uint32_t epoll_events, uint64_t now_us) {
    struct task *task = CONTAINER_OF(watch, struct task, watch);
    char sentence[TASK_SENTENCE_BYTES] = "";
    (void)epoll_events;
    (void)now_us;
    bool done = task_release(task);
    ssize_t taken = read(task->sentence, sentence, sizeof sentence - 1); // never waits: O_NONBLOCK
    close(task->sentence);
    if (taken <= 0 && !done)
        (void)snprintf(sentence, sizeof sentence, "it ended without a word"); // fits
    task->ended(task->context, done, sentence);
}

bool task_start(struct task *task, struct loop *loop, int output) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
        return false;
    pid_t child = fork();
    if (child == 0)
        task_work(task, output, ends[1]);
    close(ends[1]);
    int handle = child < 0 ? -1 : pidfd_open(child, 0);
    if (handle < 0) {
        close(ends[0]);
        return false;
    }
    task->pid = child;
    task->sentence = ends[0];
    task->loop = loop;
    task->watch = (struct watch){.descriptor = handle, .ready = task_ended};
    loop_watch(loop, &task->watch, EPOLLIN);
    return true;
}

void task_cancel(struct task *task) {
    if (task->pid == 0)
        return;
    // With what it runs: its group. It has not been waited for, so the pid is still its own.
    (void)kill(task->pid, SIGKILL); // before it has made its group
    (void)kill(-task->pid, SIGKILL); // there may be none
    (void)task_release(task);
    close(task->sentence);
}
