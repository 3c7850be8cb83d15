# SPDX-License-Identifier: Apache-2.0
"""The .sql files of the use cases: blocks, shapes, parameters, and the frame around a command."""
import re
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Statement:
    name: str  # prepared under this name; in capitals the constant of its shape
    sql: str
    parameters: int


def parameter_numbers(sql):
    bare = re.sub(r"'(?:[^']|'')*'|--[^\n]*", "", sql)
    return {int(number) for number in re.findall(r"\$(\d+)", bare)}


def split_shapes(text):
    """[(shape or "", sql)] of a file; a ValueError says what is wrong."""
    marks = re.split(r"^-- (block|shape) (.*)$", text, flags=re.MULTILINE)
    if len(marks) == 1:
        return [("", text)]
    blocks, shapes = {}, []
    for kind, title, body in zip(marks[1::3], marks[2::3], marks[3::3]):
        if kind == "block":
            if not re.fullmatch(r"\w+", title.strip()) or title.strip() in blocks:
                raise ValueError(f"the block `{title}` needs a name of its own.")
            blocks[title.strip()] = body
            continue
        match = re.fullmatch(r"(\w+) = (\w+(?: \w+)*)", title.strip())
        if not match or match[1] in dict(shapes):
            raise ValueError(f"`-- shape {title}` must look like `-- shape name = block block`.")
        shapes.append((match[1], match[2].split()))
    if not shapes:
        raise ValueError("has blocks but no `-- shape name = block block`.")
    for shape, names in shapes:
        for name in names:
            if name not in blocks:
                raise ValueError(f"the shape {shape} names the block {name}, which is missing.")
    unused = set(blocks) - {name for _, names in shapes for name in names}
    if unused:
        raise ValueError(f"no shape uses the block {', '.join(sorted(unused))}.")
    return [(shape, "".join(blocks[name] for name in names)) for shape, names in shapes]


def read_statements(root, process, operation, frame, limits):
    """The statements of one operation; a ValueError begins with the file's name."""
    name = f"actors/{process}/{operation.feature}/{operation.name}.sql"
    path = Path(root) / name
    if not path.exists():
        raise ValueError(f"{name} is missing: the statement of the operation {operation.name}.")
    try:
        shapes = split_shapes(path.read_text())
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    statements = []
    for shape, sql in shapes:
        lines = [line.rstrip() for line in sql.splitlines() if not re.match(r"\s*--|\s*$", line)]
        sql = "\n".join(lines).rstrip(";")
        if process == "command":
            sql = frame.replace("{operation}", str(operation.number)) \
                       .replace("{statement}", sql)
        numbers = parameter_numbers(sql)
        count = max(numbers, default=0)
        missing = set(range(1, count + 1)) - numbers
        full_name = f"{operation.name}_{shape}" if shape else operation.name
        if missing:
            raise ValueError(f"{name}: {full_name} uses ${count} but not "
                             f"{', '.join(f'${number}' for number in sorted(missing))}.")
        if count > limits["PARAMETERS_MAX"]:
            raise ValueError(f"{name}: {full_name} has {count} parameters; PARAMETERS_MAX is "
                             f"{limits['PARAMETERS_MAX']}.")
        if len(full_name) > 63:
            raise ValueError(f"{name}: {full_name} is longer than PostgreSQL's 63 characters.")
        statements.append(Statement(full_name, sql, count))
    if operation.parameters is not None and len(statements) > 2:
        raise ValueError(f"{name}: an operation with `parameters` has one shape, and at most a "
                         "second one that tells another tenant's row.")
    return statements


def read_frame(schemas):
    """command.sql without its comments."""
    lines = (Path(schemas) / "command.sql").read_text().splitlines()
    return "\n".join(line for line in lines if not line.startswith("--"))
