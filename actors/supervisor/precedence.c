// SPDX-License-Identifier: Apache-2.0
#include "precedence.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_BYTES = 64, LINE_BYTES = 64, CHILDREN_BYTES = 8 << 10 }; // further children: unchanged

void precedence_lower_own(int by) {
    (void)!nice(by); // an advice
}

// "" where there is no such file.
static void file_read(const char *path, char *ret_text, size_t size) {
    ssize_t taken = -1;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file >= 0) {
        taken = read(file, ret_text, size - 1);
        close(file);
    }
    ret_text[MAX(taken, 0)] = '\0';
}

// False: not now.
static bool session_lower(pid_t pid, int nice) {
    char path[PATH_BYTES], told[LINE_BYTES], wanted[LINE_BYTES];
    (void)snprintf(path, sizeof path, "/proc/%d/autogroup", (int)pid); // fits
    file_read(path, told, sizeof told); // "/autogroup-4711 nice 0\n"
    int length = snprintf(wanted, sizeof wanted, " nice %d\n", nice); // fits
    const char *at = strchr(told, ' ');
    if (at == NULL || strcmp(at, wanted) == 0)
        return true;
    int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0)
        return true;
    const char *digits = wanted + strlen(" nice ");
    ssize_t written = write(file, digits, (size_t)(wanted + length - digits));
    bool later = written < 0 && errno == EAGAIN;
    close(file);
    return !later;
}

bool precedence_lower(pid_t pid, int nice) {
    char path[PATH_BYTES], children[CHILDREN_BYTES];
    (void)snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid); // fits
    file_read(path, children, sizeof children);
    bool done = session_lower(pid, nice);
    char *end;
    for (const char *at = children; done; at = end) {
        long child = strtol(at, &end, 10);
        if (end == at || *end != ' ') // the last one may be cut
            break;
        done = session_lower((pid_t)child, nice);
    }
    return done;
}
