// SPDX-License-Identifier: Apache-2.0
// Failures -> the JSON bodies of errors. Which HTTP code a status has stands in failures.toml.
#pragma once
#include "arena.h"
#include "failure.h"

// Its answer says when to try again.
bool problem_wants_retry(enum status status);

// {"message": "...", "errors": {"amount.value": ["..."]}}: with field errors the message is the
// first one and how many more there are; without, the failure's own sentence or its status's and
// no "errors".
// bytes == NULL when the arena is full.
MUST_USE struct text problem_write(const struct failure *failure, struct arena *arena);

// A whole answer that ends its connection, status line included and ended by a NUL: for bodies
// under way, to which the HTTP library has no other way than the bare bytes. False: it does not
// fit.
MUST_USE bool problem_write_bare(enum status status, const char *phrase, struct arena *arena,
                                 char *answer, size_t size);
