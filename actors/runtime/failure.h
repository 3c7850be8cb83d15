// SPDX-License-Identifier: Apache-2.0
// Why a message ended without its effect. `enum status` is generated from schemas/failures.toml;
// the edge alone turns it into HTTP.
#pragma once
#include "arena.h"
#include "limits.h"
#include "status.h"

struct field_error {
    struct text path; // "amount.value", "accounts.0"
    struct text message; // an English sentence
};

// One field may have several errors. Further ones than FIELD_ERRORS_MAX are counted only.
struct failure {
    enum status status; // STATUS_OK while nothing failed
    struct text sentence; // instead of the status's, or bytes == NULL; does not travel on the bus
    uint32_t error_count; // of errors[] in use
    uint32_t errors_dropped;
    struct field_error errors[FIELD_ERRORS_MAX];
};

void failure_reset(struct failure *failure);

// Adds a field error and makes the status STATUS_INVALID. path and message are borrowed: literals
// or texts of the message's arena.
void failure_add(struct failure *failure, struct text path, struct text message);

// The body of a failed reply: the field errors as msgpack, decoded by the edge with failure_decode.
// Both are bounded by FIELD_ERRORS_MAX; the texts of a decoded failure live in bytes.
MUST_USE struct text failure_encode(const struct failure *failure, struct arena *arena);
MUST_USE bool failure_decode(struct failure *failure, enum status status, struct text bytes);
