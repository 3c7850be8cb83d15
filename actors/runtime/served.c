// SPDX-License-Identifier: Apache-2.0
#include "served.h"

#include <stdio.h>

static const struct handler *handler_named(struct text name) {
    for (uint32_t i = 0; i < handler_count; i++) {
        if (text_equal(name, text_of(handlers[i].operation->name)))
            return &handlers[i];
    }
    return NULL;
}

static void served_add(struct served *served, const struct handler *handler) {
    const struct operation *operation = handler->operation;
    if (served->by_number[operation->number] != NULL)
        return;
    served->by_number[operation->number] = handler;
    served->operations[served->count++] = operation->number;
    served->budget_ms_max = MAX(served->budget_ms_max, operation->budget_ms);
    served->heavy |= operation->heavy;
    for (uint32_t i = 0; i < handler->statement_count; i++)
        served->statements[served->statement_count++] = &handler->statements[i];
}

bool served_init(struct served *served, const char *names, char *ret_sentence,
                 size_t sentence_size) {
    uint32_t statement_count = 0;
    *served = (struct served){.numbers = 1};
    for (uint32_t i = 0; i < handler_count; i++) {
        served->numbers = MAX(served->numbers, handlers[i].operation->number + 1U);
        statement_count += handlers[i].statement_count;
    }
    ASSERT(handler_count <= SERVED_MAX);
    served->by_number = calloc(served->numbers, sizeof *served->by_number);
    served->statements = calloc(statement_count + 1, sizeof *served->statements);
    ASSERT(served->by_number != NULL && served->statements != NULL);
    for (uint32_t i = 0; i < handler_count && names[0] == '\0'; i++)
        served_add(served, &handlers[i]);
    for (const char *at = names; *at != '\0';) {
        struct text name = {at, (uint32_t)strcspn(at, ",")};
        const struct handler *handler = handler_named(name);
        if (handler == NULL) {
            snprintf(ret_sentence, sentence_size,
                     "VALORIZE_OPERATIONS: this process has no operation \"%.*s\"",
                     (int)name.length, name.bytes);
            return false;
        }
        served_add(served, handler);
        at += name.length + (at[name.length] == ',');
    }
    return true;
}

void served_deinit(struct served *served) {
    free((void *)served->by_number);
    free((void *)served->statements);
}

const struct handler *served_find(const struct served *served, uint16_t number) {
    return number < served->numbers ? served->by_number[number] : NULL;
}
