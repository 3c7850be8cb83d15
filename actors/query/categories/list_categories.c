// SPDX-License-Identifier: Apache-2.0
#include "messages.h"
#include "sql_query.h"

enum status list_categories_bind(const void *fields, struct binding *binding,
                                 struct failure *failure) {
    const struct list_categories_request *request = fields;
    (void)failure; // the fields were checked at the edge
    struct bound *bound = binding_statement(binding, LIST_CATEGORIES);
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

enum status list_categories_reply(const void *fields, const struct result *result,
                                  struct page *ret_page, struct failure *failure) {
    (void)fields;
    (void)result;
    (void)ret_page;
    (void)failure;
    return STATUS_OK; // a list has no failure of its own
}
