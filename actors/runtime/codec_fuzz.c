// SPDX-License-Identifier: Apache-2.0
// Any bytes as the body of any request: refused, or a struct that packs into bytes which mean the
// same. Input: operation, then the body.
#include "codec.h"
#include "limits.h"
#include "operations.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct arena arena;
    if (arena.memory == NULL)
        arena_init(&arena, 4 << 20);
    if (size == 0 || size > FRAME_BYTES_MAX)
        return 0;
    arena_reset(&arena);
    const struct message *message = operations[data[0] % operation_count].request;
    struct text body = {(const char *)data + 1, (uint32_t)size - 1};
    void *value = arena_take(&arena, message->size);
    void *again = arena_take(&arena, message->size);
    enum status status = codec_decode(message, body, &arena, value);
    ASSERT(status == STATUS_OK || status == STATUS_MALFORMED || status == STATUS_TOO_LARGE);
    if (status != STATUS_OK)
        return 0;
    struct text packed, packed_again;
    if (codec_encode(message, value, &arena, &packed) != STATUS_OK)
        return 0; // the arena is full
    ASSERT(packed.length <= body.length + 1024); // defaults may be written out
    if (codec_decode(message, packed, &arena, again) != STATUS_OK)
        return 0;
    ASSERT(codec_encode(message, again, &arena, &packed_again) == STATUS_OK);
    ASSERT(text_equal(packed, packed_again));
    return 0;
}
