// SPDX-License-Identifier: Apache-2.0
#include "bypass.h"
#include "expect.h"

static const uint64_t life_us = CACHE_BYPASS_MS * UINT64_C(1000);

static struct uuid tenant_of(uint32_t number) {
    return (struct uuid){{(uint8_t)(number >> 8), (uint8_t)number, 3}};
}

static void test_a_tenant_is_bypassed_for_its_time(void) {
    static struct bypass bypass;
    EXPECT(!bypass_has(&bypass, tenant_of(1), 5));
    bypass_add(&bypass, tenant_of(1), 1000);
    bypass_add(&bypass, tenant_of(2), 3000);
    EXPECT(bypass_has(&bypass, tenant_of(1), 1000));
    EXPECT(!bypass_has(&bypass, tenant_of(3), 3000));
    EXPECT(bypass_has(&bypass, tenant_of(1), 1000 + life_us - 1));
    EXPECT(!bypass_has(&bypass, tenant_of(1), 1000 + life_us));
    EXPECT(bypass_has(&bypass, tenant_of(2), 1000 + life_us));
    EXPECT(!bypass_has(&bypass, tenant_of(2), 3000 + life_us));
}

static void test_again_is_longer_and_takes_no_further_place(void) {
    static struct bypass bypass;
    for (uint32_t i = 0; i < 2 * CACHE_BYPASSED_MAX; i++)
        bypass_add(&bypass, tenant_of(7), 1000 + i);
    EXPECT_INTEGER(bypass.count, 1);
    EXPECT(bypass_has(&bypass, tenant_of(7), 1000 + life_us));
    EXPECT(!bypass_has(&bypass, tenant_of(8), 1000 + life_us));
}

static void test_a_full_table_bypasses_every_tenant(void) {
    static struct bypass bypass;
    for (uint32_t i = 0; i < CACHE_BYPASSED_MAX; i++)
        bypass_add(&bypass, tenant_of(i), 1000);
    EXPECT(!bypass_has(&bypass, tenant_of(9999), 1000));
    bypass_add(&bypass, tenant_of(5000), 2000);
    EXPECT(bypass_has(&bypass, tenant_of(9999), 2000));
    EXPECT(bypass_has(&bypass, tenant_of(9999), 2000 + life_us - 1));
    EXPECT(!bypass_has(&bypass, tenant_of(9999), 2000 + life_us));
    bypass_add(&bypass, tenant_of(5001), 3000 + life_us); // there is room again
    EXPECT(bypass_has(&bypass, tenant_of(5001), 3000 + life_us));
    EXPECT(!bypass_has(&bypass, tenant_of(9999), 3000 + life_us));
}

static void test_every_tenant_at_once(void) {
    static struct bypass bypass;
    bypass_add_all(&bypass, 1000);
    bypass_add(&bypass, tenant_of(1), 3000);
    EXPECT(bypass_has(&bypass, tenant_of(2), 1000));
    EXPECT(bypass_has(&bypass, tenant_of(2), 1000 + life_us - 1));
    EXPECT(!bypass_has(&bypass, tenant_of(2), 1000 + life_us));
    EXPECT(bypass_has(&bypass, tenant_of(1), 1000 + life_us));
}

int main(void) {
    static const struct test tests[] = {
        {"a tenant is bypassed for its time, the others are not",
         test_a_tenant_is_bypassed_for_its_time},
        {"the same tenant again lasts longer and takes no further place",
         test_again_is_longer_and_takes_no_further_place},
        {"a full table bypasses every tenant until it has room again",
         test_a_full_table_bypasses_every_tenant},
        {"every tenant is bypassed when that is asked for", test_every_tenant_at_once},
    };
    return expect_run(tests, COUNT_OF(tests));
}
