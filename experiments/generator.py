# SPDX-License-Identifier: Apache-2.0
"""Open-loop load by experiments/bus/open_loop.c, and what became of each request.

  streams = [Stream("posts", texts, rate=1500, end=10), Stream("reads", others, rate=300, end=10)]
  with Generator((running.host, running.port), streams) as load:    # load.began: its start
      ...                                                           # strike, look
      load.wait()                              # load.summary, as open_loop prints it
  posts = [record for record in load.records() if record.stream == 0]

A request's text may hold {number}: open_loop puts the request's number in its stream there, eight
digits, so that few texts make a million distinct writes.
"""
import collections
import dataclasses
import json
import pathlib
import struct
import subprocess

from running import ROOT, SCRATCH, refuse, run

FORMAT = struct.Struct("=QQQq16sIIHHBBBB")  # struct record of experiments/bus/record.h
TROUBLES = ("none", "no connection", "connection ended", "no answer in time", "malformed",
            "never sent")


class Record(collections.namedtuple("Record", "due sent ended member id number text status "
                                              "sendings stream trouble retry_after unused")):
    """Times in microseconds of time.monotonic(); the rest as in record.h."""

    __slots__ = ()

    @property
    def ok(self):
        return 200 <= self.status < 300

    @property
    def ms(self):
        """From due to answered."""
        return (self.ended - self.due) / 1000

    @property
    def answer(self):
        """What a user would say of it: the status, or the trouble."""
        return str(self.status) if self.status else TROUBLES[self.trouble]


@dataclasses.dataclass
class Stream:
    """What open_loop's options mean is said in open_loop.c; times are seconds since the start."""

    name: str
    texts: list
    rate: float = 0  # 0: a closed loop
    begin: float = 0
    end: float = 0
    count: int = 0
    connections: int = 256
    order: str = "turn"
    timeout_ms: int = 10000
    repeat: int = 0
    member: str = ""

    def argument(self, path):
        named = {"requests": path, "rate": self.rate, "from": self.begin, "to": self.end,
                 "count": self.count, "connections": self.connections, "order": self.order,
                 "timeout_ms": self.timeout_ms, "repeat": self.repeat, "member": self.member}
        return ",".join(f"{name}={value}" for name, value in named.items() if value)


def text(host, method, path, token, body="", key=""):
    """One request as bytes; body is JSON, key its Idempotency-Key."""
    head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n"
    if key:
        head += f"Idempotency-Key: {key}\r\n"
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body.encode())}\r\n"
    return f"{head}\r\n{body}".encode()


class Generator:
    """Runs until all streams have ended; leaving the `with` earlier ends it."""

    def __init__(self, address, streams, seed=1, name="load", build=ROOT / "build" / "release"):
        """address: (host, port). Files are build/experiments/<name>.*, and stay there."""
        self.program = pathlib.Path(build) / "experiments" / "open_loop"
        run(["cmake", "--build", str(build), "--target", "open_loop"])
        SCRATCH.mkdir(parents=True, exist_ok=True)
        self.path = SCRATCH / f"{name}.records"
        self.command = [str(self.program), "{}:{}".format(*address), str(self.path), str(seed)]
        for stream in streams:
            requests = SCRATCH / f"{name}.{stream.name}.requests"
            requests.write_bytes(b"".join(b"%d\n%s" % (len(each), each) for each in stream.texts))
            self.command.append(stream.argument(requests))
        self.process, self.began, self.summary = None, 0.0, None

    def __enter__(self):
        self.process = subprocess.Popen(self.command, text=True, stdout=subprocess.PIPE)
        said = self.process.stdout.readline().split()
        if said[:1] != ["begin"]:
            refuse(f"the load did not begin: {' '.join(self.command)}")
        self.began = int(said[1]) / 1e6
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def stop(self):
        """Nothing more is due; what is under way goes on."""
        self.process.terminate()

    def wait(self):
        """Until the last request has ended."""
        said = self.process.stdout.read()
        if self.process.wait() != 0:
            refuse(f"the load ended with {self.process.returncode}")
        self.summary = json.loads(said)
        return self.summary

    def records(self):
        """All of the run, as they ended; one at a time, there may be millions."""
        return read(self.path)


def read(path):
    with open(path, "rb") as file:
        while piece := file.read(FORMAT.size << 14):
            yield from map(Record._make, FORMAT.iter_unpack(piece))


def quantile(records, part):
    """Milliseconds from due to answered."""
    times = sorted(record.ended - record.due for record in records)
    return times[min(len(times) - 1, int(len(times) * part))] / 1000 if times else 0.0


def answers(records):
    """How often each status or trouble, most frequent first."""
    return dict(collections.Counter(record.answer for record in records).most_common())
