# SPDX-License-Identifier: Apache-2.0
"""Users who keep asking while something breaks, and the account of what they were told."""
import collections
import threading
import time
import uuid

from client import serial


class Event:
    def __init__(self, start, end, method, status, trouble):
        self.start, self.end, self.method = start, end, method
        self.status, self.trouble = status, trouble

    def __repr__(self):
        return (f"<{self.method} {self.status} {self.trouble or ''} "
                f"{1000 * (self.end - self.start):.0f} ms>")


class Load:
    """`with Load(system) as load:`. One thread and one tenant a user, four reads to a write, no
    request is ever repeated."""

    def __init__(self, system, users=8, pause=0.005):
        self.system, self.pause = system, pause
        self.clients = [system.user() for _ in range(users)]
        self.events = []  # append is atomic
        self.acknowledged = {}  # id -> (tenant, memo, value)
        self.sent = set()  # memos of all writes
        self.running = True
        self.threads = [threading.Thread(target=self._run, args=(client,), daemon=True)
                        for client in self.clients]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.running = False
        for thread in self.threads:
            thread.join(60)

    def _run(self, client):
        for turn in range(1 << 30):
            if not self.running:
                break
            account = client.accounts[turn % 3]["id"]
            if turn % 5 == 4:
                self._write(client, account)
            elif turn % 5 == 2:
                self._ask(client, "GET", "/api/accounts")
            else:
                query = f"?accounts[]={account}&per_page={20 + turn % 40}"
                self._ask(client, "GET", "/api/transactions" + (query if turn % 5 else ""))
            time.sleep(self.pause)  # a person's pause, not a wait for anything
        client.close()

    def _write(self, client, account):
        number = serial()
        memo, value = f"carga {number}", 1000 + number
        self.sent.add(memo)
        answer = self._ask(client, "POST", "/api/transactions", {
            "account_id": account, "amount": {"value": value, "currency": "BRL"},
            "date": "2026-11-23", "memo": memo}, {"Idempotency-Key": str(uuid.uuid4())})
        if answer is not None and answer.status == 201:
            self.acknowledged[answer.json["id"]] = (client.user_id, memo, value)

    def _ask(self, client, method, path, body=None, headers=None):
        start = time.monotonic()
        answer, trouble = None, None
        try:
            answer = client.request(method, path, body=body, headers=headers)
        except Exception as error:  # whatever the wire does is a finding, not an end
            trouble = error
        status = answer.status if answer is not None else None
        self.events.append(Event(start, time.monotonic(), method, status, trouble))
        if trouble is not None:
            time.sleep(0.02)
        return answer

    # The account

    def failures(self, since=0.0):
        return [event for event in self.events
                if event.start >= since and event.status not in (200, 201)]

    def count(self):
        return len(self.events)

    def kinds(self):
        return collections.Counter(event.status or type(event.trouble).__name__
                                   for event in self.events)

    def slowest(self, since, seconds):
        """p99 of what began in a span, in seconds."""
        spans = sorted(event.end - event.start for event in self.events
                       if since <= event.start < since + seconds)
        return spans[int(len(spans) * 0.99)] if spans else 0.0

    def assert_nothing_lost(self):
        """Every acknowledged write is there as sent, none twice, every balance is its sum."""
        rows = self.system.sql("SELECT id, tenant_id, memo, amount FROM transactions "
                               "WHERE memo LIKE 'carga %'")
        stored = {row[0]: (row[1], row[2], int(row[3])) for row in rows}
        for identity, wanted in self.acknowledged.items():
            assert stored.get(identity) == wanted, f"acknowledged and not found: {identity}"
        twice = [memo for memo, count in
                 collections.Counter(row[2] for row in rows).items() if count > 1]
        assert not twice, f"one request, two effects: {twice[:5]}"
        assert self.acknowledged, "the load wrote nothing"
        self.system.assert_balances()
