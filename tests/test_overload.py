# SPDX-License-Identifier: Apache-2.0
"""More is asked than the system can do: who is refused, how soon, and who is not."""
import re
import select
import socket
import threading
import time
import urllib.request

import pytest

from conftest import lend
from system import SLACK, System, until

pytestmark = pytest.mark.newer("limits that adapt")

REFUSED_S = 0.110
RATE, COUNT = 800, 1600  # of a flood: some eight times what follows from the pause below
QUEUE_MB = 8
PAUSE_S = 0.02  # of a read for each row it looks at


@pytest.fixture(scope="module")
def slow_system():
    """One query actor with four connections, each busy for 20 ms with a tenant's transaction."""
    system = System(VALORIZE_QUERY_COUNT="1", VALORIZE_BROKER_QUEUE_MB=str(QUEUE_MB))
    for running in lend(system):
        running.sql("ALTER TABLE transactions ENABLE ROW LEVEL SECURITY")
        running.sql("CREATE POLICY slow ON transactions FOR SELECT TO valorize_query "
                    f"USING (pg_sleep({PAUSE_S})::text = '')")
        running.sql("CREATE POLICY rest ON transactions FOR ALL TO valorize_command USING (true)")
        yield running


def spender(system):
    user = system.user()
    answer = user.post("/api/transactions", {
        "account_id": user.accounts[0]["id"], "date": "2026-01-15", "memo": "Padaria",
        "amount": {"value": -900, "currency": user.accounts[0]["balance"]["currency"]}})
    assert answer.status == 201, answer
    return user


def window(number):
    """Another page for each: none comes from the cache, none waits for an equal one."""
    return f"/api/transactions?start_date={2010 + number % 10}-01-{1 + number // 10 % 28:02}" \
           f"&end_date=2026-{1 + number // 280 % 6:02}-20"


class Flood:
    """Requests on a clock, one a connection, so that none waits for another."""

    def __init__(self, system, users):
        self.requests = [f"GET {window(number)} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer "
                         f"{users[number % len(users)].token}\r\n\r\n".encode()
                         for number in range(COUNT)]
        self.wires = [socket.create_connection(system.address) for _ in self.requests]
        self.answers = []  # (status, seconds since it was sent, head)

    def run(self):
        """Until all are answered."""
        poll = select.epoll()
        start, sent, waiting = time.monotonic(), 0, {}
        while sent < COUNT or waiting:
            while sent < COUNT and time.monotonic() >= start + sent / RATE:
                wire = self.wires[sent]
                waiting[wire.fileno()] = (wire, time.monotonic())
                wire.sendall(self.requests[sent])
                poll.register(wire.fileno(), select.EPOLLIN)
                sent += 1
            for number, _ in poll.poll(0.001):
                wire, begun = waiting.pop(number)
                ended = time.monotonic()
                head = wire.recv(65536).decode(errors="replace")
                self.answers.append((int(head.split()[1]), ended - begun, head))
                poll.unregister(number)
            assert time.monotonic() < start + 30 * SLACK, f"{len(waiting)} are not answered"
        for wire in self.wires:
            wire.close()
        return self

    def statuses(self):
        return {status for status, _, _ in self.answers}

    def refused(self):
        return [answer for answer in self.answers if answer[0] in (429, 503)]


class Quiet(threading.Thread):
    """A tenant that asks one thing after the other, with pauses."""

    def __init__(self, user):
        super().__init__(daemon=True)
        self.user, self.ended, self.answers = user, threading.Event(), []

    def run(self):
        number = 5000
        while not self.ended.wait(0.05):
            number += 1
            self.answers.append(self.user.get(window(number)))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.join()


def refused_total(system):
    with urllib.request.urlopen(system.state()["metrics"], timeout=20) as answer:
        counts = re.findall(r"^valorize_broker_refused_total\{.*\} (\S+)$",
                            answer.read().decode(), re.MULTILINE)
    return sum(map(float, counts))


def assert_refused_well(flood):
    """As many as must be, soon, and told when to come again."""
    refused = flood.refused()
    assert len(refused) > COUNT / 3, f"only {len(refused)} of {COUNT} were refused"
    assert flood.statuses() <= {200, 429, 503}
    assert all(re.search(r"^Retry-After: [1-9]", head, re.M) for _, _, head in refused)
    if SLACK > 1:
        return
    late = [seconds for _, seconds, _ in refused if seconds > REFUSED_S]
    assert len(late) <= len(refused) / 20, f"{len(late)} of {len(refused)} late: {max(late)}"


def test_the_memory_of_queues_is_what_is_set(slow_system):
    for broker in slow_system.names("broker"):
        assert slow_system.metric("valorize_broker_queue_bytes_max", broker) == QUEUE_MB << 20


def test_four_tenants_that_flood_are_refused_and_nobody_else(slow_system):
    flooders, user = [spender(slow_system) for _ in range(4)], spender(slow_system)
    before = refused_total(slow_system)
    flood = Flood(slow_system, flooders)
    with Quiet(user) as quiet:
        flood.run()
    assert_refused_well(flood)
    assert 429 in flood.statuses()
    assert len(quiet.answers) >= 5
    assert all(answer.status == 200 for answer in quiet.answers), quiet.answers
    assert refused_total(slow_system) >= before + len(flood.refused())


def test_after_the_flood_everything_is_as_before(slow_system):
    users = [spender(slow_system) for _ in range(8)]
    flood = Flood(slow_system, users).run()
    assert_refused_well(flood)
    start = time.monotonic()
    for number, user in enumerate(users):
        answer = user.get(window(7000 + number))
        assert answer.status == 200, answer
    assert time.monotonic() - start < 1 * SLACK
    until(lambda: slow_system.metric("valorize_broker_queued_bytes", "broker-1") == 0 and
          slow_system.metric("valorize_broker_queued_bytes", "broker-2") == 0, 2 * SLACK,
          "nothing is left in the queues")
