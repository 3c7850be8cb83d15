// SPDX-License-Identifier: Apache-2.0
#include "log_file.h"

#include "json.h"
#include "limits.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TAIL_BYTES = 8192, PATH_BYTES = 4200, ARENA_BYTES = 64 << 10 };

int log_file_open(const char *path) {
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR);
}

// --- the bound ---------------------------------------------------------------------------------

static bool copy_all(int from, int to, off_t length) {
    off_t at = 0;
    while (at < length) {
        ssize_t copied = sendfile(to, from, &at, (size_t)(length - at));
        if (copied <= 0)
            return false;
    }
    return true;
}

// Lines written between the copy and the cut are lost; the process writes on with O_APPEND.
static bool move_aside(int log, const char *path, off_t length) {
    char older[PATH_BYTES];
    int written = snprintf(older, sizeof older, "%s.1", path);
    if (written < 0 || written >= (int)sizeof older) {
        errno = ENAMETOOLONG;
        return false;
    }
    int copy = open(older, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (copy < 0)
        return false;
    (void)copy_all(log, copy, length); // a full disk: the log is cut all the more
    close(copy);
    return ftruncate(log, 0) == 0;
}

bool log_file_bound(const char *path) {
    struct stat status;
    if (stat(path, &status) != 0)
        return errno == ENOENT;
    if (status.st_size < LOG_FILE_BYTES_MAX)
        return true;
    int log = open(path, O_RDWR | O_CLOEXEC);
    if (log < 0)
        return false;
    bool good = move_aside(log, path, status.st_size);
    int reason = errno;
    close(log);
    errno = reason;
    return good;
}

// --- its end -----------------------------------------------------------------------------------

struct line_view {
    struct text message;
};

static const struct field line_fields[] = {{.name = "message",
                                            .number = 1,
                                            .type = FIELD_STRING,
                                            .place = PLACE_BODY,
                                            .offset = offsetof(struct line_view, message),
                                            .presence_offset = FIELD_ALWAYS,
                                            .element_size = sizeof(struct text)}};

static const struct message line_message = {"line", line_fields, COUNT_OF(line_fields),
                                            sizeof(struct line_view), 1};

static struct text tail_read(const char *path, char bytes[TAIL_BYTES]) {
    int log = open(path, O_RDONLY | O_CLOEXEC);
    if (log < 0)
        return (struct text){bytes, 0};
    off_t length = lseek(log, 0, SEEK_END);
    ssize_t taken = pread(log, bytes, TAIL_BYTES, MAX(length - TAIL_BYTES, 0));
    close(log);
    return (struct text){bytes, (uint32_t)MAX(taken, 0)};
}

static struct text last_line(struct text tail) {
    uint32_t end = tail.length;
    while (end > 0 && (tail.bytes[end - 1] == '\n' || tail.bytes[end - 1] == ' '))
        end--;
    uint32_t start = end;
    while (start > 0 && tail.bytes[start - 1] != '\n')
        start--;
    return (struct text){tail.bytes + start, end - start};
}

void log_file_last_line(const char *path, char *ret_line, size_t size) {
    char bytes[TAIL_BYTES];
    struct text line = last_line(tail_read(path, bytes));
    struct arena arena;
    struct line_view view;
    arena_init(&arena, ARENA_BYTES);
    if (line.length > 0 && json_read_view(&line_message, line, &arena, &view))
        line = view.message;
    (void)snprintf(ret_line, size, "%.*s", (int)line.length, line.bytes); // a long one is cut
    arena_deinit(&arena);
}
