# SPDX-License-Identifier: Apache-2.0
"""What experiments/bus/nemesis does to a running system, every few seconds, from a seed."""
import contextlib
import heapq
import os
import pathlib
import random
import signal
import subprocess
import time

from running import ROOT, refuse, run

# What each class of processes is hit with. kill, end and stop are signals; part holds or cuts the
# bytes between a broker and others; slow makes PostgreSQL's disk slow.
BLOWS = {"broker": ("kill", "stop", "end", "part"), "query": ("kill", "stop", "end"),
         "command": ("kill", "stop", "end"), "http": ("kill", "stop", "end"),
         "postgres": ("kill", "stop", "end", "slow"), "redis": ("kill", "stop", "end"),
         "supervisor": ("kill", "stop")}
ALL = {blow for blows in BLOWS.values() for blow in blows}
ENDS = {"postgres": signal.SIGINT}  # the orderly end; of all others SIGTERM
STOPPED_S = {"postgres": 8.0}  # at most, the supervisor kills earlier; all others:
STOPPED_S_MAX, PARTED_S_MAX, SLOW_S_MAX = 2.5, 4.0, 4.0
ALONE_S_MAX = 4.0  # until a killed supervisor has a successor
SLOW_MS = (20, 1000)  # a flush of the disk, at least and at most
WAYS = ("hold to", "hold from", "hold both", "cut")


def environment_of(pid):
    text = pathlib.Path(f"/proc/{pid}/environ").read_text()
    return dict(entry.split("=", 1) for entry in text.split("\0") if "=" in entry)


def tree(pid):
    """A process and its children."""
    pids = [pid]
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        pids += [int(child) for child in (task / "children").read_text().split()]
    return pids


def hit(pids, number):
    for pid in pids:
        with contextlib.suppress(OSError):
            os.kill(pid, number)


class Partition:
    """experiments/bus/partition.c between the brokers and all who dial them."""

    def __init__(self, running, build):
        self.running = running
        run(["cmake", "--build", str(build), "--target", "partition"])
        self.brokers = sorted(name for name in running.processes() if name.startswith("broker-"))
        self.process = subprocess.Popen(
            [build / "experiments" / "partition", running.data / "run", *self.brokers],
            text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if self.process.stdout.readline() != "ready\n":
            refuse("the brokers' sockets cannot be taken")

    def order(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        said = []
        while (heard := self.process.stdout.readline().strip()) not in ("ok", "no", ""):
            said.append(heard)
        if heard != "ok":
            refuse(f"partition does not understand {line!r}")
        return said

    def clients(self):
        return sorted(name for name in self.running.processes()
                      if name.rsplit("-", 1)[0] in ("http", "query", "command"))

    def surround(self):
        """Kills one broker after the other, so that all dial again, until nobody goes directly."""
        for broker in self.brokers:
            wanted = {f"{client}>{broker}" for client in self.clients()}
            until = time.monotonic() + 30
            while not wanted <= set(self.order("list")):
                if time.monotonic() > until:
                    refuse(f"not everybody dials {broker} through the partition")
                hit([self.running.processes()[broker]], signal.SIGKILL)
                patience = time.monotonic() + 5
                while not wanted <= set(self.order("list")) and time.monotonic() < patience:
                    time.sleep(0.05)

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


class Disk:
    """experiments/bus/slow_disk.c in PostgreSQL, which must have been started with it."""

    def __init__(self, running):
        pid = running.processes().get("postgres")
        self.file = environment_of(pid).get("SLOW_DISK")
        if self.file is None or "slow_disk" not in pathlib.Path(f"/proc/{pid}/maps").read_text():
            library = ROOT / "build" / "release" / "experiments" / "libslow_disk.so"
            refuse("PostgreSQL's disk cannot be made slow. Start the system with LD_PRELOAD="
                   f"{library} SLOW_DISK={running.data}/slow-disk, or leave it out: "
                   "--without slow")

    def slow(self, milliseconds):
        beside = pathlib.Path(self.file + ".new")
        beside.write_text(f"{milliseconds}\n")
        beside.chmod(0o644)  # PostgreSQL may run as another user
        beside.rename(self.file)

    def heal(self):
        pathlib.Path(self.file).unlink(missing_ok=True)


class Nemesis:
    """One blow does not wait for the end of the one before."""

    def __init__(self, running, seed, every, without, build):
        self.running, self.random = running, random.Random(f"nemesis {seed}")
        self.every, self.build = every, build
        self.blows = []  # [seconds since the beginning, what]
        self.missed = 0  # strikes at what was just gone
        self.agenda, self.count, self.began = [], 0, 0.0
        self.successors = []  # of killed supervisors: `up --detach`, which ends when all are ready
        self.possible = sorted(ALL - set(without))
        self.disk = Disk(running) if "slow" not in without else None
        self.partition = Partition(running, build) if "part" not in without else None

    def __enter__(self):
        if self.partition:
            self.partition.surround()
        return self

    def __exit__(self, *_):
        for _, _, function in self.agenda:
            if function != self.strike:
                function()  # what is stopped, held or slow is so no longer
        for successor in self.successors:
            successor.wait()
        if self.partition:
            self.partition.close()

    def run(self, began, seconds):
        """Strikes until so many seconds after `began` (monotonic); all is healed in the end."""
        self.began = began
        self.after(1, self.strike)
        while self.agenda:
            at, _, function = heapq.heappop(self.agenda)
            if at > began + seconds and function == self.strike:
                continue
            time.sleep(max(0, at - time.monotonic()))
            function()

    def after(self, seconds, function):
        self.count += 1
        heapq.heappush(self.agenda, (time.monotonic() + seconds, self.count, function))

    def targets(self, blow):
        """Those whom it can hit, by class: [(name, pid), ...]."""
        kinds = {}
        for name, pid in sorted(self.running.processes().items()):
            kind = name.rsplit("-", 1)[0]
            if blow in BLOWS.get(kind, ()):
                kinds.setdefault(kind, []).append((name, pid))
        return kinds

    def strike(self):
        self.after(self.random.uniform(0.3, 1.7) * self.every, self.strike)
        try:
            blow = self.random.choice(self.possible)
            kinds = self.targets(blow)
            kind = self.random.choice(sorted(kinds))
            name, pid = self.random.choice(kinds[kind])
            if not self.is_of_system(kind, pid):
                raise ProcessLookupError  # the number is a stranger's already
            said = getattr(self, blow)(kind, name, pid)
        except (OSError, ValueError, IndexError):
            self.missed += 1  # it is gone
            return
        self.blows.append([round(time.monotonic() - self.began, 3), f"{blow} {name}{said}"])

    def is_of_system(self, kind, pid):
        """state.json is not written by a supervisor that is dead."""
        process = pathlib.Path(f"/proc/{pid}")
        if kind == "supervisor":
            return process.joinpath("comm").read_text() == "valorize\n"
        return any(str(self.running.data).encode() in process.joinpath(name).read_bytes()
                   for name in ("cmdline", "environ"))

    def kill(self, kind, _, pid):
        """Whoever is killed is started by the supervisor; the supervisor by us."""
        if kind != "supervisor":
            os.kill(pid, signal.SIGKILL)
            return ""
        environment, folder = environment_of(pid), os.readlink(f"/proc/{pid}/cwd")
        seconds = self.random.uniform(0, ALONE_S_MAX)
        os.kill(pid, signal.SIGKILL)
        self.after(seconds, lambda: self.successors.append(subprocess.Popen(
            [self.build / "bin" / "valorize", "up", "--detach"], env=environment, cwd=folder,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)))
        return f" for {seconds:.2f} s"

    def end(self, kind, _, pid):
        os.kill(pid, ENDS.get(kind, signal.SIGTERM))
        return ""

    def stop(self, kind, _, pid):
        """PostgreSQL with all its processes; it or the supervisor decides whether they go on."""
        seconds = self.random.uniform(0.1, STOPPED_S.get(kind, STOPPED_S_MAX))
        os.kill(pid, signal.SIGSTOP)
        pids = tree(pid) if kind == "postgres" else [pid]
        hit(pids, signal.SIGSTOP)
        self.after(seconds, lambda: hit(pids, signal.SIGCONT))
        return f" for {seconds:.2f} s"

    def part(self, _, name, __):
        client = self.random.choice([*self.partition.clients(), "*"])
        way, seconds = self.random.choice(WAYS), self.random.uniform(0.1, PARTED_S_MAX)
        self.partition.order(f"{way} {client} {name}")
        self.after(seconds, lambda: self.partition.order("heal"))
        return f" from {client} ({way}) for {seconds:.2f} s"

    def slow(self, _, __, ___):
        milliseconds = self.random.randint(*SLOW_MS)
        seconds = self.random.uniform(0.5, SLOW_S_MAX)
        self.disk.slow(milliseconds)
        self.after(seconds, self.disk.heal)
        return f"'s disk by {milliseconds} ms for {seconds:.2f} s"
