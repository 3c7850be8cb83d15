// SPDX-License-Identifier: Apache-2.0
#include "digest.h"
#include "format.h"
#include "operations.h"
#include "sql_command.h"

enum { NEW_IDS = 14, SECRET_DIGITS = 40 };

// Ids and the secret come from the caller's chance, each by a hash of its own, so that none tells
// anything about another.
static void derive(const struct caller *caller, char purpose,
                   uint8_t ret_hash[DIGEST_SHA256_BYTES]) {
    char bytes[sizeof caller->random + 1];
    memcpy(bytes, caller->random, sizeof caller->random);
    bytes[sizeof caller->random] = purpose;
    digest_sha256((struct text){bytes, sizeof bytes}, ret_hash);
}

enum status load_test_user_bind(const void *fields, struct binding *binding,
                                struct failure *failure) {
    (void)fields;
    (void)failure;
    const struct caller *caller = binding->caller;
    uint8_t hash[DIGEST_SHA256_BYTES];
    struct uuid ids[NEW_IDS];
    for (char i = 0; i < NEW_IDS; i++) {
        derive(caller, i, hash);
        ids[(uint8_t)i] = uuid_make(caller->now_us, hash);
    }
    derive(caller, NEW_IDS, hash);
    char digits[2 * DIGEST_SHA256_BYTES];
    hex_write(hash, sizeof hash, digits);
    struct text secret = arena_copy(binding->arena, (struct text){digits, SECRET_DIGITS});
    digest_sha256((struct text){digits, SECRET_DIGITS}, hash);

    struct bound *bound = binding_statement(binding, LOAD_TEST_USER);
    binding_uuids(bound, binding, ids, NEW_IDS);
    binding_bytes(bound, arena_copy(binding->arena, (struct text){(char *)hash, sizeof hash}));
    binding_text(bound, secret);
    return STATUS_OK;
}

enum status load_test_user_reply(const void *fields, const struct result *result,
                                 struct page *ret_page, struct failure *failure) {
    (void)fields;
    (void)ret_page;
    return binding_rows(operation_find(OPERATION_LOAD_TEST_USER), result, failure);
}
