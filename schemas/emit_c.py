# SPDX-License-Identifier: Apache-2.0
"""The C side: statuses, structs with their field tables, operations, handler tables."""
import re

from model import BUILT_IN_ENUMS, SCALARS, snake

BANNER = "// Generated from schemas/ by generate.py. Edit the .toml or .sql, not this.\n"


def quoted(text):
    escaped = str(text).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return '"' + escaped + '"'


def text_literal(text):
    return f"{{{quoted(text)}, {len(text.encode())}}}"


def lines(*parts):
    return "\n".join(parts) + "\n"


def status_h(schema):
    names = [f"    STATUS_{name.upper()} = {table['number']},"
             for name, table in schema.statuses.items()]
    return lines(BANNER + "#pragma once", '#include "text.h"', "", "enum status {", *names, "};",
                 "",
                 "// Whether this build knows the number.",
                 "bool status_known(uint16_t number);",
                 "// \"not_found\"; status_find is its reverse. A number that is not known reads "
                 "as internal.",
                 "const char *status_name(enum status status);",
                 "bool status_find(struct text name, enum status *ret_status);",
                 "int status_http(enum status status);",
                 "const char *status_message(enum status status); // NULL of a success",
                 "// The machinery failed, not the message: it may be sent again with its key.",
                 "bool status_may_resend(enum status status);")


def status_c(schema):
    rows = [f"    [STATUS_{name.upper()}] = {{{quoted(name)}, {table['http']}, "
            f"{quoted(table['message']) if 'message' in table else 'NULL'}, "
            f"{str(table.get('resend', False)).lower()}}},"
            for name, table in schema.statuses.items()]
    return lines(BANNER + '#include "status.h"', "", '#include "contract.h"', "",
                 "static const struct row {", "    const char *name;", "    int http;",
                 "    const char *message;", "    bool resend;", "} table[] = {", *rows, "};", """
bool status_known(uint16_t number) {
    return number < COUNT_OF(table) && table[number].name != NULL;
}

bool status_find(struct text name, enum status *ret_status) {
    for (uint16_t i = 0; i < COUNT_OF(table); i++)
        if (table[i].name != NULL && text_equal(name, text_of(table[i].name))) {
            *ret_status = (enum status)i;
            return true;
        }
    return false;
}

static const struct row *row_of(enum status status) {
    return &table[status_known((uint16_t)status) ? status : STATUS_INTERNAL];
}

const char *status_name(enum status status) {
    return row_of(status)->name;
}

int status_http(enum status status) {
    return row_of(status)->http;
}

const char *status_message(enum status status) {
    return row_of(status)->message;
}

bool status_may_resend(enum status status) {
    return row_of(status)->resend;
}""")


def c_type(field):
    return f"struct {field.nested.name}" if field.nested else SCALARS[field.type][0]


def initializer(values):
    """{.a = 1, .b = 2}, wrapped like our code; what is None is left to be zero."""
    rows = ["    {"]
    for key, value in values.items():
        if value is not None:
            member = f".{key} = {value}, "
            if len(rows[-1]) + len(member) > 100:
                rows[-1] = rows[-1].rstrip()
                rows.append("     ")
            rows[-1] += member
    return "\n".join(rows).removesuffix(", ") + "},"


def all_messages(schema):
    return list(schema.types.values()) + [o.request for o in schema.operations]


def messages_h(schema):
    parts = [BANNER + "#pragma once", '#include "message.h"']
    for name, values in schema.enums.items():
        word = snake(name)
        if name not in BUILT_IN_ENUMS:
            members = ", ".join(f"{word.upper()}_{value.upper()}" for value in values)
            parts += ["", f"enum {word} {{ {members} }};"]
        parts += [f"extern const char *const {word}_values[];"]
    for message in all_messages(schema):
        parts += ["", f"struct {message.name} {{"]
        for field in message.fields:
            member = "struct list" if field.list else c_type(field)
            parts += [f"    {member} {field.name};"]
            parts += [f"    bool has_{field.name};"] if field.optional else []
        parts += ["    char none;"] if not message.fields else []
        parts += ["};", f"extern const struct message {message.name}_message;"]
    return lines(*parts)


def field_row(message, field, first):
    low, high = field.min, field.max
    if field.type == "integer":
        low = low if low is not None else "INT64_MIN"
        high = high if high is not None else "INT64_MAX"
        low = "INT64_MIN" if low == -2**63 else low
    path = re.sub(r"\[(\w+)\]", r".\1", field.key)
    default = field.default
    default = str(default).lower() if isinstance(default, bool) else default
    comma = "" if first else ","
    values = {
        "name": quoted(field.key), "number": field.number,
        "type": "FIELD_" + field.type.upper(), "place": "PLACE_" + field.place.upper(),
        "required": "true" if field.required else None, "list": "true" if field.list else None,
        "list_maximum": field.list or None,
        "offset": f"offsetof(struct {message.name}, {field.name})",
        "presence_offset": f"offsetof(struct {message.name}, has_{field.name})"
                           if field.optional else "FIELD_ALWAYS",
        "minimum": low, "maximum": high,
        "values": f"{snake(field.values)}_values" if field.values else None,
        "fallback": quoted(default) if default is not None else None,
        "nested": f"&{field.nested.name}_message" if field.nested else None,
        "column": field.column, "element_size": f"sizeof({c_type(field)})",
        "key": text_literal(f'{comma}"{field.key}":'),
        "label": quoted(path.replace("_", " ")), "path": quoted(path)}
    return initializer(values)


def messages_c(schema):
    parts = [BANNER + '#include "messages.h"', ""]
    for name, values in schema.enums.items():
        members = ", ".join(quoted(value) for value in values)
        parts += [f"const char *const {snake(name)}_values[] = {{{members}, NULL}};"]
    for message in all_messages(schema):
        table = "NULL"
        if message.fields:
            table = f"{message.name}_fields"
            parts += ["", f"static const struct field {table}[] = {{"]
            parts += [field_row(message, f, f is message.fields[0]) for f in message.fields]
            parts += ["};"]
        parts += ["", f"const struct message {message.name}_message = {{",
                  f"    {quoted(message.name)}, {table}, {len(message.fields)}, "
                  f"sizeof(struct {message.name}), {message.columns}}};"]
    return lines(*parts)


def operations_h(schema):
    numbers = [f"    OPERATION_{o.name.upper()} = {o.number}," for o in schema.operations]
    events = [f"    EVENT_{name.upper()} = {table['number']},"
              for name, table in schema.events.items()]
    return lines(BANNER + "#pragma once", '#include "operation.h"', "", "enum operation_number {",
                 "    OPERATION_NUMBER_NONE = 0,", *numbers, "};", "",
                 "// `operation` of a KIND_EVENT.", "enum event_number {", "    EVENT_NONE = 0,",
                 *events, "};")


def operations_c(schema):
    rows, index = [], []
    for place, o in enumerate(schema.operations):
        values = {
            "name": quoted(o.name), "number": o.number,
            "kind": f"OPERATION_{o.kind.upper()}", "lane": f"LANE_{o.lane.upper()}",
            "method": quoted(o.method) if o.method else None,
            "path": quoted(o.path) if o.path else None}
        values |= {flag: "true" if getattr(o, flag) else None
                   for flag in ("authenticated", "testing", "cached", "heavy")}
        values |= {"budget_ms": o.budget_ms, "success": f"STATUS_{o.status.upper()}",
                   "form": f"REPLY_{o.form.upper()}", "reply_version": o.reply_version,
                   "request": f"&{o.request.name}_message",
                   "reply": f"&{o.reply.name}_message" if o.reply else None}
        rows += [initializer(values)]
        index += [f"    [{o.number}] = {place + 1},"]
    return lines(BANNER + '#include "operations.h"', "", '#include "contract.h"',
                 '#include "messages.h"', "", "const struct operation operations[] = {",
                 *(rows or ["    {.name = NULL},"]), "};",
                 f"const uint32_t operation_count = {len(rows)};", "",
                 "// By number: one more than the place in operations; 0: unknown.",
                 "static const uint16_t places[] = {", *(index or ["    0,"]), "};", """
const struct operation *operation_find(uint16_t number) {
    if (number >= COUNT_OF(places) || places[number] == 0)
        return NULL;
    return &operations[places[number] - 1];
}""")


def openapi_c(document):
    rows = [f"    {quoted(line)}" for line in document.splitlines(keepends=True)]
    header = lines(BANNER + "#pragma once", "#include <stdint.h>", "",
                   "// The document served at GET /api/openapi.json.",
                   "extern const char openapi_json[];",
                   "extern const uint32_t openapi_json_length;")
    source = lines(BANNER + '#include "openapi.h"', "", "const char openapi_json[] =", *rows,
                   "    ;",
                   "const uint32_t openapi_json_length = sizeof(openapi_json) - 1;")
    return header, source


def shapes_h(operations, statements):
    parts = [BANNER + "#pragma once", '#include "handler.h"', "",
             "// The shapes of each use case's .sql file, in its order; functions of those in C."]
    for o in operations:
        members = ", ".join(s.name.upper() for s in statements[o.name])
        parts += [f"enum {o.name}_shape {{ {members} }};"]
        if o.parameters is None:
            parts += [f"bind_function {o.name}_bind;", f"reply_function {o.name}_reply;"]
    return lines(*parts)


def handlers_c(schema, process, operations, statements):
    parts = [BANNER + '#include "messages.h"', f'#include "sql_{process}.h"', ""]
    place = {o.name: i for i, o in enumerate(schema.operations)}
    for o in operations:
        parts += [f"static const struct statement {o.name}_statements[] = {{"]
        for s in statements[o.name]:
            sql = "\n     ".join(quoted(line + "\n") for line in s.sql.splitlines())
            parts += [f"    {{{quoted(s.name)},", f"     {sql},", f"     {s.parameters}}},"]
        parts += ["};", ""]
        if o.parameters is not None:
            parts += generic_functions(o, place[o.name], len(statements[o.name]))
    parts += ["const struct handler handlers[] = {"]
    parts += [f"    {{&operations[{place[o.name]}], {o.name}_statements, {len(statements[o.name])}, "
              f"{o.name}_bind, {o.name}_reply}}," for o in operations] or ["    {0},"]
    return lines(*parts, "};", f"const uint32_t handler_count = {len(operations)};")


def generic_functions(o, place, shapes):
    position = {f.name: i for i, f in enumerate(o.request.fields)} | {"new_id": "BINDING_NEW_ID"}
    fields = ", ".join(str(position[name]) for name in o.parameters) or "0"
    bind, reply = f"static enum status {o.name}_bind(", f"static enum status {o.name}_reply("
    return [f"""{bind}const void *request, struct binding *binding,
{' ' * len(bind)}struct failure *failure) {{
    static const uint16_t fields[] = {{{fields}}};
    (void)failure; // the fields were checked at the edge
    return binding_fields(&{o.request.name}_message, request, fields, {len(o.parameters)},
                          binding, {shapes});
}}

{reply}const void *request, const struct result *result,
{' ' * len(reply)}struct page *ret_page, struct failure *failure) {{
    (void)request;
    (void)ret_page;
    return binding_rows(&operations[{place}], result, failure);
}}
"""]
