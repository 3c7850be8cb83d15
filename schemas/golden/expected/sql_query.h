// Generated from schemas/ by generate.py. Edit the .toml or .sql, not this.
#pragma once
#include "handler.h"

// The shapes of each use case's .sql file, in its order; functions of those in C.
enum list_books_shape { LIST_BOOKS_ALL, LIST_BOOKS_BY_AUTHOR };
bind_function list_books_bind;
reply_function list_books_reply;
enum show_book_shape { SHOW_BOOK_OWN, SHOW_BOOK_FOREIGN };
enum find_session_shape { FIND_SESSION };
