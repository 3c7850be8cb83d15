// SPDX-License-Identifier: Apache-2.0
// Field tables: what the generator writes about each struct of messages.h, and what the codec,
// the JSON binding and the renderer read. One table, three engines, no code per message.
//
// A request struct has one member a field; an optional field without default has a
// `bool has_<name>` beside it. Strings and ids are borrowed or of the message's arena.
#pragma once
#include "text.h"

enum field_type { // C type of the member in a request struct / cells in a reply row
    FIELD_BOOLEAN, //   bool                       / 1: t.. or f..
    FIELD_INTEGER, //   int64_t, minimum..maximum  / 1
    FIELD_STRING, //    struct text, UTF-8; minimum..maximum count characters / 1
    FIELD_UUID, //      struct uuid                / 1
    FIELD_ENUM, //      uint8_t, index in values   / 1: the value's text
    FIELD_MONEY, //     struct money               / 2: value, currency
    FIELD_MONEY_TEXT, // reply only: `of` names the sibling money field   / 0
    FIELD_TIMESTAMP, // int64_t, microseconds since 1970 UTC; a bare date is its midnight / 1:
                     // PostgreSQL's ISO form in UTC
    FIELD_DATE, //      int32_t, days since 1970   / 1
    FIELD_JSON, //      reply only                 / 1: JSON made by the statement
    FIELD_BYTES, //     struct text, any bytes; minimum..maximum count bytes / 1
    FIELD_MESSAGE, //   nested struct              / its fields, in order; an optional one is null
                   // where its first cell is NULL
};

enum field_place { PLACE_BODY, PLACE_PATH, PLACE_QUERY };

enum { FIELD_ALWAYS = 0xFFFF }; // presence_offset of a required or defaulted field

struct message;

struct field {
    const char *name; // as in JSON
    uint16_t number; // key on the wire, never reused
    uint8_t type; // enum field_type
    uint8_t place; // enum field_place; requests only
    bool required;
    bool list; // the member is a struct list of the C type, at most list_maximum long
    uint16_t list_maximum;
    uint16_t offset; // of the member
    uint16_t presence_offset; // of has_<name>, or FIELD_ALWAYS
    int64_t minimum;
    int64_t maximum;
    const char *const *values; // FIELD_ENUM: NULL-terminated
    const char *fallback; // text of the default, or NULL
    const struct message *nested; // FIELD_MESSAGE
};

struct message {
    const char *name;
    const struct field *fields; // sorted by number
    uint16_t field_count;
    uint16_t size; // sizeof the struct
    uint16_t column_count; // cells of one reply row
};
