// SPDX-License-Identifier: Apache-2.0
#include "format.h"
#include "handler.h"
#include "messages.h"
#include "sql_query.h"

static struct bound *bind_filter(const struct list_accounts_request *request,
                                 struct binding *binding, enum list_accounts_shape shape) {
    struct bound *bound = binding_statement(binding, shape);
    if (request->has_search)
        binding_contains(bound, binding, request->search);
    else
        binding_null(bound);
    if (request->has_type)
        binding_text(bound, text_of(account_type_values[request->type]));
    else
        binding_null(bound);
    if (request->has_currency)
        binding_text(bound, text_of(currency_values[request->currency]));
    else
        binding_null(bound);
    return bound;
}

enum status list_accounts_bind(const void *message, struct binding *binding,
                               struct failure *failure) {
    const struct list_accounts_request *request = message;
    (void)failure;
    struct bound *page = bind_filter(request, binding, LIST_ACCOUNTS_PAGE);
    binding_integer(page, binding, request->per_page);
    binding_integer(page, binding, (request->page - 1) * request->per_page);
    bind_filter(request, binding, LIST_ACCOUNTS_TOTAL)->cached_apart = true;
    return STATUS_OK;
}

enum status list_accounts_reply(const void *message, const struct result *result,
                                struct page *ret_page, struct failure *failure) {
    const struct list_accounts_request *request = message;
    (void)failure;
    ret_page->number = request->page;
    ret_page->per_page = request->per_page;
    return integer_parse(result->rows[1].cells[0], &ret_page->total) ? STATUS_OK : STATUS_INTERNAL;
}
