#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the generator makes of golden/ is golden/expected; what it refuses has its sentence.

`generate_test.py --accept` writes golden/expected anew; read its diff before you commit it.
"""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import generate

HERE = Path(__file__).resolve().parent
BOOK = """
[enums]
Genre = ["novel", "poetry"]
[types.Author]
name = { number = 1, type = "string", max = 9 }
[show]
number = 1
kind = "query"
route = "GET /api/books/{id}"
reply = "Author"
parameters = ["id"]
[show.request]
id = { number = 1, type = "uuid" }
"""


def copy_golden(folder):
    shutil.copytree(HERE / "golden", folder, dirs_exist_ok=True, ignore=lambda *_: {"expected"})


class Golden(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.root = Path(holder.name)
        copy_golden(self.root)
        self.out = self.root / "out"

    def run_generator(self, *parts):
        return generate.run(self.root, self.out, parts or ("messages", "query", "command"))

    def test_the_example_becomes_the_expected_files(self):
        self.assertEqual(self.run_generator(), [])
        expected = {path.name: path.read_text() for path in (HERE / "golden/expected").iterdir()}
        made = {path.name: path.read_text() for path in self.out.iterdir()}
        self.assertEqual(sorted(made), sorted(expected))
        for name, text in made.items():
            self.assertMultiLineEqual(text, expected[name], name)

    def test_a_second_run_leaves_every_file_alone(self):
        self.run_generator()
        before = {path: path.stat().st_mtime_ns for path in self.out.iterdir()}
        self.run_generator()
        self.assertEqual(before, {path: path.stat().st_mtime_ns for path in self.out.iterdir()})

    def test_messages_need_no_sql_file(self):
        shutil.rmtree(self.root / "actors/query")
        self.assertEqual(self.run_generator("messages"), [])

    def test_a_missing_sql_file_is_named(self):
        (self.root / "actors/command/books/create_book.sql").unlink()
        self.assertEqual(self.run_generator("command"), [
            "actors/command/books/create_book.sql: is missing: the statement of the operation "
            "create_book."])
        self.assertFalse((self.out / "handlers_command.c").exists())

    def test_an_unknown_part_is_refused(self):
        self.assertEqual(self.run_generator("comand"), ["comand: no operation is of this kind."])

    def test_sql_files_become_a_table(self):
        for name in ("0002_b.sql", "0001_a.sql"):
            (self.root / name).write_text("SELECT '??/';\n-- " + name)
        self.assertEqual(self.run_generator("scripts=0002_b.sql,0001_a.sql"), [])
        table = (self.out / "scripts.c").read_text()
        self.assertIn("extern const struct sql_file scripts[];", table)
        self.assertIn("""
    {"0002_b", "d05d0bb82b467d4c82808f03b146541939bd6fa1186074402d5c9914daa4ed1a",
     "SELECT '\\?\\?/';\\n"
     "-- 0002_b.sql"},
    {0},
};
""", table)
        self.assertLess(table.index("0001_a"), table.index("0002_b"))

    def test_migrations_are_numbered_without_a_gap(self):
        for name in ("0001_a.sql", "0003_c.sql", "d.sql"):
            (self.root / name).write_text("")
        self.assertEqual(self.run_generator("migrations=0001_a.sql,0003_c.sql"),
                         ["0003_c.sql: must be 0002_<name>.sql."])
        self.assertEqual(self.run_generator("migrations=0001_a.sql,d.sql"),
                         ["d.sql: must be 0002_<name>.sql."])

    def test_the_compiler_tells_what_is_above_a_limit(self):
        books, sql = self.root / "schemas/books.toml", "actors/query/books/find_session.sql"
        money = "".join(f'm{i} = {{ number = {i}, type = "money" }}\n' for i in range(1, 18))
        ids = "".join(f'f{i} = {{ number = {i}, type = "uuid" }}\n' for i in range(1, 66))
        books.write_text(books.read_text().replace(
            "[types.Author]\n", f"[types.Wide]\n{money}[types.Author]\n") + "[many]\nnumber = 9\n"
            f'kind = "query"\nparameters = []\n[many.request]\n{ids}')
        (self.root / "actors/query/books/many.sql").write_text("SELECT 1")
        (self.root / sql).write_text("SELECT " + ", ".join(f"${i}" for i in range(1, 34)))
        self.assertEqual(self.run_generator("messages", "query"), [])
        for source, sentence in (("messages.c", "books.toml: types.Wide: too many fields or col"),
                                 ("messages.c", "books.toml: many.request: too many fields or col"),
                                 ("handlers_query.c", "find_session: too many parameters")):
            with self.subTest(sentence):
                self.assertIn(sentence, self.compile(source))

    def compile(self, source):
        command = [os.environ.get("CC", "cc"), "-std=gnu11", "-fsyntax-only", f"-I{self.out}",
                   f"-I{HERE.parent / 'actors/runtime'}", str(self.out / source)]
        return subprocess.run(command, capture_output=True, text=True, check=False).stderr

    def sql_error(self, text):
        (self.root / "actors/query/books/find_session.sql").write_text(text)
        return " ".join(self.run_generator("query"))

    def test_wrong_sql_files(self):
        for text, sentence in (
                ("SELECT $1, $3", "find_session uses $3 but not $2."),
                ("-- block a\nSELECT 1\n", "has blocks but no `-- shape"),
                ("-- block a\n-- shape x = a b\n", "a shape names the block b, which is missing"),
                ("-- block a\n-- block b\n-- shape x = a\n", "no shape uses the block b"),
                ("-- block a\n-- shape x: a\n", "must look like"),
                ("-- block a\n-- block a\n-- shape x = a\n", "with a name of its own"),
                ("-- block a\n-- shape x = a\n-- shape x = a\n", "with a name of its own"),
                ("-- block a\n-- shape " + "x" * 60 + " = a\n", "longer than PostgreSQL's 63"),
                ("-- block a\nSELECT\n" + "".join(f"-- shape x{i} = a\n" for i in range(3)),
                 "at most a second one")):
            with self.subTest(sentence):
                self.assertIn(sentence, self.sql_error(text))


class Refusals(unittest.TestCase):
    """Each case changes BOOK in one place and expects one sentence."""

    def errors(self, text):
        with tempfile.TemporaryDirectory() as holder:
            root = Path(holder)
            copy_golden(root)
            (root / "schemas/books.toml").write_text(text)
            return " ".join(generate.run(root, root / "out", ("messages",)))

    def test_the_base_of_all_cases_is_right(self):
        self.assertEqual(self.errors(BOOK), "")

    def refused(self, *cases):
        for old, new, sentence in cases:
            with self.subTest(sentence):
                self.assertIn(old, BOOK)
                self.assertIn(sentence, self.errors(BOOK.replace(old, new, 1)))

    def test_wrong_fields(self):
        field = 'id = { number = 1, type = "uuid" }\n'
        more = field + "more = { number = 2, "
        self.refused(
            (", max = 9", "", "types.Author.name: needs `max`: the greatest length"),
            (", max = 9", ", max = -1", "types.Author.name: `max` must be the greatest length"),
            (field, more + 'type = "bytes" }\n', "request.more: needs `max`: the greatest"),
            (field, more + 'type = "float" }\n', "the type `float` is unknown"),
            (field, more + 'type = "json" }\n', "the type `json` is unknown here"),
            (field, more + 'type = "uuid", size = 3 }\n', "`size` is unknown here"),
            (field, more + 'type = "uuid", max = 3 }\n', "request.more: `max` is unknown here"),
            (field, more + 'type = "uuid", list = 0.5 }\n', "`list` must be the greatest"),
            (field, more + 'type = "uuid", required = 1 }\n', "must be true or false."),
            (field, more + 'type = "uuid", key = "a-b" }\n', "`key` must be a word, or"),
            (field, more + 'type = "uuid", doc = true }\n', "`doc` must be a sentence."),
            (field, more + 'type = 7 }\n', "the type `7` is unknown"),
            (field, field + 'more = "uuid"\n', "more: is not a table."),
            (field, more + 'type = "enum", values = "Color" }\n', "names no enum"),
            (field, more + 'type = "enum" }\n', "needs `values`: the name of one of"),
            (field, more + 'type = "enum", values = "Genre", default = "x" }\n',
             "the default 'x' does not fit"),
            (field, more + 'type = "integer", min = 3, max = 2 }\n', "must be in order"),
            (field, more + 'type = "integer", max = 2, default = 3 }\n', "does not fit"),
            (field, more + 'type = "uuid", default = "x" }\n', "`default` is unknown here"),
            (field, more + 'type = "integer", default = 3, required = true }\n',
             "a required or nullable field or a list has no `default`."),
            (field, more + 'type = "money" }\n', "money does not come in the query"),
            (field, field + 'int = { number = 2, type = "uuid" }\n', "C identifier"),
            (field, field + 'more = { number = 1, type = "uuid" }\n',
             "more and id have the same number, 1."),
            (field, "retired = [1]\n" + field, "id and a retired one have the same number, 1."),
            (field, 'id = { type = "uuid" }\n', "id: needs `number`: a number from 1 to 999."),
            ("name = { number = 1", "author = { number = 2, type = \"Author\" }\nname = { "
             "number = 1", "the type `Author` is unknown here, or contains itself"),
            ("name = {", 'text = { number = 2, type = "money_text", of = "name" }\nname = {',
             "`of` must name a money field beside it."),
            ('"string", max = 9', '"money_text"', "needs `of`: the name of a money field"),
            ("[types.Author]", "[types.Writer]\na = { number = 1, type = \"Author\", "
             "nullable = true }\n[types.Author]\nx = { number = 0, type = \"uuid\" }",
             "x: `number` must be a number from 1 to 999."),
            ("max = 9 }", 'max = 9, nullable = true }\n[types.Writer]\n'
             'a = { number = 1, type = "Author", nullable = true }', "cannot be nullable."),
            ("[types.Author]\n", '[types.Empty]\n[types.Writer]\n'
             'a = { number = 1, type = "Empty", nullable = true }\n[types.Author]\n',
             "cannot be nullable."))

    def test_wrong_tables(self):
        self.refused(
            ('"poetry"]', '"novel"]', "each once"),
            ('"poetry"]', '"wet ink"]', "needs 1 to 255 words"),
            ('"query"', '"question"', "`kind` must be query or command."),
            ("GET /api/books/{id}", "GET /books", "`route` must be like"),
            ("/{id}", "/{name}", "{name} of the route is no single request field."),
            ('reply = "Author"', 'reply = "Writer"', "`reply` names no type"),
            ('reply = "Author"', "", "without a `reply` the status must be no_content."),
            ('reply = "Author"', 'reply = { page = "Author" }', "needs the integers `page`"),
            ('reply = "Author"', 'reply = "Author"\nstatus = "not_found"', "no success"),
            ('reply = "Author"', 'reply = "Author"\ncached = 1', "`cached` must be true or"),
            ('reply = "Author"', 'reply = "Author"\ncost = 1', "`cost` is unknown"),
            ('["id"]', '["no"]', "`parameters` names no, which is no request field"),
            ("[show]", "[other]\nnumber = 2\nkind = \"query\"\nroute = \"GET /api/books/{x}\"\n"
             "reply = \"Author\"\nrequest.x = { number = 1, type = \"uuid\" }\n[show]",
             "books.show and books.other have the same route, GET /api/books/{}."),
            ("[show]", "[other]\nnumber = 1\nkind = \"query\"\n[show]",
             "books.show and books.other have the same number, 1."),
            ("[enums]", "retired = [1]\n[enums]",
             "books.show and a retired one have the same number, 1."),
            ("[enums]", "lonely = 1\n[enums]", "lonely: is not a table."),
            ("[enums]", "retired = 1\n[enums]", "`retired` must be a list of numbers."),
            ("[show]", "[types.author]\n[show]", "the type author exists already, is not"),
            ('"query"', '"query"\nlane = "slow"', "`lane` must be interactive, command, task"),
            ("[enums]", "[enums", "is not TOML"))


    def test_retired_numbers_of_shared_tables(self):
        for table in ("events", "failures"):
            with self.subTest(table), tempfile.TemporaryDirectory() as holder:
                root = Path(holder)
                copy_golden(root)
                path = root / "schemas" / f"{table}.toml"
                schema = generate.Schema(root / "schemas")
                rows = schema.events if table == "events" else schema.statuses
                row = next(iter(rows.values()))
                path.write_text(f"retired = [901]\n{path.read_text()}")
                self.assertEqual(generate.run(root, root / "out", ("messages",)), [])
                path.write_text(path.read_text().replace("901", str(row.number)))
                self.assertIn("and a retired one have the same number",
                              " ".join(generate.run(root, root / "out", ("messages",))))


def accept():
    expected = HERE / "golden/expected"
    with tempfile.TemporaryDirectory() as holder:
        copy_golden(Path(holder))
        for error in generate.run(Path(holder), expected, ("messages", "query", "command")):
            print(error, file=sys.stderr)


if __name__ == "__main__":
    if "--accept" in sys.argv:
        accept()
    else:
        unittest.main()
