// SPDX-License-Identifier: Apache-2.0
#include "trace.h"

#include "format.h"

// 00-<32 hex trace id>-<16 hex span id>-<2 hex flags>
enum {
    TRACE_ID_AT = 3,
    TRACE_ID_HEX = 32,
    SPAN_ID_AT = TRACE_ID_AT + TRACE_ID_HEX + 1,
    SPAN_ID_HEX = 16,
    FLAGS_AT = SPAN_ID_AT + SPAN_ID_HEX + 1,
    TRACEPARENT_BYTES = FLAGS_AT + 2, // later versions may be longer
    SPAN_BYTES_AT = 16, // in our 25 bytes
    FLAGS_BYTE_AT = 24,
};

// SplitMix64: every seed has the full period, so two edges differ from the first id on.
static uint64_t random_next(uint64_t *random) {
    uint64_t z = (*random += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static void random_fill(uint64_t *random, uint8_t *bytes) {
    uint64_t value = random_next(random);
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

static bool traceparent_parse(struct text header, uint8_t trace[TRACE_BYTES]) {
    uint8_t version;
    uint8_t span[SPAN_ID_HEX / 2];
    if (header.length < TRACEPARENT_BYTES ||
        memchr(header.bytes, '\0', TRACEPARENT_BYTES) != NULL ||
        header.bytes[TRACE_ID_AT - 1] != '-' || header.bytes[SPAN_ID_AT - 1] != '-' ||
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
           hex_parse(part(header, SPAN_ID_AT, SPAN_ID_HEX), span, sizeof span) &&
           hex_parse(part(header, FLAGS_AT, 2), trace + FLAGS_BYTE_AT, 1) &&
           !all_zero(trace, TRACE_ID_HEX / 2) && !all_zero(span, sizeof span);
}

void trace_begin(struct text traceparent, uint64_t *random, uint8_t ret_trace[TRACE_BYTES]) {
    if (traceparent.bytes == NULL || !traceparent_parse(traceparent, ret_trace)) {
        random_fill(random, ret_trace);
        random_fill(random, ret_trace + sizeof(uint64_t));
        ret_trace[FLAGS_BYTE_AT] = 0;
    }
    random_fill(random, ret_trace + SPAN_BYTES_AT);
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
