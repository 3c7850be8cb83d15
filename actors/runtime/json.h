// SPDX-License-Identifier: Apache-2.0
// What people send -> request structs, by the field tables: a JSON body, and the name/value pairs
// of a path or a query string. Only json.c knows yyjson,
// the pairs are bound in parameters.c.
//
// Every wrong field is reported, in one call, with a dotted path and an English sentence
// ("amount.value": "The amount.value field is required."). A blank string and null count as
// absent; unknown fields are ignored; no value is converted: "5" is no integer in JSON.
//
// Order of use: message_reset(request), then one call a place; then request is whole where
// failure->status is still STATUS_OK. Texts of the request and of the failure live in the arena
// or in what was passed in, so both are valid as long as those. Nothing here blocks.
#pragma once
#include "failure.h"
#include "message.h"

// Binds the fields of PLACE_BODY. An empty body is an empty object.
// STATUS_MALFORMED: no JSON, no UTF-8, or a key twice in one object; nothing else is looked at, and
// failure->sentence says what it is and where (bytes count from 1), in no word of the client.
// STATUS_INVALID: field errors, also for more than JSON_DEPTH_MAX levels.
// STATUS_TOO_LARGE: the arena is full. failure->status is set to the same.
MUST_USE enum status json_bind_body(const struct message *message, struct text body,
                                    struct arena *arena, void *request, struct failure *failure);

// Binds the fields of one place, PLACE_PATH or PLACE_QUERY. A list's field comes as `accounts`,
// `accounts[]` or `accounts[0]`; of a repeated single field the last one counts.
// STATUS_MALFORMED: no UTF-8; failure->sentence names the field. STATUS_NOT_FOUND: a path's value
// is not of its field's type. STATUS_INVALID and STATUS_TOO_LARGE as above.
MUST_USE enum status json_bind_parameters(const struct message *message, enum field_place place,
                                          const struct parameter *parameters, uint32_t count,
                                          struct arena *arena, void *request,
                                          struct failure *failure);

// An actor's JSON reply of one object -> the struct of its type (<type>_view of messages.h).
// money_text fields stay empty, a json field gets its JSON text, a list's items live in the arena.
// False unless it fits the table.
MUST_USE bool json_read_view(const struct message *message, struct text json, struct arena *arena,
                             void *ret_view);
