// SPDX-License-Identifier: Apache-2.0
#include "expect.h"
#include "format.h"
#include "golden/expected/messages.h"
#include "golden/expected/operations.h"
#include "handler.h"

static struct arena arena;
static struct binding binding;
static const struct caller caller = {.tenant = {{9}},
                                     .now_us = 1795438800000000,
                                     .random = {7, 8},
                                     .trace = {0x4b, 0xf9, [15] = 0x36, [23] = 0xb7, [24] = 1},
                                     .key = {1, 2},
                                     .fingerprint = {3, 4},
                                     .internal = true};

static const struct statement statements[] = {{"first", "", 2, 1}, {"second", "", 2, 1}};

static struct handler handler;
static struct failure failure;

static void start(uint16_t number, const struct statement *shapes) {
    handler = (struct handler){operation_find(number), shapes, 2, NULL, NULL, NULL, 0};
    arena_reset(&arena);
    failure_reset(&failure);
    binding_init(&binding, &handler, &caller, &arena);
}

static enum status bind_by(const uint16_t *fields, uint8_t count, const void *request) {
    handler.fields = fields;
    handler.field_count = count;
    return handler_bind(&handler, request, &binding, &failure);
}

static void expect_bytes(const struct bound *bound, uint32_t place, const void *bytes,
                         uint32_t count) {
    EXPECT_INTEGER(bound->binary[place], 1);
    EXPECT(text_equal(bound->values[place], (struct text){bytes, count}));
}

static void test_what_every_statement_begins_with(void) {
    start(OPERATION_SHOW_BOOK, statements);
    struct bound *bound = binding_statement(&binding, 1);
    EXPECT(bound->statement == &statements[1] && bound->when == BOUND_ALWAYS);
    EXPECT_INTEGER(bound->count, 1);
    expect_bytes(bound, 0, &caller.tenant, 16);

    start(OPERATION_FIND_SESSION, statements);
    EXPECT_INTEGER(binding_statement(&binding, 0)->count, 0);

    static const struct statement bare = {"bare", "", 0, 1};
    start(OPERATION_SHOW_BOOK, &bare);
    EXPECT_INTEGER(binding_statement(&binding, 0)->count, 0);

    start(OPERATION_CREATE_BOOK, statements);
    bound = binding_statement(&binding, 0);
    EXPECT_INTEGER(bound->count, 5);
    expect_bytes(bound, 0, &caller.tenant, 16);
    expect_bytes(bound, 1, caller.key, 16);
    expect_bytes(bound, 2, caller.fingerprint, 16);
    EXPECT_TEXT(bound->values[3], "t");
    EXPECT_INTEGER(bound->binary[3], 0);
    EXPECT_TEXT(bound->values[4], "00-4bf90000000000000000000000000036-00000000000000b7-01");
}

static void test_each_kind_of_parameter(void) {
    const struct uuid ids[] = {{{1, 1}}, {{2, 2}}};
    start(OPERATION_FIND_SESSION, statements);
    struct bound *bound = binding_statement(&binding, 0);
    binding_null(bound);
    binding_text(bound, TEXT("abc"));
    binding_integer(bound, &binding, -42);
    binding_boolean(bound, false);
    binding_uuid(bound, &binding, ids[1]);
    binding_timestamp(bound, &binding, 1795438800000000);
    binding_date(bound, &binding, 1);
    binding_bytes(bound, TEXT("\0z"));
    binding_contains(bound, &binding, TEXT("50%_a\\b"));
    binding_uuids(bound, &binding, ids, 2);
    EXPECT_INTEGER(bound->count, 10);
    EXPECT(bound->values[0].bytes == NULL);
    EXPECT_TEXT(bound->values[1], "abc");
    EXPECT_TEXT(bound->values[2], "-42");
    EXPECT_TEXT(bound->values[3], "f");
    expect_bytes(bound, 4, &ids[1], 16);
    EXPECT_TEXT(bound->values[5], "2026-11-23T13:00:00Z");
    EXPECT_TEXT(bound->values[6], "1970-01-02");
    expect_bytes(bound, 7, "\0z", 2);
    EXPECT_TEXT(bound->values[8], "%50\\%\\_a\\\\b%");
    expect_bytes(bound, 9,
                 "\0\0\0\1\0\0\0\0\0\0\x0b\x86\0\0\0\2\0\0\0\1"
                 "\0\0\0\x10\1\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                 "\0\0\0\x10\2\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
                 60);
}

static void test_fields_bind_by_the_schema(void) {
    struct create_book_request book;
    message_reset(&create_book_request_message, &book);
    book.price = (struct money){-5, CURRENCY_EUR};
    book.title = TEXT("Abc");
    book.pages = 3;
    book.has_pages = true;
    // price, title, note (absent), genre, pages, is_signed, author_id (absent)
    static const uint16_t fields[] = {1, 2, 3, 4, 6, 7, 0};
    start(OPERATION_CREATE_BOOK, statements);
    EXPECT_INTEGER(bind_by(fields, COUNT_OF(fields), &book), STATUS_OK);
    EXPECT_INTEGER(binding.count, 2);
    EXPECT_INTEGER(binding.bound[0].when, BOUND_ALWAYS);
    EXPECT_INTEGER(binding.bound[1].when, BOUND_IF_EMPTY);
    const struct bound *bound = &binding.bound[1];
    EXPECT_INTEGER(bound->count, 5 + 8);
    EXPECT_TEXT(bound->values[5], "-5");
    EXPECT_TEXT(bound->values[6], "EUR");
    EXPECT_TEXT(bound->values[7], "Abc");
    EXPECT(bound->values[8].bytes == NULL);
    EXPECT_TEXT(bound->values[9], "poetry");
    EXPECT_TEXT(bound->values[10], "3");
    EXPECT_TEXT(bound->values[11], "f");
    EXPECT(bound->values[12].bytes == NULL);
}

static enum status rows_of(uint16_t number, struct text outcome, uint32_t own, uint32_t foreign) {
    const struct result result = {outcome, {{own, 1, NULL, false}, {foreign, 0, NULL, false}}};
    failure_reset(&failure);
    const struct handler generic = {operation_find(number), statements, 2, NULL, NULL, NULL, 0};
    return handler_reply(&generic, NULL, &result, NULL, &failure);
}

static void test_rows_become_a_status(void) {
    EXPECT_INTEGER(rows_of(OPERATION_SHOW_BOOK, TEXT(""), 1, 0), STATUS_OK);
    EXPECT_INTEGER(rows_of(OPERATION_SHOW_BOOK, TEXT(""), 0, 0), STATUS_NOT_FOUND);
    EXPECT_INTEGER(rows_of(OPERATION_SHOW_BOOK, TEXT(""), 0, 1), STATUS_FORBIDDEN);
    EXPECT_INTEGER(rows_of(OPERATION_DELETE_BOOK, TEXT("ok"), 0, 0), STATUS_OK);
    EXPECT_INTEGER(rows_of(OPERATION_DELETE_BOOK, TEXT("forbidden"), 0, 0), STATUS_FORBIDDEN);
    EXPECT_INTEGER(rows_of(OPERATION_DELETE_BOOK, TEXT("not_found"), 0, 0), STATUS_NOT_FOUND);
    EXPECT_INTEGER(rows_of(OPERATION_DELETE_BOOK, TEXT("created"), 0, 0), STATUS_INTERNAL);
    EXPECT_INTEGER(rows_of(OPERATION_DELETE_BOOK, TEXT("strange"), 0, 0), STATUS_INTERNAL);
}

static void test_an_outcome_tells_what_is_wrong_with_fields(void) {
    EXPECT_INTEGER(rows_of(OPERATION_DELETE_BOOK, TEXT("id It stays.\na.b No."), 0, 0),
                   STATUS_INVALID);
    EXPECT_INTEGER(failure.error_count, 2);
    EXPECT_TEXT(failure.errors[0].path, "id");
    EXPECT_TEXT(failure.errors[0].message, "It stays.");
    EXPECT_TEXT(failure.errors[1].path, "a.b");
    EXPECT_TEXT(failure.errors[1].message, "No.");
    EXPECT_INTEGER(rows_of(OPERATION_DELETE_BOOK, TEXT("id It stays.\nstrange"), 0, 0),
                   STATUS_INTERNAL);
    EXPECT_INTEGER(rows_of(OPERATION_DELETE_BOOK, TEXT(""), 0, 0), STATUS_INTERNAL);
}

static void test_a_new_id_is_of_now_and_of_chance(void) {
    static const uint16_t fields[] = {0, HANDLER_NEW_ID};
    const struct show_book_request request = {{{1}}};
    const struct uuid wanted = uuid_make(caller.now_us, caller.random);
    start(OPERATION_SHOW_BOOK, statements);
    EXPECT_INTEGER(bind_by(fields, 2, &request), STATUS_OK);
    expect_bytes(&binding.bound[0], 2, &wanted, sizeof wanted);
}

static void test_a_page_has_its_total_from_the_second_statement(void) {
    const struct text total = TEXT("4711");
    struct result result = {.rows = {{0}, {1, 1, &total, false}}};
    struct page page;
    EXPECT_INTEGER(binding_page(&result, 3, 15, &page), STATUS_OK);
    EXPECT_INTEGER(page.number, 3);
    EXPECT_INTEGER(page.per_page, 15);
    EXPECT_INTEGER(page.total, 4711);
    const struct text binary = TEXT("\x00\x00\x00\x00\x00\x00\x12\x68");
    result.rows[1] = (struct rows){1, 1, &binary, true};
    EXPECT_INTEGER(binding_page(&result, 3, 15, &page), STATUS_OK);
    EXPECT_INTEGER(page.total, 4712);
    EXPECT_INTEGER(binding_offset(3, 15), 30);
    result.rows[1].count = 0;
    EXPECT_INTEGER(binding_page(&result, 3, 15, &page), STATUS_INTERNAL);
    const struct text negative = TEXT("-1");
    result.rows[1] = (struct rows){1, 1, &negative, false};
    EXPECT_INTEGER(binding_page(&result, 3, 15, &page), STATUS_INTERNAL);
}

static enum status own_bind(const void *request, struct binding *own, struct failure *ret_failure) {
    (void)request;
    return own == &binding && ret_failure == &failure ? STATUS_BUSY : STATUS_OK;
}

static enum status own_reply(const void *request, const struct result *result,
                             struct page *ret_page, struct failure *ret_failure) {
    (void)request;
    (void)result;
    return ret_page == NULL && ret_failure == &failure ? STATUS_EXPIRED : STATUS_OK;
}

static void test_own_functions_come_first(void) {
    start(OPERATION_SHOW_BOOK, statements);
    handler.bind = own_bind;
    handler.reply = own_reply;
    EXPECT_INTEGER(bind_by(NULL, 0, NULL), STATUS_BUSY);
    EXPECT_INTEGER(binding.count, 0);
    EXPECT_INTEGER(handler_reply(&handler, NULL, NULL, NULL, &failure), STATUS_EXPIRED);
}

static void test_a_full_arena_is_told(void) {
    struct arena small;
    struct show_book_request request = {{{1}}};
    static const uint16_t fields[] = {0};
    start(OPERATION_SHOW_BOOK, statements);
    arena_init(&small, 8);
    binding.arena = &small;
    EXPECT_INTEGER(bind_by(fields, 1, &request), STATUS_TOO_LARGE);
    arena_deinit(&small);
}

int main(void) {
    static const struct test tests[] = {
        {"a statement begins with tenant, or tenant, key, fingerprint and internal",
         test_what_every_statement_begins_with},
        {"each kind of parameter has PostgreSQL's form", test_each_kind_of_parameter},
        {"fields are bound by the schema", test_fields_bind_by_the_schema},
        {"rows and outcomes become a status", test_rows_become_a_status},
        {"an outcome tells what is wrong with fields",
         test_an_outcome_tells_what_is_wrong_with_fields},
        {"a new id is of now and of chance", test_a_new_id_is_of_now_and_of_chance},
        {"a page has its total from the second statement",
         test_a_page_has_its_total_from_the_second_statement},
        {"functions of the operation's own come first", test_own_functions_come_first},
        {"a full arena is told", test_a_full_arena_is_told},
    };
    arena_init(&arena, 1 << 14);
    int result = expect_run(tests, COUNT_OF(tests));
    arena_deinit(&arena);
    return result;
}
