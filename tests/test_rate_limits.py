# SPDX-License-Identifier: Apache-2.0
"""A token may make so many requests a minute, whichever edge it asks; without Redis, at each."""
import json
import pathlib
import re
import signal
import time

import pytest

from conftest import lend
from system import SLACK, System, until

LIMIT = 600
FADE = LIMIT // 60  # requests of the last minute that stop to count in a second
EDGES = ["http-1", "http-2"]


@pytest.fixture(scope="module")
def limited():
    yield from lend(System(VALORIZE_HTTP_COUNT="2", VALORIZE_RATE_LIMIT=str(LIMIT)))


def state(answer):
    """(requests left, seconds) as the answer tells."""
    assert answer.header("RateLimit-Policy") == f'"token";q={LIMIT};w=60'
    found = re.fullmatch(r'"token";r=(\d+);t=(\d+)', answer.header("RateLimit"))
    return int(found[1]), int(found[2])


def ask(client):
    return client.get("/api/accounts")


def spend(client, most=2 * LIMIT):
    """Asks until it is refused: (how many passed, the refusal)."""
    for passed in range(most + 1):
        answer = ask(client)
        if answer.status != 200:
            return passed, answer
    pytest.fail(f"{most} requests passed")


def one_client_an_edge(limited, user):
    """Connections of one user to http-1 and http-2."""
    clients = {}

    def found():
        twin = user.twin()
        twin.get("/healthz")
        [owner] = limited.edges_of([twin.connection.sock])
        clients.setdefault(owner, twin)
        return set(clients) == set(EDGES)
    until(found, 20 * SLACK, "each edge has a connection")
    return [clients[name] for name in EDGES]


def is_shared(limited):
    return all(limited.metric("valorize_rate_shared", name) == 1 for name in EDGES)


def troubles(limited, name):
    """What an edge has logged about Redis."""
    lines = (limited.data / "log" / f"{name}.log").read_text().splitlines()
    messages = [json.loads(line)["message"] for line in lines]
    return [message for message in messages if message.startswith("Redis ")]


def test_answers_tell_what_is_left(limited):
    user = limited.user()
    first, seconds = state(ask(user))
    assert LIMIT - 3 <= first < LIMIT and 1 <= seconds <= 60
    start = time.monotonic()
    for _ in range(49):
        assert ask(user).status == 200
    last, _ = state(ask(user))
    assert first - 50 <= last <= first - 50 + FADE * (time.monotonic() - start) + 1


def test_beyond_the_limit_a_token_is_refused_and_told_when_to_come_back(limited):
    user, other = limited.user(), limited.user()
    start = time.monotonic()
    passed, refusal = spend(user)
    assert LIMIT - 20 <= passed <= LIMIT + FADE * (time.monotonic() - start + 1)
    assert refusal.status == 429, refusal
    seconds = int(refusal.header("Retry-After"))
    assert 1 <= seconds <= 120
    assert state(refusal) == (0, seconds)
    assert refusal.json == {"message": f"A token may make {LIMIT} requests a minute. Try again in "
                                       f"{seconds} second{'' if seconds == 1 else 's'}."}
    assert ask(other).status == 200


def test_who_has_no_token_is_neither_counted_nor_told(limited):
    user = limited.user()
    left, _ = state(ask(user))
    for _ in range(10):
        stranger = user.twin(token=user.token[:-1] + ("x" if user.token[-1] != "x" else "y"))
        refusal = ask(stranger)
        assert refusal.status == 401 and refusal.header("RateLimit") is None
        stranger.close()
    assert state(ask(user))[0] >= left - 1


def test_edges_share_a_limit(limited):
    until(lambda: is_shared(limited), 10 * SLACK, "both have Redis")
    one, two = one_client_an_edge(limited, limited.user())
    spent = 5 * LIMIT // 6
    start = time.monotonic()
    for _ in range(spent):
        assert ask(one).status == 200
    until(lambda: state(ask(two))[0] <= LIMIT - spent + FADE, 10 * SLACK, "http-2 has heard of it")
    spend(two)
    until(lambda: ask(one).status == 429, 10 * SLACK, "http-1 has, too")
    # Had each edge its own limit, as many as one had left would still pass.
    faded = FADE * (time.monotonic() - start + 1)
    assert state(ask(two))[0] <= faded


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "hanging"])
def test_without_redis_edges_go_on_by_their_own_counts(limited, number):
    until(lambda: limited.all_ready() and is_shared(limited), 20 * SLACK, "both have Redis")
    before = {name: len(troubles(limited, name)) for name in EDGES}
    clients = one_client_an_edge(limited, limited.user())
    pid = limited.signal("redis", number)
    slowest, asked = 0.0, 0
    while not limited.is_back("redis", pid):
        for client in clients:
            start = time.monotonic()
            assert ask(client).status in (200, 429)
            slowest = max(slowest, time.monotonic() - start)
            asked += 1
    assert asked > 2
    assert slowest < 1.0 * SLACK
    until(lambda: is_shared(limited), 20 * SLACK, "both have Redis again")
    for name in EDGES:
        until(lambda name=name: troubles(limited, name)[-1] == "Redis is back.", 5 * SLACK,
              f"{name} says so")
    for name in EDGES:
        said = troubles(limited, name)[before[name]:]
        assert sum(line.startswith("Redis cannot be used") for line in said) == 1, said


def test_the_limit_is_off_where_anybody_may_make_tokens(user):
    assert user.get("/api/accounts").header("RateLimit") is None


def test_otherwise_it_is_a_hundred_a_second():
    system = System(VALORIZE_TESTING="0", VALORIZE_RATE_LIMIT="-1")
    for running in lend(system):
        token = (running.data / "demo-token").read_text().strip()
        answer = running.client(token).get("/api/accounts")
        assert answer.header("RateLimit-Policy") == '"token";q=6000;w=60'


def test_an_edge_is_given_no_way_to_the_database(limited):
    variables = pathlib.Path(f"/proc/{limited.pid('http-1')}/environ").read_text()
    assert "REDIS_URL=" in variables and "DATABASE_URL=" not in variables
