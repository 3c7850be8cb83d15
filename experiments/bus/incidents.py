# SPDX-License-Identifier: Apache-2.0
"""What the blows of experiments/bus/nemesis explain, and what the logs tell of that they do not.

  bugs      a failed assertion, ours or a library's; an end by a signal that nobody sends or with an
            exit code; an end that no blow of that process explains; one that cannot be started
  poison    an edge took a request for the cause of two dead actors: no request here is one
"""
import datetime
import json
import re
import signal

SENT = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
ENDS = ("A process ended", "A process is failing")
NO_START = "A process cannot be started"
POISON = "A request is poison"
ASSERTION = re.compile(r"assertion .*failed", re.I)  # libzmq's and the C library's, too
BACK_S = 6  # of a process after its death: the supervisor waits up to 5 s where many have died
DRAIN_S = 9  # of an edge that is to end: until then it waits for clients' connections
EXPLAINED_S = 25  # an end so long after a blow is that blow's


def parted(blow):
    """(seconds, what, name, how long) of [3.2, "stop broker-2 for 1.50 s"]."""
    at, said = blow
    what, name = said.split()[:2]
    lasts = re.search(r" for ([\d.]+) s$", said)
    return at, what, name, float(lasts[1]) if lasts else 0.0


def edges_away(blows):
    """When clients may find no edge, or lose one: [(from, until), ...] in the blows' seconds. One
    that dies while no supervisor is there stays away until there is."""
    blows = [parted(blow) for blow in blows]
    alone = [(at, at + lasts + BACK_S) for at, _, name, lasts in blows if name == "supervisor"]
    away = []
    for at, what, name, lasts in blows:
        if not name.startswith("http-"):
            continue
        until = at + lasts + BACK_S + (DRAIN_S if what == "end" else 0)
        for begin, end in alone:
            if begin <= until and end >= at:
                until = max(until, end + BACK_S)
        away.append((at, until))
    return away


def never_hit(blows, possible, kinds, every_enough=10):
    """Blows, and classes of processes, that a run of so many blows should have had about
    `every_enough` times or more and had not once. possible: the blows that were allowed; kinds: by
    class, the blows it can have."""
    wanted = {}
    for blow in possible:
        hit = [kind for kind, each in kinds.items() if blow in each]
        for name, part in ((blow, 1), *((kind, 1 / len(hit)) for kind in hit)):
            wanted[name] = wanted.get(name, 0) + len(blows) * part / len(possible)
    had = set()
    for blow in blows:
        _, what, name, _ = parted(blow)
        had |= {what, name.removesuffix("'s").rsplit("-", 1)[0]}
    return sorted(name for name, count in wanted.items()
                  if count >= every_enough and name not in had)


class Judge:
    """Of log lines. began: the blows' zero, seconds since the epoch."""

    def __init__(self, blows, began):
        self.blows = [parted(blow) for blow in blows]
        self.began = began
        self.bugs, self.poison = [], []

    def take(self, line):
        if POISON in line:
            self.poison.append(line.strip())
        elif self.is_bug(line):
            self.bugs.append(line.strip())

    def is_bug(self, line):
        told = self.parse(line)
        message = told.get("message", "")
        if message.startswith(ENDS):  # its last line may tell of an assertion that is counted there
            return not self.is_explained(told)
        return message.startswith(NO_START) or ASSERTION.search(line) is not None

    @staticmethod
    def parse(line):
        try:
            told = json.loads(line)
        except ValueError:
            return {}
        return told if isinstance(told, dict) else {}

    def is_explained(self, told):
        code = re.search(r"exit code (\d+)", told["why"])
        number = re.search(r"by signal (\d+)", told["why"])
        if code and int(code[1]) != 0 or number and int(number[1]) not in SENT:
            return False
        at = datetime.datetime.fromisoformat(told["time"].replace("Z", "+00:00")).timestamp()
        silent = "sign of life" in told["why"]  # in the eyes of a supervisor that may itself hang
        return any(begin - 1 <= at - self.began <= begin + lasts + EXPLAINED_S
                   for begin, what, name, lasts in self.blows
                   if name == told["name"] and what in ("kill", "stop", "end")
                   or silent and (name == "supervisor" or what == "slow"))


def new_lines(folder, sizes, since):
    """Lines that came into the logs of a folder after `sizes` were taken (seconds since the epoch).
    A long log moves to <name>.log.1 and begins anew."""
    for path in sorted(folder.glob("*.log")):
        older = path.with_name(path.name + ".1")
        moved = older.exists() and older.stat().st_mtime >= since
        size = sizes.get(path.name, 0)
        for piece, at in [(older, size), (path, 0)] if moved else [(path, size)]:
            with piece.open(errors="replace") as file:
                file.seek(at)
                yield from file


def sizes_of(folder):
    return {path.name: path.stat().st_size for path in folder.glob("*.log")}
