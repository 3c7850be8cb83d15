// SPDX-License-Identifier: Apache-2.0
// Hashes, chance and comparison of secrets, by libsodium. Only this file's .c knows it.
#pragma once
#include "contract.h"
#include "text.h"

enum { DIGEST_SHA256_BYTES = 32, DIGEST_SHORT_BYTES = 16 };

// Once, in main, before anything else here.
void digest_init(void);

// For secrets of high entropy that are stored: tokens.
void digest_sha256(struct text bytes, uint8_t ret_hash[DIGEST_SHA256_BYTES]);

// BLAKE2b of 16 bytes over the parts in turn, each preceded by its length, so that
// ("ab", "c") and ("a", "bc") differ: idempotency keys, fingerprints, cache keys, channels.
void digest_short(const struct text *parts, uint32_t count, uint8_t ret_hash[DIGEST_SHORT_BYTES]);

// From the kernel's generator; only main.c calls it and passes the bytes on.
void digest_random(void *bytes, size_t count);

// In a time that does not depend on where they differ.
MUST_USE bool digest_equal(const void *a, const void *b, size_t count);
