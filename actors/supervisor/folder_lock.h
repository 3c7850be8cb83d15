// SPDX-License-Identifier: Apache-2.0
// One supervisor a folder: a lock on run/supervisor.lock that the kernel gives back however its
// holder ends, and that says who holds it. Children do not inherit it.
#pragma once
#include "contract.h"

#include <sys/types.h>

// The descriptor to keep, or -1: then *ret_holder is who has it, or 0 and errno.
MUST_USE int folder_lock_take(const char *run, pid_t *ret_holder);

// Who has it now; 0: nobody.
pid_t folder_lock_holder(const char *run);
