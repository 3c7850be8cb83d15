// SPDX-License-Identifier: Apache-2.0
#include "postgres.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    END_MS = 15000, // for a fast shutdown, whose checkpoint may take long
    PRESS_MS = 5000, // for an immediate one
    // It is killed later than our own processes are: a machine that has much to do is slow to make
    // the process that answers, and the price is a recovery.
    ASK_MS = 1000,
    SILENT_MS = 5000,
    LINE_BYTES = 512,
    TREE_DESCRIPTORS = 8,
};

// What an owner of the data may change in its postgresql.conf; places are given on the command
// line. One machine of few cores, short transactions, many prepared statements; and after a crash
// one syncfs instead of an fsync for each of a thousand files, which on a busy disk takes a second.
static const char settings_text[] = "\n# Valorize\n"
                                    "shared_buffers = 256MB\n"
                                    "effective_cache_size = 1GB\n"
                                    "work_mem = 8MB\n"
                                    "maintenance_work_mem = 128MB\n"
                                    "jit = off\n"
                                    "max_parallel_workers_per_gather = 0\n"
                                    "random_page_cost = 1.1\n"
                                    "max_wal_size = 2GB\n"
                                    "checkpoint_timeout = 15min\n"
                                    "update_process_title = off\n"
                                    "recovery_init_sync_method = syncfs\n"
                                    "timezone = 'UTC'\n"
                                    "log_timezone = 'UTC'\n"
                                    "log_checkpoints = off\n";

// --- finding it --------------------------------------------------------------------------------

static unsigned version_of(const char *programs) {
    unsigned version = 0;
    (void)sscanf(programs, "/usr/lib/postgresql/%u/bin", &version); // 0: a folder of another form
    return version;
}

static unsigned data_version(const struct postgres *postgres) {
    char path[SERVERS_PATH_BYTES + 16];
    unsigned version = 0;
    (void)snprintf(path, sizeof path, "%s/PG_VERSION", postgres->data); // fits
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%u", &version) != 1)
        version = 0;
    fclose(file);
    return version;
}

// Debian's place: one folder a version. wanted 0: the newest.
static bool programs_find(struct postgres *postgres, unsigned wanted) {
    glob_t found;
    unsigned best = 0;
    if (glob("/usr/lib/postgresql/*/bin/postgres", 0, NULL, &found) != 0)
        return false;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        unsigned version = version_of(found.gl_pathv[i]);
        if (version <= best || (wanted != 0 && version != wanted))
            continue;
        best = version;
        (void)snprintf(postgres->programs, sizeof postgres->programs, "/usr/lib/postgresql/%u/bin",
                       version); // fits
    }
    globfree(&found);
    (void)snprintf(postgres->program, sizeof postgres->program, "%s/postgres", postgres->programs);
    return best != 0;
}

// In an address, where a path may hold anything.
static void url_write(struct postgres *postgres) {
    size_t size = sizeof postgres->url;
    size_t at = (size_t)snprintf(postgres->url, size, "postgresql://valorize@/valorize?host=");
    for (const char *from = postgres->socket_folder; *from != '\0'; from++) {
        bool plain = (*from >= 'a' && *from <= 'z') || (*from >= 'A' && *from <= 'Z') ||
                     (*from >= '0' && *from <= '9') || strchr("/-._~", *from) != NULL;
        at += (size_t)snprintf(postgres->url + at, size - at, plain ? "%c" : "%%%02X",
                               (unsigned char)*from);
    }
    (void)snprintf(postgres->url + at, size - at, "&port=5432"); // all of it fits, see below
}

static_assert(3 * SERVERS_PATH_BYTES + 64 < SERVERS_URL_BYTES,
              "an encoded folder fits the address");

bool postgres_find(struct postgres *postgres, const struct servers *servers, uint32_t connections,
                   char *ret_sentence, size_t size) {
    *postgres = (struct postgres){.servers = servers};
    servers_path(servers, "postgres", postgres->data);
    servers_path(servers, "run", postgres->socket_folder);
    servers_path(servers, POSTGRES_SOCKET, postgres->socket);
    (void)snprintf(postgres->folders_setting, sizeof postgres->folders_setting,
                   "unix_socket_directories=\"%s\"", postgres->socket_folder);
    (void)snprintf(postgres->connections_setting, sizeof postgres->connections_setting,
                   "max_connections=%u", connections); // all of them fit
    url_write(postgres);
    unsigned version = data_version(postgres);
    if (programs_find(postgres, version))
        return true;
    if (version == 0)
        (void)snprintf(
            ret_sentence, size,
            "PostgreSQL's server is not installed. ./up installs it; or set DATABASE_URL.");
    else
        (void)snprintf(ret_sentence, size,
                       "The database in %s was made by PostgreSQL %u, which is not installed. "
                       "Install postgresql-%u, or move the data to a newer one with pg_upgrade.",
                       postgres->data, version, version);
    return false;
}

bool postgres_has_data(const struct postgres *postgres) {
    return access(postgres->data, F_OK) == 0;
}

// --- making its data ---------------------------------------------------------------------------

static int tree_remove_one(const char *path, const struct stat *status, int kind,
                           struct FTW *where) {
    (void)status;
    (void)kind;
    (void)where;
    return remove(path);
}

static bool file_append(const char *folder, const char *name, const char *text) {
    char path[SERVERS_PATH_BYTES + 64];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name); // fits
    FILE *file = fopen(path, "ae");
    if (file == NULL)
        return false;
    bool written = fputs(text, file) >= 0;
    return fclose(file) == 0 && written;
}

static bool run_initdb(const struct postgres *postgres, const char *folder) {
    struct program program = {.passed = -1};
    char file[sizeof postgres->program];
    (void)snprintf(file, sizeof file, "%s/initdb", postgres->programs); // fits
    program_add_environment(&program);
    const char *const arguments[] = {file,
                                     "-D",
                                     folder,
                                     "-U",
                                     "valorize",
                                     "-A",
                                     "trust",
                                     "-E",
                                     "UTF8",
                                     "--locale=C.UTF-8",
                                     "--no-instructions"};
    for (size_t i = 0; i < COUNT_OF(arguments); i++)
        program_add_argument(&program, arguments[i]);
    return program_run(&program, STDERR_FILENO);
}

// While no server runs: the one that is told its statements in a file.
static bool run_statement(const struct postgres *postgres, const char *folder,
                          const char *statement) {
    struct program program = {.passed = -1};
    char input[SERVERS_PATH_BYTES + 64];
    (void)snprintf(input, sizeof input, "%s/statement.sql", folder); // fits
    if (!file_append(folder, "statement.sql", statement))
        return false;
    program_add_environment(&program);
    const char *const arguments[] = {postgres->program, "--single", "-D", folder, "postgres"};
    for (size_t i = 0; i < COUNT_OF(arguments); i++)
        program_add_argument(&program, arguments[i]);
    program.input = input;
    return program_run(&program, STDERR_FILENO) && unlink(input) == 0;
}

// Held until the process ends. The task of a killed supervisor may still be at the same work.
static bool make_lock(const struct postgres *postgres) {
    int folder = open(postgres->socket_folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return folder >= 0 && flock(folder, LOCK_EX) == 0;
}

// Made under another name, so that what is called postgres/ is always whole.
bool postgres_make_data(void *argument, char *ret_sentence, size_t size) {
    const struct postgres *postgres = argument;
    char folder[SERVERS_PATH_BYTES + 8];
    if (make_lock(postgres) && postgres_has_data(postgres))
        return true;
    (void)snprintf(folder, sizeof folder, "%s.new", postgres->data); // fits
    (void)nftw(folder, tree_remove_one, TREE_DESCRIPTORS, FTW_DEPTH | FTW_PHYS); // of a killed one
    bool made = run_initdb(postgres, folder) &&
                file_append(folder, "postgresql.conf", settings_text) &&
                run_statement(postgres, folder, "CREATE DATABASE valorize\n") &&
                rename(folder, postgres->data) == 0;
    if (!made)
        (void)snprintf(ret_sentence, size, "The database cannot be made in %s", folder);
    return made;
}

// --- running it --------------------------------------------------------------------------------

void postgres_describe(const struct postgres *postgres, struct program *program) {
    const char *const arguments[] = {postgres->program,
                                     "-D",
                                     postgres->data,
                                     "-p",
                                     "5432",
                                     "-c",
                                     "listen_addresses=",
                                     "-c",
                                     postgres->folders_setting,
                                     "-c",
                                     "unix_socket_permissions=0700",
                                     "-c",
                                     postgres->connections_setting};
    for (size_t i = 0; i < COUNT_OF(arguments); i++)
        program_add_argument(program, arguments[i]);
    program_add_environment(program);
    program->identity = postgres->servers->identity;
}

// postmaster.pid: the pid in line 1, "ready" in line 8 once connections are accepted.
static bool postmaster_read(const char *data, long *ret_pid, bool *ret_ready) {
    char path[CHILD_PATH_BYTES], line[LINE_BYTES];
    (void)snprintf(path, sizeof path, "%s/postmaster.pid", data); // fits
    FILE *file = fopen(path, "re");
    *ret_pid = 0;
    *ret_ready = false;
    if (file == NULL)
        return false;
    for (int number = 1; fgets(line, sizeof line, file) != NULL; number++) {
        if (number == 1)
            *ret_pid = strtol(line, NULL, 10);
        else if (number == 8)
            *ret_ready = strncmp(line, "ready", 5) == 0;
    }
    fclose(file);
    return *ret_pid > 0;
}

static bool postgres_is_ready(const struct child *child) {
    long pid;
    bool ready;
    return postmaster_read(child->options.folder, &pid, &ready) && pid == child->pid && ready;
}

static bool link_read(const char *pid, const char *name, char ret_target[CHILD_PATH_BYTES]) {
    char link[64];
    (void)snprintf(link, sizeof link, "/proc/%.20s/%s", pid, name); // fits
    ssize_t length = readlink(link, ret_target, CHILD_PATH_BYTES - 1);
    ret_target[MAX(length, 0)] = '\0';
    return length > 0;
}

// Every process of a server works in its data folder; so may a person's shell. Root in a container
// may not follow these links of another user's process, so they are read as the folder's owner.
static bool works_in(const char *pid, const char *data) {
    static const char name[] = "/postgres";
    char folder[CHILD_PATH_BYTES], program[CHILD_PATH_BYTES];
    struct stat owner;
    if (stat(data, &owner) != 0)
        return false;
    (void)setfsgid(owner.st_gid);
    (void)setfsuid(owner.st_uid);
    bool seen = link_read(pid, "cwd", folder) && link_read(pid, "exe", program);
    (void)setfsuid(geteuid());
    (void)setfsgid(getegid());
    if (!seen || strcmp(folder, data) != 0)
        return false;
    const char *file = strrchr(program, '/');
    return file != NULL && strncmp(file, name, sizeof name - 1) == 0; // " (deleted)" may follow
}

// Kills the backends that a killed postmaster left behind: a new one must not start beside them.
static uint32_t orphans_kill(const char *data) {
    uint32_t count = 0;
    DIR *processes = opendir("/proc");
    if (processes == NULL)
        return 0;
    for (struct dirent *entry; (entry = readdir(processes)) != NULL;) {
        long pid = strtol(entry->d_name, NULL, 10);
        if (pid > 1 && pid != getpid() && works_in(entry->d_name, data) &&
            kill((pid_t)pid, SIGKILL) == 0)
            count++;
    }
    closedir(processes);
    return count;
}

// A postmaster refuses to start when the pid in its predecessor's file belongs to anyone. After a
// reboot it may belong to a stranger: then the file says nothing and goes. Where the pid is
// nobody's, PostgreSQL looks itself, more closely than we could.
static bool postgres_clear(const struct child *child) {
    const char *data = child->options.folder;
    char path[CHILD_PATH_BYTES + 16], number[24];
    long pid;
    bool ready;
    if (orphans_kill(data) > 0)
        return false;
    if (!postmaster_read(data, &pid, &ready))
        return true;
    (void)snprintf(number, sizeof number, "%ld", pid); // fits
    if ((kill((pid_t)pid, 0) != 0 && errno == ESRCH) || works_in(number, data))
        return true;
    (void)snprintf(path, sizeof path, "%s/postmaster.pid", data); // both fit
    (void)unlink(path); // where it fails, PostgreSQL says so
    (void)snprintf(path, sizeof path, "%s.lock", child->socket);
    (void)unlink(path);
    return true;
}

// Protocol 3.0's SSLRequest. The postmaster makes a process for the connection, which answers one
// byte, in a recovery and a shutdown too, and logs nothing when that is all: a sign of life that
// costs no session and that no setting, lock or full table of sessions can refuse.
#define SSL_REQUEST "\0\0\0\x08\x04\xd2\x16\x2f"

const struct child_kind postgres_kind = {
    .question = {TEXT(SSL_REQUEST), ANSWER_ANY},
    .pause_ms = ASK_MS,
    .gone_ms = SILENT_MS,
    .is_ready = postgres_is_ready,
    .clear = postgres_clear,
    .end_signal = SIGINT,
    .press_signal = SIGQUIT,
    .end_ms = END_MS,
    .press_ms = PRESS_MS,
};
