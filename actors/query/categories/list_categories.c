// SPDX-License-Identifier: Apache-2.0
#include "handler.h"
#include "messages.h"

enum status list_categories_bind(const void *message, struct binding *binding,
                                 struct failure *failure) {
    const struct list_categories_request *request = message;
    (void)failure;
    struct bound *bound = binding_statement(binding, 0);
    if (request->has_search)
        binding_contains(bound, binding, request->search);
    else
        binding_null(bound);
    if (request->has_is_default)
        binding_boolean(bound, request->is_default);
    else
        binding_null(bound);
    return STATUS_OK;
}

enum status list_categories_reply(const void *message, const struct result *result,
                                  struct page *ret_page, struct failure *failure) {
    (void)message;
    (void)result;
    (void)ret_page;
    (void)failure;
    return STATUS_OK;
}
