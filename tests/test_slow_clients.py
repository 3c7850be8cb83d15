# SPDX-License-Identifier: Apache-2.0
"""Clients that are slow, half gone or very many: they cost little, and nobody else notices."""
import resource
import select
import socket
import time

from client import Wire
from system import SLACK, until


def assert_served_quickly(client, seconds=1.0):
    start = time.monotonic()
    for _ in range(20):
        assert client.get("/api/categories").status == 200
    assert time.monotonic() - start < seconds * SLACK


def post_head(user, length):
    return (f"POST /api/categories HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {user.token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n")


def test_slow_headers_and_bodies_have_an_end(system, user):
    """A byte now and then does not keep a connection: 10 s for a header, 30 s for a body."""
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
        answer = wire.answer_or_end("POST")
        assert answer is None or answer.status == 408, answer
    for wire in header_wires + body_wires:
        wire.__exit__()
    assert len(user.get("/api/categories").json) == 10


def test_a_half_closed_connection_still_gets_its_answer(system, user):
    request = (f"GET /api/categories HTTP/1.1\r\nHost: a\r\n"
               f"Authorization: Bearer {user.token}\r\n\r\n")
    for _ in range(20):
        with Wire(*system.address) as wire:
            wire.send(request)
            wire.socket.shutdown(socket.SHUT_WR)
            answer = wire.answer_or_end()
            assert answer is None or answer.status == 200
            assert wire.ended()


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


def test_ten_thousand_idle_connections(system, user):
    """As many as this machine lets one process open, ten thousand at most."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 10000
    if hard == resource.RLIM_INFINITY or hard > soft:
        soft = wanted + 500 if hard == resource.RLIM_INFINITY else min(hard, wanted + 500)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 256), hard))
    count = min(wanted, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 200)
    before = system.descriptors("http-1")
    idle = []
    try:
        for number in range(count):
            connection = socket.create_connection(system.address, timeout=20)
            if number % 2:
                connection.sendall(b"GET /api/banks HTTP/1.1\r\nHost: a")
            idle.append(connection)
            if number % 1000 == 0:
                assert user.get("/api/categories").status == 200
        assert_served_quickly(user, 2.0)
        for connection in idle[::100]:
            tail = f"\r\nAuthorization: Bearer {user.token}\r\n\r\n"
            head = "" if idle.index(connection) % 2 else "GET /api/banks HTTP/1.1\r\nHost: a"
            connection.sendall((head + tail).encode())
            assert connection.recv(12) in (b"HTTP/1.1 200", b""), "an idle one is still served"
    finally:
        for connection in idle:
            connection.close()
    until(lambda: system.descriptors("http-1") <= before + 10, 20 * SLACK, "all are closed again")
    assert_served_quickly(user)
    assert system.processes()["http-1"].get("restarts", 0) == 0
