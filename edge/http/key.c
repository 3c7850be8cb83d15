// SPDX-License-Identifier: Apache-2.0
#include "key.h"

#include "limits.h"

bool key_is_sane(struct text key) {
    if (key.length == 0 || key.length > IDEMPOTENCY_KEY_BYTES_MAX)
        return false;
    for (uint32_t i = 0; i < key.length; i++)
        if (key.bytes[i] < 0x20 || key.bytes[i] > 0x7e)
            return false;
    return true;
}

void key_hash(struct text key, struct uuid tenant, const struct operation *operation,
              uint8_t ret_key[DIGEST_SHORT_BYTES]) {
    uint8_t number[] = {(uint8_t)(operation->number >> 8), (uint8_t)operation->number};
    const struct text parts[] = {
        {(const char *)tenant.bytes, sizeof tenant.bytes},
        {(const char *)number, sizeof number},
        key,
    };
    digest_short(parts, COUNT_OF(parts), ret_key);
}
