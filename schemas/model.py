# SPDX-License-Identifier: Apache-2.0
"""The schema as the emitters see it: reads schemas/*.toml, says in a sentence what is wrong."""
import re
import tomllib
from dataclasses import dataclass, field as item
from pathlib import Path

# type -> (C type of the member, cells in a row)
SCALARS = {"boolean": ("bool", 1), "integer": ("int64_t", 1), "string": ("struct text", 1),
           "uuid": ("struct uuid", 1), "enum": ("uint8_t", 1), "money": ("struct money", 2),
           "money_text": ("struct text", 0), "timestamp": ("int64_t", 1), "date": ("int32_t", 1),
           "json": ("struct text", 1), "bytes": ("struct text", 1)}
REPLY_ONLY = {"money_text", "json"}
FIELD_KEYS = {"doc", "number", "type", "key", "values", "min", "max"}
REQUEST_KEYS = FIELD_KEYS | {"required", "default", "list"}
REPLY_KEYS = FIELD_KEYS | {"nullable", "of"}
OPERATION_KEYS = {"doc", "number", "kind", "route", "status", "reply", "reply_version", "lane",
                  "budget_ms", "parameters", "authenticated", "testing", "cached", "heavy",
                  "request"}
BUDGETS_MS = {"query": 5000, "command": 10000}
LANES = {"query": "interactive", "command": "command"}
BUILT_IN_ENUMS = {"Currency": ["BRL", "USD", "EUR"]}  # enum currency of text.h
C_WORDS = set("""auto bool break case char const continue default do double else enum extern false
    float for goto if inline int long register restrict return short signed sizeof static struct
    switch true typedef union unsigned void volatile while""".split())
NUMBER_MAX = 999


@dataclass
class Field:
    name: str
    number: int
    type: str  # of SCALARS, or "message"
    key: str
    doc: str = ""
    place: str = "body"
    required: bool = False
    nullable: bool = False
    list: int = 0
    min: int | None = None
    max: int | None = None
    values: str = ""
    default: object = None
    of: str = ""
    nested: "Message | None" = None
    column: int = 0

    @property
    def optional(self):
        return self.nullable or not (self.required or self.default is not None)

    @property
    def columns(self):
        return self.nested.columns if self.nested else SCALARS[self.type][1]


@dataclass
class Message:
    name: str  # of the C struct
    title: str  # of the OpenAPI schema
    fields: list = item(default_factory=list)
    where: str = ""
    done: bool = False

    @property
    def columns(self):
        return sum(f.columns for f in self.fields)


@dataclass
class Operation:
    name: str
    feature: str
    table: dict
    request: Message
    reply: Message | None = None
    form: str = "none"
    method: str | None = None
    path: str | None = None

    def __getattr__(self, key):  # what stands in the table, or its default
        defaults = {"doc": "", "status": "ok", "reply_version": 1, "parameters": None,
                    "authenticated": True, "testing": False, "cached": False, "heavy": False}
        if key not in OPERATION_KEYS:
            raise AttributeError(key)
        if key == "lane":
            return self.table.get(key, LANES[self.kind])
        if key == "budget_ms":
            return self.table.get(key, BUDGETS_MS[self.kind])
        return self.table.get(key, defaults.get(key))


@dataclass
class Schema:
    statuses: dict
    events: dict
    enums: dict
    types: dict
    operations: list
    errors: list
    limits: dict


def snake(name):
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


class Reader:
    def __init__(self, folder, limits_file):
        self.folder, self.errors = Path(folder), []
        limits = re.findall(r"^\s*(\w+) = (\d+),", Path(limits_file).read_text(), re.MULTILINE)
        self.limits = {name: int(value) for name, value in limits}
        self.raw_types, self.types, self.enums = {}, {}, dict(BUILT_IN_ENUMS)
        self.operations, self.retired = [], set()

    def fail(self, where, sentence):
        self.errors.append(f"{where}: {sentence}")

    def read(self):
        features, special = {}, {"failures": {}, "events": {}}
        for path in sorted(self.folder.glob("*.toml")):
            try:
                tables = tomllib.loads(path.read_text())
            except tomllib.TOMLDecodeError as error:
                self.fail(f"schemas/{path.name}", f"is not TOML: {error}.")
                continue
            (special if path.stem in special else features)[path.stem] = tables
        self.read_statuses(special["failures"])
        self.numbers("schemas/events.toml", special["events"].items(), 65535, minimum=1)
        for feature, tables in features.items():
            self.read_shared(f"schemas/{feature}.toml", tables)
        for name in self.raw_types:
            self.read_type(name, [])
        for feature, tables in features.items():
            for name, table in tables.items():
                if name not in ("types", "enums", "retired"):
                    self.read_operation(f"schemas/{feature}.toml: {name}", feature, name, table)
        self.check_operations()
        return Schema(self.statuses, special["events"], self.enums, self.types, self.operations,
                      self.errors, self.limits)

    def read_statuses(self, tables):
        self.statuses = tables
        self.numbers("schemas/failures.toml", tables.items(), 255)
        for name, table in tables.items():
            if not isinstance(table.get("http"), int) or not 200 <= table["http"] <= 599:
                self.fail(f"schemas/failures.toml: {name}", "needs `http`, a status code.")
            elif table["http"] >= 300 and not table.get("message"):
                self.fail(f"schemas/failures.toml: {name}", "a failure needs a `message`.")
        if tables.get("ok", {}).get("number") != 0:
            self.fail("schemas/failures.toml", "needs [ok] with number 0.")
        if "internal" not in tables:
            self.fail("schemas/failures.toml", "needs [internal].")

    def numbers(self, where, named, maximum, retired=(), minimum=0):
        seen = {}
        for name, table in named:
            number = table.get("number") if isinstance(table, dict) else None
            if type(number) is not int or not minimum <= number <= maximum:
                self.fail(where, f"{name} needs a number from {minimum} to {maximum}.")
            elif number in seen:
                self.fail(where, f"{name} and {seen[number]} have the same number {number}.")
            elif number in retired:
                self.fail(where, f"{name} has the number {number}, which is retired.")
            seen.setdefault(number, name)

    def read_shared(self, where, tables):
        for name, values in tables.get("enums", {}).items():
            if name in self.enums and self.enums[name] != values:
                self.fail(where, f"the enum {name} exists already with other values.")
            elif not re.fullmatch(r"[A-Z][A-Za-z0-9]*", name):
                self.fail(where, f"the enum {name} needs a name LikeThis.")
            elif not values or len(values) > 255 or len(set(values)) != len(values):
                self.fail(where, f"the enum {name} needs 1 to 255 values, each once.")
            elif not all(re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", value) for value in values):
                self.fail(where, f"the enum {name} has a value that is not a word.")
            self.enums[name] = values
        for name, table in tables.get("types", {}).items():
            if name in self.raw_types or not re.fullmatch(r"[A-Z][A-Za-z0-9]*", name):
                self.fail(where, f"the type {name} exists already, or is not named LikeThis.")
            self.raw_types[name] = (where, table)
        self.retired |= set(tables.get("retired", []))

    def read_type(self, name, path):
        """The reply type; None where it is unknown or contains itself."""
        if name not in self.raw_types or name in path:
            return None
        if name not in self.types:
            where, table = self.raw_types[name]
            message = Message(snake(name) + "_view", name, where=f"{where}: types.{name}")
            self.read_fields(message, table, REPLY_KEYS, path + [name])
            self.place_columns(message)
            self.types[name] = message
        return self.types[name]

    def read_fields(self, message, table, keys, path=()):
        table = dict(table)
        retired = table.pop("retired", [])
        self.numbers(message.where, table.items(), NUMBER_MAX, retired, minimum=1)
        if len(table) > self.limits["FIELDS_MAX"]:
            self.fail(message.where, f"has {len(table)} fields; FIELDS_MAX is "
                                     f"{self.limits['FIELDS_MAX']}.")
        for name, attributes in table.items():
            where = f"{message.where}.{name}"
            if not isinstance(attributes, dict):
                self.fail(where, "is not a field: { number = .., type = .. }.")
                continue
            field = self.read_field(where, name, attributes, keys, path)
            if field:
                message.fields.append(field)
        message.fields.sort(key=lambda f: f.number if type(f.number) is int else 0)

    def read_field(self, where, name, table, keys, path):
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or name in C_WORDS:
            return self.fail(where, "the name must be a lower-case C identifier; "
                                    "`key` may say another public name.")
        for key in sorted(set(table) - keys):
            self.fail(where, f"`{key}` is unknown here; known are {', '.join(sorted(keys))}.")
        kind, nested = table.get("type", ""), None
        if kind not in SCALARS:
            nested = self.read_type(kind, list(path)) if keys is REPLY_KEYS else None
            if not nested:
                return self.fail(where, f"the type `{kind}` is unknown here, or contains itself; "
                                        f"known are {', '.join(SCALARS)}.")
        elif kind in REPLY_ONLY and keys is REQUEST_KEYS:
            return self.fail(where, f"`{kind}` is for replies only.")
        options = {k: v for k, v in table.items() if k in keys and k != "type"}
        options.setdefault("number", 0)
        options.setdefault("key", name)
        if keys is REPLY_KEYS:
            options["required"] = not options.get("nullable", False)
        field = Field(name=name, type="message" if nested else kind, nested=nested, **options)
        self.check_field(where, field)
        return field

    def check_field(self, where, field):
        if field.type in ("string", "bytes") and type(field.max) is not int:
            self.fail(where, f"a {field.type} needs a `max`.")
        if field.type in ("string", "bytes", "integer"):
            low, high = (-2**63, 2**63 - 1) if field.type == "integer" else (0, 2**20)
            low, high = (low if field.min is None else field.min,
                         high if field.max is None else field.max)
            if not -2**63 <= low <= high < 2**63:
                self.fail(where, "`min` and `max` must be in order, and 64-bit integers.")
        elif field.min is not None or field.max is not None:
            self.fail(where, f"a {field.type} has no `min` and `max`.")
        if field.type == "enum" and field.values not in self.enums:
            self.fail(where, f"`values` names no enum of [enums]: {field.values or 'missing'}.")
        if field.type != "enum" and field.values:
            self.fail(where, "`values` is for the type enum.")
        if type(field.list) is not int or not 0 <= field.list <= 65535:
            self.fail(where, "`list` is the greatest length, 1 to 65535.")
        if field.default is not None:
            self.check_default(where, field)

    def check_default(self, where, field):
        if field.required or field.list:
            self.fail(where, "a required field or a list has no `default`.")
        fits = {"boolean": lambda v: type(v) is bool,
                "integer": lambda v: type(v) is int and (field.min is None or v >= field.min)
                and (field.max is None or v <= field.max),
                "string": lambda v: type(v) is str,
                "enum": lambda v: v in self.enums.get(field.values, [])}
        if field.type not in fits:
            self.fail(where, f"a {field.type} has no `default`.")
        elif not fits[field.type](field.default):
            self.fail(where, f"the default {field.default!r} does not fit the field.")

    def place_columns(self, message):
        column = 0
        for field in message.fields:
            field.column, column = column, column + field.columns
        moneys = {f.name: f.column for f in message.fields if f.type == "money"}
        for field in message.fields:
            if field.type == "money_text" and field.of not in moneys:
                self.fail(f"{message.where}.{field.name}",
                          "`of` must name a money field beside it.")
            elif field.type == "money_text":
                field.column = moneys[field.of]
            if field.nested and field.nullable and field.nested.fields[0].nullable:
                self.fail(f"{message.where}.{field.name}",
                          "is null where its first column is NULL, so that cannot be nullable.")
        if column > self.limits["COLUMNS_MAX"]:
            self.fail(message.where, f"has {column} columns; COLUMNS_MAX is "
                                     f"{self.limits['COLUMNS_MAX']}.")

    def read_operation(self, where, feature, name, table):
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or not isinstance(table, dict):
            return self.fail(where, "is neither an operation nor types, enums or retired.")
        for key in sorted(set(table) - OPERATION_KEYS):
            self.fail(where, f"`{key}` is unknown; known are {', '.join(sorted(OPERATION_KEYS))}.")
        if table.get("kind") not in LANES:
            return self.fail(where, "`kind` must be query or command.")
        title = "".join(word.capitalize() for word in name.split("_")) + "Request"
        request = Message(name + "_request", title, where=f"{where}.request")
        operation = Operation(name, feature, table, request)
        self.read_fields(request, table.get("request", {}), REQUEST_KEYS)
        self.read_reply(where, operation)
        self.read_route(where, operation)
        if operation.path and not operation.reply and operation.status != "no_content":
            self.fail(where, "without a `reply` the status must be no_content.")
        for flag in ("authenticated", "testing", "cached", "heavy"):
            if type(table.get(flag, False)) is not bool:
                self.fail(where, f"`{flag}` is true or false.")
        if operation.status not in self.statuses or self.statuses[operation.status]["http"] >= 300:
            self.fail(where, f"`status` {operation.status} is no success of failures.toml.")
        if operation.lane not in ("interactive", "command", "task", "bulk"):
            self.fail(where, "`lane` must be interactive, command, task or bulk.")
        known = {f.name: f for f in request.fields}
        for parameter in operation.parameters or []:
            if parameter == "new_id":  # made by the runtime
                continue
            if parameter not in known:
                self.fail(where, f"`parameters` names {parameter}, which is no request field.")
            elif known[parameter].list and known[parameter].type != "uuid":
                self.fail(where, f"`parameters` takes lists of uuid only, not {parameter}.")
        if operation.parameters is not None and operation.form == "page":
            self.fail(where, "a page needs its own bind and reply, not `parameters`.")
        self.operations.append(operation)

    def read_reply(self, where, operation):
        reply = operation.table.get("reply")
        if reply is None:
            return
        operation.form, name = (("one", reply) if isinstance(reply, str)
                                else next(iter(reply.items())))
        operation.reply = self.read_type(name, [])
        if operation.form not in ("one", "list", "page") or not operation.reply:
            self.fail(where,
                      f"`reply` must be a type, {{ list = .. }} or {{ page = .. }}: {reply}.")

    def read_route(self, where, operation):
        if "route" in operation.table:
            match = re.fullmatch(r"(GET|POST|PUT|PATCH|DELETE) (/api(?:/[a-z0-9_{}-]+)+)",
                                 operation.route)
            if not match:
                return self.fail(where, '`route` must look like "GET /api/accounts/{id}".')
            operation.method, operation.path = match.groups()
        names = re.findall(r"\{(\w+)\}", operation.path or "")
        fields = {f.name: f for f in operation.request.fields}
        for name in names:
            if name not in fields or fields[name].list:
                self.fail(where, f"{{{name}}} of the route is no single request field.")
            else:
                fields[name].place, fields[name].required = "path", True
        for field in fields.values():
            if operation.path and field.place != "path" and operation.kind == "query":
                field.place = "query"
            if operation.path and field.type == "bytes":
                self.fail(f"{where}.request.{field.name}", "bytes do not come over HTTP.")
            if field.place == "query" and field.type == "money":
                self.fail(f"{where}.request.{field.name}", "money does not come in a query string.")
        if operation.form == "page":
            for name in ("page", "per_page"):
                if name not in fields or fields[name].type != "integer":
                    self.fail(where, f"a page needs the integer `{name}` in its request.")

    def check_operations(self):
        self.numbers("schemas", ((o.name, o.table) for o in self.operations), NUMBER_MAX,
                     self.retired, minimum=1)
        routes, names = {}, {}
        for operation in self.operations:
            route = operation.path and (operation.method, re.sub(r"\{\w+\}", "{}", operation.path))
            for table, key in ((routes, route), (names, operation.name)):
                if key and key in table:
                    self.fail(f"schemas/{operation.feature}.toml: {operation.name}",
                              f"collides with {table[key]}.")
                table[key] = operation.name
