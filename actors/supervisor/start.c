// SPDX-License-Identifier: Apache-2.0
#include "supervisor.h"

#include "demo.h"
#include "log_file.h"
#include "migrate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

// --- the steps of the start --------------------------------------------------------------------

static bool make_is_needed(const struct supervisor *supervisor) {
    return supervisor->own_postgres && !postgres_has_data(&supervisor->postgres);
}

static int start_log_open(const struct supervisor *supervisor) {
    char path[SERVERS_PATH_BYTES + 16];
    (void)snprintf(path, sizeof path, "%s/log/start.log", supervisor->data); // fits
    return log_file_open(path);
}

static void task_has_ended(void *context, bool done, const char *sentence) {
    struct supervisor *supervisor = context;
    supervisor->dirty = true;
    if (!done)
        supervisor_fail(supervisor, sentence);
}

static void begin_task(struct supervisor *supervisor, bool (*run)(void *, char *, size_t),
                       void *argument, struct identity identity) {
    supervisor->task = (struct task){
        .run = run,
        .argument = argument,
        .identity = identity,
        .context = supervisor,
        .ended = task_has_ended,
    };
    int log = start_log_open(supervisor);
    bool started = log >= 0 && task_start(&supervisor->task, supervisor->loop, log);
    if (!started)
        supervisor_fail(supervisor, strerror(errno));
    if (log >= 0)
        close(log);
}

static void begin_make(struct supervisor *supervisor) {
    begin_task(supervisor, postgres_make_data, &supervisor->postgres, supervisor->servers.identity);
}

// In the task's process.
static bool migrate(void *argument, char *ret_sentence, size_t size) {
    const struct supervisor *supervisor = argument;
    struct migrate_report report;
    if (!migrate_run(supervisor->database_url, &report, ret_sentence, size))
        return false;
    if (!supervisor->own_postgres)
        return true;
    char token[SERVERS_PATH_BYTES + 16];
    (void)snprintf(token, sizeof token, "%s/demo-token", supervisor->data); // fits
    return demo_ensure(supervisor->database_url, token, ret_sentence, size);
}

static void begin_migrate(struct supervisor *supervisor) {
    begin_task(supervisor, migrate, supervisor, (struct identity){0});
}

static void begin_stage(struct supervisor *supervisor, enum stage stage) {
    for (uint32_t i = 0; i < supervisor->own_count; i++) {
        struct child *child = &supervisor->children[i];
        if (child->options.stage == stage)
            child_start(child);
    }
}

static void begin_servers(struct supervisor *supervisor) {
    begin_stage(supervisor, STAGE_SERVERS);
}

static void begin_brokers(struct supervisor *supervisor) {
    begin_stage(supervisor, STAGE_BROKERS);
}

static void begin_actors(struct supervisor *supervisor) {
    begin_stage(supervisor, STAGE_ACTORS);
}

static void begin_edges(struct supervisor *supervisor) {
    begin_stage(supervisor, STAGE_EDGES);
}

static const struct step {
    const char *what;
    void (*begin)(struct supervisor *supervisor);
    bool (*is_needed)(const struct supervisor *supervisor); // NULL: children of its stage are
    bool is_task; // done when it has ended, not when its stage is ready
    enum stage stage;
} steps[] = {
    {"a database", begin_make, make_is_needed, true, STAGE_SERVERS},
    {"servers", begin_servers, NULL, false, STAGE_SERVERS},
    {"migrations", begin_migrate, NULL, true, STAGE_COUNT},
    {"brokers", begin_brokers, NULL, false, STAGE_BROKERS},
    {"actors", begin_actors, NULL, false, STAGE_ACTORS},
    {"edges", begin_edges, NULL, false, STAGE_EDGES},
};

// An edge is ready when actors are there. Where none of ours are, others decide that.
static bool child_is_far_enough(const struct supervisor *supervisor, const struct child *child) {
    bool own_actors = supervisor->config->query_count + supervisor->config->command_count > 0;
    if (child->options.stage == STAGE_EDGES && !own_actors)
        return child->heartbeat.heard_ever;
    return child->state == CHILD_READY;
}

static bool step_is_done(const struct supervisor *supervisor) {
    const struct step *step = &steps[supervisor->step];
    if (step->is_task)
        return supervisor->task.pid == 0;
    for (uint32_t i = 0; i < supervisor->own_count; i++) {
        const struct child *child = &supervisor->children[i];
        if (child->options.stage == step->stage && child->wanted &&
            !child_is_far_enough(supervisor, child))
            return false;
    }
    return true;
}

static bool step_is_needed(const struct supervisor *supervisor, const struct step *step) {
    if (step->is_needed != NULL)
        return step->is_needed(supervisor);
    for (uint32_t i = 0; i < supervisor->own_count; i++) {
        if (supervisor->children[i].options.stage == step->stage)
            return true;
    }
    return step->stage == STAGE_COUNT;
}

// "brokers: broker-1 broker-2"
static void step_say(struct supervisor *supervisor, const struct step *step) {
    char what[SENTENCE_BYTES];
    int length = snprintf(what, sizeof what, "%s", step->what);
    if (step->is_task && step->is_needed != NULL)
        length += snprintf(what + length, sizeof what - (size_t)length, ": new, in %s%s",
                           supervisor->servers.folder,
                           supervisor->servers.elsewhere ? ", where its user can reach it" : "");
    for (uint32_t i = 0; !step->is_task && i < supervisor->own_count; i++) {
        const struct child *child = &supervisor->children[i];
        if (child->options.stage == step->stage && length < SENTENCE_BYTES - CHILD_NAME_BYTES)
            length += snprintf(what + length, sizeof what - (size_t)length, "%s %s",
                               strchr(what, ':') == NULL ? ":" : "", child->name);
    }
    progress_begin(&supervisor->progress, loop_now_us(supervisor->loop), what);
}

static void step_begin(struct supervisor *supervisor) {
    const struct step *step = &steps[supervisor->step];
    supervisor->step_begun = true;
    step_say(supervisor, step);
    // A migration, or PostgreSQL's recovery, takes as long as it takes.
    if (step->stage > STAGE_SERVERS && !step->is_task)
        loop_timer_set(supervisor->loop, &supervisor->patience,
                       loop_now_us(supervisor->loop) + START_STEP_MS * 1000ULL);
    step->begin(supervisor);
}

// --- a start that comes to nothing ---------------------------------------------------------------

void supervisor_fail(struct supervisor *supervisor, const char *sentence) {
    if (supervisor->phase != PHASE_STARTING)
        return;
    progress_break(&supervisor->progress);
    fprintf(stderr, "valorize up: %s\nMore is in %s/log.\n", sentence, supervisor->data);
    supervisor->failed = true;
    supervisor_end(supervisor);
}

static void fail_for(struct supervisor *supervisor, const struct child *child, const char *what) {
    char last[CHILD_WHY_BYTES], sentence[SENTENCE_BYTES];
    log_file_last_line(child->log, last, sizeof last);
    (void)snprintf(sentence, sizeof sentence, "%s %s%s%s. Its last line: %s", child->name, what,
                   child->why[0] == '\0' ? "" : ": ", child->why, last); // fits
    supervisor_fail(supervisor, sentence);
}

static void start_check(struct supervisor *supervisor) {
    for (uint32_t i = 0; i < supervisor->own_count; i++) {
        const struct child *child = &supervisor->children[i];
        if (child->wanted && child->policy.failing) {
            fail_for(supervisor, child, "does not start");
            return;
        }
    }
}

static void patience_ended(struct timer *timer, uint64_t now_us) {
    struct supervisor *supervisor = CONTAINER_OF(timer, struct supervisor, patience);
    (void)now_us;
    for (uint32_t i = 0; i < supervisor->own_count; i++) {
        const struct child *child = &supervisor->children[i];
        if (child->wanted && !child_is_far_enough(supervisor, child)) {
            fail_for(supervisor, child, "is not ready in time");
            return;
        }
    }
}

// --- from step to step --------------------------------------------------------------------------

static void start_is_complete(struct supervisor *supervisor) {
    supervisor->phase = PHASE_UP;
    report_announce(supervisor, loop_now_us(supervisor->loop));
    report_write(supervisor);
    if (supervisor->on_up != NULL)
        supervisor->on_up(supervisor->context);
}

void start_advance(struct supervisor *supervisor) {
    if (supervisor->phase == PHASE_STARTING)
        start_check(supervisor);
    while (supervisor->phase == PHASE_STARTING) {
        if (supervisor->step_begun) {
            if (!step_is_done(supervisor))
                return;
            progress_end(&supervisor->progress, loop_now_us(supervisor->loop));
            loop_timer_clear(supervisor->loop, &supervisor->patience);
            supervisor->step_begun = false;
            supervisor->step++;
        }
        while (supervisor->step < COUNT_OF(steps) &&
               !step_is_needed(supervisor, &steps[supervisor->step]))
            supervisor->step++;
        if (supervisor->step == COUNT_OF(steps))
            start_is_complete(supervisor);
        else
            step_begin(supervisor);
    }
}

void start_init(struct supervisor *supervisor) {
    supervisor->patience.fire = patience_ended;
}
