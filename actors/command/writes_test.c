// SPDX-License-Identifier: Apache-2.0
// The writes on a real database: what each changes, answers and refuses.
#include "expect.h"
#include "messages.h"
#include "operations.h"
#include "stage.h"

#include <stdio.h>

#define ACCOUNT "0a000000-0000-7000-8000-0000000000a0"
#define CATEGORY "0a000000-0000-7000-8000-0000000000c0"
#define BANK_1 "018c0000-0000-7000-8000-000000000001"
#define BANK_341 "018c0000-0000-7000-8000-000000000341"
#define NOBODYS "0c000000-0000-7000-8000-0000000000ff"

static const char role[] = "valorize_command";

static void test_statements(void) {
    stage_test_statements();
}

static void test_foreign_ids(void) {
    stage_test_foreign_ids(role);
}

// --- one tenant's things -------------------------------------------------------------------------

static struct stage *with_an_account(void) {
    struct stage *stage = stage_new(role);
    stage_run(stage,
              "INSERT INTO accounts (id, tenant_id, bank_id, version, currency, type, name)"
              " VALUES ('" ACCOUNT "', '" STAGE_TENANT_A "', '" BANK_1 "', 1, 'BRL', 'checking',"
              " 'Conta');"
              "INSERT INTO categories (id, tenant_id, version, is_default, color, name)"
              " VALUES ('" CATEGORY "', '" STAGE_TENANT_A "', 1, true, 'teal', 'Viagens')");
    return stage;
}

static void expect_value(struct stage *stage, const char *sql, const char *value) {
    EXPECT_TEXT(text_of(stage_value(stage, sql)), value);
}

static void expect_balance(struct stage *stage, const char *balance_and_count) {
    expect_value(stage, "SELECT balance || ' ' || transaction_count FROM accounts",
                 balance_and_count);
    expect_value(stage, "SELECT coalesce(sum(amount), 0) || ' ' || count(*) FROM transactions",
                 balance_and_count);
}

static struct create_transaction_request purchase(int64_t value) {
    return (struct create_transaction_request){
        .account_id = stage_uuid(ACCOUNT),
        .category_id = stage_uuid(CATEGORY),
        .has_category_id = true,
        .amount = {value, CURRENCY_BRL},
        .date = 1795438800000000,
        .memo = TEXT("Padaria"),
        .has_memo = true,
    };
}

static const struct answer *create(struct stage *stage, struct create_transaction_request request) {
    return stage_ask(stage, OPERATION_CREATE_TRANSACTION, STAGE_TENANT_A, &request);
}

static struct uuid made_id(struct stage *stage) {
    return stage_uuid(stage_value(stage, "SELECT id FROM transactions ORDER BY version DESC"));
}

// --- transactions --------------------------------------------------------------------------------

static void test_a_transaction_is_created(void) {
    struct stage *stage = with_an_account();
    const struct answer *answer = create(stage, purchase(-2590));
    EXPECT_INTEGER(answer->status, STATUS_OK);
    EXPECT(answer->version > 0 && !answer->replayed);
    EXPECT(answer_has(answer, "\"formatted\":\"-R$ 25,90\"},\"amount_formatted\":"));
    EXPECT(answer_has(answer, "\"fitid\":null,\"memo\":\"Padaria\",\"type\":\"debit\","
                              "\"date\":\"2026-11-23T13:00:00Z\",\"category\":{\"id\":\""));
    EXPECT(answer_has(answer, "\"name\":\"Conta\",\"number\":null,\"balance\":{\"value\":-2590,"));
    EXPECT(answer_has(answer, "\"splits\":[]}"));
    expect_balance(stage, "-2590 1");
    expect_value(stage,
                 "SELECT kind || ' ' || (payload->>'amount') || ' ' || (shard ="
                 " outbox_shard(tenant_id)) || ' ' || trace FROM outbox",
                 "transaction.created -2590 true " STAGE_TRACEPARENT);
    expect_value(stage,
                 "SELECT count(DISTINCT version) FROM (SELECT version FROM transactions"
                 " UNION ALL SELECT version FROM accounts UNION ALL SELECT version FROM"
                 " outbox UNION ALL SELECT version FROM idempotency) AS all_of_it",
                 "1");
    stage_free(stage);
}

static void test_a_repeat_has_no_second_effect(void) {
    struct stage *stage = with_an_account();
    static char first[4096];
    const struct answer *answer = create(stage, purchase(-2590));
    EXPECT(answer->json.length < sizeof first);
    memcpy(first, answer->json.bytes, answer->json.length);
    (void)create(stage, purchase(100)); // the account moves on; the stored answer does not
    stage_repeat(stage, 1);
    answer = create(stage, purchase(-2590));
    EXPECT_INTEGER(answer->status, STATUS_OK);
    EXPECT(answer->replayed);
    EXPECT(text_equal(answer->json, (struct text){first, answer->json.length}));
    expect_balance(stage, "-2490 2");
    stage_free(stage);
}

static void test_a_refused_transaction_changes_nothing(void) {
    struct stage *stage = with_an_account();
    struct create_transaction_request request = purchase(5);
    request.amount.currency = CURRENCY_USD;
    EXPECT(answer_refuses(create(stage, request), "amount.currency"));
    request = purchase(5);
    request.account_id = request.category_id = stage_uuid(NOBODYS);
    const struct answer *answer = create(stage, request);
    EXPECT(answer_refuses(answer, "account_id") && answer_refuses(answer, "category_id"));
    EXPECT_INTEGER(answer->failure.error_count, 2);
    expect_balance(stage, "0 0");
    expect_value(stage, "SELECT count(*) FROM outbox, idempotency", "0");

    for (int64_t sign = -1; sign <= 1; sign += 2) {
        EXPECT_INTEGER(create(stage, purchase(sign * MONEY_MAX))->status, STATUS_OK);
        EXPECT(answer_refuses(create(stage, purchase(sign)), "amount.value"));
        EXPECT_INTEGER(create(stage, purchase(-sign * MONEY_MAX))->status, STATUS_OK);
    }
    expect_balance(stage, "0 4");
    stage_free(stage);
}

static void test_a_transaction_is_replaced(void) {
    struct stage *stage = with_an_account();
    (void)create(stage, purchase(-2590));
    struct update_transaction_request request = {
        .id = made_id(stage), .amount = {41, CURRENCY_BRL}, .date = 0};
    const struct answer *answer =
        stage_ask(stage, OPERATION_UPDATE_TRANSACTION, STAGE_TENANT_A, &request);
    EXPECT_INTEGER(answer->status, STATUS_OK);
    EXPECT(answer_has(answer, "\"memo\":null,\"type\":\"credit\",\"date\":"
                              "\"1970-01-01T00:00:00Z\",\"category\":null,"));
    expect_balance(stage, "41 1");

    request.amount.currency = CURRENCY_EUR;
    request.category_id = stage_uuid(NOBODYS);
    request.has_category_id = true;
    answer = stage_ask(stage, OPERATION_UPDATE_TRANSACTION, STAGE_TENANT_A, &request);
    EXPECT(answer_refuses(answer, "amount.currency") && answer_refuses(answer, "category_id"));
    (void)create(stage, purchase(MONEY_MAX - 41));
    request = (struct update_transaction_request){.id = request.id, .amount = {42, CURRENCY_BRL}};
    answer = stage_ask(stage, OPERATION_UPDATE_TRANSACTION, STAGE_TENANT_A, &request);
    EXPECT(answer_refuses(answer, "amount.value"));
    request.id = stage_uuid(NOBODYS);
    answer = stage_ask(stage, OPERATION_UPDATE_TRANSACTION, STAGE_TENANT_A, &request);
    EXPECT_INTEGER(answer->status, STATUS_NOT_FOUND);
    expect_balance(stage, "1000000000000000 2");
    stage_free(stage);
}

static void test_a_transaction_is_deleted(void) {
    struct stage *stage = with_an_account();
    (void)create(stage, purchase(-10));
    struct delete_transaction_request request = {made_id(stage)};
    (void)create(stage, purchase(MONEY_MAX));
    (void)create(stage, purchase(10));
    const struct answer *answer =
        stage_ask(stage, OPERATION_DELETE_TRANSACTION, STAGE_TENANT_A, &request);
    EXPECT(answer_refuses(answer, "id")); // the balance would pass its limit
    struct delete_transaction_request last = {made_id(stage)};
    EXPECT_INTEGER(stage_ask(stage, OPERATION_DELETE_TRANSACTION, STAGE_TENANT_A, &last)->status,
                   STATUS_OK);
    EXPECT_INTEGER(stage_ask(stage, OPERATION_DELETE_TRANSACTION, STAGE_TENANT_A, &last)->status,
                   STATUS_NOT_FOUND);
    EXPECT_INTEGER(stage_ask(stage, OPERATION_DELETE_TRANSACTION, STAGE_TENANT_A, &request)->status,
                   STATUS_OK);
    expect_balance(stage, "1000000000000000 1");
    expect_value(stage, "SELECT count(*) FROM outbox WHERE kind = 'transaction.deleted'", "2");
    stage_free(stage);
}

// --- accounts and categories ---------------------------------------------------------------------

static void test_an_account_is_created_replaced_and_deleted(void) {
    struct stage *stage = with_an_account();
    struct create_account_request made = {.name = TEXT("Nova"),
                                          .currency = CURRENCY_EUR,
                                          .type = ACCOUNT_TYPE_CREDIT,
                                          .bank_id = stage_uuid(BANK_341)};
    const struct answer *answer = stage_ask(stage, OPERATION_CREATE_ACCOUNT, STAGE_TENANT_A, &made);
    EXPECT_INTEGER(answer->status, STATUS_OK);
    EXPECT(answer_has(answer, "\"name\":\"Nova\",\"number\":null,\"balance\":{\"value\":0,"
                              "\"currency\":\"EUR\","));
    EXPECT(answer_has(answer, "\"type\":\"credit\",\"bank\":{\"id\":\"" BANK_341 "\""));
    made.bank_id = stage_uuid(NOBODYS);
    EXPECT(answer_refuses(stage_ask(stage, OPERATION_CREATE_ACCOUNT, STAGE_TENANT_A, &made),
                          "bank_id"));

    struct update_account_request request = {.id = stage_uuid(ACCOUNT),
                                             .name = TEXT("Outra"),
                                             .number = TEXT("9"),
                                             .has_number = true,
                                             .currency = CURRENCY_USD,
                                             .type = ACCOUNT_TYPE_SAVINGS,
                                             .bank_id = stage_uuid(BANK_341)};
    (void)create(stage, purchase(7));
    answer = stage_ask(stage, OPERATION_UPDATE_ACCOUNT, STAGE_TENANT_A, &request);
    EXPECT(answer_refuses(answer, "currency"));
    request.currency = CURRENCY_BRL;
    answer = stage_ask(stage, OPERATION_UPDATE_ACCOUNT, STAGE_TENANT_A, &request);
    EXPECT_INTEGER(answer->status, STATUS_OK);
    EXPECT(answer_has(answer, "\"name\":\"Outra\",\"number\":\"9\",\"balance\":{\"value\":7,"));

    struct delete_account_request gone = {request.id};
    EXPECT(answer_refuses(stage_ask(stage, OPERATION_DELETE_ACCOUNT, STAGE_TENANT_A, &gone), "id"));
    struct delete_transaction_request row = {made_id(stage)};
    (void)stage_ask(stage, OPERATION_DELETE_TRANSACTION, STAGE_TENANT_A, &row);
    EXPECT_INTEGER(stage_ask(stage, OPERATION_DELETE_ACCOUNT, STAGE_TENANT_A, &gone)->status,
                   STATUS_OK);
    EXPECT_INTEGER(stage_ask(stage, OPERATION_DELETE_ACCOUNT, STAGE_TENANT_A, &gone)->status,
                   STATUS_NOT_FOUND);
    stage_free(stage);
}

static void test_a_category_is_created_replaced_and_deleted(void) {
    struct stage *stage = with_an_account();
    struct create_category_request made = {.name = TEXT("Gatos"), .color = COLOR_SKY};
    const struct answer *answer =
        stage_ask(stage, OPERATION_CREATE_CATEGORY, STAGE_TENANT_A, &made);
    EXPECT(answer_has(answer, "\"name\":\"Gatos\",\"description\":null,\"color\":\"sky\","
                              "\"is_default\":false}"));
    struct update_category_request request = {.id = stage_uuid(CATEGORY),
                                              .name = TEXT("Rotas"),
                                              .color = COLOR_PEACH,
                                              .description = TEXT("de trem"),
                                              .has_description = true};
    answer = stage_ask(stage, OPERATION_UPDATE_CATEGORY, STAGE_TENANT_A, &request);
    EXPECT(answer_has(answer, "\"name\":\"Rotas\",\"description\":\"de trem\",\"color\":"
                              "\"peach\",\"is_default\":false}"));

    (void)create(stage, purchase(7));
    struct delete_category_request gone = {request.id};
    EXPECT_INTEGER(stage_ask(stage, OPERATION_DELETE_CATEGORY, STAGE_TENANT_A, &gone)->status,
                   STATUS_OK);
    expect_value(stage,
                 "SELECT category_id IS NULL AND version > (SELECT version FROM accounts)"
                 " FROM transactions",
                 "t");
    expect_value(stage,
                 "SELECT payload->>'transactions' || ' ' || (payload->>'id') || ' ' || trace"
                 " FROM outbox WHERE kind = 'category.deleted'",
                 "1 " CATEGORY " " STAGE_TRACEPARENT);
    EXPECT_INTEGER(stage_ask(stage, OPERATION_DELETE_CATEGORY, STAGE_TENANT_A, &gone)->status,
                   STATUS_NOT_FOUND);
    stage_free(stage);
}

static void test_a_tenant_has_no_more_than_the_limits(void) {
    struct stage *stage = with_an_account();
    char sql[512];
    snprintf(sql, sizeof sql,
             "INSERT INTO accounts (id, tenant_id, bank_id, version, currency, type, name)"
             " SELECT gen_random_uuid(), tenant_id, bank_id, 1, 'BRL', 'checking', 'more'"
             " FROM accounts, generate_series(1, %d);"
             "INSERT INTO categories (id, tenant_id, version, is_default, color, name)"
             " SELECT gen_random_uuid(), tenant_id, 1, false, 'red', 'more'"
             " FROM categories, generate_series(1, %d)",
             ACCOUNTS_PER_TENANT_MAX - 2, CATEGORIES_PER_TENANT_MAX - 2);
    stage_run(stage, sql);
    struct create_account_request account = {.name = TEXT("Nova"), .bank_id = stage_uuid(BANK_1)};
    struct create_category_request category = {.name = TEXT("Nova")};
    for (int room = 1; room >= 0; room--) {
        enum status wanted = room > 0 ? STATUS_OK : STATUS_INVALID;
        EXPECT_INTEGER(stage_ask(stage, OPERATION_CREATE_ACCOUNT, STAGE_TENANT_A, &account)->status,
                       wanted);
        EXPECT_INTEGER(
            stage_ask(stage, OPERATION_CREATE_CATEGORY, STAGE_TENANT_A, &category)->status, wanted);
    }
    stage_free(stage);
}

// --- a user for load tests -----------------------------------------------------------------------

static void test_a_load_test_user_is_whole(void) {
    struct stage *stage = stage_new(role);
    const struct load_test_user_request request = {0};
    const struct answer *answer = stage_ask(stage, OPERATION_LOAD_TEST_USER, NOBODYS, &request);
    EXPECT_INTEGER(answer->status, STATUS_OK);
    EXPECT(answer_has(answer, "\"user_id\":\"" NOBODYS "\""));
    static char token[128];
    EXPECT_INTEGER(sscanf(answer->json.bytes, "{\"token\":\"%77[0-9a-f|-]\"", token), 1);
    EXPECT_INTEGER(strlen(token), 36 + 1 + 40);
    char sql[512];
    snprintf(sql, sizeof sql,
             "SELECT count(*) FROM tokens WHERE id = split_part('%s', '|', 1)::uuid AND secret_hash"
             " = sha256(split_part('%s', '|', 2)::bytea) AND expires_at = now() + interval '1 day'",
             token, token);
    expect_value(stage, sql, "1");
    expect_value(stage,
                 "SELECT count(*) FROM accounts WHERE currency = 'BRL' AND type ="
                 " 'checking' AND tenant_id = '" NOBODYS "'",
                 "3");
    expect_value(stage,
                 "SELECT count(DISTINCT color) FROM categories WHERE is_default"
                 " AND tenant_id = '" NOBODYS "'",
                 "10");
    stage_repeat(stage, 0);
    answer = stage_ask(stage, OPERATION_LOAD_TEST_USER, NOBODYS, &request);
    EXPECT(answer->replayed && answer_has(answer, token));
    stage_free(stage);
}

// --- housekeeping --------------------------------------------------------------------------------

static void test_housekeeping(void) {
    struct stage *stage = stage_new(role);
    stage_run(stage,
              "INSERT INTO idempotency SELECT slot, '" STAGE_TENANT_A "', 1, gen_random_uuid(),"
              " gen_random_uuid(), 1, '{}' FROM generate_series(0, 5) AS slot;"
              "INSERT INTO outbox (shard, version, tenant_id, kind, payload, created_at)"
              " SELECT 63, n, '" STAGE_TENANT_A "', 'old', '{}', now() - interval '61 minutes'"
              " FROM generate_series(1, 9) AS n;"
              "INSERT INTO outbox (shard, version, tenant_id, kind, payload, created_at)"
              " SELECT shard, 10, '" STAGE_TENANT_A
              "', 'young', '{}', now() - interval '59 minutes'"
              " FROM generate_series(0, 63) AS shard");
    for (int left = 2; left >= 0; left -= 2) {
        stage_run(stage, "SET LOCAL ROLE valorize_command");
        expect_value(stage, "SELECT housekeeping()", "t");
        stage_run(stage, "RESET ROLE");
        char count[8];
        snprintf(count, sizeof count, "%d", left);
        expect_value(stage, "SELECT count(*) FROM outbox WHERE kind = 'old'", count);
    }
    expect_value(stage, "SELECT housekeeping()", "f");
    expect_value(stage, "SELECT count(*) FROM outbox", "64");
    // Of each ring the table whose turn is next is empty, unless its turn is about to begin.
    expect_value(stage,
                 "SELECT array_agg(slot::int ORDER BY slot) = (SELECT array_agg(slot ORDER BY slot)"
                 " FROM generate_series(0, 5) AS slot WHERE slot NOT IN ("
                 "  SELECT idempotency_slot(internal, now() + turn)"
                 "  FROM (VALUES (false, interval '24 hours'), (true, interval '15 minutes'))"
                 "   AS ring (internal, turn)"
                 "  WHERE idempotency_slot(internal, now() + turn)"
                 "   <> idempotency_slot(internal, now() + interval '10 seconds')))"
                 " FROM idempotency",
                 "t");
    stage_free(stage);
}

int main(void) {
    static const struct test tests[] = {
        {"every statement fits the database and the tables", test_statements},
        {"ids of another tenant show and change nothing", test_foreign_ids},
        {"a created transaction moves its account and is told", test_a_transaction_is_created},
        {"a repeat has no second effect", test_a_repeat_has_no_second_effect},
        {"a refused transaction changes nothing", test_a_refused_transaction_changes_nothing},
        {"a transaction is replaced", test_a_transaction_is_replaced},
        {"a transaction is deleted", test_a_transaction_is_deleted},
        {"an account is created, replaced and deleted",
         test_an_account_is_created_replaced_and_deleted},
        {"a category is created, replaced and deleted",
         test_a_category_is_created_replaced_and_deleted},
        {"a tenant has no more than the limits", test_a_tenant_has_no_more_than_the_limits},
        {"a user for load tests is whole", test_a_load_test_user_is_whole},
        {"housekeeping empties what is next and deletes what is old", test_housekeeping},
    };
    return expect_run(tests, COUNT_OF(tests));
}
