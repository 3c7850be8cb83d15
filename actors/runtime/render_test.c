// SPDX-License-Identifier: Apache-2.0
#include "expect.h"
#include "golden/expected/messages.h"
#include "json_text.h"
#include "render.h"

enum { BOOK_COLUMNS = 13 };

static struct arena arena;

#define ID "01890a5d-ac96-774b-bcce-b302099a8057"
#define OTHER "01890a5d-ac96-774b-bcce-b302099a8058"

static const struct text book_cells[BOOK_COLUMNS] = {
    {ID, 36},
    {"-2590", 5},
    {"BRL", 3},
    {"A \"b\"\\\n\x01 \xc3\x81gua viva", 19},
    {NULL, 0},
    {"poetry", 6},
    {"2026-11-23 10:00:00.25+00", 25},
    {"96", 2},
    {"t", 1},
    {OTHER, 36},
    {"Clarice", 7},
    {"1920-12-10", 10},
    {"[{\"a\":1}]", 9},
};

// The same in PostgreSQL's binary form.
static const struct text binary_cells[BOOK_COLUMNS] = {
    {"\x01\x89\x0a\x5d\xac\x96\x77\x4b\xbc\xce\xb3\x02\x09\x9a\x80\x57", 16},
    {"\xff\xff\xff\xff\xff\xff\xf5\xe2", 8},
    {"BRL", 3},
    {"A \"b\"\\\n\x01 \xc3\x81gua viva", 19},
    {NULL, 0},
    {"poetry", 6},
    {"\x00\x03\x03\xed\x6c\xf4\xd8\x90", 8},
    {"\x00\x00\x00\x60", 4},
    {"\x01", 1},
    {"\x01\x89\x0a\x5d\xac\x96\x77\x4b\xbc\xce\xb3\x02\x09\x9a\x80\x58", 16},
    {"Clarice", 7},
    {"\xff\xff\x8f\x34", 4},
    {"[{\"a\":1}]", 9},
};

#define BOOK \
    "{\"id\":\"" ID "\",\"price\":{\"value\":-2590,\"currency\":\"BRL\",\"formatted\":" \
    "\"-R$ 25,90\"},\"price_formatted\":\"-R$ 25,90\"," \
    "\"title\":\"A \\\"b\\\"\\\\\\n\\u0001 Água viva\",\"note\":null,\"genre\":\"poetry\"," \
    "\"printed\":\"2026-11-23T10:00:00.25Z\",\"pages\":96,\"is_signed\":true,\"author\":{\"id\":" \
    "\"" OTHER "\",\"name\":\"Clarice\",\"born\":\"1920-12-10\"},\"labels\":[{\"a\":1}]}"

static const struct operation *operation(const char *name) {
    for (uint32_t i = 0; i < operation_count; i++)
        if (strcmp(operations[i].name, name) == 0)
            return &operations[i];
    UNREACHABLE();
}

static struct text render(const struct operation *operation, const struct rows *rows,
                          const struct page *page) {
    struct text json = {0};
    arena_reset(&arena);
    EXPECT_INTEGER(render_reply(operation, rows, page, &arena, &json), STATUS_OK);
    EXPECT_INTEGER(arena.used, json.length);
    return json;
}

static void test_one_row(void) {
    const struct rows rows = {1, BOOK_COLUMNS, book_cells, false};
    EXPECT_TEXT(render(operation("show_book"), &rows, NULL), BOOK);
    const struct rows none = {0, 0, NULL, false};
    EXPECT_TEXT(render(operation("delete_book"), &none, NULL), "");
    const struct rows binary = {1, BOOK_COLUMNS, binary_cells, true};
    EXPECT_TEXT(render(operation("show_book"), &binary, NULL), BOOK);
}

static void test_nulls_and_missing_joins(void) {
    struct text cells[BOOK_COLUMNS];
    memcpy(cells, book_cells, sizeof cells);
    cells[9] = cells[10] = cells[11] = (struct text){0};
    cells[4] = (struct text){"", 0};
    cells[8] = TEXT("f");
    cells[1] = TEXT("0");
    cells[2] = TEXT("EUR");
    cells[6] = TEXT("2026-11-23 00:00:00+00");
    const struct rows rows = {1, BOOK_COLUMNS, cells, false};
    struct text json = render(operation("show_book"), &rows, NULL);
    json.bytes += strlen("{\"id\":\"" ID "\",");
    json.length -= (uint32_t)strlen("{\"id\":\"" ID "\",");
    EXPECT_TEXT(json, "\"price\":{\"value\":0,\"currency\":\"EUR\",\"formatted\":\"0,00 €\"},"
                      "\"price_formatted\":\"0,00 €\","
                      "\"title\":\"A \\\"b\\\"\\\\\\n\\u0001 Água viva\",\"note\":\"\","
                      "\"genre\":\"poetry\",\"printed\":\"2026-11-23T00:00:00Z\",\"pages\":96,"
                      "\"is_signed\":false,\"author\":null,\"labels\":[{\"a\":1}]}");
}

static void test_a_list_is_a_bare_array(void) {
    struct operation list = *operation("show_book");
    list.form = REPLY_LIST;
    struct text cells[2 * BOOK_COLUMNS];
    memcpy(cells, book_cells, sizeof book_cells);
    memcpy(cells + BOOK_COLUMNS, book_cells, sizeof book_cells);
    const struct rows rows = {2, BOOK_COLUMNS, cells, false};
    EXPECT_TEXT(render(&list, &rows, NULL), "[" BOOK "," BOOK "]");
    const struct rows none = {0, BOOK_COLUMNS, NULL, false};
    EXPECT_TEXT(render(&list, &none, NULL), "[]");
}

static struct text render_page(int64_t number, int64_t per_page, int64_t total, uint32_t count,
                               const char *query) {
    const struct rows rows = {count, BOOK_COLUMNS, book_cells, false};
    const struct page page = {number, per_page, total, TEXT("/api/books"), text_of(query)};
    struct text json = render(operation("list_books"), &rows, &page);
    // The data is tested above.
    uint32_t skip = (uint32_t)strlen(count == 1 ? "{\"data\":[" BOOK "]," : "{\"data\":[],");
    return (struct text){json.bytes + skip, json.length - skip};
}

static void test_pages(void) {
    EXPECT_TEXT(
        render_page(2, 1, 3, 1, "genre=novel"),
        "\"links\":{\"first\":\"/api/books?genre=novel&page=1&per_page=1\","
        "\"last\":\"/api/books?genre=novel&page=3&per_page=1\","
        "\"prev\":\"/api/books?genre=novel&page=1&per_page=1\","
        "\"next\":\"/api/books?genre=novel&page=3&per_page=1\"},\"meta\":{\"current_page\":2,"
        "\"from\":2,\"last_page\":3,\"path\":\"/api/books\",\"per_page\":1,\"to\":2,\"total\":3}}");
    EXPECT_TEXT(render_page(1, 15, 1, 1, ""),
                "\"links\":{\"first\":\"/api/books?page=1&per_page=15\","
                "\"last\":\"/api/books?page=1&per_page=15\",\"prev\":null,\"next\":null},"
                "\"meta\":{\"current_page\":1,\"from\":1,\"last_page\":1,\"path\":\"/api/books\","
                "\"per_page\":15,\"to\":1,\"total\":1}}");
    EXPECT_TEXT(
        render_page(1, 15, 0, 0, ""),
        "\"links\":{\"first\":\"/api/books?page=1&per_page=15\","
        "\"last\":\"/api/books?page=1&per_page=15\",\"prev\":null,\"next\":null},"
        "\"meta\":{\"current_page\":1,\"from\":null,\"last_page\":1,\"path\":\"/api/books\","
        "\"per_page\":15,\"to\":null,\"total\":0}}");
    // Beyond the last page: nothing, and the way back.
    EXPECT_TEXT(
        render_page(9, 15, 31, 0, ""),
        "\"links\":{\"first\":\"/api/books?page=1&per_page=15\","
        "\"last\":\"/api/books?page=3&per_page=15\","
        "\"prev\":\"/api/books?page=3&per_page=15\",\"next\":null},"
        "\"meta\":{\"current_page\":9,\"from\":null,\"last_page\":3,\"path\":\"/api/books\","
        "\"per_page\":15,\"to\":null,\"total\":31}}");
}

static void test_addresses(void) {
    struct uuid authors[] = {{{1}}, {{2}}};
    struct list_books_request request;
    struct page page;
    arena_reset(&arena);
    message_reset(&list_books_request_message, &request);
    request.page = 3;
    request.per_page = 50;
    EXPECT_INTEGER(render_address(operation("list_books"), &request, &arena, &page), STATUS_OK);
    EXPECT_TEXT(page.path, "/api/books");
    EXPECT_TEXT(page.query, "");
    request.authors = (struct list){authors, 2};
    request.has_authors = true;
    request.since = 1;
    request.has_since = true;
    request.search = TEXT("50% &_é");
    request.has_search = true;
    request.is_signed = true;
    request.has_is_signed = true;
    request.column = GENRE_HISTORY;
    EXPECT_INTEGER(render_address(operation("list_books"), &request, &arena, &page), STATUS_OK);
    EXPECT_TEXT(page.query, "authors%5B%5D=01000000-0000-0000-0000-000000000000"
                            "&authors%5B%5D=02000000-0000-0000-0000-000000000000"
                            "&since=1970-01-02&search=50%25%20%26_%C3%A9&is_signed=true"
                            "&order_by%5Bcolumn%5D=history");
    struct show_book_request show = {{{0xAB}}};
    EXPECT_INTEGER(render_address(operation("show_book"), &show, &arena, &page), STATUS_OK);
    EXPECT_TEXT(page.path, "/api/books/ab000000-0000-0000-0000-000000000000");
    EXPECT_TEXT(page.query, "");
}

static void test_every_size_of_arena(void) {
    const struct rows rows = {1, BOOK_COLUMNS, book_cells, false};
    const struct page page = {1, 15, 1, TEXT("/api/books"), TEXT("genre=novel")};
    bool fitted = false;
    for (size_t capacity = 0; capacity < 8000; capacity += 7) {
        struct arena small;
        struct text json;
        arena_init(&small, capacity);
        enum status status = render_reply(operation("list_books"), &rows, &page, &small, &json);
        EXPECT(status == (fitted ? STATUS_OK : STATUS_TOO_LARGE) ||
               (!fitted && status == STATUS_OK));
        EXPECT(status == STATUS_OK || small.overflow);
        fitted = status == STATUS_OK;
        struct list_books_request request = {.search = TEXT("abc"), .has_search = true};
        struct page address;
        status = render_address(operation("list_books"), &request, &small, &address);
        EXPECT(status == STATUS_OK || small.overflow);
        arena_deinit(&small);
    }
    EXPECT(fitted);
}

static void expect_internal(uint32_t column, struct text cell) {
    struct text cells[BOOK_COLUMNS], json;
    memcpy(cells, book_cells, sizeof cells);
    cells[column] = cell;
    const struct rows rows = {1, BOOK_COLUMNS, cells, false};
    arena_reset(&arena);
    EXPECT_INTEGER(render_reply(operation("show_book"), &rows, NULL, &arena, &json),
                   STATUS_INTERNAL);
}

static void test_cells_of_another_form(void) {
    expect_internal(1, TEXT("12.5"));
    expect_internal(2, TEXT("GBP"));
    expect_internal(2, (struct text){0});
    expect_internal(1, binary_cells[1]);
    expect_internal(6, TEXT("infinity"));
    expect_internal(0, TEXT("01890a5d"));
    expect_internal(7, TEXT("x"));
    expect_internal(8, TEXT("yes"));
    expect_internal(11, TEXT("10 Dec 1920"));
}

static void test_rows_of_another_shape(void) {
    struct text cells[2 * BOOK_COLUMNS], json;
    memcpy(cells, book_cells, sizeof book_cells);
    memcpy(cells + BOOK_COLUMNS, book_cells, sizeof book_cells);
    const struct page page = {1, 15, 1, TEXT("/api/books"), TEXT("")};
    const struct rows narrow = {1, BOOK_COLUMNS - 1, cells, false};
    const struct rows two = {2, BOOK_COLUMNS, cells, false}, none = {.columns = BOOK_COLUMNS};
    arena_reset(&arena);
    EXPECT_INTEGER(render_reply(operation("show_book"), &narrow, NULL, &arena, &json),
                   STATUS_INTERNAL);
    EXPECT_INTEGER(render_reply(operation("list_books"), &narrow, &page, &arena, &json),
                   STATUS_INTERNAL);
    EXPECT_INTEGER(render_reply(operation("show_book"), &two, NULL, &arena, &json),
                   STATUS_INTERNAL);
    EXPECT_INTEGER(render_reply(operation("show_book"), &none, NULL, &arena, &json),
                   STATUS_INTERNAL);
}

static void test_texts(void) {
    static const char alphabet[] = "abc\"\\\n\t\x01\x1f\x7f\xc3\xa9z";
    char text[64], json[64 * JSON_TEXT_GROWTH + JSON_TEXT_SLACK], expected[sizeof json];
    for (uint32_t length = 0; length < 40; length++)
        for (uint32_t shift = 0; shift < sizeof alphabet; shift++) {
            char *at = expected;
            *at++ = '"';
            for (uint32_t i = 0; i < length; i++) {
                char c = text[i] = (i * 7 + shift) % 5 == 0 ? alphabet[(i + shift) % 13] : 'x';
                if (c == '"' || c == '\\')
                    at += snprintf(at, 3, "\\%c", c);
                else if (c == '\n' || c == '\t')
                    at += snprintf(at, 3, "\\%c", c == '\n' ? 'n' : 't');
                else if (c == 1 || c == 0x1f)
                    at += snprintf(at, 7, "\\u%04x", (unsigned)c);
                else
                    *at++ = c;
            }
            *at++ = '"';
            *at = '\0';
            char *end = json_text_write((struct text){text, length}, json);
            EXPECT_TEXT(((struct text){json, (uint32_t)(end - json)}), expected);
        }
}

int main(void) {
    static const struct test tests[] = {
        {"one row is a bare object, no reply is no byte", test_one_row},
        {"NULL is null, an absent join is null", test_nulls_and_missing_joins},
        {"a list is a bare array", test_a_list_is_a_bare_array},
        {"pages have links and meta", test_pages},
        {"addresses are canonical", test_addresses},
        {"any arena is big enough or says so", test_every_size_of_arena},
        {"cells of another form are an internal failure", test_cells_of_another_form},
        {"rows of another shape are an internal failure", test_rows_of_another_shape},
        {"texts are escaped at every length and place", test_texts},
    };
    arena_init(&arena, 1 << 16);
    int result = expect_run(tests, COUNT_OF(tests));
    arena_deinit(&arena);
    return result;
}
