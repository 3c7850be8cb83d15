// SPDX-License-Identifier: Apache-2.0
#include "supervisor.h"

#include "clock.h"
#include "log.h"
#include "log_file.h"
#include "precedence.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HOUSEKEEPING_US = 1000000, PRECEDENCE_US = 1000000, SCRATCH_BYTES = 128 << 10 };

// --- the end -----------------------------------------------------------------------------------

static bool stage_is_down(const struct supervisor *supervisor, enum stage stage) {
    for (uint32_t i = 0; i < supervisor->child_count; i++) {
        const struct child *child = &supervisor->children[i];
        if (child->options.stage == stage && child->pid != 0)
            return false;
    }
    return true;
}

static void stage_end(struct supervisor *supervisor, enum stage stage) {
    supervisor->stage = stage;
    for (uint32_t i = 0; i < supervisor->child_count; i++) {
        struct child *child = &supervisor->children[i];
        if (child->options.stage != stage)
            continue;
        if (supervisor->failed && child->adopted)
            child_leave(child);
        else
            child_end(child);
    }
}

// Of our own processes none starts any more that waits for it now, whatever its stage.
static void waiting_end(struct supervisor *supervisor) {
    for (uint32_t i = 0; i < supervisor->child_count; i++) {
        if (supervisor->children[i].state == CHILD_WAITING &&
            fleet_is_ours(&supervisor->children[i]))
            child_end(&supervisor->children[i]);
    }
}

void supervisor_end(struct supervisor *supervisor) {
    supervisor->phase = PHASE_ENDING;
    supervisor->dirty = true;
    loop_timer_clear(supervisor->loop, &supervisor->patience);
    task_cancel(&supervisor->task);
    waiting_end(supervisor);
    stage_end(supervisor, STAGE_EDGES);
}

static void end_advance(struct supervisor *supervisor) {
    while (supervisor->phase == PHASE_ENDING && stage_is_down(supervisor, supervisor->stage)) {
        if (supervisor->stage > 0) {
            stage_end(supervisor, supervisor->stage - 1);
        } else {
            supervisor->phase = PHASE_ENDED;
            loop_stop(supervisor->loop);
        }
    }
}

static void end_asked(void *context) {
    struct supervisor *supervisor = context;
    progress_break(&supervisor->progress);
    log_line(LOG_INFO, NULL, "Asked to end: edges, actors, brokers, servers, in this order.", NULL);
    if (supervisor->phase < PHASE_ENDING)
        supervisor_end(supervisor);
}

// A second signal: nobody gets more time.
static void end_hurry(struct supervisor *supervisor) {
    log_line(LOG_WARNING, NULL, "Asked to end again: at once.", NULL);
    if (supervisor->phase < PHASE_ENDING)
        supervisor_end(supervisor);
    for (uint32_t i = 0; i < supervisor->child_count; i++) {
        if (supervisor->children[i].pid != 0)
            child_press(&supervisor->children[i]);
    }
}

// --- turns -------------------------------------------------------------------------------------

static bool supervisor_settle(struct drain *drain, uint64_t now_us) {
    struct supervisor *supervisor = CONTAINER_OF(drain, struct supervisor, drain);
    (void)now_us;
    if (!supervisor->dirty)
        return false;
    supervisor->dirty = false;
    start_advance(supervisor);
    end_advance(supervisor);
    report_write(supervisor);
    return true;
}

// Children of dead children become ours where we are the first process of a container.
static void reap_foreign(const struct supervisor *supervisor) {
    siginfo_t ended = {0};
    if (waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) != 0 || ended.si_pid == 0)
        return;
    bool own = supervisor->task.pid == ended.si_pid;
    for (uint32_t i = 0; i < supervisor->child_count; i++)
        own |= supervisor->children[i].pid == ended.si_pid;
    if (!own)
        (void)waitpid(ended.si_pid, NULL, WNOHANG);
}

static void keep_house(struct timer *timer, uint64_t now_us) {
    struct supervisor *supervisor = CONTAINER_OF(timer, struct supervisor, housekeeping);
    char path[SERVERS_PATH_BYTES + 32];
    for (uint32_t i = 0; i < supervisor->child_count; i++)
        (void)log_file_bound(supervisor->children[i].log); // tried again in a second
    (void)snprintf(path, sizeof path, "%s/log/supervisor.log", supervisor->data); // fits
    (void)log_file_bound(path);
    reap_foreign(supervisor);
    loop_timer_set(supervisor->loop, timer, now_us + HOUSEKEEPING_US);
}

// Backends of PostgreSQL come and go, so all are looked at again.
static void keep_precedence(struct timer *timer, uint64_t now_us) {
    struct supervisor *supervisor = CONTAINER_OF(timer, struct supervisor, precedence);
    bool done = true;
    for (uint32_t i = 0; done && i < supervisor->child_count; i++) {
        const struct child *child = &supervisor->children[i];
        int nice = fleet_nice(child);
        done = child->pid == 0 || nice == 0 || precedence_lower(child->pid, nice);
    }
    loop_timer_set(supervisor->loop, timer,
                   now_us + (done ? PRECEDENCE_US : PRECEDENCE_AGAIN_MS * 1000));
}

// --- life --------------------------------------------------------------------------------------

static bool folders_find(struct supervisor *supervisor, char *ret_sentence, size_t size) {
    char path[SERVERS_PATH_BYTES + 16];
    size_t length = strlen(supervisor->run) - (sizeof "/run" - 1);
    if (length >= sizeof supervisor->data) {
        (void)snprintf(ret_sentence, size, "VALORIZE_DATA is too long: %s.", supervisor->run);
        return false;
    }
    (void)snprintf(supervisor->data, sizeof supervisor->data, "%.*s", (int)length, supervisor->run);
    ssize_t taken =
        readlink("/proc/self/exe", supervisor->programs, sizeof supervisor->programs - 1);
    char *end = taken > 0 ? strrchr(supervisor->programs, '/') : NULL;
    (void)snprintf(path, sizeof path, "%s/log", supervisor->data); // fits
    bool good = end != NULL && (mkdir(path, S_IRWXU) == 0 || errno == EEXIST);
    if (good)
        *end = '\0';
    else
        (void)snprintf(ret_sentence, size, "%s cannot be made: %s.", path, strerror(errno));
    return good;
}

struct supervisor *supervisor_new(struct loop *loop, const struct up_config *config,
                                  const char *run, char *ret_sentence, size_t size) {
    struct supervisor *supervisor = calloc(1, sizeof *supervisor);
    ASSERT(supervisor != NULL);
    supervisor->config = config;
    supervisor->loop = loop;
    supervisor->run = run;
    supervisor->begun_us = clock_monotonic_us();
    supervisor->listener = -1;
    supervisor->own_postgres = config->database_url[0] == '\0';
    supervisor->own_redis = config->redis_url[0] == '\0';
    supervisor->database_url = config->database_url;
    supervisor->redis_url = config->redis_url;
    supervisor->dirty = true;
    supervisor->drain.run = supervisor_settle;
    start_init(supervisor);
    supervisor->housekeeping.fire = keep_house;
    supervisor->precedence.fire = keep_precedence;
    arena_init(&supervisor->scratch, SCRATCH_BYTES);
    loop_add_drain(loop, &supervisor->drain);
    if (folders_find(supervisor, ret_sentence, size) && fleet_make(supervisor, ret_sentence, size))
        return supervisor;
    return supervisor_free(supervisor);
}

struct supervisor *supervisor_free(struct supervisor *supervisor) {
    if (supervisor == NULL)
        return NULL;
    for (uint32_t i = 0; i < supervisor->child_count; i++)
        child_deinit(&supervisor->children[i]);
    task_cancel(&supervisor->task);
    loop_timer_clear(supervisor->loop, &supervisor->patience);
    loop_timer_clear(supervisor->loop, &supervisor->housekeeping);
    loop_timer_clear(supervisor->loop, &supervisor->precedence);
    loop_remove_drain(supervisor->loop, &supervisor->drain);
    supervisor->metrics_port = metrics_port_free(supervisor->metrics_port);
    supervisor->admin = admin_free(supervisor->admin);
    if (supervisor->listener >= 0)
        close(supervisor->listener);
    arena_deinit(&supervisor->scratch);
    free(supervisor);
    return NULL;
}

static void supervisor_turn(struct supervisor *supervisor) {
    loop_run(supervisor->loop, end_asked, supervisor);
    while (supervisor->phase != PHASE_ENDED) { // stopped by a second signal
        end_hurry(supervisor);
        loop_run(supervisor->loop, end_asked, supervisor);
    }
    report_remove(supervisor);
}

int supervisor_run(struct supervisor *supervisor) {
    char sentence[SENTENCE_BYTES];
    if (!adopt_allows(supervisor, sentence, sizeof sentence) ||
        !doors_open_own(supervisor, sentence, sizeof sentence)) {
        fprintf(stderr, "valorize up: %s\n", sentence);
        return 1;
    }
    (void)adopt_all(supervisor);
    if (!doors_open_edges(supervisor, sentence, sizeof sentence) ||
        !doors_open_metrics(supervisor, sentence, sizeof sentence)) {
        fprintf(stderr, "valorize up: %s\n", sentence);
        return 1;
    }
    loop_timer_set(supervisor->loop, &supervisor->housekeeping,
                   loop_now_us(supervisor->loop) + HOUSEKEEPING_US);
    loop_timer_set(supervisor->loop, &supervisor->precedence, loop_now_us(supervisor->loop) + 1);
    supervisor_turn(supervisor);
    return supervisor->failed ? 1 : 0;
}

uint32_t supervisor_run_end(struct supervisor *supervisor) {
    supervisor->phase = PHASE_ENDING;
    uint32_t count = adopt_all(supervisor);
    supervisor_end(supervisor);
    supervisor_turn(supervisor);
    return count;
}
