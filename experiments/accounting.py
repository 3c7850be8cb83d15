# SPDX-License-Identifier: Apache-2.0
"""CPU time by process from the kernel's own accounting, and the core a process is bound to.

A thread's time is the first number of /proc/PID/task/TID/schedstat, in nanoseconds. PostgreSQL's
children come and go; what an ended one used is in its parent's cutime and cstime, in steps of
10 ms, less what it had already used at the beginning.
"""
import contextlib
import os
import pathlib

TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def threads(pid):
    try:
        return [int(name) for name in os.listdir(f"/proc/{pid}/task")]
    except OSError:
        return []


def children(pid):
    found = []
    for thread in threads(pid):
        with contextlib.suppress(OSError):
            found += pathlib.Path(f"/proc/{pid}/task/{thread}/children").read_text().split()
    return [int(child) for child in found]


def cpu_ns(pid):
    """Of all threads a process has."""
    total = 0
    for thread in threads(pid):
        with contextlib.suppress(OSError):
            stat = pathlib.Path(f"/proc/{pid}/task/{thread}/schedstat").read_text()
            total += int(stat.split()[0])
    return total


def ended_children_ns(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[13]) + int(fields[14])) * TICK_NS


def role_of(pid):
    """"backends" for those that serve a client, else the name PostgreSQL gives the process."""
    try:
        title = pathlib.Path(f"/proc/{pid}/cmdline").read_text().split("\0")[0]
    except OSError:
        return "backends"
    name = title.removeprefix("postgres: ").strip()
    helpers = ("walwriter", "checkpointer", "background writer", "autovacuum launcher",
               "autovacuum worker", "logical replication launcher", "io worker")
    return next((helper for helper in helpers if name.startswith(helper)), "backends")


class Machine:
    """All processes of a running system, those of its servers included."""

    def __init__(self, running):
        self.postmaster = running.postmaster()
        self.named = {**running.processes(), "redis": running.redis_server(), "postgres": None}
        self.named = {name: pid for name, pid in self.named.items() if pid is not None}

    def pids(self):
        found = list(self.named.values())
        if self.postmaster is not None:
            found += [self.postmaster, *children(self.postmaster)]
        return found

    def snapshot(self):
        taken = {"named": {name: cpu_ns(pid) for name, pid in self.named.items()},
                 "postgres": {}, "ended": 0}
        if self.postmaster is not None:
            taken["postgres"] = {pid: cpu_ns(pid) for pid in children(self.postmaster)}
            taken["postgres"][self.postmaster] = cpu_ns(self.postmaster)
            taken["ended"] = ended_children_ns(self.postmaster)
            taken["roles"] = {pid: role_of(pid) for pid in taken["postgres"]}
        return taken

    def gone(self):
        """Names of processes that are not the ones we began with."""
        return [name for name, pid in self.named.items() if not threads(pid)]

    def spent(self, before, after):
        """Nanoseconds by process between two snapshots; PostgreSQL by role."""
        spent = {name: after["named"][name] - used for name, used in before["named"].items()}
        for pid, used in after["postgres"].items():
            role = "postmaster" if pid == self.postmaster else after["roles"][pid]
            name = f"postgres {role}"
            spent[name] = spent.get(name, 0) + used - before["postgres"].get(pid, 0)
        ended = after["ended"] - before["ended"]
        ended -= sum(used for pid, used in before["postgres"].items()
                     if pid not in after["postgres"])
        if ended >= 2 * TICK_NS:  # less is rounding
            spent["postgres ended"] = ended
        return spent

    @contextlib.contextmanager
    def bound_to(self, core):
        """Every thread of every process on one core, and afterwards where it was before."""
        before = {}
        for pid in self.pids():
            for thread in threads(pid):
                with contextlib.suppress(ProcessLookupError):
                    before[thread] = os.sched_getaffinity(thread)
                    os.sched_setaffinity(thread, {core})
        try:
            yield
        finally:
            for thread, cores in before.items():
                with contextlib.suppress(ProcessLookupError):
                    os.sched_setaffinity(thread, cores)
            for pid in self.pids():  # those begun meanwhile have it from their parents
                for thread in threads(pid):
                    if thread not in before:
                        with contextlib.suppress(ProcessLookupError):
                            os.sched_setaffinity(thread, set(range(os.cpu_count())))


def busy_ns():
    """CPU time of the whole machine, whoever used it."""
    fields = pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    user, nice, system, _idle, _wait, irq, softirq = (int(field) for field in fields[:7])
    return (user + nice + system + irq + softirq) * TICK_NS


def others_ns(pids):
    """CPU time of the whole machine but for these processes, in steps of 10 ms each. Of one that
    has ended and was not waited for, too."""
    fields = (pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
              for pid in pids)
    return busy_ns() - sum(int(each[11]) + int(each[12]) for each in fields) * TICK_NS
