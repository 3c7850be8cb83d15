# SPDX-License-Identifier: Apache-2.0
"""The C side: statuses, structs with their field tables, operations, handler tables."""
import re
import textwrap
from hashlib import sha256

from model import BUILT_IN_ENUMS, snake

def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def literals(text):
    """One C string a line. "??/" is a character of its own to some compilers, "\\?\\?/" to none."""
    rows = [quoted(line).replace("?", "\\?") for line in text.splitlines(keepends=True)]
    return "\n     ".join(rows) or '""'


def source(*parts):
    banner = "// Generated from schemas/ by generate.py. Edit the .toml or .sql, not this."
    return "\n".join((banner, *parts, ""))


def enum(name, prefix, numbers):
    members = [f"    {prefix}{key.upper()} = {number}," for key, number in numbers]
    return [f"enum {name} {{", *members, "};"]


def initializer(**values):
    """{.a = 1, .b = 2}, wrapped like our code; what is None or False is left to be zero."""
    members = [f".{key} = {'true' if value is True else value}".replace(" ", "\0")
               for key, value in values.items() if value is not None and value is not False]
    return textwrap.fill(", ".join(members) + "}", 99, initial_indent="    {",
                         subsequent_indent="     ", break_long_words=False,
                         break_on_hyphens=False).replace("\0", " ") + ","


def statuses_h(schema):
    rows = []
    for name, status in schema.statuses.items():
        message = quoted(status.message) if status.message else "NULL"
        rows.append(f"    [STATUS_{name.upper()}] = {{{quoted(name)}, {status.http}, {message}, "
                    f"{str(status.resend).lower()}}},")
    numbers = [(name, status.number) for name, status in schema.statuses.items()]
    return source("#pragma once", "", *enum("status", "STATUS_", numbers), "",
                  "// The table of status.c.", "#define STATUS_ROWS \\", " \\\n".join(rows))


def messages_h(schema):
    parts = ["#pragma once", '#include "message.h"']
    for name, values in schema.enums.items():
        word = snake(name)
        if name not in BUILT_IN_ENUMS:
            members = ", ".join(f"{word.upper()}_{value.upper()}" for value in values)
            parts += ["", f"enum {word} {{ {members} }};"]
        parts += [f"extern const char *const {word}_values[];"]
    for message in schema.messages:
        parts += ["", f"struct {message.name} {{"]
        for field in message.fields:
            parts += [f"    {'struct list' if field.list else field.c_type} {field.name};"]
            parts += [f"    bool has_{field.name};"] if field.optional else []
        parts += ["    char none;"] if not message.fields else []
        parts += ["};", f"extern const struct message {message.name}_message;"]
    return source(*parts)


def field_row(message, field):
    path = re.sub(r"\[(\w+)\]", r".\1", field.key)
    key = f'"{field.key}":' if field is message.fields[0] else f',"{field.key}":'
    default = str(field.default).lower() if field.type == "boolean" else str(field.default)
    least, greatest = ("INT64_MIN", "INT64_MAX") if field.type == "integer" else (None, None)
    return initializer(
        name=quoted(field.key), number=field.number, type=f"FIELD_{field.type.upper()}",
        place=f"PLACE_{field.place.upper()}", required=field.required, list=bool(field.list),
        list_maximum=field.list, offset=f"offsetof(struct {message.name}, {field.name})",
        presence_offset=f"offsetof(struct {message.name}, has_{field.name})" if field.optional
        else "FIELD_ALWAYS", minimum=least if field.min is None else field.min,
        maximum=greatest if field.max is None else field.max,
        values=f"{snake(field.values)}_values" if field.values else None,
        fallback=quoted(default) if field.default is not None else None,
        nested=f"&{field.nested.name}_message" if field.nested else None,
        column=field.column, element_size=f"sizeof({field.c_type})",
        key=f"{{{quoted(key)}, {len(key)}}}", label=quoted(path.replace("_", " ")),
        path=quoted(path))


def messages_c(schema):
    parts = ['#include "messages.h"', "", '#include "limits.h"', ""]
    for name, values in schema.enums.items():
        members = ", ".join(quoted(value) for value in values)
        parts += [f"const char *const {snake(name)}_values[] = {{{members}, NULL}};"]
    for message in schema.messages:
        table = f"{message.name}_fields" if message.fields else "NULL"
        if message.fields:
            parts += ["", f"static const struct field {table}[] = {{"]
            parts += [*(field_row(message, field) for field in message.fields), "};"]
        parts += ["", f"const struct message {message.name}_message = {{",
                  f"    {quoted(message.name)}, {table}, {len(message.fields)}, "
                  f"sizeof(struct {message.name}), {message.cells}}};",
                  f"static_assert({len(message.fields)} <= FIELDS_MAX && {message.cells} <= "
                  f'COLUMNS_MAX,\n              "{message.where}: too many fields or columns");']
    return source(*parts)


def operations_h(schema):
    numbers = [(o.name, o.number) for o in schema.operations]
    events = [(name, event.number) for name, event in schema.events.items()]
    return source("#pragma once", '#include "operation.h"', "",
                  *enum("operation_number", "OPERATION_", [("number_none", 0), *numbers]), "",
                  "// `operation` of a KIND_EVENT.",
                  *enum("event_number", "EVENT_", [("none", 0), *events]))


def operation_row(o):
    return initializer(
        name=quoted(o.name), number=o.number, kind=f"OPERATION_{o.kind.upper()}",
        lane=f"LANE_{o.lane.upper()}", method=quoted(o.method) if o.path else None,
        path=quoted(o.path) if o.path else None,
        authenticated=o.authenticated, testing=o.testing, cached=o.cached, heavy=o.heavy,
        budget_ms=o.budget_ms, success=f"STATUS_{o.status.upper()}", form=f"REPLY_{o.form.upper()}",
        reply_version=o.reply_version, request=f"&{o.request.name}_message",
        reply=f"&{o.reply.name}_message" if o.reply else None)


def operations_c(schema):
    rows = [operation_row(o) for o in schema.operations]
    return source('#include "operations.h"', "", '#include "messages.h"', "",
                  "const struct operation operations[] = {", *rows, "};",
                  f"const uint32_t operation_count = {len(rows)};")


def openapi_c(document):
    return source('#include "openapi.h"', "", "const char openapi_json[] =",
                  f"     {literals(document)};",
                  "const uint32_t openapi_json_length = sizeof(openapi_json) - 1;")


def sql_files_c(table, files):
    rows = [f"    {{{quoted(file.stem)}, {quoted(sha256(file.read_bytes()).hexdigest())},\n"
            f"     {literals(file.read_text())}}}," for file in files]
    return source('#include "sql_file.h"', "", f"extern const struct sql_file {table}[];",
                  f"const struct sql_file {table}[] = {{", *rows, "    {0},", "};")


def shapes_h(operations, statements):
    parts = ["#pragma once", '#include "handler.h"', "",
             "// The shapes of each use case's .sql file, in its order; functions of those in C."]
    for o in operations:
        members = ", ".join(s.name.upper() for s in statements[o.name])
        parts += [f"enum {o.name}_shape {{ {members} }};"]
        if o.parameters is None:
            parts += [f"bind_function {o.name}_bind;", f"reply_function {o.name}_reply;"]
    return source(*parts)


def statement_table(o, statements):
    parts = [f"static const struct statement {o.name}_statements[] = {{"]
    parts += [f"    {{{quoted(s.name)},\n     {literals(s.sql)},\n"
              f"     {s.parameters}, {s.columns}}}," for s in statements]
    most = max((s.parameters for s in statements), default=0)
    parts += ["};", f'static_assert({most} <= PARAMETERS_MAX, "{o.name}: too many parameters");']
    if o.parameters:
        places = {field.name: str(place) for place, field in enumerate(o.request.fields)}
        names = ", ".join(places.get(name, "HANDLER_NEW_ID") for name in o.parameters)
        parts += [f"static const uint16_t {o.name}_fields[] = {{{names}}};"]
    return parts + [""]


def handlers_c(schema, process, operations, statements):
    parts = ['#include "messages.h"', f'#include "sql_{process}.h"', ""]
    rows = []
    for o in operations:
        parts += statement_table(o, statements[o.name])
        functions = "NULL, NULL" if o.parameters is not None else f"{o.name}_bind, {o.name}_reply"
        fields = f"{o.name}_fields, {len(o.parameters)}" if o.parameters else "NULL, 0"
        rows += [f"    {{&operations[{schema.operations.index(o)}], {o.name}_statements, "
                 f"{len(statements[o.name])},", f"     {functions}, {fields}}},"]
    return source(*parts, "const struct handler handlers[] = {", *rows, "};",
                  f"const uint32_t handler_count = {len(operations)};")
