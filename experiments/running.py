# SPDX-License-Identifier: Apache-2.0
"""The Valorize that runs, as every experiment sees it: addresses, database, metrics, processes; the
environment a figure belongs to; and the folder its result is kept in."""
import datetime
import http.client
import json
import os
import pathlib
import platform
import re
import socket
import subprocess
import sys
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULTS = ROOT / "experiments" / "results"
SCRATCH = ROOT / "build" / "experiments"  # what is too large to be kept


def refuse(sentence):
    """An experiment whose figures would not mean what they say ends here."""
    sys.exit(f"{pathlib.Path(sys.argv[0]).name}: {sentence}")


def run(command, **more):
    """What a program says; its complaint ends the experiment."""
    ended = subprocess.run(command, text=True, capture_output=True, **more)
    if ended.returncode != 0:
        refuse(f"{command[0]} failed: {(ended.stderr or ended.stdout).strip()[-2000:]}")
    return ended.stdout


def parent_of(pid):
    stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    return int(stat.rsplit(")", 1)[1].split()[1])


class Running:
    """A system that `./up` or `valorize up` has started with VALORIZE_DATA=<data>."""

    def __init__(self, data=None):
        self.data = pathlib.Path(data or os.environ.get("VALORIZE_DATA") or ROOT / ".valorize")
        try:
            state = self.state()
        except (OSError, ValueError):
            refuse(f"nothing runs with VALORIZE_DATA={self.data}: "
                   f"VALORIZE_TESTING=1 ./up --detach")
        self.http = state["http"].rstrip("/")
        self.host, self.port = (urllib.parse.urlsplit(self.http).hostname,
                                urllib.parse.urlsplit(self.http).port)
        self.database_url, self.redis_url = state["database_url"], state["redis_url"]
        self.ask("GET", "/readyz", wanted=200)

    def state(self):
        return json.loads((self.data / "run" / "state.json").read_text())

    def processes(self):
        """name -> pid of the supervisor and all it runs."""
        state = self.state()
        pids = {process["name"]: process["pid"] for process in state["processes"]
                if process["pid"]}
        pids["supervisor"] = state["supervisor"]
        return pids

    def is_ready(self, name):
        return any(process["name"] == name and process["state"] == "ready"
                   for process in self.state()["processes"])

    # Talking to it

    def ask(self, method, path, token=None, body=None, wanted=None):
        """One request on a connection of its own: (status, headers, JSON or None)."""
        headers = {"Accept": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if body is not None:
            headers["Content-Type"] = "application/json"
        connection = http.client.HTTPConnection(self.host, self.port, timeout=20)
        try:
            data = None if body is None else json.dumps(body)
            connection.request(method, path, data, headers)
            answer = connection.getresponse()
            data = answer.read()
        except OSError as trouble:
            refuse(f"{method} {path}: {trouble}")
        finally:
            connection.close()
        if wanted is not None and answer.status != wanted:
            refuse(f"{method} {path} answers {answer.status}, not {wanted}: {data[:300]!r}")
        is_json = "json" in (answer.headers.get("Content-Type") or "")
        return answer.status, answer.headers, json.loads(data) if is_json else None

    def psql(self, text, *arguments):
        return run(["psql", self.database_url, "-XAtq", "-F", "\t", "-v", "ON_ERROR_STOP=1",
                    *arguments, "-f", "-"], input=text)

    def sql(self, statement):
        """Rows as lists of text."""
        return [line.split("\t") for line in self.psql(statement + ";").splitlines()]

    def redis(self, *command):
        url = urllib.parse.urlsplit(self.redis_url)
        where = (["-s", url.path] if url.scheme == "unix"
                 else ["-h", url.hostname, "-p", str(url.port or 6379)])
        return run(["redis-cli", *where, *command]).strip()

    def redis_is_private(self):
        """One that `valorize up` made, so that nothing else is lost with its contents."""
        url = urllib.parse.urlsplit(self.redis_url)
        servers = os.path.realpath(self.data / "servers")  # may be a link to another disk's folder
        return url.scheme == "unix" and os.path.realpath(url.path).startswith(servers + "/")

    def forget_pages(self):
        """An empty cache, so that no page dies of age in the middle of a run."""
        if self.redis_is_private():
            self.redis("FLUSHDB")

    def counters(self, kind):
        """Sums over the processes of a class: "valorize_x_total" or 'valorize_x{label="y"}'."""
        sums = {}
        for name in self.processes():
            if name.rsplit("-", 1)[0] != kind:
                continue
            for line in self.admin(name, "metrics").splitlines():
                found = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
                if found is None:
                    continue
                labels = [label for label in (found[2] or "").split(",")
                          if label and not label.startswith("process=")]
                key = found[1] + (f"{{{','.join(labels)}}}" if labels else "")
                sums[key] = sums.get(key, 0.0) + float(found[3])
        return sums

    def admin(self, name, line):
        """What a process answers at its private door."""
        with socket.socket(socket.AF_UNIX) as door:
            door.settimeout(10)
            door.connect(str(self.data / "run" / f"{name}.sock"))
            door.sendall(line.encode() + b"\n")
            return b"".join(iter(lambda: door.recv(65536), b"")).decode()

    # Where it runs

    def postmaster(self):
        """PostgreSQL's first process, when it runs on this machine; else None."""
        [[pid]] = self.sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'")
        try:
            name = pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
            return parent_of(pid) if name.startswith("postgres") else None
        except OSError:
            return None

    def redis_server(self):
        found = re.search(r"process_id:(\d+)", self.redis("INFO", "server"))
        try:
            name = pathlib.Path(f"/proc/{found[1]}/comm").read_text().strip()
            return int(found[1]) if name.startswith("redis") else None
        except OSError:
            return None

    def environment(self):
        """What a reader needs to judge a figure or to repeat it."""
        program = pathlib.Path(f"/proc/{self.processes()['supervisor']}/exe").resolve()
        shown = ("server_version", "synchronous_commit", "fsync", "shared_buffers", "jit")
        return {
            **surroundings(program.parent.parent), "processes": sorted(self.processes()),
            "postgresql": {name: self.sql(f"SHOW {name}")[0][0] for name in shown},
            "redis": re.search(r"redis_version:(\S+)", self.redis("INFO", "server"))[1],
        }


def build_type(folder):
    """Of a build folder, as CMake knows it: only Release is measured for a figure."""
    try:
        cache = (folder / "CMakeCache.txt").read_text()
    except OSError:
        return "unknown"
    kind = re.search(r"^CMAKE_BUILD_TYPE:\w+=(.*)$", cache, re.M)
    sanitizers = re.search(r"^VALORIZE_SANITIZE:\w+=(.+)$", cache, re.M)
    return (kind[1] if kind else "unknown") + (f" {sanitizers[1]}" if sanitizers else "")


def surroundings(build_folder):
    """The commit, the build and the machine."""
    cpu = re.search(r"^model name\s*: (.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    memory = re.search(r"MemTotal:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text())
    system = pathlib.Path("/etc/os-release").read_text()
    return {
        "commit": git("rev-parse", "HEAD"),
        "changed_files": len(git("status", "--porcelain", "--untracked-files=no").splitlines()),
        "build": build_type(build_folder),
        "cpu": cpu[1] if cpu else platform.machine(), "cpus": len(os.sched_getaffinity(0)),
        "memory_gib": round(int(memory[1]) / 2**20, 1), "kernel": platform.release(),
        "system": re.search(r'PRETTY_NAME="(.*)"', system)[1],
        "load_average": os.getloadavg()[0],
    }


def git(*arguments):
    """Of this repository; empty in a copy without one."""
    ended = subprocess.run(["git", "-C", str(ROOT), *arguments], text=True, capture_output=True)
    return ended.stdout.strip() if ended.returncode == 0 else ""


def now():
    return datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0).isoformat()


def command_line():
    """As it was typed, from the top of the repository."""
    program = os.path.relpath(os.path.abspath(sys.argv[0]), ROOT)
    return " ".join([program, *sys.argv[1:]])


def commit_of(environment):
    changed = environment["changed_files"]
    return environment["commit"][:12] + (f" and {changed} changed files" if changed else "")


def heading(result, about):
    """The first lines of everything that is printed: what was run, on what, with which seeds."""
    environment = result["environment"]
    lines = [f"$ {result['command']}", f"{result['began']}, commit {commit_of(environment)}, "
             f"{environment['build']} build, {about}",
             f"{environment['cpus']} cores of {environment['cpu']}, {environment['system']}, "
             f"kernel {environment['kernel']}, load average at the start "
             f"{environment['load_average']:.2f}"]
    if environment["build"] != "Release":
        lines.append("Not a Release build: these are not the system's figures.")
    return lines


def keep(question, result, text):
    """Writes result.json and the printed text; returns the folder, which gets a free name."""
    day = datetime.date.today().isoformat()
    for number in range(1, 1000):
        folder = RESULTS / (f"{day}-{question}" + (f"-{number}" if number > 1 else ""))
        try:
            folder.mkdir(parents=True)
            break
        except FileExistsError:
            continue
    (folder / "result.json").write_text(json.dumps(result, indent=1) + "\n")
    (folder / "result.txt").write_text(text.rstrip() + "\n")
    return folder
