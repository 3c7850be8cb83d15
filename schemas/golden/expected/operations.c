// Generated from schemas/ by generate.py. Edit the .toml or .sql, not this.
#include "operations.h"

#include "messages.h"

const struct operation operations[] = {
    {.name = "list_books", .number = 1, .kind = OPERATION_QUERY, .lane = LANE_INTERACTIVE,
     .method = "GET", .path = "/api/books", .authenticated = true, .cached = true,
     .budget_ms = 5000, .success = STATUS_OK, .form = REPLY_PAGE, .reply_version = 1,
     .request = &list_books_request_message, .reply = &book_view_message},
    {.name = "show_book", .number = 2, .kind = OPERATION_QUERY, .lane = LANE_INTERACTIVE,
     .method = "GET", .path = "/api/books/{id}", .authenticated = true, .budget_ms = 5000,
     .success = STATUS_OK, .form = REPLY_ONE, .reply_version = 1,
     .request = &show_book_request_message, .reply = &book_view_message},
    {.name = "create_book", .number = 3, .kind = OPERATION_COMMAND, .lane = LANE_COMMAND,
     .method = "POST", .path = "/api/books", .authenticated = true, .budget_ms = 10000,
     .success = STATUS_CREATED, .form = REPLY_ONE, .reply_version = 2,
     .request = &create_book_request_message, .reply = &book_view_message},
    {.name = "delete_book", .number = 5, .kind = OPERATION_COMMAND, .lane = LANE_COMMAND,
     .method = "DELETE", .path = "/api/books/{id}", .authenticated = true, .testing = true,
     .heavy = true, .budget_ms = 2000, .success = STATUS_NO_CONTENT, .form = REPLY_NONE,
     .reply_version = 1, .request = &delete_book_request_message},
    {.name = "find_session", .number = 6, .kind = OPERATION_QUERY, .lane = LANE_INTERACTIVE,
     .budget_ms = 5000, .success = STATUS_OK, .form = REPLY_ONE, .reply_version = 1,
     .request = &find_session_request_message, .reply = &session_view_message},
};
const uint32_t operation_count = 5;
