// SPDX-License-Identifier: Apache-2.0
// The schemas of this build against limits.h: how long can the longest reply of each operation be?
#include "expect.h"
#include "format.h"
#include "limits.h"
#include "operation.h"

enum {
    UTF8_BYTES_MAX = 4, // of a character; what JSON escapes is shorter
    QUOTES = 2,
    MONEY_BYTES = sizeof("{\"value\":,\"currency\":\"BRL\",\"formatted\":\"\"}") +
                  INTEGER_TEXT_BYTES + MONEY_TEXT_BYTES,
    JSON_BYTES = 256, // of a field that a statement makes: no splits yet, a token's abilities
    FRAME_OF_A_PAGE = 6 * HTTP_URL_BYTES_MAX, // links and meta
};

static uint64_t message_bytes(const struct message *message);

static uint64_t enum_bytes(const struct field *field) {
    uint64_t longest = 0;
    for (uint32_t i = 0; field->values[i] != NULL; i++)
        longest = MAX(longest, strlen(field->values[i]));
    return longest + QUOTES;
}

static uint64_t value_bytes(const struct field *field) {
    switch ((enum field_type)field->type) {
    case FIELD_BOOLEAN:
        return sizeof("false");
    case FIELD_INTEGER:
        return INTEGER_TEXT_BYTES;
    case FIELD_STRING:
        return (uint64_t)field->maximum * UTF8_BYTES_MAX + QUOTES;
    case FIELD_UUID:
        return UUID_TEXT_BYTES + QUOTES;
    case FIELD_ENUM:
        return enum_bytes(field);
    case FIELD_MONEY:
        return MONEY_BYTES;
    case FIELD_MONEY_TEXT:
        return MONEY_TEXT_BYTES + QUOTES;
    case FIELD_TIMESTAMP:
        return TIMESTAMP_TEXT_BYTES + QUOTES;
    case FIELD_DATE:
        return DATE_TEXT_BYTES + QUOTES;
    case FIELD_JSON:
        return JSON_BYTES;
    case FIELD_MESSAGE:
        return message_bytes(field->nested);
    case FIELD_BYTES:
        break;
    }
    UNREACHABLE(); // not in replies
}

static uint64_t message_bytes(const struct message *message) {
    uint64_t bytes = sizeof("{}");
    for (uint32_t i = 0; i < message->field_count; i++)
        bytes += message->fields[i].key.length + value_bytes(&message->fields[i]);
    return bytes;
}

static uint64_t reply_bytes(const struct operation *operation) {
    switch ((enum reply_form)operation->form) {
    case REPLY_NONE:
        return 0;
    case REPLY_ONE:
        return message_bytes(operation->reply);
    case REPLY_LIST:
        return ROWS_MAX * message_bytes(operation->reply);
    case REPLY_PAGE:
        return FRAME_OF_A_PAGE + PER_PAGE_MAX * message_bytes(operation->reply);
    }
    UNREACHABLE();
}

static void test_longest_replies(void) {
    for (uint32_t i = 0; i < operation_count; i++) {
        uint64_t bytes = reply_bytes(&operations[i]);
        if (bytes > REPLY_BYTES_MAX)
            fprintf(stderr, "%s: %llu bytes, allowed are %d\n", operations[i].name,
                    (unsigned long long)bytes, REPLY_BYTES_MAX);
        EXPECT(bytes <= REPLY_BYTES_MAX);
    }
    static_assert(ROWS_MAX >= CATEGORIES_PER_TENANT_MAX, "the longest list without pages");
}

int main(void) {
    static const struct test tests[] = {
        {"the longest reply of each operation fits", test_longest_replies},
    };
    return expect_run(tests, COUNT_OF(tests));
}
