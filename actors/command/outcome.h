// SPDX-License-Identifier: Apache-2.0
// What a command's statement returned (schemas/command.sql), out of PostgreSQL's binary form.
#pragma once
#include "database.h"

struct outcome {
    struct text word; // "ok", or what the use case calls it
    bool replayed; // the recorded outcome of an earlier run
    uint64_t version; // of the change; 0: none
    struct rows rows; // of the reply: one row, or none
};

// All texts point into the result, the cells are the arena's. False: it is not of that form.
MUST_USE bool outcome_read(const struct database_result *result, struct arena *arena,
                           struct outcome *ret_outcome);
