// SPDX-License-Identifier: Apache-2.0
// The reads on a real database: what each shows, and that no list reads or sorts more than its
// page.
#include "expect.h"
#include "messages.h"
#include "operations.h"
#include "stage.h"

#include <stdio.h>

#define TOKEN "0a000000-0000-7000-8000-000000000070"
#define ACCOUNT_LONG "0a000000-0000-7000-8000-0000000000a0"
#define ACCOUNT_SHORT "0a000000-0000-7000-8000-0000000000a1"
#define CATEGORY "0a000000-0000-7000-8000-0000000000c0"

enum { SOURCES_MAX = 2, PER_PAGE = 15 };

static const char role[] = "valorize_query";

static void test_statements(void) {
    stage_test_statements();
}

static void test_foreign_ids(void) {
    stage_test_foreign_ids(role);
}

// --- tokens --------------------------------------------------------------------------------------

static enum status ask_token(struct stage *stage, char last_byte) {
    char hash[32] = {0};
    hash[31] = last_byte;
    const struct authenticate_request request = {stage_uuid(TOKEN), {hash, sizeof hash}};
    return stage_ask(stage, OPERATION_AUTHENTICATE, STAGE_TENANT_A, &request)->status;
}

static bool is_noted(struct stage *stage) {
    return strcmp(stage_value(stage, "SELECT last_used_at = now() FROM tokens"), "t") == 0;
}

static void test_a_token(void) {
    struct stage *stage = stage_new(role);
    stage_run(stage, "INSERT INTO tokens (id, tenant_id, secret_hash, name) VALUES ('" TOKEN "',"
                     " '" STAGE_TENANT_A "', decode(repeat('00', 31) || '05', 'hex'), 'mine')");
    EXPECT_INTEGER(ask_token(stage, 6), STATUS_UNAUTHENTICATED);
    EXPECT(!is_noted(stage));
    EXPECT_INTEGER(ask_token(stage, 5), STATUS_OK);
    EXPECT(is_noted(stage));
    stage_run(stage, "UPDATE tokens SET last_used_at = now() - interval '4 minutes'");
    EXPECT_INTEGER(ask_token(stage, 5), STATUS_OK);
    EXPECT(!is_noted(stage)); // not again within five minutes
    stage_run(stage, "UPDATE tokens SET expires_at = now() - interval '1 second'");
    EXPECT_INTEGER(ask_token(stage, 5), STATUS_UNAUTHENTICATED);
    stage_free(stage);
}

// --- what single rows and small lists show -------------------------------------------------------

static struct stage *with_one_transaction(void) {
    struct stage *stage = stage_new(role);
    stage_run(stage,
              "INSERT INTO accounts (id, tenant_id, bank_id, balance, version, transaction_count,"
              " currency, type, name, number) SELECT '" ACCOUNT_LONG "', '" STAGE_TENANT_A "', id,"
              " -2590, 1, 1, 'EUR', 'savings', 'Reserva', '77-x' FROM banks WHERE code = '341';"
              "INSERT INTO categories (id, tenant_id, version, is_default, color, name)"
              " VALUES ('" CATEGORY "', '" STAGE_TENANT_A "', 1, true, 'teal', 'Viagens');"
              "INSERT INTO transactions (id, tenant_id, account_id, category_id, amount, date,"
              " version, memo) VALUES ('0a000000-0000-7000-8000-0000000000d0',"
              " '" STAGE_TENANT_A "', '" ACCOUNT_LONG "', '" CATEGORY "', -2590,"
              " '2026-11-23 10:20:30Z', 1, 'Padaria 100%')");
    return stage;
}

#define ACCOUNT_JSON \
    "{\"id\":\"" ACCOUNT_LONG "\",\"name\":\"Reserva\",\"number\":\"77-x\"," \
    "\"balance\":{\"value\":-2590,\"currency\":\"EUR\",\"formatted\":\"-25,90 €\"}," \
    "\"currency\":\"EUR\",\"type\":\"savings\"," \
    "\"bank\":{\"id\":\"018c0000-0000-7000-8000-000000000341\",\"code\":\"341\"," \
    "\"name\":\"Itaú\"}}"
#define CATEGORY_JSON \
    "{\"id\":\"" CATEGORY "\",\"name\":\"Viagens\",\"description\":null," \
    "\"color\":\"teal\",\"is_default\":true}"
#define TRANSACTION_JSON \
    "{\"id\":\"0a000000-0000-7000-8000-0000000000d0\"," \
    "\"amount\":{\"value\":-2590,\"currency\":\"EUR\",\"formatted\":\"-25,90 €\"}," \
    "\"amount_formatted\":\"-25,90 €\",\"fitid\":null,\"memo\":\"Padaria 100%\"," \
    "\"type\":\"debit\",\"date\":\"2026-11-23T10:20:30Z\",\"category\":" CATEGORY_JSON "," \
    "\"account\":" ACCOUNT_JSON ",\"splits\":[]}"

static void test_single_rows(void) {
    static const struct {
        uint16_t operation;
        const char *id;
        const char *json;
    } cases[] = {
        {OPERATION_SHOW_ACCOUNT, ACCOUNT_LONG, ACCOUNT_JSON},
        {OPERATION_SHOW_CATEGORY, CATEGORY, CATEGORY_JSON},
        {OPERATION_SHOW_TRANSACTION, "0a000000-0000-7000-8000-0000000000d0", TRANSACTION_JSON},
    };
    struct stage *stage = with_one_transaction();
    for (uint32_t i = 0; i < COUNT_OF(cases); i++) {
        struct uuid id = stage_uuid(cases[i].id); // the requests have no other field
        const struct answer *answer = stage_ask(stage, cases[i].operation, STAGE_TENANT_A, &id);
        EXPECT_INTEGER(answer->status, STATUS_OK);
        EXPECT_TEXT(answer->json, cases[i].json);
        id.bytes[15] ^= 1;
        answer = stage_ask(stage, cases[i].operation, STAGE_TENANT_A, &id);
        EXPECT_INTEGER(answer->status, STATUS_NOT_FOUND);
    }
    stage_free(stage);
}

static void expect_accounts(struct stage *stage, const struct list_accounts_request *request,
                            bool found) {
    const struct answer *answer =
        stage_ask(stage, OPERATION_LIST_ACCOUNTS, STAGE_TENANT_A, request);
    EXPECT_INTEGER(answer->status, STATUS_OK);
    EXPECT_INTEGER(answer_has(answer, ACCOUNT_JSON), found);
    EXPECT_INTEGER(answer_has(answer, "\"total\":1"), found);
}

static void test_small_lists(void) {
    struct stage *stage = with_one_transaction();
    struct list_accounts_request request = {.page = 1, .per_page = PER_PAGE};
    expect_accounts(stage, &request, true);
    request.has_search = request.has_type = request.has_currency = true;
    request.search = TEXT("RESERVA");
    request.type = ACCOUNT_TYPE_SAVINGS;
    request.currency = CURRENCY_EUR;
    expect_accounts(stage, &request, true);
    request.search = TEXT("7-X");
    expect_accounts(stage, &request, true);
    request.search = TEXT("%");
    expect_accounts(stage, &request, false);
    request.has_search = false;
    request.type = ACCOUNT_TYPE_CREDIT;
    expect_accounts(stage, &request, false);

    struct list_categories_request categories = {.has_search = true, .search = TEXT("iagen")};
    const struct answer *answer =
        stage_ask(stage, OPERATION_LIST_CATEGORIES, STAGE_TENANT_A, &categories);
    EXPECT_TEXT(answer->json, "[" CATEGORY_JSON "]");
    categories.has_is_default = true;
    answer = stage_ask(stage, OPERATION_LIST_CATEGORIES, STAGE_TENANT_A, &categories);
    EXPECT_TEXT(answer->json, "[]");

    answer =
        stage_ask(stage, OPERATION_LIST_BANKS, STAGE_TENANT_A, &(struct list_banks_request){0});
    EXPECT(answer_has(answer, "\"code\":\"001\",\"name\":\"Banco do Brasil\""));
    stage_free(stage);
}

// --- lists of transactions -----------------------------------------------------------------------

// One account of 50,000 rows, one of 500, of one tenant; a quarter of them in one category.
static struct stage *with_a_long_account(void) {
    struct stage *stage = stage_new(role);
    stage_run(
        stage,
        "INSERT INTO accounts (id, tenant_id, bank_id, version, transaction_count, currency, type,"
        " name) SELECT own.id::uuid, '" STAGE_TENANT_A "', banks.id, 1, own.count, 'BRL',"
        " 'checking', 'Conta' FROM banks, (VALUES ('" ACCOUNT_LONG "', 50000),"
        " ('" ACCOUNT_SHORT "', 500)) AS own (id, count) WHERE code = '001';"
        "INSERT INTO categories (id, tenant_id, version, is_default, color, name)"
        " VALUES ('" CATEGORY "', '" STAGE_TENANT_A "', 1, true, 'teal', 'Viagens');"
        "INSERT INTO transactions (id, tenant_id, account_id, category_id, amount, date, version,"
        " memo) SELECT gen_random_uuid(), tenant_id, accounts.id,"
        " CASE WHEN n % 4 = 0 THEN '" CATEGORY "'::uuid END, n * 7919 % 20011 - 15000,"
        " '2026-11-23'::timestamptz - n * interval '17 minutes', 1, 'compra ' || n * 7877 % 50021"
        " FROM accounts, generate_series(1, transaction_count) AS n;"
        "ANALYZE accounts; ANALYZE categories; ANALYZE transactions");
    return stage;
}

static struct list_transactions_request everything(void) {
    struct list_transactions_request request;
    message_reset(&list_transactions_request_message, &request);
    return request;
}

static void test_an_account_is_listed(void) {
    struct stage *stage = with_a_long_account();
    struct uuid ids[] = {stage_uuid(ACCOUNT_SHORT)};
    struct list_transactions_request request = everything();
    const struct answer *answer =
        stage_ask(stage, OPERATION_LIST_TRANSACTIONS, STAGE_TENANT_A, &request);
    EXPECT(answer_has(answer, "\"total\":50500"));
    request.has_accounts = true;
    request.accounts = (struct list){ids, 1};
    answer = stage_ask(stage, OPERATION_LIST_TRANSACTIONS, STAGE_TENANT_A, &request);
    EXPECT(answer_has(answer, "\"total\":500"));
    EXPECT(answer_has(answer, ACCOUNT_SHORT) && !answer_has(answer, ACCOUNT_LONG));
    // Its total is the account's own count, not a count of rows.
    stage_run(stage, "UPDATE accounts SET transaction_count = 4711 WHERE id = '" ACCOUNT_SHORT "'");
    answer = stage_ask(stage, OPERATION_LIST_TRANSACTIONS, STAGE_TENANT_A, &request);
    EXPECT(answer_has(answer, "\"total\":4711"));
    stage_free(stage);
}

// The most rows that a line of EXPLAIN ANALYZE tells of one step, all its loops together.
static uint32_t rows_of_step(const char *line) {
    uint32_t rows, loops;
    const char *actual = strstr(line, "(actual rows=");
    if (actual == NULL || sscanf(actual, "(actual rows=%u loops=%u)", &rows, &loops) != 2)
        return 0;
    return rows * loops;
}

static void check_plan(struct stage *stage, const struct statement *statement, const char *values) {
    static char sql[16 << 10];
    snprintf(sql, sizeof sql, "PREPARE plan AS %s", statement->sql);
    stage_run(stage, sql);
    snprintf(sql, sizeof sql, "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) EXECUTE plan%s%s%s",
             values == NULL ? "" : " (", values == NULL ? "" : values, values == NULL ? "" : ")");
    // Without parameters it is a list of all there is.
    bool is_page = values != NULL && strstr(statement->name, "_total") == NULL;
    uint32_t lines = stage_lines(stage, sql);
    for (uint32_t i = 0; i < lines; i++) {
        const char *line = stage_line(stage, i);
        bool reads_much = is_page && rows_of_step(line) > SOURCES_MAX * PER_PAGE;
        if (reads_much || strstr(line, "Seq Scan") != NULL)
            fprintf(stderr, "%s: %s\n", statement->name, line);
        EXPECT(!reads_much);
        EXPECT(strstr(line, "Seq Scan") == NULL);
    }
    EXPECT(lines > 2);
    stage_run(stage, "DEALLOCATE plan");
}

static const struct handler *handler_of(uint16_t operation) {
    const struct handler *handler = handlers;
    while (handler->operation->number != operation)
        handler++;
    return handler;
}

// No step of a page's plan, a sort or a scan, has more rows than the page has for each account or
// category it is merged from, however many the account holds.
static void test_plans(void) {
#define ALL "'" STAGE_TENANT_A "', '1900-01-01', '2199-12-31'"
#define FILTER ALL ", NULL, '{" CATEGORY "}', -1000000000000000, 1000000000000000, NULL"
#define ACCOUNTS ALL ", NULL, NULL, -1000000000000000, 1000000000000000, NULL"
    struct stage *stage = with_a_long_account();
    const struct handler *handler = handler_of(OPERATION_LIST_TRANSACTIONS);
    for (uint32_t i = 0; i < handler->statement_count; i++) {
        const struct statement *statement = &handler->statements[i];
        bool of_categories = strstr(statement->name, "_of_categories") != NULL;
        const char *values = of_categories ? FILTER ", 0, 15" : ACCOUNTS ", 0, 15";
        if (statement->parameter_count == 2)
            values = "'" STAGE_TENANT_A "', NULL";
        else if (statement->parameter_count == 3)
            values = ALL;
        else if (statement->parameter_count == 5)
            values = ALL ", 0, 15";
        else if (statement->parameter_count == 8)
            values = of_categories ? FILTER : ACCOUNTS;
        check_plan(stage, statement, values);
    }
    check_plan(stage, &handler_of(OPERATION_LIST_ACCOUNTS)->statements[0],
               "'" STAGE_TENANT_A "', NULL, NULL, NULL, 0, 15");
    check_plan(stage, &handler_of(OPERATION_LIST_ACCOUNTS)->statements[1],
               "'" STAGE_TENANT_A "', NULL, NULL, NULL");
    check_plan(stage, handler_of(OPERATION_LIST_CATEGORIES)->statements,
               "'" STAGE_TENANT_A "', NULL, NULL");
    check_plan(stage, handler_of(OPERATION_LIST_BANKS)->statements, NULL);
    stage_free(stage);
}

int main(void) {
    static const struct test tests[] = {
        {"every statement fits the database and the tables", test_statements},
        {"ids of another tenant show and change nothing", test_foreign_ids},
        {"a token is known by its secret until it expires, its use is noted", test_a_token},
        {"single rows are shown whole, unknown ids are not found", test_single_rows},
        {"accounts, categories and banks are listed and filtered", test_small_lists},
        {"an account's total stands in it", test_an_account_is_listed},
        {"no list reads, sorts or scans more than its page", test_plans},
    };
    return expect_run(tests, COUNT_OF(tests));
}
