// SPDX-License-Identifier: Apache-2.0
#include "json.h"

#include "format.h"
#include "input.h"
#include "limits.h"

#include <yyjson.h>

enum { KEYS_COMPARED_MAX = 16 }; // pairwise; more keys are sorted first

static const char *const money_parts[] = {"value", "currency"}; // of every money

// --- reading -----------------------------------------------------------------------------------

static void *arena_malloc(void *context, size_t size) {
    return arena_take(context, size);
}

// The last block grows in place: yyjson's values, which it takes last.
static void *arena_realloc(void *context, void *block, size_t old_size, size_t size) {
    struct arena *arena = context;
    if ((char *)block + old_size == arena->memory + arena->used &&
        size <= arena->capacity - (size_t)((char *)block - arena->memory)) {
        arena->used = (size_t)((char *)block - arena->memory) + size;
        return block;
    }
    void *copy = arena_take(arena, size);
    return copy == NULL ? NULL : memcpy(copy, block, MIN(old_size, size));
}

static void arena_nothing(void *context, void *block) {
    (void)context;
    (void)block;
}

// Its codes are constants of C but not of the compiler: no switch, no table by index.
static const char *json_trouble(struct text json, const yyjson_read_err *error) {
    const struct {
        yyjson_read_code code;
        const char *words;
    } troubles[] = {
        {YYJSON_READ_ERROR_UNEXPECTED_CONTENT, "text after its end"},
        {YYJSON_READ_ERROR_UNEXPECTED_END, "an early end"},
        {YYJSON_READ_ERROR_JSON_STRUCTURE, "a comma with nothing after it"},
        {YYJSON_READ_ERROR_INVALID_NUMBER, "an invalid number"},
        {YYJSON_READ_ERROR_INVALID_STRING, "an invalid string"},
    };
    if (json.length >= 3 && memcmp(json.bytes, "\xef\xbb\xbf", 3) == 0)
        return "a byte order mark";
    for (size_t i = 0; i < COUNT_OF(troubles); i++)
        if (error->code == troubles[i].code)
            return troubles[i].words;
    return "an unexpected character";
}

// NULL with input->status set where the text is no JSON or the arena is full.
static yyjson_val *read_json(struct input *input, struct text json) {
    yyjson_alc allocator = {arena_malloc, arena_realloc, arena_nothing, input->arena};
    yyjson_read_err error;
    // Without YYJSON_READ_INSITU the bytes are not changed, but the signature is for both.
    yyjson_doc *document = yyjson_read_opts((char *)(uintptr_t)json.bytes, json.length,
                                            YYJSON_READ_BIGNUM_AS_RAW, &allocator, &error);
    if (document != NULL)
        return yyjson_doc_get_root(document);
    if (error.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION)
        input->status = STATUS_TOO_LARGE;
    else
        input_refuse_all(input, arena_format(input->arena, "The body is not JSON: %s at byte %zu.",
                                             json_trouble(json, &error), error.pos + 1));
    return NULL;
}

static struct text text_of_value(yyjson_val *value) {
    return (struct text){yyjson_get_str(value), (uint32_t)yyjson_get_len(value)};
}

static int compare_keys(const void *a, const void *b) {
    struct text left = text_of_value(*(yyjson_val *const *)a);
    struct text right = text_of_value(*(yyjson_val *const *)b);
    if (left.length != right.length)
        return left.length < right.length ? -1 : 1;
    return memcmp(left.bytes, right.bytes, left.length);
}

// NULL: none.
static yyjson_val *find_key_twice(struct input *input, yyjson_val *object) {
    size_t count = yyjson_obj_size(object);
    yyjson_val *few[KEYS_COMPARED_MAX];
    yyjson_val **keys = few;
    if (count > KEYS_COMPARED_MAX)
        keys = arena_take(input->arena, count * sizeof *keys);
    if (keys == NULL)
        return NULL; // the arena's overflow is told at the end
    size_t index, total;
    yyjson_val *key, *value;
    yyjson_obj_foreach(object, index, total, key, value) {
        keys[index] = key;
        for (size_t i = 0; count <= KEYS_COMPARED_MAX && i < index; i++)
            if (compare_keys(&keys[i], &key) == 0)
                return key;
    }
    if (count <= KEYS_COMPARED_MAX)
        return NULL;
    qsort(keys, count, sizeof(yyjson_val *), compare_keys);
    for (size_t i = 1; i < count; i++)
        if (compare_keys(&keys[i - 1], &keys[i]) == 0)
            return keys[i];
    return NULL;
}

// The key in the schema's words; NULL where it has none, for nothing of a client is repeated to it.
static const char *known_name(const struct message *message, struct text key) {
    for (uint16_t i = 0; i < message->field_count; i++)
        if (text_equal(key, text_of(message->fields[i].name)))
            return message->fields[i].name;
    for (size_t i = 0; i < COUNT_OF(money_parts); i++)
        if (text_equal(key, text_of(money_parts[i])))
            return money_parts[i];
    return NULL;
}

static void refuse_key_twice(struct input *input, const struct message *message, struct text key) {
    const char *name = known_name(message, key);
    input_refuse_all(
        input, name == NULL
                   ? TEXT("The body has an unknown field twice.")
                   : arena_format(input->arena, "The body has the field \"%s\" twice.", name));
}

// Whether the value nests deeper than the levels left. A key twice sets input->status.
static bool is_too_deep(struct input *input, const struct message *message, yyjson_val *value,
                        int levels) {
    if (!yyjson_is_ctn(value))
        return false;
    if (levels == 0)
        return true;
    yyjson_val *twice = yyjson_is_obj(value) ? find_key_twice(input, value) : NULL;
    if (twice != NULL && input->status == STATUS_OK)
        refuse_key_twice(input, message, text_of_value(twice));
    bool too_deep = false;
    size_t index, total;
    yyjson_val *key, *item;
    if (yyjson_is_obj(value)) {
        yyjson_obj_foreach(value, index, total, key, item) too_deep |=
            is_too_deep(input, message, item, levels - 1);
    } else {
        yyjson_arr_foreach(value, index, total, item) too_deep |=
            is_too_deep(input, message, item, levels - 1);
    }
    return too_deep;
}

// --- binding -----------------------------------------------------------------------------------

// False: it is no integer of 64 bits with a sign.
static bool read_integer(yyjson_val *value, int64_t *ret_integer) {
    if (!yyjson_is_int(value) || (yyjson_is_uint(value) && yyjson_get_uint(value) > INT64_MAX))
        return false;
    *ret_integer = yyjson_get_sint(value);
    return true;
}

static bool is_absent(yyjson_val *value) {
    return value == NULL || yyjson_is_null(value) ||
           (yyjson_is_str(value) && input_is_blank(text_of_value(value)));
}

static void bind_amount(struct input *input, const struct field *field, yyjson_val *value,
                        int64_t *ret_value) {
    const struct input_place place = {field, -1, "value"};
    if (is_absent(value))
        input_refuse(input, &place, "The %s field is required.");
    else if (!read_integer(value, ret_value))
        input_refuse(input, &place, "The %s field must be an integer.");
    else if (*ret_value > MONEY_MAX)
        input_refuse_limit(input, &place, "The %s field must not be greater than %lld.", MONEY_MAX);
    else if (*ret_value < -MONEY_MAX)
        input_refuse_limit(input, &place, "The %s field must be at least %lld.", -MONEY_MAX);
}

static void bind_money(struct input *input, const struct input_place *place, yyjson_val *value,
                       struct money *money) {
    if (!yyjson_is_obj(value)) {
        input_refuse(input, place, "The %s field must be an object.");
        return;
    }
    bind_amount(input, place->field, yyjson_obj_get(value, "value"), &money->value);
    const struct input_place part = {place->field, -1, "currency"};
    yyjson_val *currency = yyjson_obj_get(value, "currency");
    if (is_absent(currency))
        input_refuse(input, &part, "The %s field is required.");
    else if (!yyjson_is_str(currency) || !currency_parse(text_of_value(currency), &money->currency))
        input_refuse(input, &part, "The selected %s is invalid.");
}

static void bind_boolean(struct input *input, const struct input_place *place, yyjson_val *value,
                         bool *member) {
    int64_t integer;
    if (yyjson_is_bool(value))
        *member = yyjson_get_bool(value);
    else if (read_integer(value, &integer) && (integer == 0 || integer == 1))
        *member = integer == 1;
    else
        input_refuse(input, place, "The %s field must be true or false.");
}

// The sentence for a value that should have been a text.
static const char *text_sentence(const struct field *field) {
    switch ((enum field_type)field->type) {
    case FIELD_UUID:
        return "The %s field must be a valid UUID.";
    case FIELD_ENUM:
        return "The selected %s is invalid.";
    case FIELD_TIMESTAMP:
    case FIELD_DATE:
        return "The %s field must be a valid date.";
    default:
        return "The %s field must be a string.";
    }
}

static void bind_value(struct input *input, const struct input_place *place, yyjson_val *value,
                       void *member) {
    int64_t integer;
    switch ((enum field_type)place->field->type) {
    case FIELD_MONEY:
        bind_money(input, place, value, member);
        return;
    case FIELD_BOOLEAN:
        bind_boolean(input, place, value, member);
        return;
    case FIELD_INTEGER:
        if (read_integer(value, &integer))
            input_set_integer(input, place, integer, member);
        else
            input_refuse(input, place, "The %s field must be an integer.");
        return;
    default:
        if (yyjson_is_str(value))
            input_set_text(input, place, text_of_value(value), member);
        else
            input_refuse(input, place, text_sentence(place->field));
    }
}

static void bind_list(struct input *input, const struct field *field, yyjson_val *value,
                      struct list *list) {
    struct input_place place = {field, -1, NULL};
    size_t count = yyjson_arr_size(value);
    if (!yyjson_is_arr(value)) {
        input_refuse(input, &place, "The %s field must be an array.");
        return;
    }
    if (count > field->list_maximum) {
        input_refuse_limit(input, &place, "The %s field must not have more than %lld items.",
                           field->list_maximum);
        return;
    }
    char *items = arena_take_zeroed(input->arena, count * field->element_size);
    if (items == NULL)
        return;
    *list = (struct list){items, (uint32_t)count};
    size_t index, total;
    yyjson_val *item;
    yyjson_arr_foreach(value, index, total, item) {
        place.item = (int32_t)index;
        if (is_absent(item))
            input_refuse(input, &place, "The %s field is required.");
        else
            bind_value(input, &place, item, items + index * field->element_size);
    }
}

static void bind_field(struct input *input, const struct field *field, yyjson_val *value,
                       void *request) {
    const struct input_place place = {field, -1, NULL};
    if (is_absent(value)) {
        if (field->required)
            input_refuse_missing(input, &place);
        return;
    }
    if (field->list)
        bind_list(input, field, value, field_member(field, request));
    else
        bind_value(input, &place, value, field_member(field, request));
    field_set_present(field, request, true);
}

static void bind_object(struct input *input, const struct message *message, yyjson_val *object,
                        void *request) {
    for (uint16_t i = 0; i < message->field_count && input->status == STATUS_OK; i++) {
        const struct field *field = &message->fields[i];
        if (field->place == PLACE_BODY)
            bind_field(input, field, yyjson_obj_get(object, field->name), request);
    }
}

enum status json_bind_body(const struct message *message, struct text body, struct arena *arena,
                           void *request, struct failure *failure) {
    struct input input = {.arena = arena, .failure = failure};
    yyjson_val *root = NULL;
    if (!input_is_blank(body)) {
        root = read_json(&input, body);
        bool too_deep = root != NULL && is_too_deep(&input, message, root, JSON_DEPTH_MAX);
        if (input.status != STATUS_OK)
            return input_end(&input);
        if (too_deep || !yyjson_is_obj(root)) {
            failure_add(failure, TEXT("body"),
                        too_deep ? TEXT("The request body is nested too deeply.")
                                 : TEXT("The request body must be a JSON object."));
            return input_end(&input);
        }
    }
    bind_object(&input, message, root, request);
    return input_end(&input);
}

// --- replies -----------------------------------------------------------------------------------

static bool read_view(struct input *input, const struct message *message, yyjson_val *object,
                      void *view);

static bool read_raw(struct input *input, yyjson_val *value, struct text *ret_text) {
    yyjson_alc allocator = {arena_malloc, arena_realloc, arena_nothing, input->arena};
    size_t length = 0;
    const char *bytes = yyjson_val_write_opts(value, 0, &allocator, &length, NULL);
    *ret_text = (struct text){bytes, (uint32_t)length};
    return bytes != NULL;
}

static bool read_member(struct input *input, const struct field *field, yyjson_val *value,
                        void *member) {
    const struct input_place place = {field, -1, NULL};
    switch ((enum field_type)field->type) {
    case FIELD_JSON:
        return read_raw(input, value, member);
    case FIELD_MESSAGE:
        return read_view(input, field->nested, value, member);
    case FIELD_STRING:
    case FIELD_MONEY_TEXT:
        *(struct text *)member = text_of_value(value);
        return yyjson_is_str(value);
    default:
        bind_value(input, &place, value, member);
        return input->failure->status == STATUS_OK;
    }
}

static bool read_list(struct input *input, const struct field *field, yyjson_val *value,
                      struct list *list) {
    size_t count = yyjson_arr_size(value);
    if (!yyjson_is_arr(value) || count > field->list_maximum)
        return false;
    char *items = arena_take_zeroed(input->arena, count * field->element_size);
    if (items == NULL)
        return false;
    *list = (struct list){items, (uint32_t)count};
    size_t index, total;
    yyjson_val *item;
    yyjson_arr_foreach(value, index, total, item) {
        if (!read_member(input, field, item, items + index * field->element_size))
            return false;
    }
    return true;
}

static bool read_view(struct input *input, const struct message *message, yyjson_val *object,
                      void *view) {
    if (!yyjson_is_obj(object))
        return false;
    for (uint16_t i = 0; i < message->field_count; i++) {
        const struct field *field = &message->fields[i];
        yyjson_val *value = yyjson_obj_get(object, field->name);
        bool absent = value == NULL || yyjson_is_null(value);
        if (absent && field->presence_offset == FIELD_ALWAYS)
            return false;
        void *member = field_member(field, view);
        if (!absent && !(field->list ? read_list(input, field, value, member)
                                     : read_member(input, field, value, member)))
            return false;
        field_set_present(field, view, !absent);
    }
    return true;
}

bool json_read_view(const struct message *message, struct text json, struct arena *arena,
                    void *ret_view) {
    struct failure failure;
    failure_reset(&failure);
    struct input input = {.arena = arena, .failure = &failure};
    memset(ret_view, 0, message->size);
    yyjson_val *root = read_json(&input, json);
    return root != NULL && read_view(&input, message, root, ret_view) && !arena->overflow;
}
