// SPDX-License-Identifier: Apache-2.0
#include "messages.h"
#include "sql_query.h"

static struct bound *bind_filters(struct binding *binding, uint32_t shape,
                                  const struct list_accounts_request *request) {
    struct bound *bound = binding_statement(binding, shape);
    if (request->has_search)
        binding_contains(bound, binding, request->search);
    else
        binding_null(bound);
    binding_text(bound, request->has_type ? text_of(account_type_values[request->type])
                                          : (struct text){0});
    binding_text(bound, request->has_currency ? text_of(currency_values[request->currency])
                                              : (struct text){0});
    return bound;
}

enum status list_accounts_bind(const void *fields, struct binding *binding,
                               struct failure *failure) {
    const struct list_accounts_request *request = fields;
    (void)failure; // the fields were checked at the edge
    struct bound *bound = bind_filters(binding, LIST_ACCOUNTS_PAGE, request);
    binding_integer(bound, binding, binding_offset(request->page, request->per_page));
    binding_integer(bound, binding, request->per_page);
    (void)bind_filters(binding, LIST_ACCOUNTS_TOTAL, request);
    return STATUS_OK;
}

enum status list_accounts_reply(const void *fields, const struct result *result,
                                struct page *ret_page, struct failure *failure) {
    const struct list_accounts_request *request = fields;
    (void)failure;
    return binding_page(result, request->page, request->per_page, ret_page);
}
