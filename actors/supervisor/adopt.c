// SPDX-License-Identifier: Apache-2.0
#include "supervisor.h"

#include "http_listener.h"

#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ENVIRONMENT_BYTES_MAX = 256 << 10, NAMES_BYTES = 512 };

// --- what differs from what we would have started ------------------------------------------------

static bool is_setting(const char *variable) {
    return strncmp(variable, "VALORIZE_", 9) == 0 || strncmp(variable, "OTEL_", 5) == 0 ||
           strncmp(variable, "DATABASE_URL=", 13) == 0 || strncmp(variable, "REDIS_URL=", 10) == 0;
}

// The descriptor's number differs from life to life.
static bool is_compared(const char *variable) {
    return is_setting(variable) && strncmp(variable, "VALORIZE_LISTEN_FD=", 19) != 0;
}

// The environment as the kernel keeps it: entries, each ended by a NUL.
static bool has_variable(struct text environment, const char *wanted) {
    const char *at = environment.bytes, *end = at + environment.length;
    while (at < end) {
        if (strcmp(at, wanted) == 0)
            return true;
        at += strlen(at) + 1;
    }
    return false;
}

static void names_add(char *names, const char *variable) {
    size_t length = strlen(names);
    (void)snprintf(names + length, NAMES_BYTES - length, "%s%.*s", length == 0 ? "" : ", ",
                   (int)strcspn(variable, "="), variable); // more than fit are cut
}

static bool names_have(const char *names, const char *variable) {
    char name[64];
    (void)snprintf(name, sizeof name, "%.*s", (int)strcspn(variable, "="), variable);
    return strstr(names, name) != NULL;
}

static void compare_settings(struct text environment, const struct program *program, char *names) {
    for (int i = 0; i < program->variable_count; i++) {
        const char *ours = program->variables[i];
        if (is_compared(ours) && !has_variable(environment, ours))
            names_add(names, ours);
    }
    const char *end = environment.bytes + environment.length;
    for (const char *at = environment.bytes; at < end; at += strlen(at) + 1) {
        bool same = !is_compared(at) || names_have(names, at);
        for (int i = 0; !same && i < program->variable_count; i++)
            same = strcmp(program->variables[i], at) == 0;
        if (!same)
            names_add(names, at);
    }
}

static struct text environment_read(pid_t pid, char *bytes) {
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/environ", (int)pid); // fits
    FILE *file = fopen(path, "re");
    size_t length = file == NULL ? 0 : fread(bytes, 1, ENVIRONMENT_BYTES_MAX - 1, file);
    if (file != NULL)
        fclose(file);
    bytes[length] = '\0';
    return (struct text){bytes, (uint32_t)length};
}

static bool runs_other_file(pid_t pid, const char *file) {
    char link[64], target[CHILD_PATH_BYTES];
    (void)snprintf(link, sizeof link, "/proc/%d/exe", (int)pid); // fits
    ssize_t length = readlink(link, target, sizeof target - 1);
    target[MAX(length, 0)] = '\0';
    return length > 0 && strcmp(target, file) != 0; // a replaced file has " (deleted)" after it
}

static void tell_differences(struct supervisor *supervisor, const struct child *child) {
    struct program program = {.passed = -1};
    char names[NAMES_BYTES] = "";
    fleet_describe(supervisor, child, &program);
    char *bytes = malloc(ENVIRONMENT_BYTES_MAX);
    ASSERT(bytes != NULL);
    struct text environment = environment_read(child->pid, bytes);
    if (environment.length > 0)
        compare_settings(environment, &program, names);
    free(bytes);
    if (names[0] != '\0')
        printf("  %s runs on with other settings (%s). `valorize up --stop` ends it.\n",
               child->name, names);
    if (runs_other_file(child->pid, program.arguments[0]))
        printf("  %s runs on with an earlier build. `valorize up --stop` ends it.\n", child->name);
}

// --- strays ------------------------------------------------------------------------------------

static bool is_known(const struct supervisor *supervisor, const char *socket) {
    for (uint32_t i = 0; i < supervisor->own_count; i++) {
        if (strcmp(supervisor->children[i].socket, socket) == 0)
            return true;
    }
    return false;
}

static uint32_t adopt_stray(struct supervisor *supervisor, const char *socket) {
    static const char own[] = "supervisor";
    char name[CHILD_NAME_BYTES];
    const char *file = strrchr(socket, '/') + 1;
    size_t length = strlen(file) - (sizeof ".sock" - 1);
    (void)snprintf(name, sizeof name, "%.*s", (int)length, file);
    if (strcmp(name, own) == 0 || length >= sizeof name || is_known(supervisor, socket) ||
        probe_owner(socket) <= 0)
        return 0;
    struct child *child = fleet_add_stray(supervisor, name);
    if (child == NULL || !child_adopt(child))
        return 0;
    if (supervisor->phase == PHASE_STARTING)
        printf("  %s is not part of this configuration and is asked to end.\n", name);
    child_end(child);
    return 1;
}

static uint32_t adopt_strays(struct supervisor *supervisor) {
    glob_t found;
    char pattern[SERVERS_PATH_BYTES + 16];
    uint32_t count = 0;
    (void)snprintf(pattern, sizeof pattern, "%s/*.sock", supervisor->run); // fits
    if (glob(pattern, 0, NULL, &found) != 0)
        return 0;
    for (size_t i = 0; i < found.gl_pathc; i++)
        count += adopt_stray(supervisor, found.gl_pathv[i]);
    globfree(&found);
    return count;
}

// --- all of them -------------------------------------------------------------------------------

uint32_t adopt_all(struct supervisor *supervisor) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < supervisor->own_count; i++) {
        struct child *child = &supervisor->children[i];
        if (!child_adopt(child))
            continue;
        child->wanted = true;
        count++;
    }
    bool starting = supervisor->phase == PHASE_STARTING;
    if (starting && count > 0) {
        printf("Adopted from an earlier supervisor:");
        for (uint32_t i = 0; i < supervisor->own_count; i++) {
            if (supervisor->children[i].adopted)
                printf(" %s", supervisor->children[i].name);
        }
        printf("\n");
    }
    for (uint32_t i = 0; starting && i < supervisor->own_count; i++) {
        if (supervisor->children[i].adopted && fleet_is_ours(&supervisor->children[i]))
            tell_differences(supervisor, &supervisor->children[i]);
    }
    return count + adopt_strays(supervisor);
}

int adopt_listener(struct supervisor *supervisor) {
    int listener = -1;
    bool hanging = false;
    for (uint32_t i = 0; i < supervisor->own_count && listener < 0; i++) {
        struct child *child = &supervisor->children[i];
        if (child->options.stage != STAGE_EDGES || !child->adopted)
            continue;
        listener = probe_take_listener(child->socket);
        hanging |= listener < 0;
        if (listener >= 0 && http_listener_port(listener) == 0) {
            close(listener);
            listener = -1;
        }
    }
    if (listener >= 0 || !hanging)
        return listener;
    for (uint32_t i = 0; i < supervisor->own_count; i++) {
        struct child *child = &supervisor->children[i];
        if (child->options.stage == STAGE_EDGES && child->adopted)
            (void)kill(child->pid, SIGKILL); // it holds the port and serves nobody
    }
    return -1;
}

static bool server_runs(const struct servers *servers, const char *socket) {
    char path[SERVERS_PATH_BYTES];
    servers_path(servers, socket, path);
    return probe_owner(path) > 0;
}

bool adopt_allows(const struct supervisor *supervisor, char *ret_sentence, size_t size) {
    struct servers servers;
    if (!servers_find(&servers, supervisor->data))
        return true;
    const char *name = NULL;
    if (!supervisor->own_postgres && server_runs(&servers, POSTGRES_SOCKET))
        name = "DATABASE_URL";
    else if (!supervisor->own_redis && server_runs(&servers, REDIS_SOCKET))
        name = "REDIS_URL";
    if (name == NULL)
        return true;
    (void)snprintf(ret_sentence, size,
                   "%s is set, but what an earlier supervisor left running in %s uses the private "
                   "server. End it first: valorize up --stop.",
                   name, supervisor->data);
    return false;
}
