# SPDX-License-Identifier: Apache-2.0
"""A load that knows what must be true of every answer, for experiments/bus/nemesis.

Clients write with an Idempotency-Key each (its memo) and repeat a write with the same key until it
is answered, as the API tells them to; meanwhile others read. What is checked:

  lost          a write answered 201 is not in the database, or is another one there
  doubled       a memo (each write has its own) stands there twice
  out of order  a write sent after another one's answer, of the same tenant, has a lower version
  stale         a total that misses a write answered before the read was due
  unanswered    a write that had no 201 after all its repeats
"""
import random
import uuid

from open_loop import Call, OpenLoop, id_of

REPEATS_MAX = 60
WRITES, TOTALS = 0.5, 0.3  # shares; the rest lists accounts


class Write:
    """One intention of a user, however often it is sent."""

    def __init__(self, tenant, account, value, memo, data):
        self.tenant, self.account, self.value, self.memo = tenant, account, value, memo
        self.data = data
        self.first_due = self.answered = 0.0
        self.id, self.sent = "", 0


class History:
    """The stream of an OpenLoop, what is due next; and what came of it."""

    def __init__(self, host, day, tenants, totals, seed):
        """totals: how many transactions each tenant's first account has, which a read must show."""
        self.random = random.Random(seed)
        self.host, self.day, self.tenants, self.totals = host, day, tenants, dict(totals)
        self.prefix = f"nemesis {seed} {uuid.uuid4().hex[:8]} "
        self.writes, self.stale, self.reads = [], [], 0

    def __call__(self, due):
        tenant, chance = self.random.choice(self.tenants), self.random.random()
        if chance < WRITES:
            return self.write(tenant, due)
        if chance < WRITES + TOTALS:
            path = f"/api/transactions?accounts[]={tenant[1]}&per_page=1"
            return Call("total", self.text("GET", path, tenant[0]), due,
                        about=(tenant[1], self.totals[tenant[1]]))
        return Call("accounts", self.text("GET", "/api/accounts", tenant[0]), due)

    def write(self, tenant, due):
        value, memo = -self.random.randrange(100, 50000), f"{self.prefix}{len(self.writes)}"
        body = (f'{{"account_id":"{tenant[1]}","amount":{{"value":{value},"currency":"BRL"}},'
                f'"date":"{self.day}","memo":"{memo}"}}')
        write = Write(tenant[0], tenant[1], value, memo,
                      self.text("POST", "/api/transactions", tenant[0], body, memo))
        write.first_due = due
        self.writes.append(write)
        return self.send(write, due)

    def send(self, write, due):
        write.sent += 1
        return Call("write", write.data, due, about=write)

    def see(self, call, body):
        """An answer that has just come."""
        if call.kind == "write" and call.status == 201:
            call.about.id, call.about.answered = id_of(body), call.ended
            self.totals[call.about.account] += 1
        elif call.kind == "total" and call.status == 200:
            self.reads += 1
            at = body.rfind(b'"total":') + 8
            total = int(body[at:body.find(b"}", at)].split(b",")[0])
            if total < call.about[1]:
                self.stale.append((*call.about, total))

    def text(self, method, path, token, body="", key=""):
        content = (f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
                   f"Idempotency-Key: {key}\r\n")
        return (f"{method} {path} HTTP/1.1\r\nHost: {self.host}\r\n"
                f"Authorization: Bearer {token}\r\n{content if body else ''}\r\n{body}").encode()


class HistoryLoop(OpenLoop):
    """Repeats writes, and looks at every answer as it comes."""

    def __init__(self, address, history):
        super().__init__(address, history)
        self.history = history

    def answered(self, call, body):
        self.history.see(call, body)

    def end(self, call, status, trouble=""):
        super().end(call, status, trouble)
        if call.kind == "write" and status != 201 and call.about.sent < REPEATS_MAX:
            again = self.history.send(call.about, call.ended + min(0.1 * call.about.sent, 1))
            self.agenda_add(again.due, lambda: self.begin(again))


def out_of_order(writes, versions):
    """Memos of the writes that were sent after another one's answer, of the same tenant, but do not
    stand after it in the database. versions: by memo."""
    wrong = []
    by_tenant = {}
    for write in writes:
        if write.answered and write.memo in versions:
            by_tenant.setdefault(write.tenant, []).append(write)
    for own in by_tenant.values():
        answered = sorted(own, key=lambda write: write.answered)
        highest, at = 0, 0
        for write in sorted(own, key=lambda write: write.first_due):
            while at < len(answered) and answered[at].answered <= write.first_due:
                highest = max(highest, versions[answered[at].memo])
                at += 1
            if versions[write.memo] < highest:
                wrong.append(write.memo)
    return wrong


def judge(history, rows, wrong_balances):
    """Counts of what is wrong. rows: id, account, value, memo, version of each stored write."""
    stored = {row[0]: row for row in rows}
    versions = {row[3]: int(row[4]) for row in rows}
    acknowledged = [write for write in history.writes if write.answered]
    return {
        "writes": len(history.writes), "acknowledged": len(acknowledged), "reads": history.reads,
        "repeats": sum(write.sent - 1 for write in history.writes),
        "lost": sum(stored.get(write.id, [])[1:4]
                    != [write.account, str(write.value), write.memo] for write in acknowledged),
        "doubled": len(rows) - len(versions),
        "out_of_order": len(out_of_order(acknowledged, versions)),
        "stale": len(history.stale),
        "unanswered": len(history.writes) - len(acknowledged),
        "wrong_balances": wrong_balances,
    }


WRONG = ("lost", "doubled", "out_of_order", "stale", "unanswered", "wrong_balances")
