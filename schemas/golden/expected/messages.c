// Generated from schemas/ by generate.py. Edit the .toml or .sql, not this.
#include "messages.h"

#include "limits.h"

const char *const currency_values[] = {"BRL", "USD", "EUR", NULL};
const char *const genre_values[] = {"novel", "poetry", "history", NULL};

static const struct field author_view_fields[] = {
    {.name = "id", .number = 1, .type = FIELD_UUID, .place = PLACE_BODY, .required = true,
     .offset = offsetof(struct author_view, id), .presence_offset = FIELD_ALWAYS, .column = 0,
     .element_size = sizeof(struct uuid), .key = {"\"id\":", 5}, .label = "id", .path = "id"},
    {.name = "name", .number = 2, .type = FIELD_STRING, .place = PLACE_BODY, .required = true,
     .offset = offsetof(struct author_view, name), .presence_offset = FIELD_ALWAYS, .maximum = 100,
     .column = 1, .element_size = sizeof(struct text), .key = {",\"name\":", 8}, .label = "name",
     .path = "name"},
    {.name = "born", .number = 3, .type = FIELD_DATE, .place = PLACE_BODY,
     .offset = offsetof(struct author_view, born),
     .presence_offset = offsetof(struct author_view, has_born), .column = 2,
     .element_size = sizeof(int32_t), .key = {",\"born\":", 8}, .label = "born", .path = "born"},
};

const struct message author_view_message = {
    "author_view", author_view_fields, 3, sizeof(struct author_view), 3};
static_assert(3 <= FIELDS_MAX && 3 <= COLUMNS_MAX,
              "schemas/books.toml: types.Author: too many fields or columns");

static const struct field book_view_fields[] = {
    {.name = "id", .number = 1, .type = FIELD_UUID, .place = PLACE_BODY, .required = true,
     .offset = offsetof(struct book_view, id), .presence_offset = FIELD_ALWAYS, .column = 0,
     .element_size = sizeof(struct uuid), .key = {"\"id\":", 5}, .label = "id", .path = "id"},
    {.name = "price", .number = 2, .type = FIELD_MONEY, .place = PLACE_BODY, .required = true,
     .offset = offsetof(struct book_view, price), .presence_offset = FIELD_ALWAYS, .column = 1,
     .element_size = sizeof(struct money), .key = {",\"price\":", 9}, .label = "price",
     .path = "price"},
    {.name = "price_formatted", .number = 3, .type = FIELD_MONEY_TEXT, .place = PLACE_BODY,
     .required = true, .offset = offsetof(struct book_view, price_formatted),
     .presence_offset = FIELD_ALWAYS, .column = 1, .element_size = sizeof(struct text),
     .key = {",\"price_formatted\":", 19}, .label = "price formatted", .path = "price_formatted"},
    {.name = "title", .number = 5, .type = FIELD_STRING, .place = PLACE_BODY, .required = true,
     .offset = offsetof(struct book_view, title), .presence_offset = FIELD_ALWAYS, .maximum = 255,
     .column = 3, .element_size = sizeof(struct text), .key = {",\"title\":", 9}, .label = "title",
     .path = "title"},
    {.name = "note", .number = 6, .type = FIELD_STRING, .place = PLACE_BODY,
     .offset = offsetof(struct book_view, note),
     .presence_offset = offsetof(struct book_view, has_note), .maximum = 255, .column = 4,
     .element_size = sizeof(struct text), .key = {",\"note\":", 8}, .label = "note",
     .path = "note"},
    {.name = "genre", .number = 7, .type = FIELD_ENUM, .place = PLACE_BODY, .required = true,
     .offset = offsetof(struct book_view, genre), .presence_offset = FIELD_ALWAYS,
     .values = genre_values, .column = 5, .element_size = sizeof(uint8_t),
     .key = {",\"genre\":", 9}, .label = "genre", .path = "genre"},
    {.name = "printed", .number = 8, .type = FIELD_TIMESTAMP, .place = PLACE_BODY,
     .required = true, .offset = offsetof(struct book_view, printed),
     .presence_offset = FIELD_ALWAYS, .column = 6, .element_size = sizeof(int64_t),
     .key = {",\"printed\":", 11}, .label = "printed", .path = "printed"},
    {.name = "pages", .number = 9, .type = FIELD_INTEGER, .place = PLACE_BODY, .required = true,
     .offset = offsetof(struct book_view, pages), .presence_offset = FIELD_ALWAYS,
     .minimum = INT64_MIN, .maximum = INT64_MAX, .column = 7, .element_size = sizeof(int64_t),
     .key = {",\"pages\":", 9}, .label = "pages", .path = "pages"},
    {.name = "is_signed", .number = 10, .type = FIELD_BOOLEAN, .place = PLACE_BODY,
     .required = true, .offset = offsetof(struct book_view, is_signed),
     .presence_offset = FIELD_ALWAYS, .column = 8, .element_size = sizeof(bool),
     .key = {",\"is_signed\":", 13}, .label = "is signed", .path = "is_signed"},
    {.name = "author", .number = 11, .type = FIELD_MESSAGE, .place = PLACE_BODY,
     .offset = offsetof(struct book_view, author),
     .presence_offset = offsetof(struct book_view, has_author), .nested = &author_view_message,
     .column = 9, .element_size = sizeof(struct author_view), .key = {",\"author\":", 10},
     .label = "author", .path = "author"},
    {.name = "labels", .number = 12, .type = FIELD_JSON, .place = PLACE_BODY, .required = true,
     .offset = offsetof(struct book_view, labels), .presence_offset = FIELD_ALWAYS, .column = 12,
     .element_size = sizeof(struct text), .key = {",\"labels\":", 10}, .label = "labels",
     .path = "labels"},
};

const struct message book_view_message = {
    "book_view", book_view_fields, 11, sizeof(struct book_view), 13};
static_assert(11 <= FIELDS_MAX && 13 <= COLUMNS_MAX,
              "schemas/books.toml: types.Book: too many fields or columns");

static const struct field session_view_fields[] = {
    {.name = "tenant_id", .number = 1, .type = FIELD_UUID, .place = PLACE_BODY, .required = true,
     .offset = offsetof(struct session_view, tenant_id), .presence_offset = FIELD_ALWAYS,
     .column = 0, .element_size = sizeof(struct uuid), .key = {"\"tenant_id\":", 12},
     .label = "tenant id", .path = "tenant_id"},
    {.name = "expires_at", .number = 2, .type = FIELD_TIMESTAMP, .place = PLACE_BODY,
     .offset = offsetof(struct session_view, expires_at),
     .presence_offset = offsetof(struct session_view, has_expires_at), .column = 1,
     .element_size = sizeof(int64_t), .key = {",\"expires_at\":", 14}, .label = "expires at",
     .path = "expires_at"},
    {.name = "abilities", .number = 3, .type = FIELD_JSON, .place = PLACE_BODY, .required = true,
     .offset = offsetof(struct session_view, abilities), .presence_offset = FIELD_ALWAYS,
     .column = 2, .element_size = sizeof(struct text), .key = {",\"abilities\":", 13},
     .label = "abilities", .path = "abilities"},
};

const struct message session_view_message = {
    "session_view", session_view_fields, 3, sizeof(struct session_view), 3};
static_assert(3 <= FIELDS_MAX && 3 <= COLUMNS_MAX,
              "schemas/books.toml: types.Session: too many fields or columns");

static const struct field list_books_request_fields[] = {
    {.name = "authors", .number = 1, .type = FIELD_UUID, .place = PLACE_QUERY, .list = true,
     .list_maximum = 3, .offset = offsetof(struct list_books_request, authors),
     .presence_offset = offsetof(struct list_books_request, has_authors), .column = 0,
     .element_size = sizeof(struct uuid), .key = {"\"authors\":", 10}, .label = "authors",
     .path = "authors"},
    {.name = "genre", .number = 2, .type = FIELD_ENUM, .place = PLACE_QUERY,
     .offset = offsetof(struct list_books_request, genre),
     .presence_offset = offsetof(struct list_books_request, has_genre), .values = genre_values,
     .column = 0, .element_size = sizeof(uint8_t), .key = {",\"genre\":", 9}, .label = "genre",
     .path = "genre"},
    {.name = "since", .number = 3, .type = FIELD_DATE, .place = PLACE_QUERY,
     .offset = offsetof(struct list_books_request, since),
     .presence_offset = offsetof(struct list_books_request, has_since), .column = 0,
     .element_size = sizeof(int32_t), .key = {",\"since\":", 9}, .label = "since", .path = "since"},
    {.name = "search", .number = 4, .type = FIELD_STRING, .place = PLACE_QUERY,
     .offset = offsetof(struct list_books_request, search),
     .presence_offset = offsetof(struct list_books_request, has_search), .maximum = 20,
     .column = 0, .element_size = sizeof(struct text), .key = {",\"search\":", 10},
     .label = "search", .path = "search"},
    {.name = "is_signed", .number = 5, .type = FIELD_BOOLEAN, .place = PLACE_QUERY,
     .offset = offsetof(struct list_books_request, is_signed),
     .presence_offset = offsetof(struct list_books_request, has_is_signed), .column = 0,
     .element_size = sizeof(bool), .key = {",\"is_signed\":", 13}, .label = "is signed",
     .path = "is_signed"},
    {.name = "order_by[column]", .number = 6, .type = FIELD_ENUM, .place = PLACE_QUERY,
     .offset = offsetof(struct list_books_request, column), .presence_offset = FIELD_ALWAYS,
     .values = genre_values, .fallback = "novel", .column = 0, .element_size = sizeof(uint8_t),
     .key = {",\"order_by[column]\":", 20}, .label = "order by.column", .path = "order_by.column"},
    {.name = "page", .number = 7, .type = FIELD_INTEGER, .place = PLACE_QUERY,
     .offset = offsetof(struct list_books_request, page), .presence_offset = FIELD_ALWAYS,
     .minimum = 1, .maximum = 1000000, .fallback = "1", .column = 0,
     .element_size = sizeof(int64_t), .key = {",\"page\":", 8}, .label = "page", .path = "page"},
    {.name = "per_page", .number = 8, .type = FIELD_INTEGER, .place = PLACE_QUERY,
     .offset = offsetof(struct list_books_request, per_page), .presence_offset = FIELD_ALWAYS,
     .minimum = 1, .maximum = 100, .fallback = "15", .column = 0, .element_size = sizeof(int64_t),
     .key = {",\"per_page\":", 12}, .label = "per page", .path = "per_page"},
};

const struct message list_books_request_message = {
    "list_books_request", list_books_request_fields, 8, sizeof(struct list_books_request), 0};
static_assert(8 <= FIELDS_MAX && 0 <= COLUMNS_MAX,
              "schemas/books.toml: list_books.request: too many fields or columns");

static const struct field show_book_request_fields[] = {
    {.name = "id", .number = 1, .type = FIELD_UUID, .place = PLACE_PATH, .required = true,
     .offset = offsetof(struct show_book_request, id), .presence_offset = FIELD_ALWAYS,
     .column = 0, .element_size = sizeof(struct uuid), .key = {"\"id\":", 5}, .label = "id",
     .path = "id"},
};

const struct message show_book_request_message = {
    "show_book_request", show_book_request_fields, 1, sizeof(struct show_book_request), 0};
static_assert(1 <= FIELDS_MAX && 0 <= COLUMNS_MAX,
              "schemas/books.toml: show_book.request: too many fields or columns");

static const struct field create_book_request_fields[] = {
    {.name = "author_id", .number = 1, .type = FIELD_UUID, .place = PLACE_BODY,
     .offset = offsetof(struct create_book_request, author_id),
     .presence_offset = offsetof(struct create_book_request, has_author_id), .column = 0,
     .element_size = sizeof(struct uuid), .key = {"\"author_id\":", 12}, .label = "author id",
     .path = "author_id"},
    {.name = "price", .number = 2, .type = FIELD_MONEY, .place = PLACE_BODY, .required = true,
     .offset = offsetof(struct create_book_request, price), .presence_offset = FIELD_ALWAYS,
     .column = 0, .element_size = sizeof(struct money), .key = {",\"price\":", 9},
     .label = "price", .path = "price"},
    {.name = "title", .number = 3, .type = FIELD_STRING, .place = PLACE_BODY, .required = true,
     .offset = offsetof(struct create_book_request, title), .presence_offset = FIELD_ALWAYS,
     .minimum = 3, .maximum = 10, .column = 0, .element_size = sizeof(struct text),
     .key = {",\"title\":", 9}, .label = "title", .path = "title"},
    {.name = "note", .number = 5, .type = FIELD_STRING, .place = PLACE_BODY,
     .offset = offsetof(struct create_book_request, note),
     .presence_offset = offsetof(struct create_book_request, has_note), .maximum = 255,
     .column = 0, .element_size = sizeof(struct text), .key = {",\"note\":", 8}, .label = "note",
     .path = "note"},
    {.name = "genre", .number = 6, .type = FIELD_ENUM, .place = PLACE_BODY,
     .offset = offsetof(struct create_book_request, genre), .presence_offset = FIELD_ALWAYS,
     .values = genre_values, .fallback = "poetry", .column = 0, .element_size = sizeof(uint8_t),
     .key = {",\"genre\":", 9}, .label = "genre", .path = "genre"},
    {.name = "printed", .number = 7, .type = FIELD_TIMESTAMP, .place = PLACE_BODY,
     .required = true, .offset = offsetof(struct create_book_request, printed),
     .presence_offset = FIELD_ALWAYS, .column = 0, .element_size = sizeof(int64_t),
     .key = {",\"printed\":", 11}, .label = "printed", .path = "printed"},
    {.name = "pages", .number = 8, .type = FIELD_INTEGER, .place = PLACE_BODY,
     .offset = offsetof(struct create_book_request, pages),
     .presence_offset = offsetof(struct create_book_request, has_pages), .minimum = 1,
     .maximum = 5000, .column = 0, .element_size = sizeof(int64_t), .key = {",\"pages\":", 9},
     .label = "pages", .path = "pages"},
    {.name = "is_signed", .number = 9, .type = FIELD_BOOLEAN, .place = PLACE_BODY,
     .offset = offsetof(struct create_book_request, is_signed), .presence_offset = FIELD_ALWAYS,
     .fallback = "false", .column = 0, .element_size = sizeof(bool),
     .key = {",\"is_signed\":", 13}, .label = "is signed", .path = "is_signed"},
    {.name = "labels", .number = 10, .type = FIELD_STRING, .place = PLACE_BODY, .list = true,
     .list_maximum = 2, .offset = offsetof(struct create_book_request, labels),
     .presence_offset = offsetof(struct create_book_request, has_labels), .maximum = 5,
     .column = 0, .element_size = sizeof(struct text), .key = {",\"labels\":", 10},
     .label = "labels", .path = "labels"},
    {.name = "day", .number = 11, .type = FIELD_DATE, .place = PLACE_BODY,
     .offset = offsetof(struct create_book_request, day),
     .presence_offset = offsetof(struct create_book_request, has_day), .column = 0,
     .element_size = sizeof(int32_t), .key = {",\"day\":", 7}, .label = "day", .path = "day"},
};

const struct message create_book_request_message = {
    "create_book_request", create_book_request_fields, 10, sizeof(struct create_book_request), 0};
static_assert(10 <= FIELDS_MAX && 0 <= COLUMNS_MAX,
              "schemas/books.toml: create_book.request: too many fields or columns");

static const struct field delete_book_request_fields[] = {
    {.name = "id", .number = 1, .type = FIELD_UUID, .place = PLACE_PATH, .required = true,
     .offset = offsetof(struct delete_book_request, id), .presence_offset = FIELD_ALWAYS,
     .column = 0, .element_size = sizeof(struct uuid), .key = {"\"id\":", 5}, .label = "id",
     .path = "id"},
};

const struct message delete_book_request_message = {
    "delete_book_request", delete_book_request_fields, 1, sizeof(struct delete_book_request), 0};
static_assert(1 <= FIELDS_MAX && 0 <= COLUMNS_MAX,
              "schemas/books.toml: delete_book.request: too many fields or columns");

static const struct field find_session_request_fields[] = {
    {.name = "token_id", .number = 1, .type = FIELD_UUID, .place = PLACE_BODY, .required = true,
     .offset = offsetof(struct find_session_request, token_id), .presence_offset = FIELD_ALWAYS,
     .column = 0, .element_size = sizeof(struct uuid), .key = {"\"token_id\":", 11},
     .label = "token id", .path = "token_id"},
    {.name = "hash", .number = 2, .type = FIELD_BYTES, .place = PLACE_BODY, .required = true,
     .offset = offsetof(struct find_session_request, hash), .presence_offset = FIELD_ALWAYS,
     .minimum = 4, .maximum = 4, .column = 0, .element_size = sizeof(struct text),
     .key = {",\"hash\":", 8}, .label = "hash", .path = "hash"},
};

const struct message find_session_request_message = {
    "find_session_request", find_session_request_fields, 2, sizeof(struct find_session_request), 0};
static_assert(2 <= FIELDS_MAX && 0 <= COLUMNS_MAX,
              "schemas/books.toml: find_session.request: too many fields or columns");
