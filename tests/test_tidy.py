# SPDX-License-Identifier: Apache-2.0
"""Each rule of tidy.py sees what it is for, and lets the rest pass."""
import json

import pytest

import tidy

SPDX = "// SPDX-License-Identifier: Apache-2.0\n"
GOOD = SPDX + '#include "good.h"\n\n#include <stdio.h>\n\nint one(int a) {\n    return a;\n}\n'


def tree_of(folder, **files):
    """A tree with these files besides a good one; __ stands for a slash, _c and so on for .c."""
    files = {"good_c": GOOD, "good_h": SPDX + "#pragma once\n", **files}
    for name, text in files.items():
        stem, _, suffix = name.replace("__", "/").rpartition("_")
        path = folder / f"{stem}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "build/gcc").mkdir(parents=True)
    compiled = [{"file": str(path)} for path in folder.rglob("*.c") if path.stem != "dead"]
    (folder / "build/gcc/compile_commands.json").write_text(json.dumps(compiled))
    return tidy.Tree(folder)


def long_function(lines):
    return SPDX + "static int\nf(int a,\n  int b) {\n" + "    a++;\n" * (lines - 2) + "}\n"


HELPER = SPDX + "static int help(int a) {\n    a++;\n    a--;\n    a++;\n    return a;\n}\n"
CASES = [
    ("size_of_files", {"a_c": SPDX + "\n" * 600}, "a.c:601"),
    ("size_of_functions", {"a_c": long_function(71)}, "a.c:2"),
    ("size_of_functions", {"a_py": "def f():\n" + "    pass\n" * 70}, "a.py:1"),
    ("width_of_lines", {"a_sql": "-- " + "x" * 98 + "\n"}, "a.sql:1"),
    ("white_space", {"a_c": SPDX + "int a; \n"}, "a.c:2"),
    ("licence", {"a_c": "int a;\n"}, "a.c:1"),
    ("third_party_headers", {"a_c": "#include <zmq.h>\n"}, "a.c:1"),
    ("third_party_headers", {"a_c": "#include <curl/curl.h>\n"}, "a.c:1"),
    ("banned_calls", {"a_c": "int f(void) {\n    strcpy(a, b);\n}\n"}, "a.c:2"),
    ("leftovers", {"a_c": "\n// TO" + "DO: more\n"}, "a.c:2"),
    ("dead_sources", {"dead_c": SPDX}, "dead.c:1"),
    ("dead_sources", {"x_fuzz_c": SPDX, "dead_c": SPDX}, "dead.c:1"),
    ("dead_headers", {"dead_h": SPDX}, "dead.h:1"),
    ("dead_statements", {"actors__query__books__list_book_sql": "--", "schemas__books_toml":
                         "[list_books]\n"}, "actors/query/books/list_book.sql:1"),
    ("dead_statements", {"actors__supervisor__a_sql": "--"}, "actors/supervisor/a.sql:1"),
    ("twin_functions", {"a_c": HELPER, "b_c": HELPER.replace("help", "aid")}, "b.c:2"),
    ("uncalled_functions", {"a_h": SPDX + "// alone(1);\nint *alone(int b);\n",
                            "a_c": SPDX + "int *alone(int b) {\n    return d(b);\n}\n",
                            "a_test_c": SPDX + "int *c = alone(1);\n"}, "a.h:3"),
    ("titles", {"A_md": "# One\n# Two\n"}, "A.md:1"),
    ("links", {"A_md": "# One\n\n[b](b.md#c)\n"}, "A.md:3"),
    ("commands", {"A_md": "# One\n```sh\nsudo ./gone\n```\n"}, "A.md:3"),
    ("commands", {"A_md": "# One\n```sh\nbuild/debug/test/gone_test\n```\n"}, "A.md:3"),
]


@pytest.mark.parametrize("rule, files, place", CASES, ids=[case[0] for case in CASES])
def test_a_broken_rule_is_seen_where_it_is(tmp_path, rule, files, place):
    tree = tree_of(tmp_path, **files)
    found = [f"{path}:{line}" for path, line, _ in getattr(tidy, rule)(tree)]
    assert place in found and all(path.split(":")[0] != "good.c" for path in found)


def test_a_good_tree_passes_every_rule(tmp_path):
    tree = tree_of(tmp_path, **{
        "a_c": '#include "a.h"\n' + long_function(66).replace("f(", "g(") + "int b = h(1);\n",
        "a_h": SPDX + "MUST_USE int h(int b);\n",
        "b_c": SPDX + '// strcpy(a, b)\nconst char b[] = "sprintf(";\nint t = strftime(0);\n',
        "A_md": "# One\n\n[good](good.c)\n\n```sh\n# no title\n./good.c\n```\n"})
    assert [found for rule in tidy.RULES for found in rule(tree)] == []


def test_the_length_of_a_function_counts_its_own_lines_only(tmp_path):
    tree = tree_of(tmp_path, a_c=long_function(68) + "\nenum a {\n    B,\n};\n" + "int c;\n" * 80)
    assert list(tidy.size_of_functions(tree)) == []


@pytest.mark.parametrize("code", [0, 1])
def test_tables_are_as_their_program_says(tmp_path, code):
    tree = tree_of(tmp_path)
    report = tmp_path / "experiments" / "report"
    report.parent.mkdir()
    report.write_text(f"#!/bin/sh\n[ \"$1\" = --check ] || exit 2\necho stale >&2\nexit {code}\n")
    report.chmod(0o755)
    assert [sentence for _, _, sentence in tidy.tables(tree)] == ["stale"] * code
