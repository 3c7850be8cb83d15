# SPDX-License-Identifier: Apache-2.0
"""The bus as a stranger sees it: ZMTP 3 over a unix socket, and envelopes built by hand.

Written from the layout that the envelope's header documents, so that a lie is as easy as a truth.
"""
import os
import socket
import stat
import struct
import time

SIGNATURE = b"\xff" + bytes(8) + b"\x7f"
HELLO, WELCOME, HEARTBEAT, CREDIT, REQUEST, REPLY, CANCEL, DRAIN = range(1, 9)
GOAWAY, GOODBYE, EVENT, SUBSCRIBE, UNSUBSCRIBE, GAP, REHELLO, REFUSAL = range(9, 17)
ROLE_EDGE, ROLE_QUERY, ROLE_COMMAND, ROLE_TASK, ROLE_BRIDGE = range(1, 6)
LANES = 4


def sockets(folder):
    """(bus sockets, other sockets) below a run folder: a bus speaks first."""
    bus, other = [], []
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            continue
        with socket.socket(socket.AF_UNIX) as door:
            door.settimeout(0.5)
            try:
                door.connect(path)
                door.sendall(SIGNATURE)
                first = door.recv(1)
            except OSError:
                first = b""
        (bus if first == b"\xff" else other).append(path)
    return bus, other


class Peer:
    """A DEALER of our own, or whom a door let in. Frames are single ones, as everything on this
    bus."""

    def __init__(self, path, kind=b"DEALER", timeout=5, accepted=None):
        self.socket = accepted or socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        if accepted is None:
            self.socket.connect(path)
        self.socket.sendall(SIGNATURE + b"\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32))
        self._exactly(64)
        ready = b"\x05READY\x0bSocket-Type" + struct.pack(">I", len(kind)) + kind
        ready += b"\x08Identity" + struct.pack(">I", 0)
        self.socket.sendall(b"\x04" + bytes([len(ready)]) + ready)
        self._frame()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def _exactly(self, count):
        data = b""
        while len(data) < count:
            piece = self.socket.recv(count - len(data))
            if not piece:
                raise ConnectionError("the bus closed the connection")
            data += piece
        return data

    def _frame(self):
        flags = self._exactly(1)[0]
        size = struct.unpack(">Q", self._exactly(8))[0] if flags & 2 else self._exactly(1)[0]
        return self._exactly(size)

    def raw(self, data):
        self.socket.sendall(data)

    def send(self, *frames):
        data = b""
        for number, frame in enumerate(frames):
            more = 1 if number + 1 < len(frames) else 0
            if len(frame) > 255:
                data += bytes([2 | more]) + struct.pack(">Q", len(frame)) + frame
            else:
                data += bytes([more, len(frame)]) + frame
        self.socket.sendall(data)

    def receive(self, *kinds):
        """The next frame of one of these kinds; others are passed over."""
        while True:
            frame = self._frame()
            if len(frame) >= 104 and frame[4] in kinds:
                return frame

    def hears(self, kind, seconds):
        """How many frames of that kind come in so long."""
        count, end = 0, time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                self.receive(kind)
                count += 1
            except TimeoutError:
                break
        return count

    def hello(self, role, name, operations=(), window=8, instance=None):
        """`instance` is the session under which an edge must ask."""
        self.send(envelope(HELLO, body=hello_body(role, name, operations, window, instance)))
        return self.receive(WELCOME)


class Door:
    """A broker of our own: its socket, on which accept() is the next peer."""

    def __init__(self, path, timeout=10):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        os.chmod(path, 0o777)
        self.listener.settimeout(timeout)
        self.listener.listen()

    def accept(self, timeout=5):
        accepted, _ = self.listener.accept()
        return Peer(None, b"ROUTER", timeout, accepted)


def envelope(kind, operation=0, body=b"", lane=0, attempt=0, budget=5000000, tenant=bytes(16),
             session=0, correlation=0, key=bytes(16), trace=bytes(25), version=1, flags=0,
             schema=1):
    return (b"\x9d\xcc" + bytes([version]) + b"\xcc" + bytes([kind])
            + b"\xcd" + struct.pack(">H", flags) + b"\xcd" + struct.pack(">H", operation)
            + b"\xcd" + struct.pack(">H", schema) + b"\xcc" + bytes([lane])
            + b"\xcc" + bytes([attempt]) + b"\xce" + struct.pack(">I", budget)
            + b"\xc4\x10" + tenant + b"\xcf" + struct.pack(">Q", session)
            + b"\xcf" + struct.pack(">Q", correlation) + b"\xc4\x10" + key + b"\xc4\x19" + trace
            + body)


def number(value):
    return b"\xcf" + struct.pack(">Q", value)


def array(items):
    return b"\xdc" + struct.pack(">H", len(items)) + b"".join(items)


def hello_body(role, name, operations=(), window=8, instance=None, speaks=()):
    """`speaks`: oldest and newest version; without it, as version 1 began."""
    numbers = [role, instance or int.from_bytes(os.urandom(8), "big"), 7, os.getpid(), window]
    if speaks:
        numbers += [0, *speaks]  # its credit before it
    return (array([number(value) for value in numbers])
            + b"\xc4\x20" + name[:32].ljust(32, b"\0")
            + array([b"\xcd" + struct.pack(">H", operation) for operation in operations]))


def beat_body(limit=1 << 40, sent=0):
    """Clock, echo, the hello's nonce, event bytes, served; then limits and counts by lane."""
    return array([number(value) for value in
                  [1, 1, 7, 0, 0] + [limit] * LANES + [sent] * LANES])
