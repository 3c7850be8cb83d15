// SPDX-License-Identifier: Apache-2.0
// The demo user on a real database (DATABASE_URL, migrated).
#include "demo.h"

#include "digest.h"
#include "expect.h"
#include "format.h"
#include "sql_client.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TOKEN_FILE_BYTES = 78, ID_BYTES = 36 };

static const char *url;
static char folder[] = "/tmp/demo_test.XXXXXX";
static char path[64];
static struct sql_client *client;

static const char *ask(const char *sql) {
    static char reason[512];
    if (!sql_client_query(client, sql, NULL, 0, reason, sizeof reason))
        return reason;
    return sql_client_rows(client) == 1 ? sql_client_cell(client, 0, 0) : "no row";
}

static void expect_sql(const char *sql, const char *expected) {
    EXPECT_TEXT(text_of(ask(sql)), expected);
}

static void ensure(void) {
    char sentence[512] = "";
    if (!demo_ensure(url, path, sentence, sizeof sentence))
        EXPECT_TEXT(text_of(sentence), "");
}

static void token_read(char token[TOKEN_FILE_BYTES + 1]) {
    FILE *file = fopen(path, "re");
    EXPECT(file != NULL);
    EXPECT_INTEGER(fread(token, 1, TOKEN_FILE_BYTES + 1, file), TOKEN_FILE_BYTES); // no more
    fclose(file);
}

// The hash of the secret in the file is the one in the database.
static void expect_token_works(void) {
    char token[TOKEN_FILE_BYTES + 1], sql[400], hash[65];
    uint8_t digest[DIGEST_SHA256_BYTES];
    token_read(token);
    EXPECT(token[ID_BYTES] == '|' && token[TOKEN_FILE_BYTES - 1] == '\n');
    digest_sha256((struct text){token + ID_BYTES + 1, 40}, digest);
    hash[hex_write(digest, sizeof digest, hash)] = '\0';
    (void)snprintf(sql, sizeof sql,
                   "SELECT name FROM tokens WHERE id = '%.*s' AND secret_hash = '\\x%s' "
                   "AND expires_at IS NULL",
                   ID_BYTES, token, hash);
    expect_sql(sql, "demo");
}

static void test_user_with_all_that_belongs_to_it(void) {
    ensure();
    expect_sql("SELECT string_agg(type || ' ' || banks.name, ', ' ORDER BY type) "
               "FROM accounts JOIN banks ON banks.id = bank_id",
               "checking Itaú, credit Nubank, savings Caixa Econômica Federal");
    expect_sql("SELECT count(*) FROM categories WHERE is_default", "10");
    expect_sql("SELECT count(*) BETWEEN 40 AND 48 FROM transactions", "t");
    expect_sql("SELECT bool_and(date <= now() AND date > now() - interval '95 days' "
               "AND date = date_trunc('day', date, 'UTC')) FROM transactions",
               "t");
    expect_sql("SELECT count(*) FROM transactions WHERE memo = 'Salário Estúdio Aurora'", "3");
    expect_sql("SELECT count(DISTINCT substr(id::text, 15, 1)) || substr(max(id::text), 15, 1) "
               "FROM transactions",
               "17");
    expect_token_works();
}

static void test_balances_are_sums(void) {
    expect_sql("SELECT count(*) FROM accounts, LATERAL "
               "(SELECT sum(amount) AS sum, count(*) AS count FROM transactions "
               "WHERE account_id = accounts.id) AS own "
               "WHERE balance <> own.sum OR transaction_count <> own.count",
               "0");
    expect_sql("SELECT count(*) FROM accounts WHERE transaction_count < 6", "0");
}

static void test_token_is_private(void) {
    struct stat status;
    EXPECT_INTEGER(stat(path, &status), 0);
    EXPECT_INTEGER(status.st_mode & 0777, 0600);
}

static void test_second_start_changes_nothing(void) {
    char before[TOKEN_FILE_BYTES + 1], after[TOKEN_FILE_BYTES + 1];
    token_read(before);
    ensure();
    token_read(after);
    EXPECT(memcmp(before, after, TOKEN_FILE_BYTES) == 0);
    expect_sql("SELECT count(*) FROM tokens", "1");
}

static void test_lost_token_is_replaced(void) {
    EXPECT_INTEGER(unlink(path), 0);
    ensure();
    expect_sql("SELECT count(*) FROM users", "1");
    expect_sql("SELECT count(*) FROM tokens", "2");
    expect_sql("SELECT count(*) FROM accounts", "3");
    expect_token_works();
}

// The file outlived its database, as when the folder of the servers was removed.
static void test_token_without_its_row_is_replaced(void) {
    char before[TOKEN_FILE_BYTES + 1], after[TOKEN_FILE_BYTES + 1];
    token_read(before);
    expect_sql("WITH gone AS (DELETE FROM tokens RETURNING id) SELECT count(*) FROM gone", "2");
    ensure();
    token_read(after);
    EXPECT(memcmp(before, after, TOKEN_FILE_BYTES) != 0);
    expect_sql("SELECT count(*) FROM users", "1");
    expect_sql("SELECT count(*) FROM tokens", "1");
    expect_token_works();
    // The row alone is not enough: the secret must be its own.
    expect_sql("UPDATE tokens SET secret_hash = sha256('another') RETURNING name", "demo");
    ensure();
    expect_sql("SELECT count(*) FROM tokens", "2");
    expect_token_works();
}

static void test_file_without_a_token_is_replaced(void) {
    static const char *const contents[] = {
        "", "no token\n", "01890000-0000-7000-8000-000000000001|too short\n",
        "01890000-0000-7000-8000-00000000000x|0123456789012345678901234567890123456789\n",
        "01890000-0000-7000-8000-000000000001|0123456789012345678901234567890123456789\nmore"};
    for (size_t i = 0; i < COUNT_OF(contents); i++) {
        FILE *file = fopen(path, "we");
        EXPECT(file != NULL);
        EXPECT(fputs(contents[i], file) >= 0);
        EXPECT_INTEGER(fclose(file), 0);
        ensure();
        expect_token_works();
        test_token_is_private();
    }
}

static void test_what_goes_wrong_is_said(void) {
    char sentence[512], missing[96];
    (void)snprintf(missing, sizeof missing, "%s/missing/token", folder);
    EXPECT(!demo_ensure(url, missing, sentence, sizeof sentence));
    EXPECT(strstr(sentence, "/missing/token: No such file") != NULL);
    EXPECT(!demo_ensure("postgresql:///?host=/nowhere", missing, sentence, sizeof sentence));
    EXPECT(strstr(sentence, "PostgreSQL cannot be used") == sentence);
}

int main(void) {
    static const struct test tests[] = {
        {"the first start makes the user, its data and its token",
         test_user_with_all_that_belongs_to_it},
        {"balances and counts are those of the transactions", test_balances_are_sums},
        {"the token is for its owner's eyes", test_token_is_private},
        {"the second start changes nothing", test_second_start_changes_nothing},
        {"a lost token is replaced, the user stays", test_lost_token_is_replaced},
        {"a token the database does not know is replaced", test_token_without_its_row_is_replaced},
        {"a file that holds no token is replaced", test_file_without_a_token_is_replaced},
        {"what goes wrong is said", test_what_goes_wrong_is_said},
    };
    url = getenv("DATABASE_URL");
    char sentence[512] = "DATABASE_URL is not set; run this test with tests/with_servers.";
    client = url == NULL ? NULL : sql_client_new(url, sentence, sizeof sentence);
    if (client == NULL) {
        fprintf(stderr, "%s\n", sentence);
        return 1;
    }
    ASSERT(mkdtemp(folder) != NULL);
    (void)snprintf(path, sizeof path, "%s/demo-token", folder);
    int result = expect_run(tests, COUNT_OF(tests));
    client = sql_client_free(client);
    ASSERT(unlink(path) == 0 && rmdir(folder) == 0);
    return result;
}
