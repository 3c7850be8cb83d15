// SPDX-License-Identifier: Apache-2.0
#include "admission.h"
#include "expect.h"

#define PERIOD_US (CACHE_PAGE_MS * UINT64_C(1000))

static struct admission admission;

static bool ask(uint8_t slot, uint8_t tag, uint64_t now_us) {
    return admission_ask(&admission, &(struct cache_id){{[0] = slot, [4] = (uint8_t)(2 * tag)}},
                         now_us);
}

static void test_the_second_time(void) {
    admission = (struct admission){.period = 0};
    EXPECT(!ask(7, 1, 1));
    EXPECT(ask(7, 1, 2));
    EXPECT(!ask(8, 1, 3)); // another page
    EXPECT(!ask(7, 2, 4)); // one that takes its place
    EXPECT(!ask(7, 1, 5));
    EXPECT(ask(7, 1, 6));
}

static void test_forgetting(void) {
    admission = (struct admission){.period = 0};
    EXPECT(!ask(7, 1, PERIOD_US - 1));
    EXPECT(!ask(9, 3, PERIOD_US - 1));
    EXPECT(ask(7, 1, PERIOD_US)); // of the period before
    EXPECT(!ask(9, 3, 2 * PERIOD_US)); // asked for two periods ago
    EXPECT(ask(7, 1, 2 * PERIOD_US));
    EXPECT(!ask(7, 1, 5 * PERIOD_US));
}

int main(void) {
    static const struct test tests[] = {
        {"a page is kept from the second time on", test_the_second_time},
        {"a page that is not asked for is forgotten", test_forgetting},
    };
    return expect_run(tests, COUNT_OF(tests));
}
