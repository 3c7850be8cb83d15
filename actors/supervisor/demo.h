// SPDX-License-Identifier: Apache-2.0
// The user one looks around with on the private server: three accounts at Brazilian banks, the
// default categories, some forty transactions of the last three months, and a token without end.
#pragma once
#include "contract.h"

// Blocking. Unless the token in token_path is one that the database knows, makes a new one, the
// user too where it is missing, and writes it there (mode 0600). False: the sentence says why.
MUST_USE bool demo_ensure(const char *database_url, const char *token_path, char *ret_sentence,
                          size_t size);
