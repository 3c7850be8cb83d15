// Generated from schemas/ by generate.py. Edit the .toml or .sql, not this.
#pragma once
// The shapes of each use case's .sql file, in its order.
enum list_books_shape { LIST_BOOKS_ALL, LIST_BOOKS_BY_AUTHOR };
enum show_book_shape { SHOW_BOOK_OWN, SHOW_BOOK_FOREIGN };
enum find_session_shape { FIND_SESSION };
