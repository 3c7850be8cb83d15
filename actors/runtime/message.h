// SPDX-License-Identifier: Apache-2.0
// Field tables: what the generator writes about each struct of messages.h, and what the codec,
// the JSON binding and the renderer read. One table, three engines, no code per message.
//
// A request struct has one member a field; an optional field without default has a
// `bool has_<name>` beside it (lists too). Strings and ids are borrowed or of the message's arena.
#pragma once
#include "contract.h"
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
    FIELD_JSON, //      reply only, struct text    / 1: JSON made by the statement
    FIELD_BYTES, //     struct text, any bytes; minimum..maximum count bytes / 1
    FIELD_MESSAGE, //   nested struct              / its fields, in order; an optional one is null
                   // where its first cell is NULL
};

enum field_place { PLACE_BODY, PLACE_PATH, PLACE_QUERY };

enum { FIELD_ALWAYS = 0xFFFF }; // presence_offset of a required or defaulted field

struct message;

struct field {
    const char *name; // as in JSON; of a query "order_by[column]", too
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
    uint16_t column; // first cell in the row of its message; of a money text: the money's
    uint16_t element_size; // of the member, or of one item of a list
    struct text key; // of replies: `"name":` with its leading comma but for the first field
    const char *label; // in sentences: "account id"
    const char *path; // in errors: "order_by.column"
};

struct message {
    const char *name;
    const struct field *fields; // sorted by number
    uint16_t field_count;
    uint16_t size; // sizeof the struct
    uint16_t column_count; // cells of one reply row
};

// Zeroes the struct and fills in the defaults. Texts of defaults live as long as the program.
void message_reset(const struct message *message, void *value);

// Where the member of a field is, and whether it is there.
static inline void *field_member(const struct field *field, void *value) {
    return (char *)value + field->offset;
}
static inline const void *field_member_const(const struct field *field, const void *value) {
    return (const char *)value + field->offset;
}
static inline bool field_is_present(const struct field *field, const void *value) {
    return field->presence_offset == FIELD_ALWAYS ||
           *(const bool *)((const char *)value + field->presence_offset);
}
static inline void field_set_present(const struct field *field, void *value, bool present) {
    if (field->presence_offset != FIELD_ALWAYS)
        *(bool *)((char *)value + field->presence_offset) = present;
}

// What is wrong with a text for a string field; the order is the order in which they are told.
enum text_fault { TEXT_FINE, TEXT_NO_UTF8, TEXT_CONTROL, TEXT_SHORT, TEXT_LONG };

// Control characters are refused but tab and newline.
enum text_fault field_check_text(const struct field *field, struct text text);
