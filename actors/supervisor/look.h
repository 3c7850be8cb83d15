// SPDX-License-Identifier: Apache-2.0
// What is asked of a running system from another process: --status and --stop, with a supervisor
// there or without.
#pragma once
#include "settings.h"

// Prints the table of processes. Exit code 0 when all of them are ready, else 1.
int look_status(const char *data);

// Ends everything in order, by the supervisor or, where that was killed, in its place. Exit code 0
// when nothing runs any more.
int look_stop(struct up_config *config);
