// SPDX-License-Identifier: Apache-2.0
#include "format.h"
#include "messages.h"
#include "sql_query.h"

static bool is_of_categories(const struct list_transactions_request *request) {
    return request->has_categories && request->order_column == TRANSACTION_COLUMN_DATE;
}

// Nothing but days, in the order of days: most of what people ask for.
static bool is_of_days(const struct list_transactions_request *request) {
    return !request->has_accounts && !request->has_categories && !request->has_type &&
           !request->has_search && request->order_column == TRANSACTION_COLUMN_DATE;
}

static uint32_t page_shape(const struct list_transactions_request *request) {
    static const uint16_t of_accounts[][2] = {
        [TRANSACTION_COLUMN_DATE] = {LIST_TRANSACTIONS_OF_ACCOUNTS_OLDEST,
                                     LIST_TRANSACTIONS_OF_ACCOUNTS_NEWEST},
        [TRANSACTION_COLUMN_AMOUNT] = {LIST_TRANSACTIONS_OF_ACCOUNTS_LEAST,
                                       LIST_TRANSACTIONS_OF_ACCOUNTS_MOST},
        [TRANSACTION_COLUMN_MEMO] = {LIST_TRANSACTIONS_OF_ACCOUNTS_A_TO_Z,
                                     LIST_TRANSACTIONS_OF_ACCOUNTS_Z_TO_A},
    };
    static_assert(DIRECTION_ASC == 0 && DIRECTION_DESC == 1, "the columns of the table");
    bool descending = request->order_direction == DIRECTION_DESC;
    if (is_of_days(request))
        return descending ? LIST_TRANSACTIONS_NEWEST : LIST_TRANSACTIONS_OLDEST;
    if (is_of_categories(request))
        return descending ? LIST_TRANSACTIONS_OF_CATEGORIES_NEWEST
                          : LIST_TRANSACTIONS_OF_CATEGORIES_OLDEST;
    if (!request->has_accounts && request->order_column == TRANSACTION_COLUMN_DATE)
        return descending ? LIST_TRANSACTIONS_FILTERED_NEWEST : LIST_TRANSACTIONS_FILTERED_OLDEST;
    return of_accounts[request->order_column][request->order_direction];
}

static void bind_list(struct bound *bound, struct binding *binding, bool is_given,
                      const struct list *list) {
    if (is_given)
        binding_uuids(bound, binding, list->items, list->count);
    else
        binding_null(bound);
}

static void bind_days(struct bound *bound, struct binding *binding,
                      const struct list_transactions_request *request) {
    const int64_t day = 86400000000LL;
    binding_timestamp(bound, binding,
                      request->has_start_date ? request->start_date * day : TIMESTAMP_MIN);
    binding_timestamp(bound, binding,
                      request->has_end_date ? (request->end_date + 1) * day - 1 : TIMESTAMP_MAX);
}

// $2 to $8 of every shape that filters.
static void bind_filters(struct bound *bound, struct binding *binding,
                         const struct list_transactions_request *request) {
    bool debits = !request->has_type || request->type == TRANSACTION_TYPE_DEBIT;
    bool credits = !request->has_type || request->type == TRANSACTION_TYPE_CREDIT;
    bind_days(bound, binding, request);
    bind_list(bound, binding, request->has_accounts, &request->accounts);
    bind_list(bound, binding, request->has_categories, &request->categories);
    binding_integer(bound, binding, debits ? -MONEY_MAX : 0);
    binding_integer(bound, binding, credits ? MONEY_MAX : -1);
    if (request->has_search)
        binding_contains(bound, binding, request->search);
    else
        binding_null(bound);
}

static void bind_total(struct binding *binding, const struct list_transactions_request *request) {
    bool has_days = request->has_start_date || request->has_end_date;
    bool has_more = request->has_categories || request->has_type || request->has_search;
    struct bound *bound;
    if (!has_days && !has_more) {
        bound = binding_statement(binding, LIST_TRANSACTIONS_TOTAL_OF_ACCOUNTS);
        bind_list(bound, binding, request->has_accounts, &request->accounts);
        return; // it is cheaper than a look into the cache
    }
    if (!has_more && !request->has_accounts) {
        bound = binding_statement(binding, LIST_TRANSACTIONS_TOTAL_OF_DAYS);
        bind_days(bound, binding, request);
    } else {
        bound = binding_statement(binding, request->has_categories
                                               ? LIST_TRANSACTIONS_TOTAL_OF_CATEGORIES_FILTERED
                                               : LIST_TRANSACTIONS_TOTAL_OF_ACCOUNTS_FILTERED);
        bind_filters(bound, binding, request);
    }
    bound->cached_apart = true;
}

enum status list_transactions_bind(const void *fields, struct binding *binding,
                                   struct failure *failure) {
    const struct list_transactions_request *request = fields;
    (void)failure; // the fields were checked at the edge
    struct bound *bound = binding_statement(binding, page_shape(request));
    if (is_of_days(request))
        bind_days(bound, binding, request);
    else
        bind_filters(bound, binding, request);
    binding_integer(bound, binding, binding_offset(request->page, request->per_page));
    binding_integer(bound, binding, request->per_page);
    bind_total(binding, request);
    return STATUS_OK;
}

enum status list_transactions_reply(const void *fields, const struct result *result,
                                    struct page *ret_page, struct failure *failure) {
    const struct list_transactions_request *request = fields;
    (void)failure;
    return binding_page(result, request->page, request->per_page, ret_page);
}
