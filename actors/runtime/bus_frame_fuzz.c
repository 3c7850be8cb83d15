// SPDX-License-Identifier: Apache-2.0
// Any bytes as a frame of the bus, and as each of the bodies that travel on it, with an envelope or
// without: readers refuse it or understand it, and what was understood and is written again reads
// the same.
#include "control.h"
#include "failure.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_envelope(struct text frame) {
    struct envelope envelope;
    if (!envelope_read(frame, &envelope))
        return;
    char again[ENVELOPE_BYTES];
    envelope_write(&envelope, again);
    ASSERT(memcmp(again, frame.bytes, ENVELOPE_BYTES) == 0);
    envelope_set_credit(again, envelope_credit(&envelope));
    ASSERT(memcmp(again, frame.bytes, ENVELOPE_BYTES) == 0);

    struct reply_block block;
    struct text body;
    if (!reply_read(frame, &block, &body))
        return;
    ASSERT(body.bytes >= frame.bytes + REPLY_HEAD_BYTES - REPLY_BLOCK_BYTES + 2);
    ASSERT(body.bytes + body.length <= frame.bytes + frame.length);
    struct failure failure;
    (void)failure_decode(&failure, STATUS_INVALID, body);
}

static void fuzz_hello(struct text body) {
    struct hello hello, again;
    if (!control_read_hello(body, &hello))
        return;
    ASSERT(hello.role > 0 && hello.instance != 0);
    char frame[CONTROL_BYTES_MAX];
    uint32_t length = control_write_hello(&hello, frame);
    ASSERT(length <= CONTROL_BYTES_MAX);
    ASSERT(
        control_read_hello((struct text){frame + ENVELOPE_BYTES, length - ENVELOPE_BYTES}, &again));
    ASSERT(again.operation_count == hello.operation_count && again.window == hello.window);
    ASSERT(memcmp(again.name, hello.name, strlen(hello.name) + 1) == 0);
}

static void fuzz_refusal(struct text body) {
    struct refusal refusal, again;
    if (!control_read_refusal(body, &refusal))
        return;
    char frame[CONTROL_BYTES_MAX];
    uint32_t length = control_write_refusal(&refusal, frame);
    ASSERT(control_read_refusal((struct text){frame + ENVELOPE_BYTES, length - ENVELOPE_BYTES},
                                &again));
    ASSERT(memcmp(&again, &refusal, sizeof refusal) == 0);
}

static void fuzz_beat(struct text body) {
    struct beat beat, again;
    if (!control_read_beat(body, &beat))
        return;
    char frame[CONTROL_BYTES_MAX];
    uint32_t length = control_write_beat(KIND_HEARTBEAT, &beat, frame);
    ASSERT(
        control_read_beat((struct text){frame + ENVELOPE_BYTES, length - ENVELOPE_BYTES}, &again));
    ASSERT(memcmp(&again, &beat, sizeof beat) == 0);
}

static void fuzz_channels(struct text body) {
    struct uuid channels[CHANNELS_MAX], again[CHANNELS_MAX];
    uint32_t count, count_again;
    uint64_t dropped;
    (void)control_read_gap(body, &dropped);
    if (!control_read_channels(body, channels, &count))
        return;
    char frame[CONTROL_BYTES_MAX];
    uint32_t length = control_write_channels(KIND_SUBSCRIBE, channels, count, frame);
    ASSERT(control_read_channels((struct text){frame + ENVELOPE_BYTES, length - ENVELOPE_BYTES},
                                 again, &count_again));
    ASSERT(count == count_again && memcmp(channels, again, count * sizeof channels[0]) == 0);
}

// What is refused or understood as field errors; understood ones are written and read again.
static void fuzz_failure(struct text body) {
    static struct arena arena;
    if (arena.memory == NULL)
        arena_init(&arena, 1 << 20);
    arena_reset(&arena);
    struct failure failure, again;
    if (!failure_decode(&failure, STATUS_INVALID, body))
        return;
    ASSERT(failure.error_count <= FIELD_ERRORS_MAX);
    struct text bytes = failure_encode(&failure, &arena);
    ASSERT(bytes.bytes != NULL && failure_decode(&again, STATUS_INVALID, bytes));
    ASSERT(again.error_count == failure.error_count);
    for (uint32_t i = 0; i < again.error_count; i++)
        ASSERT(text_equal(again.errors[i].message, failure.errors[i].message));
}

static void fuzz_bodies(struct text body) {
    fuzz_hello(body);
    fuzz_refusal(body);
    fuzz_beat(body);
    fuzz_channels(body);
    fuzz_failure(body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size > FRAME_BYTES_MAX)
        return 0;
    struct text bytes = {(const char *)data, (uint32_t)size};
    fuzz_envelope(bytes);
    fuzz_bodies(bytes);
    if (bytes.length > ENVELOPE_BYTES)
        fuzz_bodies((struct text){bytes.bytes + ENVELOPE_BYTES, bytes.length - ENVELOPE_BYTES});
    return 0;
}
