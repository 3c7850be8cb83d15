// SPDX-License-Identifier: Apache-2.0
// `valorize up`: the supervisor in the foreground or detached, and the two questions to a running
// one.
#include "command.h"
#include "folder_lock.h"
#include "log_file.h"
#include "look.h"
#include "supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

// --- the supervisor's life ---------------------------------------------------------------------

// Who closes the terminal of a supervisor in the foreground wants it to end in order.
static void hang_up(int number) {
    (void)number;
    (void)kill(getpid(), SIGTERM); // to oneself it cannot fail
}

static int already_runs(const char *run, pid_t holder) {
    char sentence[SENTENCE_BYTES];
    if (holder == 0)
        (void)snprintf(sentence, sizeof sentence, "%s/supervisor.lock cannot be taken: %s.", run,
                       strerror(errno));
    else
        (void)snprintf(
            sentence, sizeof sentence,
            "A supervisor runs on this folder already (process %d). `valorize up "
            "--status` shows it, `--stop` ends it; another VALORIZE_DATA and other ports "
            "make a second system.",
            (int)holder);
    return command_fail("up", sentence);
}

struct detached {
    int told; // pipe to who waits for the start; -1: nobody
    char log[SERVERS_PATH_BYTES + 32];
};

// The caller's terminal is given back. Whoever waits reads the exit code of the start.
static void detached_is_up(void *context) {
    struct detached *detached = context;
    const char code = EXIT_DONE;
    if (detached->told < 0)
        return;
    int log = log_file_open(detached->log);
    if (log >= 0 && dup2(log, STDOUT_FILENO) >= 0 && dup2(log, STDERR_FILENO) >= 0)
        close(log);
    log_init("supervisor", LOG_INFO);
    if (write(detached->told, &code, 1) != 1)
        log_line(LOG_WARNING, NULL, "Nobody waited for the end of the start.", NULL);
    close(detached->told);
    detached->told = -1;
}

static int live(const struct up_config *config, struct detached *detached) {
    char sentence[SENTENCE_BYTES];
    pid_t holder;
    process_prepare(&config->base);
    const char *run = process_run_directory();
    int lock = folder_lock_take(run, &holder);
    if (lock < 0)
        return already_runs(run, holder);
    (void)signal(SIGHUP, hang_up); // cannot fail
    struct loop *loop = loop_new();
    struct supervisor *supervisor = supervisor_new(loop, config, run, sentence, sizeof sentence);
    int code = EXIT_FAILED;
    if (supervisor == NULL) {
        (void)command_fail("up", sentence);
    } else {
        (void)snprintf(detached->log, sizeof detached->log, "%s/log/supervisor.log",
                       supervisor->data); // fits
        supervisor->context = detached;
        supervisor->on_up = detached_is_up;
        code = supervisor_run(supervisor);
    }
    supervisor = supervisor_free(supervisor);
    loop = loop_free(loop);
    close(lock);
    return code;
}

// --- --detach ----------------------------------------------------------------------------------

static volatile sig_atomic_t interrupted;

static void interrupt(int number) {
    (void)number;
    interrupted = 1;
}

// Until the detached supervisor is up or gone; Ctrl-C until then ends it.
static int wait_for_start(pid_t child, int told) {
    char code;
    int how = 0;
    const struct sigaction action = {.sa_handler = interrupt};
    ASSERT(sigaction(SIGINT, &action, NULL) == 0 && sigaction(SIGTERM, &action, NULL) == 0);
    ssize_t taken;
    while ((taken = read(told, &code, 1)) < 0 && errno == EINTR) {
        if (interrupted)
            (void)kill(child, SIGTERM); // gone: the next read says so
    }
    if (taken == 1)
        return code;
    while (waitpid(child, &how, 0) < 0 && errno == EINTR)
        continue;
    return WIFEXITED(how) && WEXITSTATUS(how) != 0 ? WEXITSTATUS(how) : EXIT_FAILED;
}

static int live_detached(const struct up_config *config) {
    int ends[2];
    // Whoever started us may wait for the end of what we inherited from him.
    (void)close_range(STDERR_FILENO + 1, ~0U, 0);
    if (pipe2(ends, O_CLOEXEC) != 0)
        return command_fail("up", strerror(errno));
    pid_t child = fork();
    if (child < 0)
        return command_fail("up", strerror(errno));
    if (child > 0) {
        close(ends[1]);
        return wait_for_start(child, ends[0]);
    }
    close(ends[0]);
    (void)setsid(); // a fresh child leads no group
    exit(live(config, &(struct detached){.told = ends[1]}));
}

// --- the command -------------------------------------------------------------------------------

int up_command(int argc, char **argv) {
    struct up_config config;
    up_config_read(&config, argc, argv);
    const char *option = argc > 1 ? argv[1] : "";
    if (argc > 2)
        return command_refuse("up", "It takes one option at a time; see valorize up --help.");
    if (option[0] == '\0')
        return live(&config, &(struct detached){.told = -1});
    if (strcmp(option, "--detach") == 0)
        return live_detached(&config);
    if (strcmp(option, "--status") == 0)
        return look_status(config.base.data);
    if (strcmp(option, "--stop") == 0)
        return look_stop(&config);
    fprintf(stderr, "valorize up: there is no option %s; see valorize up --help.\n", option);
    return EXIT_REFUSED;
}
