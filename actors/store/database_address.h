// SPDX-License-Identifier: Apache-2.0
// Where to connect, in libpq's words: what DATABASE_URL says, and our defaults for what it leaves
// out.
#pragma once
#include "contract.h"

enum { ADDRESS_WORDS_MAX = 64 };

struct database_address {
    const char *keywords[ADDRESS_WORDS_MAX + 1]; // borrowed
    char *values[ADDRESS_WORDS_MAX + 1]; // of the heap
    uint32_t count;
};

// Where the word is not there yet; the value is copied.
void database_address_add(struct database_address *address, const char *keyword, const char *value);

// Adds our defaults and resolves the names of hosts, blocking. False after filling the sentence: a
// host is unknown.
MUST_USE bool database_address_complete(struct database_address *address, const char *name,
                                        char *ret_sentence, size_t sentence_size);

void database_address_deinit(struct database_address *address);
