// SPDX-License-Identifier: Apache-2.0
// What an operation is, apart from its code: one row a use case, generated from schemas/*.toml
// into operations.c, in every process the same.
#pragma once
#include "message.h"
#include "status.h"

enum operation_kind { OPERATION_QUERY, OPERATION_COMMAND };
enum lane { LANE_INTERACTIVE, LANE_COMMAND, LANE_TASK, LANE_BULK, LANE_COUNT };
enum reply_form { REPLY_NONE, REPLY_ONE, REPLY_LIST, REPLY_PAGE };

struct operation {
    const char *name;
    uint16_t number; // `op` of the envelope, never reused
    uint8_t kind; // enum operation_kind
    uint8_t lane; // enum lane
    const char *method; // NULL: internal, has no route
    const char *path; // "/api/transactions/{id}"
    bool authenticated; // needs a bearer token
    bool testing; // exists only with VALORIZE_TESTING=1, else 404
    bool cached; // pages are kept in Redis
    bool heavy; // runs on a connection of its own
    uint32_t budget_ms;
    enum status success;
    uint8_t form; // enum reply_form
    uint16_t reply_version; // part of cache keys
    const struct message *request;
    const struct message *reply; // NULL with REPLY_NONE
};

extern const struct operation operations[];
extern const uint32_t operation_count;

// NULL where this build does not know the number. A plain search; the handler of each message is
// found in the table of served.h.
static inline const struct operation *operation_find(uint16_t number) {
    for (uint32_t i = 0; i < operation_count; i++) {
        if (operations[i].number == number)
            return &operations[i];
    }
    return NULL;
}
