// SPDX-License-Identifier: Apache-2.0
// What commands that change single processes of a running system share: an order to its
// supervisor, and the wait until it is carried out. Sentences go to stderr.
#pragma once
#include "system_view.h"

struct steward {
    const char *command; // whose sentences they are
    const char *data; // VALORIZE_DATA
    struct arena arena; // of the latest look
    struct system_view view; // the latest look
};

void steward_open(struct steward *steward, const char *command, const char *data);
void steward_close(struct steward *steward);

// Asks the supervisor, every process and every broker. False after a sentence: there is no
// supervisor that answers.
MUST_USE bool steward_look(struct steward *steward);

// Of the process of that name at the latest look; 0: there is none.
int64_t steward_pid(const struct steward *steward, const char *name);

// "drain query-1". False after its sentence. ret_pid: of the process that was asked, or 0.
MUST_USE bool steward_order(struct steward *steward, const char *order, int64_t *ret_pid);

// Until the process that had this pid is gone and, unless it is to stay down, its successor is
// ready and, where everybody is meant, all links are up. False after a sentence.
enum steward_wish { WISH_DOWN, WISH_READY, WISH_ALL_READY };
MUST_USE bool steward_wait(struct steward *steward, const char *name, int64_t old_pid,
                           enum steward_wish wish);

// Then a moment more, so that what a new process still has to do (connections, plans, caches,
// clients that come back) is over before the next one begins. False after a sentence: it ended
// meanwhile, and others like it would, too.
MUST_USE bool steward_settle(struct steward *steward, const char *name, enum steward_wish wish);
