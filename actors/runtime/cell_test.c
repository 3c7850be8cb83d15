// SPDX-License-Identifier: Apache-2.0
#include "cell.h"
#include "expect.h"
#include "format.h"

#define BYTES(literal) TEXT(literal) // of the binary form

static void test_booleans(void) {
    bool value = false;
    EXPECT(cell_boolean(TEXT("t"), false, &value) && value);
    EXPECT(cell_boolean(TEXT("f"), false, &value) && !value);
    EXPECT(cell_boolean(TEXT("true"), false, &value) && value); // as a cast to text writes it
    EXPECT(cell_boolean(BYTES("\0"), true, &value) && !value);
    EXPECT(cell_boolean(BYTES("\1"), true, &value) && value);
    EXPECT(!cell_boolean(TEXT("1"), false, &value));
    EXPECT(!cell_boolean(BYTES("t"), true, &value));
    EXPECT(!cell_boolean(TEXT(""), false, &value));
    EXPECT(!cell_boolean((struct text){0}, true, &value));
    EXPECT(value);
}

static void test_integers(void) {
    int64_t value = 0;
    EXPECT(cell_integer(TEXT("-2590"), false, &value));
    EXPECT_INTEGER(value, -2590);
    EXPECT(cell_integer(BYTES("\x00\x00\x00\x00\x00\x01\x86\xa0"), true, &value));
    EXPECT_INTEGER(value, 100000);
    EXPECT(cell_integer(BYTES("\x80\x00\x00\x00\x00\x00\x00\x00"), true, &value));
    EXPECT_INTEGER(value, INT64_MIN);
    EXPECT(cell_integer(BYTES("\xff\xff\xff\xfe"), true, &value)); // an int4
    EXPECT_INTEGER(value, -2);
    // A numeric's digits, a smallint, NULL.
    EXPECT(!cell_integer(BYTES("\x00\x01\x00\x00\x00\x00\x00\x00\x00\x07"), true, &value));
    EXPECT(!cell_integer(BYTES("\x00\x07"), true, &value));
    EXPECT(!cell_integer((struct text){0}, true, &value));
    EXPECT(!cell_integer(TEXT("7.0"), false, &value));
    EXPECT(!cell_integer((struct text){0}, false, &value));
    EXPECT_INTEGER(value, -2);
}

static void test_uuids(void) {
    struct uuid uuid, same;
    const struct text text = TEXT("01890a5d-ac96-774b-bcce-b302099a8057");
    EXPECT(cell_uuid(text, false, &uuid));
    EXPECT(cell_uuid((struct text){(const char *)uuid.bytes, sizeof uuid}, true, &same));
    EXPECT(uuid_equal(uuid, same));
    EXPECT(!cell_uuid(text, true, &same));
    EXPECT(!cell_uuid((struct text){(const char *)uuid.bytes, sizeof uuid}, false, &same));
    EXPECT(!cell_uuid((struct text){0}, true, &same));
    EXPECT(uuid_equal(uuid, same));
}

static void test_dates(void) {
    int32_t days = 0;
    EXPECT(cell_date(TEXT("1920-12-10"), false, &days));
    EXPECT_INTEGER(days, -17919);
    EXPECT(cell_date(BYTES("\x00\x00\x00\x00"), true, &days)); // 2000-01-01
    EXPECT_INTEGER(days, 10957);
    EXPECT(cell_date(BYTES("\xff\xff\x71\x54"), true, &days)); // 1900-01-01
    EXPECT_INTEGER(days, DATE_MIN);
    EXPECT(!cell_date(BYTES("\xff\xff\x71\x53"), true, &days));
    EXPECT(!cell_date(BYTES("\x7f\xff\xff\xff"), true, &days)); // infinity
    EXPECT(!cell_date(BYTES("\x80\x00\x00\x00"), true, &days)); // -infinity
    EXPECT(!cell_date(BYTES("\x00\x00\x00\x00\x00\x00\x00\x00"), true, &days));
    EXPECT_INTEGER(days, DATE_MIN);
}

static void test_timestamps(void) {
    int64_t instant = 0;
    EXPECT(cell_timestamp(TEXT("2026-11-23 10:00:00.25+00"), false, &instant));
    EXPECT_INTEGER(instant, 1795428000250000);
    EXPECT(cell_timestamp(BYTES("\x00\x00\x00\x00\x00\x00\x00\x01"), true, &instant));
    EXPECT_INTEGER(instant, 946684800000001); // a microsecond after 2000-01-01
    EXPECT(cell_timestamp(BYTES("\xff\xff\xff\xff\xff\xff\xff\xff"), true, &instant));
    EXPECT_INTEGER(instant, 946684799999999);
    EXPECT(!cell_timestamp(BYTES("\x7f\xff\xff\xff\xff\xff\xff\xff"), true, &instant)); // infinity
    EXPECT(!cell_timestamp(BYTES("\x80\x00\x00\x00\x00\x00\x00\x00"), true, &instant));
    EXPECT(!cell_timestamp(BYTES("\x00\x00\x00\x00"), true, &instant));
    EXPECT(!cell_timestamp(TEXT("infinity"), false, &instant));
    EXPECT_INTEGER(instant, 946684799999999);
}

int main(void) {
    static const struct test tests[] = {
        {"booleans", test_booleans},
        {"integers of both sizes, and no numeric", test_integers},
        {"ids", test_uuids},
        {"days of the years there are", test_dates},
        {"instants of the years there are", test_timestamps},
    };
    return expect_run(tests, COUNT_OF(tests));
}
