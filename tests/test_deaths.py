# SPDX-License-Identifier: Apache-2.0
"""What experiments/bus/deaths would call missed: a run in which all is well, and then each trouble
alone."""
import importlib.machinery
import importlib.util
import pathlib
import sys
from types import SimpleNamespace

EXPERIMENTS = pathlib.Path(__file__).resolve().parent.parent / "experiments"
sys.path.insert(0, str(EXPERIMENTS))

from generator import Record

LOADER = importlib.machinery.SourceFileLoader("deaths", str(EXPERIMENTS / "bus" / "deaths"))
deaths = importlib.util.module_from_spec(importlib.util.spec_from_loader("deaths", LOADER))
LOADER.exec_module(deaths)

VICTIMS = [SimpleNamespace(struck=100, gone=101.5, back=101.8),
           SimpleNamespace(struck=102, gone=103.4, back=103.8)]


def request(due_s, ms, status=200):
    due = round(due_s * 1e6)
    return Record(due, due, due + round(ms * 1000), -1, b"", 0, 0, status, 1, 0, 0, 0, 0)


def calm():
    """A request each 10 ms from before the first blow until after the last: 20 ms in the second
    after a blow, 5 ms else, and 400 ms until the victim is back."""
    for number in range(500):
        due = 99.5 + number / 100
        after = due - max((victim.struck for victim in VICTIMS if victim.struck <= due), default=0)
        yield request(due, 20 if after < 1 else 400 if 1 <= after < 1.795 else 5)


def kills(*more):
    return deaths.judged_kills(VICTIMS, sorted([*calm(), *more]), 7)


def stops(*more):
    return deaths.judged_stops(VICTIMS, sorted([*calm(), *more]), 7)


def test_a_second_after_a_kill_is_held_against_the_quiet_between():
    one = kills()
    assert (one["p99_after_ms"], one["p99_quiet_ms"], one["added_ms"]) == (20, 5, 15)
    assert (one["kills"], one["requests"], one["failed"], one["resent"]) == (2, 500, 0, 7)
    assert one["missed"] == []


def test_slow_requests_after_kills_are_missed():
    one = kills(*(request(100.5 + number / 1000, 900) for number in range(5)))
    assert one["missed"] == ["above 50 ms"]


def test_slow_requests_between_kills_are_not_charged_to_them():
    one = kills(*(request(101.95, 900) for _ in range(20)))
    assert one["missed"] == [] and one["p99_quiet_ms"] == 900


def test_a_failed_request_is_missed_and_named():
    for one in (kills(request(102.2, 3, status=503)), stops(request(102.2, 3, status=503))):
        assert one["missed"] == ["1 failed"] and one["failures"] == {"503": 1}


def test_what_a_stopped_process_held_is_counted_and_its_longest_told():
    one = stops(request(100.1, 1480), request(102.1, 1510))
    assert (one["held"], one["longest_ms"], one["missed"]) == (2, 1510, [])
    assert [round(seconds, 6) for seconds in one["killed_s"]] == [1.4, 1.5]
    assert stops(request(100.1, 2001))["missed"] == ["an answer took too long"]


def test_a_process_that_is_killed_late_is_missed():
    late = [SimpleNamespace(struck=100, gone=101.8, back=102)]
    assert deaths.judged_stops(late, sorted(calm()), 7)["missed"] == ["killed late"]
