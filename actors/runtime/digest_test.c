// SPDX-License-Identifier: Apache-2.0
#include "digest.h"
#include "expect.h"
#include "format.h"

static void test_sha256(void) {
    uint8_t hash[DIGEST_SHA256_BYTES];
    char text[2 * DIGEST_SHA256_BYTES];
    digest_sha256(TEXT("abc"), hash);
    EXPECT_TEXT(((struct text){text, hex_write(hash, sizeof hash, text)}),
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void test_parts_do_not_run_together(void) {
    const struct text one[] = {TEXT("ab"), TEXT("c")};
    const struct text two[] = {TEXT("a"), TEXT("bc")};
    const struct text three[] = {TEXT("ab"), TEXT("c"), {0}};
    uint8_t hashes[4][DIGEST_SHORT_BYTES];
    digest_short(one, 2, hashes[0]);
    digest_short(two, 2, hashes[1]);
    digest_short(three, 3, hashes[2]);
    digest_short(one, 2, hashes[3]);
    EXPECT(!digest_equal(hashes[0], hashes[1], DIGEST_SHORT_BYTES));
    EXPECT(!digest_equal(hashes[0], hashes[2], DIGEST_SHORT_BYTES));
    EXPECT(digest_equal(hashes[0], hashes[3], DIGEST_SHORT_BYTES));
}

static void test_random_bytes_differ(void) {
    uint8_t one[16] = {0}, two[16] = {0};
    digest_random(one, sizeof one);
    digest_random(two, sizeof two);
    EXPECT(!digest_equal(one, two, sizeof one));
}

int main(void) {
    static const struct test tests[] = {
        {"SHA-256 is the one of FIPS 180", test_sha256},
        {"parts of a short hash do not run together", test_parts_do_not_run_together},
        {"two draws of chance differ", test_random_bytes_differ},
    };
    digest_init();
    return expect_run(tests, COUNT_OF(tests));
}
