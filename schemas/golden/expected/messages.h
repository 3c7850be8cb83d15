// Generated from schemas/ by generate.py. Edit the .toml or .sql, not this.
#pragma once
#include "message.h"
extern const char *const currency_values[];

enum genre { GENRE_NOVEL, GENRE_POETRY, GENRE_HISTORY };
extern const char *const genre_values[];

struct author_view {
    struct uuid id;
    struct text name;
    int32_t born;
    bool has_born;
};
extern const struct message author_view_message;

struct book_view {
    struct uuid id;
    struct money price;
    struct text price_formatted;
    struct text title;
    struct text note;
    bool has_note;
    uint8_t genre;
    int64_t printed;
    int64_t pages;
    bool is_signed;
    struct author_view author;
    bool has_author;
    struct text labels;
};
extern const struct message book_view_message;

struct session_view {
    struct uuid tenant_id;
    int64_t expires_at;
    bool has_expires_at;
    struct text abilities;
};
extern const struct message session_view_message;

struct list_books_request {
    struct list authors;
    bool has_authors;
    uint8_t genre;
    bool has_genre;
    int32_t since;
    bool has_since;
    struct text search;
    bool has_search;
    bool is_signed;
    bool has_is_signed;
    uint8_t column;
    int64_t page;
    int64_t per_page;
};
extern const struct message list_books_request_message;

struct show_book_request {
    struct uuid id;
};
extern const struct message show_book_request_message;

struct create_book_request {
    struct uuid author_id;
    bool has_author_id;
    struct money price;
    struct text title;
    struct text note;
    bool has_note;
    uint8_t genre;
    int64_t printed;
    int64_t pages;
    bool has_pages;
    bool is_signed;
    struct list labels;
    bool has_labels;
    int32_t day;
    bool has_day;
};
extern const struct message create_book_request_message;

struct delete_book_request {
    struct uuid id;
};
extern const struct message delete_book_request_message;

struct find_session_request {
    struct uuid token_id;
    struct text hash;
};
extern const struct message find_session_request_message;
