# SPDX-License-Identifier: Apache-2.0
"""Redis hangs while people write: no page from before an acknowledged write is served, not even by
processes that were not there to hear that it is old."""
import os
import signal
import threading

from system import SLACK, until

BACK_S = 2.0 * SLACK


def is_cached(answer):
    return "database;dur=0.000" in answer.header("Server-Timing")


def balance(answer, account):
    return {row["id"]: row["balance"]["value"] for row in answer.json["data"]}[account]


def write_until(system, clients, condition, seconds, what):
    """Tenants write, all at once, until the condition is true."""
    over = threading.Event()

    def run(client):
        while not over.is_set():
            client.new_transaction(account_id=client.accounts[0]["id"])

    threads = [threading.Thread(target=run, args=(client,), daemon=True) for client in clients]
    for thread in threads:
        thread.start()
    try:
        until(condition, seconds, what)
    finally:
        over.set()
        for thread in threads:
            thread.join(30)


def test_new_readers_do_not_believe_pages_whose_end_redis_did_not_hear(private_system):
    victim, others = private_system.user(), [private_system.user() for _ in range(6)]
    account = victim.accounts[0]["id"]
    commands, queries = private_system.names("command"), private_system.names("query")
    until(private_system.all_ready, BACK_S, "all are ready")
    for page in ("/api/accounts", "/api/transactions"):
        until(lambda: is_cached(victim.get(page)), 10 * SLACK, "the page is cached")

    redis = private_system.signal("redis", signal.SIGSTOP)
    try:
        write_until(private_system, others, lambda: all(
            private_system.metric("valorize_cache_up", name) == 0 for name in commands),
            10 * SLACK, "the command actors have given Redis up")
        victim.new_transaction(account_id=account, amount={"value": 765, "currency": "BRL"})
        killed = {name: private_system.signal(name, signal.SIGKILL) for name in queries}
    finally:
        os.kill(redis, signal.SIGCONT)

    until(lambda: all(private_system.is_back(name, pid) for name, pid in killed.items()), BACK_S,
          "the query actors are back")

    def cached_again():  # Redis is used again, and on the way there every page was right
        answer = victim.get("/api/accounts")
        assert balance(answer, account) == 765
        return is_cached(answer)
    until(cached_again, 10 * SLACK, "the page is cached again")
    # Nobody has asked for this one meanwhile, so no fill has replaced the old one.
    assert victim.get("/api/transactions").json["meta"]["total"] == 1
    for name in commands:
        until(lambda: private_system.metric("valorize_cache_owed", name) == 0, BACK_S,
              "Redis has heard of all that it missed")


def kill(system, names):
    killed = {name: system.signal(name, signal.SIGKILL) for name in names}
    until(lambda: all(system.is_back(name, pid) for name, pid in killed.items()), BACK_S,
          "the brokers are back")
    until(lambda: all(system.metric("valorize_bus_links", name) == 2
                      for name in system.names("query")), BACK_S, "they are found again")


def test_pages_are_believed_while_one_broker_tells_what_is_old(private_system):
    client = private_system.user()
    until(private_system.is_settled, 10 * SLACK, "pages count")
    until(lambda: is_cached(client.get("/api/accounts")), 10 * SLACK, "the page is cached")
    first, second = private_system.names("broker")
    kill(private_system, [first])
    assert is_cached(client.get("/api/accounts"))
    kill(private_system, [first, second])  # now nobody could have told
    assert not is_cached(client.get("/api/accounts"))
