// SPDX-License-Identifier: Apache-2.0
// The layouts of control.h. Readers take what they know, zero what is missing and skip the rest,
// so that builds one version apart understand each other.
#include "control.h"

#include "bytes.h"

enum {
    BEAT_NUMBERS = 6 + 2 * LANE_COUNT,
    HELLO_NUMBERS = 8,
    REFUSAL_NUMBERS = 3,
    NUMBERS_MAX = 64
};

static_assert(ENVELOPE_BYTES + 3 + HELLO_NUMBERS * 9 + 2 + PEER_NAME_BYTES + 3 + SERVED_MAX * 3 <=
                  CONTROL_BYTES_MAX,
              "the longest hello fits");
static_assert(LANE_COUNT == 4, "a beat's numbers have fixed places: a fifth lane's go to its end");
static_assert(ENVELOPE_BYTES + 3 + CHANNELS_MAX * 18 <= CONTROL_BYTES_MAX,
              "the longest subscribe fits");

struct reader {
    const uint8_t *at;
    const uint8_t *end;
};

static struct reader reader_of(struct text body) {
    const uint8_t *bytes = (const uint8_t *)body.bytes;
    return (struct reader){bytes, bytes + body.length};
}

// True when `count` elements of element_bytes follow an array16 marker.
static bool read_array(struct reader *reader, uint32_t element_bytes, uint32_t *ret_count) {
    size_t left = (size_t)(reader->end - reader->at);
    if (left < 3 || reader->at[0] != 0xdc)
        return false;
    uint32_t count = bytes_get_u16(reader->at + 1);
    if ((size_t)count * element_bytes > left - 3)
        return false;
    reader->at += 3;
    *ret_count = count;
    return true;
}

static uint8_t *write_array(uint8_t *at, uint32_t count) {
    at[0] = 0xdc;
    bytes_put_u16(at + 1, (uint16_t)count);
    return at + 3;
}

static uint8_t *write_numbers(uint8_t *at, const uint64_t *numbers, uint32_t count) {
    at = write_array(at, count);
    for (uint32_t i = 0; i < count; i++) {
        at[0] = 0xcf;
        bytes_put_u64(at + 1, numbers[i]);
        at += 9;
    }
    return at;
}

static bool read_numbers(struct reader *reader, uint64_t *ret_numbers, uint32_t known) {
    uint32_t count;
    if (!read_array(reader, 9, &count) || count > NUMBERS_MAX)
        return false;
    for (uint32_t i = 0; i < known; i++)
        ret_numbers[i] = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (reader->at[0] != 0xcf)
            return false;
        if (i < known)
            ret_numbers[i] = bytes_get_u64(reader->at + 1);
        reader->at += 9;
    }
    return true;
}

static uint8_t *write_envelope(uint8_t kind, char *frame) {
    const struct envelope envelope = {.version = ENVELOPE_VERSION, .kind = kind, .lane = LANE_BULK};
    envelope_write(&envelope, frame);
    return (uint8_t *)frame + ENVELOPE_BYTES;
}

static uint32_t length_of(const char *frame, const uint8_t *end) {
    return (uint32_t)(end - (const uint8_t *)frame);
}

uint32_t control_write_bare(uint8_t kind, char *frame) {
    return length_of(frame, write_envelope(kind, frame));
}

uint32_t control_write_hello(const struct hello *hello, char *frame) {
    ASSERT(hello->operation_count <= SERVED_MAX);
    uint8_t *at = write_envelope(KIND_HELLO, frame);
    const uint64_t numbers[HELLO_NUMBERS] = {
        hello->role,   hello->instance, hello->nonce,         hello->process,
        hello->window, hello->credit,   hello->speaks.oldest, hello->speaks.newest};
    at = write_numbers(at, numbers, HELLO_NUMBERS);
    at[0] = 0xc4;
    at[1] = PEER_NAME_BYTES;
    memcpy(at + 2, hello->name, PEER_NAME_BYTES);
    at = write_array(at + 2 + PEER_NAME_BYTES, hello->operation_count);
    for (uint32_t i = 0; i < hello->operation_count; i++) {
        at[0] = 0xcd;
        bytes_put_u16(at + 1, hello->operations[i]);
        at += 3;
    }
    return length_of(frame, at);
}

static struct wire_range range_of(uint64_t oldest, uint64_t newest) {
    return (struct wire_range){(uint32_t)MIN(MAX(oldest, 1U), UINT32_MAX),
                               (uint32_t)MIN(MAX(newest, 1U), UINT32_MAX)};
}

bool wire_meets(struct wire_range speaks) {
    return speaks.oldest <= WIRE_NEWEST && speaks.newest >= WIRE_OLDEST;
}

uint32_t control_write_refusal(const struct refusal *refusal, char *frame) {
    const uint64_t numbers[REFUSAL_NUMBERS] = {refusal->speaks.oldest, refusal->speaks.newest,
                                               refusal->reason};
    uint8_t *at = write_envelope(KIND_REFUSAL, frame);
    return length_of(frame, write_numbers(at, numbers, REFUSAL_NUMBERS));
}

bool control_read_refusal(struct text body, struct refusal *ret_refusal) {
    struct reader reader = reader_of(body);
    uint64_t numbers[REFUSAL_NUMBERS];
    if (!read_numbers(&reader, numbers, REFUSAL_NUMBERS))
        return false;
    ret_refusal->speaks = range_of(numbers[0], numbers[1]);
    ret_refusal->reason = (uint32_t)MIN(numbers[2], UINT32_MAX);
    return true;
}

bool control_read_hello(struct text body, struct hello *ret_hello) {
    struct reader reader = reader_of(body);
    uint64_t numbers[HELLO_NUMBERS];
    if (!read_numbers(&reader, numbers, HELLO_NUMBERS))
        return false;
    if (numbers[0] == 0 || numbers[0] > UINT8_MAX || numbers[1] == 0 || numbers[4] > UINT16_MAX)
        return false;
    if ((size_t)(reader.end - reader.at) < 2 + PEER_NAME_BYTES || reader.at[0] != 0xc4 ||
        reader.at[1] != PEER_NAME_BYTES)
        return false;
    ret_hello->role = (uint8_t)numbers[0];
    ret_hello->instance = numbers[1];
    ret_hello->nonce = numbers[2];
    ret_hello->process = numbers[3];
    ret_hello->window = (uint32_t)numbers[4];
    ret_hello->credit = numbers[5];
    ret_hello->speaks = range_of(numbers[6], numbers[7]);
    memcpy(ret_hello->name, reader.at + 2, PEER_NAME_BYTES);
    ret_hello->name[PEER_NAME_BYTES - 1] = '\0';
    reader.at += 2 + PEER_NAME_BYTES;
    if (!read_array(&reader, 3, &ret_hello->operation_count) ||
        ret_hello->operation_count > SERVED_MAX)
        return false;
    for (uint32_t i = 0; i < ret_hello->operation_count; i++, reader.at += 3) {
        if (reader.at[0] != 0xcd)
            return false;
        ret_hello->operations[i] = bytes_get_u16(reader.at + 1);
    }
    return true;
}

uint32_t control_write_beat(uint8_t kind, const struct beat *beat, char *frame) {
    uint64_t numbers[BEAT_NUMBERS] = {beat->clock_us, beat->echo_us, beat->nonce, beat->event_bytes,
                                      beat->served};
    for (uint32_t i = 0; i < LANE_COUNT; i++) {
        numbers[5 + i] = beat->limit[i];
        numbers[5 + LANE_COUNT + i] = beat->sent[i];
    }
    numbers[5 + 2 * LANE_COUNT] = beat->roles;
    uint8_t *at = write_envelope(kind, frame);
    return length_of(frame, write_numbers(at, numbers, BEAT_NUMBERS));
}

bool control_read_beat(struct text body, struct beat *ret_beat) {
    struct reader reader = reader_of(body);
    uint64_t numbers[BEAT_NUMBERS];
    if (!read_numbers(&reader, numbers, BEAT_NUMBERS))
        return false;
    ret_beat->clock_us = numbers[0];
    ret_beat->echo_us = numbers[1];
    ret_beat->nonce = numbers[2];
    ret_beat->event_bytes = numbers[3];
    ret_beat->served = numbers[4];
    for (uint32_t i = 0; i < LANE_COUNT; i++) {
        ret_beat->limit[i] = numbers[5 + i];
        ret_beat->sent[i] = numbers[5 + LANE_COUNT + i];
    }
    ret_beat->roles = numbers[5 + 2 * LANE_COUNT];
    return true;
}

uint32_t control_write_channels(uint8_t kind, const struct uuid *channels, uint32_t count,
                                char *frame) {
    ASSERT(count <= CHANNELS_MAX);
    uint8_t *at = write_array(write_envelope(kind, frame), count);
    for (uint32_t i = 0; i < count; i++) {
        at[0] = 0xc4;
        at[1] = 16;
        memcpy(at + 2, channels[i].bytes, 16);
        at += 18;
    }
    return length_of(frame, at);
}

bool control_read_channels(struct text body, struct uuid *ret_channels, uint32_t *ret_count) {
    struct reader reader = reader_of(body);
    if (!read_array(&reader, 18, ret_count) || *ret_count > CHANNELS_MAX)
        return false;
    for (uint32_t i = 0; i < *ret_count; i++, reader.at += 18) {
        if (reader.at[0] != 0xc4 || reader.at[1] != 16)
            return false;
        memcpy(ret_channels[i].bytes, reader.at + 2, 16);
    }
    return true;
}

uint32_t control_write_gap(uint16_t operation, struct uuid channel, uint64_t dropped, char *frame) {
    const struct envelope envelope = {.version = ENVELOPE_VERSION,
                                      .kind = KIND_GAP,
                                      .operation = operation,
                                      .lane = LANE_BULK,
                                      .tenant = channel};
    envelope_write(&envelope, frame);
    return length_of(frame, write_numbers((uint8_t *)frame + ENVELOPE_BYTES, &dropped, 1));
}

bool control_read_gap(struct text body, uint64_t *ret_dropped) {
    struct reader reader = reader_of(body);
    return read_numbers(&reader, ret_dropped, 1);
}
