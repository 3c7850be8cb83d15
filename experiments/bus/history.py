# SPDX-License-Identifier: Apache-2.0
"""A load that knows what must be true of every answer, for experiments/bus/nemesis.

Clients write with an Idempotency-Key each (its memo) and repeat a write with the same key until it
is answered, as the API tells them to; meanwhile others read. What is checked:

  lost            a write answered with 2xx is not in the database, or is another one there
  doubled         a memo (each write has its own) stands there twice
  out of order    a write sent after another one's answer, of the same tenant, has a lower version
  stale           a total or a balance that misses a write answered before the read was sent
  unexplained     a balance that the first writes by version, however many, do not add up to, or
                  only with one that was sent after the read's answer
  unanswered      a write that had no 2xx after all its repeats
  misanswered     an answer that no blow excuses, of a read or of any sending of a write: another
                  status than 2xx, 429, 503, 504 (what hangs may outlast a request's time) or, of a
                  write, 409 (one of the same key is under way), or what is no HTTP; a read that
                  got none while no edge was away; and the failed reads once all is calm again,
                  if they are more than a tenth: less may be the load's doing, not the blows'
  wrong balances  accounts whose balance or count is not that of their transactions

A million writes are columns of numbers here, never a million objects.
"""
import array
import bisect
import itertools
import uuid

from generator import TROUBLES, Stream, text

WRITES, TOTALS, ACCOUNTS = range(3)  # the streams
REPEATS = 300
EXCUSED = (429, 503, 504)
CALM_FAILED_MAX = 0.1  # of the reads; more is an outage that did not end with the blows
RUNNING = 409  # to a repeat of a write that is under way, its client's connection being lost
WRONG = ("lost", "doubled", "out_of_order", "stale", "unexplained", "unanswered", "misanswered",
         "wrong_balances")


def value_of(number):
    """What a write adds to its account's balance."""
    return -10**8 - number


class Plan:
    """What is sent: writes to the first account of each tenant, and as many reads beside them."""

    def __init__(self, host, day, tenants, seed):
        self.host, self.day, self.tenants = host, day, tenants
        self.accounts = [tenant[1] for tenant in tenants]
        self.prefix = f"nemesis {seed} {uuid.uuid4().hex[:8]} "

    def streams(self, rate, seconds, commands=0):
        """`rate` writes a second, `commands` of them at most."""
        ways = [(tenant[0], tenant[1]) for tenant in self.tenants]
        writes = [text(self.host, "POST", "/api/transactions", token, self.body(account),
                       self.prefix + "{number}") for token, account in ways]
        totals = [text(self.host, "GET", f"/api/transactions?accounts[]={account}&per_page=1",
                       token) for token, account in ways]
        accounts = [text(self.host, "GET", "/api/accounts?per_page=1", token)
                    for token, _ in ways]  # by name: the first is the one that is written to
        common = {"end": seconds, "order": "chance", "connections": 1024}
        return [Stream("writes", writes, rate=rate, count=commands, repeat=REPEATS, **common),
                Stream("totals", totals, rate=rate * 0.6, member="total", **common),
                Stream("accounts", accounts, rate=rate * 0.4, member="value", **common)]

    def body(self, account):
        return (f'{{"account_id":"{account}","amount":{{"value":-1{{number}},"currency":"BRL"}},'
                f'"date":"{self.day}","memo":"{self.prefix}{{number}}"}}')


class Column(array.array):
    """Numbers by number; zeros where nothing has been put."""

    def put(self, number, value):
        if number >= len(self):
            self.extend(array.array(self.typecode, bytes((number + 1 - len(self)) * self.itemsize)))
        self[number] = value


class History:
    """What became of the requests, from the records of a load."""

    def __init__(self, records, tenants, away=(), calm=2**64):
        """tenants: how many; a record's text says which one it is of. away: (from, until) when
        there may be no edge; calm: from then on what is due should succeed; as records' times."""
        self.away = away
        self.sent, self.ended, self.tenant = Column("Q"), Column("Q"), Column("L")
        self.ids = bytearray()
        self.answered_of = [array.array("Q") for _ in range(tenants)]  # when, in ascending order
        self.totals_of = [(array.array("Q"), array.array("q")) for _ in range(tenants)]
        self.balances_of = [(array.array("Q"), array.array("Q"), array.array("q"))
                            for _ in range(tenants)]
        self.requests = self.reads = self.repeats = self.misanswered = 0
        calm_reads = calm_failed = 0
        for record in records:
            self.requests += 1
            if record.stream == WRITES:
                self.take_write(record)
                continue
            excused = self.is_excused(record)
            self.misanswered += not excused
            if record.due >= calm:
                calm_reads += 1
                calm_failed += excused and not record.ok
            if record.ok:
                self.take_read(record)
        if calm_failed > CALM_FAILED_MAX * calm_reads:
            self.misanswered += calm_failed
        for answered in self.answered_of:
            answered[:] = array.array("Q", sorted(answered))

    def is_excused(self, read):
        if read.ok or read.status in EXCUSED:
            return True
        if read.status != 0 or TROUBLES[read.trouble] == "malformed":
            return False
        return TROUBLES[read.trouble] == "never sent" or any(
            begin <= read.ended and read.sent <= end for begin, end in self.away)

    def take_write(self, record):
        number = record.number
        self.sent.put(number, record.sent or record.ended)
        self.ended.put(number, record.ended if record.ok else 0)
        self.tenant.put(number, record.text)
        self.repeats += max(record.sendings, 1) - 1
        if len(self.ids) < 16 * len(self.sent):
            self.ids.extend(bytes(16 * len(self.sent) - len(self.ids)))
        self.ids[16 * number:16 * number + 16] = record.id
        if record.ok:
            self.answered_of[record.text].append(record.ended)

    def take_read(self, record):
        self.reads += 1
        if record.stream == TOTALS:
            columns, values = self.totals_of, (record.sent, record.member)
        else:
            columns, values = self.balances_of, (record.sent, record.ended, record.member)
        for column, value in zip(columns[record.text], values):
            column.append(value)

    def acknowledged(self):
        return sum(map(bool, self.ended))

    def stale_totals(self, totals):
        """Reads that show too few. totals: of each tenant before the first write."""
        return sum(shown < before + bisect.bisect_left(answered, sent)
                   for before, answered, reads in zip(totals, self.answered_of, self.totals_of)
                   for sent, shown in zip(*reads))

    def stored_of(self, versions, acknowledged):
        """Numbers of the stored writes by tenant. versions: by number, 0 where it is not stored."""
        own = [array.array("L") for _ in self.answered_of]
        for number, ended in enumerate(self.ended):
            if (ended or not acknowledged) and number < len(versions) and versions[number]:
                own[self.tenant[number]].append(number)
        return own

    def judge_balances(self, balances, versions):
        """(stale, unexplained) reads. balances: of each tenant before the first write. A tenant's
        writes take effect in the order of their versions, so each balance belongs to one count of
        them: a binary search tells which, and none is there that is not one of these."""
        stale = unexplained = 0
        for before, numbers, reads in zip(balances, self.stored_of(versions, False),
                                          self.balances_of):
            numbers = sorted(numbers, key=versions.__getitem__)
            added = array.array("q", itertools.accumulate(
                (-value_of(number) for number in numbers), initial=0))
            latest = array.array("Q", itertools.accumulate(
                (self.sent[number] for number in numbers), max, initial=0))
            answered = sorted((self.ended[number], count) for count, number
                              in enumerate(numbers, 1) if self.ended[number])
            ended = array.array("Q", (when for when, _ in answered))
            wanted = array.array("L", itertools.accumulate(
                (count for _, count in answered), max, initial=0))
            for sent, answer, shown in zip(*reads):
                count = bisect.bisect_left(added, before - shown)
                if (count == len(added) or added[count] != before - shown
                        or latest[count] > answer):
                    unexplained += 1
                elif count < wanted[bisect.bisect_left(ended, sent)]:
                    stale += 1
        return stale, unexplained

    def out_of_order(self, versions):
        """Numbers of writes sent after another one's answer, of the same tenant, that do not stand
        after it."""
        wrong = []
        for numbers in self.stored_of(versions, True):
            answered = sorted(numbers, key=self.ended.__getitem__)
            highest = at = 0
            for number in sorted(numbers, key=self.sent.__getitem__):
                while at < len(answered) and self.ended[answered[at]] < self.sent[number]:
                    highest = max(highest, versions[answered[at]])
                    at += 1
                if versions[number] < highest:
                    wrong.append(number)
        return wrong


class Stored:
    """What the database has of the writes. rows: id, account, value, memo, version as text."""

    def __init__(self, rows, plan, history):
        self.versions, self.rows, self.doubled = Column("Q"), 0, 0
        self.good = bytearray(len(history.sent))  # by number: stands there as it was acknowledged
        for identity, account, value, memo, version in rows:
            number = int(memo[len(plan.prefix):])
            self.rows += 1
            self.doubled += number < len(self.versions) and self.versions[number] != 0
            self.versions.put(number, int(version))
            if number < len(self.good):
                self.good[number] |= (
                    account == plan.accounts[history.tenant[number]]
                    and value == str(value_of(number)) and memo == f"{plan.prefix}{number:08}"
                    and history.ids[16 * number:16 * number + 16].hex()
                    == identity.replace("-", ""))


def misanswered(said):
    """Sendings of writes. said: how often each status and trouble came."""
    return sum(count for name, count in said.items()
               if name == "malformed"
               or name.isdigit() and int(name) // 100 != 2 and int(name) not in (*EXCUSED, RUNNING))


def judge(plan, history, before, rows, wrong_balances, said):
    """Counts of all and of what is wrong (WRONG). before: (transactions, balance) of each tenant's
    account before the load; rows: as Stored takes them; said: as misanswered takes it."""
    stored = Stored(rows, plan, history)
    totals, balances = zip(*before)
    stale, unexplained = history.judge_balances(balances, stored.versions)
    acknowledged = history.acknowledged()
    return {
        "writes": len(history.sent), "acknowledged": acknowledged, "reads": history.reads,
        "repeats": history.repeats,
        "lost": sum(bool(ended) and not good for ended, good in zip(history.ended, stored.good)),
        "doubled": stored.doubled,
        "out_of_order": len(history.out_of_order(stored.versions)),
        "stale": history.stale_totals(totals) + stale,
        "unexplained": unexplained,
        "unanswered": len(history.sent) - acknowledged,
        "misanswered": history.misanswered + misanswered(said),
        "wrong_balances": wrong_balances,
    }
