// SPDX-License-Identifier: Apache-2.0
// Preloaded into PostgreSQL: makes its disk slow while a file says so.
//
//   LD_PRELOAD=build/release/experiments/libslow_disk.so SLOW_DISK=FILE ./up --detach
//
// While FILE exists, each write and each flush of a regular file takes so many milliseconds more as
// the file says, flushes first of all; without the file, at once no longer. Only in processes that
// are called postgres.
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { STEP_MS = 5, FLUSH_SHARE = 10 }; // a write takes a tenth of a flush

static long delay_ms(const char *mark) {
    FILE *file = fopen(mark, "re");
    long delay = 0;
    if (file == NULL)
        return 0;
    if (fscanf(file, "%ld", &delay) != 1)
        delay = 0;
    fclose(file);
    return delay;
}

// In steps, so that it ends when the file goes.
static void wait_for_disk(int descriptor, long share) {
    const struct timespec step = {.tv_nsec = STEP_MS * 1000000L};
    const char *mark = getenv("SLOW_DISK");
    struct stat file;
    int before = errno;
    if (mark == NULL || strcmp(program_invocation_short_name, "postgres") != 0 ||
        access(mark, F_OK) != 0 || fstat(descriptor, &file) != 0 || !S_ISREG(file.st_mode)) {
        errno = before;
        return;
    }
    for (long left = delay_ms(mark) / share; left > 0 && access(mark, F_OK) == 0; left -= STEP_MS)
        (void)nanosleep(&step, NULL);
    errno = before;
}

#define SLOW(type, name, share, parameters, arguments) \
    type name parameters; \
    type name parameters { \
        static type(*real) parameters; \
        if (real == NULL) \
            *(void **)&real = dlsym(RTLD_NEXT, #name); \
        wait_for_disk(descriptor, share); \
        return real arguments; \
    }

SLOW(int, fsync, 1, (int descriptor), (descriptor))
SLOW(int, fdatasync, 1, (int descriptor), (descriptor))
SLOW(ssize_t, pwrite, FLUSH_SHARE, (int descriptor, const void *bytes, size_t count, off_t at),
     (descriptor, bytes, count, at))
SLOW(ssize_t, pwrite64, FLUSH_SHARE, (int descriptor, const void *bytes, size_t count, off64_t at),
     (descriptor, bytes, count, at))
SLOW(ssize_t, pwritev, FLUSH_SHARE,
     (int descriptor, const struct iovec *parts, int count, off_t at),
     (descriptor, parts, count, at))
SLOW(ssize_t, pwritev64, FLUSH_SHARE,
     (int descriptor, const struct iovec *parts, int count, off64_t at),
     (descriptor, parts, count, at))
