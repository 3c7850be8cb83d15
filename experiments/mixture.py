# SPDX-License-Identifier: Apache-2.0
"""The study's mixture over seeded tenants as a load (generator.py): 65 % lists, 15 % accounts, 20 %
writes, chosen by a seed. No request is ever sent twice."""
import random
import uuid

import ledger
from generator import Generator, Stream, answers, text
from running import SCRATCH, refuse

TEXTS, CONNECTIONS, CONNECTIONS_MAX = 20000, 64, 1024
LISTS, ACCOUNTS = 0.65, 0.15  # shares of the mixture; the rest are writes


class Mixture:
    """Texts of requests, what kind each is, and of the writes among them what they write."""

    def __init__(self, running, seeded, seed, prefix):
        """prefix: of all memos; what follows is the number of the request."""
        chance = random.Random(seed)
        tenants = seeded.tenants()
        days = [seeded.day(number) for number in range(seeded.days)]
        host = f"{running.host}:{running.port}"
        self.prefix, self.kinds, self.texts, self.writes = prefix, [], [], {}
        for number in range(TEXTS):
            kind, tenant = chance.random(), chance.choice(tenants)
            if kind < LISTS:
                first = chance.randrange(len(days) - 90)
                path = (f"/api/transactions?accounts[]={tenant[1 + number % 3]}&start_date="
                        f"{days[first]}&end_date={days[first + 89]}"
                        f"&per_page={chance.randrange(20, 60)}")
                self.add("list", text(host, "GET", path, tenant[0]))
            elif kind < LISTS + ACCOUNTS:
                self.add("accounts", text(host, "GET", "/api/accounts", tenant[0]))
            else:
                value = -chance.randrange(100, 50000)
                body = (f'{{"account_id":"{tenant[1]}","amount":{{"value":{value},"currency":'
                        f'"BRL"}},"date":"{days[-1]}","memo":"{self.prefix}{{number}}"}}')
                self.writes[number] = (tenant[1], value)
                self.add("write", text(host, "POST", "/api/transactions", tenant[0], body))

    def add(self, kind, request):
        self.kinds.append(kind)
        self.texts.append(request)

    def acknowledged(self, records):
        """Lines of a ledger."""
        for record in records:
            if record.status == 201:
                account, value = self.writes[record.text]
                yield (f"{uuid.UUID(bytes=record.id)}\t{account}\t{value}\t"
                       f"{self.prefix}{record.number:08}\n")


class MixedLoad:
    """The mixture at some rate; what was acknowledged goes into a ledger."""

    def __init__(self, running, seeded, seed, name):
        """name: of files below build/experiments, and the first word of all memos."""
        self.running, self.seeded, self.seed, self.name = running, seeded, seed, name
        self.prefix, self.runs, self.ledger = f"{name} {seed} {uuid.uuid4().hex[:8]} ", 0, []
        self.kinds = []  # of the texts that a record's number stands for

    def run(self, rate, seconds, meanwhile=None):
        """Records by the time they were due; rate 0: a closed loop. meanwhile: called with the
        generator while the load is under way."""
        self.runs += 1
        mixture = Mixture(self.running, self.seeded, self.seed, f"{self.prefix}{self.runs} ")
        self.kinds = mixture.kinds
        stream = Stream("mixed", mixture.texts, rate=rate, end=seconds,
                        connections=CONNECTIONS_MAX if rate else CONNECTIONS)
        with Generator((self.running.host, self.running.port), [stream], self.seed,
                       self.name) as load:
            if meanwhile is not None:
                meanwhile(load)
            load.wait()
            records = sorted(load.records())
        self.ledger += mixture.acknowledged(records)
        return records

    def capacity(self):
        """Requests a second of closed loop."""
        for seconds in (2, 5):  # the first warms up
            records = self.run(0, seconds)
            if not all(record.ok for record in records):
                refuse(f"requests fail before anything is disturbed: {answers(records)}")
        return len(records) / seconds

    def verify(self):
        path = SCRATCH / f"{self.name}.ledger"
        path.write_text("".join(self.ledger))
        return ledger.verify(self.running, path, self.prefix)
