# SPDX-License-Identifier: Apache-2.0
"""The schema as the emitters see it: reads schemas/*.toml, refuses what is wrong, in sentences."""
import re
import tomllib
from pathlib import Path
from types import SimpleNamespace

# type -> (C type of the member, cells in a row)
SCALARS = {"boolean": ("bool", 1), "integer": ("int64_t", 1), "string": ("struct text", 1),
           "uuid": ("struct uuid", 1), "enum": ("uint8_t", 1), "money": ("struct money", 2),
           "money_text": ("struct text", 0), "timestamp": ("int64_t", 1), "date": ("int32_t", 1),
           "json": ("struct text", 1), "bytes": ("struct text", 1)}
REPLY_ONLY = {"money_text", "json"}
RANGES = {"string": (0, 2**20), "bytes": (0, 2**20), "integer": (-2**63, 2**63 - 1)}
BUILT_IN_ENUMS = {"Currency": ["BRL", "USD", "EUR"]}  # enum currency of text.h
# What may stand in a table, and what it is where it does not.
FIELD = {"doc": "", "number": 0, "type": "", "key": None, "values": "", "min": None, "max": None}
REQUEST = FIELD | {"required": False, "default": None, "list": 0}
REPLY = FIELD | {"nullable": False, "of": ""}
FLAGS = {"authenticated": True, "testing": False, "cached": False, "heavy": False}
OPERATION = {"doc": "", "number": 0, "kind": None, "route": None, "status": "ok", "reply": None,
             "reply_version": 1, "lane": None, "budget_ms": None, "parameters": None,
             "request": {}} | FLAGS
OF_KIND = {"query": {"lane": "interactive", "budget_ms": 5000},
           "command": {"lane": "command", "budget_ms": 10000}}
LANES = ("interactive", "command", "task", "bulk")
NAME, TYPE_NAME = re.compile(r"[a-z][a-z0-9_]*"), re.compile(r"[A-Z][A-Za-z0-9]*")
ROUTE = re.compile(r"(GET|POST|PUT|PATCH|DELETE) (/api(?:/[a-z0-9_{}-]+)+)")
C_WORDS = set("""auto bool break case char const continue default do double else enum extern false
    float for goto if inline int long register restrict return short signed sizeof static struct
    switch true typedef union unsigned void volatile while""".split())
NUMBER_MAX = 999


class Field(SimpleNamespace):  # what stands in its table, and name, place, nested, column
    @property
    def optional(self):
        return self.nullable or not (self.required or self.default is not None)

    @property
    def columns(self):
        return self.nested.columns if self.nested else SCALARS[self.type][1]


class Message:
    def __init__(self, name, title, where):  # name: of the C struct, title: of the OpenAPI schema
        self.name, self.title, self.where, self.fields = name, title, where, []

    @property
    def columns(self):
        return sum(field.columns for field in self.fields)


def snake(name):
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


class Reader:
    def __init__(self, folder, limits_file):
        limits = re.findall(r"^\s*(\w+) = (\d+),", Path(limits_file).read_text(), re.MULTILINE)
        self.limits = {name: int(value) for name, value in limits}
        self.folder, self.errors, self.retired = Path(folder), [], set()
        self.raw_types, self.types, self.enums = {}, {}, dict(BUILT_IN_ENUMS)
        self.operations = []

    def need(self, where, condition, sentence):
        if not condition:
            self.errors.append(f"{where}: {sentence}")
        return bool(condition)

    def read(self):
        features, special = {}, {"failures": {}, "events": {}}
        for path in sorted(self.folder.glob("*.toml")):
            try:
                tables = tomllib.loads(path.read_text())
                (special if path.stem in special else features)[path.stem] = tables
            except tomllib.TOMLDecodeError as error:
                self.need(f"schemas/{path.name}", False, f"is not TOML: {error}.")
        self.check_statuses("schemas/failures.toml", special["failures"])
        self.check_numbers("schemas/events.toml", special["events"], 65535, minimum=1)
        for feature, tables in features.items():
            self.read_shared(f"schemas/{feature}.toml", tables)
        for name in self.raw_types:
            self.read_type(name, [])
        for feature, tables in features.items():
            for name, table in tables.items():
                if name not in ("types", "enums", "retired"):
                    where = f"schemas/{feature}.toml: {name}"
                    self.read_operation(where, feature, name, table, special["failures"])
        self.check_operations()
        return SimpleNamespace(statuses=special["failures"], events=special["events"],
                               enums=self.enums, types=self.types, operations=self.operations,
                               errors=self.errors, limits=self.limits)

    def check_statuses(self, file, tables):
        self.check_numbers(file, tables, 255)
        for name, table in tables.items():
            where, http = f"{file}: {name}", table.get("http")
            if self.need(where, type(http) is int and 200 <= http <= 599,
                         "needs `http`, a status code."):
                self.need(where, http < 300 or table.get("message"), "a failure needs a `message`.")
        self.need(file, tables.get("ok", {}).get("number") == 0, "needs [ok] with number 0.")
        self.need(file, "internal" in tables, "needs [internal].")

    def check_numbers(self, where, tables, maximum, retired=(), minimum=0):
        seen = {}
        for name, table in tables.items():
            number = table.get("number") if isinstance(table, dict) else None
            if self.need(where, type(number) is int and minimum <= number <= maximum,
                         f"{name} needs a number from {minimum} to {maximum}."):
                self.need(where, number not in seen,
                          f"{name} and {seen.get(number)} have the same number {number}.")
                self.need(where, number not in retired,
                          f"{name} has the number {number}, which is retired.")
                seen.setdefault(number, name)

    def check_keys(self, where, table, known):
        for key in sorted(table.keys() - known.keys()):
            self.need(where, False,
                      f"`{key}` is unknown here; known are {', '.join(sorted(known))}.")

    def read_shared(self, where, tables):
        for name, values in tables.get("enums", {}).items():
            for condition, fault in (
                    (self.enums.get(name, values) == values, "exists already with other values."),
                    (TYPE_NAME.fullmatch(name), "needs a name LikeThis."),
                    (0 < len(values) == len(set(values)) <= 255,
                     "needs 1 to 255 values, each once."),
                    (all(re.fullmatch(r"[A-Za-z]\w*", value, re.ASCII) for value in values),
                     "has a value that is not a word.")):
                self.need(where, condition, f"the enum {name} {fault}")
            self.enums[name] = values
        for name, table in tables.get("types", {}).items():
            self.need(where, name not in self.raw_types and TYPE_NAME.fullmatch(name),
                      f"the type {name} exists already, or is not named LikeThis.")
            self.raw_types[name] = (where, table)
        self.retired |= set(tables.get("retired", []))

    def read_type(self, name, path):
        """The reply type; None where it is unknown or contains itself."""
        if name not in self.raw_types or name in path:
            return None
        if name not in self.types:
            where, table = self.raw_types[name]
            message = Message(snake(name) + "_view", name, f"{where}: types.{name}")
            self.read_fields(message, table, REPLY, path + [name])
            self.place_columns(message)
            self.types[name] = message
        return self.types[name]

    def read_fields(self, message, table, known, path=()):
        tables = {name: value for name, value in table.items() if name != "retired"}
        self.check_numbers(message.where, tables, NUMBER_MAX, table.get("retired", []), minimum=1)
        maximum = self.limits["FIELDS_MAX"]
        self.need(message.where, len(tables) <= maximum,
                  f"has {len(tables)} fields; FIELDS_MAX is {maximum}.")
        fields = [self.read_field(f"{message.where}.{name}", name, value, known, path)
                  for name, value in tables.items()]
        message.fields = sorted(filter(None, fields),
                                key=lambda field: type(field.number) is int and field.number)

    def read_field(self, where, name, table, known, path):
        if not (self.need(where, isinstance(table, dict),
                          "is not a field: { number = .., type = .. }.")
                and self.need(where, NAME.fullmatch(name) and name not in C_WORDS,
                              "the name must be a lower-case C identifier; "
                              "`key` may say another public name.")):
            return None
        self.check_keys(where, table, known)
        given = {key: value for key, value in table.items() if key in known}
        field = Field(**REQUEST | REPLY | {"key": name} | given,
                      name=name, place="body", nested=None, column=0)
        if field.type not in SCALARS:
            field.nested = self.read_type(field.type, list(path)) if known is REPLY else None
            if not self.need(where, field.nested, f"the type `{field.type}` is unknown here, or "
                             f"contains itself; known are {', '.join(SCALARS)}."):
                return None
            field.type = "message"
        if not self.need(where, known is REPLY or field.type not in REPLY_ONLY,
                         f"`{field.type}` is for replies only."):
            return None
        field.required = field.required or known is REPLY and not field.nullable
        self.check_field(where, field)
        return field

    def check_field(self, where, field):
        limits = (field.min, field.max)
        if field.type in RANGES:
            low, high = (bound if limit is None else limit
                         for limit, bound in zip(limits, RANGES[field.type]))
            self.need(where, field.type == "integer" or type(field.max) is int,
                      f"a {field.type} needs a `max`.")
            self.need(where, -2**63 <= low <= high < 2**63,
                      "`min` and `max` must be in order, and 64-bit integers.")
        else:
            self.need(where, limits == (None, None), f"a {field.type} has no `min` and `max`.")
        if field.type == "enum":
            self.need(where, field.values in self.enums,
                      f"`values` names no enum of [enums]: {field.values or 'missing'}.")
        else:
            self.need(where, not field.values, "`values` is for the type enum.")
        self.need(where, type(field.list) is int and 0 <= field.list <= 65535,
                  "`list` is the greatest length, 1 to 65535.")
        if field.default is not None:
            self.check_default(where, field, field.default)

    def check_default(self, where, field, default):
        self.need(where, not (field.required or field.list),
                  "a required field or a list has no `default`.")
        fits = {"boolean": type(default) is bool, "string": type(default) is str,
                "integer": type(default) is int and (field.min is None or default >= field.min)
                and (field.max is None or default <= field.max),
                "enum": default in self.enums.get(field.values, [])}
        if self.need(where, field.type in fits, f"a {field.type} has no `default`."):
            self.need(where, fits[field.type], f"the default {default!r} does not fit the field.")

    def place_columns(self, message):
        column = 0
        for field in message.fields:
            field.column, column = column, column + field.columns
        moneys = {field.name: field.column for field in message.fields if field.type == "money"}
        for field in message.fields:
            where = f"{message.where}.{field.name}"
            if field.type == "money_text":
                self.need(where, field.of in moneys, "`of` must name a money field beside it.")
                field.column = moneys.get(field.of, 0)
            self.need(where, not (field.nested and field.nullable
                                  and field.nested.fields[0].nullable),
                      "is null where its first column is NULL, so that field cannot be nullable.")
        maximum = self.limits["COLUMNS_MAX"]
        self.need(message.where, column <= maximum,
                  f"has {column} columns; COLUMNS_MAX is {maximum}.")

    def read_operation(self, where, feature, name, table, statuses):
        if not self.need(where, NAME.fullmatch(name) and isinstance(table, dict),
                         "is neither an operation nor types, enums or retired."):
            return
        self.check_keys(where, table, OPERATION)
        if not self.need(where, table.get("kind") in OF_KIND, "`kind` must be query or command."):
            return
        given = {key: value for key, value in table.items() if key in OPERATION}
        operation = SimpleNamespace(**OPERATION | OF_KIND[table["kind"]] | given, name=name,
                                    feature=feature, form="none", method=None, path=None)
        title = "".join(word.capitalize() for word in name.split("_")) + "Request"
        operation.request = Message(name + "_request", title, f"{where}.request")
        self.read_fields(operation.request, table.get("request", {}), REQUEST)
        self.read_reply(where, operation)
        self.read_route(where, operation)
        self.check_parameters(where, operation)
        self.need(where, operation.reply or operation.status == "no_content" or not operation.path,
                  "without a `reply` the status must be no_content.")
        self.need(where, statuses.get(operation.status, {}).get("http", 999) < 300,
                  f"`status` {operation.status} is no success of failures.toml.")
        self.need(where, operation.lane in LANES, f"`lane` must be {', '.join(LANES)}.")
        for flag in FLAGS:
            self.need(where, type(getattr(operation, flag)) is bool, f"`{flag}` is true or false.")
        self.operations.append(operation)

    def read_reply(self, where, operation):
        reply = operation.reply
        if reply is not None:
            operation.form, name = (("one", reply) if isinstance(reply, str)
                                    else next(iter(reply.items())))
            operation.reply = self.read_type(name, [])
            self.need(where, operation.form in ("one", "list", "page") and operation.reply,
                      f"`reply` must be a type, {{ list = .. }} or {{ page = .. }}: {reply}.")

    def read_route(self, where, operation):
        if operation.route is not None:
            match = ROUTE.fullmatch(operation.route)
            if not self.need(where, match, '`route` must look like "GET /api/accounts/{id}".'):
                return
            operation.method, operation.path = match.groups()
        fields = {field.name: field for field in operation.request.fields}
        in_path = re.findall(r"\{(\w+)\}", operation.path or "")
        for name in in_path:
            if self.need(where, name in fields and not fields[name].list,
                         f"{{{name}}} of the route is no single request field."):
                fields[name].place, fields[name].required = "path", True
        for field in fields.values():
            place = f"{where}.request.{field.name}"
            if operation.path and operation.kind == "query" and field.name not in in_path:
                field.place = "query"
            self.need(place, not (operation.path and field.type == "bytes"),
                      "bytes do not come over HTTP.")
            self.need(place, not (field.place == "query" and field.type == "money"),
                      "money does not come in a query string.")
        for name in ("page", "per_page") if operation.form == "page" else ():
            self.need(where, name in fields and fields[name].type == "integer",
                      f"a page needs the integer `{name}` in its request.")

    def check_parameters(self, where, operation):
        fields = {field.name: field for field in operation.request.fields}
        for name in operation.parameters or []:
            if name == "new_id":  # the runtime makes it
                continue
            if self.need(where, name in fields,
                         f"`parameters` names {name}, which is no request field."):
                self.need(where, not fields[name].list or fields[name].type == "uuid",
                          f"`parameters` takes lists of uuid only, not {name}.")
        self.need(where, operation.parameters is None or operation.form != "page",
                  "a page needs its own bind and reply, not `parameters`.")

    def check_operations(self):
        self.check_numbers("schemas", {o.name: vars(o) for o in self.operations}, NUMBER_MAX,
                           self.retired, minimum=1)
        seen = {}
        for operation in self.operations:
            route = (operation.method, re.sub(r"\{\w+\}", "{}", operation.path or ""))
            for key in {operation.name, route} - {(None, "")}:
                self.need(f"schemas/{operation.feature}.toml: {operation.name}", key not in seen,
                          f"collides with {seen.get(key)}.")
                seen[key] = operation.name
