// SPDX-License-Identifier: Apache-2.0
// What open_loop wants to know of an HTTP answer with a Content-Length (without one: no body).
// Pure; the bytes are the caller's.
#pragma once
#include "contract.h"
#include "text.h"

enum answer_state { ANSWER_PARTIAL, ANSWER_WHOLE, ANSWER_MALFORMED };

struct http_answer {
    struct text body;
    uint16_t status;
    bool closes; // the server will end the connection
    bool retry_after; // it says when to come again
};

// Of what has been received so far. WHOLE also with more bytes behind, which nobody asked for.
enum answer_state http_answer_read(struct text received, struct http_answer *ret_answer);

// The first "id" of a document, a UUID; false: there is none.
bool http_answer_id(const struct http_answer *answer, struct uuid *ret_id);

// The last integer member of that name; INT64_MIN: there is none.
int64_t http_answer_member(const struct http_answer *answer, const char *name);
