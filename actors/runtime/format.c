// SPDX-License-Identifier: Apache-2.0
#include "format.h"

enum { DAYS_OF_400_YEARS = 146097, DAYS_TO_1970 = 719468, MONTHS = 12 };
#define US_OF_SECOND 1000000LL
#define US_OF_DAY (86400LL * US_OF_SECOND)

struct currency_form {
    char code[4];
    const char *before; // after the sign
    const char *after;
    char group;
    char point;
};

static const struct currency_form currencies[CURRENCY_COUNT] = {
    [CURRENCY_BRL] = {"BRL", "R$ ", "", '.', ','},
    [CURRENCY_USD] = {"USD", "$", "", ',', '.'},
    [CURRENCY_EUR] = {"EUR", "", " €", '.', ','},
};

static bool is_digit(char character) {
    return character >= '0' && character <= '9';
}

// The digits of value, most significant first; returns how many.
static uint32_t digits_write(uint64_t value, char digits[INTEGER_TEXT_BYTES]) {
    char reversed[INTEGER_TEXT_BYTES];
    uint32_t count = 0;
    do {
        reversed[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    for (uint32_t i = 0; i < count; i++)
        digits[i] = reversed[count - 1 - i];
    return count;
}

static uint64_t magnitude(int64_t value) {
    return value < 0 ? -(uint64_t)value : (uint64_t)value;
}

uint32_t integer_write(int64_t value, char *text) {
    char digits[INTEGER_TEXT_BYTES];
    uint32_t count = digits_write(magnitude(value), digits);
    uint32_t sign = value < 0;
    text[0] = '-';
    memcpy(text + sign, digits, count);
    return sign + count;
}

bool integer_parse(struct text text, int64_t *ret_value) {
    uint32_t at = text.length > 0 && text.bytes[0] == '-';
    if (at == text.length || (text.bytes[at] == '0' && text.length > 1))
        return false;
    int64_t value = 0;
    for (uint32_t i = at; i < text.length; i++)
        if (!is_digit(text.bytes[i]) || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_sub_overflow(value, text.bytes[i] - '0', &value))
            return false;
    if (at == 0 && value == INT64_MIN)
        return false;
    *ret_value = at == 1 ? value : -value;
    return true;
}

static int hex_value(char character) {
    if (is_digit(character))
        return character - '0';
    if (character >= 'a' && character <= 'f')
        return character - 'a' + 10;
    return character >= 'A' && character <= 'F' ? character - 'A' + 10 : -1;
}

// Eight digits of four bytes at once (little-endian). Each byte is moved to two of its own, its
// halves into one each; adding 6 to a half carries into bit 4 where its digit is a letter.
static void hex_write_word(const uint8_t *bytes, char *text) {
    enum { LETTERS_AFTER_DIGITS = 'a' - '9' - 1 };
    uint32_t word;
    memcpy(&word, bytes, sizeof word);
    uint64_t halves = word;
    halves = (halves | halves << 16) & 0x0000FFFF0000FFFF;
    halves = (halves | halves << 8) & 0x00FF00FF00FF00FF;
    halves = (halves >> 4 & 0x000F000F000F000F) | (halves & 0x000F000F000F000F) << 8;
    uint64_t letters = (halves + 0x0606060606060606) >> 4 & 0x0101010101010101;
    halves += 0x3030303030303030 + letters * LETTERS_AFTER_DIGITS;
    memcpy(text, &halves, sizeof halves);
}

uint32_t hex_write(const void *bytes, size_t count, char *text) {
    static const char digits[] = "0123456789abcdef";
    const uint8_t *from = bytes;
    size_t i = 0;
    for (; i + sizeof(uint32_t) <= count; i += sizeof(uint32_t))
        hex_write_word(from + i, text + 2 * i);
    for (; i < count; i++) {
        text[2 * i] = digits[from[i] >> 4];
        text[2 * i + 1] = digits[from[i] & 15];
    }
    return (uint32_t)(2 * count);
}

uint32_t traceparent_write(const uint8_t trace[TRACE_BYTES], char *text) {
    enum { TRACE_ID = 16, SPAN_ID = 8, FLAGS = 1 };
    char *at = text;
    memcpy(at, "00-", 3);
    at += 3;
    at += hex_write(trace, TRACE_ID, at);
    *at++ = '-';
    at += hex_write(trace + TRACE_ID, SPAN_ID, at);
    *at++ = '-';
    at += hex_write(trace + TRACE_ID + SPAN_ID, FLAGS, at);
    return (uint32_t)(at - text);
}

bool hex_parse(struct text text, void *ret_bytes, size_t count) {
    if (text.length != 2 * count)
        return false;
    for (uint32_t i = 0; i < text.length; i++)
        if (hex_value(text.bytes[i]) < 0)
            return false;
    for (size_t i = 0; i < count; i++)
        ((uint8_t *)ret_bytes)[i] =
            (uint8_t)(hex_value(text.bytes[2 * i]) << 4 | hex_value(text.bytes[2 * i + 1]));
    return true;
}

// The five groups of a UUID's text: where each begins in the text and in the bytes, its bytes.
static const struct {
    uint8_t text;
    uint8_t byte;
    uint8_t count;
} uuid_groups[] = {{0, 0, 4}, {9, 4, 2}, {14, 6, 2}, {19, 8, 2}, {24, 10, 6}};

uint32_t uuid_write(struct uuid uuid, char *text) {
    char digits[2 * sizeof uuid]; // in one go; copies of a constant length are moves
    hex_write(&uuid, sizeof uuid, digits);
    memcpy(text, digits, 8);
    text[8] = '-';
    memcpy(text + 9, digits + 8, 4);
    text[13] = '-';
    memcpy(text + 14, digits + 12, 4);
    text[18] = '-';
    memcpy(text + 19, digits + 16, 4);
    text[23] = '-';
    memcpy(text + 24, digits + 20, 12);
    return UUID_TEXT_BYTES;
}

bool uuid_parse(struct text text, struct uuid *ret_uuid) {
    struct uuid uuid;
    if (text.length != UUID_TEXT_BYTES)
        return false;
    for (size_t i = 0; i < COUNT_OF(uuid_groups); i++) {
        struct text group = {text.bytes + uuid_groups[i].text, 2U * uuid_groups[i].count};
        if ((i > 0 && group.bytes[-1] != '-') ||
            !hex_parse(group, uuid.bytes + uuid_groups[i].byte, uuid_groups[i].count))
            return false;
    }
    *ret_uuid = uuid;
    return true;
}

struct uuid uuid_make(int64_t wall_us, const uint8_t random[UUID_RANDOM_BYTES]) {
    uint64_t milliseconds = (uint64_t)wall_us / 1000;
    uint32_t fraction = (uint32_t)((uint64_t)wall_us % 1000 * 4096 / 1000);
    struct uuid uuid;
    for (int i = 0; i < 6; i++)
        uuid.bytes[i] = (uint8_t)(milliseconds >> (40 - 8 * i));
    memcpy(uuid.bytes + 6, random, UUID_RANDOM_BYTES);
    uuid.bytes[6] = (uint8_t)(0x70 | fraction >> 8);
    uuid.bytes[7] = (uint8_t)fraction;
    uuid.bytes[8] = (uint8_t)(0x80 | (uuid.bytes[8] & 0x3F));
    return uuid;
}

// The proleptic Gregorian calendar in eras of 400 years that begin on 1 March, so that the leap
// day is the last of its year.
static int32_t days_of_date(int32_t year, int32_t month, int32_t day) {
    year -= month <= 2;
    int32_t era = year / 400; // years here are positive
    int32_t year_of_era = year - era * 400;
    int32_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int32_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * DAYS_OF_400_YEARS + day_of_era - DAYS_TO_1970;
}

static void date_of_days(int32_t days, int32_t *ret_year, int32_t *ret_month, int32_t *ret_day) {
    days += DAYS_TO_1970;
    int32_t era = days / DAYS_OF_400_YEARS;
    int32_t day_of_era = days - era * DAYS_OF_400_YEARS;
    int32_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int32_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int32_t shifted = (5 * day_of_year + 2) / 153;
    *ret_day = day_of_year - (153 * shifted + 2) / 5 + 1;
    *ret_month = shifted + (shifted < 10 ? 3 : -9);
    *ret_year = year_of_era + era * 400 + (*ret_month <= 2);
}

static void pair_write(int32_t value, char *text) {
    text[0] = (char)('0' + value / 10);
    text[1] = (char)('0' + value % 10);
}

uint32_t date_write(int32_t days, char *text) {
    int32_t year, month, day;
    date_of_days(days, &year, &month, &day);
    pair_write(year / 100, text);
    pair_write(year % 100, text + 2);
    text[4] = '-';
    pair_write(month, text + 5);
    text[7] = '-';
    pair_write(day, text + 8);
    return DATE_TEXT_BYTES;
}

// Takes `count` digits from the front of the text.
static bool take_number(struct text *text, uint32_t count, int32_t *ret_value) {
    if (text->length < count)
        return false;
    int32_t value = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!is_digit(text->bytes[i]))
            return false;
        value = value * 10 + text->bytes[i] - '0';
    }
    *text = (struct text){text->bytes + count, text->length - count};
    *ret_value = value;
    return true;
}

static bool take_one_of(struct text *text, const char *characters) {
    if (text->length == 0 || text->bytes[0] == '\0' || strchr(characters, text->bytes[0]) == NULL)
        return false;
    *text = (struct text){text->bytes + 1, text->length - 1};
    return true;
}

static bool take_date(struct text *text, int32_t *ret_days) {
    int32_t year, month, day;
    if (!take_number(text, 4, &year) || !take_one_of(text, "-") || !take_number(text, 2, &month) ||
        !take_one_of(text, "-") || !take_number(text, 2, &day))
        return false;
    if (year < YEAR_MIN || year > YEAR_MAX || month < 1 || month > MONTHS || day < 1)
        return false;
    int32_t days = days_of_date(year, month, day);
    int32_t same_year, same_month, same_day;
    date_of_days(days, &same_year, &same_month, &same_day);
    if (same_month != month || same_day != day)
        return false;
    *ret_days = days;
    return true;
}

bool date_parse(struct text text, int32_t *ret_days) {
    int32_t days;
    if (!take_date(&text, &days) || text.length != 0)
        return false;
    *ret_days = days;
    return true;
}

uint32_t timestamp_write(int64_t microseconds, char *text) {
    int64_t of_day = microseconds % US_OF_DAY;
    int64_t days = microseconds / US_OF_DAY;
    if (of_day < 0) {
        of_day += US_OF_DAY;
        days--;
    }
    int32_t seconds = (int32_t)(of_day / US_OF_SECOND);
    int32_t fraction = (int32_t)(of_day % US_OF_SECOND);
    uint32_t length = date_write((int32_t)days, text);
    text[length] = 'T';
    pair_write(seconds / 3600, text + length + 1);
    text[length + 3] = ':';
    pair_write(seconds / 60 % 60, text + length + 4);
    text[length + 6] = ':';
    pair_write(seconds % 60, text + length + 7);
    length += 9;
    if (fraction != 0) {
        text[length++] = '.';
        for (int32_t unit = US_OF_SECOND / 10; fraction != 0; unit /= 10) {
            text[length++] = (char)('0' + fraction / unit);
            fraction %= unit;
        }
    }
    text[length++] = 'Z';
    return length;
}

// Seconds and their fraction may be left out; digits beyond microseconds are cut off.
static bool take_time(struct text *text, int64_t *ret_microseconds) {
    int32_t hour, minute, second = 0, digit;
    int64_t fraction = 0;
    if (!take_number(text, 2, &hour) || !take_one_of(text, ":") || !take_number(text, 2, &minute))
        return false;
    if (take_one_of(text, ":")) {
        if (!take_number(text, 2, &second))
            return false;
        if (take_one_of(text, ".")) {
            int64_t unit = US_OF_SECOND / 10;
            if (text->length == 0 || !is_digit(text->bytes[0]))
                return false;
            for (; take_number(text, 1, &digit); unit /= 10)
                fraction += digit * unit;
        }
    }
    if (hour > 23 || minute > 59 || second > 59)
        return false;
    *ret_microseconds = (hour * 3600LL + minute * 60LL + second) * US_OF_SECOND + fraction;
    return true;
}

// "Z", "+03:00", "+0300", "-03", or nothing.
static bool take_offset(struct text *text, int64_t *ret_microseconds) {
    int32_t hours = 0, minutes = 0;
    *ret_microseconds = 0;
    if (text->length == 0 || take_one_of(text, "Zz"))
        return true;
    int64_t sign = text->bytes[0] == '-' ? -1 : 1;
    if (!take_one_of(text, "+-") || !take_number(text, 2, &hours))
        return false;
    bool colon = take_one_of(text, ":");
    if ((colon || text->length > 0) && !take_number(text, 2, &minutes))
        return false;
    if (hours > 23 || minutes > 59)
        return false;
    *ret_microseconds = sign * (hours * 3600LL + minutes * 60LL) * US_OF_SECOND;
    return true;
}

bool timestamp_parse(struct text text, int64_t *ret_microseconds) {
    int32_t days;
    int64_t time = 0, offset = 0;
    if (!take_date(&text, &days))
        return false;
    if (text.length > 0 && (!take_one_of(&text, "Tt ") || !take_time(&text, &time) ||
                            !take_offset(&text, &offset) || text.length != 0))
        return false;
    int64_t instant = days * US_OF_DAY + time - offset;
    if (instant < TIMESTAMP_MIN || instant > TIMESTAMP_MAX)
        return false;
    *ret_microseconds = instant;
    return true;
}

struct text currency_code(uint8_t currency) {
    ASSERT(currency < CURRENCY_COUNT);
    return (struct text){currencies[currency].code, 3};
}

bool currency_parse(struct text code, uint8_t *ret_currency) {
    for (uint8_t i = 0; i < CURRENCY_COUNT; i++)
        if (text_equal(code, currency_code(i))) {
            *ret_currency = i;
            return true;
        }
    return false;
}

static uint32_t append(char *text, uint32_t length, const char *more) {
    size_t count = strlen(more);
    memcpy(text + length, more, count);
    return length + (uint32_t)count;
}

uint32_t money_write(int64_t value, uint8_t currency, char *text) {
    ASSERT(currency < CURRENCY_COUNT);
    const struct currency_form *form = &currencies[currency];
    char digits[INTEGER_TEXT_BYTES];
    uint64_t amount = magnitude(value);
    uint32_t whole = digits_write(amount / 100, digits);
    uint32_t length = append(text, 0, value < 0 ? "-" : "");
    length = append(text, length, form->before);
    for (uint32_t i = 0; i < whole; i++) {
        if (i > 0 && (whole - i) % 3 == 0)
            text[length++] = form->group;
        text[length++] = digits[i];
    }
    text[length] = form->point;
    pair_write((int32_t)(amount % 100), text + length + 1);
    return append(text, length + 3, form->after);
}
