# SPDX-License-Identifier: Apache-2.0
"""What experiments/bus/nemesis would call wrong."""
import pathlib
import sys

EXPERIMENTS = pathlib.Path(__file__).resolve().parent.parent / "experiments"
sys.path[:0] = [str(EXPERIMENTS), str(EXPERIMENTS / "bus")]

import history
from open_loop import Call


def write(tenant, memo, due, answered, identity="id"):
    made = history.Write(tenant, "account-" + tenant, -5, memo, b"")
    made.first_due, made.answered, made.id = due, answered, identity
    return made


def test_a_write_sent_after_an_answer_has_a_higher_version():
    writes = [write("a", "one", 1.0, 2.0), write("a", "two", 2.5, 3.0),
              write("a", "beside", 1.5, 4.0), write("b", "other", 2.6, 3.0)]
    in_order = {"one": 10, "two": 12, "beside": 9, "other": 1}
    assert history.out_of_order(writes, in_order) == []
    assert history.out_of_order(writes, in_order | {"two": 8}) == ["two"]
    assert history.out_of_order(writes, in_order | {"one": 99}) == ["two"]


def history_of(*writes):
    made = history.History("127.0.0.1:8080", "2026-11-24",
                           [["token-a", "account-a", "other", "third", "categories"]],
                           {"account-a": 7}, 42)
    made.writes += writes
    return made


def test_a_total_without_an_acknowledged_write_is_stale():
    seen = history_of()
    call = seen.write(seen.tenants[0], 1.0)
    call.status, call.ended = 201, 2.0
    seen.see(call, b'{"id":"01a20cf7-682a-72e5-a565-0a2590a0c9b0","amount":{}}')
    [made] = seen.writes
    assert made.id == "01a20cf7-682a-72e5-a565-0a2590a0c9b0" and made.answered == 2.0
    for total, stale in ((9, 0), (8, 0), (7, 1)):
        seen.see(Call("total", b"", 3.0, about=("account-a", seen.totals["account-a"]),
                      status=200, ended=4.0),
                 b'{"data":[],"meta":{"to":1,"total":%d}}' % total)
        assert len(seen.stale) == stale
    assert seen.reads == 3


def test_what_is_lost_doubled_or_unanswered_is_counted():
    seen = history_of(write("a", "kept", 1.0, 2.0, "id-1"), write("a", "changed", 3.0, 4.0, "id-2"),
                      write("b", "gone", 1.0, 2.0, "id-3"), write("b", "silent", 1.0, 0.0, ""))
    rows = [["id-1", "account-a", "-5", "kept", "11"], ["id-2", "account-a", "-6", "changed", "12"],
            ["id-9", "account-a", "-5", "kept", "10"]]
    found = history.judge(seen, rows, 4)
    assert {name: found[name] for name in history.WRONG} == {
        "lost": 2, "doubled": 1, "out_of_order": 0, "stale": 0, "unanswered": 1,
        "wrong_balances": 4}
