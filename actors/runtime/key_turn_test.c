// SPDX-License-Identifier: Apache-2.0
#include "expect.h"
#include "key_turn.h"

// One refusal, and the new socket that follows when it is due.
static void refuse(struct key_turn *turn, uint32_t count, uint64_t *now_us) {
    (void)key_turn_refused(turn, count, *now_us);
    *now_us = turn->due_us;
    turn->due_us = 0;
}

static void test_each_key_has_its_turn(void) {
    struct key_turn turn = {.key = 5};
    uint64_t now_us = 1000;
    EXPECT(!key_turn_is_due(&turn, now_us));
    EXPECT(key_turn_refused(&turn, 3, now_us) && turn.key == 6);
    EXPECT(!key_turn_is_due(&turn, 1000 + KEY_TURN_SOON_US - 1));
    EXPECT(key_turn_is_due(&turn, 1000 + KEY_TURN_SOON_US));
    refuse(&turn, 3, &now_us);
    EXPECT_INTEGER(now_us, 1000 + KEY_TURN_SOON_US);
    refuse(&turn, 3, &now_us);
    EXPECT(turn.key == 7 && now_us == 1000 + 2 * KEY_TURN_SOON_US);
    EXPECT(!key_turn_refused(&turn, 3, now_us) && turn.key == 8); // the round is over
    refuse(&turn, 3, &now_us);
    EXPECT_INTEGER(now_us, 1000 + 2 * KEY_TURN_SOON_US + KEY_TURN_ROUND_US);
    refuse(&turn, 3, &now_us);
    EXPECT_INTEGER(now_us, 1000 + 3 * KEY_TURN_SOON_US + KEY_TURN_ROUND_US);
}

static void test_refusals_meanwhile_put_nothing_off(void) {
    struct key_turn turn = {0};
    (void)key_turn_refused(&turn, 2, 1000);
    for (uint64_t now_us = 2000; now_us < 1000 + KEY_TURN_SOON_US; now_us += 1000)
        EXPECT(key_turn_refused(&turn, 2, now_us));
    EXPECT(key_turn_is_due(&turn, 1000 + KEY_TURN_SOON_US) && turn.key == 1);
}

static void test_what_fits_ends_the_round(void) {
    struct key_turn turn = {0};
    uint64_t now_us = 1000;
    refuse(&turn, 2, &now_us);
    (void)key_turn_refused(&turn, 2, now_us);
    key_turn_fits(&turn);
    EXPECT(!key_turn_is_due(&turn, UINT64_MAX) && turn.key == 2);
    EXPECT(key_turn_refused(&turn, 2, 7000) && turn.due_us == 7000 + KEY_TURN_SOON_US);
}

static void test_without_any_key_it_tries_seldom(void) {
    struct key_turn turn = {0};
    EXPECT(!key_turn_refused(&turn, 0, 1000) && turn.due_us == 1000 + KEY_TURN_ROUND_US);
}

int main(void) {
    static const struct test tests[] = {
        {"each key has its turn, and after a round there is a pause", test_each_key_has_its_turn},
        {"refusals that come meanwhile put the next key off by nothing",
         test_refusals_meanwhile_put_nothing_off},
        {"what fits ends the round", test_what_fits_ends_the_round},
        {"without any key it tries seldom", test_without_any_key_it_tries_seldom},
    };
    return expect_run(tests, COUNT_OF(tests));
}
