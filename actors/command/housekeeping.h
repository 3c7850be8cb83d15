// SPDX-License-Identifier: Apache-2.0
// Calls the database's own housekeeping() every HOUSEKEEPING_MS on a connection of its own:
// idempotency tables emptied before their turn, old outbox rows deleted. Of several actors that
// call at once one does the work.
#pragma once
#include "database.h"

struct housekeeping;

// NULL after filling the sentence, as database_new.
MUST_USE struct housekeeping *housekeeping_new(struct loop *loop, const char *url, const char *name,
                                               uint64_t seed, char *ret_sentence,
                                               size_t sentence_size);
struct housekeeping *housekeeping_free(struct housekeeping *housekeeping); // accepts NULL
