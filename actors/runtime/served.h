// SPDX-License-Identifier: Apache-2.0
// Which of its operations an actor serves: all of its kind, or those its configuration names.
#pragma once
#include "control.h"
#include "handler.h"

struct served {
    uint32_t count;
    uint16_t operations[SERVED_MAX]; // for the session's hello
    const struct handler **by_number; // served.numbers of them; NULL where not served
    uint32_t numbers;
    uint32_t statement_count;
    const struct statement **statements; // of all of them, to be prepared
    uint32_t budget_ms_max;
    bool heavy; // one of them at least
};

// names: a comma list of operations; "": all of handlers[]. False after filling the sentence: a
// name that this process does not have. served_deinit follows in either case.
MUST_USE bool served_init(struct served *served, const char *names, char *ret_sentence,
                          size_t sentence_size);
void served_deinit(struct served *served);

// NULL for an operation that is not served.
const struct handler *served_find(const struct served *served, uint16_t number);
