// SPDX-License-Identifier: Apache-2.0
// What open_loop writes of each request: 64 bytes, in the machine's own order of bytes.
// experiments/generator.py reads them. Times are CLOCK_MONOTONIC's, which is time.monotonic's in
// Python.
#pragma once
#include "text.h"

#include <assert.h>

enum trouble {
    TROUBLE_NONE,
    TROUBLE_CONNECT, // nobody took the connection
    TROUBLE_RESET, // it ended before the answer did
    TROUBLE_TIMEOUT, // no answer in time
    TROUBLE_MALFORMED, // an answer that is none, or too long
    TROUBLE_NEVER_SENT, // no connection was free in time
    TROUBLES
};

struct record {
    uint64_t due_us;
    uint64_t sent_us; // for the first time; 0: never
    uint64_t ended_us; // the answer was whole, or the last sending had failed
    int64_t member; // of a 2xx answer, see open_loop.c; INT64_MIN: none
    uint8_t id[16]; // of a 2xx answer, its first "id"; zeros: none
    uint32_t number; // in its stream, from 0: what stood for {number}
    uint32_t text; // which of its file's requests, from 0
    uint16_t status; // of the last answer; 0: none came
    uint16_t sendings;
    uint8_t stream; // which of the command line's, from 0
    uint8_t trouble; // of the last sending, where status is 0
    uint8_t retry_after; // whether the last answer said when to come again
    uint8_t unused;
};

static_assert(sizeof(struct record) == 64, "experiments/generator.py reads so many");
