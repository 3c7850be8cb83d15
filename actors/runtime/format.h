// SPDX-License-Identifier: Apache-2.0
// How values are written as text and read back: integers, ids, dates, money, hexadecimal.
// Writers put no NUL and return the length; their buffers have the size named here. Readers take
// the whole text or return false and leave ret_x as it was. Nothing here allocates.
#pragma once
#include "contract.h"
#include "text.h"

enum {
    INTEGER_TEXT_BYTES = 20, // "-9223372036854775808"
    UUID_TEXT_BYTES = 36,
    DATE_TEXT_BYTES = 10, // "2026-11-23"
    TIMESTAMP_TEXT_BYTES = 27, // "2026-11-23T00:00:00.123456Z"
    MONEY_TEXT_BYTES = 40, // "-R$ 92.233.720.368.547.758,08"
    TRACEPARENT_TEXT_BYTES = 55, // "00-<32 digits>-<16 digits>-01"
    UUID_RANDOM_BYTES = 10,
};

// Days and instants outside these years are refused wherever they come from.
enum { YEAR_MIN = 1900, YEAR_MAX = 2199, DATE_MIN = -25567, DATE_MAX = 84005 };
#define TIMESTAMP_MIN (DATE_MIN * 86400000000LL)
#define TIMESTAMP_MAX ((DATE_MAX + 1) * 86400000000LL - 1)

uint32_t integer_write(int64_t value, char *text);
// An optional minus, digits, no leading zero but "0", within int64.
MUST_USE bool integer_parse(struct text text, int64_t *ret_value);

// Lower case; reads both.
uint32_t uuid_write(struct uuid uuid, char *text);
MUST_USE bool uuid_parse(struct text text, struct uuid *ret_uuid);

// RFC 9562 version 7: 48 bits of milliseconds, 12 of the rest of the millisecond, 62 random.
struct uuid uuid_make(int64_t wall_us, const uint8_t random[UUID_RANDOM_BYTES]);

// A day: days since 1970-01-01.
uint32_t date_write(int32_t days, char *text);
MUST_USE bool date_parse(struct text text, int32_t *ret_days);

// An instant: microseconds since 1970 UTC, written "2026-11-23T00:00:00Z" with a fraction only
// where there is one.
uint32_t timestamp_write(int64_t microseconds, char *text);
// RFC 3339; a date alone is its midnight, a missing offset is UTC, a space may stand for the T,
// seconds may be left out. Days that do not exist and leap seconds are refused.
MUST_USE bool timestamp_parse(struct text text, int64_t *ret_microseconds);

// "BRL"; the number is an enum currency.
struct text currency_code(uint8_t currency);
MUST_USE bool currency_parse(struct text code, uint8_t *ret_currency);

// As people of that currency write it: "-R$ 25,90", "$1,234.56", "1.234,56 €".
uint32_t money_write(int64_t value, uint8_t currency, char *text);

// Two lower-case digits a byte; reads both cases, text.length must be twice count.
uint32_t hex_write(const void *bytes, size_t count, char *text);
MUST_USE bool hex_parse(struct text text, void *ret_bytes, size_t count);

// W3C trace context, version 00, of the envelope's bytes: trace id, span id, flags.
uint32_t traceparent_write(const uint8_t trace[TRACE_BYTES], char *text);
