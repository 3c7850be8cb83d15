// SPDX-License-Identifier: Apache-2.0
#include "expect.h"
#include "owed.h"

static const uint64_t life_us = CACHE_BYPASS_MS * UINT64_C(1000);
static struct uuid taken[BATCH_MEMBERS_MAX];

static struct uuid tenant_of(uint32_t number) {
    return (struct uuid){{(uint8_t)(number >> 8), (uint8_t)number, 4}};
}

static uint32_t number_of(struct uuid tenant) {
    return (uint32_t)tenant.bytes[0] << 8 | tenant.bytes[1];
}

static void test_what_is_confirmed_is_not_owed_any_more(void) {
    static struct owed owed;
    EXPECT_INTEGER(owed_take(&owed, 1, 1000, taken), 0);
    owed_add(&owed, tenant_of(11), 1000);
    owed_add(&owed, tenant_of(12), 2000);
    EXPECT_INTEGER(owed_take(&owed, 1, 3000, taken), 2);
    EXPECT_INTEGER(number_of(taken[0]), 11);
    EXPECT_INTEGER(number_of(taken[1]), 12);
    EXPECT_INTEGER(owed_take(&owed, 2, 3000, taken), 0); // they are under way
    owed_add(&owed, tenant_of(13), 3000);
    EXPECT_INTEGER(owed_take(&owed, 2, 3000, taken), 1);
    EXPECT_INTEGER(number_of(taken[0]), 13);
    owed_end(&owed, 1, true);
    EXPECT_INTEGER(owed.count, 1);
    owed_end(&owed, 2, false);
    EXPECT_INTEGER(owed_take(&owed, 3, 3000, taken), 1); // again
    EXPECT_INTEGER(number_of(taken[0]), 13);
    owed_end(&owed, 3, true);
    EXPECT_INTEGER(owed.count, 0);
}

static void test_a_further_change_is_owed_beside_what_is_under_way(void) {
    static struct owed owed;
    owed_add(&owed, tenant_of(21), 1000);
    owed_add(&owed, tenant_of(22), 1000);
    EXPECT_INTEGER(owed_take(&owed, 1, 1000, taken), 2);
    owed_add(&owed, tenant_of(21), 5000);
    owed_end(&owed, 1, true);
    EXPECT_INTEGER(owed.count, 1);
    EXPECT_INTEGER(owed_take(&owed, 2, 1000 + life_us, taken), 1); // for the whole time
    EXPECT_INTEGER(number_of(taken[0]), 21);
}

static void test_nothing_is_owed_for_longer_than_a_page_lives(void) {
    static struct owed owed;
    owed_add(&owed, tenant_of(31), 1000);
    owed_add(&owed, tenant_of(32), 3000);
    EXPECT_INTEGER(owed_take(&owed, 1, 1000 + life_us, taken), 1);
    EXPECT_INTEGER(number_of(taken[0]), 32);
    EXPECT_INTEGER(owed.count, 1);
    EXPECT_INTEGER(owed.dropped, 0);
}

static void test_a_full_table_drops_the_oldest(void) {
    static struct owed owed;
    for (uint32_t i = 0; i < CACHE_OWED_MAX; i++)
        owed_add(&owed, tenant_of(i), 1000);
    owed_add(&owed, tenant_of(0), 2000); // has its place, and is the youngest now
    EXPECT_INTEGER(owed.dropped, 0);
    owed_add(&owed, tenant_of(60000), 3000);
    owed_add(&owed, tenant_of(60001), 3000);
    EXPECT_INTEGER(owed.dropped, 2);
    EXPECT_INTEGER(owed.count, CACHE_OWED_MAX);
    uint32_t total = 0, messages = 0, last = 0;
    for (uint32_t count; (count = owed_take(&owed, messages + 1, 3000, taken)) > 0; messages++) {
        for (uint32_t i = 0; i < count; i++)
            EXPECT(number_of(taken[i]) != 1 && number_of(taken[i]) != 2);
        last = number_of(taken[count - 1]);
        total += count;
    }
    EXPECT_INTEGER(total, CACHE_OWED_MAX);
    EXPECT_INTEGER(messages, CACHE_OWED_MAX / BATCH_MEMBERS_MAX);
    EXPECT_INTEGER(last, 60001);
    owed_add(&owed, tenant_of(60002), 3000 + life_us); // those it replaces are no loss
    EXPECT_INTEGER(owed.dropped, 2);
}

int main(void) {
    static const struct test tests[] = {
        {"what is confirmed is not owed any more, what is not is taken again",
         test_what_is_confirmed_is_not_owed_any_more},
        {"a further change is owed beside what is under way",
         test_a_further_change_is_owed_beside_what_is_under_way},
        {"nothing is owed for longer than a page lives",
         test_nothing_is_owed_for_longer_than_a_page_lives},
        {"a full table drops the oldest", test_a_full_table_drops_the_oldest},
    };
    return expect_run(tests, COUNT_OF(tests));
}
