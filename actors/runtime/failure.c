// SPDX-License-Identifier: Apache-2.0
#include "failure.h"

#include "codec.h"

// The wire form, by the same codec as all bodies: {1: [{1: path, 2: message}], 2: dropped}.
struct failure_body {
    struct list errors; // of struct field_error
    int64_t dropped;
};

enum { TEXT_CHARACTERS_MAX = 1000 }; // of a path or a sentence

static const struct field error_fields[] = {
    {.name = "path",
     .number = 1,
     .type = FIELD_STRING,
     .required = true,
     .offset = offsetof(struct field_error, path),
     .presence_offset = FIELD_ALWAYS,
     .maximum = TEXT_CHARACTERS_MAX,
     .element_size = sizeof(struct text)},
    {.name = "message",
     .number = 2,
     .type = FIELD_STRING,
     .required = true,
     .offset = offsetof(struct field_error, message),
     .presence_offset = FIELD_ALWAYS,
     .maximum = TEXT_CHARACTERS_MAX,
     .element_size = sizeof(struct text)},
};

static const struct message error_message = {"field_error", error_fields, COUNT_OF(error_fields),
                                             sizeof(struct field_error), 0};

static const struct field body_fields[] = {
    {.name = "errors",
     .number = 1,
     .type = FIELD_MESSAGE,
     .required = true,
     .list = true,
     .list_maximum = FIELD_ERRORS_MAX,
     .offset = offsetof(struct failure_body, errors),
     .presence_offset = FIELD_ALWAYS,
     .nested = &error_message,
     .element_size = sizeof(struct field_error)},
    {.name = "dropped",
     .number = 2,
     .type = FIELD_INTEGER,
     .required = true,
     .offset = offsetof(struct failure_body, dropped),
     .presence_offset = FIELD_ALWAYS,
     .maximum = UINT32_MAX,
     .element_size = sizeof(int64_t)},
};

static const struct message body_message = {"failure", body_fields, COUNT_OF(body_fields),
                                            sizeof(struct failure_body), 0};

void failure_reset(struct failure *failure) {
    failure->status = STATUS_OK;
    failure->sentence = (struct text){0};
    failure->error_count = 0;
    failure->errors_dropped = 0;
}

void failure_add(struct failure *failure, struct text path, struct text message) {
    failure->status = STATUS_INVALID;
    if (failure->error_count == FIELD_ERRORS_MAX) {
        failure->errors_dropped++;
        return;
    }
    failure->errors[failure->error_count++] = (struct field_error){path, message};
}

struct text failure_encode(const struct failure *failure, struct arena *arena) {
    struct failure_body body = {{(void *)(uintptr_t)failure->errors, failure->error_count},
                                failure->errors_dropped};
    struct text bytes = {0};
    if (codec_encode(&body_message, &body, arena, &bytes) != STATUS_OK)
        return (struct text){"", 0}; // the status travels in the header; the details are lost
    return bytes;
}

bool failure_decode(struct failure *failure, enum status status, struct text bytes) {
    failure_reset(failure);
    failure->status = status;
    if (bytes.length == 0)
        return true;
    struct failure_body body;
    // The list of errors is the only thing taken, and goes where it belongs.
    struct arena arena = {(char *)failure->errors, sizeof failure->errors, 0, false};
    if (codec_decode(&body_message, bytes, &arena, &body) != STATUS_OK)
        return false;
    ASSERT(body.errors.count == 0 || body.errors.items == failure->errors);
    failure->error_count = body.errors.count;
    failure->errors_dropped = (uint32_t)body.dropped;
    return true;
}
