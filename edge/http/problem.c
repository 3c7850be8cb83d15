// SPDX-License-Identifier: Apache-2.0
#include "problem.h"

#include "json_text.h"

#include <stdio.h>

enum { FRAME_BYTES = 64 }; // braces and names around all

bool problem_wants_retry(enum status status) {
    return status == STATUS_OVER_SHARE || status == STATUS_OVER_LIMIT ||
           status == STATUS_QUARANTINED || status == STATUS_UNAVAILABLE || status == STATUS_LOST ||
           status == STATUS_BUSY;
}

static size_t string_room(struct text text) {
    return (size_t)text.length * JSON_TEXT_GROWTH + JSON_TEXT_SLACK + 4; // separators around it
}

static char *put(char *at, const char *text) {
    return stpcpy(at, text);
}

static bool told_before(const struct failure *failure, uint32_t index) {
    for (uint32_t i = 0; i < index; i++)
        if (text_equal(failure->errors[i].path, failure->errors[index].path))
            return true;
    return false;
}

static char *put_errors(char *at, const struct failure *failure) {
    at = put(at, ",\"errors\":{");
    for (uint32_t i = 0; i < failure->error_count; i++) {
        if (told_before(failure, i))
            continue;
        if (i > 0)
            *at++ = ',';
        at = put(json_text_write(failure->errors[i].path, at), ":");
        char before = '[';
        for (uint32_t j = i; j < failure->error_count; j++) {
            if (!text_equal(failure->errors[j].path, failure->errors[i].path))
                continue;
            *at++ = before;
            at = json_text_write(failure->errors[j].message, at);
            before = ',';
        }
        *at++ = ']';
    }
    return put(at, "}");
}

// The failure's sentence, or its status's, or its first error's and how many more there are.
static struct text message_write(const struct failure *failure, struct arena *arena) {
    if (failure->sentence.bytes != NULL)
        return failure->sentence;
    if (failure->error_count == 0)
        return text_of(status_message(failure->status));
    struct text first = failure->errors[0].message;
    uint32_t more = failure->error_count - 1 + failure->errors_dropped;
    if (more == 0)
        return first;
    return arena_format(arena, "%.*s (and %u more error%s)", (int)first.length, first.bytes, more,
                        more == 1 ? "" : "s");
}

struct text problem_write(const struct failure *failure, struct arena *arena) {
    struct text message = message_write(failure, arena);
    size_t room = FRAME_BYTES + string_room(message);
    for (uint32_t i = 0; i < failure->error_count; i++)
        room += string_room(failure->errors[i].path) + string_room(failure->errors[i].message);
    char *bytes = arena_take(arena, room);
    if (message.bytes == NULL || bytes == NULL)
        return (struct text){0};
    char *at = json_text_write(message, put(bytes, "{\"message\":"));
    if (failure->error_count > 0)
        at = put_errors(at, failure);
    at = put(at, "}");
    return (struct text){bytes, (uint32_t)(at - bytes)};
}

bool problem_write_bare(enum status status, const char *phrase, struct arena *arena, char *answer,
                        size_t size) {
    struct text body = problem_write(&(struct failure){.status = status}, arena);
    int length = snprintf(answer, size,
                          "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\n"
                          "Access-Control-Allow-Origin: *\r\nConnection: close\r\n"
                          "Content-Length: %u\r\n\r\n%.*s",
                          status_http(status), phrase, body.length, (int)body.length, body.bytes);
    return length > 0 && (size_t)length < size;
}
