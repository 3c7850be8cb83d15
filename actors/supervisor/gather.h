// SPDX-License-Identifier: Apache-2.0
// One question to the admin sockets of many processes at once, in the loop. All answers are in hand
// when the last has come, or after METRICS_MS; whoever is dead or hangs has none.
#pragma once
#include "loop.h"
#include "text.h"

struct gather;

// directory is that of the sockets; borrowed. done follows each start, never from inside it.
struct gather *gather_new(struct loop *loop, const char *directory, void *context,
                          void (*done)(void *context));
struct gather *gather_free(struct gather *gather); // accepts NULL, returns NULL

// Not while one is under way. Names are copied; METRICS_PROCESSES_MAX at most. The question has
// its line end.
void gather_start(struct gather *gather, const char *const *names, uint32_t count,
                  const char *question);

// After done, until the next start: in the order of the names. bytes == NULL: no answer.
uint32_t gather_count(const struct gather *gather);
const char *gather_name(const struct gather *gather, uint32_t index);
struct text gather_answer(const struct gather *gather, uint32_t index);
