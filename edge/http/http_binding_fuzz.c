// SPDX-License-Identifier: Apache-2.0
// Whatever stands in a query and a body: it is packed into bytes the actor reads, or refused with
// a failure that can be written; a path has an operation or none. Input: operation, then name (a
// header and a path, too) and value of each pair ended by NUL, an empty name, then the body.
#include "codec.h"
#include "json_binding.h"
#include "media.h"
#include "problem.h"
#include "router.h"
#include "tenant.h"
#include "trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct text take_text(const uint8_t **at, size_t *left) {
    const uint8_t *end = memchr(*at, 0, *left);
    size_t length = end == NULL ? *left : (size_t)(end - *at);
    struct text text = {(const char *)*at, (uint32_t)length};
    size_t used = end == NULL ? length : length + 1;
    *at += used;
    *left -= used;
    return text;
}

static void fuzz_headers(struct text text) {
    uint8_t trace[TRACE_BYTES];
    uint8_t parent[SPAN_ID_BYTES];
    char id[REQUEST_ID_BYTES_MAX + 1];
    uint64_t random = 1;
    struct token token;
    trace_begin(text, &random, trace, parent);
    request_id_begin(text, trace, id);
    (void)token_parse(text, &token);
    (void)media_accepts_json(text);
    (void)media_is_json(text);
}

static void fuzz_path(struct text path) {
    static struct router *router;
    if (router == NULL) {
        router = router_new();
        ASSERT(router != NULL);
        router_add(router, operations, operation_count, true);
    }
    struct route_match match;
    for (uint32_t i = 0; i < 2; i++) {
        enum status status = router_find(router, i == 0 ? TEXT("GET") : TEXT("PUT"), path, &match);
        if (status == STATUS_OK)
            ASSERT(match.operation != NULL && match.parameter_count <= ROUTE_PARAMETERS_MAX);
        else
            ASSERT(status == STATUS_NOT_FOUND || status == STATUS_METHOD_NOT_ALLOWED);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct arena arena;
    if (arena.memory == NULL)
        arena_init(&arena, 4 << 20);
    if (size == 0 || size > (64 << 10))
        return 0;
    const struct operation *operation = &operations[data[0] % operation_count];
    const uint8_t *at = data + 1;
    size_t left = size - 1;
    struct parameter pairs[64];
    uint32_t count = 0;
    while (count < COUNT_OF(pairs) && left > 0) {
        pairs[count].name = take_text(&at, &left);
        if (pairs[count].name.length == 0)
            break;
        fuzz_headers(pairs[count].name);
        fuzz_path(pairs[count].name);
        pairs[count++].value = take_text(&at, &left);
    }
    uint32_t path_count = MIN(count, data[0] >> 6);
    struct binding_source source = {
        .path = pairs,
        .path_count = path_count,
        .query = pairs + path_count,
        .query_count = count - path_count,
        .body = {(const char *)at, (uint32_t)left},
    };
    struct failure failure;
    struct text packed;
    arena_reset(&arena);
    enum status status = binding_pack(operation, &source, &arena, &failure, &packed);
    ASSERT(status == failure.status);
    if (status == STATUS_OK) {
        void *request = arena_take(&arena, operation->request->size);
        ASSERT(codec_decode(operation->request, packed, &arena, request) == STATUS_OK);
    } else {
        ASSERT(status_http(status) >= 400 && (status != STATUS_INVALID || failure.error_count > 0));
        (void)problem_write(&failure, &arena);
    }
    return 0;
}
