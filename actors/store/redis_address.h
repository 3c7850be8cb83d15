// SPDX-License-Identifier: Apache-2.0
// What REDIS_URL says. Pure.
//
//   redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]
//   unix://[[USER]:PASSWORD@]/PATH[?db=DATABASE]
//
// User and password are percent-decoded; an address of IPv6 stands in brackets.
#pragma once
#include "contract.h"

struct redis_address {
    char path[108]; // of a unix socket; "": host and port
    char host[256];
    uint16_t port;
    uint32_t database;
    char user[64], password[256]; // "": none
};

// False after filling the sentence, in which the password does not stand.
MUST_USE bool redis_address_parse(const char *url, struct redis_address *ret_address,
                                  char *ret_sentence, size_t sentence_size);
