// Generated from schemas/ by generate.py. Edit the .toml or .sql, not this.
#pragma once
#include "handler.h"

// The shapes of each use case's .sql file, in its order; functions of those in C.
enum create_book_shape { CREATE_BOOK };
bind_function create_book_bind;
reply_function create_book_reply;
enum delete_book_shape { DELETE_BOOK };
