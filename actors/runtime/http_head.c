// SPDX-License-Identifier: Apache-2.0
#include "http_head.h"

#include <strings.h>

struct http_target http_target_read(char *target) {
    char *path_end = strchrnul(target, '?');
    struct http_target read = {
        .bytes = (uint32_t)(path_end - target + (ptrdiff_t)strlen(path_end)),
        .has_query = *path_end == '?',
        .path_has_nul = memmem(target, (size_t)(path_end - target), "%00", 3) != NULL,
    };
    uint32_t pairs = 1;
    for (char *at = strchr(path_end, '&'); at != NULL && !read.is_cut; at = strchr(at + 1, '&')) {
        read.is_cut = ++pairs > HTTP_PARAMETERS_MAX;
        if (read.is_cut)
            *at = '\0';
    }
    return read;
}

void http_head_names_init(struct http_head_names *names) {
    for (; names->names[names->count] != NULL; names->count++) {
        ASSERT(names->count < HTTP_REQUEST_HEADERS_MAX);
        names->lengths[names->count] = strlen(names->names[names->count]);
    }
}

static bool is_name(struct text text, const char *name, size_t length) {
    return text.length == length && strncasecmp(text.bytes, name, length) == 0;
}
#define IS_NAME(text, literal) is_name(text, literal, sizeof(literal) - 1)

static void count_to_two(uint8_t *counter) {
    *counter = (uint8_t)MIN(*counter + 1, 2);
}

void http_head_take(struct http_head *head, struct text name, struct text value,
                    const struct http_head_names *wanted,
                    struct text values[HTTP_REQUEST_HEADERS_MAX]) {
    if (name.length == 0 || memchr(name.bytes, ' ', name.length) != NULL ||
        memchr(name.bytes, '\t', name.length) != NULL) {
        head->malformed = true;
    } else if (IS_NAME(name, "host")) {
        count_to_two(&head->hosts);
    } else if (IS_NAME(name, "content-length")) {
        count_to_two(&head->lengths);
        head->body_expected = strtoull(value.bytes, NULL, 10); // digits: the library has checked
    } else if (IS_NAME(name, "transfer-encoding")) {
        count_to_two(&head->encodings);
        head->malformed |= !IS_NAME(value, "chunked");
    }
    for (uint32_t i = 0; i < wanted->count; i++)
        if (values[i].bytes == NULL && is_name(name, wanted->names[i], wanted->lengths[i]))
            values[i] = value;
}

bool http_head_has_body(const struct http_head *head) {
    return head->encodings > 0 || head->body_expected > 0;
}

bool http_head_is_framed(const struct http_head *head) {
    return !head->malformed && head->lengths + head->encodings <= 1;
}

enum http_trouble http_head_trouble(const struct http_head *head, bool host_is_optional) {
    if (!http_head_is_framed(head))
        return HTTP_MALFORMED;
    return head->hosts == 1 || (head->hosts == 0 && host_is_optional) ? HTTP_FINE : HTTP_NO_HOST;
}
