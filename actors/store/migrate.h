// SPDX-License-Identifier: Apache-2.0
// Brings a database to the shape this build needs: schemas/database/NNNN_name.sql in order, each
// once, each in a transaction of its own with its row in schema_migrations.
//
// Two at the same time: the second waits, then finds nothing to do. Refused before anything is
// changed: a database with a migration of a newer build that does not name this one among those
// that work with it, and one to which a migration was applied whose file has another text today.
//
// A migration names them in a line of its own, "-- Builds since 0007 work with it.": those that
// know migration 7. One without that line breaks all builds before it. So an older build starts
// beside a newer one, or after it, where all that the newer one did was to expand.
#pragma once
#include "contract.h"
#include "sql_file.h"

struct migrate_report {
    uint32_t applied; // by this call; counts also where a later one failed
    uint32_t total; // of this build
    uint32_t later; // of newer builds, found in the database
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
