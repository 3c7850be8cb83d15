# SPDX-License-Identifier: Apache-2.0
"""A request that is the end of every actor that begins it. Here a command waits for a row that the
test has locked, and whoever has it in hand is killed: nobody else can tell the two apart."""
import json
import os
import signal
import subprocess
import threading
import time

import pytest

from load import Load
from system import PROGRAM, SLACK, until

TRACE = "6f92f3577b34da6a3ce929d0e0e47361"


class Poison:
    """A tenant whose commands never end while this is open."""

    def __init__(self, system):
        self.system, self.user = system, system.user()
        self.body = {"account_id": self.user.accounts[0]["id"], "date": "2026-11-23",
                     "amount": {"value": 4700, "currency": "BRL"}, "memo": "veneno"}
        self.answers = []
        self.ended = 0  # pid of the last actor

    def __enter__(self):
        self.lock = subprocess.Popen(["psql", self.system.state()["database_url"], "-XAtq"],
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.lock.stdin.write(f"BEGIN; SELECT 'locked' FROM users WHERE id = '{self.user.user_id}'"
                              " FOR UPDATE;\n")
        self.lock.stdin.flush()
        assert self.lock.stdout.readline() == "locked\n"
        return self

    def __exit__(self, *_):
        self.lock.communicate("ROLLBACK;\n", timeout=20)

    def ask(self):
        return self.user.request("POST", "/api/transactions", body=self.body,
                                 headers={"traceparent": f"00-{TRACE}-00f067aa0ba902b7-00"})

    def begin(self):
        thread = threading.Thread(target=lambda: self.answers.append(self.ask()))
        thread.start()
        return thread

    def actor(self, attempt):
        """Who has that attempt, or a later one, in hand; or None."""
        said = subprocess.run([PROGRAM, "inflight", TRACE, "--json"], env=self.system.environment,
                              stdout=subprocess.PIPE, timeout=60, check=False).stdout
        rows = json.loads(said)["requests"] if said.strip() else []
        return next((row["actor"] for row in rows
                     if row["actor"] and row["attempt"] >= attempt), None)

    def end_its_actor(self, attempt, how):
        name = until(lambda: self.actor(attempt), 5 * SLACK, f"an actor has attempt {attempt}")
        # It may have taken the place of the first one a moment ago.
        until(lambda: self.system.is_back(name, self.ended), 5 * SLACK, f"{name} is known")
        self.ended = self.system.signal(name, how)
        return name, self.ended

    def end_its_actors(self, asking, how):
        """One after the other, until it is answered."""
        ended = []
        while True:
            attempt = len(ended) + 1
            until(lambda: self.actor(attempt) or not asking.is_alive(), 20 * SLACK,
                  f"an actor has attempt {attempt}, or it is answered")
            if not asking.is_alive():
                return ended
            ended.append(self.end_its_actor(attempt, how))


def is_dead(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def lines(system, words):
    found = []
    for log in (system.data / "log").glob("http-*.log"):
        found += [json.loads(line) for line in log.read_text().splitlines() if words in line]
    return found


@pytest.mark.parametrize("how,costs", [
    (signal.SIGKILL, [2]),
    (signal.SIGSTOP, [2, 3]),  # the second may have others of the first one's beside it
])
def test_it_costs_two_actors_and_nobody_else_anything(private_system, how, costs):
    system = private_system
    until(system.all_ready, 20 * SLACK, "all are ready")
    before = system.metric("valorize_bus_poisoned_total", "http-1")
    with Poison(system) as poison, Load(system) as load:
        start = time.monotonic()
        asking = poison.begin()
        ended = poison.end_its_actors(asking, how)
        assert len(ended) in costs, ended
        answer = poison.answers[0]
        assert answer.status == 500 and "Retry-After" not in answer.headers, answer
        assert "will not be tried again" in answer.json["message"], answer
        until(lambda: all(is_dead(pid) for _, pid in ended), 5 * SLACK, "they are gone")
        until(system.all_ready, 20 * SLACK, "others took their places")
        pids = {name: system.pid(name) for name in system.names("command")}

        again = poison.ask()
        assert again.status == 503 and "Nothing was done" in again.json["message"], again
        assert 30 <= int(again.headers["Retry-After"]) <= 60, again
        done = len(load.acknowledged)
        until(lambda: len(load.acknowledged) > done + 20, 20 * SLACK, "others go on writing")
        assert {name: system.pid(name) for name in system.names("command")} == pids
        assert not load.failures(start), load.failures(start)[:5]
        load.stop()
        load.assert_nothing_lost()

    line = lines(system, "A request is poison")[-1]
    assert line["severity"] == "ERROR" and TRACE in line["logging.googleapis.com/trace"], line
    assert line["operation"] == "create_transaction" and line["tenant"] == poison.user.user_id
    assert [line["first_actor"], line["last_actor"]] == [ended[0][0], ended[-1][0]]
    assert system.metric("valorize_bus_poisoned_total", "http-1") == before + 1
    said = subprocess.run([PROGRAM, "top", "--once"], env=system.environment, text=True,
                          stdout=subprocess.PIPE, timeout=60, check=True).stdout
    assert "poison " in said.split("without an actor's answer:")[1], said
    other = dict(poison.body, memo="pão")
    assert poison.user.post("/api/transactions", other).status == 201  # its tenant is not to blame
