// SPDX-License-Identifier: Apache-2.0
#include "document.h"

#include "limits.h"

#include <lz4.h>

struct text document_compress(struct text document, struct arena *arena) {
    if (document.length < DOCUMENT_COMPRESS_BYTES_MIN || document.length > REPLY_BYTES_MAX)
        return document;
    size_t room = document.length - DOCUMENT_HEAD_BYTES - 1; // else it does not pay
    bool overflow = arena->overflow;
    char *bytes = arena_take(arena, DOCUMENT_HEAD_BYTES + room);
    arena->overflow = overflow;
    if (bytes == NULL)
        return document;
    int length = LZ4_compress_default(document.bytes, bytes + DOCUMENT_HEAD_BYTES,
                                      (int)document.length, (int)room);
    if (length <= 0)
        return document;
    bytes[0] = '\0';
    for (uint32_t i = 0; i < sizeof(uint32_t); i++)
        bytes[1 + i] = (char)(uint8_t)(document.length >> (8 * i));
    return (struct text){bytes, DOCUMENT_HEAD_BYTES + (uint32_t)length};
}

bool document_expand(struct text document, struct arena *arena, struct text *ret_document) {
    if (document.length == 0 || document.bytes[0] != '\0') {
        *ret_document = document;
        return true;
    }
    if (document.length <= DOCUMENT_HEAD_BYTES)
        return false;
    uint32_t length = 0;
    for (uint32_t i = 0; i < sizeof(uint32_t); i++)
        length |= (uint32_t)(uint8_t)document.bytes[1 + i] << (8 * i);
    char *bytes = length > REPLY_BYTES_MAX ? NULL : arena_take(arena, length);
    if (bytes == NULL)
        return false;
    if (LZ4_decompress_safe(document.bytes + DOCUMENT_HEAD_BYTES, bytes,
                            (int)(document.length - DOCUMENT_HEAD_BYTES),
                            (int)length) != (int)length)
        return false;
    *ret_document = (struct text){bytes, length};
    return true;
}
