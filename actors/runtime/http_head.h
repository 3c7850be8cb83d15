// SPDX-License-Identifier: Apache-2.0
// What a request's first line and its headers say: the values its owner wants, where the body ends,
// and what HTTP forbids because two readers could disagree about it. Pure.
#pragma once
#include "http_server.h"

struct http_target { // path and query, as they came
    uint32_t bytes;
    bool has_query;
    bool path_has_nul; // an encoded one
    bool is_cut;
};

// Cuts a query off, in place, behind HTTP_PARAMETERS_MAX pairs.
struct http_target http_target_read(char *target);

struct http_head_names {
    const char *const *names; // lower case, NULL-terminated
    size_t lengths[HTTP_REQUEST_HEADERS_MAX];
    uint32_t count;
};

struct http_head {
    uint64_t body_expected; // Content-Length, else 0
    uint8_t hosts; // how many of each came, up to 2
    uint8_t lengths;
    uint8_t encodings;
    bool malformed; // a name that is none, an encoding but chunked
};

void http_head_names_init(struct http_head_names *names); // the owner has filled names

// One header. The first value of a wanted name is kept, in the place of its name.
void http_head_take(struct http_head *head, struct text name, struct text value,
                    const struct http_head_names *wanted,
                    struct text values[HTTP_REQUEST_HEADERS_MAX]);

bool http_head_has_body(const struct http_head *head);
// The body's end is certain. If not, the connection must end with the answer.
bool http_head_is_framed(const struct http_head *head);
// HTTP_MALFORMED, HTTP_NO_HOST or HTTP_FINE.
enum http_trouble http_head_trouble(const struct http_head *head, bool host_is_optional);
