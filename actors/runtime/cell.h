// SPDX-License-Identifier: Apache-2.0
// One cell of a result, in PostgreSQL's binary form (a query's) or its text (a command's, whose
// reply is a text[]). Texts, enums, money's currency and JSON are the same in both and need no
// reader. False, and ret_x as it was: the cell is not of that form or is NULL.
#pragma once
#include "contract.h"
#include "text.h"

MUST_USE bool cell_boolean(struct text cell, bool binary, bool *ret_value);
MUST_USE bool cell_integer(struct text cell, bool binary, int64_t *ret_value); // int4 or int8
MUST_USE bool cell_uuid(struct text cell, bool binary, struct uuid *ret_uuid);
// Both since 1970, UTC.
MUST_USE bool cell_date(struct text cell, bool binary, int32_t *ret_days);
MUST_USE bool cell_timestamp(struct text cell, bool binary, int64_t *ret_microseconds);
