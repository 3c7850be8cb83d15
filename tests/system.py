# SPDX-License-Identifier: Apache-2.0
"""A whole Valorize of its own, started as a user would start it, in a folder of its own."""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.parse
import urllib.request

import pytest

from client import Client

ROOT = pathlib.Path(__file__).resolve().parent.parent
PRESET = os.environ.get("VALORIZE_PRESET", "debug")
PROGRAM = ROOT / "build" / PRESET / "bin" / "valorize"

# The promises are for ordinary builds; sanitizers take several times as long.
SLACK = float(os.environ.get("TEST_SLACK", 4 if PRESET == "asan-ubsan" else 1))

# What a process writes when it has found a bug in itself.
BUG = re.compile(r"AddressSanitizer|LeakSanitizer|UndefinedBehaviorSanitizer|runtime error:"
                 r"|[Aa]ssertion|contract broken|a turn took|corrupted|Segmentation fault")


def until(condition, seconds, what):
    """The first true value of condition(); fails when there is none for so long."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds:.1f} s: {what}")
        time.sleep(0.01)


def alive(pid):
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return False
    return fields[0] not in "ZX"


class System:
    """start() ... stop(); everything else is for a running one."""

    def __init__(self, folder=None, program=PROGRAM, **environment):
        self.program = program
        self.data = pathlib.Path(folder or tempfile.mkdtemp(prefix="vz-", dir="/tmp"))
        self.data.chmod(0o755)  # the private servers' user must get through
        self.environment = {name: value for name, value in os.environ.items()
                            if not name.startswith(("VALORIZE_", "OTEL_"))
                            and name not in ("DATABASE_URL", "REDIS_URL", "PORT")}
        ports = ("HTTP", "WS", "TASKS", "BRIDGE", "METRICS")
        self.environment.update({f"VALORIZE_{port}_PORT": "0" for port in ports})
        self.environment.update(VALORIZE_DATA=str(self.data), VALORIZE_TESTING="1")
        self.environment.update(environment)
        self.process = None
        self.expected_bugs = []

    # Life

    def run(self, *arguments, timeout=60, **environment):
        """`valorize up <arguments>` as a command that ends: (exit code, all it said)."""
        ended = subprocess.run([self.program, "up", *arguments], timeout=timeout, cwd=ROOT,
                               env={**self.environment, **environment}, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return ended.returncode, ended.stdout

    def start(self, seconds=60):
        self.output = open(self.data / "up.out", "ab")
        self.process = subprocess.Popen([self.program, "up"], env=self.environment, cwd=ROOT,
                                        stdout=self.output, stderr=self.output)
        until(self.is_ready_or_gone, seconds * SLACK, f"{self.data} is ready")
        if self.process.poll() is not None:
            pytest.fail(f"up ended with {self.process.returncode}:\n{self.said()}")
        return self

    def is_ready_or_gone(self):
        return self.process.poll() is not None or self.is_ready()

    def is_ready(self):
        """Says so over HTTP, and state.json is of the supervisor that we started."""
        try:
            state = self.state()
            if self.process is not None and state["supervisor"] != self.process.pid:
                return False
            if state["state"] != "up":  # adopted edges are ready before their supervisor is
                return False
            return self.client(timeout=2).get("/readyz").status == 200
        except (OSError, ValueError, KeyError):
            return False

    def stop(self):
        """SIGTERM, and what must be true after every life: exit code 0, nobody left, no bug."""
        if self.process is None:
            return
        pids = [process["pid"] for process in self.state()["processes"]]
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(30 * SLACK)
        except subprocess.TimeoutExpired:
            self.kill_all()
            pytest.fail(f"up did not end:\n{self.said()}")
        self.process = None
        self.output.close()
        left = [pid for pid in pids if alive(pid)]
        assert code == 0, f"exit code {code}:\n{self.said()}"
        assert not left, f"processes outlive up: {left}"
        assert not self.bugs(), "\n".join(self.bugs())

    def kill_all(self):
        """After a failure: by the ids we know, children first."""
        try:
            pids = [process["pid"] for process in self.state()["processes"]]
        except (OSError, ValueError, KeyError):
            pids = []
        if self.process is not None:
            pids.insert(0, self.process.pid)
        for pid in filter(None, pids):  # 0: of a process that is down
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if self.process is not None:
            self.process.wait()
        self.process = None

    def remove(self):
        shutil.rmtree(self.data, ignore_errors=True)

    def said(self, lines=40):
        text = (self.data / "up.out").read_text(errors="replace").splitlines()
        for log in sorted((self.data / "log").glob("*.log")):
            text += [f"--- {log.name}"]
            text += log.read_text(errors="replace").splitlines()[-6:]
        return "\n".join(text[-lines - 60:])

    def bugs(self):
        found = []
        for log in [self.data / "up.out", *(self.data / "log").glob("*")]:
            for line in log.read_text(errors="replace").splitlines():
                if BUG.search(line) and not any(word in line for word in self.expected_bugs):
                    found.append(f"{log.name}: {line[:400]}")
        return found

    # What runs

    def state(self):
        return json.loads((self.data / "run" / "state.json").read_text())

    @property
    def address(self):
        split = urllib.parse.urlsplit(self.state()["http"])
        return split.hostname, split.port

    def processes(self):
        return {process["name"]: process for process in self.state()["processes"]}

    def names(self, kind):
        """Names of a class: names("query") is ["query-1", "query-2"]."""
        return sorted(name for name in self.processes() if name.rsplit("-", 1)[0] == kind)

    def pid(self, name):
        return self.processes()[name]["pid"]

    def signal(self, name, number):
        pid = self.pid(name)
        os.kill(pid, number)
        return pid

    def is_back(self, name, old_pid):
        try:
            process = self.processes()[name]
        except (OSError, ValueError, KeyError):
            return False
        return process["pid"] not in (0, old_pid) and process["state"] == "ready"

    def all_ready(self):
        try:
            return all(process["state"] == "ready" for process in self.state()["processes"])
        except (OSError, ValueError, KeyError):
            return False

    def metric(self, metric, name):
        """Of a process; one without further labels."""
        with urllib.request.urlopen(self.state()["metrics"], timeout=20) as answer:
            page = answer.read().decode()
        found = re.search(rf'^{metric}{{process="{name}"}} (\S+)$', page, re.MULTILINE)
        return float(found.group(1)) if found else None

    def is_settled(self):
        """Pages in Redis count, which they do not in a query actor's first seconds with it."""
        return all(self.metric("valorize_cache_settled", name) == 1 for name in self.names("query"))

    def cpu_seconds(self, name):
        """Of all threads of a process, from the kernel's accounting."""
        total = 0
        for file in pathlib.Path(f"/proc/{self.pid(name)}/task").glob("*/schedstat"):
            total += int(file.read_text().split()[0])
        return total / 1e9

    def edges_of(self, sockets):
        """Which edge holds the other end of each of a client's sockets."""
        port = self.address[1]
        inodes = {}  # of the edges' ends, by the clients' ports
        with open("/proc/net/tcp") as table:
            for line in list(table)[1:]:
                _, local, remote, *fields = line.split()
                if int(local.split(":")[1], 16) == port:
                    inodes[int(remote.split(":")[1], 16)] = fields[6]
        holders = {}
        for name in self.names("http"):
            folder = f"/proc/{self.pid(name)}/fd"
            for descriptor in os.listdir(folder):
                try:
                    holders[os.readlink(f"{folder}/{descriptor}")] = name
                except FileNotFoundError:
                    pass  # closed meanwhile
        return [holders.get(f"socket:[{inodes.get(socket.getsockname()[1])}]")
                for socket in sockets]

    def descriptors(self, name):
        return len(os.listdir(f"/proc/{self.pid(name)}/fd"))

    def resident_kib(self, name):
        text = pathlib.Path(f"/proc/{self.pid(name)}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", text).group(1))

    # Talking to it

    def client(self, token=None, **more):
        return Client(*self.address, token, **more)

    def user(self):
        """A new tenant with three accounts."""
        answer = self.client().post("/api/testing/load-test-user")
        assert answer.status == 201, answer
        client = self.client(answer.json["token"])
        client.user_id, client.email = answer.json["user_id"], answer.json["email"]
        client.accounts = client.get("/api/accounts").json["data"]
        return client

    def sql(self, statement, check=True):
        """Rows as lists of text, from the database itself."""
        ended = subprocess.run(["psql", self.state()["database_url"], "-XAtq", "-F", "\x1f",
                                "-v", "ON_ERROR_STOP=1", "-c", statement], text=True,
                               capture_output=True, timeout=60)
        if check:
            assert ended.returncode == 0, ended.stderr
        elif ended.returncode != 0:
            return None
        return [line.split("\x1f") for line in ended.stdout.splitlines()]

    def redis(self, *command, check=True):
        url = urllib.parse.urlsplit(self.state()["redis_url"])
        where = (["-s", url.path] if url.scheme == "unix"
                 else ["-h", url.hostname, "-p", str(url.port or 6379)])
        ended = subprocess.run(["redis-cli", *where, *command], text=True, capture_output=True,
                               timeout=20)
        if check:
            assert ended.returncode == 0, ended.stderr
        return ended.stdout.strip()

    def assert_balances(self):
        """Every balance and count of the database is that of its transactions."""
        wrong = self.sql("""
            SELECT a.id, a.balance, sum(t.amount), a.transaction_count, count(t.id)
            FROM accounts a LEFT JOIN transactions t ON t.account_id = a.id
            GROUP BY a.id
            HAVING a.balance <> coalesce(sum(t.amount), 0) OR a.transaction_count <> count(t.id)""")
        assert not wrong, f"balances that are not their sums: {wrong[:5]}"
