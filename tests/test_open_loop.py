# SPDX-License-Identifier: Apache-2.0
"""What experiments/bus/open_loop sends and writes down, to a server that does as it is told."""
import pathlib
import re
import socket
import subprocess
import sys
import threading
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "experiments"))

import generator
from generator import Generator, Stream, text
from system import PRESET, ROOT

ID = "01a20cf7-682a-72e5-a565-0a2590a0c9b0"


def answer(status, body=b"", more=""):
    return (f"HTTP/1.1 {status} X\r\n{more}Content-Length: {len(body)}\r\n\r\n").encode() + body


class Server:
    """answers(number, request): bytes to answer with; None: the connection ends without any."""

    def __init__(self, answers):
        self.answers = answers
        self.requests, self.connections, self.lock = [], 0, threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.address = self.listener.getsockname()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        received = b""
        with connection:
            while True:
                while b"\r\n\r\n" not in received:
                    more = connection.recv(65536)
                    if not more:
                        return
                    received += more
                head, rest = received.split(b"\r\n\r\n", 1)
                length = re.search(rb"Content-Length: (\d+)", head)
                length = int(length[1]) if length else 0
                while len(rest) < length:
                    rest += connection.recv(65536)
                received = rest[length:]
                with self.lock:
                    number = len(self.requests)
                    self.requests.append(head + b"\r\n\r\n" + rest[:length])
                said = self.answers(number, self.requests[number])
                if said is None:
                    return
                connection.sendall(said)
                if b"Connection: close" in said:
                    return


@pytest.fixture(name="served")
def _served(monkeypatch, tmp_path):
    """served(answers, streams): (server, records by their end, what open_loop says at the end)."""
    monkeypatch.setattr(generator, "SCRATCH", tmp_path)
    servers = []

    def served(answers, *streams, strike=None):
        server = Server(answers)
        servers.append(server)
        with Generator(server.address, streams, seed=7, build=ROOT / "build" / PRESET) as load:
            if strike is not None:
                strike(load)
            summary = load.wait()
        return server, list(load.records()), summary

    yield served
    for server in servers:
        server.listener.close()


def posts(**more):
    body = '{"memo":"m {number}","value":-1{number}}'
    return Stream("posts", [text("h", "POST", "/a", "token-a", body, "key {number}")], **more)


def gets(texts, **more):
    return Stream("gets", [text("h", "GET", f"/{number}", "token-b") for number in range(texts)],
                  **more)


def test_every_request_has_its_number_and_its_record(served):
    document = b'{"data":[{"id":"%s"}],"meta":{"total":12,"total":345}}' % ID.encode()
    server, records, summary = served(
        lambda number, request: answer(200, document, "ETag: 1\r\n"),
        posts(rate=200, end=0.5, member="total"))
    assert len(records) == len(server.requests) == 100 == summary["streams"][0]["requests"]
    assert summary["streams"][0]["statuses"] == {"200": 100}
    assert sorted(record.number for record in records) == list(range(100))
    bodies = sorted(request.split(b"\r\n\r\n")[1] for request in server.requests)
    assert bodies[99] == b'{"memo":"m 00000099","value":-100000099}'
    assert sum(b"Idempotency-Key: key 00000042" in each for each in server.requests) == 1
    for record in records:
        assert record.id.hex() == ID.replace("-", "") and record.member == 345
        assert record.status == 200 and record.sendings == 1 and not record.retry_after
        assert record.due <= record.sent <= record.ended
    dues = sorted(record.due for record in records)
    assert dues[-1] - dues[0] == 495000  # on the grid, one in 5 ms


@pytest.mark.parametrize("document,member", [(b'{"value":-1}', -1), (b'{"value":"x"}', -2**63),
                                             (b'{"total":3}', -2**63)])
def test_a_member_may_be_negative_or_missing(served, document, member):
    _, [record], _ = served(lambda number, request: answer(200, document),
                            posts(rate=100, end=1, count=1, member="value"))
    assert record.member == member


def test_a_pause_is_seen_by_every_request_that_falls_into_it(served):
    begun = []

    def answers(number, request):
        begun.append(time.monotonic())
        time.sleep(max(0, begun[0] + 0.6 - time.monotonic()))  # the server stands still
        return answer(200)

    _, records, summary = served(answers, gets(3, rate=100, end=1, connections=5))
    assert len(records) == 100
    first = min(record.due for record in records)
    for record in records:
        if record.due < first + 500000:
            assert record.ms > 90
    assert max(record.ms for record in records) > 590
    assert {record.text for record in records} == {0, 1, 2}
    assert summary["behind_ms_max"] < 590


def test_a_connection_that_ends_is_opened_again(served):
    def answers(number, request):
        if number % 10 == 3:
            return None
        return answer(200, b"", "Connection: close\r\n" if number % 10 == 6 else "")

    server, records, summary = served(answers, gets(1, rate=100, end=0.5, connections=1))
    assert len(records) == 50
    assert summary["streams"][0]["statuses"] == {"200": 45}
    assert summary["streams"][0]["troubles"] == {"connection ended": 5}
    assert {record.answer for record in records if not record.ok} == {"connection ended"}
    assert server.connections == 11


def test_an_open_connection_is_taken_before_a_closed_one(served):
    """Or a server that drains would seem to hang: it answers on those it has and takes no more."""
    started = threading.Barrier(4)

    def answers(number, request):
        if number < 4:
            started.wait(10)  # four connections are open
        return answer(200, b"", "Connection: close\r\n" if number == 4 else "")

    server, records, _ = served(answers, gets(1, rate=20, end=1, connections=8))
    assert len(records) == 20 and server.connections == 4


def test_a_refusal_is_repeated_with_its_key_until_it_is_answered(served):
    seen = {}

    def answers(number, request):
        key = re.search(rb"key (\d+)", request)[1]
        seen[key] = seen.get(key, 0) + 1
        if seen[key] == 1:
            return answer(503, b"", "Retry-After: 1\r\n")
        return None if seen[key] == 2 else answer(201)

    _, records, summary = served(answers, posts(rate=50, end=0.1, repeat=5, connections=4))
    assert len(records) == 5
    assert summary["streams"][0]["statuses"] == {"201": 5, "503": 5}
    assert {(record.status, record.sendings) for record in records} == {(201, 3)}
    assert all(record.ms > 1000 and record.sent < record.due + 500000 for record in records)


def test_without_repeats_a_refusal_says_whether_to_come_again(served):
    _, records, _ = served(
        lambda number, request: answer(429, b"{}", "Retry-After: 1\r\n" if number % 2 else ""),
        posts(rate=100, end=0.1))
    assert sorted((record.status, record.retry_after) for record in records) == [
        (429, 0)] * 5 + [(429, 1)] * 5


def test_silence_and_what_could_not_be_sent_are_troubles(served):
    held = threading.Event()
    _, records, summary = served(lambda number, request: held.wait(5) and None,
                                 gets(1, rate=100, end=0.1, connections=2, timeout_ms=300))
    held.set()
    assert len(records) == 10
    assert summary["streams"][0]["troubles"] == {"no answer in time": 4, "never sent": 6}
    assert sum(record.sent == 0 for record in records) == 6


def test_a_closed_loop_has_one_under_way_on_each_connection(served):
    under_way, most, lock = [0], [0], threading.Lock()

    def answers(number, request):
        with lock:
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
        time.sleep(0.005)
        with lock:
            under_way[0] -= 1
        return answer(200)

    server, records, _ = served(answers, gets(7, count=40, end=10, connections=3, order="chance"))
    assert len(records) == 40 and server.connections == 3 and most[0] == 3
    assert len({record.text for record in records}) > 3


def test_it_ends_what_is_under_way_when_it_is_told_to(served):
    server, records, _ = served(lambda number, request: answer(200),
                                gets(1, rate=100, end=60),
                                strike=lambda load: (wait_for(load.path), load.stop()))
    assert 0 < len(records) == len(server.requests) < 6000


def wait_for(path):
    until = time.monotonic() + 10
    while path.stat().st_size == 0 and time.monotonic() < until:
        time.sleep(0.01)


def test_a_stream_that_makes_no_sense_is_refused(tmp_path):
    program = ROOT / "build" / PRESET / "experiments" / "open_loop"
    (tmp_path / "good").write_bytes(b"3\nGET")
    (tmp_path / "short").write_bytes(b"4\nGET")
    for stream in ("requests=good", "requests=good,to=1,rate=x", "requests=good,to=1,what=1",
                   "requests=short,to=1", "requests=none,to=1"):
        ended = subprocess.run([program, "127.0.0.1:9", "records", "1", stream], cwd=tmp_path,
                               text=True, capture_output=True)
        assert ended.returncode == 2 and ended.stderr.startswith("open_loop: "), stream
