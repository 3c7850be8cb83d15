// SPDX-License-Identifier: Apache-2.0
// Migrations on a real database (DATABASE_URL), with tables of files made here.
#include "expect.h"
#include "migrate.h"
#include "sql_client.h"

#include <sys/wait.h>
#include <unistd.h>

static const struct sql_file first = {"0001_first", "aa", "CREATE TABLE first (id int)"};
static const struct sql_file second = {"0002_second", "bb",
                                       "CREATE TABLE second (id int);\nINSERT INTO second VALUES "
                                       "(7)"};
static const struct sql_file wrong = {"0003_wrong", "cc",
                                      "CREATE TABLE third (id int);\n-- \xc3\xa7\xc3\xa3o\n"
                                      "INSERT INTO third VALUES ('x')"};
static const struct sql_file end;

static const char *url;
static struct sql_client *client;
static char sentence[512];

static const char *ask(const char *sql) {
    if (!sql_client_query(client, sql, NULL, 0, sentence, sizeof sentence))
        return sentence;
    return sql_client_rows(client) == 1 ? sql_client_cell(client, 0, 0) : "no row";
}

static void expect_sql(const char *sql, const char *expected) {
    EXPECT_TEXT(text_of(ask(sql)), expected);
}

static void expect_applied(const char *expected) {
    expect_sql("SELECT string_agg(number || ' ' || name || ' ' || checksum, ', ' ORDER BY number) "
               "FROM schema_migrations",
               expected);
}

static void expect_report(const struct migrate_report *report, uint32_t applied, uint32_t total) {
    EXPECT_INTEGER(report->applied, applied);
    EXPECT_INTEGER(report->total, total);
}

static void database_clear(void) {
    EXPECT(sql_client_run(client, "DROP TABLE IF EXISTS schema_migrations, first, second, third",
                          sentence, sizeof sentence));
}

static void expect_refused(const struct sql_file *files, const char *words) {
    struct migrate_report report;
    EXPECT(!migrate_files(url, files, &report, sentence, sizeof sentence));
    if (strstr(sentence, words) == NULL)
        EXPECT_TEXT(text_of(sentence), words);
}

static void test_each_once_in_order(void) {
    struct migrate_report report;
    database_clear();
    EXPECT(migrate_files(url, (struct sql_file[]){first, end}, &report, sentence, sizeof sentence));
    expect_report(&report, 1, 1);
    expect_applied("1 0001_first aa");
    for (int applied = 1; applied >= 0; applied--) { // the second time there is nothing to do
        EXPECT(migrate_files(url, (struct sql_file[]){first, second, end}, &report, sentence,
                             sizeof sentence));
        expect_report(&report, (uint32_t)applied, 2);
        expect_applied("1 0001_first aa, 2 0002_second bb");
        expect_sql("SELECT id FROM second", "7");
    }
}

static void test_one_that_fails_leaves_nothing(void) {
    const struct sql_file files[] = {first, second, wrong, end};
    struct migrate_report report;
    database_clear();
    EXPECT(!migrate_files(url, files, &report, sentence, sizeof sentence));
    EXPECT_TEXT(text_of(sentence), "Migration 0003_wrong failed: line 3: invalid input syntax for "
                                   "type integer: \"x\". Nothing of it was kept.");
    expect_report(&report, 2, 3);
    expect_applied("1 0001_first aa, 2 0002_second bb");
    expect_sql("SELECT to_regclass('third') IS NULL", "t");
}

static void test_a_changed_file_is_refused(void) {
    struct migrate_report report;
    struct sql_file changed = first;
    database_clear();
    EXPECT(migrate_files(url, (struct sql_file[]){first, end}, &report, sentence, sizeof sentence));
    changed.checksum = "ab";
    expect_refused((struct sql_file[]){changed, second, end},
                   "Migration 0001_first is not the one that was applied");
    changed = first;
    changed.name = "0001_other";
    expect_refused((struct sql_file[]){changed, second, end}, "(0001_first)");
    expect_applied("1 0001_first aa");
}

static void test_a_newer_database_is_refused(void) {
    struct migrate_report report;
    database_clear();
    EXPECT(migrate_files(url, (struct sql_file[]){first, second, end}, &report, sentence,
                         sizeof sentence));
    expect_refused((struct sql_file[]){first, end},
                   "newer: it has 2 migrations, this build knows 1 and does not work with "
                   "0002_second.");
    // As one that says nothing at all: a build that did not know how to wrote the row.
    expect_sql("UPDATE schema_migrations SET works_since = NULL WHERE number = 2 RETURNING number",
               "2");
    expect_refused((struct sql_file[]){first, end}, "does not work with 0002_second.");
}

// Expand, then contract: 2 and 3 only add, 4 takes away what builds before 3 rely on.
static void test_a_newer_database_that_suits_is_used(void) {
    static const struct sql_file adds = {"0002_adds", "bb",
                                         "-- SPDX\n-- Builds since 0001 work with it.\n"
                                         "ALTER TABLE first ADD COLUMN more int"};
    static const struct sql_file too = {"0003_too", "cc",
                                        "-- SPDX\n-- Builds since 1 work with it.\n"
                                        "CREATE TABLE third (id int)"};
    static const struct sql_file less = {"0004_less", "dd",
                                         "-- SPDX\n-- Builds since 0003 work with it.\n"
                                         "ALTER TABLE first DROP COLUMN id"};
    struct migrate_report report;
    database_clear();
    EXPECT(migrate_files(url, (struct sql_file[]){first, adds, too, end}, &report, sentence,
                         sizeof sentence));
    EXPECT_INTEGER(report.later, 0);
    EXPECT(migrate_files(url, (struct sql_file[]){first, end}, &report, sentence, sizeof sentence));
    expect_report(&report, 0, 1);
    EXPECT_INTEGER(report.later, 2);
    expect_refused((struct sql_file[]){{"0001_first", "ab", ""}, end},
                   "Migration 0001_first is not the one that was applied");
    EXPECT(migrate_files(url, (struct sql_file[]){first, adds, too, less, end}, &report, sentence,
                         sizeof sentence));
    expect_report(&report, 1, 4);
    expect_refused((struct sql_file[]){first, adds, end},
                   "it has 4 migrations, this build knows 2 and does not work with 0004_less.");
    EXPECT(migrate_files(url, (struct sql_file[]){first, adds, too, end}, &report, sentence,
                         sizeof sentence));
    EXPECT_INTEGER(report.later, 1);
}

// What builds before this one left: no word about who works with what.
static void test_the_table_of_an_older_build_is_taken_over(void) {
    struct migrate_report report;
    database_clear();
    EXPECT(migrate_files(url, (struct sql_file[]){first, end}, &report, sentence, sizeof sentence));
    EXPECT(sql_client_run(client, "ALTER TABLE schema_migrations DROP COLUMN works_since", sentence,
                          sizeof sentence));
    EXPECT(migrate_files(url, (struct sql_file[]){first, second, end}, &report, sentence,
                         sizeof sentence));
    expect_report(&report, 1, 2);
    expect_sql("SELECT count(works_since) FROM schema_migrations", "1");
}

// Of this build: each line is one that is understood, and no more is promised than there is.
static void test_our_own_say_who_works_with_them(void) {
    for (uint32_t i = 0; migrations[i].name != NULL; i++) {
        const char *line = strstr(migrations[i].text, "Builds since");
        unsigned since = 0;
        if (line != NULL && (sscanf(line, "Builds since %u work with it.", &since) != 1 ||
                             since < 1 || since > i || line[-1] != ' ' || line[-4] != '\n'))
            EXPECT_TEXT(text_of(migrations[i].name), "-- Builds since NNNN work with it.");
    }
}

static void test_a_gap_is_refused(void) {
    struct migrate_report report;
    database_clear();
    EXPECT(migrate_files(url, (struct sql_file[]){first, second, end}, &report, sentence,
                         sizeof sentence));
    expect_sql("DELETE FROM schema_migrations WHERE number = 1 RETURNING number", "1");
    expect_refused((struct sql_file[]){first, second, end}, "lacks number 1");
}

// Several at the same time: each succeeds, each file is applied once.
static void test_at_the_same_time(void) {
    enum { PROCESSES = 6 };
    database_clear();
    for (uint32_t i = 0; i < PROCESSES; i++) {
        pid_t child = fork();
        ASSERT(child >= 0);
        if (child > 0)
            continue;
        struct migrate_report report;
        bool good = migrate_files(url, (struct sql_file[]){first, second, end}, &report, sentence,
                                  sizeof sentence);
        fprintf(stderr, "%s", good ? "" : sentence);
        _exit(good ? (int)report.applied : 100);
    }
    int applied = 0;
    for (uint32_t i = 0; i < PROCESSES; i++) {
        int status;
        ASSERT(wait(&status) > 0 && WIFEXITED(status));
        applied += WEXITSTATUS(status);
    }
    EXPECT_INTEGER(applied, 2);
    expect_applied("1 0001_first aa, 2 0002_second bb");
}

static void test_no_server(void) {
    struct migrate_report report;
    EXPECT(!migrate_run("postgresql:///x?host=/nowhere", &report, sentence, sizeof sentence));
    EXPECT(strstr(sentence, "PostgreSQL cannot be used: ") == sentence);
    EXPECT(strstr(sentence, "Start it, or correct DATABASE_URL.") != NULL);
}

int main(void) {
    static const struct test tests[] = {
        {"each is applied once, in order", test_each_once_in_order},
        {"one that fails leaves nothing, and its line is told", test_one_that_fails_leaves_nothing},
        {"a changed file is refused", test_a_changed_file_is_refused},
        {"a newer database is refused", test_a_newer_database_is_refused},
        {"one that expanded only is used", test_a_newer_database_that_suits_is_used},
        {"an older build's table is taken over", test_the_table_of_an_older_build_is_taken_over},
        {"our own migrations say who works with them", test_our_own_say_who_works_with_them},
        {"a gap in the table is refused", test_a_gap_is_refused},
        {"several at the same time apply each once", test_at_the_same_time},
        {"a server that is not there is told", test_no_server},
    };
    url = getenv("DATABASE_URL");
    snprintf(sentence, sizeof sentence, "DATABASE_URL is not set; use tests/with_servers.");
    client = url == NULL ? NULL : sql_client_new(url, sentence, sizeof sentence);
    if (client == NULL) {
        fprintf(stderr, "%s\n", sentence);
        return 1;
    }
    int result = expect_run(tests, COUNT_OF(tests));
    client = sql_client_free(client);
    return result;
}
