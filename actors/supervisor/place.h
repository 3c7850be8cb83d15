// SPDX-License-Identifier: Apache-2.0
// Where a running system is, for the commands that look at it from outside: its folder's
// run/state.json, which `valorize up` keeps.
#pragma once
#include "contract.h"

enum { PLACE_URL_BYTES = 1024, PLACE_SENTENCE_BYTES = 1024 };

// The database to use: configured ("DATABASE_URL" where it is set), else that of the system running
// on the folder. False: the sentence says what to do.
MUST_USE bool place_database_url(const char *configured, const char *data,
                                 char ret_url[PLACE_URL_BYTES], char *ret_sentence, size_t size);
