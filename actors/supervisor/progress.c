// SPDX-License-Identifier: Apache-2.0
#include "progress.h"

#include <stdio.h>

enum { WHAT_COLUMNS = 64 };

void progress_begin(struct progress *progress, uint64_t now_us, const char *what) {
    progress->begun_us = now_us;
    printf("%-*s ", WHAT_COLUMNS, what);
    fflush(stdout);
}

void progress_end(struct progress *progress, uint64_t now_us) {
    if (progress->begun_us == 0)
        return;
    printf("%6.2f s\n", (double)(now_us - progress->begun_us) / 1e6);
    fflush(stdout);
    progress->begun_us = 0;
}

void progress_break(struct progress *progress) {
    if (progress->begun_us == 0)
        return;
    printf("\n");
    fflush(stdout);
    progress->begun_us = 0;
}
