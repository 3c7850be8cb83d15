// SPDX-License-Identifier: Apache-2.0
// An HTTP/1.1 server in the process's own loop: whole requests come out, answers go in, now or
// later. It keeps the connections: keep-alive, pipelining, HEAD, limits, absolute deadlines, a
// client that leaves, the drain. It knows no route and no body format: whatever is refused comes
// out as a request with its trouble named, so that the owner words every answer itself. Only
// what cannot be parsed at all, or overflows the connection's pool, is answered by the library.
#pragma once
#include "limits.h"
#include "loop.h"
#include "text.h"

enum { HTTP_REQUEST_HEADERS_MAX = 12, HTTP_RESPONSE_HEADERS_MAX = 12 };

// What is refused before the owner's work. libmicrohttpd 1.0 answers two cases itself, 400 with a
// page of its own and the end of the connection: no Host, and a Transfer-Encoding but chunked.
enum http_trouble {
    HTTP_FINE,
    HTTP_MALFORMED, // two lengths, a name that is none: 400
    HTTP_URL_TOO_LONG, // 414
    HTTP_HEADERS_TOO_LARGE, // 431
    HTTP_BODY_TOO_LARGE, // 413
    HTTP_FULL, // no memory left for its body: 503
    HTTP_PATH_WITH_NUL, // there is no such path, but request.path ends before it: 404
    HTTP_NO_HOST, // or more than one: 400
};

// Lives from on_request until its answer or on_abandoned; texts and state as long.
struct http_request {
    struct text method; // "GET"; this and path are ended by a NUL that is not counted
    struct text path; // percent-decoded, without the query
    struct text headers[HTTP_REQUEST_HEADERS_MAX]; // in the order of options.headers
    struct text body; // length 0: none
    enum http_trouble trouble; // but for HTTP_FINE body and headers may be missing, and the
                               // answer must be given inside on_request
    uint64_t received_us; // when its headers were complete
    void *state; // options.state_bytes of the owner, zeroed
};

struct http_header {
    const char *name;
    const char *value; // no line ends
};

struct http_response {
    int code;
    struct text body; // copied
    uint32_t header_count; // of headers[] in use
    struct http_header headers[HTTP_RESPONSE_HEADERS_MAX]; // copied
};

struct http_server_options {
    int listener; // bound, listening, non-blocking; the server closes it
    uint32_t connections_max; // further ones wait in the listen queue
    uint32_t bodies_max; // requests with a body in hand at once; then HTTP_FULL
    uint32_t body_bytes_max;
    uint32_t url_bytes_max;
    uint32_t header_bytes_max;
    uint32_t header_ms; // from the accept or the request line to the end of the headers; closed
    uint32_t body_ms; // from there to the end of the body; timed_out is sent, closed
    uint32_t idle_ms; // between requests; closed
    uint32_t send_ms; // for an answer to be taken; closed
    const char *timed_out; // the whole answer to a late body, status line included
    const char *too_large; // likewise, to a body of unknown length that does not end
    const char *const *headers; // names, lower case, NULL-terminated
    uint32_t state_bytes;
    void *context;
    // A request is complete. http_request_answer may be called inside or later.
    void (*on_request)(void *context, struct http_request *request);
    // The connection was reset before the answer, which must not be given any more. A client that
    // only ended its side of the connection may wait for the answer: that is no reason.
    void (*on_abandoned)(void *context, struct http_request *request);
};

struct http_server;

// NULL when memory is short. Options are copied, the strings in them borrowed.
struct http_server *http_server_new(struct loop *loop, const struct http_server_options *options);
struct http_server *http_server_free(struct http_server *server); // abandons what is in hand

// Exactly once a request, unless it was abandoned. Does not block, does not call back.
void http_request_answer(struct http_request *request, const struct http_response *response);

// Copies out the query's pairs in their order, HTTP_PARAMETERS_MAX at most; returns how many. A
// name without '=' has an empty value.
uint32_t http_request_parameters(const struct http_request *request,
                                 struct parameter parameters[HTTP_PARAMETERS_MAX]);

// No further connection is accepted, every further answer closes its connection; those between
// requests end after HTTP_DRAIN_IDLE_MS, while requests are still served.
void http_server_drain(struct http_server *server);

uint32_t http_server_connections(const struct http_server *server); // open ones
uint32_t http_server_requests(const struct http_server *server); // unanswered ones
