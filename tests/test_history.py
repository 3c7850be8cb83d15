# SPDX-License-Identifier: Apache-2.0
"""What experiments/bus/nemesis would call wrong: a history in which all is well, and then each
fault alone, which must be found and nothing else with it."""
import os
import pathlib
import sys
import uuid

import pytest

EXPERIMENTS = pathlib.Path(__file__).resolve().parent.parent / "experiments"
sys.path[:0] = [str(EXPERIMENTS), str(EXPERIMENTS / "bus")]

import history
import incidents
from blows import ALL, BLOWS
from generator import TROUBLES, Record

PLAN = history.Plan("127.0.0.1:8080", "2026-11-24",
                    [["token-a", "account-a"], ["token-b", "account-b"]], 42)
BEFORE = [(7, 5000), (40, -300)]  # transactions and balance of the accounts
A, B = 0, 1


def identity(number):
    return uuid.UUID(int=number + 1)


def write(number, tenant, sent, ended, status=201, sendings=1):
    return Record(sent - 5, sent, ended, -1, identity(number).bytes, number, tenant, status,
                  sendings, history.WRITES, 0, 0, 0)


def total(tenant, sent, shown, status=200, trouble="none"):
    return Record(sent - 5, sent, sent + 50, shown, bytes(16), 0, tenant, status, 1,
                  history.TOTALS, TROUBLES.index(trouble), 0, 0)


def balance(tenant, sent, *included, status=200, ended=None, more=0):
    """A read of the account that shows these writes."""
    shown = BEFORE[tenant][1] + sum(map(history.value_of, included)) + more
    return Record(sent - 5, sent, ended or sent + 50, shown, identity(99).bytes, 0, tenant, status,
                  1, history.ACCOUNTS, 0, 0, 0)


def row(number, tenant, version):
    return [str(identity(number)), PLAN.accounts[tenant], f"-1{number:08}",
            f"{PLAN.prefix}{number:08}", str(version)]


def well():
    """Records as they ended, and rows. 2 goes on beside 0 and 1; 3 is the other tenant's."""
    records = [write(0, A, 100, 200), total(A, 150, 7), total(A, 300, 8),
               write(1, A, 300, 400, sendings=3), total(A, 450, 9), write(2, A, 150, 500),
               total(A, 600, 10), write(3, B, 250, 600), total(B, 700, 41), balance(B, 700, 3)]
    rows = [row(0, A, 10), row(1, A, 12), row(2, A, 9), row(3, B, 5)]
    return records, rows


def judged(records, rows, wrong_balances=0, said=None, **more):
    seen = history.History(iter(records), len(PLAN.tenants), **more)
    return history.judge(PLAN, seen, BEFORE, iter(rows), wrong_balances,
                         said or {"201": 4, "503": 2})


def test_what_is_well_is_called_well():
    found = judged(*well())
    assert found == {"writes": 4, "acknowledged": 4, "reads": 6, "repeats": 2,
                     **dict.fromkeys(history.WRONG, 0)}


def stored_as(number, **changes):
    """The row of a write with other values."""
    names = ["id", "account", "value", "memo", "version"]

    def spoil(_, rows):
        for name, value in changes.items():
            rows[number][names.index(name)] = value
    return spoil


def answered_as(position, record):
    def spoil(records, _):
        records[position] = record
    return spoil


FAULTS = {
    "a write that is not there": ("lost", lambda _, rows: rows.pop(1)),
    "a write with another id": ("lost", stored_as(1, id=str(identity(9)))),
    "a write with another value": ("lost", stored_as(1, value="-100000002")),
    "a write in another account": ("lost", stored_as(1, account="account-b")),
    "a write that is there twice": ("doubled", lambda _, rows: rows.append(row(3, B, 6))),
    "a later write with a lower version": ("out_of_order", stored_as(1, version="8")),
    "an earlier write with a higher version": ("out_of_order", stored_as(0, version="99")),
    "a read without the first write": ("stale", answered_as(2, total(A, 300, 7))),
    "a read without the last write": ("stale", answered_as(8, total(B, 700, 40))),
    "a total that is none": ("stale", answered_as(8, total(B, 700, -2**63))),
    "a balance without the only write": ("stale", answered_as(9, balance(B, 700))),
    "a balance without the first write": ("stale", answered_as(9, balance(A, 300, 2))),
    "a balance a cent off": ("unexplained", answered_as(9, balance(B, 700, 3, more=1))),
    "a balance with a write twice": ("unexplained", answered_as(9, balance(B, 700, 3, 3))),
    "a balance of a later write alone": ("unexplained", answered_as(9, balance(A, 600, 0, 1))),
    "a balance of another account": ("unexplained", answered_as(9, balance(A, 600, 3))),
    "a balance of a write not yet sent": ("unexplained", answered_as(
        9, balance(A, 210, 2, 0, 1, ended=299))),
    "a balance that is none": ("unexplained", answered_as(
        9, balance(B, 700)._replace(member=-2**63))),
    "a write that was refused": ("unanswered", answered_as(7, write(3, B, 250, 600, 503))),
    "a write without any answer": ("unanswered", answered_as(7, write(3, B, 250, 600, 0))),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found_and_nothing_else(fault):
    name, spoil = FAULTS[fault]
    records, rows = well()
    spoil(records, rows)
    if name == "unanswered":
        rows.pop()  # and what was read of it
        records = [record for record in records if record.stream == history.WRITES
                   or record.text == A]
    found = judged(records, rows)
    assert {wrong: found[wrong] for wrong in history.WRONG if found[wrong]} == {name: 1}


def test_a_balance_that_is_not_its_sum_is_wrong():
    assert judged(*well(), wrong_balances=4)["wrong_balances"] == 4


def test_what_was_not_acknowledged_may_be_there_or_not_but_only_once():
    records, rows = well()
    records[7] = write(3, B, 250, 600, 503)
    assert judged(records, rows)["unanswered"] == 1
    assert judged(records, rows)["unexplained"] == 0
    assert judged(records, rows[:3])["lost"] == 0
    records[9] = balance(B, 700)
    assert judged(records, rows)["stale"] == 0
    assert judged(records, [*rows, row(3, B, 6)])["doubled"] == 1


def test_a_read_sent_at_the_moment_of_an_answer_may_miss_it():
    records, rows = well()
    records[2] = total(A, 200, 7)
    assert judged(records, rows)["stale"] == 0
    records[9] = balance(A, 200, 2)
    assert judged(records, rows)["stale"] == 0
    records[9] = balance(A, 201, 2)
    assert judged(records, rows)["stale"] == 1


@pytest.mark.parametrize("included", [[], [2], [2, 0], [2, 0, 1]])
def test_a_balance_may_show_what_is_under_way_in_the_order_of_versions(included):
    records, rows = well()
    records[9] = balance(A, 180, *included, ended=300)
    found = judged(records, rows)
    assert found["stale"] == 0 and found["unexplained"] == 0


@pytest.mark.parametrize("status,misanswered", [
    (429, 0), (503, 0), (504, 0), (500, 2), (400, 2), (401, 2), (404, 2), (409, 2), (301, 2)])
def test_reads_that_failed_show_nothing_but_must_have_failed_as_they_may(status, misanswered):
    records, rows = well()
    records[2] = total(A, 300, 0, status=status)
    records[9] = balance(B, 700, status=status)
    found = judged(records, rows)
    assert found["reads"] == 4 and found["stale"] == 0 and found["misanswered"] == misanswered


@pytest.mark.parametrize("trouble,away,misanswered", [
    ("no connection", [], 1), ("connection ended", [(0, 299), (351, 900)], 1),
    ("connection ended", [(0, 20), (350, 900)], 0), ("no answer in time", [(100, 300)], 0),
    ("no answer in time", [], 1), ("malformed", [(0, 900)], 1), ("never sent", [], 0)])
def test_a_read_without_an_answer_wants_an_edge_that_was_away(trouble, away, misanswered):
    records, rows = well()
    records[2] = total(A, 300, 0, status=0, trouble=trouble)
    assert judged(records, rows, away=away)["misanswered"] == misanswered


@pytest.mark.parametrize("said,misanswered", [
    ({"201": 4, "409": 1, "429": 1, "503": 9, "504": 2, "connection ended": 3}, 0),
    ({"201": 4, "500": 3}, 3), ({"201": 4, "422": 1, "malformed": 1}, 2)])
def test_a_write_that_was_repeated_must_have_failed_as_it_may(said, misanswered):
    assert judged(*well(), said=said)["misanswered"] == misanswered


@pytest.mark.parametrize("failed,calm,misanswered", [
    ([], 100, 0), ([503], 100, 0), ([503, 503], 100, 2), ([429, 504], 100, 2), ([503, 503], 99, 0),
    ([500], 100, 1), ([503] * 10, 101, 0)])
def test_when_all_is_calm_more_than_a_tenth_of_failed_reads_is_an_outage(failed, calm, misanswered):
    """Ten are due at 100 and ten before, at 99."""
    reads = [total(A, 105, 7, status=status) for status in [*failed, *[200] * (10 - len(failed))]]
    early = [total(A, 104, 7)] * 10
    seen = history.History(iter([*early, *reads]), len(PLAN.tenants), calm=calm)
    assert seen.misanswered == misanswered


# --- what the blows explain ---------------------------------------------------------------------

def test_edges_are_away_from_a_blow_until_they_are_back():
    back, drain = incidents.BACK_S, incidents.DRAIN_S
    blows = [[1.5, "kill query-1"], [3, "slow postgres's disk by 20 ms for 9 s"],
             [10, "kill http-1"], [50, "stop http-2 for 2.50 s"], [90, "end http-1"]]
    assert incidents.edges_away(blows) == [(10, 10 + back), (50, 52.5 + back),
                                           (90, 90 + drain + back)]


def test_an_edge_without_a_supervisor_is_away_until_there_is_one():
    back = incidents.BACK_S
    killed = [4, "kill supervisor for 3.50 s"]
    assert incidents.edges_away([killed, [10, "kill http-1"]]) == [(10, 7.5 + 2 * back)]
    assert incidents.edges_away([killed, [14, "kill http-1"]]) == [(14, 14 + back)]
    assert incidents.edges_away([[1, "kill http-1"], killed]) == [(1, 7.5 + 2 * back)]


BEGAN = 1795554000.0  # 2026-11-24T21:00:00Z
BLOWN = [[2, "kill query-1"], [5, "stop http-1 for 2.00 s"], [60, "kill supervisor for 1.00 s"],
         [120, "part broker-1 from * (cut) for 2.00 s"]]


def ended(second, name, why, last="Listening.", what="A process ended; it is started again."):
    return (f'{{"severity":"INFO","time":"2026-11-24T21:0{second // 60}:{second % 60:02}.5Z",'
            f'"process":"supervisor","message":"{what}","name":"{name}","why":"{why}",'
            f'"its_last_line":"{last}","in_ms":"0"}}\n')


ADOPTED = "ended; an adopted process does not say how"
SILENT = "gave no sign of life and was killed"
FAILING = "A process is failing; it is started again every 5 s."


@pytest.mark.parametrize("line,bug", [
    (ended(2, "query-1", "killed by signal 9 (Killed)"), False),
    (ended(9, "query-1", ADOPTED), False),
    (ended(9, "query-1", "ended with exit code 0", what=FAILING), False),
    (ended(2, "query-2", "killed by signal 9 (Killed)"), True),
    (ended(59, "query-1", "killed by signal 9 (Killed)"), True),
    (ended(9, "query-2", ADOPTED), True),
    (ended(121, "broker-1", "ended with exit code 0"), True),
    (ended(2, "query-1", "killed by signal 11 (Segmentation fault)"), True),
    (ended(2, "query-1", "killed by signal 6 (Aborted)", what=FAILING), True),
    (ended(2, "query-1", "ended with exit code 1"), True),
    (ended(7, "http-1", SILENT), False),
    (ended(7, "query-2", SILENT), True),
    (ended(62, "query-2", SILENT), False),
    ('{"severity":"CRITICAL","message":"assertion failed, the process restarts"}\n', True),
    ("Assertion failed: Invalid argument (src/tcp.cpp:99)\n", True),
    ("valorize-edge: a.c:7: main: Assertion `n > 0' failed.\n", True),
    ('{"message":"A process cannot be started; it is tried again.","name":"redis"}\n', True),
    ('{"message":"Listening."}\n', False), ("[1, 2]\n", False), ("LOG:  all is well\n", False),
])
def test_an_end_wants_a_blow_and_a_signal_that_people_send(line, bug):
    judge = incidents.Judge(BLOWN, BEGAN)
    judge.take(line)
    assert len(judge.bugs) == bug and judge.poison == []


def test_a_poison_verdict_is_counted():
    judge = incidents.Judge(BLOWN, BEGAN)
    judge.take('{"message":"A request is poison: the actors that had it in hand died or hung."}')
    assert len(judge.poison) == 1 and judge.bugs == []


def test_lines_are_read_from_where_the_run_began_and_over_a_log_that_began_anew(tmp_path):
    (tmp_path / "a.log").write_text("before\n")
    (tmp_path / "b.log").write_text("before\n")
    (tmp_path / "b.log.1").write_text("long before\n")
    sizes = incidents.sizes_of(tmp_path)
    with (tmp_path / "a.log").open("a") as file:
        file.write("one\n")
    (tmp_path / "a.log").rename(tmp_path / "a.log.1")
    (tmp_path / "a.log").write_text("two\n")
    (tmp_path / "c.log").write_text("three\n")
    moved = (tmp_path / "a.log.1").stat().st_mtime
    os.utime(tmp_path / "b.log.1", (moved - 9, moved - 9))
    assert list(incidents.new_lines(tmp_path, sizes, moved - 1)) == ["one\n", "two\n", "three\n"]


def test_a_long_run_must_have_had_each_blow_and_each_class():
    possible = sorted(ALL)
    assert incidents.never_hit([], possible, BLOWS) == []
    few = [[1, "kill query-1"]] * 34
    assert incidents.never_hit(few, possible, BLOWS) == []
    many = [[1, "kill query-1"]] * 50
    assert incidents.never_hit(many, possible, BLOWS) == ["broker", "end", "part", "postgres",
                                                          "slow", "stop"]
    assert incidents.never_hit(many, ["end", "kill", "stop"], BLOWS) == ["end", "stop"]
    each = [[1, "end command-1"], [1, "stop http-1 for 2.00 s"], [1, "kill redis"],
            [1, "slow postgres's disk by 20 ms for 1.00 s"], [1, "kill supervisor for 1.00 s"],
            [1, "part broker-2 from * (cut) for 1.00 s"]]
    assert incidents.never_hit(many * 9 + each, possible, BLOWS) == []


def test_what_is_sent_is_what_is_judged():
    writes, totals, accounts = PLAN.streams(rate=100, seconds=5, commands=70)
    assert (writes.name, totals.name, accounts.name) == ("writes", "totals", "accounts")
    body = writes.texts[B].split(b"\r\n\r\n")[1].decode().replace("{number}", "00000003")
    assert f'"account_id":"{PLAN.accounts[B]}"' in body
    assert f'"value":{row(3, B, 1)[2]},' in body and f'"memo":"{row(3, B, 1)[3]}"' in body
    assert f"Idempotency-Key: {PLAN.prefix}{{number}}".encode() in writes.texts[A]
    assert writes.count == 70 and writes.repeat > 0 and totals.repeat == 0
    assert b"accounts[]=account-b&" in totals.texts[B] and totals.member == "total"
    assert b"GET /api/accounts?per_page=1 " in accounts.texts[B] and accounts.member == "value"
