// SPDX-License-Identifier: Apache-2.0
// msgpack-c packs and unpacks single values; containers are walked here, so that no tree is
// built and no count is believed before it was compared with the bytes left.
#include "codec.h"

#include "format.h"
#include "limits.h"

#include <msgpack.h>

enum { ITEMS_MAX = 1 << 16 }; // of one container; more do not fit a frame of ours

// --- encoding ----------------------------------------------------------------------------------

static int arena_append(void *context, const char *bytes, size_t count) {
    struct arena *arena = context;
    if (arena->overflow || count > arena->capacity - arena->used) {
        arena->overflow = true;
        return -1;
    }
    memcpy(arena->memory + arena->used, bytes, count);
    arena->used += count;
    return 0;
}

static void encode_message(msgpack_packer *packer, const struct message *message,
                           const void *value);

static void encode_bytes(msgpack_packer *packer, const void *bytes, uint32_t count) {
    msgpack_pack_bin(packer, count);
    if (count > 0)
        msgpack_pack_bin_body(packer, bytes, count);
}

static void encode_text(msgpack_packer *packer, struct text text) {
    msgpack_pack_str(packer, text.length);
    if (text.length > 0)
        msgpack_pack_str_body(packer, text.bytes, text.length);
}

static void encode_value(msgpack_packer *packer, const struct field *field, const void *member) {
    switch ((enum field_type)field->type) {
    case FIELD_BOOLEAN:
        *(const bool *)member ? msgpack_pack_true(packer) : msgpack_pack_false(packer);
        return;
    case FIELD_INTEGER:
    case FIELD_TIMESTAMP:
        msgpack_pack_int64(packer, *(const int64_t *)member);
        return;
    case FIELD_DATE:
        msgpack_pack_int32(packer, *(const int32_t *)member);
        return;
    case FIELD_ENUM:
        msgpack_pack_uint8(packer, *(const uint8_t *)member);
        return;
    case FIELD_STRING:
    case FIELD_JSON:
    case FIELD_MONEY_TEXT:
        encode_text(packer, *(const struct text *)member);
        return;
    case FIELD_BYTES:
        encode_bytes(packer, ((const struct text *)member)->bytes,
                     ((const struct text *)member)->length);
        return;
    case FIELD_UUID:
        encode_bytes(packer, member, sizeof(struct uuid));
        return;
    case FIELD_MONEY:
        msgpack_pack_array(packer, 2);
        msgpack_pack_int64(packer, ((const struct money *)member)->value);
        msgpack_pack_uint8(packer, ((const struct money *)member)->currency);
        return;
    case FIELD_MESSAGE:
        encode_message(packer, field->nested, member);
        return;
    }
    UNREACHABLE();
}

static void encode_message(msgpack_packer *packer, const struct message *message,
                           const void *value) {
    uint32_t count = 0;
    for (uint16_t i = 0; i < message->field_count; i++)
        count += field_is_present(&message->fields[i], value);
    msgpack_pack_map(packer, count);
    for (uint16_t i = 0; i < message->field_count; i++) {
        const struct field *field = &message->fields[i];
        if (!field_is_present(field, value))
            continue;
        msgpack_pack_uint16(packer, field->number);
        if (!field->list) {
            encode_value(packer, field, field_member_const(field, value));
            continue;
        }
        const struct list *list = field_member_const(field, value);
        msgpack_pack_array(packer, list->count);
        for (uint32_t item = 0; item < list->count; item++)
            encode_value(packer, field,
                         (const char *)list->items + (size_t)item * field->element_size);
    }
}

enum status codec_encode(const struct message *message, const void *value, struct arena *arena,
                         struct text *ret_bytes) {
    char *start = arena_take(arena, 0);
    if (start == NULL || arena->overflow)
        return STATUS_TOO_LARGE;
    msgpack_packer packer;
    msgpack_packer_init(&packer, arena, arena_append);
    encode_message(&packer, message, value);
    if (arena->overflow)
        return STATUS_TOO_LARGE;
    *ret_bytes = (struct text){start, (uint32_t)(arena->memory + arena->used - start)};
    return STATUS_OK;
}

// --- decoding ----------------------------------------------------------------------------------

struct decoder {
    const uint8_t *at;
    const uint8_t *end;
    struct arena *arena;
};

static size_t bytes_left(const struct decoder *decoder) {
    return (size_t)(decoder->end - decoder->at);
}

enum container { CONTAINER_NONE, CONTAINER_ARRAY, CONTAINER_MAP };

// Reads the head of an array or map, whose items need at least a byte each. CONTAINER_NONE: a
// single value comes, nothing was taken.
static bool take_container(struct decoder *decoder, enum container *ret_container,
                           uint32_t *ret_count) {
    if (bytes_left(decoder) == 0)
        return false;
    uint8_t marker = decoder->at[0];
    bool map = (marker & 0xF0) == 0x80 || marker == 0xDE || marker == 0xDF;
    bool array = (marker & 0xF0) == 0x90 || marker == 0xDC || marker == 0xDD;
    *ret_container = map ? CONTAINER_MAP : array ? CONTAINER_ARRAY : CONTAINER_NONE;
    if (*ret_container == CONTAINER_NONE)
        return true;
    size_t width = marker < 0xA0 ? 0 : (marker & 1) == 0 ? 2 : 4; // dc, de: 2; dd, df: 4
    if (bytes_left(decoder) < 1 + width)
        return false;
    uint32_t count = marker & 0x0F;
    for (size_t i = 0; i < width; i++)
        count = (i == 0 ? 0 : count << 8) | decoder->at[1 + i];
    decoder->at += 1 + width;
    *ret_count = count;
    return count <= ITEMS_MAX && (size_t)count * (map ? 2 : 1) <= bytes_left(decoder);
}

// The markers of one kind of bytes: a fixed form with its length in the marker, if any, and the
// first and last of those that are followed by a length of 1, 2 or 4 bytes and `extra` bytes.
struct blob {
    uint8_t fixed;
    uint8_t fixed_mask; // 0: no fixed form
    uint8_t first;
    uint8_t last;
    uint8_t extra;
};

static const struct blob string_blob = {0xA0, 0xE0, 0xD9, 0xDB, 0};
static const struct blob binary_blob = {0, 0, 0xC4, 0xC6, 0};
static const struct blob extension_blob = {0, 0, 0xC7, 0xC9, 1};

// msgpack-c would allocate a zone for each; the bytes stay where they are.
static bool take_blob(struct decoder *decoder, const struct blob *blob, struct text *ret_bytes) {
    if (bytes_left(decoder) == 0)
        return false;
    uint8_t marker = decoder->at[0];
    size_t width = 0;
    uint32_t length = 0;
    if (blob->fixed_mask != 0 && (marker & blob->fixed_mask) == blob->fixed)
        length = marker & (uint8_t)~blob->fixed_mask;
    else if (marker >= blob->first && marker <= blob->last)
        width = (size_t)1 << (marker - blob->first);
    else
        return false;
    if (bytes_left(decoder) < 1 + width)
        return false;
    for (size_t i = 0; i < width; i++)
        length = length << 8 | decoder->at[1 + i];
    if (bytes_left(decoder) - 1 - width < (size_t)length + blob->extra)
        return false;
    decoder->at += 1 + width + blob->extra;
    *ret_bytes = (struct text){(const char *)decoder->at, length};
    decoder->at += length;
    return true;
}

// A number, boolean or nil.
static bool take_scalar(struct decoder *decoder, msgpack_object *ret_object) {
    if (bytes_left(decoder) == 0)
        return false;
    uint8_t marker = decoder->at[0];
    if (marker > 0x7F && marker < 0xE0 && marker != 0xC0 && marker != 0xC2 && marker != 0xC3 &&
        (marker < 0xCA || marker > 0xD3))
        return false;
    size_t offset = 0;
    msgpack_unpacked unpacked = {0}; // a scalar gives it no zone that would be freed
    msgpack_unpack_return result =
        msgpack_unpack_next(&unpacked, (const char *)decoder->at, bytes_left(decoder), &offset);
    if (result != MSGPACK_UNPACK_SUCCESS)
        return false;
    decoder->at += offset;
    *ret_object = unpacked.data;
    return true;
}

// Extensions of 1, 2, 4, 8, 16 bytes: marker, type, bytes.
static bool skip_fixed_extension(struct decoder *decoder) {
    if (bytes_left(decoder) == 0 || decoder->at[0] < 0xD4 || decoder->at[0] > 0xD8)
        return false;
    size_t count = 2 + ((size_t)1 << (decoder->at[0] - 0xD4));
    if (bytes_left(decoder) < count)
        return false;
    decoder->at += count;
    return true;
}

static bool skip_value(struct decoder *decoder) {
    for (uint64_t pending = 1; pending > 0; pending--) {
        enum container container;
        uint32_t count = 0;
        msgpack_object object;
        struct text bytes;
        if (!take_container(decoder, &container, &count))
            return false;
        if (container == CONTAINER_NONE && !take_blob(decoder, &string_blob, &bytes) &&
            !take_blob(decoder, &binary_blob, &bytes) &&
            !take_blob(decoder, &extension_blob, &bytes) && !skip_fixed_extension(decoder) &&
            !take_scalar(decoder, &object))
            return false;
        pending += container == CONTAINER_MAP ? 2ULL * count : count;
    }
    return true;
}

static bool take_integer(struct decoder *decoder, int64_t minimum, int64_t maximum,
                         int64_t *ret_value) {
    msgpack_object object;
    if (!take_scalar(decoder, &object))
        return false;
    if (object.type == MSGPACK_OBJECT_POSITIVE_INTEGER && object.via.u64 <= INT64_MAX)
        *ret_value = (int64_t)object.via.u64;
    else if (object.type == MSGPACK_OBJECT_NEGATIVE_INTEGER)
        *ret_value = object.via.i64;
    else
        return false;
    return *ret_value >= minimum && *ret_value <= maximum;
}

static bool take_boolean(struct decoder *decoder, bool *ret_value) {
    msgpack_object object;
    if (!take_scalar(decoder, &object) || object.type != MSGPACK_OBJECT_BOOLEAN)
        return false;
    *ret_value = object.via.boolean;
    return true;
}

static bool take_text(struct decoder *decoder, const struct field *field, struct text *ret_text) {
    if (!take_blob(decoder, &string_blob, ret_text))
        return false;
    return field->type != FIELD_STRING || field_check_text(field, *ret_text) == TEXT_FINE;
}

static bool take_bytes(struct decoder *decoder, int64_t minimum, int64_t maximum,
                       struct text *ret_bytes) {
    return take_blob(decoder, &binary_blob, ret_bytes) && ret_bytes->length >= minimum &&
           ret_bytes->length <= maximum;
}

static bool take_uuid(struct decoder *decoder, struct uuid *ret_uuid) {
    struct text bytes;
    if (!take_bytes(decoder, sizeof *ret_uuid, sizeof *ret_uuid, &bytes))
        return false;
    memcpy(ret_uuid, bytes.bytes, sizeof *ret_uuid);
    return true;
}

static bool take_money(struct decoder *decoder, struct money *ret_money) {
    enum container container;
    uint32_t count = 0;
    int64_t currency;
    if (!take_container(decoder, &container, &count) || container != CONTAINER_ARRAY ||
        count != 2 || !take_integer(decoder, -MONEY_MAX, MONEY_MAX, &ret_money->value) ||
        !take_integer(decoder, 0, CURRENCY_COUNT - 1, &currency))
        return false;
    ret_money->currency = (uint8_t)currency;
    return true;
}

static bool take_enum(struct decoder *decoder, const struct field *field, uint8_t *ret_index) {
    int64_t index;
    int64_t count = 0;
    while (field->values[count] != NULL)
        count++;
    if (!take_integer(decoder, 0, count - 1, &index))
        return false;
    *ret_index = (uint8_t)index;
    return true;
}

static enum status decode_message(struct decoder *decoder, const struct message *message,
                                  void *value);

static enum status decode_value(struct decoder *decoder, const struct field *field, void *member) {
    bool good = false;
    int64_t day;
    switch ((enum field_type)field->type) {
    case FIELD_BOOLEAN:
        good = take_boolean(decoder, member);
        break;
    case FIELD_INTEGER:
        good = take_integer(decoder, field->minimum, field->maximum, member);
        break;
    case FIELD_TIMESTAMP:
        good = take_integer(decoder, TIMESTAMP_MIN, TIMESTAMP_MAX, member);
        break;
    case FIELD_DATE:
        good = take_integer(decoder, DATE_MIN, DATE_MAX, &day);
        *(int32_t *)member = good ? (int32_t)day : 0;
        break;
    case FIELD_ENUM:
        good = take_enum(decoder, field, member);
        break;
    case FIELD_STRING:
    case FIELD_JSON:
    case FIELD_MONEY_TEXT:
        good = take_text(decoder, field, member);
        break;
    case FIELD_BYTES:
        good = take_bytes(decoder, field->minimum, field->maximum, member);
        break;
    case FIELD_UUID:
        good = take_uuid(decoder, member);
        break;
    case FIELD_MONEY:
        good = take_money(decoder, member);
        break;
    case FIELD_MESSAGE:
        return decode_message(decoder, field->nested, member);
    }
    return good ? STATUS_OK : STATUS_MALFORMED;
}

static enum status decode_list(struct decoder *decoder, const struct field *field,
                               struct list *list) {
    enum container container;
    uint32_t count = 0;
    if (!take_container(decoder, &container, &count) || container != CONTAINER_ARRAY ||
        count > field->list_maximum)
        return STATUS_MALFORMED;
    char *items = arena_take_zeroed(decoder->arena, (size_t)count * field->element_size);
    if (items == NULL)
        return STATUS_TOO_LARGE;
    *list = (struct list){items, count};
    for (uint32_t i = 0; i < count; i++) {
        enum status status = decode_value(decoder, field, items + (size_t)i * field->element_size);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

static const struct field *find_field(const struct message *message, int64_t number) {
    for (uint16_t i = 0; i < message->field_count; i++)
        if (message->fields[i].number == number)
            return &message->fields[i];
    return NULL;
}

static enum status decode_message(struct decoder *decoder, const struct message *message,
                                  void *value) {
    message_reset(message, value);
    enum container container;
    uint32_t count = 0;
    if (!take_container(decoder, &container, &count) || container != CONTAINER_MAP)
        return STATUS_MALFORMED;
    uint64_t seen = 0; // bit i: fields[i]; the generator allows FIELDS_MAX
    int64_t last = -1;
    for (; count > 0; count--) {
        int64_t number;
        if (!take_integer(decoder, last + 1, UINT16_MAX, &number))
            return STATUS_MALFORMED; // ascending, so no key comes twice
        last = number;
        const struct field *field = find_field(message, number);
        if (field == NULL) {
            if (!skip_value(decoder))
                return STATUS_MALFORMED;
            continue;
        }
        void *member = field_member(field, value);
        enum status status = field->list ? decode_list(decoder, field, member)
                                         : decode_value(decoder, field, member);
        if (status != STATUS_OK)
            return status;
        field_set_present(field, value, true);
        seen |= 1ULL << (field - message->fields);
    }
    for (uint16_t i = 0; i < message->field_count; i++)
        if (message->fields[i].required && (seen >> i & 1) == 0)
            return STATUS_MALFORMED;
    return STATUS_OK;
}

enum status codec_decode(const struct message *message, struct text bytes, struct arena *arena,
                         void *ret_value) {
    struct decoder decoder = {(const uint8_t *)bytes.bytes,
                              (const uint8_t *)bytes.bytes + bytes.length, arena};
    enum status status = decode_message(&decoder, message, ret_value);
    if (status == STATUS_OK && decoder.at != decoder.end)
        return STATUS_MALFORMED;
    return status;
}
