// SPDX-License-Identifier: Apache-2.0
#include "media.h"

#include <strings.h>

static struct text trim(struct text text) {
    while (text.length > 0 && (text.bytes[0] == ' ' || text.bytes[0] == '\t')) {
        text.bytes++;
        text.length--;
    }
    while (text.length > 0 &&
           (text.bytes[text.length - 1] == ' ' || text.bytes[text.length - 1] == '\t'))
        text.length--;
    return text;
}

// Cuts off and returns what stands before the first separator.
static struct text cut(struct text *rest, char separator) {
    const char *found = memchr(rest->bytes, separator, rest->length);
    if (found == NULL) {
        struct text all = *rest;
        *rest = (struct text){rest->bytes + rest->length, 0};
        return trim(all);
    }
    struct text head = {rest->bytes, (uint32_t)(found - rest->bytes)};
    *rest = (struct text){found + 1, rest->length - head.length - 1};
    return trim(head);
}

static bool same(struct text text, const char *name) {
    return text.length == strlen(name) && strncasecmp(text.bytes, name, text.length) == 0;
}

// q=0, q=0., q=0.000
static bool weighs_nothing(struct text parameters) {
    while (parameters.length > 0) {
        struct text value = cut(&parameters, ';');
        struct text name = cut(&value, '=');
        if (!same(name, "q") || value.length == 0)
            continue;
        for (uint32_t i = 0; i < value.length; i++)
            if (value.bytes[i] != '0' && value.bytes[i] != '.')
                return false;
        return true;
    }
    return false;
}

bool media_accepts_json(struct text accept) {
    if (accept.length == 0)
        return true;
    bool accepted = false;
    int exactness = 0; // of the range that decided
    while (accept.length > 0) {
        struct text range = cut(&accept, ',');
        struct text type = cut(&range, ';');
        int exact = same(type, "application/json") || same(type, "application/problem+json") ? 3
                    : same(type, "application/*")                                            ? 2
                    : same(type, "*/*")                                                      ? 1
                                                                                             : 0;
        if (exact == 0 || exact < exactness)
            continue;
        bool wanted = !weighs_nothing(range);
        accepted = exact == exactness ? accepted || wanted : wanted;
        exactness = exact;
    }
    return accepted;
}

bool media_is_json(struct text content_type) {
    if (content_type.bytes == NULL)
        return true;
    static const char prefix[] = "application/", suffix[] = "+json";
    struct text type = cut(&content_type, ';');
    if (same(type, "application/json"))
        return true;
    return type.length > sizeof(prefix) + sizeof(suffix) - 2 &&
           strncasecmp(type.bytes, prefix, sizeof(prefix) - 1) == 0 &&
           strncasecmp(type.bytes + type.length - (sizeof(suffix) - 1), suffix,
                       sizeof(suffix) - 1) == 0;
}
