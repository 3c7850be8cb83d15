// SPDX-License-Identifier: Apache-2.0
#include "migrate.h"

#include "sql_client.h"

#include <stdio.h>
#include <string.h>

enum { REASON_BYTES = 512, NUMBER_BYTES = 12 };

// The key is "valorize" in ASCII: other programs of the same database take other locks.
static const char lock_sql[] = "SET client_min_messages = warning;"
                               "SET lock_timeout = '60s';"
                               "SELECT pg_advisory_lock(x'76616c6f72697a65'::bigint)";

// A migration that waits for a table lets everybody wait behind it, so it does not wait long.
static const char table_sql[] = "SET lock_timeout = '5s';"
                                "CREATE TABLE IF NOT EXISTS schema_migrations ("
                                "    number integer PRIMARY KEY,"
                                "    name text NOT NULL,"
                                "    checksum text NOT NULL,"
                                "    applied_at timestamptz NOT NULL DEFAULT now())";

static const char applied_sql[] =
    "SELECT number, name, checksum FROM schema_migrations ORDER BY number";

static const char record_sql[] =
    "INSERT INTO schema_migrations (number, name, checksum) VALUES ($1, $2, $3)";

static uint32_t file_count(const struct sql_file *files) {
    uint32_t count = 0;
    while (files[count].name != NULL)
        count++;
    return count;
}

// Whether what was applied is the beginning of the files; ret_count: how many that are.
static bool applied_check(struct sql_client *client, const struct sql_file *files, uint32_t total,
                          char *ret_sentence, size_t size) {
    uint32_t rows = sql_client_rows(client);
    if (rows > total) {
        snprintf(ret_sentence, size,
                 "This database is newer: it has %u migrations, this build knows %u. "
                 "Use a build that is at least as new.",
                 rows, total);
        return false;
    }
    for (uint32_t i = 0; i < rows; i++) {
        const char *number = sql_client_cell(client, i, 0);
        if (strtoul(number, NULL, 10) != i + 1) {
            snprintf(ret_sentence, size,
                     "The table schema_migrations lacks number %u though it has number %s. "
                     "Restore the database from a backup.",
                     i + 1, number);
            return false;
        }
        if (strcmp(sql_client_cell(client, i, 1), files[i].name) != 0 ||
            strcmp(sql_client_cell(client, i, 2), files[i].checksum) != 0) {
            snprintf(ret_sentence, size,
                     "Migration %s is not the one that was applied to this database (%s). "
                     "Give the file its old name and text, and put the change into a new one.",
                     files[i].name, sql_client_cell(client, i, 1));
            return false;
        }
    }
    return true;
}

static bool migration_apply(struct sql_client *client, const struct sql_file *file, uint32_t number,
                            char *ret_reason, size_t size) {
    char digits[NUMBER_BYTES];
    snprintf(digits, sizeof digits, "%u", number);
    const char *row[] = {digits, file->name, file->checksum};
    return sql_client_run(client, "BEGIN", ret_reason, size) &&
           sql_client_run(client, file->text, ret_reason, size) &&
           sql_client_query(client, record_sql, row, COUNT_OF(row), ret_reason, size) &&
           sql_client_run(client, "COMMIT", ret_reason, size);
}

static bool migrate_connected(struct sql_client *client, const struct sql_file *files,
                              struct migrate_report *report, char *ret_sentence, size_t size) {
    char reason[REASON_BYTES];
    if (!sql_client_run(client, lock_sql, reason, sizeof reason)) {
        snprintf(ret_sentence, size,
                 "Another migration of this database has not ended for a minute (%s). "
                 "Wait for it, then try again.",
                 reason);
        return false;
    }
    if (!sql_client_run(client, table_sql, reason, sizeof reason) ||
        !sql_client_query(client, applied_sql, NULL, 0, reason, sizeof reason)) {
        snprintf(ret_sentence, size, "The database cannot be migrated: %s. Nothing was changed.",
                 reason);
        return false;
    }
    if (!applied_check(client, files, report->total, ret_sentence, size))
        return false;
    for (uint32_t i = sql_client_rows(client); i < report->total; i++) {
        if (!migration_apply(client, &files[i], i + 1, reason, sizeof reason)) {
            snprintf(ret_sentence, size, "Migration %s failed: %s. Nothing of it was kept.",
                     files[i].name, reason);
            return false;
        }
        report->applied++;
    }
    return true;
}

bool migrate_files(const char *database_url, const struct sql_file *files,
                   struct migrate_report *ret_report, char *ret_sentence, size_t size) {
    *ret_report = (struct migrate_report){.total = file_count(files)};
    struct sql_client *client = sql_client_new(database_url, ret_sentence, size);
    if (client == NULL)
        return false;
    bool good = migrate_connected(client, files, ret_report, ret_sentence, size);
    sql_client_free(client); // ends the transaction, if one is open, and the lock
    return good;
}

bool migrate_run(const char *database_url, struct migrate_report *ret_report, char *ret_sentence,
                 size_t size) {
    return migrate_files(database_url, migrations, ret_report, ret_sentence, size);
}
