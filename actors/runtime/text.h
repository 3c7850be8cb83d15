// SPDX-License-Identifier: Apache-2.0
// The values that cross every border: borrowed bytes, ids, money. All are passed by value; none
// owns memory.
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

// Bytes with a length, not terminated. bytes == NULL means "no value" (SQL NULL, absent field);
// an empty text has length 0 and a non-NULL pointer.
struct text {
    const char *bytes;
    uint32_t length;
};

struct uuid {
    uint8_t bytes[16];
};

enum { TRACE_BYTES = 25 }; // W3C trace context: trace id 16, span id 8, flags 1

enum currency { CURRENCY_BRL, CURRENCY_USD, CURRENCY_EUR, CURRENCY_COUNT };

struct money {
    int64_t value; // of the smallest unit (cents); a credit when >= 0, else a debit
    uint8_t currency;
};

// A list member of a generated struct; items has the element type of the schema.
struct list {
    void *items;
    uint32_t count;
};

// A pair of a query string or of a route's {braces}, percent-decoded.
struct parameter {
    struct text name;
    struct text value;
};

#define TEXT(literal) ((struct text){"" literal, sizeof(literal) - 1})

static inline struct text text_of(const char *terminated) {
    return (struct text){terminated, (uint32_t)strlen(terminated)};
}

static inline bool text_equal(struct text a, struct text b) {
    return a.length == b.length && (a.length == 0 || memcmp(a.bytes, b.bytes, a.length) == 0);
}

static inline bool uuid_equal(struct uuid a, struct uuid b) {
    return memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0;
}

// Which of `count` places, by the random tail of a UUIDv7.
static inline uint32_t uuid_place(struct uuid id, uint32_t count) {
    uint32_t tail;
    memcpy(&tail, id.bytes + sizeof id.bytes - sizeof tail, sizeof tail);
    return tail % count;
}
