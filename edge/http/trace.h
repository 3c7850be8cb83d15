// SPDX-License-Identifier: Apache-2.0
// W3C trace context and the request id: continued where the client's is sound, else made. Pure;
// chance comes from a small generator that its owner seeds: ids need to differ, not to be secret.
#pragma once
#include "contract.h"
#include "text.h"

enum { REQUEST_ID_BYTES_MAX = 64 }; // a longer client's id is replaced

// Fills trace id, a new span id and the flags. The client's trace id and flags are kept when
// traceparent is well formed (any version but ff).
void trace_begin(struct text traceparent, uint64_t *random, uint8_t ret_trace[TRACE_BYTES]);

// The client's id when it is 1 to REQUEST_ID_BYTES_MAX of A-Z a-z 0-9 . _ -, else the trace id.
// Terminated by NUL.
void request_id_begin(struct text client, const uint8_t trace[TRACE_BYTES],
                      char ret_id[REQUEST_ID_BYTES_MAX + 1]);
