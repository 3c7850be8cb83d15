// SPDX-License-Identifier: Apache-2.0
#include "digest.h"

#include <assert.h>
#include <sodium.h>

static_assert(DIGEST_SHA256_BYTES == crypto_hash_sha256_BYTES, "SHA-256 has 32 bytes");
static_assert(DIGEST_SHORT_BYTES >= crypto_generichash_BYTES_MIN, "BLAKE2b can be that short");

void digest_init(void) {
    ASSERT(sodium_init() >= 0);
}

void digest_sha256(struct text bytes, uint8_t ret_hash[DIGEST_SHA256_BYTES]) {
    ASSERT(crypto_hash_sha256(ret_hash, (const uint8_t *)bytes.bytes, bytes.length) == 0);
}

void digest_short(const struct text *parts, uint32_t count, uint8_t ret_hash[DIGEST_SHORT_BYTES]) {
    crypto_generichash_state state;
    ASSERT(crypto_generichash_init(&state, NULL, 0, DIGEST_SHORT_BYTES) == 0);
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t length[4] = {(uint8_t)(parts[i].length >> 24),
                                   (uint8_t)(parts[i].length >> 16),
                                   (uint8_t)(parts[i].length >> 8), (uint8_t)parts[i].length};
        ASSERT(crypto_generichash_update(&state, length, sizeof length) == 0);
        if (parts[i].length > 0)
            ASSERT(crypto_generichash_update(&state, (const uint8_t *)parts[i].bytes,
                                             parts[i].length) == 0);
    }
    ASSERT(crypto_generichash_final(&state, ret_hash, DIGEST_SHORT_BYTES) == 0);
}

void digest_random(void *bytes, size_t count) {
    randombytes_buf(bytes, count);
}

bool digest_equal(const void *a, const void *b, size_t count) {
    return sodium_memcmp(a, b, count) == 0;
}
