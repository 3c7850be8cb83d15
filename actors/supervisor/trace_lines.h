// SPDX-License-Identifier: Apache-2.0
// Lines of the logs of all processes that belong to one request: which do, in which order, and how
// they are shown. Pure.
//
// A line belongs to an id that is its trace's, or its request's; and, as an edge tells both in one
// line, to the trace of that request. So all lines are learned from first, then asked for.
#pragma once
#include "sheet.h"

enum { TRACE_TRACES_MAX = 16, TRACE_ID_BYTES_MAX = 64 };

struct trace_search {
    struct text id;
    uint32_t count;
    char traces[TRACE_TRACES_MAX][TRACE_ID_BYTES_MAX + 1]; // of requests of that id
};

// False: no process gives such an id to anything. The id is borrowed.
MUST_USE bool trace_search_begin(struct trace_search *search, struct text id);
void trace_search_learn(struct trace_search *search, struct text line);
bool trace_search_finds(const struct trace_search *search, struct text line);

// Of qsort, for struct text: by their time. Those of the same microsecond by their process.
int trace_lines_compare(const void *left, const void *right);

// For people: time, severity, process, message, and every other member.
void trace_line_write(struct sheet *sheet, struct text line);
