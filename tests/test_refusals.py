# SPDX-License-Identifier: Apache-2.0
"""Peers that speak another version of the bus, or have a role of a later release: both ends say so,
once, and neither hammers."""
import json
import os
import struct
import subprocess
import time
import tomllib
import urllib.request

import pytest

import bus
from bus import Door, Peer, envelope
from system import PROGRAM, ROOT, SLACK, until

REFUSED = "A process is refused"


def operate(system, *arguments):
    return subprocess.run([PROGRAM, *arguments], env=system.environment, text=True, timeout=60,
                          capture_output=True, check=True).stdout


def timed(user, path, status):
    begun = time.monotonic()
    assert user.get(path).status == status
    return time.monotonic() - begun


def refusals(system, broker, name):
    """Lines of the broker's log about that process."""
    lines = (system.data / "log" / f"{broker}.log").read_text().splitlines()
    return [line for line in map(json.loads, lines)
            if REFUSED in line["message"] and line["name"] == name]


def refusal_numbers(frame):
    return struct.unpack(">xxxxQxQxQ", frame[104:104 + 30])


@pytest.fixture
def peer(private_system):
    path = private_system.data / "run" / "broker-1.bus"
    with Peer(str(path), timeout=5 * SLACK) as peer:
        yield peer


@pytest.mark.newer("a broker that refuses")
@pytest.mark.parametrize("name, frame, reason, speaks", [
    ("query-71", envelope(bus.HELLO, body=bus.hello_body(
        bus.ROLE_QUERY, b"query-71", [1], speaks=(7, 9))), 1, "7 to 9"),
    ("watch-72", envelope(bus.HELLO, body=bus.hello_body(17, b"watch-72")), 2, "1 to 1"),
    ("unknown", b"\x9f\xcc\x04\xcc\x01" + bytes(200), 1, "4 to 4"),
], ids=["version", "role", "header"])
def test_an_incompatible_hello_is_refused(private_system, peer, name, frame, reason, speaks):
    def told_of():
        for _ in range(20):  # as one that hammers
            peer.send(frame)
            assert refusal_numbers(peer.receive(bus.REFUSAL)) == (1, 1, reason)
        return refusals(private_system, "broker-1", name)
    until(told_of, 5 * SLACK, "the broker logs it")
    told = told_of()
    assert len(told) == 1, told
    assert told[0]["severity"] == "ERROR"
    assert (told[0]["it_speaks"], told[0]["this_speaks"]) == (speaks, "1 to 1")
    assert "release" in told[0]["message"], "what to do"
    rows = [row for row in json.loads(operate(private_system, "peers", "--json"))["peers"]
            if row["state"] == "refused"]
    assert (name if name != "unknown" else "", "broker-1") in [
        (row["name"], row["broker"]) for row in rows]
    peer.hello(bus.ROLE_EDGE, b"http-73")  # on the very same connection
    assert private_system.client().get("/healthz").status == 200


@pytest.mark.newer("a broker that counts what it skips")
def test_unknown_kinds_are_counted_and_the_session_lives(private_system, peer):
    peer.hello(bus.ROLE_EDGE, b"http-74")
    line = 'valorize_broker_drops_total{process="broker-1",cause="unknown"} 30'
    for kind in range(100, 130):
        peer.send(envelope(kind, body=b"\xc1" * (kind - 100), flags=0xffff, lane=9))

    def counted():
        with urllib.request.urlopen(private_system.state()["metrics"], timeout=20) as page:
            return line in page.read().decode()
    until(counted, 10 * SLACK, "the broker counts them")
    peer.send(envelope(bus.HEARTBEAT, body=bus.beat_body()))
    peer.receive(bus.HEARTBEAT)


@pytest.mark.newer("an edge that takes no for an answer")
def test_a_refused_process_says_so_once_and_asks_seldom(tmp_path):
    """An edge alone, and a broker of ours that refuses it and is replaced by one that does not."""
    folder = tmp_path / "data"
    folder.mkdir()
    door = Door(str(tmp_path / "b"))
    environment = {"PATH": os.environ["PATH"], "VALORIZE_NAME": "http-1",
                   "VALORIZE_DATA": str(folder), "VALORIZE_HTTP_PORT": "0",
                   "VALORIZE_BROKERS": f"ipc://{tmp_path}/b"}
    with open(tmp_path / "log", "wb") as log:
        edge = subprocess.Popen([PROGRAM.parent / "valorize-http"], env=environment, cwd=ROOT,
                                stdout=log, stderr=log)
    try:
        peer = door.accept()
        peer.receive(bus.HELLO)
        refusal = envelope(bus.REFUSAL, body=bus.array([bus.number(n) for n in (3, 4, 1)]))
        peer.send(refusal)
        assert peer.hears(bus.HELLO, 3) == 0, "it waits 5 s before it asks again"
        peer.socket.settimeout(5 * SLACK)
        hello = peer.receive(bus.HELLO)
        peer.send(refusal)

        def told():
            lines = map(json.loads, (tmp_path / "log").read_text().splitlines())
            return [line for line in lines if "refuses this process" in line["message"]]
        until(told, 5 * SLACK, "it says so")
        assert len(told()) == 1 and told()[0]["severity"] == "ERROR", told()
        assert (told()[0]["it_speaks"], told()[0]["this_speaks"]) == ("3 to 4", "1 to 1")
        assert "/b" in told()[0]["broker"] and "release" in told()[0]["message"]

        peer.socket.close()  # the broker restarts, as this build
        peer = door.accept()
        hello = peer.receive(bus.HELLO)
        numbers = struct.unpack(">xQxQxQ", hello[107:107 + 27])
        beat = [1, 1, numbers[2], 0, 0] + [8] * bus.LANES + [0] * bus.LANES
        peer.send(envelope(bus.WELCOME, body=bus.array([bus.number(n) for n in beat])))
        assert peer.hears(bus.HEARTBEAT, 1) >= 1
        assert len(told()) == 1, told()
    finally:
        edge.terminate()
        edge.wait(20 * SLACK)


@pytest.mark.newer("an edge that is ready without every operation, and a broker that does not wait")
def test_an_operation_that_only_the_next_release_serves_is_refused_at_once(private_system):
    """The actors of the release before it: here, a query actor that does not serve the banks."""
    system = private_system
    until(system.all_ready, 5 * SLACK, "all are ready")
    user = system.user()
    served = ",".join(name for table in (ROOT / "schemas").glob("*.toml")
                      for name, row in tomllib.loads(table.read_text()).items()
                      if isinstance(row, dict) and row.get("kind") == "query"
                      and name != "list_banks")
    environment = {**system.environment, "VALORIZE_NAME": "query-9", "VALORIZE_OPERATIONS": served,
                   "DATABASE_URL": system.state()["database_url"],
                   "REDIS_URL": system.state()["redis_url"]}
    for name in list(environment):
        if name.endswith("_PORT") or name == "VALORIZE_TESTING":
            del environment[name]
    with open(system.data / "log" / "query-9.log", "wb") as log:
        older = subprocess.Popen([PROGRAM.parent / "valorize-query"], env=environment, cwd=ROOT,
                                 stdout=log, stderr=log)
    try:
        def has_sessions():
            rows = json.loads(operate(system, "peers", "--json"))["peers"]
            return sum(row["name"] == "query-9" for row in rows) == 2
        until(has_sessions, 10 * SLACK, "query-9 works")
        for name in system.names("query"):
            operate(system, "drain", "--stay", name)
        until(lambda: timed(user, "/api/banks", 503) < 0.2 * SLACK, 10 * SLACK, "it is refused")
        for _ in range(10):
            assert timed(user, "/api/banks", 503) < 0.5 * SLACK, "and stays so"
        assert user.get("/api/accounts").status == 200
        assert user.get("/readyz").status == 200, "the edge is of use"
    finally:
        for name in system.names("query"):
            operate(system, "start", name)
        older.terminate()
        older.wait(20 * SLACK)
    until(system.all_ready, 5 * SLACK, "all are ready")
    assert user.get("/api/banks").status == 200
