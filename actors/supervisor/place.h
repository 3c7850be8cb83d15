// SPDX-License-Identifier: Apache-2.0
// Where a running system is, for the commands that look at it from outside: what `valorize up`
// keeps in the folder's run/state.json.
#pragma once
#include "contract.h"

enum { PLACE_URL_BYTES = 1024, PLACE_BROKERS_BYTES = 4096, PLACE_SENTENCE_BYTES = 1024 };

struct place {
    char database_url[PLACE_URL_BYTES];
    char brokers[PLACE_BROKERS_BYTES]; // comma list of endpoints
};

// False: nothing runs on that folder; the sentence says what to do.
MUST_USE bool place_read(const char *data, struct place *ret_place, char *ret_sentence,
                         size_t size);
