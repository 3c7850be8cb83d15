// SPDX-License-Identifier: Apache-2.0
#include "json_text.h"

enum { WORD = sizeof(uint64_t) };

// The letter behind the backslash; 'u': \u00XX; 0: the byte stands for itself.
static const char escapes[256] = {
    [0x00] = 'u', [0x01] = 'u', [0x02] = 'u', [0x03] = 'u',  [0x04] = 'u', [0x05] = 'u',
    [0x06] = 'u', [0x07] = 'u', ['\b'] = 'b', ['\t'] = 't',  ['\n'] = 'n', [0x0B] = 'u',
    ['\f'] = 'f', ['\r'] = 'r', [0x0E] = 'u', [0x0F] = 'u',  [0x10] = 'u', [0x11] = 'u',
    [0x12] = 'u', [0x13] = 'u', [0x14] = 'u', [0x15] = 'u',  [0x16] = 'u', [0x17] = 'u',
    [0x18] = 'u', [0x19] = 'u', [0x1A] = 'u', [0x1B] = 'u',  [0x1C] = 'u', [0x1D] = 'u',
    [0x1E] = 'u', [0x1F] = 'u', ['"'] = '"',  ['\\'] = '\\',
};

static const uint64_t each_byte = 0x0101010101010101;

// Not 0 where a byte of the word is 0; may also be not 0 for a byte above one.
static uint64_t zero_bytes(uint64_t word) {
    return (word - each_byte) & ~word & (each_byte * 0x80);
}

static bool word_is_plain(uint64_t word) {
    uint64_t control = (word - each_byte * 0x20) & ~word & (each_byte * 0x80);
    return (control | zero_bytes(word ^ each_byte * '"') | zero_bytes(word ^ each_byte * '\\')) ==
           0;
}

static char *write_byte(uint8_t byte, char *at) {
    static const char digits[] = "0123456789abcdef";
    char escape = escapes[byte];
    if (escape == 0) {
        *at++ = (char)byte;
        return at;
    }
    *at++ = '\\';
    *at++ = escape;
    if (escape == 'u') {
        *at++ = '0';
        *at++ = '0';
        *at++ = digits[byte >> 4];
        *at++ = digits[byte & 15];
    }
    return at;
}

char *json_text_write(struct text text, char *at) {
    const char *from = text.bytes;
    uint32_t left = text.length;
    *at++ = '"';
    while (left > 0) {
        uint64_t word;
        uint32_t count = left < WORD ? left : WORD;
        if (count == WORD) {
            memcpy(&word, from, WORD);
            memcpy(at, from, WORD);
        }
        if (count == WORD && word_is_plain(word))
            at += WORD;
        else
            for (uint32_t i = 0; i < count; i++)
                at = write_byte((uint8_t)from[i], at);
        from += count;
        left -= count;
    }
    *at++ = '"';
    return at;
}
