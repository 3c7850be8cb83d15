// SPDX-License-Identifier: Apache-2.0
#include "supervisor.h"

#include "clock.h"
#include "json_text.h"
#include "log.h"
#include "log_file.h"
#include "sheet.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STATE_BYTES_MAX = 512 << 10, AGO_BYTES = 32, VALUE_BYTES_MAX = 4096 };

bool report_is_listed(const struct child *child) {
    return child->wanted || child->pid != 0 || child->left_down;
}

bool report_is_ready(const struct supervisor *supervisor) {
    for (uint32_t i = 0; i < supervisor->child_count; i++) {
        const struct child *child = &supervisor->children[i];
        if (child->wanted && child->state != CHILD_READY)
            return false;
    }
    return supervisor->phase == PHASE_UP;
}

// --- state.json --------------------------------------------------------------------------------

static void write_member(struct sheet *sheet, const char *name, const char *value) {
    char quoted[JSON_TEXT_GROWTH * VALUE_BYTES_MAX + JSON_TEXT_SLACK];
    ASSERT(strlen(value) <= VALUE_BYTES_MAX);
    *json_text_write(text_of(value), quoted) = '\0';
    sheet_print(sheet, "\"%s\":%s,", name, quoted);
}

static const char *phase_name(enum phase phase) {
    static const char *const names[] = {
        [PHASE_STARTING] = "starting",
        [PHASE_UP] = "up",
        [PHASE_ENDING] = "ending",
        [PHASE_ENDED] = "ended",
    };
    return names[phase];
}

static const char *stage_name(uint32_t stage) {
    static const char *const names[STAGE_COUNT] = {
        [STAGE_SERVERS] = "servers",
        [STAGE_BROKERS] = "brokers",
        [STAGE_ACTORS] = "actors",
        [STAGE_EDGES] = "edges",
    };
    ASSERT(stage < STAGE_COUNT);
    return names[stage];
}

static void write_child(struct sheet *sheet, const struct child *child, int64_t since_s) {
    sheet_print(sheet, "\n{");
    write_member(sheet, "name", child->name);
    write_member(sheet, "state", child_state_name(child));
    write_member(sheet, "stage", stage_name(child->options.stage));
    write_member(sheet, "log", child->log);
    write_member(sheet, "why", child->why);
    sheet_print(sheet, "\"pid\":%d,\"adopted\":%s,\"since\":%lld,\"restarts\":%u}", (int)child->pid,
                child->adopted ? "true" : "false", (long long)since_s, child_restarts(child));
}

struct text report_json(struct supervisor *supervisor, struct arena *arena) {
    struct sheet sheet;
    int64_t wall_us = clock_wall_us();
    uint64_t now_us = loop_now_us(supervisor->loop);
    sheet_begin(&sheet, arena);
    sheet_print(&sheet, "{\"supervisor\":%d,", (int)getpid());
    write_member(&sheet, "state", phase_name(supervisor->phase));
    write_member(&sheet, "data", supervisor->data);
    write_member(&sheet, "http", supervisor->http);
    write_member(&sheet, "metrics", supervisor->metrics);
    write_member(&sheet, "database_url", supervisor->database_url);
    write_member(&sheet, "redis_url", supervisor->redis_url);
    write_member(&sheet, "brokers", supervisor->brokers);
    sheet_print(&sheet, "\"processes\":[");
    bool first = true;
    for (uint32_t i = 0; i < supervisor->child_count; i++) {
        const struct child *child = &supervisor->children[i];
        if (!report_is_listed(child))
            continue;
        sheet_print(&sheet, first ? "" : ",");
        first = false;
        write_child(&sheet, child, (wall_us - (int64_t)(now_us - child->since_us)) / 1000000);
    }
    sheet_print(&sheet, "]}\n");
    return sheet_end(&sheet);
}

static void state_path(const struct supervisor *supervisor, const char *end,
                       char ret_path[SERVERS_PATH_BYTES + 32]) {
    (void)snprintf(ret_path, SERVERS_PATH_BYTES + 32, "%s/state.json%s", supervisor->run, end);
}

// Written beside it and renamed: a reader finds the old or the new one, whole.
static bool state_replace(const struct supervisor *supervisor, struct text state) {
    char path[SERVERS_PATH_BYTES + 32], fresh[SERVERS_PATH_BYTES + 32];
    state_path(supervisor, "", path);
    state_path(supervisor, ".new", fresh);
    int file = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (file < 0)
        return false;
    bool written = write(file, state.bytes, state.length) == (ssize_t)state.length;
    return close(file) == 0 && written && rename(fresh, path) == 0;
}

void report_write(struct supervisor *supervisor) {
    struct arena arena;
    arena_init(&arena, STATE_BYTES_MAX);
    struct text state = report_json(supervisor, &arena);
    ASSERT(state.bytes != NULL); // sized for all children there may be
    if (!state_replace(supervisor, state))
        log_line(LOG_ERROR, NULL, "run/state.json cannot be written; is the disk full?", "reason",
                 strerror(errno), NULL);
    arena_deinit(&arena);
}

void report_remove(const struct supervisor *supervisor) {
    char path[SERVERS_PATH_BYTES + 32];
    state_path(supervisor, "", path);
    (void)unlink(path); // who reads it finds pids that are gone
}

// --- the table of --status ---------------------------------------------------------------------

static void write_ago(uint64_t past_us, char ret_ago[AGO_BYTES]) {
    unsigned seconds = (unsigned)(past_us / 1000000);
    if (seconds < 60)
        (void)snprintf(ret_ago, AGO_BYTES, "%u s", seconds);
    else if (seconds < 3600)
        (void)snprintf(ret_ago, AGO_BYTES, "%u min %u s", seconds / 60, seconds % 60);
    else
        (void)snprintf(ret_ago, AGO_BYTES, "%u h %u min", seconds / 3600, seconds / 60 % 60);
}

static void table_row(struct sheet *sheet, const struct child *child, uint64_t now_us) {
    char ago[AGO_BYTES], last[CHILD_WHY_BYTES] = "";
    bool trouble = child->state != CHILD_READY && child->why[0] != '\0';
    write_ago(now_us - child->since_us, ago);
    if (trouble)
        log_file_last_line(child->log, last, sizeof last);
    sheet_print(sheet, "%-16s %8d  %-9s %12s %8u  %s\n", child->name, (int)child->pid,
                child_state_name(child), ago, child_restarts(child), child->why);
    if (last[0] != '\0')
        sheet_print(sheet, "%-16s %s\n", "", last);
}

struct text report_table(struct supervisor *supervisor, struct arena *arena) {
    struct sheet sheet;
    uint32_t count = 0, ready = 0;
    uint64_t now_us = loop_now_us(supervisor->loop);
    sheet_begin(&sheet, arena);
    sheet_print(&sheet, "%-16s %8s  %-9s %12s %8s  %s\n", "name", "pid", "state", "since",
                "restarts", "last end");
    for (uint32_t i = 0; i < supervisor->child_count; i++) {
        const struct child *child = &supervisor->children[i];
        if (!report_is_listed(child))
            continue;
        table_row(&sheet, child, now_us);
        count += child->wanted || child->pid != 0; // what was left down is not missed
        ready += child->state == CHILD_READY;
    }
    sheet_print(&sheet, "%u of %u processes are ready. Supervisor %d is %s.", ready, count,
                (int)getpid(), phase_name(supervisor->phase));
    if (supervisor->http[0] != '\0')
        sheet_print(&sheet, " %s", supervisor->http);
    sheet_print(&sheet, "\n");
    return sheet_end(&sheet);
}

// --- metrics -----------------------------------------------------------------------------------

void report_metrics(struct supervisor *supervisor, struct metrics *metrics) {
    const char *restarts = "Starts of a process after its first.";
    const char *failing = "1 while a process is started again and again.";
    char label[CHILD_NAME_BYTES + 16];
    for (uint32_t i = 0; i < supervisor->child_count; i++) {
        const struct child *child = &supervisor->children[i];
        (void)snprintf(label, sizeof label, "child=\"%s\"", child->name); // fits
        metrics_counter(metrics, "valorize_supervisor_restarts_total", restarts, label,
                        child_restarts(child));
        restarts = NULL;
    }
    for (uint32_t i = 0; i < supervisor->child_count; i++) {
        const struct child *child = &supervisor->children[i];
        (void)snprintf(label, sizeof label, "child=\"%s\"", child->name); // fits
        metrics_gauge(metrics, "valorize_supervisor_failing", failing, label,
                      child->policy.failing);
        failing = NULL;
    }
}

// --- the words at the end of the start -----------------------------------------------------------

// As one word of a shell.
static void print_quoted(const char *text) {
    putchar('\'');
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            fputs("'\\''", stdout);
        else
            putchar(*text);
    }
    putchar('\'');
}

static void announce_token(const struct supervisor *supervisor) {
    char path[SERVERS_PATH_BYTES + 32], token[256] = "";
    (void)snprintf(path, sizeof path, "%s/demo-token", supervisor->data); // fits
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return;
    bool read = fgets(token, sizeof token, file) != NULL;
    fclose(file);
    token[strcspn(token, "\n")] = '\0';
    if (!read || token[0] == '\0')
        return;
    printf("  demo token  %s\n", token);
    printf("  try         curl -s -H \"Authorization: Bearer $(cat ");
    print_quoted(path);
    printf(")\" '%s/api/transactions?per_page=1'\n", supervisor->http);
}

void report_announce(const struct supervisor *supervisor, uint64_t now_us) {
    printf("Valorize is ready after %.2f s.\n", (double)(now_us - supervisor->begun_us) / 1e6);
    if (supervisor->http[0] != '\0')
        printf("  address     %s\n", supervisor->http);
    printf("  metrics     %s\n", supervisor->metrics);
    if (supervisor->own_postgres && supervisor->http[0] != '\0')
        announce_token(supervisor);
    fflush(stdout);
}
