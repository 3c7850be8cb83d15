// SPDX-License-Identifier: Apache-2.0
// Any parts as a request of ZeroMQ's authentication: only the seven that prove a trusted key, and
// no broker's, are let in, and every answer is whole. Input: a byte that says how many parts there
// are and which of them are the right ones, then the others, each a byte of length and its bytes.
#include "fuzz_input.h"
#include "gate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RIGHT_PARTS = 7 };

static const uint8_t edge_key[KEY_BYTES] = "an edge's, of thirty-two bytes..";
static const uint8_t broker_key[KEY_BYTES] = "a broker's, of thirty-two bytes.";

static void trust(struct keys *keys, const uint8_t key[KEY_BYTES], uint8_t role) {
    struct trusted_key *trusted = &keys->trusted[keys->trusted_count++];
    certificate_key_text(key, trusted->text);
    trusted->role = role;
}

static bool is_right(const struct gate_request *request) {
    const struct text *parts = request->parts;
    return request->count == RIGHT_PARTS && text_equal(parts[0], TEXT("1.0")) &&
           text_equal(parts[5], TEXT("CURVE")) &&
           text_equal(parts[6], (struct text){(const char *)edge_key, KEY_BYTES});
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct keys keys;
    if (keys.trusted_count == 0) {
        trust(&keys, edge_key, ROLE_EDGE);
        trust(&keys, broker_key, ROLE_BROKER);
    }
    struct fuzz_input input = {data, size};
    uint8_t count = fuzz_byte(&input), right = fuzz_byte(&input);
    struct gate_request request = {
        .parts = {TEXT("1.0"),
                  TEXT("1"),
                  TEXT("bus"),
                  TEXT("10.0.0.7"),
                  TEXT(""),
                  TEXT("CURVE"),
                  {(const char *)(count & 0x80 ? broker_key : edge_key), KEY_BYTES}},
        .count = (count & 0x7f) % (GATE_PARTS_MAX + 1),
    };
    for (uint32_t i = 0; i < GATE_PARTS_MAX; i++) {
        if ((right & 1U << i) == 0)
            request.parts[i] = fuzz_text(&input, fuzz_byte(&input));
    }
    struct gate_verdict verdict;
    gate_judge(&keys, &request, &verdict);
    ASSERT(verdict.welcome == is_right(&request));
    ASSERT(text_equal(verdict.parts[2], verdict.welcome ? TEXT("200") : TEXT("400")));
    ASSERT(verdict.parts[5].length <= GATE_PROPERTIES_BYTES);
    ASSERT(strnlen(verdict.key, sizeof verdict.key) < sizeof verdict.key);
    if (request.count > 3)
        ASSERT(text_equal(verdict.parts[1], request.parts[1]) &&
               text_equal(verdict.address, request.parts[3]));
    return 0;
}
