# SPDX-License-Identifier: Apache-2.0
"""A bus over tcp with keys: all that is promised elsewhere holds over it, whoever has no key or the
wrong one stays outside, and keys change while people work."""
import os
import pathlib
import shutil
import signal
import socket
import stat
import subprocess

import pytest

from conftest import lend
from load import Load
from system import PROGRAM, SLACK, System, until
# The promises of these files, over this file's systems.
from test_faults import (load, test_a_killed_process_costs_no_request,  # noqa: F401
                         test_a_process_that_hangs_costs_no_request)
from test_transactions import *  # noqa: F401, F403

ROLES = ["broker", "edge", "query", "command", "task", "bridge"]
SIGNATURE = b"\xff" + bytes(8) + b"\x7f"


def free_ports(count):
    doors = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [door.getsockname()[1] for door in doors]
    for door in doors:
        door.close()
    return ports


class KeyedSystem(System):
    """Its own brokers, on tcp, with keys of its own."""

    def __init__(self):
        super().__init__()
        self.ports = free_ports(2)
        self.folder = self.data / "keys"
        self.environment.update(
            VALORIZE_BROKERS=",".join(f"tcp://127.0.0.1:{port}" for port in self.ports),
            VALORIZE_BROKER_COUNT="2", VALORIZE_KEYS=str(self.folder))
        code, said = self.keys()
        assert code == 0, said

    def keys(self, *arguments):
        ended = subprocess.run([PROGRAM, "keys", *arguments], env=self.environment, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
        return ended.returncode, ended.stdout

    def public(self, role):
        return sorted((self.folder / "public").glob(f"{role}.*"))

    def log(self, name):
        return (self.data / "log" / f"{name}.log").read_text()


@pytest.fixture(scope="module")
def system():
    yield from lend(KeyedSystem())


@pytest.fixture
def private_system(system):
    return system


def says(system, part, *names):
    """One of these processes has logged that."""
    return any(part in system.log(name) for name in names)


# --- the folder -----------------------------------------------------------------------------------

def test_secrets_are_their_owners_alone_and_nothing_is_overwritten(system):
    for role in ROLES:
        secret = system.folder / "secret" / role
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
        assert "secret-key" in secret.read_text()
        assert all("secret-key" not in path.read_text() for path in system.public(role))
    before = {path: path.read_bytes() for path in system.folder.rglob("*") if path.is_file()}
    code, said = system.keys()
    assert code == 1 and "never overwritten" in said
    assert before == {path: path.read_bytes() for path in system.folder.rglob("*")
                      if path.is_file()}


def test_a_role_without_a_free_number_is_told_what_to_remove(copied, system):
    for number in range(1, 1000):
        (copied / f"public/task.{number}").touch()
    before = (copied / "secret/task").read_bytes()
    ended = subprocess.run([PROGRAM, "keys", "--rotate", "task"], text=True, timeout=60,
                           env={**system.environment, "VALORIZE_KEYS": str(copied)},
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert ended.returncode == 1, ended.stdout
    assert f"{copied}/public" in ended.stdout and "Remove" in ended.stdout, ended.stdout
    assert (copied / "secret/task").read_bytes() == before


@pytest.mark.parametrize("endpoint", ["tcp://0.0.0.0:7701", "tcp://*:7701", "tcp://10.9.8.7:7701",
                                      "tcp://[::]:7701", "tcp://broker.example:7701"])
def test_what_leaves_the_machine_needs_keys(system, endpoint):
    code, said = System().run(VALORIZE_BROKERS=endpoint)
    assert code == 2 and "VALORIZE_KEYS" in said, said
    for program, setting in (("valorize-broker", "VALORIZE_BIND"),
                             ("valorize-http", "VALORIZE_BROKERS")):
        other = System()
        ended = subprocess.run([PROGRAM.parent / program], text=True, timeout=60,
                               env={**other.environment, setting: endpoint},
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        other.remove()
        assert ended.returncode != 0 and setting in ended.stdout, ended.stdout
        assert "valorize keys" in ended.stdout, ended.stdout


def test_a_missing_or_open_secret_is_told(system):
    folder = system.data / "damaged"
    shutil.copytree(system.folder, folder)
    environment = {**system.environment, "VALORIZE_KEYS": str(folder), "VALORIZE_NAME": "http-7",
                   "VALORIZE_HTTP_PORT": "0"}
    (folder / "secret" / "edge").chmod(0o644)
    for sentence in ("chmod 600", "secret/edge", "no broker's key"):
        ended = subprocess.run([PROGRAM.parent / "valorize-http"], env=environment, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
        assert ended.returncode == 1 and sentence in ended.stdout, ended.stdout
        if sentence == "chmod 600":
            (folder / "secret" / "edge").unlink()
        else:
            (folder / "public" / "broker.1").unlink(missing_ok=True)
    shutil.rmtree(folder)


# --- who stays outside ----------------------------------------------------------------------------

def test_without_keys_nobody_gets_past_the_greeting(system):
    with socket.create_connection(("127.0.0.1", system.ports[0]), 5) as wire:
        wire.sendall(SIGNATURE + b"\x03\x00")
        greeting = b""
        while len(greeting) < 64:
            piece = wire.recv(64 - len(greeting))
            assert piece, "closed before the greeting"
            greeting += piece
        assert greeting[12:32].rstrip(b"\0") == b"CURVE"
        wire.sendall(b"NULL".ljust(20, b"\0") + bytes(32))
        wire.settimeout(10)
        try:
            assert wire.recv(1) == b"", "the broker goes on with a peer that has no key"
        except ConnectionResetError:
            pass


def start_alone(system, folder, **more):
    """A query actor of this machine's own, which is no child of the supervisor."""
    data = pathlib.Path(f"{system.data}/alone")
    data.mkdir(exist_ok=True)
    return subprocess.Popen(
        [PROGRAM.parent / "valorize-query"], stdout=subprocess.DEVNULL,
        stderr=open(data / "query.log", "ab"),
        env={**system.environment, "VALORIZE_DATA": str(data), "VALORIZE_NAME": "query-9",
             "VALORIZE_KEYS": str(folder), "DATABASE_URL": system.state()["database_url"],
             "REDIS_URL": system.state()["redis_url"], **more})


@pytest.fixture
def copied(system):
    """The folder as an intruder would have it, to be changed."""
    folder = system.data / "copied"
    shutil.copytree(system.folder, folder)
    yield folder
    shutil.rmtree(folder)


def test_an_unknown_key_is_refused_and_told(system, copied):
    shutil.rmtree(copied / "secret")
    other = {**system.environment, "VALORIZE_KEYS": str(copied / "others")}
    subprocess.run([PROGRAM, "keys"], env=other, check=True, stdout=subprocess.DEVNULL)
    (copied / "others" / "secret").rename(copied / "secret")
    stranger = start_alone(system, copied)
    try:
        until(lambda: says(system, "A connection was refused", "broker-1", "broker-2"),
              10 * SLACK, "a broker tells of the stranger")
        until(lambda: "do not accept each other's keys" in
              (system.data / "alone" / "query.log").read_text(), 10 * SLACK, "so does it itself")
    finally:
        stranger.kill()
        stranger.wait()
    line = next(line for line in (system.log("broker-1") + system.log("broker-2")).splitlines()
                if "A connection was refused" in line)
    assert '"address":"127.0.0.1"' in line and '"key":' in line
    assert sum(system.metric("valorize_broker_strangers_total", name)
               for name in ("broker-1", "broker-2")) >= 1


def test_a_process_with_the_key_of_another_role_is_refused_and_told(system, copied):
    shutil.copy(copied / "secret" / "edge", copied / "secret" / "query")
    liar = start_alone(system, copied)
    try:
        until(lambda: says(system, '"role":"query","key_of":"edge"', "broker-1", "broker-2"),
              10 * SLACK, "a broker tells of the liar")
    finally:
        liar.kill()
        liar.wait()


# --- new keys for old -----------------------------------------------------------------------------

def rotate(system, role):
    """As the command says; what was trusted before goes at the end."""
    former = system.public(role)
    code, said = system.keys("--rotate", role)
    assert code == 0 and "valorize keys --reload" in said, said
    code, said = system.keys("--reload")
    assert code == 0 and "has the new key" in said, said
    for path in former:
        path.unlink()
    return former


@pytest.mark.parametrize("role", ["edge", "query", "command", "broker"])
def test_a_new_key_costs_no_request(system, role):
    pids = {name: process["pid"] for name, process in system.processes().items()}
    with Load(system) as load:
        until(lambda: len(load.acknowledged) >= 20, 20 * SLACK, "the load writes")
        begin = load.count()
        rotate(system, role)
        until(lambda: load.count() > begin + 200, 30 * SLACK, "the load goes on")
        until(lambda: system.client().get("/readyz").status == 200, 5 * SLACK, "all is ready")
    assert not load.failures(), load.failures()[:5]
    load.assert_nothing_lost()
    assert pids == {name: process["pid"] for name, process in system.processes().items()}
    # And the next life of a process begins with it.
    name = "http-1" if role == "edge" else f"{role}-1"
    pid = system.signal(name, signal.SIGKILL)
    until(lambda: system.is_back(name, pid), 5 * SLACK, f"{name} is back")
    until(system.is_ready, 5 * SLACK, "all is ready")


def test_a_new_key_that_brokers_do_not_know_changes_nothing(system):
    before = set(system.public("edge"))
    secret = (system.folder / "secret" / "edge").read_bytes()
    with Load(system) as load:
        until(lambda: len(load.acknowledged) >= 20, 20 * SLACK, "the load writes")
        assert system.keys("--rotate", "edge")[0] == 0
        for path in set(system.public("edge")) - before:
            path.unlink()
        # While one broker is just coming back, the other one's connection is the only one there is.
        system.signal("broker-1", signal.SIGKILL)
        code, said = system.keys("--reload")
        assert code == 1 and "does not let the new key in" in said, said
        begin = load.count()
        until(lambda: load.count() > begin + 100, 30 * SLACK, "the load goes on")
    assert not load.failures(), load.failures()[:5]
    (system.folder / "secret" / "edge").write_bytes(secret)
    code, said = system.keys("--reload")
    assert code == 0, said


def test_no_connection_is_closed_for_a_new_key_while_another_is_missing(system, copied):
    """A third broker that nobody runs."""
    nobody, = free_ports(1)
    brokers = f"{system.environment['VALORIZE_BROKERS']},tcp://127.0.0.1:{nobody}"
    actor = start_alone(system, copied, VALORIZE_BROKERS=brokers)
    folder = {**system.environment, "VALORIZE_KEYS": str(copied),
              "VALORIZE_DATA": str(system.data / "alone")}
    log = system.data / "alone" / "query.log"
    try:
        until(lambda: log.read_text().count("A broker welcomed") == 2, 10 * SLACK, "it is in")
        subprocess.run([PROGRAM, "keys", "--rotate", "query"], env=folder, check=True,
                       stdout=subprocess.DEVNULL)
        ended = subprocess.run([PROGRAM, "keys", "--reload"], env=folder, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
        assert ended.returncode == 1, ended.stdout
        assert "Reload again when all are back" in ended.stdout
        assert log.read_text().count("A broker welcomed") == 2
    finally:
        actor.kill()
        actor.wait()


def test_a_revoked_key_is_outside_within_seconds_and_inside_again(system):
    path = system.public("edge")[0]
    kept = path.read_bytes()
    path.unlink()
    until(lambda: system.client().get("/readyz").status == 503, 10 * SLACK, "the edge is out")
    assert says(system, "A key is trusted no more", "broker-1")
    path.write_bytes(kept)
    until(lambda: system.client().get("/readyz").status == 200, 10 * SLACK, "the edge is in")


def test_wrong_arguments_are_told(system):
    assert system.keys("--rotate", "nobody")[0] == 2
    assert system.keys("--rotate")[0] == 2
    code, said = system.keys("--help")
    assert code == 0 and "--reload" in said and "VALORIZE_KEYS" in said
    environment = {**system.environment, "VALORIZE_DATA": str(system.data / "nowhere")}
    os.makedirs(environment["VALORIZE_DATA"])
    ended = subprocess.run([PROGRAM, "keys", "--reload"], env=environment, text=True,
                           stderr=subprocess.PIPE, timeout=60)
    assert ended.returncode == 1 and "Nobody answers" in ended.stderr
