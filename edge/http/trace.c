// SPDX-License-Identifier: Apache-2.0
#include "trace.h"

#include "bytes.h"
#include "chance.h"
#include "format.h"

// 00-<32 hex trace id>-<16 hex span id>-<2 hex flags>
enum {
    TRACE_ID_AT = 3,
    TRACE_ID_HEX = 32,
    SPAN_ID_HEX_AT = TRACE_ID_AT + TRACE_ID_HEX + 1,
    SPAN_ID_HEX = 16,
    FLAGS_AT = SPAN_ID_HEX_AT + SPAN_ID_HEX + 1,
    TRACEPARENT_BYTES = FLAGS_AT + 2, // later versions may be longer
    FLAGS_BYTE_AT = 24, // in our 25 bytes
    FLAG_SAMPLED = 1,
};

static void random_fill(uint64_t *random, uint8_t *bytes) {
    uint64_t value = chance_next(random);
    memcpy(bytes, &value, sizeof value);
}

static struct text part(struct text text, uint32_t at, uint32_t length) {
    return (struct text){text.bytes + at, length};
}

static bool all_zero(const uint8_t *bytes, size_t count) {
    uint8_t any = 0;
    for (size_t i = 0; i < count; i++)
        any |= bytes[i];
    return any == 0;
}

static bool traceparent_parse(struct text header, uint8_t trace[TRACE_BYTES],
                              uint8_t span[SPAN_ID_BYTES]) {
    uint8_t version;
    if (header.length < TRACEPARENT_BYTES ||
        memchr(header.bytes, '\0', TRACEPARENT_BYTES) != NULL ||
        header.bytes[TRACE_ID_AT - 1] != '-' || header.bytes[SPAN_ID_HEX_AT - 1] != '-' ||
        header.bytes[FLAGS_AT - 1] != '-')
        return false;
    for (uint32_t i = 0; i < TRACEPARENT_BYTES; i++)
        if (header.bytes[i] >= 'A' && header.bytes[i] <= 'F')
            return false;
    if (!hex_parse(part(header, 0, 2), &version, 1) || version == 0xff ||
        (version == 0 && header.length != TRACEPARENT_BYTES) ||
        (header.length > TRACEPARENT_BYTES && header.bytes[TRACEPARENT_BYTES] != '-'))
        return false;
    return hex_parse(part(header, TRACE_ID_AT, TRACE_ID_HEX), trace, TRACE_ID_HEX / 2) &&
           hex_parse(part(header, SPAN_ID_HEX_AT, SPAN_ID_HEX), span, SPAN_ID_BYTES) &&
           hex_parse(part(header, FLAGS_AT, 2), trace + FLAGS_BYTE_AT, 1) &&
           !all_zero(trace, TRACE_ID_HEX / 2) && !all_zero(span, SPAN_ID_BYTES);
}

void trace_begin(struct text traceparent, uint64_t *random, uint8_t ret_trace[TRACE_BYTES],
                 uint8_t ret_parent[SPAN_ID_BYTES]) {
    if (traceparent.bytes == NULL || !traceparent_parse(traceparent, ret_trace, ret_parent)) {
        memset(ret_parent, 0, SPAN_ID_BYTES);
        random_fill(random, ret_trace);
        random_fill(random, ret_trace + sizeof(uint64_t));
        ret_trace[FLAGS_BYTE_AT] = 0;
    }
    random_fill(random, ret_trace + SPAN_ID_AT);
}

bool trace_is_sampled(const uint8_t trace[TRACE_BYTES]) {
    return (trace[FLAGS_BYTE_AT] & FLAG_SAMPLED) != 0;
}

void trace_sample(uint8_t trace[TRACE_BYTES], const uint8_t parent[SPAN_ID_BYTES], double ratio) {
    const double all = (double)(UINT64_C(1) << 63);
    uint64_t chance = bytes_get_u64(trace + sizeof(uint64_t)) >> 1; // the id's last 63 bits
    if (all_zero(parent, SPAN_ID_BYTES) && (double)chance < ratio * all)
        trace[FLAGS_BYTE_AT] |= FLAG_SAMPLED;
}

static bool id_is_sane(struct text id) {
    if (id.bytes == NULL || id.length == 0 || id.length > REQUEST_ID_BYTES_MAX)
        return false;
    for (uint32_t i = 0; i < id.length; i++) {
        char c = id.bytes[i];
        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
              c == '.' || c == '_' || c == '-'))
            return false;
    }
    return true;
}

void request_id_begin(struct text client, const uint8_t trace[TRACE_BYTES],
                      char ret_id[REQUEST_ID_BYTES_MAX + 1]) {
    uint32_t length;
    if (id_is_sane(client)) {
        length = client.length;
        memcpy(ret_id, client.bytes, length);
    } else {
        length = hex_write(trace, TRACE_ID_HEX / 2, ret_id);
    }
    ret_id[length] = '\0';
}
