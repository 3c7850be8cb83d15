// SPDX-License-Identifier: Apache-2.0
// One request's path, query and body -> the operation's request struct -> its bytes on the bus.
// The fields and their sentences are json.h's; here is the order of places and what ends early.
#pragma once
#include "arena.h"
#include "failure.h"
#include "operation.h"
#include "router.h"

struct binding_source {
    const struct parameter *path;
    uint32_t path_count;
    const struct parameter *query;
    uint32_t query_count;
    struct text body; // length 0: none
};

// Every wrong field of all three places is told at once. STATUS_OK: ret_bytes, in the arena, is
// the canonical body. Otherwise failure says why: STATUS_INVALID, STATUS_MALFORMED,
// STATUS_NOT_FOUND (an id that is none in the path), STATUS_TOO_LARGE (the arena).
MUST_USE enum status binding_pack(const struct operation *operation,
                                  const struct binding_source *source, struct arena *arena,
                                  struct failure *failure, struct text *ret_bytes);

// Whether the operation reads a body at all; if not, one is ignored whatever its type.
bool binding_wants_body(const struct operation *operation);
