// SPDX-License-Identifier: Apache-2.0
// Spreads the bits of a number, for tables and for rendezvous: equal numbers, equal results, in
// every process. Not for keys that somebody could choose to collide.
#pragma once
#include <stdint.h>

static inline uint64_t number_mix(uint64_t value) {
    value = (value ^ value >> 32) * 0xd6e8feb86659fd93ULL;
    value = (value ^ value >> 32) * 0xd6e8feb86659fd93ULL;
    return value ^ value >> 32;
}
