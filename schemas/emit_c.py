# SPDX-License-Identifier: Apache-2.0
"""The C side: statuses, structs with their field tables, operations, handler tables."""
import re

from model import BUILT_IN_ENUMS, FLAGS, SCALARS, snake

BANNER = "// Generated from schemas/ by generate.py. Edit the .toml or .sql, not this.\n"


def quoted(text):
    escaped = str(text).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def text_literal(text):
    return f"{{{quoted(text)}, {len(text.encode())}}}"


def lines(*parts):
    return "\n".join(parts) + "\n"


def enum(name, prefix, numbers):
    members = [f"    {prefix}{key.upper()} = {number}," for key, number in numbers]
    return [f"enum {name} {{", *members, "};"]


def initializer(values):
    """{.a = 1, .b = 2}, wrapped like our code; what is None or False is left to be zero."""
    rows = ["    {"]
    for key, value in values.items():
        if value is not None and value is not False:
            member = f".{key} = {'true' if value is True else value}, "
            if len(rows[-1]) + len(member) > 100:
                rows[-1] = rows[-1].rstrip()
                rows.append("     ")
            rows[-1] += member
    return "\n".join(rows).removesuffix(", ") + "},"


def statuses_h(schema):
    numbers = [(name, table["number"]) for name, table in schema.statuses.items()]
    return lines(BANNER + "#pragma once", "", *enum("status", "STATUS_", numbers))


def statuses_c(schema):
    rows = []
    for name, table in schema.statuses.items():
        message = quoted(table["message"]) if "message" in table else "NULL"
        rows.append(f"    [STATUS_{name.upper()}] = {{{quoted(name)}, {table['http']}, {message}, "
                    f"{str(table.get('resend', False)).lower()}}},")
    return lines(BANNER + '#include "status.h"', "", "const struct status_row status_rows[] = {",
                 *rows, "};",
                 "const uint16_t status_count = sizeof(status_rows) / sizeof(status_rows[0]);")


def c_type(field):
    return f"struct {field.nested.name}" if field.nested else SCALARS[field.type][0]


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


def bound(field, limit, extreme, name):
    if field.type == "integer" and limit in (None, extreme):
        return name
    return limit


def field_row(message, field):
    path = re.sub(r"\[(\w+)\]", r".\1", field.key)
    default, comma = field.default, "" if field is message.fields[0] else ","
    if isinstance(default, bool):
        default = str(default).lower()
    presence = f"offsetof(struct {message.name}, has_{field.name})"
    return initializer({
        "name": quoted(field.key), "number": field.number,
        "type": "FIELD_" + field.type.upper(), "place": "PLACE_" + field.place.upper(),
        "required": field.required, "list": bool(field.list), "list_maximum": field.list or None,
        "offset": f"offsetof(struct {message.name}, {field.name})",
        "presence_offset": presence if field.optional else "FIELD_ALWAYS",
        "minimum": bound(field, field.min, -2**63, "INT64_MIN"),
        "maximum": bound(field, field.max, 2**63 - 1, "INT64_MAX"),
        "values": f"{snake(field.values)}_values" if field.values else None,
        "fallback": quoted(default) if default is not None else None,
        "nested": f"&{field.nested.name}_message" if field.nested else None,
        "column": field.column, "element_size": f"sizeof({c_type(field)})",
        "key": text_literal(f'{comma}"{field.key}":'),
        "label": quoted(path.replace("_", " ")), "path": quoted(path)})


def messages_c(schema):
    parts = [BANNER + '#include "messages.h"', ""]
    for name, values in schema.enums.items():
        members = ", ".join(quoted(value) for value in values)
        parts += [f"const char *const {snake(name)}_values[] = {{{members}, NULL}};"]
    for message in all_messages(schema):
        table = f"{message.name}_fields" if message.fields else "NULL"
        if message.fields:
            parts += ["", f"static const struct field {table}[] = {{"]
            parts += [*(field_row(message, field) for field in message.fields), "};"]
        parts += ["", f"const struct message {message.name}_message = {{",
                  f"    {quoted(message.name)}, {table}, {len(message.fields)}, "
                  f"sizeof(struct {message.name}), {message.columns}}};"]
    return lines(*parts)


def operations_h(schema):
    events = [(name, table["number"]) for name, table in schema.events.items()]
    numbers = [(o.name, o.number) for o in schema.operations]
    return lines(BANNER + "#pragma once", '#include "operation.h"', "",
                 *enum("operation_number", "OPERATION_", [("number_none", 0), *numbers]), "",
                 "// `operation` of a KIND_EVENT.",
                 *enum("event_number", "EVENT_", [("none", 0), *events]))


def operation_row(o):
    return initializer({
        "name": quoted(o.name), "number": o.number, "kind": f"OPERATION_{o.kind.upper()}",
        "lane": f"LANE_{o.lane.upper()}", "method": quoted(o.method) if o.method else None,
        "path": quoted(o.path) if o.path else None, **{flag: getattr(o, flag) for flag in FLAGS},
        "budget_ms": o.budget_ms, "success": f"STATUS_{o.status.upper()}",
        "form": f"REPLY_{o.form.upper()}", "reply_version": o.reply_version,
        "request": f"&{o.request.name}_message",
        "reply": f"&{o.reply.name}_message" if o.reply else None})


def operations_c(schema):
    rows = [operation_row(o) for o in schema.operations]
    places = [f"    [{o.number}] = {place}," for place, o in enumerate(schema.operations, 1)]
    return lines(BANNER + '#include "operations.h"', "", '#include "contract.h"',
                 '#include "messages.h"', "", "const struct operation operations[] = {",
                 *(rows or ["    {.name = NULL},"]), "};",
                 f"const uint32_t operation_count = {len(rows)};", "",
                 "// By number: one more than the place in operations; 0: unknown.",
                 "static const uint16_t places[] = {", *(places or ["    0,"]), "};", """
const struct operation *operation_find(uint16_t number) {
    if (number >= COUNT_OF(places) || places[number] == 0)
        return NULL;
    return &operations[places[number] - 1];
}""")


def openapi_h():
    return lines(BANNER + "#pragma once", "#include <stdint.h>", "",
                 "// The document served at GET /api/openapi.json.",
                 "extern const char openapi_json[];",
                 "extern const uint32_t openapi_json_length;")


def openapi_c(document):
    rows = [f"    {quoted(line)}" for line in document.splitlines(keepends=True)]
    return lines(BANNER + '#include "openapi.h"', "", "const char openapi_json[] =", *rows,
                 "    ;", "const uint32_t openapi_json_length = sizeof(openapi_json) - 1;")


def shapes_h(operations, statements):
    parts = [BANNER + "#pragma once", '#include "handler.h"', "",
             "// The shapes of each use case's .sql file, in its order; functions of those in C."]
    for o in operations:
        members = ", ".join(s.name.upper() for s in statements[o.name])
        parts += [f"enum {o.name}_shape {{ {members} }};"]
        if o.parameters is None:
            parts += [f"bind_function {o.name}_bind;", f"reply_function {o.name}_reply;"]
    return lines(*parts)


def statement_table(o, statements):
    parts = [f"static const struct statement {o.name}_statements[] = {{"]
    for s in statements:
        sql = "\n     ".join(quoted(line + "\n") for line in s.sql.splitlines())
        parts += [f"    {{{quoted(s.name)},", f"     {sql},", f"     {s.parameters}}},"]
    if o.parameters:
        places = {field.name: str(place) for place, field in enumerate(o.request.fields)}
        names = ", ".join(places.get(name, "HANDLER_NEW_ID") for name in o.parameters)
        parts += ["};", f"static const uint16_t {o.name}_fields[] = {{{names}}};", ""]
        return parts
    return parts + ["};", ""]


def handlers_c(schema, process, operations, statements):
    parts = [BANNER + '#include "messages.h"', f'#include "sql_{process}.h"', ""]
    rows = []
    for o in operations:
        parts += statement_table(o, statements[o.name])
        functions = "NULL, NULL" if o.parameters is not None else f"{o.name}_bind, {o.name}_reply"
        fields = f"{o.name}_fields, {len(o.parameters)}" if o.parameters else "NULL, 0"
        rows += [f"    {{&operations[{schema.operations.index(o)}], {o.name}_statements, "
                 f"{len(statements[o.name])},", f"     {functions}, {fields}}},"]
    return lines(*parts, "const struct handler handlers[] = {", *(rows or ["    {0},"]), "};",
                 f"const uint32_t handler_count = {len(operations)};")
