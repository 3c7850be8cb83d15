// SPDX-License-Identifier: Apache-2.0
#include "page_name.h"

#include "digest.h"

struct cache_id page_name(const struct operation *operation, struct text request,
                          enum document_form form) {
    const uint16_t words[] = {operation->number, operation->reply_version, (uint16_t)form};
    const struct text parts[] = {{(const char *)words, sizeof words}, request};
    struct cache_id id;
    digest_short(parts, COUNT_OF(parts), id.bytes);
    return id;
}

struct cache_id total_name(const struct bound *bound) {
    struct text parts[PARAMETERS_MAX + 1];
    struct cache_id id;
    parts[0] = text_of(bound->statement->name);
    for (uint32_t i = 0; i < bound->count; i++)
        parts[i + 1] = bound->values[i];
    digest_short(parts, bound->count + 1U, id.bytes);
    return id;
}
