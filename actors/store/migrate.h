// SPDX-License-Identifier: Apache-2.0
// Brings a database to the shape this build needs: schemas/database/NNNN_name.sql in order, each
// once, each in a transaction of its own with its row in schema_migrations.
//
// Two at the same time: the second waits, then finds nothing to do. Refused before anything is
// changed: a database that knows more migrations than this build, and one to which a migration was
// applied whose file has another text today.
#pragma once
#include "contract.h"
#include "sql_file.h"

struct migrate_report {
    uint32_t applied; // by this call; counts also where a later one failed
    uint32_t total; // of this build
};

// Blocking; for the command line only. False: the sentence says why and what to do; what is
// counted in applied stays.
MUST_USE bool migrate_run(const char *database_url, struct migrate_report *ret_report,
                          char *ret_sentence, size_t size);

// The same with other migrations: a table that ends with a NULL name.
MUST_USE bool migrate_files(const char *database_url, const struct sql_file *files,
                            struct migrate_report *ret_report, char *ret_sentence, size_t size);

// Of this build: schemas/database.
extern const struct sql_file migrations[];
