# SPDX-License-Identifier: Apache-2.0
"""`valorize up`: start, watch, adopt, stop."""
import contextlib
import os
import pathlib
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import threading
import time

import pytest

from system import PROGRAM, SLACK, System, alive, until

CLASSES = ("postgres", "redis", "broker-1", "query-1", "command-1", "http-1")


@pytest.fixture
def fresh():
    """A system that the test starts and stops; whatever happens, nothing of it is left."""
    system = System()
    yield system
    system.run("--stop")
    system.kill_all()
    system.remove()


def back_again(system, name, old_pid, seconds):
    until(lambda: system.is_back(name, old_pid), seconds * SLACK, f"{name} is back")


def all_pids(system):
    return {name: process["pid"] for name, process in system.processes().items()}


def kill_supervisor(system):
    supervisor = system.state()["supervisor"]
    os.kill(supervisor, signal.SIGKILL)
    if system.process is not None:
        system.process.wait()
        system.process = None
    until(lambda: not alive(supervisor), 5, "the supervisor is gone")


# --- start, status, stop --------------------------------------------------------------------------

def test_detach_status_stop(fresh):
    code, said = fresh.run("--detach")
    assert code == 0, said
    assert fresh.state()["http"] in said
    assert "brokers: broker-1 broker-2" in said and " s\n" in said
    pids = all_pids(fresh)
    assert all(alive(pid) for pid in pids.values())
    assert set(CLASSES) <= set(pids)

    until(fresh.all_ready, 10 * SLACK, "all are ready")
    code, table = fresh.run("--status")
    assert code == 0, table
    for name, pid in pids.items():
        assert any(line.split()[:3] == [name, str(pid), "ready"] for line in table.splitlines())

    code, said = fresh.run()
    assert code == 1 and str(fresh.state()["supervisor"]) in said and "--stop" in said
    assert all_pids(fresh) == pids, "a second up disturbs nobody"

    code, said = fresh.run("--stop")
    assert code == 0, said
    assert not [name for name, pid in pids.items() if alive(pid)]
    code, said = fresh.run("--status")
    assert code == 1 and "Nothing runs" in said
    assert fresh.run("--stop")[0] == 0
    (fresh.data / "up.out").write_text(said)
    assert not fresh.bugs()


def test_demo_token_opens_the_demo_user(fresh):
    code, said = fresh.run("--detach")
    assert code == 0, said
    path = fresh.data / "demo-token"
    token = path.read_text().strip()
    assert token in said and str(path) in said
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    answer = fresh.client(token).get("/api/transactions?per_page=1")
    assert answer.status == 200 and 30 <= answer.json["meta"]["total"] <= 60
    fresh.run("--stop")
    code, said = fresh.run("--detach")
    assert code == 0 and token in said, "the token stays the same"
    assert fresh.client(token).get("/api/accounts").status == 200


def test_the_line_to_try_works_as_it_is_printed():
    system = System(folder=tempfile.mkdtemp(prefix="vz a'b $c-", dir="/tmp"))
    try:
        code, said = system.run("--detach")
        assert code == 0, said
        line = next(line for line in said.splitlines() if line.split()[:1] == ["try"])
        tried = subprocess.run(["bash", "-c", line.strip().removeprefix("try")], text=True,
                               capture_output=True, timeout=30)
        assert '"per_page":1' in tried.stdout, tried
    finally:
        system.run("--stop")
        system.remove()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_another_user_is_told_whose_the_folder_is(fresh):
    fresh.start()
    for option in ("--status", "--stop"):
        ended = subprocess.run([PROGRAM, "up", option], env=fresh.environment, user="nobody",
                               group="nogroup", extra_groups=[], cwd="/", text=True,
                               capture_output=True, timeout=30)
        assert ended.returncode == 1 and not ended.stdout, ended
        assert f"{fresh.data} belongs to another user, root" in ended.stderr
    fresh.stop()


def test_second_start_is_fast(fresh):
    fresh.start()
    fresh.stop()
    before = time.monotonic()
    fresh.start()
    assert time.monotonic() - before < 3 * SLACK
    fresh.stop()


def test_a_second_signal_hurries(fresh):
    fresh.start()
    pids = all_pids(fresh)
    with socket.create_connection(fresh.address) as slow:  # an edge waits for such a request
        slow.sendall(b"POST /api/accounts HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{")
        fresh.process.send_signal(signal.SIGTERM)
        until(lambda: fresh.state()["state"] == "ending", 5 * SLACK, "it has begun to end")
        before = time.monotonic()
        fresh.process.send_signal(signal.SIGTERM)
        assert fresh.process.wait(30 * SLACK) == 0
    assert time.monotonic() - before < 3 * SLACK
    fresh.process = None
    assert not [name for name, pid in pids.items() if alive(pid)]


def test_private_files_and_an_unprivileged_user(fresh):
    fresh.start()
    for folder in ("run", "log"):
        assert stat.S_IMODE((fresh.data / folder).stat().st_mode) == 0o700
    for file in [fresh.data / "run" / "state.json", *(fresh.data / "log").iterdir()]:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    for name in ("postgres", "redis"):
        assert os.stat(f"/proc/{fresh.pid(name)}").st_uid != 0
    fresh.stop()


@pytest.mark.skipif(os.getuid() != 0, reason="only root has a folder that others cannot reach")
def test_data_that_the_servers_cannot_reach_is_elsewhere():
    system = System(folder=tempfile.mkdtemp(prefix="vz-", dir="/root"))
    try:
        code, said = system.run("--detach")
        assert code == 0, said
        place = os.readlink(system.data / "servers")
        assert place.startswith("/var/lib/valorize/") and place in said
        assert system.sql("SELECT 1") == [["1"]]
    finally:
        system.run("--stop")
        shutil.rmtree(os.path.realpath(system.data / "servers"))
        system.remove()


def test_two_systems_side_by_side(fresh):
    fresh.start()
    other = System(folder=tempfile.mkdtemp(prefix="vz ção-", dir="/tmp"))
    try:
        other.start()
        assert other.sql("SELECT 1") == [["1"]] and other.redis("PING") == "PONG"
        assert other.address != fresh.address
        assert not set(all_pids(fresh).values()) & set(all_pids(other).values())
        other.stop()
    finally:
        other.kill_all()
        other.remove()
    assert fresh.client().get("/readyz").status == 200
    fresh.stop()


# --- what does not start --------------------------------------------------------------------------

@pytest.mark.parametrize("setting", ("VALORIZE_HTTP_PORT", "VALORIZE_METRICS_PORT"))
def test_a_port_in_use_is_refused(fresh, setting):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, said = fresh.run(**{setting: str(port)})
    assert code == 1
    assert setting in said and str(port) in said and "in use" in said
    assert fresh.run("--status")[0] == 1


def test_a_name_for_an_address_is_refused(fresh):
    code, said = fresh.run(VALORIZE_HTTP_ADDRESS="localhost")
    assert code == 1 and 'VALORIZE_HTTP_ADDRESS must be a numeric address' in said
    assert "localhost" in said and "VALORIZE_HTTP_PORT" not in said


def test_an_unknown_variable_is_refused(fresh):
    code, said = fresh.run(VALORIZE_HTTP_PROT="1")
    assert code == 2 and "VALORIZE_HTTP_PROT is not a setting" in said
    assert not (fresh.data / "run").exists()


def test_a_folder_no_socket_can_be_in_is_refused(fresh):
    long = fresh.data / ("x" * 80)
    code, said = fresh.run(VALORIZE_DATA=str(long))
    assert code == 1 and "too long" in said and "shorter" in said
    code, said = fresh.run(VALORIZE_DATA=str(fresh.data / "a,b"))
    assert code == 1 and "comma" in said


def test_unknown_words_are_refused(fresh):
    code, said = fresh.run("--detatch")
    assert code == 2 and "--detatch" in said
    ended = subprocess.run([PROGRAM, "upp"], capture_output=True, text=True)
    assert ended.returncode == 2 and "upp" in ended.stderr and "migrate" in ended.stderr
    code, said = fresh.run("--help")
    assert code == 0 and "VALORIZE_TESTING" in said and "--detach" in said


def test_a_start_that_fails_says_why_and_leaves_nobody(fresh):
    code, said = fresh.run("--detach", DATABASE_URL="postgresql://nobody@127.0.0.1:1/nothing")
    assert code == 1 and "DATABASE_URL" in said
    code, said = fresh.run("--status")
    assert code == 1 and "Nothing runs" in said


# --- deaths ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", CLASSES)
def test_a_killed_process_is_back(private_system, name):
    system = private_system
    restarts = system.processes()[name]["restarts"]
    old = system.signal(name, signal.SIGKILL)
    back_again(system, name, old, 2)
    assert system.processes()[name]["restarts"] == restarts + 1
    until(system.all_ready, 5 * SLACK, "all are ready")
    assert system.sql("SELECT 1") == [["1"]]
    assert system.redis("PING") == "PONG"
    assert system.client().get("/readyz").status == 200


@pytest.mark.parametrize("name", CLASSES)
def test_a_stopped_process_is_killed_and_back(private_system, name):
    system = private_system
    old = system.signal(name, signal.SIGSTOP)
    back_again(system, name, old, 8 if name == "postgres" else 2)
    assert not alive(old)
    until(system.all_ready, 5 * SLACK, "all are ready")


@pytest.mark.parametrize("kind", ("query", "command"))
def test_an_edge_without_a_class_of_actors_is_not_ready(private_system, kind):
    system = private_system
    until(system.all_ready, 5 * SLACK, "all are ready")
    for name in system.names(kind):
        assert subprocess.run([PROGRAM, "drain", "--stay", name], env=system.environment,
                              capture_output=True).returncode == 0
    client = system.client()
    until(lambda: client.get("/readyz").status == 503, 3 * SLACK, "it is not ready")
    assert client.get("/healthz").status == 200
    assert subprocess.run([PROGRAM, "start", f"{kind}-1"], env=system.environment,
                          capture_output=True).returncode == 0
    until(lambda: client.get("/readyz").status == 200, 5 * SLACK, "it is ready with one of them")
    subprocess.run([PROGRAM, "start", f"{kind}-2"], env=system.environment, capture_output=True)
    until(system.all_ready, 5 * SLACK, "all are ready")


def session_nice(pid):
    """Of the session in which the kernel shares a core; None: it does not do that."""
    try:
        return int(pathlib.Path(f"/proc/{pid}/autogroup").read_text().split()[-1])
    except FileNotFoundError:
        return None


def test_who_works_gives_way_to_who_takes_in(private_system):
    """Among processes and among sessions, in those of new connections, too."""
    system = private_system
    until(system.all_ready, 5 * SLACK, "all are ready")
    pids = all_pids(system)
    own = os.getpriority(os.PRIO_PROCESS, 0)
    nice = {name: os.getpriority(os.PRIO_PROCESS, pid) - own for name, pid in pids.items()}
    front = {nice[name] for name in ("broker-1", "http-1", "redis")}
    actors = {nice[name] for name in ("query-1", "command-1")}
    assert front == {0} and min(actors) > 0 and nice["postgres"] >= max(actors)
    with subprocess.Popen(["psql", system.state()["database_url"], "-XAtqc",
                           "SELECT pg_sleep(60)"]) as held:
        until(lambda: len(system.sql("SELECT pid FROM pg_stat_activity WHERE query LIKE "
                                     "'%pg_sleep(60)%' AND pid <> pg_backend_pid()")) == 1,
              5 * SLACK, "it works")
        backends = [int(row[0]) for row in system.sql(
            "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()")]
        until(lambda: all(session_nice(pid) != 0 for pid in backends),
              20 * SLACK, "their sessions give way")
        held.terminate()
    assert session_nice(pids["http-1"]) in (0, None)


def test_a_postgres_that_makes_no_session_is_alive(private_system):
    """For longer than a silent one lives. Nor does asking it fill its log."""
    system = private_system
    until(system.all_ready, 5 * SLACK, "all are ready")
    pid, log = system.pid("postgres"), system.data / "log" / "postgres.log"
    before = log.stat().st_size
    locked = subprocess.Popen(["psql", system.state()["database_url"], "-XAtqc",
                               "BEGIN; LOCK pg_authid, pg_database; SELECT pg_sleep(7)"])
    assert locked.wait(30 * SLACK) == 0
    assert system.pid("postgres") == pid
    asked = log.read_bytes()[before:]
    assert b"startup packet" not in asked and b"SSL" not in asked, "no probe is logged"


def test_a_killed_postgres_takes_its_backends_along(private_system):
    system = private_system
    busy = subprocess.Popen(["psql", system.state()["database_url"], "-Xc",
                             "SELECT count(*) FROM generate_series(1, 10000000000)"],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(lambda: system.sql("SELECT count(*) FROM pg_stat_activity WHERE state = 'active' "
                             "AND query LIKE '%generate_series%'") == [["2"]], 10 * SLACK, "busy")
    old = system.signal("postgres", signal.SIGKILL)
    back_again(system, "postgres", old, 3)
    assert busy.wait(10) != 0
    until(lambda: system.sql("SELECT count(*) FROM pg_stat_activity WHERE state = 'active' "
                             "AND query LIKE '%generate_series%'") == [["1"]], 5 * SLACK, "quiet")


def test_a_process_that_cannot_start_is_failing_and_recovers(private_system):
    """Its admin socket is in the way: something else has its place."""
    system = private_system
    door = system.data / "run" / "query-2.sock"
    door.unlink()
    door.mkdir()
    until(lambda: system.processes()["query-2"]["state"] == "failing", 15 * SLACK, "it is failing")
    code, table = system.run("--status")
    assert code == 1
    row, reason = table[table.index("query-2"):].splitlines()[:2]
    assert "failing" in row and "query-2.sock cannot be made" in reason
    assert system.client().get("/readyz").status == 200, "nothing else stops"
    door.rmdir()
    until(system.all_ready, 8 * SLACK, "it is back by itself")


def test_logs_are_bounded(private_system):
    system = private_system
    log = system.data / "log" / "broker-2.log"
    with log.open("ab") as file:
        file.write(b"a line that says something\n" * 400_000)  # 10 MB
    until(lambda: log.stat().st_size < 1_000_000, 5 * SLACK, "the log is cut")
    older = log.with_name("broker-2.log.1")
    assert older.stat().st_size > 8_000_000
    assert stat.S_IMODE(older.stat().st_mode) == 0o600


# --- the supervisor's own death -------------------------------------------------------------------

@contextlib.contextmanager
def asking(system):
    """Asks the edge all the time; yields what went wrong."""
    wrong, over, answered = [], threading.Event(), threading.Event()

    def ask():
        client = system.client()
        while not over.is_set():
            try:
                answer = client.get("/readyz")
                if answer.status != 200:
                    wrong.append(answer.status)
            except OSError as error:
                wrong.append(error)
            answered.set()
        client.close()

    thread = threading.Thread(target=ask)
    thread.start()
    assert answered.wait(5 * SLACK)
    try:
        yield wrong
    finally:
        over.set()
        thread.join()


def test_a_killed_supervisor_is_replaced_without_a_failed_request(fresh):
    fresh.start()
    pids, address = all_pids(fresh), fresh.address
    with asking(fresh) as wrong:
        kill_supervisor(fresh)
        code, said = fresh.run("--status")
        assert code == 1 and all(name in said for name in pids)
        fresh.start()
    assert not wrong
    assert all_pids(fresh) == pids and fresh.address == address
    assert "Adopted" in fresh.said() and "settings" not in fresh.said()
    assert all(process["adopted"] for process in fresh.processes().values())
    for name in CLASSES:  # they are watched like own children
        back_again(fresh, name, fresh.signal(name, signal.SIGKILL), 2)
    until(fresh.all_ready, 5 * SLACK, "all are ready")
    assert fresh.address == address
    fresh.stop()


def test_adopted_processes_that_hang_are_replaced(fresh):
    fresh.start()
    port = fresh.address[1]
    kill_supervisor(fresh)
    old = fresh.signal("http-1", signal.SIGSTOP), fresh.signal("broker-2", signal.SIGSTOP)
    fresh.environment["VALORIZE_HTTP_PORT"] = str(port)
    fresh.start()
    assert fresh.address[1] == port
    until(fresh.all_ready, 5 * SLACK, "all are ready")
    assert not any(alive(pid) for pid in old)
    fresh.stop()


def test_what_adoption_cannot_change_is_told(fresh):
    fresh.start()
    kill_supervisor(fresh)
    fresh.environment.update(VALORIZE_LOG_LEVEL="warning", VALORIZE_QUERY_COUNT="1")
    fresh.start()
    said = fresh.said()
    assert "query-1 runs on with other settings (VALORIZE_LOG_LEVEL)" in said
    assert "query-2 is not part of this configuration" in said
    until(lambda: "query-2" not in fresh.processes(), 10 * SLACK, "query-2 has ended")
    kill_supervisor(fresh)
    code, said = fresh.run(DATABASE_URL="postgresql://elsewhere/x")
    assert code == 1 and "--stop" in said
    fresh.start()
    fresh.stop()


def test_stop_without_a_supervisor(fresh):
    fresh.start()
    pids = all_pids(fresh)
    kill_supervisor(fresh)
    code, said = fresh.run("--stop")
    assert code == 0 and str(len(pids)) in said
    assert not [name for name, pid in pids.items() if alive(pid)]
    assert "database system is shut down" in (fresh.data / "log" / "postgres.log").read_text()


def test_a_killed_supervisor_leaves_the_start_to_the_next(fresh):
    """Killed while the database is made."""
    output = open(fresh.data / "up.out", "ab")
    first = subprocess.Popen([PROGRAM, "up"], env=fresh.environment, stdout=output, stderr=output)
    until(lambda: (fresh.data / "servers" / "postgres.new").exists(), 10 * SLACK, "it has begun")
    first.kill()
    first.wait()
    output.close()
    fresh.start()
    assert pathlib.Path(fresh.data / "servers" / "postgres").is_dir()
    fresh.stop()
