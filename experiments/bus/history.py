# SPDX-License-Identifier: Apache-2.0
"""A load that knows what must be true of every answer, for experiments/bus/nemesis.

Clients write with an Idempotency-Key each (its memo) and repeat a write with the same key until it
is answered, as the API tells them to; meanwhile others read. What is checked:

  lost            a write answered with 2xx is not in the database, or is another one there
  doubled         a memo (each write has its own) stands there twice
  out of order    a write sent after another one's answer, of the same tenant, has a lower version
  stale           a total that misses a write answered before the read was sent
  unanswered      a write that had no 2xx after all its repeats
  wrong balances  accounts whose balance or count is not that of their transactions

A million writes are columns of numbers here, never a million objects.
"""
import array
import bisect
import uuid

from generator import Stream, text

WRITES, TOTALS, ACCOUNTS = range(3)  # the streams
REPEATS = 300
WRONG = ("lost", "doubled", "out_of_order", "stale", "unanswered", "wrong_balances")


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
        accounts = [text(self.host, "GET", "/api/accounts", token) for token, _ in ways]
        common = {"end": seconds, "order": "chance", "connections": 1024}
        return [Stream("writes", writes, rate=rate, count=commands, repeat=REPEATS, **common),
                Stream("totals", totals, rate=rate * 0.6, member="total", **common),
                Stream("accounts", accounts, rate=rate * 0.4, **common)]

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

    def __init__(self, records, tenants):
        """tenants: how many; a record's text says which one it is of."""
        self.sent, self.ended, self.tenant = Column("Q"), Column("Q"), Column("L")
        self.ids = bytearray()
        self.answered_of = [array.array("Q") for _ in range(tenants)]  # when, in ascending order
        self.reads_of = [(array.array("Q"), array.array("q")) for _ in range(tenants)]
        self.requests = self.reads = self.repeats = 0
        for record in records:
            self.requests += 1
            if record.stream == WRITES:
                self.take_write(record)
            elif record.stream == TOTALS and record.ok and record.member >= 0:
                self.reads += 1
                sent, totals = self.reads_of[record.text]
                sent.append(record.sent)
                totals.append(record.member)
        for answered in self.answered_of:
            answered[:] = array.array("Q", sorted(answered))

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

    def acknowledged(self):
        return sum(map(bool, self.ended))

    def stale(self, totals):
        """Reads that show too little. totals: of each tenant before the first write."""
        return sum(shown < before + bisect.bisect_left(answered, sent)
                   for before, answered, reads in zip(totals, self.answered_of, self.reads_of)
                   for sent, shown in zip(*reads))

    def out_of_order(self, versions):
        """Numbers of writes sent after another one's answer, of the same tenant, that do not stand
        after it. versions: by number, 0 where it is not stored."""
        own = [array.array("L") for _ in self.answered_of]
        for number, ended in enumerate(self.ended):
            if ended and number < len(versions) and versions[number]:
                own[self.tenant[number]].append(number)
        wrong = []
        for numbers in own:
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
                    and value == f"-1{number:08}" and memo == f"{plan.prefix}{number:08}"
                    and history.ids[16 * number:16 * number + 16].hex()
                    == identity.replace("-", ""))


def judge(plan, history, totals, rows, wrong_balances):
    """Counts of all and of what is wrong (WRONG). totals: transactions of each tenant's account
    before the load; rows: as Stored takes them."""
    stored = Stored(rows, plan, history)
    acknowledged = history.acknowledged()
    return {
        "writes": len(history.sent), "acknowledged": acknowledged, "reads": history.reads,
        "repeats": history.repeats,
        "lost": sum(bool(ended) and not good for ended, good in zip(history.ended, stored.good)),
        "doubled": stored.doubled,
        "out_of_order": len(history.out_of_order(stored.versions)),
        "stale": history.stale(totals),
        "unanswered": len(history.sent) - acknowledged,
        "wrong_balances": wrong_balances,
    }
