// SPDX-License-Identifier: Apache-2.0
// Where the private PostgreSQL and Redis live, and as whom they run.
//
//   <VALORIZE_DATA>/servers     a folder of the servers' user, mode 0700; or a link to one
//       postgres/  redis/       their data
//       run/                    their sockets: they listen nowhere else
//
// PostgreSQL refuses root. So where root starts the system, both run as the user `valorize` (or
// `postgres`, or `nobody`); where that user cannot get to VALORIZE_DATA, as in a clone under /root,
// the folder is made under /var/lib/valorize and `servers` is a link to it.
#pragma once
#include "program.h"

enum {
    SERVERS_PATH_BYTES = 256,
    SERVERS_NAME_BYTES = 32, // of them for what lies in the folder
    SERVERS_URL_BYTES = 1024,
};

struct servers {
    char folder[SERVERS_PATH_BYTES]; // real path
    struct identity identity;
    char user[64]; // its name; "" for the own one
    bool elsewhere; // not below VALORIZE_DATA
};

// Finds the folder, or makes it; and what is to be in it, but for PostgreSQL's data. data: the real
// path of VALORIZE_DATA.
MUST_USE bool servers_prepare(struct servers *servers, const char *data, char *ret_sentence,
                              size_t size);

// The same where it exists; makes nothing. False: there is none.
MUST_USE bool servers_find(struct servers *servers, const char *data);

// <folder>/<name>, of a short name; it always fits.
void servers_path(const struct servers *servers, const char *name,
                  char ret_path[SERVERS_PATH_BYTES]);
