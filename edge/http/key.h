// SPDX-License-Identifier: Apache-2.0
// The Idempotency-Key header.
#pragma once
#include "digest.h"
#include "operation.h"

// 1 to IDEMPOTENCY_KEY_BYTES_MAX printable ASCII characters.
MUST_USE bool key_is_sane(struct text key);

// What a client calls its key counts for this tenant and operation only.
void key_hash(struct text key, struct uuid tenant, const struct operation *operation,
              uint8_t ret_key[DIGEST_SHORT_BYTES]);
