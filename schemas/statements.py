# SPDX-License-Identifier: Apache-2.0
"""The .sql files of the use cases: blocks, shapes, parameters, and the frame around a command."""
import re
from types import SimpleNamespace


def without_comments(text):
    return "\n".join(line.rstrip() for line in text.splitlines()
                     if not re.match(r"\s*--|\s*$", line))


def split_shapes(schema, where, text):
    """{shape: sql}; a file without marks is one shape without a name."""
    marks = re.split(r"^-- (block|shape) (.*)$", text, flags=re.MULTILINE)
    blocks, shapes = {}, {}
    for kind, title, body in zip(marks[1::3], marks[2::3], marks[3::3]):
        name, _, names = title.strip().partition(" = ")
        known, form = (blocks, r"\w+") if kind == "block" else (shapes, r"\w+ = \w+(?: \w+)*")
        schema.need(where, re.fullmatch(form, title.strip()) and name not in known,
                    f"`-- {kind} {title}` must look like `-- block name` or `-- shape name = "
                    "block block`, with a name of its own.")
        known[name] = body if kind == "block" else names.split()
    used = {name for names in shapes.values() for name in names}
    schema.need(where, shapes or not blocks, "has blocks but no `-- shape name = block block`.")
    for name in sorted(used ^ blocks.keys() if shapes else ()):
        schema.need(where, False, f"no shape uses the block {name}." if name in blocks
                    else f"a shape names the block {name}, which is missing.")
    return {shape: "".join(blocks.get(name, "") for name in names)
            for shape, names in shapes.items()} if marks[1:] else {"": text}


def read_statements(schema, root, operation):
    """What a process prepares for one operation, by the name it prepares it under."""
    where = f"actors/{operation.kind}/{operation.feature}/{operation.name}.sql"
    path, statements = root / where, []
    if not schema.need(where, path.exists(),
                       f"is missing: the statement of the operation {operation.name}."):
        return statements
    frame = without_comments((root / "schemas/command.sql").read_text())
    for shape, sql in split_shapes(schema, where, path.read_text()).items():
        sql = without_comments(sql).rstrip(";")
        wanted = {"total": 1, "foreign": 0}.get(shape.split("_")[0],
                                                operation.reply.cells if operation.reply else 0)
        if operation.kind == "command":
            sql = frame.replace("{operation}", str(operation.number)).replace("{statement}", sql)
            wanted = 4  # the frame's
        bare = re.sub(r"'(?:[^']|'')*'|--[^\n]*", "", sql)
        numbers = {int(number) for number in re.findall(r"\$(\d+)", bare)}
        count = max(numbers, default=0)
        unused = ", ".join(f"${number}" for number in range(1, count) if number not in numbers)
        name = f"{operation.name}_{shape}".removesuffix("_")
        schema.need(where, not unused, f"{name} uses ${count} but not {unused}.")
        schema.need(where, len(name) <= 63, f"{name} is longer than PostgreSQL's 63 characters.")
        statements += [SimpleNamespace(name=name, sql=sql + "\n", parameters=count, columns=wanted)]
    schema.need(where, operation.parameters is None or len(statements) <= 2,
                "an operation with `parameters` has one shape, and at most a second one that tells "
                "another tenant's row.")
    return statements
