// Generated from schemas/ by generate.py. Edit the .toml or .sql, not this.
#pragma once
// The shapes of each use case's .sql file, in its order.
enum create_book_shape { CREATE_BOOK };
enum delete_book_shape { DELETE_BOOK };
