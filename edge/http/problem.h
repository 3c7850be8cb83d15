// SPDX-License-Identifier: Apache-2.0
// Failures -> the JSON bodies of errors. Which HTTP code a status has stands in failures.toml.
#pragma once
#include "arena.h"
#include "failure.h"

// {"message": "...", "errors": {"amount.value": ["..."]}}: with field errors the message is the
// first one and how many more there are; without, the failure's own sentence or its status's and
// no "errors".
// bytes == NULL when the arena is full.
MUST_USE struct text problem_write(const struct failure *failure, struct arena *arena);
