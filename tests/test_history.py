# SPDX-License-Identifier: Apache-2.0
"""What experiments/bus/nemesis would call wrong: a history in which all is well, and then each
fault alone, which must be found and nothing else with it."""
import pathlib
import sys
import uuid

import pytest

EXPERIMENTS = pathlib.Path(__file__).resolve().parent.parent / "experiments"
sys.path[:0] = [str(EXPERIMENTS), str(EXPERIMENTS / "bus")]

import history
from generator import Record

PLAN = history.Plan("127.0.0.1:8080", "2026-11-24",
                    [["token-a", "account-a"], ["token-b", "account-b"]], 42)
BEFORE = [(7, 5000), (40, -300)]  # transactions and balance of the accounts
A, B = 0, 1


def identity(number):
    return uuid.UUID(int=number + 1)


def write(number, tenant, sent, ended, status=201, sendings=1):
    return Record(sent - 5, sent, ended, -1, identity(number).bytes, number, tenant, status,
                  sendings, history.WRITES, 0, 0, 0)


def total(tenant, sent, shown, status=200):
    return Record(sent - 5, sent, sent + 50, shown, bytes(16), 0, tenant, status, 1,
                  history.TOTALS, 0, 0, 0)


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


def judged(records, rows, wrong_balances=0):
    seen = history.History(iter(records), len(PLAN.tenants))
    return history.judge(PLAN, seen, BEFORE, iter(rows), wrong_balances)


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


def test_reads_that_failed_show_nothing():
    records, rows = well()
    records[2] = total(A, 300, 0, status=503)
    records[9] = balance(B, 700, status=503)
    found = judged(records, rows)
    assert found["reads"] == 4 and found["stale"] == 0


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
