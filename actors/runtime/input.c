// SPDX-License-Identifier: Apache-2.0
#include "input.h"

#include "format.h"

// "accounts.0" or "amount.value"; name is the field's path or its label.
static struct text place_name(struct input *input, const struct input_place *place,
                              const char *name) {
    if (place->item >= 0)
        return arena_format(input->arena, "%s.%d", name, place->item);
    if (place->part != NULL)
        return arena_format(input->arena, "%s.%s", name, place->part);
    return text_of(name);
}

static void refuse(struct input *input, const struct input_place *place, struct text sentence) {
    struct text path = place_name(input, place, place->field->path);
    if (path.bytes != NULL && sentence.bytes != NULL)
        failure_add(input->failure, path, sentence);
}

void input_refuse(struct input *input, const struct input_place *place, const char *sentence) {
    struct text label = place_name(input, place, place->field->label);
    if (label.bytes != NULL)
        refuse(input, place, arena_format(input->arena, sentence, label.bytes));
}

void input_refuse_limit(struct input *input, const struct input_place *place, const char *sentence,
                        int64_t limit) {
    struct text label = place_name(input, place, place->field->label);
    if (label.bytes != NULL)
        refuse(input, place, arena_format(input->arena, sentence, label.bytes, (long long)limit));
}

void input_refuse_all(struct input *input, struct text sentence) {
    input->status = STATUS_MALFORMED;
    input->sentence = sentence;
}

void input_refuse_missing(struct input *input, const struct input_place *place) {
    if (place->field->type != FIELD_MONEY || place->field->list) {
        input_refuse(input, place, "The %s field is required.");
        return;
    }
    struct input_place part = *place;
    part.part = "value";
    input_refuse(input, &part, "The %s field is required.");
    part.part = "currency";
    input_refuse(input, &part, "The %s field is required.");
}

bool input_is_blank(struct text text) {
    for (uint32_t i = 0; i < text.length; i++)
        if (strchr(" \t\n\r", text.bytes[i]) == NULL || text.bytes[i] == '\0')
            return false;
    return true;
}

static void set_string(struct input *input, const struct input_place *place, struct text text,
                       struct text *member) {
    const struct field *field = place->field;
    switch (field_check_text(field, text)) {
    case TEXT_FINE:
        *member = text;
        return;
    case TEXT_NO_UTF8:
        input_refuse_all(
            input, arena_format(input->arena, "The %s field must be valid UTF-8.", field->label));
        return;
    case TEXT_CONTROL:
        input_refuse(input, place, "The %s field must not contain control characters.");
        return;
    case TEXT_SHORT:
        input_refuse_limit(input, place, "The %s field must be at least %lld characters.",
                           field->minimum);
        return;
    case TEXT_LONG:
        input_refuse_limit(input, place, "The %s field must not be greater than %lld characters.",
                           field->maximum);
        return;
    }
    UNREACHABLE();
}

static bool find_value(const struct field *field, struct text text, uint8_t *ret_index) {
    for (uint8_t i = 0; field->values[i] != NULL; i++)
        if (text_equal(text, text_of(field->values[i]))) {
            *ret_index = i;
            return true;
        }
    return false;
}

void input_set_text(struct input *input, const struct input_place *place, struct text text,
                    void *member) {
    switch ((enum field_type)place->field->type) {
    case FIELD_STRING:
        set_string(input, place, text, member);
        return;
    case FIELD_UUID:
        if (!uuid_parse(text, member))
            input_refuse(input, place, "The %s field must be a valid UUID.");
        return;
    case FIELD_ENUM:
        if (!find_value(place->field, text, member))
            input_refuse(input, place, "The selected %s is invalid.");
        return;
    case FIELD_TIMESTAMP:
        if (!timestamp_parse(text, member))
            input_refuse(input, place, "The %s field must be a valid date.");
        return;
    case FIELD_DATE:
        if (!date_parse(text, member))
            input_refuse(input, place, "The %s field must be a valid date.");
        return;
    case FIELD_BOOLEAN:
    case FIELD_INTEGER:
    case FIELD_MONEY:
    case FIELD_MONEY_TEXT:
    case FIELD_JSON:
    case FIELD_BYTES:
    case FIELD_MESSAGE:
        break;
    }
    UNREACHABLE();
}

void input_set_integer(struct input *input, const struct input_place *place, int64_t value,
                       void *member) {
    if (value < place->field->minimum)
        input_refuse_limit(input, place, "The %s field must be at least %lld.",
                           place->field->minimum);
    else if (value > place->field->maximum)
        input_refuse_limit(input, place, "The %s field must not be greater than %lld.",
                           place->field->maximum);
    else
        *(int64_t *)member = value;
}

enum status input_end(struct input *input) {
    if (input->arena->overflow)
        input->status = STATUS_TOO_LARGE;
    if (input->status != STATUS_OK) {
        failure_reset(input->failure);
        input->failure->status = input->status;
        if (input->status == STATUS_MALFORMED)
            input->failure->sentence = input->sentence;
    }
    return input->failure->status;
}
