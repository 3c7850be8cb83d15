// SPDX-License-Identifier: Apache-2.0
// Pairs of names and values, from a path or a query string, -> a request struct.
#include "json.h"

#include "format.h"
#include "input.h"

static bool set_boolean(struct text text, bool *member) {
    if (text_equal(text, TEXT("true")) || text_equal(text, TEXT("1")))
        *member = true;
    else if (text_equal(text, TEXT("false")) || text_equal(text, TEXT("0")))
        *member = false;
    else
        return false;
    return true;
}

static void set_value(struct input *input, const struct input_place *place, struct text text,
                      void *member) {
    int64_t integer;
    switch ((enum field_type)place->field->type) {
    case FIELD_BOOLEAN:
        if (!set_boolean(text, member))
            input_refuse(input, place, "The %s field must be true or false.");
        return;
    case FIELD_INTEGER:
        if (integer_parse(text, &integer))
            input_set_integer(input, place, integer, member);
        else
            input_refuse(input, place, "The %s field must be an integer.");
        return;
    default:
        input_set_text(input, place, text, member);
    }
}

// `accounts`, `accounts[]`, `accounts[7]` name the list accounts.
static bool names_list(struct text name, const char *field_name) {
    uint32_t length = (uint32_t)strlen(field_name);
    if (name.length < length || memcmp(name.bytes, field_name, length) != 0)
        return false;
    if (name.length == length)
        return true;
    if (name.bytes[length] != '[' || name.bytes[name.length - 1] != ']')
        return false;
    for (uint32_t i = length + 1; i + 1 < name.length; i++)
        if (name.bytes[i] < '0' || name.bytes[i] > '9')
            return false;
    return name.length > length + 1;
}

static void bind_list(struct input *input, const struct field *field,
                      const struct parameter *parameters, uint32_t count, void *request) {
    uint32_t given = 0;
    for (uint32_t i = 0; i < count; i++)
        given += parameters[i].value.length > 0 && names_list(parameters[i].name, field->name);
    struct input_place place = {field, -1, NULL};
    if (given == 0) {
        if (field->required)
            input_refuse_missing(input, &place);
        return;
    }
    if (given > field->list_maximum) {
        input_refuse_limit(input, &place, "The %s field must not have more than %lld items.",
                           field->list_maximum);
        return;
    }
    char *items = arena_take_zeroed(input->arena, (size_t)given * field->element_size);
    if (items == NULL)
        return;
    for (uint32_t i = 0; i < count; i++) {
        if (parameters[i].value.length == 0 || !names_list(parameters[i].name, field->name))
            continue;
        place.item++;
        set_value(input, &place, parameters[i].value,
                  items + (size_t)place.item * field->element_size);
    }
    *(struct list *)field_member(field, request) = (struct list){items, given};
    field_set_present(field, request, true);
}

static void bind_single(struct input *input, const struct field *field,
                        const struct parameter *parameters, uint32_t count, void *request) {
    const struct input_place place = {field, -1, NULL};
    struct text name = text_of(field->name);
    for (uint32_t i = count; i > 0; i--) {
        struct text value = parameters[i - 1].value;
        if (!text_equal(parameters[i - 1].name, name))
            continue;
        if (input_is_blank(value))
            break;
        set_value(input, &place, value, field_member(field, request));
        field_set_present(field, request, true);
        return;
    }
    if (field->required)
        input_refuse_missing(input, &place);
}

enum status json_bind_parameters(const struct message *message, enum field_place place,
                                 const struct parameter *parameters, uint32_t count,
                                 struct arena *arena, void *request, struct failure *failure) {
    struct input input = {.arena = arena, .failure = failure};
    uint32_t errors = failure->error_count;
    for (uint16_t i = 0; i < message->field_count && input.status == STATUS_OK; i++) {
        const struct field *field = &message->fields[i];
        if (field->place != place)
            continue;
        if (field->list)
            bind_list(&input, field, parameters, count, request);
        else
            bind_single(&input, field, parameters, count, request);
    }
    // A path that is no id is the path of nothing.
    if (place == PLACE_PATH && (input.status != STATUS_OK || failure->error_count > errors))
        input.status = STATUS_NOT_FOUND;
    return input_end(&input);
}
