// SPDX-License-Identifier: Apache-2.0
#include "messages.h"
#include "sql_query.h"

enum status authenticate_bind(const void *fields, struct binding *binding,
                              struct failure *failure) {
    const struct authenticate_request *request = fields;
    (void)failure; // the edge asks, not its client
    struct bound *bound = binding_statement(binding, AUTHENTICATE);
    binding_uuid(bound, binding, request->token_id);
    binding_bytes(bound, request->secret_hash);
    return STATUS_OK;
}

enum status authenticate_reply(const void *fields, const struct result *result,
                               struct page *ret_page, struct failure *failure) {
    (void)fields;
    (void)ret_page;
    (void)failure;
    return result->rows[0].count == 0 ? STATUS_UNAUTHENTICATED : STATUS_OK;
}
