// SPDX-License-Identifier: Apache-2.0
#include "expect.h"
#include "format.h"

static void expect_money(int64_t value, uint8_t currency, const char *expected) {
    char text[MONEY_TEXT_BYTES];
    EXPECT_TEXT(((struct text){text, money_write(value, currency, text)}), expected);
}

static void test_money(void) {
    expect_money(123456, CURRENCY_BRL, "R$ 1.234,56");
    expect_money(-2590, CURRENCY_BRL, "-R$ 25,90");
    expect_money(123456, CURRENCY_USD, "$1,234.56");
    expect_money(-2590, CURRENCY_USD, "-$25.90");
    expect_money(123456, CURRENCY_EUR, "1.234,56 €");
    expect_money(-2590, CURRENCY_EUR, "-25,90 €");
    expect_money(0, CURRENCY_BRL, "R$ 0,00");
    expect_money(7, CURRENCY_USD, "$0.07");
    expect_money(-99999, CURRENCY_USD, "-$999.99");
    expect_money(100000000000000000, CURRENCY_EUR, "1.000.000.000.000.000,00 €");
    expect_money(INT64_MIN, CURRENCY_BRL, "-R$ 92.233.720.368.547.758,08");
}

static void test_currencies(void) {
    uint8_t currency = 9;
    EXPECT(currency_parse(TEXT("EUR"), &currency) && currency == CURRENCY_EUR);
    EXPECT_TEXT(currency_code(CURRENCY_USD), "USD");
    EXPECT(!currency_parse(TEXT("eur"), &currency) && !currency_parse(TEXT(""), &currency));
    EXPECT(!currency_parse((struct text){0}, &currency) && currency == CURRENCY_EUR);
}

static void expect_integer(const char *text, int64_t value) {
    int64_t parsed = 12;
    char written[INTEGER_TEXT_BYTES];
    EXPECT(integer_parse(text_of(text), &parsed));
    EXPECT_INTEGER(parsed, value);
    EXPECT_TEXT(((struct text){written, integer_write(value, written)}), text);
}

static void test_integers(void) {
    expect_integer("0", 0);
    expect_integer("-7", -7);
    expect_integer("1234567890", 1234567890);
    expect_integer("9223372036854775807", INT64_MAX);
    expect_integer("-9223372036854775808", INT64_MIN);
    static const char *const bad[] = {"",
                                      "-",
                                      "+1",
                                      "01",
                                      "-0",
                                      "1.0",
                                      "1e3",
                                      " 1",
                                      "0x10",
                                      "１",
                                      "12a",
                                      "9223372036854775808",
                                      "-9223372036854775809",
                                      "99999999999999999999"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        int64_t value = 5;
        EXPECT(!integer_parse(text_of(bad[i]), &value) && value == 5);
    }
}

static void expect_instant(const char *text, const char *written) {
    char buffer[TIMESTAMP_TEXT_BYTES];
    int64_t instant;
    if (!timestamp_parse(text_of(text), &instant))
        expect_failed_(__FILE__, __LINE__, text);
    EXPECT_TEXT(((struct text){buffer, timestamp_write(instant, buffer)}), written);
}

static void test_timestamps(void) {
    expect_instant("2026-11-23", "2026-11-23T00:00:00Z");
    expect_instant("2026-11-23T10:20:30Z", "2026-11-23T10:20:30Z");
    expect_instant("2026-11-23t10:20:30.500z", "2026-11-23T10:20:30.5Z");
    expect_instant("2026-11-23 10:20", "2026-11-23T10:20:00Z");
    expect_instant("2026-11-23T23:30:00-03:00", "2026-11-24T02:30:00Z");
    expect_instant("2026-01-01T00:10:00+0530", "2025-12-31T18:40:00Z");
    expect_instant("2026-11-23T10:20:30.1234569+00", "2026-11-23T10:20:30.123456Z");
    expect_instant("1969-12-31T23:59:59.000001Z", "1969-12-31T23:59:59.000001Z");
    expect_instant("2024-02-29", "2024-02-29T00:00:00Z");
    expect_instant("2000-02-29", "2000-02-29T00:00:00Z");
    expect_instant("1900-01-01", "1900-01-01T00:00:00Z");
    expect_instant("2199-12-31T23:59:59.999999Z", "2199-12-31T23:59:59.999999Z");
    int64_t instant;
    EXPECT(timestamp_parse(TEXT("1970-01-02T00:00:01Z"), &instant));
    EXPECT_INTEGER(instant, 86401000000);
}

static void test_what_is_no_timestamp(void) {
    static const char *const bad[] = {"2026-02-30",
                                      "2025-02-29",
                                      "2100-02-29",
                                      "2026-04-31",
                                      "2026-13-01",
                                      "2026-00-10",
                                      "2026-01-00",
                                      "1899-12-31",
                                      "2200-01-01",
                                      "1900-01-01T00:00:00+01",
                                      "2199-12-31T23:30:00-01:00",
                                      "2026-11-23T24:00:00Z",
                                      "2026-11-23T10:60:00Z",
                                      "2026-11-23T10:20:60Z",
                                      "2026-11-23T10:20:30+24:00",
                                      "2026-11-23T10:20:30.",
                                      "2026-11-23T10:20:30.Z",
                                      "2026-11-23T",
                                      "2026-11-23Z",
                                      "2026-11-23T10",
                                      "2026-11-23T10:20:30+3",
                                      "2026-11-23T10:20:30+03:",
                                      "2026-11-23T10:20:30Zx",
                                      "26-11-23",
                                      "2026-1-23",
                                      "2026/11/23",
                                      "",
                                      "infinity",
                                      "tomorrow",
                                      "2026-11-23T10:20:30+00:00 BC"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        int64_t instant = 5;
        if (timestamp_parse(text_of(bad[i]), &instant) || instant != 5)
            expect_failed_(__FILE__, __LINE__, bad[i]);
    }
}

static void test_every_day_reads_back(void) {
    char text[DATE_TEXT_BYTES];
    for (int32_t days = DATE_MIN; days <= DATE_MAX; days++) {
        int32_t same = days + 1;
        EXPECT(date_parse((struct text){text, date_write(days, text)}, &same));
        EXPECT_INTEGER(same, days);
    }
    int32_t days;
    EXPECT(date_parse(TEXT("1900-01-01"), &days) && days == DATE_MIN);
    EXPECT(date_parse(TEXT("2199-12-31"), &days) && days == DATE_MAX);
    EXPECT(!date_parse(TEXT("2026-11-23T00:00:00Z"), &days));
    EXPECT(!date_parse(TEXT("2026-02-30"), &days));
}

static void test_uuids(void) {
    struct uuid uuid, same;
    char text[UUID_TEXT_BYTES];
    EXPECT(uuid_parse(TEXT("01890a5d-AC96-774b-bcce-b302099a8057"), &uuid));
    EXPECT_TEXT(((struct text){text, uuid_write(uuid, text)}),
                "01890a5d-ac96-774b-bcce-b302099a8057");
    EXPECT_INTEGER(uuid.bytes[0], 0x01);
    EXPECT_INTEGER(uuid.bytes[15], 0x57);
    static const char *const bad[] = {"",
                                      "01890a5dac96774bbcceb302099a8057",
                                      "01890a5d-ac96-774b-bcce-b302099a805",
                                      "01890a5d-ac96-774b-bcce-b302099a80577",
                                      "01890a5d-ac96-774b-bcce-b302099a805g",
                                      "01890a5d-ac96-774bb-cce-b302099a8057",
                                      "{1890a5d-ac96-774b-bcce-b302099a805}"};
    same = uuid;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        EXPECT(!uuid_parse(text_of(bad[i]), &uuid));
    EXPECT(uuid_equal(uuid, same));
}

static void test_made_uuids_are_version_7_and_in_order(void) {
    const uint8_t random[UUID_RANDOM_BYTES] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 2, 3, 4, 5};
    char text[UUID_TEXT_BYTES];
    struct uuid early = uuid_make(1645557742000000, random);
    EXPECT_TEXT(((struct text){text, uuid_write(early, text)}),
                "017f22e2-79b0-7000-bfff-ff0102030405");
    struct uuid last = early;
    for (int64_t us = 1645557742000001; us < 1645557742002000; us++) {
        struct uuid next = uuid_make(us, random);
        EXPECT(memcmp(&next, &last, sizeof next) > 0);
        last = next;
    }
}

static void test_hexadecimal(void) {
    uint8_t bytes[3] = {0};
    char text[6];
    EXPECT(hex_parse(TEXT("0aFf10"), bytes, 3));
    EXPECT_TEXT(((struct text){text, hex_write(bytes, 3, text)}), "0aff10");
    EXPECT(!hex_parse(TEXT("0aff1"), bytes, 3) && !hex_parse(TEXT("0aff1g"), bytes, 3));
    EXPECT_INTEGER(bytes[1], 0xFF);
    uint8_t all[256];
    char digits[2 * sizeof all], expected[sizeof digits + 1];
    for (uint32_t i = 0; i < sizeof all; i++) {
        all[i] = (uint8_t)(i * 7);
        snprintf(expected + (size_t)2 * i, 3, "%02x", all[i]);
    }
    for (uint32_t count = sizeof all - 5; count <= sizeof all; count++)
        EXPECT(hex_write(all, count, digits) == 2 * count &&
               memcmp(digits, expected, (size_t)2 * count) == 0);
}

int main(void) {
    static const struct test tests[] = {
        {"money is written as people of its currency write it", test_money},
        {"only the codes of the three currencies are read", test_currencies},
        {"integers are exact to both ends of 64 bits", test_integers},
        {"instants are read with any offset and written in UTC", test_timestamps},
        {"days that do not exist and half texts are no instants", test_what_is_no_timestamp},
        {"every day from 1900 to 2199 reads back as written", test_every_day_reads_back},
        {"ids are read in both cases and written in lower case", test_uuids},
        {"made ids are version 7 and grow with every microsecond",
         test_made_uuids_are_version_7_and_in_order},
        {"hexadecimal reads back as written", test_hexadecimal},
    };
    return expect_run(tests, COUNT_OF(tests));
}
