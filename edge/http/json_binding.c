// SPDX-License-Identifier: Apache-2.0
#include "json_binding.h"

#include "codec.h"
#include "json.h"

static bool has_place(const struct message *message, enum field_place place) {
    for (uint32_t i = 0; i < message->field_count; i++)
        if (message->fields[i].place == place)
            return true;
    return false;
}

bool binding_wants_body(const struct operation *operation) {
    return has_place(operation->request, PLACE_BODY);
}

static enum status bind_all(const struct message *message, const struct binding_source *source,
                            struct arena *arena, void *request, struct failure *failure) {
    enum status status = json_bind_parameters(message, PLACE_PATH, source->path, source->path_count,
                                              arena, request, failure);
    if (status == STATUS_OK || status == STATUS_INVALID)
        status = json_bind_parameters(message, PLACE_QUERY, source->query, source->query_count,
                                      arena, request, failure);
    if ((status == STATUS_OK || status == STATUS_INVALID) && has_place(message, PLACE_BODY))
        status = json_bind_body(message, source->body, arena, request, failure);
    // A place without fault does not undo the fault of another.
    return status == STATUS_OK ? failure->status : status;
}

enum status binding_pack(const struct operation *operation, const struct binding_source *source,
                         struct arena *arena, struct failure *failure, struct text *ret_bytes) {
    const struct message *message = operation->request;
    void *request = arena_take(arena, message->size);
    failure_reset(failure);
    if (request == NULL) {
        failure->status = STATUS_TOO_LARGE;
        return STATUS_TOO_LARGE;
    }
    message_reset(message, request);
    enum status status = bind_all(message, source, arena, request, failure);
    if (status == STATUS_OK)
        status = codec_encode(message, request, arena, ret_bytes);
    failure->status = status;
    return status;
}
