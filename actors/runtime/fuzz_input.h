// SPDX-License-Identifier: Apache-2.0
// For fuzz targets only: an input as a row of choices. What is taken past its end is zero.
#pragma once
#include "control.h"

#include <stddef.h>
#include <stdint.h>

struct fuzz_input {
    const uint8_t *at;
    size_t left;
};

static inline uint8_t fuzz_byte(struct fuzz_input *input) {
    if (input->left == 0)
        return 0;
    input->left--;
    return *input->at++;
}

static inline uint32_t fuzz_short(struct fuzz_input *input) {
    uint32_t high = fuzz_byte(input);
    return high << 8 | fuzz_byte(input);
}

// Small numbers mostly, and now and then the borders of what fits.
static inline uint64_t fuzz_number(struct fuzz_input *input) {
    uint8_t byte = fuzz_byte(input);
    switch (byte) {
    case 0xff:
        return UINT64_MAX;
    case 0xfe:
        return UINT64_MAX / 2;
    case 0xfd:
        return UINT32_MAX;
    case 0xfc:
        return (uint64_t)fuzz_short(input) << 8;
    default:
        return byte;
    }
}

// In steps of 10 ms.
static inline uint32_t fuzz_budget_us(struct fuzz_input *input) {
    uint64_t steps = fuzz_number(input);
    return steps < UINT32_MAX / 10000 ? (uint32_t)steps * 10000 : UINT32_MAX;
}

// At most that many of the bytes that follow.
static inline struct text fuzz_text(struct fuzz_input *input, uint32_t length) {
    struct text text = {(const char *)input->at,
                        length < input->left ? length : (uint32_t)input->left};
    input->at += text.length;
    input->left -= text.length;
    return text;
}

// A whole frame; its length.
static inline uint32_t fuzz_refusal(struct fuzz_input *input, char *frame) {
    struct refusal refusal = {0};
    refusal.speaks.oldest = (uint32_t)fuzz_number(input);
    refusal.speaks.newest = (uint32_t)fuzz_number(input);
    refusal.reason = fuzz_byte(input);
    return control_write_refusal(&refusal, frame);
}
