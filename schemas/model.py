# SPDX-License-Identifier: Apache-2.0
"""The schema as the emitters see it: reads schemas/*.toml, refuses what is wrong, in sentences."""
import re
import tomllib
from pathlib import Path
from types import SimpleNamespace

RULES = tomllib.loads(Path(__file__).with_name("rules.toml").read_text())
NAME, TYPE_NAME = re.compile(r"[a-z][a-z0-9_]*"), re.compile(r"[A-Z][A-Za-z0-9]*")
BUILT_IN_ENUMS = {"Currency": ["BRL", "USD", "EUR"]}  # enum currency of text.h
FIELD_KEYS = ("required", "list", "nullable", "min", "max", "default", "values", "of")
INTEGERS, SUCCESS = range(-2**63, 2**63), range(200, 300)


def fits(value, rule):  # the rule of one key, of rules.toml
    low, high = rule.get("range", (INTEGERS[0], INTEGERS[-1]))
    return (type(value).__name__ in rule["type"].split(" or ")
            and (rule["type"] != "int" or low <= value <= high)
            and ("pattern" not in rule or bool(re.fullmatch(rule["pattern"], value, re.ASCII))))


def snake(name):
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


class Schema:
    """The namespaces the emitters walk through, and what is wrong with them in `errors`."""

    def __init__(self, folder):
        self.errors, self.retired, self.raw_types, self.enums = [], [], {}, dict(BUILT_IN_ENUMS)
        self.types, self.messages, self.operations = {}, [], []  # types before those they are in
        files = dict.fromkeys(("rules", "failures", "events"), {})
        for path in sorted(folder.glob("*.toml")):
            try:
                files[path.stem] = tomllib.loads(path.read_text())
            except tomllib.TOMLDecodeError as error:
                self.need(f"schemas/{path.name}", False, f"is not TOML: {error}.")
        files.pop("rules")
        self.statuses = self.read_rows("schemas/failures.toml", files.pop("failures"), "status")
        self.events = self.read_rows("schemas/events.toml", files.pop("events"), "event")
        for name, status in self.statuses.items():
            self.need(f"schemas/failures.toml: {name}", status.message or status.http in SUCCESS,
                      "a failure needs a `message`.")
        for feature, tables in files.items():
            self.read_shared(f"schemas/{feature}.toml", tables)
        for name in self.raw_types:
            self.read_type(name)
        for feature, tables in files.items():
            for name in [name for name in tables if name not in RULES["file"]]:
                self.read_operation(feature, name, tables[name])
        for what in ("name", "number", "route"):
            pairs = [(f"{o.feature}.{o.name}", getattr(o, what)) for o in self.operations]
            self.check_unique("schemas", what, pairs, self.retired)

    def need(self, where, condition, sentence):
        if not condition:
            self.errors.append(f"{where}: {sentence}")
        return bool(condition)

    def take(self, where, table, rules, names=False):
        """All keys of the rules; one that is wrong is as if it were left out. names: what else
        stands in the table is for the caller."""
        table = table if self.need(where, isinstance(table, dict), "is not a table.") else {}
        for key in sorted(table.keys() - rules.keys()) if not names else ():
            self.need(where, False, f"`{key}` is unknown here; known are {', '.join(rules)}.")
        taken = SimpleNamespace()
        for key, rule in rules.items():
            right = fits(table[key], rule) if key in table else "must" not in rule
            fault = f"`{key}` must be" if key in table else f"needs `{key}`:"
            self.need(where, right, f"{fault} {rule['is']}.")
            setattr(taken, key, table[key] if right and key in table else rule.get("default"))
        return taken

    def check_unique(self, where, what, pairs, retired=()):
        seen = dict.fromkeys(retired, "a retired one")
        for name, key in pairs:
            self.need(where, key is None or key not in seen,
                      f"{name} and {seen.get(key)} have the same {what}, {key}.")
            seen[key] = name

    def read_rows(self, where, tables, rules):
        rows = {name: self.take(f"{where}: {name}", table, RULES[rules])
                for name, table in tables.items() if name not in RULES["retired"]}
        self.check_unique(where, "number", [(name, row.number) for name, row in rows.items()],
                          self.take(where, tables, RULES["retired"], names=True).retired)
        return rows

    def read_shared(self, where, tables):
        shared = self.take(where, tables, RULES["file"], names=True)
        self.retired += shared.retired
        for name, values in shared.enums.items():
            words = [word for word in values if re.fullmatch(r"[A-Za-z]\w*", str(word), re.ASCII)] \
                if isinstance(values, list) else []
            self.need(where, TYPE_NAME.fullmatch(name) and self.enums.get(name, values) == values,
                      f"the enum {name} exists with other values, or is not named LikeThis.")
            self.need(where, words and len(set(words)) == len(values) <= 255,
                      f"the enum {name} needs 1 to 255 words, each once.")
            self.enums[name] = words
        for name, table in shared.types.items():
            if self.need(where, TYPE_NAME.fullmatch(name) and name not in self.raw_types
                         and isinstance(table, dict),
                         f"the type {name} exists already, is not named LikeThis, or is no table."):
                self.raw_types[name] = (f"{where}: types.{name}", table)

    def read_type(self, name, path=()):
        """The reply type; None where it is unknown or contains itself."""
        if name not in self.types and name in self.raw_types and name not in path:
            where, table = self.raw_types[name]
            message = self.read_message(where, snake(name) + "_view", table, "reply", (*path, name))
            message.title = name
            self.place_columns(message)
            self.types[name] = message
        return self.types.get(name)

    def read_message(self, where, name, table, side, path=()):
        """side: "request" or "reply", and with it what may stand in a field."""
        fields = [self.read_field(f"{where}.{key}", key, table[key], side, path)
                  for key in table if key not in RULES["retired"]]
        fields = sorted(filter(None, fields), key=lambda field: field.number or 0)
        self.check_unique(where, "number", [(field.name, field.number) for field in fields],
                          self.take(where, table, RULES["retired"], names=True).retired)
        message = SimpleNamespace(name=name, where=where, fields=fields, cells=0)
        self.messages.append(message)
        return message

    def read_field(self, where, name, table, side, path):
        self.need(where, NAME.fullmatch(name) and name not in RULES["c_words"]["are"], "the name "
                  "must be a lower-case C identifier; `key` may say another public name.")
        type_name = str(table.get("type") if isinstance(table, dict) else table)
        known = {key: scalar for key, scalar in RULES["scalar"].items()
                 if side == "reply" or "reply_only" not in scalar}
        scalar = known.get(type_name, {})
        nested = self.read_type(type_name, path) if side == "reply" else None
        if not self.need(where, scalar or nested, f"the type `{type_name}` is unknown here, or "
                         f"contains itself; known are {', '.join(known)}."):
            return None
        taken = self.take(where, table, RULES["field"] | RULES[side] | scalar.get("keys", {}))
        field = SimpleNamespace(**dict.fromkeys(FIELD_KEYS) | vars(taken), name=name, nested=nested,
                                place="body", column=0)
        if nested:
            field.type, field.c_type, field.cells = "message", f"struct {nested.name}", nested.cells
        else:
            field.c_type, field.cells = scalar["c_type"], scalar["cells"]
            field.json = scalar.get(f"{side}_json", scalar["json"])
        field.key = field.key or name
        field.required = field.required or side == "reply" and not field.nullable
        field.optional = not field.required and field.default is None
        self.check_values(where, field)
        return field

    def check_values(self, where, field):
        bounds = range(INTEGERS[0] if field.min is None else field.min,
                       (INTEGERS[-1] if field.max is None else field.max) + 1)
        self.need(where, bounds, "`min` and `max` must be in order.")
        self.need(where, field.values is None or field.values in self.enums,
                  f"`values` names no enum of [enums]: {field.values}.")
        if field.default is not None:
            self.need(where, not (field.required or field.nullable or field.list),
                      "a required or nullable field or a list has no `default`.")
            fitting = {"integer": bounds, "enum": self.enums.get(field.values, ())}
            self.need(where, field.default in fitting.get(field.type, (field.default,)),
                      f"the default {field.default!r} does not fit the field.")

    def place_columns(self, message):
        for field in message.fields:
            field.column, message.cells = message.cells, message.cells + field.cells
        moneys = {field.name: field.column for field in message.fields if field.type == "money"}
        for field in message.fields:
            where = f"{message.where}.{field.name}"
            if field.type == "money_text":
                self.need(where, field.of in moneys, "`of` must name a money field beside it.")
                field.column = moneys.get(field.of, 0)
            self.need(where, not (field.nested and field.nullable)
                      or field.nested.fields and not field.nested.fields[0].nullable,
                      "is null where its first column is NULL, so that field cannot be nullable.")

    def read_operation(self, feature, name, table):
        where = f"schemas/{feature}.toml: {name}"
        self.need(where, NAME.fullmatch(name), "the name must be a lower-case C identifier.")
        kind = RULES.get(str(table.get("kind")), {}) if isinstance(table, dict) else {}
        operation = self.take(where, table, RULES["operation"] | kind)
        operation.name, operation.feature = name, feature
        operation.request = self.read_message(f"{where}.request", name + "_request",
                                              operation.request, "request")
        self.read_reply(where, operation)
        self.place_fields(where, operation)
        self.operations.append(operation)

    def read_reply(self, where, operation):
        reply = operation.reply or {"none": None}
        forms = {"one": reply} if isinstance(reply, str) else reply
        operation.form, type_name = next(iter(forms.items()))
        operation.reply = self.read_type(str(type_name))
        self.need(where, operation.form == "none" or operation.reply
                  and operation.form in ("one", "list", "page"),
                  f"`reply` names no type of [types], {{ list = .. }} or {{ page = .. }}: {reply}.")
        status = self.statuses.get(operation.status)
        self.need(where, status and status.http in SUCCESS,
                  f"`status` {operation.status} is no success of failures.toml.")
        self.need(where, operation.reply or operation.status == "no_content" or not operation.route,
                  "without a `reply` the status must be no_content.")

    def place_fields(self, where, operation):
        """Where each field of the request comes from: path, query string or body."""
        operation.method, operation.path = (operation.route or " ").split(" ")
        operation.route = re.sub(r"\{\w+\}", "{}", operation.route or "") or None
        fields = {field.name: field for field in operation.request.fields}
        in_path = re.findall(r"\{(\w+)\}", operation.path)
        for name in in_path:
            self.need(where, name in fields and not fields[name].list,
                      f"{{{name}}} of the route is no single request field.")
        for name, field in fields.items():
            if name in in_path:
                field.place, field.required, field.optional = "path", True, False
            elif operation.path and operation.kind == "query":
                field.place = "query"
            self.need(f"{where}.request.{name}", not operation.path or field.type != "bytes"
                      and (field.type != "money" or field.place == "body"),
                      f"{field.type} does not come in the {field.place} of a request over HTTP.")
        integers = [name for name, field in fields.items() if field.type == "integer"]
        self.need(where, operation.form != "page" or operation.parameters is None
                  and "page" in integers and "per_page" in integers,
                  "a page needs the integers `page` and `per_page` in its request, and a bind and "
                  "reply of its own, not `parameters`.")
        bound = [name for name, field in fields.items() if not field.list or field.type == "uuid"]
        for name in operation.parameters or ():
            self.need(where, name == "new_id" or name in bound,  # the runtime makes a new_id
                      f"`parameters` names {name}, which is no request field, or a list of other "
                      "than uuid.")
