// SPDX-License-Identifier: Apache-2.0
// What a SQL error means to the message it ended: PostgreSQL's five-letter states in a few kinds.
#pragma once
#include "contract.h"
#include "status.h"

enum trouble {
    TROUBLE_NONE,
    TROUBLE_STATEMENT, // of this statement with these parameters: again would fail again
    TROUBLE_TIMEOUT, // statement_timeout, or cancelled
    TROUBLE_LOCKED, // lock_timeout, deadlock, serialization: again may succeed
    TROUBLE_SERVER, // of the server as a whole: disk full, shutting down, read only
};

// state: "57014"; NULL or "" (libpq's own errors) is TROUBLE_SERVER.
enum trouble trouble_of_state(const char *state);

// How a message ends whose statement had that trouble when it was alone. Nothing was done in any
// case: the transaction was rolled back.
enum status trouble_status(enum trouble trouble);
