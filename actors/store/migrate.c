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
                                "    applied_at timestamptz NOT NULL DEFAULT now());"
                                "ALTER TABLE schema_migrations"
                                "    ADD COLUMN IF NOT EXISTS works_since integer";

static const char applied_sql[] =
    "SELECT number, name, checksum, works_since FROM schema_migrations ORDER BY number";

static const char record_sql[] =
    "INSERT INTO schema_migrations (number, name, checksum, works_since) VALUES ($1, $2, $3, $4)";

static uint32_t file_count(const struct sql_file *files) {
    uint32_t count = 0;
    while (files[count].name != NULL)
        count++;
    return count;
}

// The oldest build that works with a migration, as the number of the last migration that it knows;
// without a word about it, the first that knows this one.
static uint32_t works_since(const struct sql_file *file, uint32_t number) {
    uint32_t since;
    const char *line = strstr(file->text, "\n-- Builds since ");
    if (line == NULL || sscanf(line, "\n-- Builds since %u work with it.", &since) != 1)
        return number;
    return since;
}

// A migration of a newer build.
static bool later_check(struct sql_client *client, uint32_t row, uint32_t total, char *ret_sentence,
                        size_t size) {
    const char *since = sql_client_cell(client, row, 3); // empty: of a build that told nothing
    if (since[0] != '\0' && strtoul(since, NULL, 10) <= total)
        return true;
    snprintf(ret_sentence, size,
             "This database is newer: it has %u migrations, this build knows %u and does not work "
             "with %s. Use a build that is at least as new.",
             sql_client_rows(client), total, sql_client_cell(client, row, 1));
    return false;
}

// A migration of this build.
static bool known_check(struct sql_client *client, uint32_t row, const struct sql_file *file,
                        char *ret_sentence, size_t size) {
    const char *name = sql_client_cell(client, row, 1);
    if (strcmp(name, file->name) == 0 &&
        strcmp(sql_client_cell(client, row, 2), file->checksum) == 0)
        return true;
    snprintf(ret_sentence, size,
             "Migration %s is not the one that was applied to this database (%s). "
             "Give the file its old name and text, and put the change into a new one.",
             file->name, name);
    return false;
}

// Whether what was applied is the beginning of the files, or goes beyond them in a way that leaves
// this build working.
static bool applied_check(struct sql_client *client, const struct sql_file *files, uint32_t total,
                          char *ret_sentence, size_t size) {
    for (uint32_t i = 0; i < sql_client_rows(client); i++) {
        const char *number = sql_client_cell(client, i, 0);
        if (strtoul(number, NULL, 10) != i + 1) {
            snprintf(ret_sentence, size,
                     "The table schema_migrations lacks number %u though it has number %s. "
                     "Restore the database from a backup.",
                     i + 1, number);
            return false;
        }
        if (!(i < total ? known_check(client, i, &files[i], ret_sentence, size)
                        : later_check(client, i, total, ret_sentence, size)))
            return false;
    }
    return true;
}

static bool migration_apply(struct sql_client *client, const struct sql_file *file, uint32_t number,
                            char *ret_reason, size_t size) {
    char digits[NUMBER_BYTES], since[NUMBER_BYTES];
    snprintf(digits, sizeof digits, "%u", number);
    snprintf(since, sizeof since, "%u", works_since(file, number));
    const char *row[] = {digits, file->name, file->checksum, since};
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
    uint32_t rows = sql_client_rows(client);
    report->later = rows > report->total ? rows - report->total : 0;
    for (uint32_t i = rows; i < report->total; i++) {
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
