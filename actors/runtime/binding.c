// SPDX-License-Identifier: Apache-2.0
#include "cell.h"
#include "format.h"
#include "handler.h"

// Bytes of PostgreSQL's binary uuid[]: dimensions, flags, element type, length, lower bound, and
// before each element its length; all in network order.
enum { UUID_TYPE = 2950, ARRAY_HEAD = 20, ARRAY_ITEM = 4 + sizeof(struct uuid) };

void binding_init(struct binding *binding, const struct handler *handler,
                  const struct caller *caller, struct arena *arena) {
    binding->caller = caller;
    binding->operation = handler->operation;
    binding->shapes = handler->statements;
    binding->arena = arena;
    binding->count = 0;
}

static void bind(struct bound *bound, struct text value, uint8_t binary) {
    ASSERT(bound->count < PARAMETERS_MAX);
    bound->values[bound->count] = value;
    bound->binary[bound->count] = binary;
    bound->count++;
}

static void bind_fixed(struct bound *bound, const void *bytes, uint32_t count) {
    bind(bound, (struct text){bytes, count}, 1);
}

// Room in the arena. It is full only when the process gave it less than its limits promise; then
// the parameter is NULL and the arena's overflow tells.
static char *take(struct binding *binding, uint32_t bytes) {
    return arena_take(binding->arena, bytes);
}

static void bind_traceparent(struct bound *bound, struct binding *binding, const uint8_t *trace) {
    char *text = take(binding, TRACEPARENT_TEXT_BYTES);
    bind(bound, (struct text){text, text == NULL ? 0 : traceparent_write(trace, text)}, 0);
}

struct bound *binding_statement(struct binding *binding, uint32_t shape) {
    ASSERT(binding->count < BOUND_STATEMENTS_MAX);
    const struct caller *caller = binding->caller;
    struct bound *bound = &binding->bound[binding->count++];
    bound->statement = &binding->shapes[shape];
    bound->count = 0;
    bound->when = BOUND_ALWAYS;
    bound->cached_apart = false;
    bool command = binding->operation->kind == OPERATION_COMMAND;
    bool tenant = binding->operation->authenticated && bound->statement->parameter_count > 0;
    if (command || tenant)
        bind_fixed(bound, &caller->tenant, sizeof caller->tenant);
    if (command) {
        bind_fixed(bound, caller->key, sizeof caller->key);
        bind_fixed(bound, caller->fingerprint, sizeof caller->fingerprint);
        binding_boolean(bound, caller->internal);
        bind_traceparent(bound, binding, caller->trace);
    }
    return bound;
}

void binding_null(struct bound *bound) {
    bind(bound, (struct text){NULL, 0}, 0);
}

void binding_text(struct bound *bound, struct text value) {
    bind(bound, value, 0);
}

void binding_bytes(struct bound *bound, struct text value) {
    bind(bound, value, 1);
}

void binding_boolean(struct bound *bound, bool value) {
    bind(bound, value ? TEXT("t") : TEXT("f"), 0);
}

void binding_integer(struct bound *bound, struct binding *binding, int64_t value) {
    char *text = take(binding, INTEGER_TEXT_BYTES);
    bind(bound, (struct text){text, text == NULL ? 0 : integer_write(value, text)}, 0);
}

void binding_timestamp(struct bound *bound, struct binding *binding, int64_t microseconds) {
    char *text = take(binding, TIMESTAMP_TEXT_BYTES);
    bind(bound, (struct text){text, text == NULL ? 0 : timestamp_write(microseconds, text)}, 0);
}

void binding_date(struct bound *bound, struct binding *binding, int32_t days) {
    char *text = take(binding, DATE_TEXT_BYTES);
    bind(bound, (struct text){text, text == NULL ? 0 : date_write(days, text)}, 0);
}

void binding_uuid(struct bound *bound, struct binding *binding, struct uuid value) {
    char *bytes = take(binding, sizeof value);
    if (bytes != NULL)
        memcpy(bytes, &value, sizeof value);
    bind(bound, (struct text){bytes, sizeof value}, 1);
}

static char *write_u32(char *at, uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8)
        *at++ = (char)(uint8_t)(value >> shift);
    return at;
}

void binding_uuids(struct bound *bound, struct binding *binding, const struct uuid *values,
                   uint32_t count) {
    uint32_t length = ARRAY_HEAD + count * (uint32_t)ARRAY_ITEM;
    char *bytes = take(binding, length);
    if (bytes == NULL) {
        binding_null(bound);
        return;
    }
    char *at = write_u32(bytes, 1);
    at = write_u32(at, 0);
    at = write_u32(at, UUID_TYPE);
    at = write_u32(at, count);
    at = write_u32(at, 1);
    for (uint32_t i = 0; i < count; i++) {
        at = write_u32(at, sizeof values[i]);
        memcpy(at, &values[i], sizeof values[i]);
        at += sizeof values[i];
    }
    bind(bound, (struct text){bytes, length}, 1);
}

void binding_contains(struct bound *bound, struct binding *binding, struct text value) {
    char *text = take(binding, 2 * value.length + 2);
    if (text == NULL) {
        binding_null(bound);
        return;
    }
    char *at = text;
    *at++ = '%';
    for (uint32_t i = 0; i < value.length; i++) {
        if (value.bytes[i] == '%' || value.bytes[i] == '_' || value.bytes[i] == '\\')
            *at++ = '\\';
        *at++ = value.bytes[i];
    }
    *at++ = '%';
    bind(bound, (struct text){text, (uint32_t)(at - text)}, 0);
}

static void bind_list(struct bound *bound, struct binding *binding, const struct field *field,
                      const struct list *list) {
    ASSERT(field->type == FIELD_UUID); // the generator allows no other list
    binding_uuids(bound, binding, list->items, list->count);
}

static void bind_money(struct bound *bound, struct binding *binding, const struct money *money) {
    binding_integer(bound, binding, money->value);
    binding_text(bound, currency_code(money->currency));
}

static void bind_field(struct bound *bound, struct binding *binding, const struct field *field,
                       const void *request) {
    const void *member = field_member_const(field, request);
    if (!field_is_present(field, request)) {
        binding_null(bound);
        if (field->type == FIELD_MONEY)
            binding_null(bound);
        return;
    }
    if (field->list) {
        bind_list(bound, binding, field, member);
        return;
    }
    switch ((enum field_type)field->type) {
    case FIELD_BOOLEAN:
        binding_boolean(bound, *(const bool *)member);
        return;
    case FIELD_INTEGER:
        binding_integer(bound, binding, *(const int64_t *)member);
        return;
    case FIELD_STRING:
        binding_text(bound, *(const struct text *)member);
        return;
    case FIELD_BYTES:
        binding_bytes(bound, *(const struct text *)member);
        return;
    case FIELD_UUID:
        binding_uuid(bound, binding, *(const struct uuid *)member);
        return;
    case FIELD_ENUM:
        binding_text(bound, text_of(field->values[*(const uint8_t *)member]));
        return;
    case FIELD_MONEY:
        bind_money(bound, binding, member);
        return;
    case FIELD_TIMESTAMP:
        binding_timestamp(bound, binding, *(const int64_t *)member);
        return;
    case FIELD_DATE:
        binding_date(bound, binding, *(const int32_t *)member);
        return;
    case FIELD_MONEY_TEXT:
    case FIELD_JSON:
    case FIELD_MESSAGE:
        break;
    }
    UNREACHABLE(); // of replies only
}

static void bind_new_id(struct bound *bound, struct binding *binding) {
    const struct caller *caller = binding->caller;
    binding_uuid(bound, binding, uuid_make(caller->now_us, caller->random));
}

static void bind_fields(struct bound *bound, struct binding *binding, const struct handler *handler,
                        const void *request) {
    for (uint32_t i = 0; i < handler->field_count; i++) {
        if (handler->fields[i] == HANDLER_NEW_ID)
            bind_new_id(bound, binding);
        else
            bind_field(bound, binding, &handler->operation->request->fields[handler->fields[i]],
                       request);
    }
}

enum status handler_bind(const struct handler *handler, const void *request,
                         struct binding *binding, struct failure *failure) {
    if (handler->bind != NULL)
        return handler->bind(request, binding, failure);
    for (uint32_t shape = 0; shape < handler->statement_count; shape++) {
        struct bound *bound = binding_statement(binding, shape);
        bound->when = shape == 0 ? BOUND_ALWAYS : BOUND_IF_EMPTY;
        bind_fields(bound, binding, handler, request);
    }
    return binding->arena->overflow ? STATUS_TOO_LARGE : STATUS_OK;
}

// "account_id The selected account id is invalid.\n..." False: it is not of that form.
static bool refuse_fields(struct text outcome, struct failure *failure) {
    const char *at = outcome.bytes, *end = outcome.bytes + outcome.length;
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *line_end = newline == NULL ? end : newline;
        const char *space = memchr(at, ' ', (size_t)(line_end - at));
        if (space == NULL)
            return false;
        failure_add(failure, (struct text){at, (uint32_t)(space - at)},
                    (struct text){space + 1, (uint32_t)(line_end - space - 1)});
        at = newline == NULL ? end : newline + 1;
    }
    return failure->error_count > 0;
}

static enum status refuse(struct text outcome, struct failure *failure) {
    enum status status;
    if (status_find(outcome, &status))
        return status_message(status) != NULL ? status : STATUS_INTERNAL;
    return refuse_fields(outcome, failure) ? STATUS_INVALID : STATUS_INTERNAL;
}

enum status binding_rows(const struct operation *operation, const struct result *result,
                         struct failure *failure) {
    if (operation->kind == OPERATION_COMMAND && !text_equal(result->outcome, TEXT("ok")))
        return refuse(result->outcome, failure);
    if (operation->form == REPLY_ONE && result->rows[0].count == 0)
        return result->rows[1].count > 0 ? STATUS_FORBIDDEN : STATUS_NOT_FOUND;
    return STATUS_OK;
}

enum status handler_reply(const struct handler *handler, const void *request,
                          const struct result *result, struct page *ret_page,
                          struct failure *failure) {
    if (handler->reply != NULL)
        return handler->reply(request, result, ret_page, failure);
    return binding_rows(handler->operation, result, failure);
}

int64_t binding_offset(int64_t number, int64_t per_page) {
    return (number - 1) * per_page;
}

enum status binding_page(const struct result *result, int64_t number, int64_t per_page,
                         struct page *ret_page) {
    const struct rows *total = &result->rows[1];
    ret_page->number = number;
    ret_page->per_page = per_page;
    bool is_known = total->count == 1 && total->columns == 1 &&
                    cell_integer(total->cells[0], total->binary, &ret_page->total) &&
                    ret_page->total >= 0;
    return is_known ? STATUS_OK : STATUS_INTERNAL;
}
