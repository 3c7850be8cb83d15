// SPDX-License-Identifier: Apache-2.0
#include "codec.h"
#include "expect.h"
#include "json_binding.h"
#include "messages.h"
#include "operations.h"

#define ID "01890000-0000-7000-8000-000000000077"
#define AMOUNT "\"amount\":{\"value\":5,\"currency\":\"BRL\"}"

static struct arena arena;
static struct failure failure;
static struct text packed;

static enum status pack(uint16_t operation, struct binding_source source) {
    arena_reset(&arena);
    return binding_pack(operation_find(operation), &source, &arena, &failure, &packed);
}

static enum status pack_body(const char *body) {
    return pack(OPERATION_CREATE_TRANSACTION, (struct binding_source){.body = text_of(body)});
}

static bool tells(const char *path) {
    for (uint32_t i = 0; i < failure.error_count; i++)
        if (text_equal(failure.errors[i].path, text_of(path)))
            return true;
    return false;
}

static void test_canonical(void) {
    char first[512];
    EXPECT_INTEGER(
        pack_body("{\"account_id\":\"" ID "\"," AMOUNT ",\"date\":\"2026-11-23\",\"memo\":null}"),
        STATUS_OK);
    EXPECT(packed.length > 0 && packed.length <= sizeof first);
    memcpy(first, packed.bytes, packed.length);
    struct text before = {first, packed.length};
    EXPECT_INTEGER(pack_body(" {\"unknown\":[1,{}],\"date\":\"2026-11-23T00:00:00Z\"," AMOUNT
                             ",\"account_id\":\"" ID "\"}\n"),
                   STATUS_OK);
    EXPECT(text_equal(before, packed));
    struct create_transaction_request request;
    EXPECT_INTEGER(codec_decode(&create_transaction_request_message, packed, &arena, &request),
                   STATUS_OK);
    EXPECT_INTEGER(request.amount.value, 5);
    EXPECT(!request.has_memo);
}

static void test_all_places_at_once(void) {
    const struct parameter path[] = {{TEXT("id"), TEXT(ID)}};
    enum status status = pack(OPERATION_UPDATE_TRANSACTION, (struct binding_source){
                                                                .path = path,
                                                                .path_count = 1,
                                                                .body = TEXT("{\"memo\":7}"),
                                                            });
    EXPECT_INTEGER(status, STATUS_INVALID);
    EXPECT_INTEGER(failure.status, STATUS_INVALID);
    EXPECT(tells("amount.value") && tells("amount.currency"));
    EXPECT(tells("date") && tells("memo"));
    const struct parameter query[] = {
        {TEXT("page"), TEXT("0")},       {TEXT("accounts[]"), TEXT(ID)},
        {TEXT("accounts[]"), TEXT("x")}, {TEXT("type"), TEXT("gift")},
        {TEXT("unknown"), TEXT("\x01")},
    };
    status = pack(OPERATION_LIST_TRANSACTIONS,
                  (struct binding_source){.query = query, .query_count = COUNT_OF(query)});
    EXPECT_INTEGER(status, STATUS_INVALID);
    EXPECT(tells("page") && tells("accounts.1") && tells("type"));
    EXPECT_INTEGER(failure.error_count, 3);
}

static void test_what_ends_early(void) {
    const struct parameter bad[] = {{TEXT("id"), TEXT("7")}};
    EXPECT_INTEGER(pack(OPERATION_UPDATE_TRANSACTION,
                        (struct binding_source){.path = bad, .path_count = 1, .body = TEXT("{")}),
                   STATUS_NOT_FOUND);
    EXPECT_INTEGER(failure.status, STATUS_NOT_FOUND);
    EXPECT_INTEGER(pack_body("{\"memo\":"), STATUS_MALFORMED);
    EXPECT_INTEGER(failure.status, STATUS_MALFORMED);
    const struct parameter path[] = {{TEXT("id"), TEXT(ID)}};
    EXPECT_INTEGER(pack(OPERATION_SHOW_TRANSACTION,
                        (struct binding_source){.path = path, .path_count = 1, .body = TEXT("{")}),
                   STATUS_OK); // it reads no body
}

static void test_small_arena(void) {
    struct arena small;
    arena_init(&small, 16);
    struct binding_source source = {.body = TEXT("{}")};
    EXPECT_INTEGER(binding_pack(operation_find(OPERATION_CREATE_TRANSACTION), &source, &small,
                                &failure, &packed),
                   STATUS_TOO_LARGE);
    arena_deinit(&small);
}

static void test_wants_body(void) {
    EXPECT(binding_wants_body(operation_find(OPERATION_CREATE_TRANSACTION)));
    EXPECT(!binding_wants_body(operation_find(OPERATION_SHOW_TRANSACTION)));
    EXPECT(!binding_wants_body(operation_find(OPERATION_LIST_TRANSACTIONS)));
}

int main(void) {
    static const struct test tests[] = {
        {"equal requests are equal bytes", test_canonical},
        {"what is wrong is told for all fields at once", test_all_places_at_once},
        {"no JSON and no id end it early, a body nobody reads does not", test_what_ends_early},
        {"a full arena is too large", test_small_arena},
        {"an operation says whether it reads a body", test_wants_body},
    };
    arena_init(&arena, 1 << 20);
    return expect_run(tests, COUNT_OF(tests));
}
