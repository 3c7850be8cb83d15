#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tally.py REPORT.xml...: counts the tests of JUnit reports, of ctest and of pytest.

Prints "PASSED FAILED" on its last line, before it a paragraph for each failure. A unit test counts
as the sentences it printed. A skipped test has failed: nothing here may be skipped.
"""
import re
import sys
import xml.etree.ElementTree as ElementTree

# The closing lines of a unit test of ours (expect.h) and of Python's unittest.
CLOSING = re.compile(r"^(?:(\d+) passed, 0 failed|Ran (\d+) tests? in .*)$", re.MULTILINE)
TAIL_LINES = 40


def trouble_of(case):
    """The text of a failure, None where there is none."""
    for kind in ("failure", "error", "skipped"):
        found = case.find(kind)
        if found is not None:
            return "\n".join(filter(None, (found.get("message"), found.text,
                                           case.findtext("system-out"))))
    return None if case.get("status") in (None, "run") else f"status {case.get('status')}"


def sentences_of(case):
    counts = CLOSING.findall(case.findtext("system-out") or "")
    return sum(int(ours or theirs) for ours, theirs in counts) or 1


def main():
    passed = failed = 0
    for report in sys.argv[1:]:
        for case in ElementTree.parse(report).iter("testcase"):
            trouble = trouble_of(case)
            if trouble is None:
                passed += sentences_of(case)
                continue
            failed += 1
            print(f"--- {case.get('classname')} {case.get('name')}")
            print("\n".join(trouble.splitlines()[-TAIL_LINES:]))
    print(passed, failed)


if __name__ == "__main__":
    main()
