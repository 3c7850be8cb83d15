// SPDX-License-Identifier: Apache-2.0
// What edges and brokers say of requests without an answer, as structs, and how it is shown. Pure.
#pragma once
#include "arena.h"
#include "sheet.h"

struct inflight_request {
    const char *edge;
    struct text operation, tenant, trace, session;
    int64_t correlation, attempt, age_us, left_us;
    bool held; // waits for credit at its edge
    const char *broker; // that has it, or NULL
    struct text actor; // that has it; bytes == NULL: none
};

// An id that edges know: of a trace, 32 digits of hexadecimal, or a correlation.
bool inflight_is_id(const char *id);

// An edge's answer: its requests are added to the list; false: it is not one of this build. *more
// counts those that it left out.
MUST_USE bool inflight_read_edge(struct text answer, const char *edge, struct arena *arena,
                                 struct inflight_request *requests, uint32_t *count, uint32_t most,
                                 int64_t *more);

// A broker's answer about one of them; one that has it is remembered.
void inflight_read_broker(struct text answer, const char *broker, struct arena *arena,
                          struct inflight_request *request);

void inflight_table_write(struct sheet *sheet, const struct inflight_request *requests,
                          uint32_t count, int64_t more);
void inflight_json_write(struct sheet *sheet, const struct inflight_request *requests,
                         uint32_t count, int64_t more);
