// SPDX-License-Identifier: Apache-2.0
#include "expect.h"
#include "limits.h"
#include "tenant.h"

#include <stdio.h>

static const uint64_t START_US = 1000000;
static const int64_t WALL_US = 1700000000000000;
static const struct uuid ANN = {{1, 2, 3}};
static const struct uuid BOB = {{9, 8, 7}};

static struct token token_make(unsigned id, unsigned secret) {
    char text[128];
    struct token token;
    (void)snprintf(text, sizeof text, "Bearer 01890000-0000-7000-8000-%012x|%040x", id, secret);
    EXPECT(token_parse(text_of(text), &token));
    return token;
}

static void learn(struct tenant_table *table, const struct token *token, const struct uuid *tenant,
                  int64_t expires_at_us, uint64_t now_us) {
    struct waiter waiter;
    bool first;
    struct lookup *lookup = tenant_lookup_join(table, token, &waiter, &first);
    EXPECT(first);
    EXPECT(tenant_lookup_settle(table, lookup, tenant, expires_at_us, now_us) == &waiter);
}

static enum tenant_state find_token(struct tenant_table *table, const struct token *token,
                                    uint64_t now_us) {
    struct uuid tenant;
    return tenant_find(table, token, now_us, WALL_US, &tenant);
}

static void test_parse(void) {
    static const struct {
        const char *text;
        bool good;
    } cases[] = {
        {"Bearer 01890000-0000-7000-8000-00000000000a|0123456789012345678901234567890123456789",
         true},
        {"bearer 01890000-0000-7000-8000-00000000000A|0123456789012345678901234567890123456789",
         true},
        {"Basic  01890000-0000-7000-8000-00000000000a|0123456789012345678901234567890123456789",
         false},
        {"Bearer 01890000-0000-7000-8000-00000000000a|012345678901234567890123456789012345678",
         false},
        {"Bearer 01890000-0000-7000-8000-00000000000a|01234567890123456789012345678901234567890",
         false},
        {"Bearer 01890000-0000-7000-8000-00000000000g|0123456789012345678901234567890123456789",
         false},
        {"Bearer 01890000-0000-7000-8000-00000000000a/0123456789012345678901234567890123456789",
         false},
        {"Bearer ", false},
        {"", false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct token token;
        EXPECT_INTEGER(token_parse(text_of(cases[i].text), &token), cases[i].good);
    }
    struct token token;
    EXPECT(!token_parse((struct text){0}, &token));
}

static void test_known(void) {
    struct tenant_table *table = tenant_table_new();
    struct token token = token_make(1, 1);
    EXPECT_INTEGER(find_token(table, &token, START_US), TENANT_NOT_HERE);
    learn(table, &token, &ANN, 0, START_US);
    struct uuid tenant;
    EXPECT_INTEGER(tenant_find(table, &token, START_US, WALL_US, &tenant), TENANT_KNOWN);
    EXPECT(uuid_equal(tenant, ANN));
    struct token other = token_make(1, 2); // the same id, another secret
    EXPECT_INTEGER(find_token(table, &other, START_US), TENANT_NOT_HERE);
    EXPECT_INTEGER(find_token(table, &token, START_US + TOKEN_CACHE_MS * 1000 - 1), TENANT_KNOWN);
    EXPECT_INTEGER(find_token(table, &token, START_US + TOKEN_CACHE_MS * 1000), TENANT_NOT_HERE);
    tenant_table_free(table);
}

static void test_expiry(void) {
    struct tenant_table *table = tenant_table_new();
    struct token token = token_make(1, 1);
    struct uuid tenant;
    learn(table, &token, &ANN, WALL_US + 5, START_US);
    EXPECT_INTEGER(tenant_find(table, &token, START_US, WALL_US + 4, &tenant), TENANT_KNOWN);
    EXPECT_INTEGER(tenant_find(table, &token, START_US, WALL_US + 5, &tenant), TENANT_UNKNOWN);
    tenant_table_free(table);
}

static void test_unknown(void) {
    struct tenant_table *table = tenant_table_new();
    struct token token = token_make(1, 1);
    learn(table, &token, NULL, 0, START_US);
    EXPECT_INTEGER(find_token(table, &token, START_US + TOKEN_UNKNOWN_MS * 1000 - 1),
                   TENANT_UNKNOWN);
    EXPECT_INTEGER(find_token(table, &token, START_US + TOKEN_UNKNOWN_MS * 1000), TENANT_NOT_HERE);
    struct token good = token_make(2, 2);
    learn(table, &good, &BOB, 0, START_US);
    for (unsigned i = 0; i < 100000; i++) { // a flood of bad ones drives out no good one
        struct token bad = token_make(1000 + i, i);
        learn(table, &bad, NULL, 0, START_US);
    }
    EXPECT_INTEGER(find_token(table, &good, START_US), TENANT_KNOWN);
    tenant_table_free(table);
}

static void test_replacement(void) {
    struct tenant_table *table = tenant_table_new();
    struct token tokens[9];
    for (unsigned i = 0; i < 9; i++) { // all of one set: the slot is the id's last four bytes
        tokens[i] = token_make(1, i);
        tokens[i].id.bytes[0] = (uint8_t)i;
        learn(table, &tokens[i], &ANN, 0, START_US + (i == 3 ? 0 : 1 + i));
    }
    for (unsigned i = 0; i < 9; i++)
        EXPECT_INTEGER(find_token(table, &tokens[i], START_US + 100),
                       i == 3 ? TENANT_NOT_HERE : TENANT_KNOWN);
    tenant_table_free(table);
}

static void test_joined(void) {
    struct tenant_table *table = tenant_table_new();
    struct token token = token_make(1, 1);
    struct token other = token_make(1, 2);
    struct waiter a, b, c, d;
    bool first;
    struct lookup *lookup = tenant_lookup_join(table, &token, &a, &first);
    EXPECT(first);
    EXPECT(tenant_lookup_join(table, &token, &b, &first) == lookup);
    EXPECT(!first);
    EXPECT(tenant_lookup_join(table, &token, &c, &first) == lookup);
    EXPECT(tenant_lookup_join(table, &other, &d, &first) != lookup);
    EXPECT(first);
    EXPECT(tenant_lookup_of(table, lookup) == lookup);
    EXPECT(tenant_lookup_of(table, &a) == NULL);
    tenant_lookup_leave(lookup, &b);
    struct waiter *waiters = tenant_lookup_settle(table, lookup, &ANN, 0, START_US);
    EXPECT(waiters == &c && c.next == &a && a.next == NULL);
    EXPECT_INTEGER(find_token(table, &token, START_US), TENANT_KNOWN);
    EXPECT_INTEGER(find_token(table, &other, START_US), TENANT_NOT_HERE);
    tenant_table_free(table);
}

static void test_full(void) {
    struct tenant_table *table = tenant_table_new();
    static struct waiter waiters[TENANT_LOOKUPS_MAX];
    struct lookup *lookups[TENANT_LOOKUPS_MAX];
    bool first;
    for (unsigned i = 0; i < TENANT_LOOKUPS_MAX; i++) {
        struct token token = token_make(i, i);
        lookups[i] = tenant_lookup_join(table, &token, &waiters[i], &first);
        EXPECT(lookups[i] != NULL);
    }
    struct token token = token_make(5000, 5000);
    struct waiter waiter;
    EXPECT(tenant_lookup_join(table, &token, &waiter, &first) == NULL);
    EXPECT(tenant_lookup_fail(table, lookups[7]) == &waiters[7]);
    EXPECT(tenant_lookup_join(table, &token, &waiter, &first) == lookups[7]);
    tenant_table_free(table);
}

static void test_revoked(void) {
    struct tenant_table *table = tenant_table_new();
    struct token one = token_make(1, 1), two = token_make(2, 2), three = token_make(3, 3);
    learn(table, &one, &ANN, 0, START_US);
    learn(table, &two, &ANN, 0, START_US);
    learn(table, &three, &BOB, 0, START_US);
    tenant_revoke_token(table, one.id);
    EXPECT_INTEGER(find_token(table, &one, START_US), TENANT_NOT_HERE);
    EXPECT_INTEGER(find_token(table, &two, START_US), TENANT_KNOWN);
    tenant_revoke_all(table, ANN);
    EXPECT_INTEGER(find_token(table, &two, START_US), TENANT_NOT_HERE);
    EXPECT_INTEGER(find_token(table, &three, START_US), TENANT_KNOWN);
    tenant_table_clear(table);
    EXPECT_INTEGER(find_token(table, &three, START_US), TENANT_NOT_HERE);
    tenant_table_free(table);
}

static void test_revoked_meanwhile(void) {
    struct tenant_table *table = tenant_table_new();
    struct token token = token_make(1, 1);
    struct waiter early, late;
    bool first;
    struct lookup *before = tenant_lookup_join(table, &token, &early, &first);
    tenant_revoke_token(table, token.id);
    struct lookup *after = tenant_lookup_join(table, &token, &late, &first);
    EXPECT(first && after != before);
    EXPECT(tenant_lookup_settle(table, before, &ANN, 0, START_US) == &early);
    EXPECT_INTEGER(find_token(table, &token, START_US), TENANT_NOT_HERE);
    EXPECT(tenant_lookup_settle(table, after, NULL, 0, START_US) == &late);
    EXPECT_INTEGER(find_token(table, &token, START_US), TENANT_UNKNOWN);
    tenant_table_free(table);
}

int main(void) {
    static const struct test tests[] = {
        {"only the form <id>|<secret> is a token", test_parse},
        {"a resolved token is believed for 30 s, with its own secret only", test_known},
        {"an expired token is refused at each use", test_expiry},
        {"a refused token is refused for 2 s and drives out no good one", test_unknown},
        {"the oldest of a full set makes room", test_replacement},
        {"requests with one token wait for one look-up", test_joined},
        {"too many look-ups are refused", test_full},
        {"a revocation is obeyed at once", test_revoked},
        {"an answer older than a revocation is not remembered", test_revoked_meanwhile},
    };
    return expect_run(tests, COUNT_OF(tests));
}
