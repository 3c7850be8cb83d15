// SPDX-License-Identifier: Apache-2.0
// Memory for the bodies of requests in hand: blocks of one size, as much of each resident as the
// bodies in it were long. Without a limit of its own a thousand slow uploads would be a thousand
// allocations.
#pragma once
#include "contract.h"

struct http_bodies;

struct http_bodies *http_bodies_new(uint32_t count, uint32_t bytes_each); // NULL: memory is short
struct http_bodies *http_bodies_free(struct http_bodies *bodies); // accepts NULL, returns NULL

char *http_bodies_take(struct http_bodies *bodies); // NULL: all are in use
// used: bytes that were written to it.
void http_bodies_give_back(struct http_bodies *bodies, char *block, uint64_t used);
