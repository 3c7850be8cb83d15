// SPDX-License-Identifier: Apache-2.0
// Who works gives way to who takes in. Where more is asked than the cores can do, an edge or a
// broker that must wait for its turn among a dozen busy workers refuses late, and what it has not
// read yet waits where no limit counts it.
//
// Linux shares a core among sessions, not processes, where it groups them by itself (autogroup):
// there a process's nice counts only in its own session, and each of ours, each backend of
// PostgreSQL, too, is a session of its own. So both values are set. To lower oneself takes no
// privilege. All of it is an advice: where the kernel has no such groups, or refuses, nothing is
// lost but the precedence.
#pragma once
#include "contract.h"

#include <sys/types.h>

enum {
    ACTOR_NICE = 5,
    DATABASE_NICE = 10, // below actors: they finish what it has done
};

// Of the calling process, and all it will start, inside their sessions.
void precedence_lower_own(int by);

// The same for the sessions of a process and of its children. False: the kernel takes one change in
// PRECEDENCE_AGAIN_MS from who has no privileges, and some are left; to be called again then.
bool precedence_lower(pid_t pid, int nice);

enum { PRECEDENCE_AGAIN_MS = 110 };
