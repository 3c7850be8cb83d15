// SPDX-License-Identifier: Apache-2.0
#include "slab.h"

#include "expect.h"

#include <string.h>

enum { CAPACITY = 4 << 20, LENT_MAX = 4096, STEPS = 200000 };

struct lent {
    char *memory;
    uint32_t size;
    uint8_t filling;
};

static uint32_t next_number(uint64_t *state) {
    *state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(*state >> 33);
}

static void test_rounding(void) {
    struct slab slab;
    slab_init(&slab, CAPACITY);
    char *one = slab_take(&slab, 1);
    char *more = slab_take(&slab, 1025);
    EXPECT(one != NULL && more != NULL);
    EXPECT_INTEGER(slab.used_bytes, 64 + 1088);
    slab_give(&slab, more, 1025);
    slab_give(&slab, one, 1);
    slab_give(&slab, NULL, 7);
    EXPECT_INTEGER(slab.used_bytes, 0);
    slab_deinit(&slab);
}

static void test_full(void) {
    struct slab slab;
    static char *all[CAPACITY / 1088 + 1];
    uint32_t count = 0;
    slab_init(&slab, CAPACITY);
    EXPECT(slab_take(&slab, CAPACITY + 1) == NULL);
    while (count < COUNT_OF(all) && (all[count] = slab_take(&slab, 1025)) != NULL)
        count++;
    EXPECT_INTEGER(count, CAPACITY / 1088);
    EXPECT(slab_take(&slab, 1025) == NULL);
    for (uint32_t i = 0; i < count; i += 2)
        slab_give(&slab, all[i], 1025);
    for (uint32_t i = 0; i < count; i += 2) { // each hole takes what it had
        all[i] = slab_take(&slab, 1025);
        EXPECT(all[i] != NULL);
    }
    EXPECT(slab_take(&slab, 1025) == NULL);
    for (uint32_t i = 0; i < count; i++)
        slab_give(&slab, all[i], 1025);
    char *first = slab_take(&slab, 2 << 20);
    char *second = slab_take(&slab, 2 << 20);
    EXPECT(first != NULL && second != NULL && slab_take(&slab, 1) == NULL);
    slab_give(&slab, first, 2 << 20);
    slab_give(&slab, second, 2 << 20);
    slab_deinit(&slab);
}

static bool is_intact(const struct lent *lent) {
    for (uint32_t i = 0; i < lent->size; i++) {
        if ((uint8_t)lent->memory[i] != lent->filling)
            return false;
    }
    return true;
}

// Nothing that is lent overlaps, and nothing is lost, whatever the order.
static void test_any_order(void) {
    struct slab slab;
    static struct lent lent[LENT_MAX];
    uint32_t count = 0, refused = 0;
    uint64_t state = 4711;
    slab_init(&slab, CAPACITY);
    for (uint32_t step = 0; step < STEPS; step++) {
        uint32_t most = next_number(&state) % 100 == 0 ? 300000 : 3000;
        uint32_t size = next_number(&state) % most;
        bool takes = count < LENT_MAX && (count == 0 || next_number(&state) % 16 > 5);
        if (takes) {
            char *memory = slab_take(&slab, size);
            refused += memory == NULL;
            if (memory == NULL)
                continue;
            lent[count] = (struct lent){memory, size, (uint8_t)next_number(&state)};
            memset(memory, lent[count].filling, size);
            count++;
        } else {
            uint32_t which = next_number(&state) % count;
            EXPECT(is_intact(&lent[which]));
            slab_give(&slab, lent[which].memory, lent[which].size);
            lent[which] = lent[--count];
        }
    }
    EXPECT(refused > 0); // it was full now and then
    for (uint32_t i = 0; i < count; i++) {
        EXPECT(is_intact(&lent[i]));
        slab_give(&slab, lent[i].memory, lent[i].size);
    }
    EXPECT_INTEGER(slab.used_bytes, 0);
    char *first = slab_take(&slab, 2 << 20);
    char *second = slab_take(&slab, 2 << 20);
    EXPECT(first != NULL && second != NULL); // all in one piece again
    slab_deinit(&slab);
}

int main(void) {
    static const struct test tests[] = {
        {"a frame is rounded up to 64 bytes", test_rounding},
        {"a full one refuses, and is whole again when all is given back", test_full},
        {"in any order of taking and giving nothing overlaps and nothing is lost", test_any_order},
    };
    return expect_run(tests, COUNT_OF(tests));
}
