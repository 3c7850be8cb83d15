#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes all that follows from schemas/*.toml and the use cases' .sql files.

    generate.py --root <repository> --out <folder> messages   structs, statuses, operations, OpenAPI
    generate.py --root <repository> --out <folder> query      tables of one process: query, command

What is wrong with a schema is told on stderr, one sentence a line, and the exit status is 1. A
file whose text did not change is left alone, so nothing is compiled again for it.
"""
import argparse
import sys
from pathlib import Path

import emit_c
import emit_openapi
import model
import statements

PROCESSES = ("query", "command")


def messages_files(schema):
    document = emit_openapi.openapi_json(schema)
    return {"statuses.h": emit_c.statuses_h(schema), "statuses.c": emit_c.statuses_c(schema),
            "messages.h": emit_c.messages_h(schema), "messages.c": emit_c.messages_c(schema),
            "operations.h": emit_c.operations_h(schema),
            "operations.c": emit_c.operations_c(schema), "openapi.json": document,
            "openapi.h": emit_c.openapi_h(), "openapi.c": emit_c.openapi_c(document)}


def process_files(schema, root, process):
    frame = statements.read_frame(root / "schemas")
    operations = [o for o in schema.operations if o.kind == process]
    by_name = {}
    for operation in operations:
        try:
            by_name[operation.name] = statements.read_statements(
                root, process, operation, frame, schema.limits)
        except ValueError as error:
            schema.errors.append(str(error))
    if schema.errors:
        return {}
    return {f"sql_{process}.h": emit_c.shapes_h(operations, by_name),
            f"handlers_{process}.c": emit_c.handlers_c(schema, process, operations, by_name)}


def sources_file(schema, root, process):
    """The .c of each use case by convention; one that is missing is told by the linker."""
    names = [f"actors/{process}/{o.feature}/{o.name}.c" for o in schema.operations
             if o.kind == process and o.parameters is None]
    present = [f"    ${{CMAKE_SOURCE_DIR}}/{name}" for name in names if (root / name).exists()]
    return "\n".join([f"set(VALORIZE_{process.upper()}_SOURCES", *present]) + ")\n"


def write(out, files):
    out.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        path = out / name
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


def run(root, out, parts):
    """Writes the parts; returns the sentences about what is wrong, then nothing is written."""
    schema = model.Reader(root / "schemas", root / "actors/runtime/limits.h").read()
    files = {}
    for part in parts if not schema.errors else ():
        if part == "messages":
            files |= messages_files(schema)
            for process in PROCESSES:
                files[f"sources_{process}.cmake"] = sources_file(schema, root, process)
        else:
            files |= process_files(schema, root, part)
    if not schema.errors:
        write(out, files)
    return schema.errors


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("part", nargs="+", choices=("messages",) + PROCESSES)
    options = parser.parse_args(arguments)
    errors = run(options.root, options.out, options.part)
    for error in errors:
        print(error, file=sys.stderr)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
