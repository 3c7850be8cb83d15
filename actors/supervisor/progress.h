// SPDX-License-Identifier: Apache-2.0
// What `valorize up` tells the person who started it: a line a step, with what it took.
#pragma once
#include "contract.h"

struct progress { // zero-initialized
    uint64_t begun_us; // of the open line; 0: none
};

void progress_begin(struct progress *progress, uint64_t now_us, const char *what);
void progress_end(struct progress *progress, uint64_t now_us);
void progress_break(struct progress *progress); // the step came to nothing
