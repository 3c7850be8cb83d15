// SPDX-License-Identifier: Apache-2.0
#include "limit.h"

#include "expect.h"

enum { WINDOW = 8, SECOND_US = 1000000 };

struct scene {
    struct limit limit;
    uint64_t now_us;
    uint32_t ended; // periods
};

static struct scene scene_open(void) {
    struct scene scene = {.now_us = 77 * SECOND_US};
    limit_arrive(&scene.limit, false, scene.now_us);
    return scene;
}

// So many a second come and are answered, evenly, for so long.
static void run(struct scene *scene, uint32_t arrive_per_s, uint32_t answer_per_s,
                uint32_t length_ms) {
    uint64_t arrived = 0, answered = 0;
    for (uint64_t us = 100; us <= length_ms * UINT64_C(1000); us += 100) {
        scene->now_us += 100;
        for (; arrived < us * arrive_per_s / SECOND_US; arrived++)
            limit_arrive(&scene->limit, true, scene->now_us);
        for (; answered < us * answer_per_s / SECOND_US; answered++)
            scene->ended += limit_answer(&scene->limit, scene->now_us);
    }
}

static uint32_t most(const struct scene *scene) {
    return limit_most(&scene->limit, WINDOW);
}

static void test_nothing_measured(void) {
    struct scene scene = scene_open();
    EXPECT_INTEGER(most(&scene), UINT32_MAX);
    run(&scene, 7900, 2000, 79);
    EXPECT_INTEGER(most(&scene), UINT32_MAX);
    EXPECT_INTEGER(scene.ended, 1);
    run(&scene, 7900, 2000, 2);
    EXPECT_INTEGER(scene.ended, 2);
    EXPECT(most(&scene) >= 190 && most(&scene) <= 210);
}

static void test_enough_capacity(void) {
    struct scene scene = scene_open();
    run(&scene, 1990, 2000, 500);
    EXPECT_INTEGER(scene.ended, 12);
    EXPECT_INTEGER(most(&scene), UINT32_MAX);
}

static void test_a_burst(void) {
    struct scene scene = scene_open();
    run(&scene, 7900, 2000, 40); // as much as takes four times as long
    run(&scene, 1000, 2000, 900);
    EXPECT(scene.ended >= 18);
    EXPECT_INTEGER(most(&scene), UINT32_MAX);
}

static void test_a_flood(void) {
    struct scene scene = scene_open();
    run(&scene, 8200, 2000, 39);
    EXPECT_INTEGER(most(&scene), UINT32_MAX);
    run(&scene, 8200, 2000, 2);
    EXPECT(most(&scene) >= 190 && most(&scene) <= 210);
}

// So much came while nothing was answered for a moment.
static void test_a_pause(void) {
    struct scene scene = scene_open();
    run(&scene, 1000, 0, 60);
    run(&scene, 1000, 2000, 30);
    EXPECT_INTEGER(scene.ended, 1);
    EXPECT_INTEGER(most(&scene), UINT32_MAX);
    run(&scene, 1000, 2000, 500);
    EXPECT_INTEGER(most(&scene), UINT32_MAX);
}

static void test_slow_actors(void) {
    struct scene scene = scene_open();
    run(&scene, 400, 40, 500);
    EXPECT_INTEGER(most(&scene), WINDOW + WINDOW / 4);
}

static void test_grows_at_once_and_falls_later(void) {
    struct scene scene = scene_open();
    run(&scene, 20000, 1000, 600);
    EXPECT(most(&scene) >= 98 && most(&scene) <= 105);
    run(&scene, 20000, 5000, 81);
    EXPECT(most(&scene) >= 490 && most(&scene) <= 510);
    run(&scene, 20000, 1000, 200);
    EXPECT(most(&scene) >= 490); // a bad moment is not the end
    run(&scene, 20000, 1000, 300);
    EXPECT(most(&scene) >= 98 && most(&scene) <= 105);
}

static void test_flood_ends(void) {
    struct scene scene = scene_open();
    run(&scene, 20000, 2000, 300);
    EXPECT(most(&scene) <= 210);
    run(&scene, 1000, 2000, 101);
    EXPECT_INTEGER(most(&scene), UINT32_MAX); // what is left over drains
}

static void test_a_new_queue(void) {
    struct scene scene = scene_open();
    run(&scene, 20000, 2000, 300);
    scene.now_us += LIMIT_PERIOD_US;
    limit_arrive(&scene.limit, false, scene.now_us);
    EXPECT(most(&scene) <= 210); // only a moment without
    scene.now_us += 1;
    limit_arrive(&scene.limit, false, scene.now_us);
    EXPECT_INTEGER(most(&scene), UINT32_MAX);
    run(&scene, 20000, 400, 120);
    EXPECT(most(&scene) <= 44);
}

// A process hung, or PostgreSQL was away: what has gathered meanwhile is not more than usual.
static void test_standstill(void) {
    struct scene scene = scene_open();
    run(&scene, 1000, 1000, 200);
    run(&scene, 1000, 0, 1500);
    run(&scene, 1000, 2000, 300);
    EXPECT_INTEGER(most(&scene), UINT32_MAX);

    run(&scene, 20000, 2000, 300);
    run(&scene, 20000, 0, 1500);
    EXPECT(most(&scene) <= 210); // a flood stays one meanwhile
    run(&scene, 20000, 2000, 38);
    EXPECT_INTEGER(most(&scene), UINT32_MAX);
    run(&scene, 20000, 2000, 20);
    EXPECT(most(&scene) <= 210);
}

// The answers of a whole batch come at once.
static void test_batches(void) {
    struct scene scene = scene_open();
    for (uint32_t i = 0; i < 20; i++) {
        scene.now_us += 30000;
        for (uint32_t k = 0; k < 300; k++)
            limit_arrive(&scene.limit, k >= 60, scene.now_us); // it took all that waited
        for (uint32_t k = 0; k < 60; k++)
            scene.ended += limit_answer(&scene.limit, scene.now_us);
    }
    EXPECT(most(&scene) >= 180 && most(&scene) <= 240);
}

// The answers of a batch come at once, after a commit that takes longer than a stillness is.
static void test_slow_batches(void) {
    struct scene scene = scene_open();
    for (uint32_t i = 0; i < 12; i++) {
        for (uint32_t k = 0; k < 300; k++) {
            scene.now_us += 400000 / 300;
            limit_arrive(&scene.limit, true, scene.now_us);
        }
        for (uint32_t k = 0; k < 60; k++)
            scene.ended += limit_answer(&scene.limit, scene.now_us);
        if (i < 2)
            EXPECT_INTEGER(most(&scene), UINT32_MAX);
    }
    EXPECT(most(&scene) >= 14 && most(&scene) <= 16);
}

// Fewer than four a second are answered.
static void test_very_slow_actors(void) {
    struct scene scene = scene_open();
    run(&scene, 50, 3, 2500);
    EXPECT_INTEGER(most(&scene), WINDOW + WINDOW / 4);
}

int main(void) {
    static const struct test tests[] = {
        {"nothing is refused before there is a measure", test_nothing_measured},
        {"nothing is refused where as much is answered as comes", test_enough_capacity},
        {"a burst is taken whole", test_a_burst},
        {"a flood is known after one period", test_a_flood},
        {"a pause is no flood", test_a_pause},
        {"slow actors get a hand and a quarter", test_slow_actors},
        {"the limit grows at once and falls later", test_grows_at_once_and_falls_later},
        {"with the end of a flood the limit is gone", test_flood_ends},
        {"a new queue is measured anew", test_a_new_queue},
        {"a standstill is no overload, and ends none", test_standstill},
        {"batches with long pauses are measured", test_slow_batches},
        {"few answers a second are measured", test_very_slow_actors},
        {"answers that come in batches are measured, too", test_batches},
    };
    return expect_run(tests, COUNT_OF(tests));
}
