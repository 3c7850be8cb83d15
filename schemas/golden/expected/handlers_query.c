// Generated from schemas/ by generate.py. Edit the .toml or .sql, not this.
#include "messages.h"
#include "sql_query.h"

static const struct statement list_books_statements[] = {
    {"list_books_all",
     "SELECT id, price, currency, title, note, genre, printed, pages, is_signed\n"
     "FROM books\n"
     "WHERE tenant_id = $1\n"
     "ORDER BY printed DESC LIMIT $2\n",
     2},
    {"list_books_by_author",
     "SELECT id, price, currency, title, note, genre, printed, pages, is_signed\n"
     "FROM books\n"
     "WHERE tenant_id = $1 AND author_id = ANY ($3::uuid[]) -- never $9\n"
     "ORDER BY printed DESC LIMIT $2\n",
     3},
};

static const struct statement show_book_statements[] = {
    {"show_book_own",
     "SELECT 'costs \"$7\"\\n' FROM books WHERE tenant_id = $1 AND id = $2\n",
     2},
    {"show_book_foreign",
     "SELECT FROM books WHERE tenant_id <> $1 AND id = $2\n",
     2},
};

static enum status show_book_bind(const void *request, struct binding *binding,
                                  struct failure *failure) {
    static const uint16_t fields[] = {0};
    (void)failure; // the fields were checked at the edge
    return binding_fields(&show_book_request_message, request, fields, 1,
                          binding, 2);
}

static enum status show_book_reply(const void *request, const struct result *result,
                                   struct page *ret_page, struct failure *failure) {
    (void)request;
    (void)ret_page;
    return binding_rows(&operations[1], result, failure);
}

static const struct statement find_session_statements[] = {
    {"find_session",
     "SELECT tenant_id, expires_at, abilities FROM tokens WHERE id = $1 AND hash = $2\n",
     2},
};

static enum status find_session_bind(const void *request, struct binding *binding,
                                     struct failure *failure) {
    static const uint16_t fields[] = {0, 1};
    (void)failure; // the fields were checked at the edge
    return binding_fields(&find_session_request_message, request, fields, 2,
                          binding, 1);
}

static enum status find_session_reply(const void *request, const struct result *result,
                                      struct page *ret_page, struct failure *failure) {
    (void)request;
    (void)ret_page;
    return binding_rows(&operations[4], result, failure);
}

const struct handler handlers[] = {
    {&operations[0], list_books_statements, 2, list_books_bind, list_books_reply},
    {&operations[1], show_book_statements, 2, show_book_bind, show_book_reply},
    {&operations[4], find_session_statements, 1, find_session_bind, find_session_reply},
};
const uint32_t handler_count = 3;
