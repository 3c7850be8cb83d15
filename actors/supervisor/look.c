// SPDX-License-Identifier: Apache-2.0
#include "look.h"

#include "command.h"
#include "folder_lock.h"
#include "supervisor.h"

#include <errno.h>
#include <glob.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    ANSWER_BYTES = 256 << 10,
    STOP_LOOKS_MAX = 1800, // of STOP_LOOK_MS: 90 s
    STOP_LOOK_MS = 50,
};

// The real path of its run/; false: it has none.
static bool run_find(const char *data, char ret_run[SERVERS_PATH_BYTES]) {
    char path[SERVERS_PATH_BYTES];
    int length = snprintf(path, sizeof path, "%s/run", data);
    char *real = length > 0 && length < (int)sizeof path ? realpath(path, NULL) : NULL;
    bool found = real != NULL && strlen(real) < SERVERS_PATH_BYTES;
    if (found)
        (void)snprintf(ret_run, SERVERS_PATH_BYTES, "%s", real); // fits
    free(real);
    return found;
}

static int say_nothing_runs(const char *data) {
    printf("Nothing runs on the folder %s.\n", data);
    return EXIT_FAILED;
}

// Another user's: we can neither see nor end what runs. Says so.
static bool is_foreign(const char *data) {
    char path[SERVERS_PATH_BYTES];
    struct stat status;
    (void)snprintf(path, sizeof path, "%s/run", data); // a longer one does not exist
    if (access(path, R_OK | W_OK | X_OK) == 0 || errno != EACCES)
        return false;
    const struct passwd *owner = stat(data, &status) == 0 ? getpwuid(status.st_uid) : NULL;
    fprintf(stderr, "The folder %s belongs to another user%s%s. Ask as that one, or as root.\n",
            data, owner == NULL ? "" : ", ", owner == NULL ? "" : owner->pw_name);
    return true;
}

// --- --status ----------------------------------------------------------------------------------

static uint32_t say_owner(const char *name, const char *socket) {
    pid_t pid = probe_owner(socket);
    if (pid <= 0)
        return 0;
    printf("%-16s %8d  running\n", name, (int)pid);
    return 1;
}

static uint32_t say_servers(const char *run) {
    struct servers servers;
    char data[SERVERS_PATH_BYTES], path[SERVERS_PATH_BYTES];
    (void)snprintf(data, sizeof data, "%.*s", (int)(strlen(run) - (sizeof "/run" - 1)),
                   run); // fits
    if (!servers_find(&servers, data))
        return 0;
    servers_path(&servers, POSTGRES_SOCKET, path);
    uint32_t count = say_owner("postgres", path);
    servers_path(&servers, REDIS_SOCKET, path);
    return count + say_owner("redis", path);
}

// Without a supervisor: whoever has a socket of his own.
static int status_of_orphans(const char *data, const char *run) {
    glob_t found;
    char pattern[SERVERS_PATH_BYTES + 16];
    uint32_t count = say_servers(run);
    (void)snprintf(pattern, sizeof pattern, "%s/*.sock", run); // fits
    if (glob(pattern, 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++) {
            char name[CHILD_NAME_BYTES];
            const char *file = strrchr(found.gl_pathv[i], '/') + 1;
            (void)snprintf(name, sizeof name, "%.*s", (int)strcspn(file, "."), file); // or cut
            count += say_owner(name, found.gl_pathv[i]);
        }
        globfree(&found);
    }
    if (count == 0)
        return say_nothing_runs(data);
    printf(
        "Their supervisor is gone. `valorize up` adopts them, `valorize up --stop` ends them.\n");
    return EXIT_FAILED;
}

static int status_of_supervisor(const char *run, pid_t holder) {
    char path[SERVERS_PATH_BYTES + 32], status[PROBE_ANSWER_BYTES];
    (void)snprintf(path, sizeof path, "%s/supervisor.sock", run); // fits
    char *table = calloc(1, ANSWER_BYTES + 1);
    ASSERT(table != NULL);
    size_t length = probe_wait(path, "table\n", table, ANSWER_BYTES);
    size_t status_length = probe_wait(path, "status\n", status, PROBE_ANSWER_BYTES);
    struct text answer = {status, (uint32_t)status_length};
    if (length == 0)
        printf("The supervisor, process %d, does not answer.\n", (int)holder);
    fputs(table, stdout);
    free(table);
    return length > 0 && fleet_hear(answer) == CHILD_READY ? EXIT_DONE : EXIT_FAILED;
}

int look_status(const char *data) {
    char run[SERVERS_PATH_BYTES];
    if (is_foreign(data))
        return EXIT_FAILED;
    if (!run_find(data, run))
        return say_nothing_runs(data);
    pid_t holder = folder_lock_holder(run);
    return holder > 0 ? status_of_supervisor(run, holder) : status_of_orphans(data, run);
}

// --- --stop ------------------------------------------------------------------------------------

static int stop_supervisor(const char *run, pid_t holder) {
    printf("Asking the supervisor, process %d, to end everything ...\n", (int)holder);
    fflush(stdout);
    if (kill(holder, SIGTERM) != 0 && errno != ESRCH)
        return command_fail("up", strerror(errno));
    for (int i = 0; i < STOP_LOOKS_MAX; i++) {
        if (folder_lock_holder(run) != holder) {
            printf("Ended.\n");
            return EXIT_DONE;
        }
        (void)poll(NULL, 0, STOP_LOOK_MS);
    }
    return command_fail("up",
                        "It has not ended in 90 s. See its log; kill -9 it and repeat --stop.");
}

static int stop_orphans(struct up_config *config) {
    char sentence[SENTENCE_BYTES];
    pid_t holder;
    config->only_end = true;
    process_prepare(&config->base);
    int lock = folder_lock_take(process_run_directory(), &holder);
    if (lock < 0)
        return command_fail("up", "A supervisor has just started on this folder. Try again.");
    struct loop *loop = loop_new();
    struct supervisor *supervisor =
        supervisor_new(loop, config, process_run_directory(), sentence, sizeof sentence);
    if (supervisor == NULL)
        return command_fail("up", sentence);
    uint32_t count = supervisor_run_end(supervisor);
    if (count > 0)
        printf("Ended %u processes whose supervisor was gone.\n", count);
    else
        printf("Nothing runs on the folder %s.\n", config->base.data);
    supervisor = supervisor_free(supervisor);
    loop = loop_free(loop);
    return EXIT_DONE;
}

int look_stop(struct up_config *config) {
    char run[SERVERS_PATH_BYTES];
    if (is_foreign(config->base.data))
        return EXIT_FAILED;
    if (!run_find(config->base.data, run)) {
        (void)say_nothing_runs(config->base.data);
        return EXIT_DONE;
    }
    pid_t holder = folder_lock_holder(run);
    return holder > 0 ? stop_supervisor(run, holder) : stop_orphans(config);
}
