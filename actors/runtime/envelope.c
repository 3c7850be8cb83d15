// SPDX-License-Identifier: Apache-2.0
// The fixed offsets of envelope.h, written out. This and control.c are all that a broker knows of
// msgpack.
#include "envelope.h"

#include "bytes.h"

#include <assert.h>

enum {
    AT_VERSION = 2,
    AT_KIND = 4,
    AT_FLAGS = 6,
    AT_OPERATION = 9,
    AT_SCHEMA = 12,
    AT_LANE = 15,
    AT_ATTEMPT = 17,
    AT_BUDGET = 19,
    AT_TENANT = 25,
    AT_SESSION = 42,
    AT_CORRELATION = 51,
    AT_KEY = 61,
    AT_TRACE = 79,
    AT_BLOCK = ENVELOPE_BYTES, // of a reply
    AT_BLOCK_QUEUE = AT_BLOCK + 2 + 8 + 4,
};

static_assert(AT_TRACE + 25 == ENVELOPE_BYTES, "the last field ends the header");

// A header without its values: every marker, and zeroes between.
static const uint8_t markers[ENVELOPE_BYTES] = {
    [0] = 0x9d,  [1] = 0xcc,  [3] = 0xcc,  [5] = 0xcd,  [8] = 0xcd, [11] = 0xcd,
    [14] = 0xcc, [16] = 0xcc, [18] = 0xce, [23] = 0xc4, [24] = 16,  [41] = 0xcf,
    [50] = 0xcf, [59] = 0xc4, [60] = 16,   [77] = 0xc4, [78] = 25,
};

// Bits of the positions above, 8 bytes a word, so that a header is checked in thirteen steps.
static bool markers_match(const uint8_t *frame) {
    static const uint8_t masks[ENVELOPE_BYTES] = {
        [0] = 0xff,  [1] = 0xff,  [3] = 0xff,  [5] = 0xff,  [8] = 0xff,  [11] = 0xff,
        [14] = 0xff, [16] = 0xff, [18] = 0xff, [23] = 0xff, [24] = 0xff, [41] = 0xff,
        [50] = 0xff, [59] = 0xff, [60] = 0xff, [77] = 0xff, [78] = 0xff,
    };
    uint64_t difference = 0;
    for (size_t i = 0; i < ENVELOPE_BYTES; i += 8) {
        uint64_t word, mask, marker;
        memcpy(&word, frame + i, 8);
        memcpy(&mask, masks + i, 8);
        memcpy(&marker, markers + i, 8);
        difference |= (word & mask) ^ marker;
    }
    return difference == 0;
}

static_assert(ENVELOPE_BYTES % 8 == 0, "checked in words");

void envelope_write(const struct envelope *envelope, void *frame) {
    uint8_t *bytes = frame;
    memcpy(bytes, markers, ENVELOPE_BYTES);
    bytes[AT_VERSION] = envelope->version;
    bytes[AT_KIND] = envelope->kind;
    bytes_put_u16(bytes + AT_FLAGS, envelope->flags);
    bytes_put_u16(bytes + AT_OPERATION, envelope->operation);
    bytes_put_u16(bytes + AT_SCHEMA, envelope->schema);
    bytes[AT_LANE] = envelope->lane;
    bytes[AT_ATTEMPT] = envelope->attempt;
    bytes_put_u32(bytes + AT_BUDGET, envelope->budget_us);
    memcpy(bytes + AT_TENANT, envelope->tenant.bytes, 16);
    bytes_put_u64(bytes + AT_SESSION, envelope->session);
    bytes_put_u64(bytes + AT_CORRELATION, envelope->correlation);
    memcpy(bytes + AT_KEY, envelope->key, 16);
    memcpy(bytes + AT_TRACE, envelope->trace, 25);
}

bool envelope_read(struct text frame, struct envelope *ret_envelope) {
    if (frame.length < ENVELOPE_BYTES)
        return false;
    const uint8_t *bytes = (const uint8_t *)frame.bytes;
    if (!markers_match(bytes) || bytes[AT_VERSION] != ENVELOPE_VERSION)
        return false;
    ret_envelope->version = bytes[AT_VERSION];
    ret_envelope->kind = bytes[AT_KIND];
    ret_envelope->flags = bytes_get_u16(bytes + AT_FLAGS);
    ret_envelope->operation = bytes_get_u16(bytes + AT_OPERATION);
    ret_envelope->schema = bytes_get_u16(bytes + AT_SCHEMA);
    ret_envelope->lane = bytes[AT_LANE];
    ret_envelope->attempt = bytes[AT_ATTEMPT];
    ret_envelope->budget_us = bytes_get_u32(bytes + AT_BUDGET);
    memcpy(ret_envelope->tenant.bytes, bytes + AT_TENANT, 16);
    ret_envelope->session = bytes_get_u64(bytes + AT_SESSION);
    ret_envelope->correlation = bytes_get_u64(bytes + AT_CORRELATION);
    memcpy(ret_envelope->key, bytes + AT_KEY, 16);
    memcpy(ret_envelope->trace, bytes + AT_TRACE, 25);
    return true;
}

bool envelope_is_foreign_hello(struct text frame, uint8_t *ret_version) {
    const uint8_t *bytes = (const uint8_t *)frame.bytes;
    if (frame.length <= AT_KIND || (bytes[0] & 0xf0) != 0x90 || bytes[1] != 0xcc ||
        bytes[3] != 0xcc || bytes[AT_VERSION] == ENVELOPE_VERSION || bytes[AT_KIND] != KIND_HELLO)
        return false;
    *ret_version = bytes[AT_VERSION];
    return true;
}

void envelope_set_budget(void *frame, uint32_t budget_us) {
    bytes_put_u32((uint8_t *)frame + AT_BUDGET, budget_us);
}

void envelope_set_attempt(void *frame, uint8_t attempt) {
    ((uint8_t *)frame)[AT_ATTEMPT] = attempt;
}

void envelope_set_flags(void *frame, uint16_t flags) {
    bytes_put_u16((uint8_t *)frame + AT_FLAGS, flags);
}

void envelope_set_credit(void *frame, uint64_t limit) {
    bytes_put_u64((uint8_t *)frame + AT_KEY, limit);
}

uint64_t envelope_credit(const struct envelope *envelope) {
    return bytes_get_u64(envelope->key);
}

void reply_set_queue(void *frame, uint32_t length, uint32_t queue_us) {
    uint8_t *bytes = frame;
    if (length >= AT_BLOCK + REPLY_BLOCK_BYTES && bytes[AT_BLOCK] == 0xc4 &&
        bytes[AT_BLOCK + 1] >= REPLY_BLOCK_BYTES - 2)
        bytes_put_u32(bytes + AT_BLOCK_QUEUE, queue_us);
}

static void reply_block_write(const struct reply_block *block, void *bytes) {
    uint8_t *at = bytes;
    at[0] = 0xc4;
    at[1] = 32;
    bytes_put_u64(at + 2, block->version);
    bytes_put_u32(at + 10, block->flags);
    bytes_put_u32(at + 14, block->queue_us);
    bytes_put_u32(at + 18, block->wait_us);
    bytes_put_u32(at + 22, block->database_us);
    bytes_put_u32(at + 26, block->actor_us);
    bytes_put_u32(at + 30, 0);
}

static void reply_block_read(struct text bytes, struct reply_block *ret_block) {
    uint8_t known[REPLY_BLOCK_BYTES - 2] = {0};
    memcpy(known, bytes.bytes, MIN(bytes.length, sizeof known));
    ret_block->version = bytes_get_u64(known);
    ret_block->flags = bytes_get_u32(known + 8);
    ret_block->queue_us = bytes_get_u32(known + 12);
    ret_block->wait_us = bytes_get_u32(known + 16);
    ret_block->database_us = bytes_get_u32(known + 20);
    ret_block->actor_us = bytes_get_u32(known + 24);
}

void reply_head_write(const struct envelope *envelope, const struct reply_block *block,
                      uint32_t body_length, void *head) {
    uint8_t *bytes = head;
    envelope_write(envelope, bytes);
    reply_block_write(block, bytes + ENVELOPE_BYTES);
    bytes[ENVELOPE_BYTES + REPLY_BLOCK_BYTES] = 0xc6;
    bytes_put_u32(bytes + ENVELOPE_BYTES + REPLY_BLOCK_BYTES + 1, body_length);
}

bool reply_read(struct text frame, struct reply_block *ret_block, struct text *ret_body) {
    const uint8_t *at = (const uint8_t *)frame.bytes + ENVELOPE_BYTES;
    if (frame.length < ENVELOPE_BYTES + 2 || at[0] != 0xc4)
        return false;
    const struct text block = {(const char *)at + 2, at[1]};
    uint32_t head = ENVELOPE_BYTES + 2 + block.length + 5;
    if (frame.length < head)
        return false;
    at += 2 + block.length;
    if (at[0] != 0xc6 || bytes_get_u32(at + 1) > frame.length - head)
        return false;
    reply_block_read(block, ret_block);
    *ret_body = (struct text){frame.bytes + head, bytes_get_u32(at + 1)};
    return true;
}
