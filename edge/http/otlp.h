// SPDX-License-Identifier: Apache-2.0
// Spans as OTLP's JSON: an ExportTraceServiceRequest of one resource and one scope. Ids are hex,
// times and integers are decimal strings, as the protocol's JSON encoding wants them. Pure.
#pragma once
#include "sheet.h"
#include "span.h"

enum {
    OTLP_FRAME_BYTES = 256, // around resource and spans
    OTLP_REQUEST_BYTES_MAX = 6 << 10, // all spans of one request
};

// `{"attributes":[...]}` of the process; name is "http-1", others are added to it, and win.
void otlp_resource_write(struct sheet *sheet, const char *name, const struct parameter *others,
                         uint32_t other_count);

// Each writes at `at`, where there must be room, and returns the end. A message is begin, at least
// one request, end.
char *otlp_begin(struct text resource, char *at);
char *otlp_add(const struct traced *traced, bool first, char *at);
char *otlp_end(char *at);

// How many spans a collector did not take of those it was sent, from its answer's body.
uint64_t otlp_rejected(struct text body, struct arena *arena);
