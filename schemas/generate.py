#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes all that follows from schemas/*.toml and the .sql files.

    generate.py ROOT OUT messages           structs, statuses, operations, OpenAPI
    generate.py ROOT OUT query              the tables of a process: query, command
    generate.py ROOT OUT TABLE=FILE,FILE    a C table of .sql files in the order of their names

Several parts may be given. What is wrong is told on stderr, one sentence a line, and the exit
status is 1. A file whose text did not change is left alone, so nothing is compiled again for it.
"""
import sys
from pathlib import Path

import emit_c
import emit_openapi
from model import Schema
from statements import read_statements


def files_of(schema, root, part):
    """{name: text} of one part."""
    if part == "messages":
        document = emit_openapi.openapi_json(schema)
        return {"statuses.h": emit_c.statuses_h(schema), "messages.h": emit_c.messages_h(schema),
                "messages.c": emit_c.messages_c(schema), "openapi.c": emit_c.openapi_c(document),
                "operations.h": emit_c.operations_h(schema), "openapi.json": document,
                "operations.c": emit_c.operations_c(schema)}
    if "=" in part:
        table, _, names = part.partition("=")
        files = sorted(root / name for name in names.split(","))
        for number, file in enumerate(files, 1):  # where one is numbered all are: migrations
            schema.need(file.name, file.name.startswith(f"{number:04}_")
                        or not files[0].name[0].isdigit(), f"must be {number:04}_<name>.sql.")
        return {f"{table}.c": emit_c.sql_files_c(table, files)}
    operations = [o for o in schema.operations if o.kind == part]
    schema.need(part, operations, "no operation is of this kind.")
    statements = {o.name: read_statements(schema, root, o) for o in operations}
    return {f"sql_{part}.h": emit_c.shapes_h(operations, statements),
            f"handlers_{part}.c": emit_c.handlers_c(schema, part, operations, statements)}


def run(root, out, parts):
    """Writes the parts; returns the sentences about what is wrong, then nothing is written."""
    schema, files = Schema(root / "schemas"), {}
    for part in parts if not schema.errors else ():
        files |= files_of(schema, root, part)
    if not schema.errors:
        out.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            path = out / name
            if not path.exists() or path.read_text() != text:
                path.write_text(text)
    return schema.errors


if __name__ == "__main__":
    wrong = run(*map(Path, sys.argv[1:3]), sys.argv[3:]) if len(sys.argv) > 3 else [__doc__]
    sys.exit("\n".join(wrong) or None)
