// SPDX-License-Identifier: Apache-2.0
#include "folder_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 4200 };

static int lock_open(const char *run, int flags) {
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/supervisor.lock", run); // fits: run is much shorter
    return open(path, flags | O_CLOEXEC, S_IRUSR | S_IWUSR);
}

static pid_t lock_holder(int descriptor) {
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(descriptor, F_GETLK, &lock) != 0 || lock.l_type == F_UNLCK)
        return 0;
    return lock.l_pid;
}

int folder_lock_take(const char *run, pid_t *ret_holder) {
    const struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    *ret_holder = 0;
    int descriptor = lock_open(run, O_RDWR | O_CREAT);
    if (descriptor < 0 || fcntl(descriptor, F_SETLK, &lock) == 0)
        return descriptor;
    int reason = errno;
    *ret_holder = lock_holder(descriptor);
    close(descriptor);
    errno = reason;
    return -1;
}

pid_t folder_lock_holder(const char *run) {
    int descriptor = lock_open(run, O_RDWR);
    if (descriptor < 0)
        return 0;
    pid_t holder = lock_holder(descriptor);
    close(descriptor);
    return holder;
}
