// SPDX-License-Identifier: Apache-2.0
// For the .c of views only: the field table of a struct that stands for what a process tells as
// JSON. Each member has the name it has there. of##_fields becomes of##_message.
#pragma once
#include "json.h"

// clang-format off
#define FIELD_OF(of, member, kind) \
    {.name = #member, .type = (kind), .offset = offsetof(struct of, member), \
     .presence_offset = FIELD_ALWAYS, .minimum = INT64_MIN, .maximum = INT64_MAX}
#define TEXT_OF(of, member) FIELD_OF(of, member, FIELD_STRING)
#define NUMBER_OF(of, member) FIELD_OF(of, member, FIELD_INTEGER)
#define BOOLEAN_OF(of, member) FIELD_OF(of, member, FIELD_BOOLEAN)
#define OPTIONAL_OF(of, member, kind) /* told by has_<member> */ \
    {.name = #member, .type = (kind), .offset = offsetof(struct of, member), \
     .presence_offset = offsetof(struct of, has_##member), \
     .minimum = INT64_MIN, .maximum = INT64_MAX}
#define LIST_OF(of, member, item, most) \
    {.name = #member, .type = FIELD_MESSAGE, .offset = offsetof(struct of, member), \
     .presence_offset = FIELD_ALWAYS, .list = true, .list_maximum = (most), \
     .nested = &item##_message, .element_size = sizeof(struct item)}
#define MESSAGE(of) \
    static const struct message of##_message = {#of, of##_fields, COUNT_OF(of##_fields), \
                                                sizeof(struct of), 0}
// clang-format on
