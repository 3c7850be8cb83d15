// SPDX-License-Identifier: Apache-2.0
// How a message may end: `enum status` and its rows are made of schemas/failures.toml.
#pragma once
#include "statuses.h"
#include "text.h"

// Whether this build knows the number.
bool status_known(uint16_t number);
// Of a number from the wire: one that is not known is its class's, which failures.toml describes.
enum status status_read(uint16_t number);
// "not_found"; status_find is its reverse. A number that is not known reads as internal.
const char *status_name(enum status status);
bool status_find(struct text name, enum status *ret_status);
int status_http(enum status status);
const char *status_message(enum status status); // NULL of a success
// The machinery failed, not the message: it may be sent again with its key.
bool status_may_resend(enum status status);
// Whoever says so has not done the work.
bool status_is_refusal(enum status status);
