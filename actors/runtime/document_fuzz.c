// SPDX-License-Identifier: Apache-2.0
// Any bytes as a document from the bus: refused, or expanded into one that comes back the same.
#include "document.h"
#include "limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct arena arena;
    if (arena.memory == NULL)
        arena_init(&arena, 4 << 20);
    if (size > FRAME_BYTES_MAX)
        return 0;
    arena_reset(&arena);
    struct text document, again;
    if (!document_expand((struct text){(const char *)data, (uint32_t)size}, &arena, &document))
        return 0;
    ASSERT(document.length == size || document.length <= REPLY_BYTES_MAX);
    if (document.length > 0 && document.bytes[0] == '\0')
        return 0; // no JSON
    struct text compressed = document_compress(document, &arena);
    ASSERT(compressed.length <= document.length);
    ASSERT(document_expand(compressed, &arena, &again) && text_equal(again, document));
    return 0;
}
