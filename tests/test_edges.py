# SPDX-License-Identifier: Apache-2.0
"""Two edges at one address: each has its share, and one can go while the other serves."""
import http.client
import os
import re
import signal
import time

import pytest

from client import Wire
from conftest import lend
from load import Load
from system import SLACK, System, until

EDGES = ["http-1", "http-2"]
BACK_S = 2.0 * SLACK
GONE_S = 1.5  # a silent process is given up
DRAIN_S = 8  # for clients that keep their connections
BROKEN = (ConnectionError, http.client.HTTPException)  # the connection ended under a request


@pytest.fixture(scope="module")
def edges():
    yield from lend(System(VALORIZE_HTTP_COUNT="2"))


@pytest.fixture
def load(edges):
    """Under way on both edges; its account is checked at the end."""
    until(edges.all_ready, BACK_S, "all are ready")
    load = Load(edges)
    for client in load.clients:
        client.close()
    until(lambda: not any(edges.metric("valorize_http_connections", name) for name in EDGES),
          5 * SLACK, "the edges are idle")
    for client in load.clients:
        client.get("/healthz")  # one after another, so that both edges have some
    with load:
        until(lambda: len(load.acknowledged) >= 20, 20 * SLACK, "the load writes")
        yield load
    load.assert_nothing_lost()


@pytest.fixture
def cannot_start(edges):
    """cannot_start(name): its place is taken when it is started again, until the test's end."""
    doors = []

    def take_its_place(name):
        doors.append(edges.data / "run" / f"{name}.sock")
        doors[-1].unlink()
        doors[-1].mkdir()
    yield take_its_place
    for door in doors:
        door.rmdir()
    until(edges.all_ready, 8 * SLACK, "all are ready again")


def get_alive(wire):
    wire.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
    answer = wire.answer()
    assert answer.status == 200, answer
    return answer


def connect(system, count):
    """Connections, each taken before the next is made, and their edges."""
    wires = []
    for _ in range(count):
        wires.append(Wire(*system.address))
        get_alive(wires[-1])
    return wires, system.edges_of([wire.socket for wire in wires])


def close_all(wires):
    for wire in wires:
        wire.__exit__()


def goes_on(load):
    start = time.monotonic()
    until(lambda: sum(event.status in (200, 201) for event in load.events
                      if event.start >= start) >= 50, 10 * SLACK, "requests succeed")


def test_each_edge_has_its_share_of_the_connections(edges):
    until(edges.all_ready, BACK_S, "all are ready")
    wires, owners = connect(edges, 40)
    assert min(owners.count(name) for name in EDGES) >= 10, owners
    assert set(owners) == set(EDGES)
    close_all(wires)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "hanging"])
def test_an_edge_that_dies_breaks_no_connection_of_the_other(edges, load, number):
    owners = edges.edges_of([client.connection.sock for client in load.clients])
    assert set(owners) == set(EDGES)
    start = time.monotonic()
    pid = edges.signal("http-1", number)
    until(lambda: edges.is_back("http-1", pid), GONE_S + BACK_S, "http-1 is back")
    goes_on(load)
    failures = load.failures(start)
    assert all(isinstance(event.trouble, BROKEN) for event in failures), failures[:5]
    assert len(failures) <= owners.count("http-1"), failures


def test_while_an_edge_is_gone_the_other_serves_all(edges, load, cannot_start):
    cannot_start("http-1")
    pid = edges.signal("http-1", signal.SIGKILL)
    until(lambda: not os.path.exists(f"/proc/{pid}"), 5 * SLACK, "http-1 is gone, sockets and all")
    start = time.monotonic()
    for _ in range(100):
        with Wire(*edges.address) as wire:
            get_alive(wire)
    goes_on(load)
    assert edges.processes()["http-1"]["state"] != "ready", "the other had help"
    assert not load.failures(start), load.failures(start)[:5]


def ends_said(edges):
    """What the supervisor said of the ends of http-1."""
    return re.findall(r'"name":\s*"http-1".*"why":\s*"([^"]*)"',
                      (edges.data / "up.out").read_text())


def post_head(user, length):
    return (f"POST /api/categories HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {user.token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n")


def test_an_edge_that_ends_closes_idle_connections_before_it_stops_serving(edges):
    until(edges.all_ready, BACK_S, "all are ready")
    idle, owners = connect(edges, 20)
    pid = edges.signal("http-1", signal.SIGTERM)
    begin = time.monotonic()
    mine = [wire for wire, owner in zip(idle, owners) if owner == "http-1"]
    assert mine and all(wire.ended() for wire in mine)
    assert DRAIN_S - 2 < time.monotonic() - begin < (DRAIN_S - 1.1) * SLACK, "at 6.5 s, not at 7"
    until(lambda: edges.is_back("http-1", pid), BACK_S, "the edge ends as soon as all have left")
    close_all(idle)


def test_an_edge_that_is_asked_to_end_fails_no_request(edges, load):
    said = ends_said(edges)
    wires, owners = connect(edges, 20)
    asking = wires[owners.index("http-1")]
    bodies = [f'{{"name":"Restante {number:02d}","color":"red"}}' for number in range(20)]
    for wire, body in zip(wires, bodies):
        if wire is not asking:
            wire.send(post_head(load.clients[0], len(body)) + body[:-1])
    start = time.monotonic()
    pid = edges.signal("http-1", signal.SIGTERM)
    until(lambda: get_alive(asking).header("Connection") == "close", BACK_S, "http-1 leaves")
    assert asking.ended()

    more, newer_owners = connect(edges, 20)  # while http-1 waits for the rest of its requests
    assert set(newer_owners) == {"http-2"}, newer_owners
    for wire, owner, body in zip(wires, owners, bodies):
        if wire is asking:
            continue
        wire.send(body[-1:])
        answer = wire.answer("POST")
        assert answer.status == 201, answer
        assert answer.header("Connection") == ("close" if owner == "http-1" else None)
    until(lambda: edges.is_back("http-1", pid), DRAIN_S + BACK_S, "http-1 is back")
    goes_on(load)
    close_all(wires + more)
    assert not load.failures(start), load.failures(start)[:5]
    assert ends_said(edges) == [*said, "ended with exit code 0"]
