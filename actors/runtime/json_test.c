// SPDX-License-Identifier: Apache-2.0
#include "expect.h"
#include "golden/expected/messages.h"
#include "json.h"

#include <stdio.h>

static struct arena arena;
static struct failure failure;
static struct create_book_request book;
static struct list_books_request query;

#define WHOLE \
    "\"price\":{\"value\":5,\"currency\":\"BRL\"},\"title\":\"Água\",\"printed\":\"2026-11-23\""

static enum status bind(struct text body) {
    arena_reset(&arena);
    failure_reset(&failure);
    message_reset(&create_book_request_message, &book);
    enum status status =
        json_bind_body(&create_book_request_message, body, &arena, &book, &failure);
    EXPECT_INTEGER(status, failure.status);
    return status;
}

// All errors as "path: message" lines.
static struct text errors(void) {
    struct text all = TEXT("");
    for (uint32_t i = 0; i < failure.error_count; i++)
        all = arena_format(&arena, "%.*s%.*s: %.*s\n", (int)all.length, all.bytes,
                           (int)failure.errors[i].path.length, failure.errors[i].path.bytes,
                           (int)failure.errors[i].message.length, failure.errors[i].message.bytes);
    return all;
}

static void expect_errors(const char *body, const char *expected) {
    EXPECT_INTEGER(bind(text_of(body)), STATUS_INVALID);
    EXPECT_TEXT(errors(), expected);
}

static void test_a_whole_body(void) {
    EXPECT_INTEGER(bind(TEXT("{\"author_id\":\"01890a5d-ac96-774b-bcce-b302099a8057\","
                             "\"price\":{\"value\":-1000000000000000,\"currency\":\"EUR\"},"
                             "\"title\":\"\\u00c1g\\n\\\"a\",\"note\":\"x\",\"genre\":\"history\","
                             "\"printed\":\"2026-11-23T10:00:00-03:00\",\"pages\":5000,"
                             "\"is_signed\":1,\"labels\":[\"a\",\"b\"],\"day\":\"2024-02-29\","
                             "\"unknown\":{\"a\":[1.5,1e400]}}")),
                   STATUS_OK);
    EXPECT(book.has_author_id && book.author_id.bytes[15] == 0x57);
    EXPECT_INTEGER(book.price.value, -1000000000000000);
    EXPECT_INTEGER(book.price.currency, CURRENCY_EUR);
    EXPECT_TEXT(book.title, "Ág\n\"a");
    EXPECT_TEXT(book.note, "x");
    EXPECT_INTEGER(book.genre, GENRE_HISTORY);
    EXPECT_INTEGER(book.printed, 1795438800000000);
    EXPECT_INTEGER(book.pages, 5000);
    EXPECT(book.is_signed && book.has_labels && book.has_day && book.has_note && book.has_pages);
    EXPECT_TEXT(((const struct text *)book.labels.items)[1], "b");
    EXPECT_INTEGER(book.day, 19782);
}

static void test_absent_null_and_blank_are_one(void) {
    EXPECT_INTEGER(bind(TEXT("{" WHOLE ",\"note\":null,\"genre\":null,\"pages\":\"\","
                             "\"author_id\":\" \",\"is_signed\":null,\"labels\":null}")),
                   STATUS_OK);
    EXPECT(!book.has_note && !book.has_pages && !book.has_author_id && !book.has_labels);
    EXPECT(!book.is_signed);
    EXPECT_INTEGER(book.genre, GENRE_POETRY);
    EXPECT_TEXT(book.title, "Água");
    expect_errors("{\"price\":{\"value\":null,\"currency\":\"\"},\"title\":\" \\n\"}",
                  "price.value: The price.value field is required.\n"
                  "price.currency: The price.currency field is required.\n"
                  "title: The title field is required.\n"
                  "printed: The printed field is required.\n");
}

static void test_every_wrong_field_at_once(void) {
    static const char missing[] = "price.value: The price.value field is required.\n"
                                  "price.currency: The price.currency field is required.\n"
                                  "title: The title field is required.\n"
                                  "printed: The printed field is required.\n";
    expect_errors("", missing);
    expect_errors(" {} ", missing);
    expect_errors("{\"author_id\":7,\"price\":[],\"title\":[],\"note\":1,\"genre\":\"x\","
                  "\"printed\":\"2026-02-30\",\"pages\":\"5\",\"is_signed\":2,\"labels\":\"a\","
                  "\"day\":\"2026-11-23T00:00:00Z\"}",
                  "author_id: The author id field must be a valid UUID.\n"
                  "price: The price field must be an object.\n"
                  "title: The title field must be a string.\n"
                  "note: The note field must be a string.\n"
                  "genre: The selected genre is invalid.\n"
                  "printed: The printed field must be a valid date.\n"
                  "pages: The pages field must be an integer.\n"
                  "is_signed: The is signed field must be true or false.\n"
                  "labels: The labels field must be an array.\n"
                  "day: The day field must be a valid date.\n");
    expect_errors("{\"author_id\":\"x\",\"price\":{\"value\":1.0,\"currency\":\"GBP\"},"
                  "\"title\":\"ab\",\"note\":\"a\\u0000b\",\"genre\":7,\"printed\":3,\"pages\":0,"
                  "\"is_signed\":\"true\",\"labels\":[\"abcdef\",3],\"day\":false}",
                  "author_id: The author id field must be a valid UUID.\n"
                  "price.value: The price.value field must be an integer.\n"
                  "price.currency: The selected price.currency is invalid.\n"
                  "title: The title field must be at least 3 characters.\n"
                  "note: The note field must not contain control characters.\n"
                  "genre: The selected genre is invalid.\n"
                  "printed: The printed field must be a valid date.\n"
                  "pages: The pages field must be at least 1.\n"
                  "is_signed: The is signed field must be true or false.\n"
                  "labels.0: The labels.0 field must not be greater than 5 characters.\n"
                  "labels.1: The labels.1 field must be a string.\n"
                  "day: The day field must be a valid date.\n");
    expect_errors("{" WHOLE ",\"pages\":5001,\"labels\":[\"a\",\"b\",\"c\"],\"note\":\"\x7f.\"}",
                  "note: The note field must not contain control characters.\n"
                  "pages: The pages field must not be greater than 5000.\n"
                  "labels: The labels field must not have more than 2 items.\n");
}

static void expect_amount_error(const char *amount, const char *expected) {
    char body[200];
    (void)snprintf(body, sizeof body,
                   "{\"title\":\"abc\",\"printed\":\"2026-11-23\",\"price\":"
                   "{\"value\":%s,\"currency\":\"BRL\"}}",
                   amount);
    expect_errors(body, expected);
}

static void test_amounts_do_not_overflow(void) {
    static const char high[] =
        "price.value: The price.value field must not be greater than 1000000000000000.\n";
    static const char low[] =
        "price.value: The price.value field must be at least -1000000000000000.\n";
    static const char none[] = "price.value: The price.value field must be an integer.\n";
    expect_amount_error("1000000000000001", high);
    expect_amount_error("9223372036854775807", high);
    expect_amount_error("-1000000000000001", low);
    expect_amount_error("-9223372036854775808", low);
    expect_amount_error("9223372036854775808", none);
    expect_amount_error("18446744073709551616", none);
    expect_amount_error("-9223372036854775809", none);
    expect_amount_error("1e400", none);
    expect_amount_error("true", none);
}

static void expect_unread(struct text body, const char *sentence) {
    EXPECT_INTEGER(bind(body), STATUS_MALFORMED);
    EXPECT_TEXT(failure.sentence, sentence);
}

static void test_what_is_wrong_and_where(void) {
#define NO_JSON "The body is not JSON: "
    static const char *const cases[][2] = {
        {"{", NO_JSON "an early end at byte 2."},
        {"{\"a\":1,}", NO_JSON "a comma with nothing after it at byte 7."},
        {"{} x", NO_JSON "text after its end at byte 4."},
        {"{\"a\":01}", NO_JSON "an invalid number at byte 6."},
        {"{'a':1}", NO_JSON "an unexpected character at byte 2."},
        {"{\"a\":NaN}", NO_JSON "an unexpected character at byte 6."},
        {"{\"a\":tru}", NO_JSON "an unexpected character at byte 6."},
        {"{\"a\":\"\\ud800\"}", NO_JSON "an invalid string at byte 13."},
        {"{\"a\":\"\xff\"}", NO_JSON "an invalid string at byte 7."},
        {"\xef\xbb\xbf{}", NO_JSON "a byte order mark at byte 1."},
        {"{\"pages\":1,\"pages\":1}", "The body has the field \"pages\" twice."},
        {"{\"price\":{\"value\":1,\"value\":2}}", "The body has the field \"value\" twice."},
        {"{\"own\":1,\"own\":1}", "The body has an unknown field twice."},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        expect_unread(text_of(cases[i][0]), cases[i][1]);
#undef NO_JSON
}

static void test_what_is_malformed(void) {
    static const char *const bad[] = {"{",
                                      "{\"a\":1,}",
                                      "{} x",
                                      "{\"a\":01}",
                                      "nul",
                                      "{'a':1}",
                                      "{\"a\":\"\xff\"}",
                                      "{\"a\":\"\xc3\"}",
                                      "{\"a\":\"\\ud800\"}",
                                      "{\"a\":\"\xed\xa0\x80\"}",
                                      "{\"a\":NaN}",
                                      "{\"a\":1,\"a\":1}",
                                      "{\"a\":{\"b\":1,\"c\":2,\"b\":3}}",
                                      "{\"a\":[{\"\\u0062\":1,\"b\":3}]}",
                                      "/**/{}"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        if (bind(text_of(bad[i])) != STATUS_MALFORMED)
            expect_failed_(__FILE__, __LINE__, bad[i]);
        EXPECT_INTEGER(failure.error_count, 0);
    }
    EXPECT_INTEGER(bind(TEXT("{\"a\0\":1,\"a\":2}")), STATUS_MALFORMED);
}

static void test_a_key_twice_among_many(void) {
    char body[4000] = "{" WHOLE;
    for (int i = 0; i < 100; i++)
        (void)snprintf(body + strlen(body), 20, ",\"k%d\":%d", i, i);
    size_t length = strlen(body);
    memcpy(body + length, "}", 2);
    EXPECT_INTEGER(bind(text_of(body)), STATUS_OK);
    memcpy(body + length, ",\"k7\":0}", 9);
    EXPECT_INTEGER(bind(text_of(body)), STATUS_MALFORMED);
}

static void test_depth(void) {
    EXPECT_INTEGER(bind(TEXT("{" WHOLE ",\"x\":[[[[[[[1]]]]]]]}")), STATUS_OK);
    expect_errors("{" WHOLE ",\"x\":[[[[[[[[1]]]]]]]]}",
                  "body: The request body is nested too deeply.\n");
    expect_errors("[]", "body: The request body must be a JSON object.\n");
    expect_errors("null", "body: The request body must be a JSON object.\n");
    char *deep = malloc(60000);
    memset(deep, '[', 30000);
    memset(deep + 30000, ']', 30000);
    struct arena large;
    arena_init(&large, 1 << 21);
    failure_reset(&failure);
    EXPECT_INTEGER(json_bind_body(&create_book_request_message, (struct text){deep, 60000}, &large,
                                  &book, &failure),
                   STATUS_INVALID);
    EXPECT_INTEGER(bind((struct text){deep, 60000}), STATUS_TOO_LARGE);
    arena_deinit(&large);
    free(deep);
}

static enum status bind_query(const struct parameter *parameters, uint32_t count) {
    arena_reset(&arena);
    failure_reset(&failure);
    message_reset(&list_books_request_message, &query);
    return json_bind_parameters(&list_books_request_message, PLACE_QUERY, parameters, count, &arena,
                                &query, &failure);
}

#define A "01890a5d-ac96-774b-bcce-b302099a8057"
#define B "01890a5d-ac96-774b-bcce-b302099a8058"

static void test_a_query(void) {
    const struct parameter parameters[] = {
        {TEXT("authors[]"), TEXT(A)},   {TEXT("page"), TEXT("9")},
        {TEXT("authors"), TEXT(B)},     {TEXT("authors[0]"), TEXT(A)},
        {TEXT("authors[x]"), TEXT("")}, {TEXT("authorsx"), TEXT("no")},
        {TEXT("page"), TEXT("2")},      {TEXT("search"), TEXT("50% _x")},
        {TEXT("is_signed"), TEXT("0")}, {TEXT("order_by[column]"), TEXT("history")},
        {TEXT("genre"), TEXT("")},      {TEXT("since"), {0}},
        {TEXT("unknown"), TEXT("\xff")}};
    EXPECT_INTEGER(bind_query(parameters, COUNT_OF(parameters)), STATUS_OK);
    EXPECT_INTEGER(query.authors.count, 3);
    EXPECT_INTEGER(((const struct uuid *)query.authors.items)[1].bytes[15], 0x58);
    EXPECT_INTEGER(query.page, 2);
    EXPECT_INTEGER(query.per_page, 15);
    EXPECT_TEXT(query.search, "50% _x");
    EXPECT(query.has_is_signed && !query.is_signed && !query.has_genre && !query.has_since);
    EXPECT_INTEGER(query.column, GENRE_HISTORY);
}

static void test_wrong_query_fields(void) {
    const struct parameter parameters[] = {{TEXT("authors[]"), TEXT(A)},
                                           {TEXT("authors[]"), TEXT("x")},
                                           {TEXT("genre"), TEXT("Novel")},
                                           {TEXT("since"), TEXT("2026-02-30")},
                                           {TEXT("is_signed"), TEXT("yes")},
                                           {TEXT("order_by[column]"), TEXT("id")},
                                           {TEXT("page"), TEXT("0")},
                                           {TEXT("per_page"), TEXT("1e2")},
                                           {TEXT("search"), TEXT("12345678901234567890x")}};
    EXPECT_INTEGER(bind_query(parameters, COUNT_OF(parameters)), STATUS_INVALID);
    EXPECT_TEXT(errors(), "authors.1: The authors.1 field must be a valid UUID.\n"
                          "genre: The selected genre is invalid.\n"
                          "since: The since field must be a valid date.\n"
                          "search: The search field must not be greater than 20 characters.\n"
                          "is_signed: The is signed field must be true or false.\n"
                          "order_by.column: The selected order by.column is invalid.\n"
                          "page: The page field must be at least 1.\n"
                          "per_page: The per page field must be an integer.\n");
    const struct parameter many[] = {{TEXT("authors"), TEXT(A)},
                                     {TEXT("authors"), TEXT(A)},
                                     {TEXT("authors"), TEXT(A)},
                                     {TEXT("authors"), TEXT(A)}};
    EXPECT_INTEGER(bind_query(many, COUNT_OF(many)), STATUS_INVALID);
    EXPECT_TEXT(errors(), "authors: The authors field must not have more than 3 items.\n");
    const struct parameter garbage[] = {{TEXT("page"), TEXT("x")}, {TEXT("search"), TEXT("\xff")}};
    EXPECT_INTEGER(bind_query(garbage, COUNT_OF(garbage)), STATUS_OK + STATUS_MALFORMED);
    EXPECT_TEXT(failure.sentence, "The search field must be valid UTF-8.");
    EXPECT_INTEGER(failure.error_count, 0);
}

static void test_a_path_that_is_no_id_is_not_found(void) {
    struct show_book_request request;
    struct parameter parameter = {TEXT("id"), TEXT(A)};
    arena_reset(&arena);
    failure_reset(&failure);
    message_reset(&show_book_request_message, &request);
    EXPECT_INTEGER(json_bind_parameters(&show_book_request_message, PLACE_PATH, &parameter, 1,
                                        &arena, &request, &failure),
                   STATUS_OK);
    EXPECT_INTEGER(request.id.bytes[15], 0x57);
    parameter.value = TEXT("7");
    EXPECT_INTEGER(json_bind_parameters(&show_book_request_message, PLACE_PATH, &parameter, 1,
                                        &arena, &request, &failure),
                   STATUS_NOT_FOUND);
    EXPECT_INTEGER(failure.status, STATUS_NOT_FOUND);
    EXPECT_INTEGER(failure.error_count, 0);
}

static bool read_session(const char *json, struct session_view *view) {
    arena_reset(&arena);
    return json_read_view(&session_view_message, text_of(json), &arena, view);
}

static void test_a_reply_becomes_a_struct(void) {
    struct session_view view;
    EXPECT(read_session("{\"tenant_id\":\"" A "\",\"expires_at\":\"2026-11-23T00:00:00Z\","
                        "\"abilities\":[\"*\", {\"a\":1}]}",
                        &view));
    EXPECT_INTEGER(view.tenant_id.bytes[15], 0x57);
    EXPECT(view.has_expires_at);
    EXPECT_INTEGER(view.expires_at, 1795392000000000);
    EXPECT_TEXT(view.abilities, "[\"*\",{\"a\":1}]");
    EXPECT(read_session("{\"tenant_id\":\"" A "\",\"expires_at\":null,\"abilities\":[]}", &view));
    EXPECT(!view.has_expires_at);
    EXPECT(!read_session("{\"tenant_id\":\"" A "\",\"expires_at\":null}", &view));
    EXPECT(!read_session("{\"tenant_id\":null,\"expires_at\":null,\"abilities\":[]}", &view));
    EXPECT(!read_session("{\"tenant_id\":\"x\",\"expires_at\":null,\"abilities\":[]}", &view));
    EXPECT(!read_session("{\"tenant_id\":\"" A "\",\"expires_at\":5,\"abilities\":[]}", &view));
    EXPECT(!read_session("[]", &view));
    EXPECT(!read_session("{", &view));
    arena_reset(&arena);
    struct book_view deep;
    EXPECT(json_read_view(
        &book_view_message,
        TEXT("{\"id\":\"" A "\",\"price\":{\"value\":-5,\"currency\":\"USD\",\"formatted\":\"-$0.05"
             "\"},\"price_formatted\":\"-$0.05\",\"title\":\"T\",\"note\":null,\"genre\":\"novel\","
             "\"printed\":\"2026-11-23T00:00:00Z\",\"pages\":3,\"is_signed\":true,\"author\":"
             "{\"id\":\"" B "\",\"name\":\"N\",\"born\":\"1970-01-02\"},\"labels\":[]}"),
        &arena, &deep));
    EXPECT(deep.has_author && deep.author.has_born && !deep.has_note);
    EXPECT_INTEGER(deep.author.born, 1);
    EXPECT_INTEGER(deep.price.value, -5);
    EXPECT_TEXT(deep.author.name, "N");
}

struct shelf {
    struct list authors;
};

static bool read_shelf(const char *json, struct shelf *shelf) {
    static const struct field fields[] = {
        {.name = "authors",
         .type = FIELD_MESSAGE,
         .list = true,
         .list_maximum = 2,
         .offset = offsetof(struct shelf, authors),
         .presence_offset = FIELD_ALWAYS,
         .nested = &author_view_message,
         .element_size = sizeof(struct author_view)},
    };
    static const struct message message = {"shelf", fields, 1, sizeof(struct shelf), 0};
    arena_reset(&arena);
    return json_read_view(&message, text_of(json), &arena, shelf);
}

#define AUTHOR(name) "{\"id\":\"" B "\",\"name\":\"" name "\",\"born\":null}"

static void test_lists_of_a_reply(void) {
    struct shelf shelf;
    EXPECT(read_shelf("{\"authors\":[]}", &shelf));
    EXPECT_INTEGER(shelf.authors.count, 0);
    EXPECT(read_shelf("{\"authors\":[" AUTHOR("N") "," AUTHOR("M") "]}", &shelf));
    EXPECT_INTEGER(shelf.authors.count, 2);
    const struct author_view *authors = shelf.authors.items;
    EXPECT_TEXT(authors[0].name, "N");
    EXPECT_TEXT(authors[1].name, "M");
    EXPECT(!read_shelf("{\"authors\":[" AUTHOR("N") "," AUTHOR("M") "," AUTHOR("O") "]}", &shelf));
    EXPECT(!read_shelf("{\"authors\":[" AUTHOR("N") ",{}]}", &shelf));
    EXPECT(!read_shelf("{\"authors\":{}}", &shelf));
    EXPECT(!read_shelf("{}", &shelf));
}

int main(void) {
    static const struct test tests[] = {
        {"a whole body fills the struct", test_a_whole_body},
        {"absent, null and blank are one", test_absent_null_and_blank_are_one},
        {"every wrong field is told at once, in English", test_every_wrong_field_at_once},
        {"amounts do not overflow", test_amounts_do_not_overflow},
        {"no JSON, no UTF-8 and a key twice are malformed", test_what_is_malformed},
        {"what is malformed is told with its place", test_what_is_wrong_and_where},
        {"a key twice is found among many", test_a_key_twice_among_many},
        {"eight levels are read, nine are refused, a deep bomb too", test_depth},
        {"a query fills the struct", test_a_query},
        {"wrong query fields are told at once", test_wrong_query_fields},
        {"a path that is no id is not found", test_a_path_that_is_no_id_is_not_found},
        {"an actor's reply becomes a struct", test_a_reply_becomes_a_struct},
        {"lists of a reply are read whole, with their limit", test_lists_of_a_reply},
    };
    arena_init(&arena, 1 << 15);
    int result = expect_run(tests, COUNT_OF(tests));
    arena_deinit(&arena);
    return result;
}
