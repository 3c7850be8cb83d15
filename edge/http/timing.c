// SPDX-License-Identifier: Apache-2.0
#include "timing.h"

#include "format.h"

#include <assert.h>
#include <string.h>

static const char *const stations[] = {
    "edge;dur=", ", bus;dur=", ", actor;dur=", ", database;dur="};
static_assert(TIMING_BYTES > 48 + 4 * (INTEGER_TEXT_BYTES + 4), "names and durations fit");

static char *duration_write(uint64_t us, char *at) {
    at += integer_write((int64_t)(us / 1000), at);
    *at++ = '.';
    *at++ = (char)('0' + us / 100 % 10);
    *at++ = (char)('0' + us / 10 % 10);
    *at++ = (char)('0' + us % 10);
    return at;
}

struct timing timing_of(uint64_t total_us, const struct trip trips[TRIP_COUNT]) {
    struct timing timing = {.total = total_us};
    for (int i = 0; i < TRIP_COUNT; i++) {
        timing.away += trips[i].back_us - trips[i].sent_us;
        timing.actor += trips[i].block.actor_us;
        timing.database += trips[i].block.database_us;
    }
    return timing;
}

void timing_write(const struct timing *timing, char text[TIMING_BYTES]) {
    uint64_t away = MIN(timing->away, timing->total);
    uint64_t actor = MIN(timing->actor, away);
    uint64_t database = MIN(timing->database, actor);
    const uint64_t parts_us[] = {timing->total - away, away - actor, actor - database, database};
    char *at = text;
    for (size_t i = 0; i < COUNT_OF(parts_us); i++)
        at = duration_write(parts_us[i], stpcpy(at, stations[i]));
    *at = '\0';
}
