// SPDX-License-Identifier: Apache-2.0
// The address a page links to: its route and the canonical query of its request.
#include "render.h"

#include "format.h"

// Room for one field, percent-encoded; takes what was used of it.
struct address {
    struct arena *arena;
    char *at;
};

static bool address_has_room(struct address *address, size_t bytes) {
    if (bytes <= address->arena->capacity - (size_t)(address->at - address->arena->memory))
        return true;
    address->arena->overflow = true;
    return false;
}

static bool is_unreserved(char character) {
    return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z') ||
           (character >= '0' && character <= '9') ||
           (character != '\0' && strchr("-._~", character) != NULL);
}

static void write_encoded(struct address *address, struct text text) {
    static const char digits[] = "0123456789ABCDEF";
    if (!address_has_room(address, 3 * (size_t)text.length))
        return;
    for (uint32_t i = 0; i < text.length; i++) {
        uint8_t byte = (uint8_t)text.bytes[i];
        if (is_unreserved(text.bytes[i])) {
            *address->at++ = text.bytes[i];
            continue;
        }
        *address->at++ = '%';
        *address->at++ = digits[byte >> 4];
        *address->at++ = digits[byte & 15];
    }
}

static void write_character(struct address *address, char character) {
    if (address_has_room(address, 1))
        *address->at++ = character;
}

// The value as a query string would give it; scratch holds what is not a text already.
static struct text value_text(const struct field *field, const void *member,
                              char scratch[UUID_TEXT_BYTES]) {
    switch ((enum field_type)field->type) {
    case FIELD_BOOLEAN:
        return *(const bool *)member ? TEXT("true") : TEXT("false");
    case FIELD_INTEGER:
        return (struct text){scratch, integer_write(*(const int64_t *)member, scratch)};
    case FIELD_STRING:
        return *(const struct text *)member;
    case FIELD_UUID:
        return (struct text){scratch, uuid_write(*(const struct uuid *)member, scratch)};
    case FIELD_ENUM:
        return text_of(field->values[*(const uint8_t *)member]);
    case FIELD_TIMESTAMP:
        return (struct text){scratch, timestamp_write(*(const int64_t *)member, scratch)};
    case FIELD_DATE:
        return (struct text){scratch, date_write(*(const int32_t *)member, scratch)};
    case FIELD_MONEY:
    case FIELD_MONEY_TEXT:
    case FIELD_JSON:
    case FIELD_BYTES:
    case FIELD_MESSAGE:
        break;
    }
    UNREACHABLE(); // the generator lets none of these into an address
}

static void write_pair(struct address *address, const struct field *field, const void *member,
                       bool first) {
    char scratch[UUID_TEXT_BYTES];
    if (!first)
        write_character(address, '&');
    write_encoded(address, text_of(field->name));
    if (field->list)
        write_encoded(address, TEXT("[]"));
    write_character(address, '=');
    write_encoded(address, value_text(field, member, scratch));
}

static bool is_left_out(const struct field *field, const void *request) {
    char scratch[UUID_TEXT_BYTES];
    const void *member = field_member_const(field, request);
    return field->place != PLACE_QUERY || strcmp(field->name, "page") == 0 ||
           strcmp(field->name, "per_page") == 0 || !field_is_present(field, request) ||
           (field->fallback != NULL &&
            text_equal(value_text(field, member, scratch), text_of(field->fallback)));
}

static void write_query(struct address *address, const struct message *message,
                        const void *request) {
    const char *start = address->at;
    for (uint16_t i = 0; i < message->field_count; i++) {
        const struct field *field = &message->fields[i];
        if (is_left_out(field, request))
            continue;
        const void *member = field_member_const(field, request);
        if (!field->list) {
            write_pair(address, field, member, address->at == start);
            continue;
        }
        const struct list *list = member;
        for (uint32_t item = 0; item < list->count; item++)
            write_pair(address, field,
                       (const char *)list->items + (size_t)item * field->element_size,
                       address->at == start);
    }
}

static const struct field *find_field(const struct message *message, struct text name) {
    for (uint16_t i = 0; i < message->field_count; i++)
        if (text_equal(text_of(message->fields[i].name), name))
            return &message->fields[i];
    UNREACHABLE(); // the generator knows every {name} of a route
}

static void write_path(struct address *address, const struct operation *operation,
                       const void *request) {
    char scratch[UUID_TEXT_BYTES];
    for (const char *at = operation->path; *at != '\0'; at++) {
        if (*at != '{') {
            write_character(address, *at);
            continue;
        }
        const char *end = strchr(at, '}');
        const struct text name = {at + 1, (uint32_t)(end - at - 1)};
        const struct field *field = find_field(operation->request, name);
        write_encoded(address, value_text(field, field_member_const(field, request), scratch));
        at = end;
    }
}

enum status render_address(const struct operation *operation, const void *request,
                           struct arena *arena, struct page *page) {
    ASSERT(operation->path != NULL);
    char *start = arena_take(arena, 0);
    if (start == NULL)
        return STATUS_TOO_LARGE;
    struct address address = {arena, start};
    write_path(&address, operation, request);
    page->path = (struct text){start, (uint32_t)(address.at - start)};
    const char *query = address.at;
    write_query(&address, operation->request, request);
    page->query = (struct text){query, (uint32_t)(address.at - query)};
    arena->used = (size_t)(address.at - arena->memory);
    return arena->overflow ? STATUS_TOO_LARGE : STATUS_OK;
}
