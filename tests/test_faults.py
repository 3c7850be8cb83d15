# SPDX-License-Identifier: Apache-2.0
"""Everything dies, one after another, while people work. What is promised to them, each time: no
acknowledged write is lost, none counts twice, and service is back within two seconds."""
import os
import signal
import time
import uuid

import pytest

from load import Load
from system import SLACK, alive, until

BACK_S = 2.0 * SLACK  # after the death, or after the return of what it depends on
GONE_S = 1.5  # a silent process is given up
POSTGRES_GONE_S = 6  # PostgreSQL later: a recovery is dear


@pytest.fixture
def load(private_system):
    """Under way before the test goes on; its account is checked at the end."""
    until(private_system.all_ready, BACK_S, "all are ready")
    with Load(private_system) as load:
        until(lambda: len(load.acknowledged) >= 20, 20 * SLACK, "the load writes")
        yield load
    load.assert_nothing_lost()


def goes_on(load, seconds=10 * SLACK):
    """Until some more requests have ended well, writes among them."""
    start = time.monotonic()

    def well():
        methods = [event.method for event in load.events
                   if event.start >= start and event.status in (200, 201)]
        return len(methods) >= 50 and methods.count("POST") >= 5
    until(well, seconds, "requests succeed again")


@pytest.mark.parametrize("name", ["broker-1", "broker-2", "query-1", "query-2", "command-1",
                                  "command-2"])
def test_a_killed_process_costs_no_request(private_system, load, name):
    start = time.monotonic()
    pid = private_system.signal(name, signal.SIGKILL)
    until(lambda: private_system.is_back(name, pid), BACK_S, f"{name} is back")
    goes_on(load)
    assert not load.failures(start), load.failures(start)[:5]


@pytest.mark.parametrize("name", ["query-1", "command-1", "broker-2"])
def test_a_process_that_hangs_costs_no_request(private_system, load, name):
    start = time.monotonic()
    pid = private_system.signal(name, signal.SIGSTOP)
    until(lambda: private_system.is_back(name, pid), GONE_S + BACK_S, f"{name} is back")
    goes_on(load)
    assert not alive(pid), "the one that hung was not ended"
    assert not load.failures(start), load.failures(start)[:5]


@pytest.mark.parametrize("name", ["query-1", "command-1", "broker-1"])
def test_a_process_that_is_asked_to_end_costs_no_request(private_system, load, name):
    start = time.monotonic()
    pid = private_system.signal(name, signal.SIGTERM)
    until(lambda: private_system.is_back(name, pid), 8 + BACK_S, f"{name} is back")
    goes_on(load)
    assert not load.failures(start), load.failures(start)[:5]


def test_a_killed_edge_breaks_its_connections_and_nothing_else(private_system, load):
    start = time.monotonic()
    pid = private_system.signal("http-1", signal.SIGKILL)
    until(lambda: private_system.is_back("http-1", pid), BACK_S, "http-1 is back")
    goes_on(load)
    wrong = [event for event in load.failures(start)
             if not isinstance(event.trouble, (OSError, EOFError)) and
             "Remote" not in type(event.trouble).__name__]
    assert not wrong, wrong[:5]


def test_one_process_of_every_class_at_once(private_system, load):
    start = time.monotonic()
    names = ("broker-1", "query-2", "command-1")
    pids = {name: private_system.signal(name, signal.SIGKILL) for name in names}
    for name in names:
        until(lambda: private_system.is_back(name, pids[name]), BACK_S, f"{name} is back")
    goes_on(load)
    assert not load.failures(start), load.failures(start)[:5]


# PostgreSQL and Redis

def servers(system, name):
    """The pids of a private server, children included."""
    pid = system.pid(name)
    children = []
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children") as file:
            children += [int(word) for word in file.read().split()]
    return [pid, *children]


def kill_server(system, name):
    pids = servers(system, name)
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    return pids[0]


def test_a_killed_postgresql_is_told_plainly_and_comes_back(private_system, load):
    """There is little to replay here: its own recovery is in the two seconds."""
    start = time.monotonic()
    pid = kill_server(private_system, "postgres")
    until(lambda: private_system.is_back("postgres", pid), BACK_S, "postgres is back")
    goes_on(load, start + BACK_S - time.monotonic())
    wrong = [event for event in load.failures(start) if event.status not in (503, 504)]
    assert not wrong, wrong[:5]
    late = load.failures(start + BACK_S)
    assert not late, late[:5]


def test_a_postgresql_that_hangs_is_ended_and_comes_back(private_system, load):
    """It takes no connection any more, and new actors need some."""
    start = time.monotonic()
    pid = private_system.signal("postgres", signal.SIGSTOP)
    actors = {name: private_system.signal(name, signal.SIGKILL) for name in ("query-1", "query-2")}
    until(lambda: private_system.is_back("postgres", pid), POSTGRES_GONE_S * SLACK + BACK_S,
          "postgres is back")
    assert not alive(pid), "the one that hung was not ended"
    for name, old in actors.items():
        until(lambda: private_system.is_back(name, old), 5 * SLACK, f"{name} is back")
    goes_on(load, 5 * SLACK)
    wrong = [event for event in load.failures(start) if event.status not in (503, 504)]
    assert not wrong, wrong[:5]
    assert "gave no sign of life" in private_system.run("--status")[1]


def test_a_refusal_says_when_to_come_again(private_system):
    user = private_system.user()
    until(private_system.all_ready, BACK_S, "all are ready")
    # The supervisor first: it would end a PostgreSQL that hangs.
    pids = [private_system.state()["supervisor"], *servers(private_system, "postgres")]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        headers, body = {"Idempotency-Key": str(uuid.uuid4())}, user.transaction_body()
        answer = user.twin(timeout=30).post("/api/transactions", body, headers=headers)
        assert answer.status in (503, 504), answer
        assert answer.json["message"]
        if answer.status == 503:
            assert int(answer.header("Retry-After")) >= 1
    finally:
        for pid in pids:
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass
    until(private_system.all_ready, 20 * SLACK, "all are ready again")
    again = until(lambda: _succeeded(user.post("/api/transactions", body, headers=headers)),
                  20 * SLACK, "the repeat succeeds")
    assert again.json["memo"] == body["memo"]
    assert user.get("/api/transactions").json["meta"]["total"] == 1
    private_system.assert_balances()


def _succeeded(answer):
    return answer if answer.status == 201 else None


def test_a_killed_redis_costs_no_request(private_system, load):
    start = time.monotonic()
    pid = kill_server(private_system, "redis")
    until(lambda: private_system.is_back("redis", pid), 10 * SLACK, "redis is back")
    goes_on(load)
    assert not load.failures(start), load.failures(start)[:5]


def test_a_redis_that_hangs_costs_no_request(private_system, load):
    start = time.monotonic()
    pid = private_system.signal("redis", signal.SIGSTOP)
    goes_on(load)
    until(lambda: private_system.is_back("redis", pid) or _continue(pid), 10 * SLACK,
          "redis is back")
    goes_on(load)
    assert not load.failures(start), load.failures(start)[:5]


def _continue(pid):
    try:
        os.kill(pid, signal.SIGCONT)
    except ProcessLookupError:
        return False
    return True


def test_a_read_after_an_answer_is_never_older_whatever_happens_to_redis(private_system):
    user = private_system.user()
    account = user.accounts[0]["id"]
    total, killed = 0, 0
    for turn in range(300):
        if turn in (60, 180):
            killed = kill_server(private_system, "redis")
        answer = user.post("/api/transactions", user.transaction_body(
            account_id=account, amount={"value": turn + 1, "currency": "BRL"}))
        assert answer.status == 201, answer
        total += turn + 1
        for _ in range(2):  # the first fills the cache, the second may be served from it
            listed = user.get("/api/transactions", {"accounts[]": account, "per_page": 1}).json
            assert listed["data"][0]["account"]["balance"]["value"] == total
            assert listed["meta"]["total"] == turn + 1
    until(lambda: private_system.is_back("redis", killed), 10 * SLACK, "redis is back")
    private_system.assert_balances()


def test_pages_come_from_redis_and_no_older_ones_after_a_write(private_system):
    until(private_system.all_ready, BACK_S, "all are ready")
    until(lambda: private_system.is_settled() and all(
        private_system.metric("valorize_cache_up", name) == 1
        for name in private_system.names("command")), 3.0 + BACK_S, "Redis is used again")
    user = private_system.user()  # one that was made without Redis has no pages for a minute

    def cached():
        answer = user.get("/api/accounts")
        return "database;dur=0.000" in answer.header("Server-Timing")
    until(cached, 5 * SLACK, "a page is served from the cache")
    user.new_transaction(account_id=user.accounts[1]["id"],
                         amount={"value": 4321, "currency": "BRL"})
    listed = {row["id"]: row["balance"]["value"] for row in user.get("/api/accounts").json["data"]}
    assert listed[user.accounts[1]["id"]] == 4321
