# SPDX-License-Identifier: Apache-2.0
"""Garbage, truncated frames, lies and msgpack bombs on every socket of the run folder."""
import random
import socket
import struct
import tomllib
import uuid

import pytest

import bus
from bus import Peer, envelope
from system import ROOT, SLACK, until

OPERATIONS = {name: table["number"]
              for file in sorted((ROOT / "schemas").glob("*.toml"))
              for name, table in tomllib.loads(file.read_text()).items()
              if isinstance(table, dict) and table.get("kind") in ("query", "command")}
LISTS = ["list_accounts", "list_categories", "list_transactions"]
STATUSES = {name: table["number"] for name, table in
            tomllib.loads((ROOT / "schemas" / "failures.toml").read_text()).items()}


@pytest.fixture(scope="module")
def doors(system):
    on_bus, other = bus.sockets(system.data / "run")
    assert len(on_bus) == 2, "two brokers have a socket each"
    assert len(other) >= 4, "every process has its admin socket"
    return on_bus, other


@pytest.fixture(autouse=True)
def nobody_dies(system, user):
    """Around every test here: the same processes, and they serve."""
    before = {name: process["pid"] for name, process in system.processes().items()}
    yield
    until(lambda: user.get("/api/banks").status == 200, 5 * SLACK, "reads work")
    for _ in range(10):
        user.new_transaction()
        assert user.get("/api/transactions").status == 200
    until(system.all_ready, 5 * SLACK, "all are ready")
    assert {name: process["pid"] for name, process in system.processes().items()} == before
    assert not system.bugs()


def garbage(chance):
    yield from (b"", b"\x00", b"\xff" * 10, b"\xff" * 70000, bytes(70000), b"status", b"\n",
                b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"status\nstatus\nmetrics\n" * 100,
                bus.SIGNATURE, bus.SIGNATURE + b"\x03",
                bus.SIGNATURE + b"\x03\x00PLAIN" + bytes(47),
                bus.SIGNATURE + b"\x03\x00CURVE" + bytes(47), b"\xff" + b"\xff" * 8 + b"\x7f",
                bus.SIGNATURE + b"\x03\x00NULL" + bytes(48) + b"\x04\xff" + bytes(300),
                bus.SIGNATURE + b"\x03\x00NULL" + bytes(48) + b"\x06" + b"\xff" * 8,
                bus.SIGNATURE + b"\x03\x00NULL" + bytes(48) + b"\x02" + b"\x7f" + b"\xff" * 7)
    for _ in range(60):
        yield chance.randbytes(chance.randint(1, 3000))


def test_garbage_on_every_socket(doors):
    chance = random.Random(8)
    for path in doors[0] + doors[1]:
        for data in garbage(chance):
            with socket.socket(socket.AF_UNIX) as door:
                door.settimeout(5)
                door.connect(path)
                try:
                    door.sendall(data)
                    door.shutdown(socket.SHUT_WR)
                    while door.recv(65536):
                        pass
                except (ConnectionError, socket.timeout, BrokenPipeError):
                    pass


def test_connections_that_say_nothing_do_not_block_a_door(system, doors):
    silent = []
    for path in doors[0] + doors[1]:
        for _ in range(40):
            door = socket.socket(socket.AF_UNIX)
            door.settimeout(5)
            door.connect(path)
            silent.append(door)
    until(system.all_ready, 5 * SLACK, "heartbeats go on")
    for door in silent:
        door.close()


def damaged_frames(chance):
    whole = envelope(bus.HELLO, body=bus.hello_body(bus.ROLE_EDGE, b"http-9"))
    for length in range(len(whole)):
        yield whole[:length]
    for kind in range(0, 256, 5):
        yield envelope(kind)
        yield envelope(kind, body=b"\xc1" * 50, lane=kind, attempt=255, budget=2 ** 32 - 1)
    yield envelope(bus.HELLO, version=0)
    yield envelope(bus.HELLO, version=255, body=bus.hello_body(bus.ROLE_EDGE, b"http-9"))
    for role in (0, 6, 255, 2 ** 63):
        yield envelope(bus.HELLO, body=bus.hello_body(role, b"who"))
    yield envelope(bus.HELLO, body=bus.hello_body(bus.ROLE_QUERY, b"x" * 32, window=2 ** 40))
    yield envelope(bus.HELLO, body=bus.hello_body(bus.ROLE_EDGE, b"\xff\x00\"\n{}"))
    for body in (b"\xdd\xff\xff\xff\xff", b"\xdc\xff\xff", b"\xdf\xff\xff\xff\xff",
                 b"\xc6\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff", b"\xdc\x00\x05" + b"\xcf" * 4,
                 b"\x91" * 60000, b"\x81\x01" * 30000):
        for kind in (bus.HELLO, bus.HEARTBEAT, bus.CREDIT, bus.REQUEST, bus.REPLY, bus.SUBSCRIBE,
                     bus.EVENT, bus.WELCOME, bus.GAP):
            yield envelope(kind, body=body)
    for _ in range(1500):
        frame = bytearray(chance.choice([
            whole, envelope(bus.HEARTBEAT, body=bus.beat_body()),
            envelope(bus.REQUEST, operation=chance.randrange(80), body=b"\x81\x01\xc0"),
            envelope(bus.REPLY, body=b"\xc4\x20" + bytes(32) + b"\xc6\0\0\0\x02{}"),
            envelope(bus.EVENT, operation=chance.randrange(6), body=b"\x93\x01\x02\x03")]))
        for _ in range(chance.randint(1, 6)):
            frame[chance.randrange(len(frame))] = chance.randrange(256)
        yield bytes(frame[:chance.randint(1, len(frame))] if chance.random() < .3 else frame)


def test_damaged_frames_from_strangers(doors):
    """Before any hello: one connection for many frames, a new one whenever the bus has enough."""
    chance = random.Random(88)
    for path in doors[0]:
        peer = Peer(path)
        for frame in damaged_frames(chance):
            try:
                peer.send(frame)
            except OSError:
                peer = Peer(path)
        peer.socket.close()


def test_damaged_frames_from_welcomed_peers(doors):
    chance = random.Random(888)
    for path in doors[0]:
        for role, name in ((bus.ROLE_EDGE, b"http-77"), (bus.ROLE_BRIDGE, b"bridge-77")):
            peer = Peer(path)
            peer.hello(role, name)
            for frame in damaged_frames(chance):
                if len(frame) > 4 and frame[4] == bus.EVENT:
                    continue  # a peer that may publish may tell every edge to forget its tokens
                try:
                    peer.send(frame)
                except OSError:
                    peer = Peer(path)
                    peer.hello(role, name)
            peer.socket.close()


def test_frames_in_several_parts_and_of_other_socket_types(doors):
    whole = envelope(bus.HELLO, body=bus.hello_body(bus.ROLE_EDGE, b"http-78"))
    for path in doors[0]:
        with Peer(path) as peer:
            peer.send(b"", whole)
            peer.send(whole, whole, b"")
            peer.send(*[whole[start:start + 8] for start in range(0, len(whole), 8)])
            peer.send(*[b""] * 500)
        for kind in (b"REQ", b"ROUTER", b"PUB", b"NONSENSE"):
            try:
                with Peer(path, kind=kind, timeout=0.5) as peer:
                    peer.send(b"", whole)
            except (OSError, ConnectionError):
                pass  # libzmq refuses pairs that do not fit


def test_a_frame_above_the_limit_ends_its_connection(doors):
    for path in doors[0]:
        with Peer(path) as peer:
            peer.hello(bus.ROLE_EDGE, b"http-79")
            with pytest.raises(OSError):
                peer.send(envelope(bus.REQUEST, body=bytes((1 << 20) + 1)))
                while True:
                    peer.receive(bus.WELCOME)
        with Peer(path) as peer:  # eight exabytes announced
            peer.raw(b"\x02" + struct.pack(">Q", 2 ** 63) + bytes(1000))
            with pytest.raises(OSError):
                while True:
                    peer.receive(bus.WELCOME)


BOMBS = [
    b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff",
    b"\xdb\xff\xff\xff\xff", b"\xc9\xff\xff\xff\xff\x01", b"\xde\xff\xff", b"\xdc\xff\xff",
    b"\x91" * 50000, b"\x81\x01" * 25000, b"\x81\x01\xdd\xff\xff\xff\xff",
    b"\x81\x02\xc6\x7f\xff\xff\xff", b"\x81\xdb\xff\xff\xff\xff", b"", b"\xc1", b"\x81",
    b"\x81\x01",
    b"\x8f" + b"\x01\xc0" * 15, b"\x81\x01" + b"\xcf" + b"\xff" * 8, b"\x82\x01\xa1a\x01\xa1b",
    b"\xde\xff\xff" + b"\x01\xc0" * 20000, b"\x81\x01\xa5a\x00b\xff\xfe",
    b"\x81\xd3\x80\x00\x00\x00\x00\x00\x00\x00\xc0",
    b"\x81\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00\x01"]


def test_msgpack_bombs_in_requests_are_answered_as_failures(system, user, doors):
    """A peer that passes for an edge: the actors read what it sends, and say no to all of it."""
    tenant = uuid.UUID(user.user_id).bytes
    accounts = len(user.accounts)
    refusals = {STATUSES["malformed"], STATUSES["too_large"]}
    for path in doors[0]:
        with Peer(path, timeout=10 * SLACK) as peer:
            peer.hello(bus.ROLE_EDGE, b"http-80", instance=4711)
            correlation = 0

            def answered(name, body):
                nonlocal correlation
                correlation += 1
                command = name.split("_")[0] in ("create", "update")
                peer.send(envelope(
                    bus.REQUEST, OPERATIONS[name], body, lane=1 if command else 0,
                    tenant=tenant, session=4711, correlation=correlation, key=uuid.uuid4().bytes))
                reply = peer.receive(bus.REPLY)
                return struct.unpack(">H", reply[9:11])[0]

            for name in ["create_transaction", "create_account", "update_category",
                         "authenticate", *LISTS]:
                for bomb in BOMBS:
                    status = answered(name, bomb)
                    assert status in refusals, (name, bomb[:20], status)
            for name in LISTS:  # it is the bombs that are refused, not the peer
                assert answered(name, b"\x80") == STATUSES["ok"], name
    assert user.get("/api/accounts").json["meta"]["total"] == accounts
    assert user.get("/api/transactions").json["meta"]["total"] == 0


def test_an_actor_that_lies_hurts_only_the_answers_it_gives(system, doors):
    """It serves all reads and answers each with damage; the edge still speaks HTTP."""
    client = system.user()
    chance = random.Random(5)
    lies = [b"", b"\xc4", b"\xc4\x20" + bytes(32),
            b"\xc4\x20" + bytes(32) + b"\xc6\xff\xff\xff\xff",
            b"\xc4\x20" + b"\xff" * 32 + b"\xc6\x00\x00\x00\x02{}", b"\xff" * 200,
            b"\xc4\x20" + bytes(32) + b"\xc6\x00\x00\x00\x05\xdd\xff\xff\xff\xff"]
    peers = [Peer(path, timeout=0.2) for path in doors[0]]
    for peer in peers:
        peer.hello(bus.ROLE_QUERY, b"query-99", sorted(OPERATIONS.values()), window=32)
        peer.send(envelope(bus.HEARTBEAT, body=bus.beat_body()))
    seen = 0
    for number in range(40):
        twin = client.twin(timeout=20)
        import threading
        answers = []
        asker = threading.Thread(target=lambda: answers.append(
            twin.get("/api/transactions", {"search": f"mentira {number}"})))
        asker.start()
        while asker.is_alive():
            for peer in peers:
                try:
                    request = peer.receive(bus.REQUEST)
                except (OSError, ConnectionError):
                    continue
                seen += 1
                reply = bytearray(envelope(bus.REPLY, chance.choice([0, 1, 21, 30, 999, 65535]),
                                           chance.choice(lies)))
                reply[23:59] = request[23:59]  # tenant, session, correlation as asked
                try:
                    peer.send(bytes(reply))
                except OSError:
                    pass
            asker.join(0.01)
        assert answers and 200 <= answers[0].status < 600 and answers[0].status != 404, answers
        twin.close()
    for peer in peers:
        peer.send(envelope(bus.GOODBYE))
        peer.socket.close()
    until(lambda: all(client.get("/api/transactions", {"search": f"depois {n}"}).status == 200
                      for n in range(20)), 10 * SLACK, "the liar is forgotten")
