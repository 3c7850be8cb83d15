// SPDX-License-Identifier: Apache-2.0
// Chance that can be repeated: its owner keeps the state and seeds it. Not for secrets.
#pragma once
#include <stdint.h>

// SplitMix64: every seed has the full period, so two processes differ from the first number on.
static inline uint64_t chance_next(uint64_t *state) {
    uint64_t z = (*state += 0x9E3779B97F4A7C15ULL);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
}
