# SPDX-License-Identifier: Apache-2.0
"""Clients that are slow, half gone or very many: they cost little, and nobody else notices."""
import json
import resource
import select
import socket
import time

from client import Wire
from system import SLACK, until

HEADER_SECONDS, IDLE_SECONDS = 10, 60  # then the connection is closed


def assert_served_quickly(client, seconds=1.0):
    start = time.monotonic()
    for _ in range(20):
        assert client.get("/api/categories").status == 200
    assert time.monotonic() - start < seconds * SLACK


def post_head(user, length):
    return (f"POST /api/categories HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {user.token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n")


def test_slow_headers_and_bodies_have_an_end(system, user):
    """A byte now and then does not keep a connection: 10 s for a header, then it is closed; 30 s
    for a body, then 408."""
    start = time.monotonic()
    header_wires = [Wire(*system.address, timeout=60) for _ in range(50)]
    body_wires = [Wire(*system.address, timeout=60) for _ in range(50)]
    head = post_head(user, 20000)
    drip = "GET /api/banks HTTP/1.1\r\nHost: a\r\nX-Slow: " + "s" * 5000
    for wire in body_wires:
        wire.send(head)
    open_headers, open_bodies = list(header_wires), list(body_wires)
    header_end = body_end = None
    step = 0
    while time.monotonic() - start < 45 * SLACK and (open_headers or open_bodies):
        for wires, data in ((open_headers, drip[step % len(drip)]), (open_bodies, "{")):
            for wire in list(wires):
                readable, _, _ = select.select([wire.socket], [], [], 0)
                try:
                    if readable:
                        wires.remove(wire)
                    else:
                        wire.send(data)
                except OSError:
                    wires.remove(wire)
        step += 1
        if not open_headers and header_end is None:
            header_end = time.monotonic() - start
        if not open_bodies and body_end is None:
            body_end = time.monotonic() - start
        if step % 8 == 0:
            assert_served_quickly(user)
        time.sleep(0.2)
    assert header_end is not None and 5 < header_end < 16 * SLACK, header_end
    assert body_end is not None and 20 < body_end < 40 * SLACK, body_end
    for wire in body_wires:
        answer = wire.answer("POST")
        assert answer.status == 408, answer
        assert answer.json == {"message": "The request took too long to arrive."}
        assert wire.ended()
    for wire in header_wires:
        assert wire.answer_or_end() is None
    for wire in header_wires + body_wires:
        wire.__exit__()
    assert len(user.get("/api/categories").json) == 10


def test_a_half_closed_connection_still_gets_its_answer(system, user):
    get = (f"GET /api/categories HTTP/1.1\r\nHost: a\r\n"
           f"Authorization: Bearer {user.token}\r\n\r\n")
    names = [f"Metade {number:02d}" for number in range(20)]
    for name in names:
        body = json.dumps({"name": name, "color": "red"})
        with Wire(*system.address) as wire:
            wire.send(get)
            wire.socket.shutdown(socket.SHUT_WR)
            answer = wire.answer()
            assert answer.status == 200, answer
            assert wire.ended()
        with Wire(*system.address) as wire:  # two at once, and both are answered
            wire.send(post_head(user, len(body)) + body + get)
            wire.socket.shutdown(socket.SHUT_WR)
            answer = wire.answer("POST")
            assert answer.status == 201 and answer.json["name"] == name, answer
            answer = wire.answer()
            assert answer.status == 200 and name in (row["name"] for row in answer.json), answer
            assert wire.ended()
    kept = [row["name"] for row in user.get("/api/categories").json]
    assert [name for name in kept if name.startswith("Metade")] == names


def test_clients_that_vanish_leave_nothing_behind(system, user):
    body = b'{"name":"some","color":"red"}'
    before = system.descriptors("http-1")
    for number in range(300):
        wire = Wire(*system.address)
        if number % 3 == 0:
            wire.send(post_head(user, len(body))[:80])
        else:
            wire.send(post_head(user, len(body)))
            wire.send(body[:len(body) - number % 2])
        if number % 5 == 0:  # a reset instead of an end
            wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        wire.__exit__()
    until(lambda: system.descriptors("http-1") <= before + 4, 15 * SLACK,
          "the edge has closed what its clients left")
    assert_served_quickly(user)


def test_a_client_that_does_not_read_does_not_stop_the_others(system, user):
    for _ in range(60):
        user.new_transaction(memo="m" * 255)
    request = (f"GET /api/transactions?per_page=100 HTTP/1.1\r\nHost: a\r\n"
               f"Authorization: Bearer {user.token}\r\n\r\n").encode()
    deaf = []
    for _ in range(20):
        stuck = socket.create_connection(system.address)
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        stuck.setblocking(False)
        try:
            for _ in range(200):
                stuck.send(request)
        except BlockingIOError:
            pass
        deaf.append(stuck)
    assert_served_quickly(user)
    before = system.cpu_seconds("http-1")
    start = time.monotonic()
    while time.monotonic() - start < 1:
        select.select([], [], [], 0.1)
    assert system.cpu_seconds("http-1") - before < 0.3 * SLACK, "the edge spins"
    for stuck in deaf:
        stuck.close()
    assert_served_quickly(user)


def status_line(connection, request):
    """The first bytes of the answer, none where the server has closed the connection."""
    try:
        connection.sendall(request.encode())
        return connection.recv(12)
    except (ConnectionError, BrokenPipeError):
        return b""


def test_ten_thousand_idle_connections(system, user):
    """As many as this machine lets one process open, ten thousand at most."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 10000
    if hard == resource.RLIM_INFINITY or hard > soft:
        soft = wanted + 500 if hard == resource.RLIM_INFINITY else min(hard, wanted + 500)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 256), hard))
    count = min(wanted, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 200)
    before = system.descriptors("http-1")
    idle = []  # (connection, what it has still to send, until when it is served)
    tail = f"\r\nAuthorization: Bearer {user.token}\r\n\r\n"
    try:
        for number in range(count):
            began = time.monotonic()
            connection = socket.create_connection(system.address, timeout=20)
            if number % 2:
                connection.sendall(b"GET /api/banks HTTP/1.1\r\nHost: a")
                idle.append((connection, tail, began + HEADER_SECONDS))
            else:
                connection.sendall(b"HEAD /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
                assert connection.recv(4096).startswith(b"HTTP/1.1 200")
                idle.append((connection, "GET /api/banks HTTP/1.1\r\nHost: a" + tail,
                             began + IDLE_SECONDS))
            if number % 1000 == 0:
                assert user.get("/api/categories").status == 200
        assert_served_quickly(user, 2.0)
        served = [0, 0]
        for number in (*range(count - 1, count - 21, -1), *range(0, count - 20, 125)):
            connection, rest, due = idle[number]
            start = status_line(connection, rest)
            if time.monotonic() < due:
                assert start == b"HTTP/1.1 200", (number, start)
                served[number % 2] += 1
            else:
                assert start in (b"HTTP/1.1 200", b""), (number, start)
        assert min(served) >= 10, "some are still within their time"
    finally:
        for connection, _, _ in idle:
            connection.close()
    until(lambda: system.descriptors("http-1") <= before + 10, 20 * SLACK, "all are closed again")
    assert_served_quickly(user)
    assert system.processes()["http-1"].get("restarts", 0) == 0
