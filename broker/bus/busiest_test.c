// SPDX-License-Identifier: Apache-2.0
#include "busiest.h"
#include "expect.h"

static struct busiest busiest;
static struct busiest_view views[BUSIEST_TOLD];

static struct uuid tenant_make(uint8_t slot, uint8_t who) {
    return (struct uuid){{who, 1, 2, 3, 4, 5, 0x70, 7, 0x80, 9, 10, 11, 12, 13, 14, slot}};
}

static void add(uint8_t slot, uint8_t who, uint32_t times) {
    for (uint32_t i = 0; i < times; i++)
        busiest_add(&busiest, tenant_make(slot, who));
}

static void expect_tenant(uint32_t place, uint8_t slot, uint8_t who, double per_second) {
    EXPECT(uuid_equal(views[place].tenant, tenant_make(slot, who)));
    EXPECT_INTEGER(views[place].per_second * 1000, per_second * 1000);
}

static void test_most_first(void) {
    busiest = (struct busiest){0};
    EXPECT_INTEGER(busiest_look(&busiest, views), 0);
    for (uint8_t i = 0; i < 20; i++)
        add(i, 1, i % 2 == 0 ? 8U * (i + 1U) : 1);
    EXPECT_INTEGER(busiest_look(&busiest, views), BUSIEST_TOLD);
    for (uint8_t i = 0; i < BUSIEST_TOLD; i++)
        expect_tenant(i, (uint8_t)(18 - 2 * i), 1, 19 - 2 * i);
}

static void test_slot_stays_with_its_busiest(void) {
    busiest = (struct busiest){0};
    add(5, 1, 30);
    add(5, 2, 14);
    EXPECT_INTEGER(busiest_look(&busiest, views), 1);
    expect_tenant(0, 5, 1, 2);
    add(5, 2, 40);
    EXPECT_INTEGER(busiest_look(&busiest, views), 1);
    expect_tenant(0, 5, 2, 3);
}

static void test_a_steady_rate_is_told_and_fades(void) {
    busiest = (struct busiest){0};
    for (uint32_t second = 0; second < 100; second++) {
        busiest_second_passed(&busiest);
        add(7, 1, 50);
    }
    EXPECT_INTEGER(busiest_look(&busiest, views), 1);
    EXPECT(views[0].per_second > 49 && views[0].per_second < 51);
    for (uint32_t second = 0; second < 60; second++)
        busiest_second_passed(&busiest);
    EXPECT_INTEGER(busiest_look(&busiest, views), 0);
}

static void test_counts_do_not_wrap(void) {
    busiest = (struct busiest){0};
    add(9, 1, (1U << 24) + 3);
    EXPECT_INTEGER(busiest_look(&busiest, views), 1);
    EXPECT(views[0].per_second > 2e6);
}

int main(void) {
    static const struct test tests[] = {
        {"the busiest are told, most first", test_most_first},
        {"a slot stays with its busiest tenant", test_slot_stays_with_its_busiest},
        {"a steady rate is told as it is, and fades", test_a_steady_rate_is_told_and_fades},
        {"counts do not wrap", test_counts_do_not_wrap},
    };
    return expect_run(tests, COUNT_OF(tests));
}
