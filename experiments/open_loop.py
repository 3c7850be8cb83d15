# SPDX-License-Identifier: Apache-2.0
"""An HTTP client that sends when the clock says so, whether earlier requests are answered or not.

A request's time runs from the moment it was due, so a server that stands still is seen by every
request that falls into the pause. Due times lie on a grid of a millisecond, which is also how exact
they are kept. Nothing is ever sent a second time: whatever is not answered with 200 or 201 is a
failure. With rate None it is a closed loop: each connection sends as soon as it is free.
"""
import bisect
import collections
import dataclasses
import random
import select
import socket
import time
import uuid

TIMEOUT_S = 10
GRID_S = 0.001


@dataclasses.dataclass(slots=True)
class Call:
    kind: str
    data: bytes
    due: float
    about: object = None  # what the stream wants to know again when it is answered
    sent: float = 0.0
    ended: float = 0.0
    status: int = 0  # 0: no answer
    trouble: str = ""

    @property
    def failed(self):
        return self.status not in (200, 201)


class Mixed:
    """The study's mixture over seeded tenants: 65 % lists, 15 % accounts, 20 % writes."""

    def __init__(self, seeded, host, seed):
        self.random = random.Random(seed)
        self.tenants = seeded.tenants()
        self.days = [seeded.day(number) for number in range(seeded.days)]
        self.host = host
        self.prefix = f"falha {seed} {uuid.uuid4().hex[:8]} "
        self.count = 0

    def __call__(self, due):
        chance = self.random.random()
        tenant = self.random.choice(self.tenants)
        if chance < 0.65:
            first = self.random.randrange(len(self.days) - 90)
            path = (f"/api/transactions?accounts[]={tenant[1 + self.count % 3]}"
                    f"&start_date={self.days[first]}&end_date={self.days[first + 89]}"
                    f"&per_page={self.random.randrange(20, 60)}")
            call = Call("list", self.text("GET", path, tenant[0]), due)
        elif chance < 0.8:
            call = Call("accounts", self.text("GET", "/api/accounts", tenant[0]), due)
        else:
            value, memo = -self.random.randrange(100, 50000), f"{self.prefix}{self.count}"
            body = (f'{{"account_id":"{tenant[1]}","amount":{{"value":{value},"currency":"BRL"}},'
                    f'"date":"{self.days[-1]}","memo":"{memo}"}}')
            call = Call("write", self.text("POST", "/api/transactions", tenant[0], body), due,
                        (tenant[1], value, memo))
        self.count += 1
        return call

    def text(self, method, path, token, body=""):
        content = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        return (f"{method} {path} HTTP/1.1\r\nHost: {self.host}\r\n"
                f"Authorization: Bearer {token}\r\n{content if body else ''}\r\n{body}").encode()


def id_of(body):
    """Of the row that an answer shows: its first member."""
    at = body.find(b'"id":"') + 6
    return body[at:at + 36].decode()


class Connection:
    """One at a time: call is None while it is free."""

    def __init__(self, address):
        self.socket = socket.create_connection(address, timeout=1)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.call, self.received = None, b""

    def send(self, call):
        self.call, self.received = call, b""
        self.socket.send(call.data)  # a few hundred bytes always fit

    def receive(self):
        """None while the answer is not whole, else (status, body, whether the server closes)."""
        data = self.socket.recv(262144)
        if not data:
            raise ConnectionResetError("closed by the server")
        self.received += data
        end = self.received.find(b"\r\n\r\n")
        if end < 0:
            return None
        head = self.received[:end].lower()
        at = head.find(b"content-length:")
        length = int(head[at + 15:].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(self.received) < end + 4 + length:
            return None
        return int(head[9:12]), self.received[end + 4:], b"connection: close" in head


class OpenLoop:
    def __init__(self, address, stream, connections=64, connections_max=1024):
        self.address, self.stream = address, stream
        self.connections_max = connections_max
        self.poll = select.epoll()
        self.by_descriptor, self.free = {}, []
        self.waiting = collections.deque()  # due, but all connections are taken
        self.calls, self.acknowledged, self.agenda = [], [], []
        for _ in range(connections):
            self.open()

    def open(self):
        connection = Connection(self.address)
        self.by_descriptor[connection.socket.fileno()] = connection
        self.poll.register(connection.socket, select.EPOLLIN)
        self.free.append(connection)

    def close(self, connection):
        del self.by_descriptor[connection.socket.fileno()]
        self.poll.unregister(connection.socket)
        connection.socket.close()
        if connection in self.free:
            self.free.remove(connection)

    def run(self, rate, seconds, agenda=()):
        """Calls due in so many seconds, all of them ended. agenda: (seconds, function) to be called
        meanwhile; a function that returns a number is called again after so many seconds."""
        self.calls = []
        began = time.monotonic()
        self.agenda = []
        for after, function in agenda:
            self.agenda_add(began + after, function)
        due, per_grid, owed, swept = began, (rate or 0) * GRID_S, 0.0, began
        while True:
            now = time.monotonic()
            while rate and due <= now and due < began + seconds:
                owed += per_grid
                while owed >= 1:
                    self.begin(self.stream(due))
                    owed -= 1
                due += GRID_S
            while not rate and self.free and now < began + seconds:
                self.begin(self.stream(now))
            self.attend(now)
            if now >= swept + 0.1:
                self.sweep(now)
                swept = now
            busy = len(self.by_descriptor) - len(self.free)
            if now >= began + seconds and not busy and not self.waiting and not self.agenda:
                return self.calls
            for descriptor, _ in self.poll.poll(GRID_S):
                self.arrived(self.by_descriptor.get(descriptor))

    def agenda_add(self, at, function):
        bisect.insort(self.agenda, (at, function), key=lambda entry: entry[0])

    def agenda_after(self, seconds, function):
        self.agenda_add(time.monotonic() + seconds, function)

    def attend(self, now):
        while self.agenda and self.agenda[0][0] <= now:
            _, function = self.agenda.pop(0)
            again = function()
            if again is not None:
                self.agenda_add(now + again, function)

    def begin(self, call):
        self.calls.append(call)
        self.waiting.append(call)
        self.send_waiting()

    def send_waiting(self):
        while self.waiting:
            if not self.free and len(self.by_descriptor) < self.connections_max:
                try:
                    self.open()
                except OSError as trouble:
                    self.end(self.waiting.popleft(), 0, type(trouble).__name__)
                    continue
            if not self.free:
                return
            connection, call = self.free.pop(), self.waiting.popleft()
            call.sent = time.monotonic()
            try:
                connection.send(call)
            except OSError as trouble:
                self.fail(connection, type(trouble).__name__)

    def arrived(self, connection):
        if connection is None:
            return
        if connection.call is None:  # closed while it was idle
            self.close(connection)
            return
        try:
            answer = connection.receive()
        except (OSError, ValueError) as trouble:
            self.fail(connection, type(trouble).__name__)
            return
        if answer is None:
            return
        status, body, closes = answer
        call, connection.call = connection.call, None
        self.end(call, status)
        self.answered(call, body)
        if closes:
            self.close(connection)
        else:
            self.free.append(connection)
        self.send_waiting()

    def answered(self, call, body):
        """Mixed: a write's account, value and memo."""
        if call.about and call.status == 201:
            self.acknowledged.append((id_of(body), *call.about))

    def sweep(self, now):
        late = [connection for connection in self.by_descriptor.values()
                if connection.call is not None and now - connection.call.sent > TIMEOUT_S]
        for connection in late:
            self.fail(connection, "no answer in time")
        while self.waiting and now - self.waiting[0].due > TIMEOUT_S:
            self.end(self.waiting.popleft(), 0, "never sent")

    def fail(self, connection, trouble):
        call, connection.call = connection.call, None
        self.close(connection)
        self.end(call, 0, trouble)

    def end(self, call, status, trouble=""):
        call.ended, call.status, call.trouble = time.monotonic(), status, trouble


def quantile(calls, part):
    """Milliseconds from due to answered."""
    times = sorted(call.ended - call.due for call in calls)
    return 1000 * times[min(len(times) - 1, int(len(times) * part))] if times else 0.0
