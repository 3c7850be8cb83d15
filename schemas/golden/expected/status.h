// Generated from schemas/ by generate.py. Edit the .toml or .sql, not this.
#pragma once
#include "text.h"

enum status {
    STATUS_OK = 0,
    STATUS_CREATED = 1,
    STATUS_NO_CONTENT = 2,
    STATUS_NOT_FOUND = 13,
    STATUS_INTERNAL = 30,
    STATUS_UNAVAILABLE = 31,
};

// Whether this build knows the number.
bool status_known(uint16_t number);
// "not_found"; status_find is its reverse. A number that is not known reads as internal.
const char *status_name(enum status status);
bool status_find(struct text name, enum status *ret_status);
int status_http(enum status status);
const char *status_message(enum status status); // NULL of a success
// The machinery failed, not the message: it may be sent again with its key.
bool status_may_resend(enum status status);
