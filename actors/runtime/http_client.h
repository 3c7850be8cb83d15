// SPDX-License-Identifier: Apache-2.0
// An HTTP and HTTPS client on the loop: requests go out, answers come in, nothing blocks. A server
// that is gone, hangs, is slow or sends too much costs a request its deadline and nothing else.
// Names are looked up by a thread of the library's own. Redirects are not followed; the proxy
// variables of the environment are honoured.
#pragma once
#include "loop.h"
#include "text.h"

struct http_client;

// Valid until the callback returns.
struct http_reply {
    int code; // 0: there is none
    const char *trouble; // then: why not
    uint32_t retry_after_s; // of the header; 0: it says nothing
    struct text body;
};

struct http_client_options {
    uint32_t connections_max; // open at once; requests beyond them wait, within their deadline
    uint32_t requests_max; // unanswered at once, with those that wait
    uint32_t reply_bytes_max; // of a body; a longer one is trouble
    const char *certificates; // file of those to believe instead of the system's; or NULL
    void *context;
    void (*on_reply)(void *context, void *request, const struct http_reply *reply);
};

struct http_call {
    const char *method; // "POST"
    const char *url; // "http://host:port/path" or https
    const char *const *headers; // "Content-Type: application/json", ...; ended by NULL
    struct text body; // bytes == NULL: none
    uint32_t deadline_ms; // from now to the end of the answer
    void *request; // given back with the reply
};

// NULL when memory is short. Strings are borrowed.
struct http_client *http_client_new(struct loop *loop, const struct http_client_options *options);

// What is unanswered ends without on_reply. Accepts NULL, returns NULL; not from inside on_reply.
struct http_client *http_client_free(struct http_client *client);

// Copies all of the call. Exactly one on_reply follows, never from inside this call. False:
// requests_max are unanswered; no on_reply follows.
MUST_USE bool http_client_send(struct http_client *client, const struct http_call *call);
