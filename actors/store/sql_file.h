// SPDX-License-Identifier: Apache-2.0
// A .sql file of the tree, embedded at build by schemas/generate.py. A table of them ends with a
// row whose name is NULL.
#pragma once

struct sql_file {
    const char *name; // "0001_users"
    const char *checksum; // SHA-256 of its bytes, in hexadecimal
    const char *text;
};
