#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the generator makes of golden/ is golden/expected; what it refuses has its sentence.

`generate_test.py --accept` writes golden/expected anew; read its diff before you commit it.
"""
import shutil
import sys
import tempfile
import unittest
from pathlib import Path

import generate

HERE = Path(__file__).resolve().parent
LIMITS = "actors/runtime/limits.h"
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
    (folder / LIMITS).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(HERE.parent / LIMITS, folder / LIMITS)


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
            "actors/command/books/create_book.sql is missing: the statement of the operation "
            "create_book."])
        self.assertFalse((self.out / "handlers_command.c").exists())

    def test_a_use_case_in_c_joins_the_sources(self):
        (self.root / "actors/command/books/create_book.c").write_text("")
        self.run_generator("messages")
        self.assertIn("actors/command/books/create_book.c",
                      (self.out / "sources_command.cmake").read_text())

    def sql_error(self, text):
        (self.root / "actors/query/books/find_session.sql").write_text(text)
        return " ".join(self.run_generator("query"))

    def test_wrong_sql_files(self):
        for text, sentence in (
                ("SELECT $1, $3", "find_session uses $3 but not $2."),
                ("-- block a\nSELECT 1\n", "has blocks but no `-- shape"),
                ("-- block a\n-- shape x = a b\n", "names the block b, which is missing"),
                ("-- block a\n-- block b\n-- shape x = a\n", "no shape uses the block b"),
                ("-- block a\n-- shape x: a\n", "must look like"),
                ("-- block a\n-- block a\n-- shape x = a\n", "needs a name of its own"),
                ("-- block a\nSELECT\n" + "".join(f"-- shape x{i} = a\n" for i in range(3)),
                 "at most a second one"),
                ("SELECT " + ", ".join(f"${i}" for i in range(1, 34)), "PARAMETERS_MAX is 32")):
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

    def test_what_is_wrong_is_told_with_its_place(self):
        field = 'id = { number = 1, type = "uuid" }\n'
        more = field + "more = { number = 2, "
        for old, new, sentence in (
                (", max = 9", "", "types.Author.name: a string needs a `max`."),
                (field, more + 'type = "bytes" }\n', "request.more: a bytes needs a `max`."),
                (field, more + 'type = "float" }\n', "the type `float` is unknown"),
                (field, more + 'type = "json" }\n', "`json` is for replies only."),
                (field, more + 'type = "uuid", size = 3 }\n', "`size` is unknown here"),
                (field, more + 'type = "uuid", max = 3 }\n', "a uuid has no `min` and `max`."),
                (field, more + 'type = "uuid", list = 0.5 }\n', "`list` is the greatest length"),
                (field, more + 'type = "enum", values = "Color" }\n', "names no enum"),
                (field, more + 'type = "integer", min = 3, max = 2 }\n', "must be in order"),
                (field, more + 'type = "integer", max = 2, default = 3 }\n', "does not fit"),
                (field, more + 'type = "uuid", default = "x" }\n', "a uuid has no `default`."),
                (field, more + 'type = "integer", default = 3, required = true }\n',
                 "a required field or a list has no `default`."),
                (field, more + 'type = "money" }\n', "money does not come in a query string."),
                (field, field + 'int = { number = 2, type = "uuid" }\n', "C identifier"),
                (field, field + 'more = { number = 1, type = "uuid" }\n',
                 "more and id have the same number 1."),
                (field, "retired = [1]\n" + field, "id has the number 1, which is retired."),
                (field, 'id = { type = "uuid" }\n', "id needs a number from 1 to 999."),
                (field, "".join(f'f{i} = {{ number = {i}, type = "uuid" }}\n'
                                for i in range(1, 67)), "has 66 fields; FIELDS_MAX is 64."),
                ("name = { number = 1", "author = { number = 2, type = \"Author\" }\nname = { "
                 "number = 1", "the type `Author` is unknown here, or contains itself"),
                ("name = {", 'text = { number = 2, type = "money_text", of = "name" }\nname = {',
                 "`of` must name a money field beside it."),
                ("name = { number = 1, type = \"string\", max = 9 }",
                 "\n".join(f'm{i} = {{ number = {i}, type = "money" }}' for i in range(1, 18)),
                 "has 34 columns; COLUMNS_MAX is 32."),
                ('"poetry"]', '"novel"]', "each once"),
                ('"poetry"]', '"wet ink"]', "is not a word"),
                ('"query"', '"question"', "`kind` must be query or command."),
                ("GET /api/books/{id}", "GET /books", "`route` must look like"),
                ("/{id}", "/{name}", "{name} of the route is no single request field."),
                ('reply = "Author"', 'reply = "Writer"', "`reply` must be a type"),
                ('reply = "Author"', "", "without a `reply` the status must be no_content."),
                ('reply = "Author"', 'reply = { page = "Author" }', "needs the integer `page`"),
                ('reply = "Author"', 'reply = "Author"\nstatus = "not_found"', "no success"),
                ('reply = "Author"', 'reply = "Author"\ncached = 1', "`cached` is true or false."),
                ('reply = "Author"', 'reply = "Author"\ncost = 1', "`cost` is unknown"),
                ('["id"]', '["no"]', "`parameters` names no, which is no request field."),
                ("[show]", "[other]\nnumber = 2\nkind = \"query\"\nroute = \"GET /api/books/{x}\"\n"
                 "reply = \"Author\"\nrequest.x = { number = 1, type = \"uuid\" }\n[show]",
                 "show: collides with other."),
                ("[show]", "[other]\nnumber = 1\nkind = \"query\"\n[show]", "the same number 1."),
                ("[enums]", "retired = [1]\n[enums]", "show has the number 1, which is retired."),
                ("[enums]", "[enums", "is not TOML")):
            with self.subTest(sentence):
                self.assertIn(old, BOOK)
                self.assertIn(sentence, self.errors(BOOK.replace(old, new, 1)))


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
