# SPDX-License-Identifier: Apache-2.0
"""experiments/bus/partition between a broker and those who dial it."""
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import sys
import tempfile

import pytest

from system import PRESET, ROOT, until

# Somebody of that name who dials, says what it is told to, and prints what it hears.
CLIENT = """
import os, socket, sys, threading
peer = socket.socket(socket.AF_UNIX)
peer.connect(sys.argv[1])
def hear():
    while data := peer.recv(65536):
        os.write(1, data)
    os.write(1, b"END")
threading.Thread(target=hear, daemon=True).start()
for line in sys.stdin:
    peer.sendall(line.encode())
"""


class Broker:
    """Listens where it is told to, taking the place of what is there, as libzmq does."""

    def __init__(self, path):
        path.unlink(missing_ok=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(8)
        self.listener.settimeout(10)

    def accept(self):
        peer, _ = self.listener.accept()
        peer.settimeout(10)
        return peer


class Parted:
    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="vz-part-", dir="/tmp"))
        self.path = self.folder / "broker-1.bus"
        self.broker = Broker(self.path)
        self.process = subprocess.Popen(
            [ROOT / "build" / PRESET / "experiments" / "partition", self.folder, "broker-1"],
            text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdout.readline() == "ready\n"
        self.clients = []

    def order(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        said = []
        while (heard := self.process.stdout.readline().strip()) not in ("ok", "no", ""):
            said.append(heard)
        return said if heard == "ok" else heard

    def client(self, name):
        client = subprocess.Popen([sys.executable, "-c", CLIENT, self.path], bufsize=0,
                                  env={**os.environ, "VALORIZE_NAME": name},
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        os.set_blocking(client.stdout.fileno(), False)
        client.heard = b""
        self.clients.append(client)
        return client

    def connected(self, name):
        client = self.client(name)
        return client, self.broker.accept()

    def end(self):
        self.process.stdin.close()
        self.process.wait(10)
        for client in self.clients:
            client.stdin.close()
            client.kill()
            client.wait()
            client.stdout.close()
        self.process.stdout.close()
        shutil.rmtree(self.folder)


@pytest.fixture(name="parted")
def _parted():
    parted = Parted()
    yield parted
    if parted.process.poll() is None:
        parted.end()


def hears(client, wanted):
    def whole():
        client.heard += client.stdout.read() or b""
        return client.heard.endswith(wanted)
    until(whole, 10, f"{wanted} arrives, not {client.heard}")


def silent(receiver):
    receiver.settimeout(0.1)
    try:
        return not receiver.recv(1)
    except TimeoutError:
        return True
    finally:
        receiver.settimeout(10)


def listens_at(path):
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(str(path))
        return struct.unpack("iii", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]


def test_bytes_go_both_ways_and_the_end_is_told(parted):
    client, peer = parted.connected("http-1")
    assert parted.order("list") == ["http-1>broker-1"]
    client.stdin.write(b"question\n")
    assert peer.recv(100) == b"question\n"
    large = b"x" * 300000 + b"answer"
    peer.sendall(large)
    hears(client, b"answer")
    assert client.heard == large
    peer.close()
    hears(client, b"END")
    until(lambda: parted.order("list") == [], 10, "the connection is forgotten")


def test_what_is_held_arrives_after_the_healing(parted):
    client, peer = parted.connected("query-1")
    stranger, other = parted.connected("query-2")
    assert parted.order("hold to query-1 broker-1") == []
    client.stdin.write(b"held\n")
    stranger.stdin.write(b"free\n")
    assert other.recv(100) == b"free\n"
    assert silent(peer)
    peer.sendall(b"one way")
    hears(client, b"one way")
    assert parted.order("hold from query-1 broker-1") == []
    peer.sendall(b", and back")
    other.sendall(b"free")
    hears(stranger, b"free")
    assert client.stdout.read() is None
    assert parted.order("heal") == []
    assert peer.recv(100) == b"held\n"
    hears(client, b"one way, and back")


def test_a_held_end_is_not_told_that_the_other_one_is_gone(parted):
    client, peer = parted.connected("command-1")
    stranger, other = parted.connected("command-2")
    parted.order("hold both command-1 *")
    peer.close()
    other.close()
    hears(stranger, b"END")
    assert client.stdout.read() is None
    parted.order("heal")
    hears(client, b"END")


def test_a_cut_ends_connections_and_takes_no_new_ones(parted):
    client, peer = parted.connected("http-1")
    _, other = parted.connected("http-2")
    parted.order("cut http-1 broker-1")
    hears(client, b"END")
    assert peer.recv(1) == b""
    hears(parted.client("http-1"), b"END")
    assert silent(other) and parted.order("list") == ["http-2>broker-1"]
    parted.order("heal")
    client, peer = parted.connected("http-1")
    client.stdin.write(b"again\n")
    assert peer.recv(100) == b"again\n"


def test_a_broker_that_starts_again_is_parted_again(parted):
    first, peer = parted.connected("http-1")
    parted.broker.listener.close()
    peer.close()
    hears(first, b"END")
    parted.broker = Broker(parted.path)
    until(lambda: listens_at(parted.path) == parted.process.pid, 10, "its place is taken")
    client = parted.client("query-1")
    client.stdin.write(b"hello\n")
    while (peer := parted.broker.accept()).recv(100) != b"hello\n":
        pass  # one of those who only looked
    assert "query-1>broker-1" in parted.order("list")


def test_in_the_end_the_broker_has_its_place_back(parted):
    parted.process.stdin.close()
    assert parted.process.wait(10) == 0
    client, peer = parted.connected("http-1")
    client.stdin.write(b"direct\n")
    assert peer.recv(100) == b"direct\n"
    assert os.listdir(parted.folder) == ["broker-1.bus"]
    for each in parted.clients:
        each.kill()
        each.wait()


def test_what_is_no_order_is_refused(parted):
    for line in ("", "hold", "hold up http-1 broker-1", "cut http-1", "heel"):
        assert parted.order(line) == "no"
