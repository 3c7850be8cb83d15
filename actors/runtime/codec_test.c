// SPDX-License-Identifier: Apache-2.0
#include "codec.h"
#include "expect.h"
#include "failure.h"
#include "golden/expected/messages.h"

static struct arena arena;

static struct create_book_request example_book(void) {
    static struct text labels[] = {{"rare", 4}, {"blue", 4}};
    struct create_book_request book;
    message_reset(&create_book_request_message, &book);
    book.author_id = (struct uuid){{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};
    book.has_author_id = true;
    book.price = (struct money){-2590, CURRENCY_EUR};
    book.title = TEXT("Água viva");
    book.printed = 1645557742000000;
    book.pages = 96;
    book.has_pages = true;
    book.is_signed = true;
    book.labels = (struct list){labels, 2};
    book.has_labels = true;
    book.day = -25000;
    book.has_day = true;
    return book;
}

static struct text encode_book(const struct create_book_request *book) {
    struct text bytes = {0};
    EXPECT_INTEGER(codec_encode(&create_book_request_message, book, &arena, &bytes), STATUS_OK);
    return bytes;
}

static enum status decode_book(struct text bytes, struct create_book_request *ret_book) {
    return codec_decode(&create_book_request_message, bytes, &arena, ret_book);
}

static void test_a_request_comes_back(void) {
    arena_reset(&arena);
    struct create_book_request book = example_book(), same;
    struct text bytes = encode_book(&book);
    EXPECT_INTEGER(decode_book(bytes, &same), STATUS_OK);
    EXPECT(uuid_equal(same.author_id, book.author_id) && same.has_author_id);
    EXPECT_INTEGER(same.price.value, -2590);
    EXPECT_INTEGER(same.price.currency, CURRENCY_EUR);
    EXPECT_TEXT(same.title, "Água viva");
    EXPECT(!same.has_note && same.note.bytes == NULL);
    EXPECT_INTEGER(same.genre, GENRE_POETRY);
    EXPECT_INTEGER(same.printed, 1645557742000000);
    EXPECT_INTEGER(same.pages, 96);
    EXPECT(same.has_pages && same.is_signed && same.has_day && same.has_labels);
    EXPECT_INTEGER(same.day, -25000);
    EXPECT_INTEGER(same.labels.count, 2);
    EXPECT_TEXT(((const struct text *)same.labels.items)[1], "blue");
    struct text again = encode_book(&same);
    EXPECT(text_equal(bytes, again));
}

static void test_absent_fields_take_no_bytes(void) {
    arena_reset(&arena);
    struct delete_book_request request = {{{7}}};
    struct text bytes;
    EXPECT_INTEGER(codec_encode(&delete_book_request_message, &request, &arena, &bytes), STATUS_OK);
    EXPECT_INTEGER(bytes.length, 1 + 1 + 2 + 16);
    struct create_book_request book = example_book();
    uint32_t full = encode_book(&book).length;
    book.has_pages = book.has_day = false;
    EXPECT_INTEGER(full - encode_book(&book).length, 2 + 1 + 3);
}

static void test_every_truncation_is_malformed(void) {
    arena_reset(&arena);
    struct create_book_request book = example_book(), same;
    struct text bytes = encode_book(&book);
    for (uint32_t length = 0; length < bytes.length; length++) {
        char *exact = malloc(length == 0 ? 1 : length); // so that a sanitizer sees the end
        memcpy(exact, bytes.bytes, length);
        EXPECT_INTEGER(decode_book((struct text){exact, length}, &same), STATUS_MALFORMED);
        free(exact);
    }
    char longer[512];
    memcpy(longer, bytes.bytes, bytes.length);
    longer[bytes.length] = 0;
    EXPECT_INTEGER(decode_book((struct text){longer, bytes.length + 1}, &same), STATUS_MALFORMED);
}

static enum status decode_show(struct text bytes) {
    struct show_book_request request;
    return codec_decode(&show_book_request_message, bytes, &arena, &request);
}

#define ID \
    "\x01\xc4\x10" \
    "0123456789abcdef"

static void test_unknown_fields_are_skipped(void) {
    arena_reset(&arena);
    EXPECT_INTEGER(decode_show(TEXT("\x81" ID)), STATUS_OK);
    EXPECT_INTEGER(decode_show(TEXT("\x82" ID "\x05\xa3"
                                    "abc")),
                   STATUS_OK);
    EXPECT_INTEGER(decode_show(TEXT("\x82" ID "\x05\x92\x81\x01\xc0\xcb"
                                    "12345678")),
                   STATUS_OK);
    EXPECT_INTEGER(decode_show(TEXT("\x83" ID "\x05\xd6\x01"
                                    "abcd"
                                    "\x06\xc7\x02\x01"
                                    "ab")),
                   STATUS_OK);
    EXPECT_INTEGER(decode_show(TEXT("\x82" ID "\x05\xc1")), STATUS_MALFORMED);
}

// One value of every form that msgpack has, in a request and deep in what a later build may add.
static void test_unknown_fields_of_every_form(void) {
    static const struct text forms[] = {TEXT("\xc0"),
                                        TEXT("\xc2"),
                                        TEXT("\xc3"),
                                        TEXT("\x00"),
                                        TEXT("\x7f"),
                                        TEXT("\xe0"),
                                        TEXT("\xcc\1"),
                                        TEXT("\xcd\1\2"),
                                        TEXT("\xce\1\2\3\4"),
                                        TEXT("\xcf\1\2\3\4\5\6\7\1"),
                                        TEXT("\xd0\1"),
                                        TEXT("\xd1\1\2"),
                                        TEXT("\xd2\1\2\3\4"),
                                        TEXT("\xd3\1\2\3\4\5\6\7\1"),
                                        TEXT("\xca\1\2\3\4"),
                                        TEXT("\xcb\1\2\3\4\5\6\7\1"),
                                        TEXT("\xa0"),
                                        TEXT("\xa2xy"),
                                        TEXT("\xd9\2xy"),
                                        TEXT("\xda\0\2xy"),
                                        TEXT("\xdb\0\0\0\2xy"),
                                        TEXT("\xc4\0"),
                                        TEXT("\xc4\2xy"),
                                        TEXT("\xc5\0\2xy"),
                                        TEXT("\xc6\0\0\0\2xy"),
                                        TEXT("\xc7\0\1"),
                                        TEXT("\xc7\2\1xy"),
                                        TEXT("\xc8\0\2\1xy"),
                                        TEXT("\xc9\0\0\0\2\1xy"),
                                        TEXT("\xd4\1x"),
                                        TEXT("\xd5\1xy"),
                                        TEXT("\xd6\1wxyz"),
                                        TEXT("\xd7\1stuvwxyz"),
                                        TEXT("\xd8\1stuvwxyzstuvwxyz"),
                                        TEXT("\x90"),
                                        TEXT("\x92\1\xa1x"),
                                        TEXT("\xdc\0\1\1"),
                                        TEXT("\xdd\0\0\0\1\1"),
                                        TEXT("\x80"),
                                        TEXT("\x82\1\2\xa1x\x91\1"),
                                        TEXT("\xde\0\1\1\2"),
                                        TEXT("\xdf\0\0\0\1\1\2")};
    static const struct text around[] = {TEXT("\x82" ID "\x05"), TEXT("\x82" ID "\xcd\xff\xff"),
                                         TEXT("\x82" ID "\x05\x93\xc0\x91\x81\1")};
    char bytes[128];
    arena_reset(&arena);
    for (uint32_t i = 0; i < COUNT_OF(forms) * COUNT_OF(around); i++) {
        struct text form = forms[i % COUNT_OF(forms)], before = around[i / COUNT_OF(forms)];
        uint32_t length = before.length + form.length;
        memcpy(bytes, before.bytes, before.length);
        memcpy(bytes + before.length, form.bytes, form.length);
        if (i / COUNT_OF(forms) == 2)
            memcpy(bytes + length++, "\xc0", 1); // the third of three
        EXPECT_INTEGER(decode_show((struct text){bytes, length}), STATUS_OK);
        EXPECT_INTEGER(decode_show((struct text){bytes, length - 1}), STATUS_MALFORMED);
    }
}

static void test_large_unknown_fields(void) {
    enum { LARGE = 1 << 20 };
    static const char before[] = "\x82" ID "\x05\xdb\x00\x10\x00\x00";
    char *bytes = calloc(1, sizeof before - 1 + LARGE);
    memcpy(bytes, before, sizeof before - 1);
    arena_reset(&arena);
    EXPECT_INTEGER(decode_show((struct text){bytes, sizeof before - 1 + LARGE}), STATUS_OK);
    EXPECT_INTEGER(decode_show((struct text){bytes, sizeof before - 2 + LARGE}), STATUS_MALFORMED);
    free(bytes);
    // In a nested message: a field error with a third part, a failure with one.
    struct failure failure;
    EXPECT(failure_decode(&failure, STATUS_INVALID,
                          TEXT("\x83\1\x91\x83\1\xa1p\2\xa1m\3\x81\1\2\2\0\7\xc7\0\1")));
    EXPECT_INTEGER(failure.error_count, 1);
    EXPECT_TEXT(failure.errors[0].message, "m");
}

static void test_bombs_and_lies_are_malformed(void) {
    arena_reset(&arena);
    EXPECT_INTEGER(decode_show(TEXT("\xdf\xff\xff\xff\xff")), STATUS_MALFORMED);
    EXPECT_INTEGER(decode_show(TEXT("\x82" ID "\x05\xdd\xff\xff\xff\xff")), STATUS_MALFORMED);
    EXPECT_INTEGER(decode_show(TEXT("\x82" ID "\x05\xdb\xff\xff\xff\xff")), STATUS_MALFORMED);
    EXPECT_INTEGER(decode_show(TEXT("\x82" ID "\x05\xc6\xff\xff\xff\xff")), STATUS_MALFORMED);
    EXPECT_INTEGER(decode_show(TEXT("\x82" ID "\x05\xc9\xff\xff\xff\xff")), STATUS_MALFORMED);
    EXPECT_INTEGER(decode_show(TEXT("\x82" ID ID)), STATUS_MALFORMED); // the key twice
    EXPECT_INTEGER(decode_show(TEXT("\x80")), STATUS_MALFORMED); // required
    EXPECT_INTEGER(decode_show(TEXT("\x91\x01")), STATUS_MALFORMED);
    EXPECT_INTEGER(decode_show(TEXT("\x81\x01\xc4\x0f"
                                    "0123456789abcde")),
                   STATUS_MALFORMED);
    EXPECT_INTEGER(decode_show((struct text){0}), STATUS_MALFORMED);
    enum { DEEP = 100000 };
    char *deep = malloc(DEEP);
    memset(deep, 0x91, DEEP);
    memcpy(deep, "\x82" ID "\x05", sizeof("\x82" ID "\x05") - 1);
    EXPECT_INTEGER(decode_show((struct text){deep, DEEP}), STATUS_MALFORMED);
    free(deep);
}

static void expect_book_refused(struct create_book_request book) {
    struct create_book_request same;
    arena_reset(&arena);
    EXPECT_INTEGER(decode_book(encode_book(&book), &same), STATUS_MALFORMED);
}

static void test_limits_hold_on_the_wire_too(void) {
    struct create_book_request book = example_book();
    book.pages = 5001;
    expect_book_refused(book);
    book = example_book();
    book.title = TEXT("ab");
    expect_book_refused(book);
    book.title = TEXT("12345678901");
    expect_book_refused(book);
    book.title = TEXT("a\0b");
    expect_book_refused(book);
    book.title = TEXT("ab\xc3");
    expect_book_refused(book);
    book = example_book();
    book.genre = 3;
    expect_book_refused(book);
    book = example_book();
    book.price.value = 1000000000000001;
    expect_book_refused(book);
    book = example_book();
    book.price.currency = CURRENCY_COUNT;
    expect_book_refused(book);
    book = example_book();
    book.labels.count = 3;
    struct text labels[] = {TEXT("a"), TEXT("b"), TEXT("c")};
    book.labels.items = labels;
    expect_book_refused(book);
    book = example_book();
    book.day = 84006;
    expect_book_refused(book);
}

static void test_a_full_arena_is_too_large(void) {
    struct arena small;
    struct create_book_request book = example_book(), same;
    arena_reset(&arena);
    struct text bytes = encode_book(&book), none;
    arena_init(&small, 40);
    EXPECT_INTEGER(codec_encode(&create_book_request_message, &book, &small, &none),
                   STATUS_TOO_LARGE);
    arena_reset(&small);
    EXPECT(arena_take(&small, 20) != NULL);
    EXPECT_INTEGER(codec_decode(&create_book_request_message, bytes, &small, &same),
                   STATUS_TOO_LARGE);
    arena_deinit(&small);
}

static void test_a_failure_comes_back(void) {
    static struct failure failure, same;
    arena_reset(&arena);
    failure_reset(&failure);
    EXPECT_INTEGER(failure.status, STATUS_OK);
    failure_add(&failure, TEXT("amount.value"), TEXT("The amount.value field is required."));
    failure_add(&failure, TEXT("accounts.0"), TEXT("The accounts.0 field must be a valid UUID."));
    EXPECT_INTEGER(failure.status, STATUS_INVALID);
    struct text bytes = failure_encode(&failure, &arena);
    EXPECT(failure_decode(&same, STATUS_INVALID, bytes));
    EXPECT_INTEGER(same.status, STATUS_INVALID);
    EXPECT_INTEGER(same.error_count, 2);
    EXPECT_TEXT(same.errors[0].path, "amount.value");
    EXPECT_TEXT(same.errors[1].message, "The accounts.0 field must be a valid UUID.");
    EXPECT(!failure_decode(&same, STATUS_INVALID, (struct text){bytes.bytes, bytes.length - 1}));
    EXPECT(failure_decode(&same, STATUS_BUSY, (struct text){0}));
    EXPECT_INTEGER(same.status, STATUS_BUSY);
    EXPECT_INTEGER(same.error_count, 0);
}

static void test_errors_beyond_the_table_are_counted(void) {
    static struct failure failure, same;
    arena_reset(&arena);
    failure_reset(&failure);
    for (int i = 0; i < FIELD_ERRORS_MAX + 5; i++)
        failure_add(&failure, TEXT("a"), TEXT("wrong"));
    EXPECT_INTEGER(failure.error_count, FIELD_ERRORS_MAX);
    EXPECT_INTEGER(failure.errors_dropped, 5);
    EXPECT(failure_decode(&same, STATUS_INVALID, failure_encode(&failure, &arena)));
    EXPECT_INTEGER(same.error_count, FIELD_ERRORS_MAX);
    EXPECT_INTEGER(same.errors_dropped, 5);
}

int main(void) {
    static const struct test tests[] = {
        {"a request comes back as it was, and packs to the same bytes", test_a_request_comes_back},
        {"absent fields take no bytes", test_absent_fields_take_no_bytes},
        {"every truncation is malformed", test_every_truncation_is_malformed},
        {"unknown fields of any type are skipped", test_unknown_fields_are_skipped},
        {"unknown fields of every form of msgpack", test_unknown_fields_of_every_form},
        {"large ones, and some in nested messages", test_large_unknown_fields},
        {"bombs and lies about lengths are malformed", test_bombs_and_lies_are_malformed},
        {"the schema's limits hold on the wire too", test_limits_hold_on_the_wire_too},
        {"a full arena is too large", test_a_full_arena_is_too_large},
        {"a failure comes back with its field errors", test_a_failure_comes_back},
        {"errors beyond the table are counted", test_errors_beyond_the_table_are_counted},
    };
    arena_init(&arena, 1 << 16);
    int result = expect_run(tests, COUNT_OF(tests));
    arena_deinit(&arena);
    return result;
}
