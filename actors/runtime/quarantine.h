// SPDX-License-Identifier: Apache-2.0
// What an edge remembers of poison: requests that cost two actors, one after the other. They are
// known by what they ask for (tenant, operation and body; not by their key), so that a client that
// repeats one costs no further actors: it is refused QUARANTINE_S_MIN, then tried once, and twice
// as long each time that this costs an actor as well. An answer of an actor ends it. Pure, bounded;
// of brokers and attempts it knows nothing.
#pragma once
#include "digest.h"
#include "limits.h"

struct demand { // body is borrowed
    struct uuid tenant;
    uint16_t operation;
    struct text body;
};

struct convict {
    struct uuid tenant;
    uint16_t operation;
    uint8_t body[DIGEST_SHORT_BYTES];
    uint32_t term_s; // 0: a free place
    uint64_t until_us;
};

struct quarantine {
    struct convict convicts[QUARANTINE_MAX];
    uint32_t count;
};

enum quarantine_state {
    QUARANTINE_UNKNOWN,
    QUARANTINE_TRIAL, // to be tried, as a suspect
    QUARANTINE_HELD, // to be refused; ret_left_us, which may be NULL, is given
};
enum quarantine_state quarantine_ask(struct quarantine *quarantine, const struct demand *demand,
                                     uint64_t now_us, uint64_t *ret_left_us);

// It is on trial: its likes are held so long.
void quarantine_try(struct quarantine *quarantine, const struct demand *demand, uint64_t until_us);

// It cost an actor while it alone was under suspicion. For so many seconds it is refused now.
uint32_t quarantine_convict(struct quarantine *quarantine, const struct demand *demand,
                            uint64_t now_us);
void quarantine_acquit(struct quarantine *quarantine, const struct demand *demand);
