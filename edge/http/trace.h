// SPDX-License-Identifier: Apache-2.0
// W3C trace context and the request id: continued where the client's is sound, else made. Pure;
// chance is the owner's (chance.h): ids need to differ, not to be secret.
#pragma once
#include "contract.h"
#include "text.h"

enum {
    REQUEST_ID_BYTES_MAX = 64, // a longer client's id is replaced
    SPAN_ID_BYTES = 8,
    SPAN_ID_AT = TRACE_BYTES - 1 - SPAN_ID_BYTES, // in the envelope's bytes
};

// Fills trace id, a new span id and the flags. The client's trace id and flags are kept when
// traceparent is well formed (any version but ff); its span id is the parent, else that is zero.
void trace_begin(struct text traceparent, uint64_t *random, uint8_t ret_trace[TRACE_BYTES],
                 uint8_t ret_parent[SPAN_ID_BYTES]);

bool trace_is_sampled(const uint8_t trace[TRACE_BYTES]);

// One that begins here is sampled with this probability, 0 to 1, by its id, so that all who use the
// same number choose the same; one that a client began is, where the client's flags say so.
void trace_sample(uint8_t trace[TRACE_BYTES], const uint8_t parent[SPAN_ID_BYTES], double ratio);

// The client's id when it is 1 to REQUEST_ID_BYTES_MAX of A-Z a-z 0-9 . _ -, else the trace id.
// Terminated by NUL.
void request_id_begin(struct text client, const uint8_t trace[TRACE_BYTES],
                      char ret_id[REQUEST_ID_BYTES_MAX + 1]);
