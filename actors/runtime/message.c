// SPDX-License-Identifier: Apache-2.0
#include "message.h"

#include "format.h"

static uint8_t enum_index(const struct field *field, const char *value) {
    for (uint8_t i = 0; field->values[i] != NULL; i++)
        if (strcmp(field->values[i], value) == 0)
            return i;
    UNREACHABLE(); // the generator checked the default
}

static void field_set_default(const struct field *field, void *value) {
    void *member = field_member(field, value);
    switch ((enum field_type)field->type) {
    case FIELD_BOOLEAN:
        *(bool *)member = strcmp(field->fallback, "true") == 0;
        return;
    case FIELD_INTEGER:
        ASSERT(integer_parse(text_of(field->fallback), member));
        return;
    case FIELD_STRING:
        *(struct text *)member = text_of(field->fallback);
        return;
    case FIELD_ENUM:
        *(uint8_t *)member = enum_index(field, field->fallback);
        return;
    case FIELD_UUID:
    case FIELD_MONEY:
    case FIELD_MONEY_TEXT:
    case FIELD_TIMESTAMP:
    case FIELD_DATE:
    case FIELD_JSON:
    case FIELD_BYTES:
    case FIELD_MESSAGE:
        break;
    }
    UNREACHABLE(); // the generator gives these no default
}

void message_reset(const struct message *message, void *value) {
    memset(value, 0, message->size);
    for (uint16_t i = 0; i < message->field_count; i++)
        if (message->fields[i].fallback != NULL)
            field_set_default(&message->fields[i], value);
}

// One character of well-formed UTF-8: its length in bytes, 0 where it is not well-formed. *ret_code
// is only good enough to tell control characters.
static uint32_t character_length(const uint8_t *bytes, uint32_t left, uint32_t *ret_code) {
    uint8_t first = bytes[0];
    *ret_code = first;
    if (first < 0x80)
        return 1;
    uint32_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4 || length > left)
        return 0;
    for (uint32_t i = 1; i < length; i++)
        if ((bytes[i] & 0xC0) != 0x80)
            return 0;
    // Overlong forms, surrogates, beyond U+10FFFF.
    if ((first == 0xE0 && bytes[1] < 0xA0) || (first == 0xED && bytes[1] > 0x9F) ||
        (first == 0xF0 && bytes[1] < 0x90) || (first == 0xF4 && bytes[1] > 0x8F))
        return 0;
    if (length == 2)
        *ret_code = (first & 0x1FU) << 6 | (bytes[1] & 0x3FU);
    else
        *ret_code = UINT32_MAX;
    return length;
}

enum text_fault field_check_text(const struct field *field, struct text text) {
    int64_t count = 0;
    bool control = false;
    for (uint32_t at = 0; at < text.length; count++) {
        uint32_t code;
        uint32_t length =
            character_length((const uint8_t *)text.bytes + at, text.length - at, &code);
        if (length == 0)
            return TEXT_NO_UTF8;
        control |= (code < 0x20 && code != '\t' && code != '\n') || (code >= 0x7F && code < 0xA0);
        at += length;
    }
    if (control)
        return TEXT_CONTROL;
    if (count < field->minimum)
        return TEXT_SHORT;
    return count > field->maximum ? TEXT_LONG : TEXT_FINE;
}
