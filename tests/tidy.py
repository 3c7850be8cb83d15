#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The house style as a test: prints `file:line: sentence` for what breaks it.

tidy.py [FOLDER]: the tree, this one unless named. What is compiled is read from build/gcc, which
`cmake --preset gcc` has made. The last line is "PASSED FAILED", counted by rule.
"""
import ast
import collections
import itertools
import json
import os
import pathlib
import re
import subprocess
import sys

FILE_LINES, FUNCTION_LINES, LINE_COLUMNS = 600, 70, 100
TOML_COLUMNS = 120  # a field is a line there, TOML cannot break it
FOREIGN = {"build", "results", "golden", "__pycache__", "node_modules"}  # made, not written
CODE = {".c", ".h", ".py", ".sql", ".toml", ".cmake", ".js", ".sh", ".txt", ".pml", ""}

# One library, one file: each of these headers is included by the files named here and no other.
HOMES = {
    # The test holds the library itself to what the design believes of it, so nothing of ours is
    # between them.
    "zmq.h": ["actors/runtime/bus_socket.c", "broker/bus/libzmq_test.c"],
    "czmq.h": ["actors/runtime/certificate.c"],
    "msgpack.h": ["actors/runtime/codec.c"],
    "microhttpd.h": ["actors/runtime/http_server.c"],
    "yyjson.h": ["actors/runtime/json.c"],
    "curl/curl.h": ["actors/runtime/http_client.c"],
    "lz4.h": ["actors/runtime/document.c"],
    "sodium.h": ["actors/runtime/digest.c"],
    "libpq-fe.h": ["actors/store/database.c", "actors/store/sql_client.c"],
    "hiredis/hiredis.h": ["actors/store/redis.c"],
    "hiredis/async.h": ["actors/store/redis.c"],
    "nats/nats.h": ["experiments/bus/nats_round_trip.c"],
}
SYSTEM = re.compile(r"(std\w+|assert|errno|ctype|fcntl|ftw|glob|grp|inttypes|limits|math|netdb|poll"
                    r"|pwd|sched|signal|string|strings|time|unistd|dirent|termios|getopt|locale"
                    r"|spawn|malloc|dlfcn|sys/\w+|arpa/\w+|netinet/\w+|linux/\w+)\.h")

BANNED = {
    "strcpy": "snprintf or memcpy", "strcat": "snprintf", "strncpy": "snprintf or memcpy",
    "strncat": "snprintf", "sprintf": "snprintf", "vsprintf": "vsnprintf", "gets": "fgets",
    "strtok": "memchr", "atoi": "strtol", "atol": "strtol", "atof": "strtod", "alloca": "the arena",
    "gmtime": "gmtime_r", "localtime": "localtime_r", "ctime": "format.h", "asctime": "format.h",
    "mktemp": "mkstemp", "tmpnam": "mkstemp", "rand": "the seed that is passed in",
    "srand": "the seed that is passed in", "inet_ntoa": "inet_ntop", "sleep": "a condition",
    "usleep": "a condition", "gethostbyname": "getaddrinfo", "setjmp": "statuses",
    "longjmp": "statuses",
}
# In words of two halves, so that this file does not break its own rule.
LEFTOVERS = re.compile("|".join(rf"\b{head}{tail}\b" for head, tail in (
    ("TO", "DO"), ("FIX", "ME"), ("XX", "X(?![\"'])"), ("HA", "CK"), ("for n", "ow"),
    ("simpl", "ified"), ("as reque", "sted"), ("in a real sys", "tem"))))

# Programs that are built only where their library is; no part of ./check needs it.
OPTIONAL = {"nats_round_trip"}
# Files that only tests and fuzzers are built from.
TESTERS = re.compile(r"\w+_(test|fuzz|rig|bench)|expect\w*|fuzz_input|loop_until|simulation\w*"
                     r"|stage\w*")
DECLARED = re.compile(r"^(?!typedef|static_assert)[A-Za-z_][\w *]*?\b(\w+)\(", re.MULTILINE)
# Functions that no program calls and that stay, each with its reason.
UNCALLED = {
    "requester_subscribe": "a WebSocket edge's; the broker's side is there, and simulated",
    "requester_unsubscribe": "the same", "control_read_gap": "the same",
    "sql_client_query_binary": "stage.c's, which has no libpq of its own",
    "sql_client_length": "the same", "sql_client_is_null": "the same",
}


class Tree:
    """Files by path relative to the root, and their lines."""

    def __init__(self, root):
        self.root = pathlib.Path(root).resolve()
        self.paths = []
        for folder, folders, names in os.walk(self.root):
            folders[:] = sorted(name for name in folders if name not in FOREIGN
                                and (not name.startswith(".") or name == ".ci")
                                and not name.endswith(".corpus"))
            here = pathlib.Path(folder).relative_to(self.root)
            self.paths += [here / name for name in sorted(names)]
        self.text = {}
        for path in self.paths:
            try:
                self.text[path] = (self.root / path).read_text()
            except UnicodeDecodeError:
                pass

    def files(self, *suffixes):
        return [path for path in self.text if path.suffix in suffixes]

    def lines(self, path):
        return enumerate(self.text[path].splitlines(), 1)

    def scripts(self):
        """Programs without a suffix: what starts with #!."""
        return [path for path in self.files("") if self.text[path].startswith("#!")]

    def code(self):
        """All that people wrote in a language for machines."""
        return [path for path in self.files(*CODE - {"", ".txt"})] + self.scripts() + [
            path for path in self.text if path.name == "CMakeLists.txt"]


def without_comments(text):
    """C without what comments and literals say; lines stay where they are."""
    pattern = r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'"
    return re.sub(pattern, lambda found: "\n" * found.group().count("\n"), text, flags=re.DOTALL)


def functions(text):
    """(name, first line, body lines, is static) of C that clang-format has laid out."""
    head, first, name, body = [], 0, None, []
    for number, line in enumerate(text.splitlines(), 1):
        if name is not None:
            if line == "}":
                yield name, first, body, head[0].startswith("static")
                head, name = [], None
            else:
                body.append(line)
        elif not line or line[0] in "#/}" or line.endswith(";"):
            head = []
        else:
            first = first if head else number
            head.append(line)
            called = re.search(r"(\w+)\(", " ".join(head))
            if line.endswith("{"):
                name, body = (called.group(1), []) if called and ") {" in line else (None, [])
                head = head if name else []


def size_of_files(tree):
    for path in tree.code():
        count = tree.text[path].count("\n")
        if count > FILE_LINES:
            yield path, count, f"a file has at most {FILE_LINES} lines"


def size_of_functions(tree):
    for path in tree.files(".c", ".h"):
        for name, first, body, _ in functions(tree.text[path]):
            if len(body) + 2 > FUNCTION_LINES:
                yield path, first, f"{name} has {len(body) + 2} lines, at most {FUNCTION_LINES}"
    for path in tree.files(".py"):
        for node in ast.walk(ast.parse(tree.text[path])):
            if isinstance(node, ast.FunctionDef):
                count = node.end_lineno - node.lineno + 1
                if count > FUNCTION_LINES:
                    sentence = f"{node.name} has {count} lines, at most {FUNCTION_LINES}"
                    yield path, node.lineno, sentence


def width_of_lines(tree):
    for path in tree.code():
        limit = TOML_COLUMNS if path.suffix == ".toml" else LINE_COLUMNS
        for number, line in tree.lines(path):
            if len(line) > limit and not line.startswith("-- shape "):  # the generator reads these
                yield path, number, f"{len(line)} columns, at most {limit}"


def white_space(tree):
    for path in tree.code() + tree.files(".md"):
        text = tree.text[path]
        if text and not text.endswith("\n"):
            yield path, text.count("\n") + 1, "the last line has no end"
        for number, line in tree.lines(path):
            if line != line.rstrip() or "\t" in line:
                yield path, number, "white space at the end, or a tab"


def licence(tree):
    for path in tree.code():
        first = tree.text[path].splitlines()[:2]
        if not any("SPDX-License-Identifier: Apache-2.0" in line for line in first):
            yield path, 1, "the SPDX line comes first"


def third_party_headers(tree):
    for path in tree.files(".c", ".h"):
        for number, line in tree.lines(path):
            found = re.match(r"#include <(.+)>", line)
            if not found or SYSTEM.fullmatch(found.group(1)):
                continue
            homes = HOMES.get(found.group(1))
            if homes is None:
                yield path, number, f"{found.group(1)} has no home in the table of tests/tidy.py"
            elif path.as_posix() not in homes:
                yield path, number, f"{found.group(1)} is for {', '.join(homes) or 'nobody'} only"


def banned_calls(tree):
    pattern = re.compile(r"(?<![\w>.])(" + "|".join(BANNED) + r")\s*\(")
    for path in tree.files(".c", ".h"):
        for number, line in enumerate(without_comments(tree.text[path]).splitlines(), 1):
            for call in pattern.findall(line):
                if call == "usleep" and path.stem.endswith("_test"):
                    continue  # between two looks at a condition
                yield path, number, f"{call} is banned; use {BANNED[call]}"


def leftovers(tree):
    for path in tree.code() + tree.files(".md"):
        for number, line in tree.lines(path):
            for word in LEFTOVERS.findall(line):
                yield path, number, f"left over: {word}"


def dead_sources(tree):
    """Each .c is compiled; what clang or a test alone builds is named by a CMakeLists or test."""
    database = tree.root / "build/gcc/compile_commands.json"
    if not database.exists():
        yield database.relative_to(tree.root), 1, "is missing: cmake --preset gcc"
        return
    compiled = {entry["file"] for entry in json.loads(database.read_text())}
    for path in tree.files(".c"):
        if path.stem.endswith("_fuzz") or path.stem in OPTIONAL:
            used = path.stem in tree.text.get(path.parent / "CMakeLists.txt", "")
        elif path.parts[0] == "tests":
            used = any(path.as_posix() in tree.text[test] for test in tree.files(".py"))
        else:
            used = str(tree.root / path) in compiled
        if not used:
            yield path, 1, "nobody compiles this file"


def dead_headers(tree):
    includes = set(re.findall(r'#include "(.+)"', "\n".join(tree.text[path] for path in
                                                            tree.files(".c", ".h", ".py"))))
    for path in tree.files(".h"):
        if path.name not in includes:
            yield path, 1, "nobody includes this file"


def dead_statements(tree):
    """The .sql of a use case belongs to an operation of its name; others somebody names."""
    tables = "\n".join(tree.text[path] for path in tree.files(".toml"))
    for path in tree.files(".sql"):
        if path.parts[:2] in (("actors", "query"), ("actors", "command")):
            if not re.search(rf"^\[{path.stem}\]", tables, re.MULTILINE):
                yield path, 1, f"no table of schemas/ is called {path.stem}"
        elif path.parts[:2] != ("schemas", "database") and not any(
                path.name in tree.text[other] for other in tree.text if other != path):
            yield path, 1, "nobody names this file"


def twin_functions(tree):
    """The same helper in two files: it wants one home, in a test only where it is long."""
    seen = collections.defaultdict(list)
    for path in tree.files(".c"):
        for name, first, body, _ in functions(tree.text[path]):
            text = re.sub(r"\s+", " ", " ".join(body)).strip()
            if len(body) >= (10 if path.stem.endswith("_test") else 4) and name != "main":
                seen[text].append((path, first, name))
    for twins in seen.values():
        for path, first, name in twins[1:]:
            if path != twins[0][0]:
                yield path, first, f"{name} is {twins[0][2]} of {twins[0][0]} again"


def uncalled_functions(tree):
    """What a header offers, somebody calls who is no test: in C, or in C that schemas/ writes."""
    offered, used = {}, set(UNCALLED)
    for path in tree.files(".c", ".h"):
        text = without_comments(tree.text[path])
        if not TESTERS.fullmatch(path.stem):
            used.update(re.findall(r"\w+", DECLARED.sub("", text)))
            if path.suffix == ".h":
                offered.update({found.group(1): (path, text.count("\n", 0, found.start()) + 1)
                                for found in DECLARED.finditer(text)})
    for path in tree.files(".py"):
        if path.parts[0] == "schemas":
            used.update(re.findall(r"\w+", tree.text[path]))
    for name in offered.keys() - used:
        yield *offered[name], f"no program calls {name}"


def titles(tree):
    for path in tree.files(".md"):
        plain = re.sub(r"^```.*?^```", lambda found: "\n" * found.group().count("\n"),
                       tree.text[path], flags=re.DOTALL | re.MULTILINE)
        count = len(re.findall(r"^# \S", plain, re.MULTILINE))
        if count != 1 or not plain.startswith("# "):
            yield path, 1, f"a document starts with its title and has no second one ({count})"


def links(tree):
    for path in tree.files(".md"):
        for number, line in tree.lines(path):
            for target in re.findall(r"\]\(([^)#:]+)[^)]*\)", line):
                if not (tree.root / path.parent / target).exists():
                    yield path, number, f"the link leads nowhere: {target}"


def commands(tree):
    """What a code block of a document tells people to run is there."""
    presets = set(re.findall(r'"name": "([\w-]+)", "(?:inherits|hidden)',
                             tree.text.get(pathlib.Path("CMakePresets.json"), "")))
    targets = {path.stem for path in tree.files(".c")} | {"valorize"}
    for path in tree.files(".md"):
        shell = False
        for number, line in tree.lines(path):
            if line.startswith("```"):
                shell = not shell and line.strip() == "```sh"
                continue
            for word in re.split(r"[\s;|&=()'\"]+", line) if shell else ():
                if found := re.fullmatch(r"build/([\w-]+)/(?:test|fuzz|bin)/([\w-]+)", word):
                    if found.group(1) not in presets or not (
                            found.group(2) in targets or found.group(2).startswith("valorize-")):
                        yield path, number, f"nothing builds {word}"
                elif re.match(r"(\.|tests|cmake|schemas|experiments|actors|broker|\.ci)/[\w./-]+$",
                              word):
                    if not (tree.root / word).exists():
                        yield path, number, f"there is no {word}"
            for preset in re.findall(r"--preset[ =]([\w-]+)", line) if shell else ():
                if preset not in presets:
                    yield path, number, f"there is no preset {preset}"


def shell_syntax(tree):
    for path in tree.scripts():
        if "bash" in tree.text[path].splitlines()[0]:
            ended = subprocess.run(["bash", "-n", tree.root / path], capture_output=True, text=True)
            if ended.returncode != 0:
                yield path, 1, ended.stderr.splitlines()[0]


def tables(tree):
    """What experiments/report wrote into their README is what it would write now."""
    report = tree.root / "experiments/report"
    if report.exists():
        ended = subprocess.run([report, "--check"], capture_output=True, text=True)
        if ended.returncode != 0:
            said = (ended.stderr.splitlines() or [f"exit code {ended.returncode}"])[-1]
            yield pathlib.Path("experiments/README.md"), 1, said


RULES = [size_of_files, size_of_functions, width_of_lines, white_space, licence,
         third_party_headers, banned_calls, leftovers, dead_sources, dead_headers, dead_statements,
         twin_functions, uncalled_functions, titles, links, commands, shell_syntax,
         tables]


def main():
    tree = Tree(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent)
    failed = 0
    for rule in RULES:
        found = list(rule(tree))
        failed += bool(found)
        for path, line, sentence in itertools.islice(found, 50):
            print(f"{path}:{line}: {sentence}")
    print(len(RULES) - failed, failed)
    sys.exit(failed != 0)


if __name__ == "__main__":
    main()
