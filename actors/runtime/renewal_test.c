// SPDX-License-Identifier: Apache-2.0
#include "expect.h"
#include "renewal.h"

static const struct renewal_view all_work = {.all = 7, .keyed = 6, .up = 7};

static struct renewal begun(uint64_t now_us) {
    struct renewal renewal = {0};
    renewal_begin(&renewal, &all_work, now_us);
    return renewal;
}

static enum renewal_deed run(struct renewal *renewal, uint32_t up, uint32_t parted,
                             uint64_t now_us) {
    const struct renewal_view view = {.all = 7, .keyed = 6, .up = up, .parted = parted};
    return renewal_run(renewal, &view, now_us);
}

// Broker 0 is on the same machine and needs no keys.
static void test_one_after_another(void) {
    struct renewal renewal = begun(100);
    EXPECT_INTEGER(run(&renewal, 7, 0, 100), RENEWAL_RETIRE);
    EXPECT_INTEGER(renewal.broker, 1);
    EXPECT_INTEGER(run(&renewal, 5, 0, 200), RENEWAL_NOTHING); // its work goes on
    EXPECT_INTEGER(run(&renewal, 5, 2, 300), RENEWAL_DIAL);
    EXPECT_INTEGER(run(&renewal, 5, 2, 400), RENEWAL_NOTHING);
    EXPECT_INTEGER(run(&renewal, 7, 0, 500), RENEWAL_NOTHING); // welcomed
    EXPECT_INTEGER(run(&renewal, 7, 0, 500), RENEWAL_RETIRE);
    EXPECT_INTEGER(renewal.broker, 2);
    EXPECT_INTEGER(run(&renewal, 3, 4, 600), RENEWAL_DIAL);
    EXPECT_INTEGER(run(&renewal, 7, 0, 700), RENEWAL_DONE);
    EXPECT_INTEGER(run(&renewal, 7, 0, 800), RENEWAL_NOTHING);
    EXPECT_INTEGER(renewal_next_us(&renewal), UINT64_MAX);
}

static void test_nothing_is_closed_while_another_is_missing(void) {
    struct renewal renewal = begun(100);
    EXPECT_INTEGER(run(&renewal, 6, 1, 100), RENEWAL_NOTHING);
    EXPECT_INTEGER(renewal_next_us(&renewal), 100 + RENEWAL_WAIT_US);
    EXPECT_INTEGER(run(&renewal, 6, 1, 99 + RENEWAL_WAIT_US), RENEWAL_NOTHING);
    EXPECT_INTEGER(run(&renewal, 6, 1, 100 + RENEWAL_WAIT_US), RENEWAL_APART);
    EXPECT_INTEGER(run(&renewal, 7, 0, 101 + RENEWAL_WAIT_US), RENEWAL_NOTHING); // it is over
    renewal = begun(100);
    EXPECT_INTEGER(run(&renewal, 7, 0, 100), RENEWAL_RETIRE);
    EXPECT_INTEGER(run(&renewal, 5, 2, 200), RENEWAL_DIAL);
    EXPECT_INTEGER(run(&renewal, 6, 1, 300), RENEWAL_NOTHING); // welcomed, but now another is gone
    EXPECT_INTEGER(run(&renewal, 6, 1, 300), RENEWAL_NOTHING);
    EXPECT_INTEGER(run(&renewal, 6, 1, 300 + RENEWAL_WAIT_US), RENEWAL_APART);
}

static void test_where_none_works(void) {
    struct renewal renewal = begun(100);
    EXPECT_INTEGER(run(&renewal, 0, 7, 99 + RENEWAL_WAIT_US), RENEWAL_NOTHING);
    EXPECT_INTEGER(run(&renewal, 0, 7, 100 + RENEWAL_WAIT_US), RENEWAL_ALONE);
    EXPECT_INTEGER(renewal.state, RENEWAL_IDLE);
}

static void test_one_that_does_not_let_it_in(void) {
    struct renewal renewal = begun(100);
    EXPECT_INTEGER(run(&renewal, 7, 0, 100), RENEWAL_RETIRE);
    EXPECT_INTEGER(run(&renewal, 5, 0, 99 + RENEWAL_DRAIN_US), RENEWAL_NOTHING);
    EXPECT_INTEGER(run(&renewal, 5, 0, 100 + RENEWAL_DRAIN_US), RENEWAL_DIAL); // never empty
    EXPECT_INTEGER(run(&renewal, 5, 2, 99 + RENEWAL_DRAIN_US + RENEWAL_GREET_US), RENEWAL_NOTHING);
    EXPECT_INTEGER(run(&renewal, 5, 2, 100 + RENEWAL_DRAIN_US + RENEWAL_GREET_US), RENEWAL_REFUSED);
    EXPECT_INTEGER(renewal.broker, 1);
    EXPECT_INTEGER(renewal.state, RENEWAL_IDLE);
}

int main(void) {
    static const struct test tests[] = {
        {"one connection after another gets the new key", test_one_after_another},
        {"none is closed while another is missing",
         test_nothing_is_closed_while_another_is_missing},
        {"where none works, all take it", test_where_none_works},
        {"a broker that does not let it in ends the renewal", test_one_that_does_not_let_it_in},
    };
    return expect_run(tests, COUNT_OF(tests));
}
