// Generated from schemas/ by generate.py. Edit the .toml or .sql, not this.
#include "messages.h"
#include "sql_query.h"

static const struct statement list_books_statements[] = {
    {"list_books_all",
     "SELECT id, price, currency, title, note, genre, printed, pages, is_signed\n"
     "FROM books\n"
     "WHERE tenant_id = $1\n"
     "ORDER BY printed DESC LIMIT $2\n",
     2, 13},
    {"list_books_by_author",
     "SELECT id, price, currency, title, note, genre, printed, pages, is_signed\n"
     "FROM books\n"
     "WHERE tenant_id = $1 AND author_id = ANY ($3::uuid[]) -- never $9\n"
     "ORDER BY printed DESC LIMIT $2\n",
     3, 13},
};
static_assert(3 <= PARAMETERS_MAX, "list_books: too many parameters");

static const struct statement show_book_statements[] = {
    {"show_book_own",
     "SELECT 'costs \"$7\"\\n' FROM books WHERE tenant_id = $1 AND id = $2\n",
     2, 13},
    {"show_book_foreign",
     "SELECT FROM books WHERE tenant_id <> $1 AND id = $2\n",
     2, 0},
};
static_assert(2 <= PARAMETERS_MAX, "show_book: too many parameters");
static const uint16_t show_book_fields[] = {0};

static const struct statement find_session_statements[] = {
    {"find_session",
     "SELECT tenant_id, expires_at, abilities FROM tokens WHERE id = $1 AND hash = $2\n",
     2, 3},
};
static_assert(2 <= PARAMETERS_MAX, "find_session: too many parameters");
static const uint16_t find_session_fields[] = {0, 1};

const struct handler handlers[] = {
    {&operations[0], list_books_statements, 2,
     list_books_bind, list_books_reply, NULL, 0},
    {&operations[1], show_book_statements, 2,
     NULL, NULL, show_book_fields, 1},
    {&operations[4], find_session_statements, 1,
     NULL, NULL, find_session_fields, 2},
};
const uint32_t handler_count = 3;
