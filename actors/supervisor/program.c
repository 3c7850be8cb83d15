// SPDX-License-Identifier: Apache-2.0
#include "program.h"

#include "precedence.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_NOT_SETTLED = 126, EXIT_NOT_EXECUTED = 127 };

extern char **environ;

void program_add_argument(struct program *program, const char *argument) {
    ASSERT(program->argument_count < PROGRAM_ARGUMENTS_MAX);
    program->arguments[program->argument_count++] = argument;
}

void program_add_variable(struct program *program, const char *variable) {
    ASSERT(program->variable_count < PROGRAM_VARIABLES_MAX);
    program->variables[program->variable_count++] = variable;
}

enum { SPARE = 16 }; // for the variables that the owner adds

static bool belongs_to_valorize(const char *variable) {
    static const char *const prefixes[] = {"VALORIZE_", "OTEL_",
                                           "DATABASE_URL=", "REDIS_URL=", "PORT="};
    for (size_t i = 0; i < COUNT_OF(prefixes); i++) {
        if (strncmp(variable, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    }
    return false;
}

void program_add_environment(struct program *program) {
    for (char **entry = environ; entry != NULL && *entry != NULL; entry++) {
        if (!belongs_to_valorize(*entry) && program->variable_count < PROGRAM_VARIABLES_MAX - SPARE)
            program_add_variable(program, *entry);
    }
}

void program_add_own(struct program *program, const char *prefix) {
    for (char **entry = environ; entry != NULL && *entry != NULL; entry++) {
        if (strncmp(*entry, prefix, strlen(prefix)) == 0 &&
            program->variable_count < PROGRAM_VARIABLES_MAX - SPARE)
            program_add_variable(program, *entry);
    }
}

static _Noreturn void give_up(const char *what, const char *name, int code) {
    dprintf(STDERR_FILENO, "%s %s: %s.\n", what, name, strerror(errno));
    _exit(code);
}

void program_settle(struct identity identity, const char *file, int output) {
    sigset_t none;
    sigemptyset(&none);
    int input = open(file == NULL ? "/dev/null" : file, O_RDONLY);
    if (input < 0 || dup2(input, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 ||
        dup2(output, STDERR_FILENO) < 0)
        _exit(EXIT_NOT_SETTLED);
    if (input > STDERR_FILENO)
        close(input);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)sigprocmask(SIG_SETMASK, &none, NULL); // both cannot fail with these values
    if (identity.other &&
        (setgroups(0, NULL) != 0 || setgid(identity.group) != 0 || setuid(identity.user) != 0))
        give_up("Cannot become another user", "", EXIT_NOT_SETTLED);
}

static _Noreturn void become(const struct program *program, int output) {
    program_settle(program->identity, program->input, output);
    // Descriptors that the supervisor inherited itself are closed, too.
    if (close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC) != 0 ||
        (program->passed >= 0 && fcntl(program->passed, F_SETFD, 0) != 0))
        _exit(EXIT_NOT_SETTLED);
    (void)execve(program->arguments[0], (char *const *)program->arguments,
                 (char *const *)program->variables);
    give_up("Cannot execute", program->arguments[0], EXIT_NOT_EXECUTED);
}

pid_t program_start(const struct program *program, int output) {
    pid_t child = fork();
    if (child != 0)
        return child;
    (void)setsid(); // fails only for a group's leader, which a fresh child is not
    precedence_lower_own(program->nice);
    become(program, output);
}

bool program_run(const struct program *program, int output) {
    int how = 0;
    pid_t child = fork();
    if (child == 0)
        become(program, output);
    while (child > 0 && waitpid(child, &how, 0) < 0 && errno == EINTR)
        continue;
    return child > 0 && WIFEXITED(how) && WEXITSTATUS(how) == 0;
}
