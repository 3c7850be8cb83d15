// SPDX-License-Identifier: Apache-2.0
// Preloaded into a PostgreSQL of the tests: while the file named by FULL_DISK exists, no file can
// grow any more. A real full disk would need a file system of our own, which not every
// machine lets a test mount.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

// Writing over what a file has already is possible on a full disk, too.
static int needs_room(int descriptor, off_t end) {
    struct stat file;
    const char *mark = getenv("FULL_DISK");
    return mark != NULL && access(mark, F_OK) == 0 && fstat(descriptor, &file) == 0 &&
           S_ISREG(file.st_mode) && end > file.st_size;
}

static off_t parts_length(const struct iovec *parts, int count) {
    off_t length = 0;
    for (int i = 0; i < count; i++)
        length += (off_t)parts[i].iov_len;
    return length;
}

#define WRITER(name, end, parameters, arguments) \
    ssize_t name parameters { \
        static ssize_t(*real) parameters; \
        if (real == NULL) \
            *(void **)&real = dlsym(RTLD_NEXT, #name); \
        if (needs_room(descriptor, end)) { \
            errno = ENOSPC; \
            return -1; \
        } \
        return real arguments; \
    }

WRITER(pwrite, at + (off_t)count, (int descriptor, const void *bytes, size_t count, off_t at),
       (descriptor, bytes, count, at))
WRITER(pwrite64, at + (off_t)count, (int descriptor, const void *bytes, size_t count, off64_t at),
       (descriptor, bytes, count, at))
WRITER(pwritev, at + parts_length(parts, count),
       (int descriptor, const struct iovec *parts, int count, off_t at),
       (descriptor, parts, count, at))
WRITER(pwritev64, at + parts_length(parts, count),
       (int descriptor, const struct iovec *parts, int count, off64_t at),
       (descriptor, parts, count, at))

int posix_fallocate(int descriptor, off_t at, off_t length) {
    static int (*real)(int, off_t, off_t);
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "posix_fallocate");
    return needs_room(descriptor, at + length) ? ENOSPC : real(descriptor, at, length);
}
