// SPDX-License-Identifier: Apache-2.0
// "key=value,key=value" of OpenTelemetry's variables, percent-encoded where need be. Pure.
#pragma once
#include "arena.h"

// Keys and values are ended by a NUL that is not counted; blanks around them are dropped. An empty
// text has no pairs. False: a pair without key or '=', a wrong escape, a control character, more
// than maximum, or the arena is full.
MUST_USE bool pairs_read(struct text text, struct arena *arena, struct parameter *pairs,
                         uint32_t maximum, uint32_t *ret_count);
