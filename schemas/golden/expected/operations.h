// Generated from schemas/ by generate.py. Edit the .toml or .sql, not this.
#pragma once
#include "operation.h"

enum operation_number {
    OPERATION_NUMBER_NONE = 0,
    OPERATION_LIST_BOOKS = 1,
    OPERATION_SHOW_BOOK = 2,
    OPERATION_CREATE_BOOK = 3,
    OPERATION_DELETE_BOOK = 5,
    OPERATION_FIND_SESSION = 6,
};

// `operation` of a KIND_EVENT.
enum event_number {
    EVENT_NONE = 0,
    EVENT_BOOK_SOLD = 7,
};
