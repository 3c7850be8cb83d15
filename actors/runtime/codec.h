// SPDX-License-Identifier: Apache-2.0
// Request structs <-> msgpack by the field tables: the only decoder of bodies.
//
// A body is a map with the field numbers as keys, in ascending order, absent fields left out, so
// equal requests are equal bytes (cache keys and idempotency fingerprints rely on it). Unknown
// keys are skipped. Every container's count is compared with the bytes left before it is read.
#pragma once
#include "arena.h"
#include "message.h"
#include "status.h"

// Appends to the arena. STATUS_TOO_LARGE when the arena is full.
MUST_USE enum status codec_encode(const struct message *message, const void *value,
                                  struct arena *arena, struct text *ret_bytes);

// Fills the struct at ret_value (message->size bytes) with defaults, then with the fields; texts
// point into bytes, lists into the arena. STATUS_MALFORMED for anything that is not a valid body
// (limits and required fields included), STATUS_TOO_LARGE when the arena is full.
MUST_USE enum status codec_decode(const struct message *message, struct text bytes,
                                  struct arena *arena, void *ret_value);
