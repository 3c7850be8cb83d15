// SPDX-License-Identifier: Apache-2.0
#include "http_answer.h"

#include "format.h"

#include <stdio.h>
#include <strings.h>

enum { HEAD_BYTES_MAX = 16 << 10, NUMBER_BYTES_MAX = 20 };

// The value of a header whose name is given with its colon; NULL: it did not come.
static struct text header_find(struct text head, const char *name) {
    size_t length = strlen(name);
    const char *end = head.bytes + head.length;
    for (const char *at = head.bytes; at != NULL; at = memchr(at, '\n', (size_t)(end - at))) {
        at += *at == '\n';
        if ((size_t)(end - at) <= length || strncasecmp(at, name, length) != 0)
            continue;
        at += length;
        while (at < end && *at == ' ')
            at++;
        const char *last = memchr(at, '\r', (size_t)(end - at));
        return (struct text){at, (uint32_t)((last == NULL ? end : last) - at)};
    }
    return (struct text){0};
}

// Digits at the start of a text; false: none, or more than fit.
static bool integer_read(struct text text, int64_t *ret_value) {
    char digits[NUMBER_BYTES_MAX + 1];
    uint32_t length = MIN(text.length, (uint32_t)NUMBER_BYTES_MAX);
    memcpy(digits, text.bytes, length);
    digits[length] = '\0';
    char *end = NULL;
    *ret_value = strtoll(digits, &end, 10);
    return end != digits && end < digits + NUMBER_BYTES_MAX;
}

enum answer_state http_answer_read(struct text received, struct http_answer *ret_answer) {
    static const char blank[] = "\r\n\r\n", version[] = "HTTP/1.1 ";
    const char *end = memmem(received.bytes, received.length, blank, sizeof blank - 1);
    if (end == NULL)
        return received.length > HEAD_BYTES_MAX ? ANSWER_MALFORMED : ANSWER_PARTIAL;
    struct text head = {received.bytes, (uint32_t)(end - received.bytes)};
    const char *body = end + sizeof blank - 1;
    int64_t status = 0, length = 0;
    if (head.length < sizeof version + 2 || memcmp(head.bytes, version, sizeof version - 1) != 0 ||
        !integer_read((struct text){head.bytes + sizeof version - 1, 3}, &status) || status < 100 ||
        status > 599)
        return ANSWER_MALFORMED;
    struct text content = header_find(head, "Content-Length:");
    if (content.bytes != NULL &&
        (!integer_read(content, &length) || length < 0 || length > UINT32_MAX))
        return ANSWER_MALFORMED;
    if (received.bytes + received.length - body < length)
        return ANSWER_PARTIAL;
    struct text connection = header_find(head, "Connection:");
    *ret_answer = (struct http_answer){
        .body = {body, (uint32_t)length},
        .status = (uint16_t)status,
        .closes = connection.length == 5 && strncasecmp(connection.bytes, "close", 5) == 0,
        .retry_after = header_find(head, "Retry-After:").bytes != NULL,
    };
    return ANSWER_WHOLE;
}

bool http_answer_id(const struct http_answer *answer, struct uuid *ret_id) {
    static const char name[] = "\"id\":\"";
    struct text body = answer->body;
    const char *at = memmem(body.bytes, body.length, name, sizeof name - 1);
    if (at == NULL)
        return false;
    at += sizeof name - 1;
    return body.bytes + body.length - at >= UUID_TEXT_BYTES &&
           uuid_parse((struct text){at, UUID_TEXT_BYTES}, ret_id);
}

int64_t http_answer_member(const struct http_answer *answer, const char *name) {
    char wanted[64];
    int length = snprintf(wanted, sizeof wanted, "\"%s\":", name);
    const char *at = answer->body.bytes, *end = at + answer->body.length;
    int64_t value = INT64_MIN, found = 0;
    while ((at = memmem(at, (size_t)(end - at), wanted, (size_t)length)) != NULL) {
        at += length;
        if (integer_read((struct text){at, (uint32_t)(end - at)}, &found))
            value = found;
    }
    return value;
}
