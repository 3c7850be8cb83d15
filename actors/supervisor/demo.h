// SPDX-License-Identifier: Apache-2.0
// The user one looks around with on the private server: three accounts at Brazilian banks, the
// default categories, some forty transactions of the last three months, and a token without end.
#pragma once
#include "contract.h"

// Blocking. Makes the user and writes its token to token_path (mode 0600) when that file does not
// exist; the file is there only if the user is. False: the sentence says why.
MUST_USE bool demo_ensure(const char *database_url, const char *token_path, char *ret_sentence,
                          size_t size);
