// SPDX-License-Identifier: Apache-2.0
#include "gate.h"

#include "expect.h"

static struct keys keys;
static uint8_t edge_key[KEY_BYTES] = {1, 2, 3, 4};
static uint8_t broker_key[KEY_BYTES] = {5, 6, 7, 8};
static uint8_t stranger_key[KEY_BYTES] = {9, 10, 11, 12};

static void trust(const uint8_t key[KEY_BYTES], uint8_t role) {
    struct trusted_key *trusted = &keys.trusted[keys.trusted_count++];
    certificate_key_text(key, trusted->text);
    trusted->role = role;
}

static struct gate_request request_of(const uint8_t key[KEY_BYTES]) {
    return (struct gate_request){.parts = {TEXT("1.0"),
                                           TEXT("41"),
                                           TEXT("valorize"),
                                           TEXT("10.0.0.7"),
                                           TEXT(""),
                                           TEXT("CURVE"),
                                           {(const char *)key, KEY_BYTES}},
                                 .count = 7};
}

static struct gate_verdict judge(const struct gate_request *request) {
    static struct gate_verdict verdict; // its texts may be its own
    gate_judge(&keys, request, &verdict);
    return verdict;
}

static void test_trusted_key_is_let_in_as_its_role(void) {
    const struct gate_request request = request_of(edge_key);
    struct gate_verdict verdict = judge(&request);
    EXPECT(verdict.welcome);
    EXPECT_TEXT(verdict.parts[0], "1.0");
    EXPECT_TEXT(verdict.parts[1], "41");
    EXPECT_TEXT(verdict.parts[2], "200");
    EXPECT_TEXT(verdict.parts[4], "edge");
    char wanted[GATE_PROPERTIES_BYTES] = "\3Key\0\0\0\50";
    certificate_key_text(edge_key, wanted + 8);
    EXPECT_INTEGER(verdict.parts[5].length, 8 + KEY_TEXT_BYTES - 1);
    EXPECT(memcmp(verdict.parts[5].bytes, wanted, 8 + KEY_TEXT_BYTES - 1) == 0);
}

static void test_unknown_key_is_refused_and_named(void) {
    const struct gate_request request = request_of(stranger_key);
    struct gate_verdict verdict = judge(&request);
    char text[KEY_TEXT_BYTES];
    certificate_key_text(stranger_key, text);
    EXPECT(!verdict.welcome);
    EXPECT_TEXT(verdict.parts[1], "41");
    EXPECT_TEXT(verdict.parts[2], "400");
    EXPECT_TEXT(verdict.parts[4], "");
    EXPECT_TEXT(verdict.parts[5], "");
    EXPECT_TEXT(verdict.address, "10.0.0.7");
    EXPECT_TEXT(text_of(verdict.key), text);
}

static void test_a_brokers_key_opens_nothing(void) {
    const struct gate_request request = request_of(broker_key);
    EXPECT(!judge(&request).welcome);
}

static void test_malformed_requests_are_refused(void) {
    static const struct {
        uint32_t part;
        struct text value;
    } wrong[] = {{0, {"2.0", 3}},   {0, {"", 0}}, {5, {"NULL", 4}},
                 {5, {"PLAIN", 5}}, {6, {"", 0}}, {6, {"123456789012345678901234567890123", 33}}};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct gate_request request = request_of(edge_key);
        request.parts[wrong[i].part] = wrong[i].value;
        struct gate_verdict verdict = judge(&request);
        EXPECT(!verdict.welcome);
        EXPECT_TEXT(verdict.parts[2], "400");
        EXPECT_TEXT(verdict.parts[1], "41");
    }
    for (uint32_t count = 0; count < 7; count++) {
        struct gate_request request = request_of(edge_key);
        request.count = count;
        EXPECT(!judge(&request).welcome);
        EXPECT_TEXT(judge(&request).parts[1], count > 1 ? "41" : "");
    }
    struct gate_request request = request_of(edge_key);
    request.parts[7] = TEXT("more");
    request.count = 8;
    EXPECT(!judge(&request).welcome);
}

static void test_one_role_may_have_several_keys(void) {
    uint8_t second[KEY_BYTES] = {77};
    trust(second, ROLE_EDGE);
    const struct gate_request request = request_of(second), former = request_of(edge_key);
    EXPECT(judge(&request).welcome);
    EXPECT(judge(&former).welcome);
    EXPECT_TEXT(judge(&request).parts[4], "edge");
    keys.trusted_count--;
    EXPECT(!judge(&request).welcome);
}

int main(void) {
    static const struct test tests[] = {
        {"a trusted key is let in as its role", test_trusted_key_is_let_in_as_its_role},
        {"an unknown key is refused and named", test_unknown_key_is_refused_and_named},
        {"a broker's key opens nothing", test_a_brokers_key_opens_nothing},
        {"a malformed request is refused", test_malformed_requests_are_refused},
        {"a role may have several keys", test_one_role_may_have_several_keys},
    };
    trust(edge_key, ROLE_EDGE);
    trust(broker_key, ROLE_BROKER);
    return expect_run(tests, COUNT_OF(tests));
}
