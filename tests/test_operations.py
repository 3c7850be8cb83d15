# SPDX-License-Identifier: Apache-2.0
"""The operators' commands on a running system."""
import json
import signal
import subprocess
import threading

import pytest

from conftest import lend
from load import Load
from system import PROGRAM, ROOT, SLACK, System, alive, until


def valorize(system, *arguments, timeout=60, **environment):
    """`valorize <arguments>` as its operator runs it: (exit code, all it said)."""
    ended = subprocess.run([PROGRAM, *arguments], timeout=timeout, cwd=ROOT, text=True,
                           env={**system.environment, **environment}, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT)
    return ended.returncode, ended.stdout


def sessions(system):
    code, said = valorize(system, "peers", "--json")
    assert code == 0, said
    return json.loads(said)["peers"]


# --- peers ----------------------------------------------------------------------------------------

def test_peers_are_every_process_at_every_broker(private_system):
    system = private_system
    until(system.all_ready, 10, "all are ready")
    wanted = {(broker, name, system.pid(name)) for broker in system.names("broker")
              for kind in ("query", "command", "http") for name in system.names(kind)}
    until(lambda: {(row["broker"], row["name"], row["pid"]) for row in sessions(system)} == wanted,
          10, "every process has a session with every broker")
    assert {row["state"] for row in sessions(system)} == {"up"}
    rows = {(row["broker"], row["name"]): row for row in sessions(system)}
    assert rows["broker-1", "query-1"]["role"] == "query"
    assert rows["broker-2", "http-1"]["role"] == "edge" and rows["broker-2", "http-1"]["credit"] > 0
    assert all(0 <= row["silent_ms"] < 1500 for row in rows.values())

    code, table = valorize(system, "peers")
    assert code == 0, table
    lines = [line.split()[:5] for line in table.splitlines()]
    assert lines[0][:3] == ["broker", "session", "role"]
    assert ["broker-2", "command-1", "command", str(system.pid("command-1")), "up"] in lines
    assert len(lines) == 1 + len(wanted)


def test_peers_of_nobody_says_what_to_do(private_system, tmp_path):
    code, said = valorize(private_system, "peers", VALORIZE_DATA=str(tmp_path))
    assert code == 1 and "valorize up" in said and str(tmp_path) in said
    code, said = valorize(private_system, "peers", "--jsn")
    assert code == 2 and "--json" in said


# --- restart --rolling ----------------------------------------------------------------------------

def pids(system):
    """Of our own processes; PostgreSQL and Redis are not restarted."""
    return {name: process["pid"] for name, process in system.processes().items()
            if name not in ("postgres", "redis")}


@pytest.mark.parametrize("edges", ["1", "2"])
def test_a_rolling_restart_under_load_fails_no_request(edges):
    for system in lend(System(VALORIZE_HTTP_COUNT=edges)):
        servers = [system.pid("postgres"), system.pid("redis")]
        before = pids(system)
        with Load(system) as load:
            until(lambda: len(load.acknowledged) >= 20, 20 * SLACK, "the load writes")
            code, said = valorize(system, "restart", "--rolling", timeout=120 * SLACK)
            assert code == 0, said
            count = load.count()
            until(lambda: load.count() >= count + 50, 20 * SLACK, "requests go on")
        assert not load.failures(), (load.failures()[:5], said)
        load.assert_nothing_lost()

        after = pids(system)
        assert after.keys() == before.keys()
        assert not set(after.values()) & set(before.values()), "somebody was left out"
        assert [system.pid("postgres"), system.pid("redis")] == servers
        told = [line.split()[0] for line in said.splitlines() if "ready again" in line]
        assert told == sorted(told, key=lambda name: ("broker", "query", "command", "http").index(
            name.rsplit("-", 1)[0])), "brokers, actors, edges"
        for kind in ("query", "command", "http"):
            further = f"{kind}-{len(system.names(kind)) + 1} "
            assert said.count(further) == 1, "one more serves while a class restarts"
            assert said.index(further) < said.index(f"{kind}-1 ")
        assert sorted(told) == sorted(before) and f"{len(before)} processes" in said
        assert {row["pid"] for row in sessions(system)} == {
            pid for name, pid in after.items() if not name.startswith("broker")}


def test_a_rolling_restart_stops_where_a_new_process_does_not_last(private_system):
    system = private_system
    until(system.all_ready, 10 * SLACK, "all are ready")
    before = pids(system)
    command = subprocess.Popen([PROGRAM, "restart", "--rolling"], cwd=ROOT, text=True,
                               env=system.environment, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT)
    for line in command.stdout:
        if line.split()[0] == "query-1":
            system.signal("query-1", signal.SIGKILL)
            break
    said = command.stdout.read()
    assert command.wait() == 1 and "query-1" in said and "soon after it was ready" in said, said
    until(system.all_ready, 10 * SLACK, "the supervisor has started it again")
    untouched = ("query-2", "command-1", "command-2", "http-1")
    assert {name: pids(system)[name] for name in untouched} == {name: before[name]
                                                                for name in untouched}


def test_a_rolling_restart_of_what_is_not_whole_is_refused(private_system):
    system = private_system
    until(system.all_ready, 10 * SLACK, "all are ready")
    before = pids(system)
    system.signal("query-1", signal.SIGSTOP)  # killed in a moment, and started again
    code, said = valorize(system, "restart", "--rolling")
    assert code == 1 and "query-1" in said and "--status" in said
    until(lambda: system.is_back("query-1", before["query-1"]), 10 * SLACK, "query-1 is back")
    before["query-1"] = pids(system)["query-1"]
    assert pids(system) == before
    code, said = valorize(system, "restart")
    assert code == 2 and "--rolling" in said and "drain" in said


def test_a_single_broker_is_not_restarted_by_rolling():
    for system in lend(System(VALORIZE_BROKER_COUNT="1")):
        until(system.all_ready, 10 * SLACK, "all are ready")
        before = pids(system)
        code, said = valorize(system, "restart", "--rolling")
        assert code == 1 and "VALORIZE_BROKER_COUNT" in said
        assert pids(system) == before


# --- drain, start ---------------------------------------------------------------------------------

def test_a_drained_process_is_replaced(private_system):
    system = private_system
    until(system.all_ready, 10 * SLACK, "all are ready")
    for name in ("command-1", "broker-2"):
        old = system.pid(name)
        code, said = valorize(system, "drain", name)
        assert code == 0 and str(old) in said and str(system.pid(name)) in said
        assert system.pid(name) != old and not alive(old)
        assert "exit code 0" in system.processes()[name]["why"], "it ended by itself"


def test_a_drained_process_stays_down_until_it_is_started(private_system):
    system = private_system
    until(system.all_ready, 10 * SLACK, "all are ready")
    old = system.pid("query-2")
    with Load(system, users=2) as load:
        until(lambda: len(load.acknowledged) >= 5, 20 * SLACK, "the load writes")
        code, said = valorize(system, "drain", "query-2", "--stay")
        assert code == 0 and "valorize start query-2" in said
        assert not alive(old)
        process = system.processes()["query-2"]
        assert (process["state"], process["pid"]) == ("down", 0)
        code, table = system.run("--status")
        assert code == 0, "what was left down is not missed"
        assert any(line.split()[:3] == ["query-2", "0", "down"] for line in table.splitlines())
        assert "query-2" not in {row["name"] for row in sessions(system)}
        code, said = valorize(system, "drain", "--stay", "query-2")
        assert code == 0 and "was down" in said

        code, said = valorize(system, "start", "query-2")
        assert code == 0 and str(system.pid("query-2")) in said
    assert not load.failures(), load.failures()[:5]
    until(system.all_ready, 10 * SLACK, "all are ready")


def test_one_more_process_than_configured(private_system):
    system = private_system
    until(system.all_ready, 10 * SLACK, "all are ready")
    code, said = valorize(system, "start", "query-3")
    assert code == 0, said
    until(lambda: [row["state"] for row in sessions(system) if row["name"] == "query-3"]
          == ["up", "up"], 10 * SLACK, "query-3 takes work")
    code, said = valorize(system, "drain", "query-3", "--stay")
    assert code == 0, said
    assert "query-3" not in system.processes(), "nobody misses it"
    code, said = valorize(system, "start", "query-3")
    assert code == 0, "as often as one likes"
    assert valorize(system, "drain", "query-3", "--stay")[0] == 0


@pytest.mark.parametrize("arguments, code, word", [
    (("drain", "querry-1"), 1, "broker-1, broker-2, query-1"),
    (("drain", "redis"), 1, "PostgreSQL and Redis"),
    (("drain", "query-1 stay"), 2, "--status"),
    (("drain", "--stay"), 2, "--status"),
    (("drain",), 2, "--status"),
    (("drain", "query-1", "--sty"), 2, "--stay"),
    (("start", "broker-3"), 1, "broker-1, broker-2, query-1"),
    (("start", "query-03"), 1, "There is no process"),
    (("start", "query-33"), 1, "There is no process"),
    (("start", "query-"), 1, "There is no process"),
    (("start", "postgres"), 1, "PostgreSQL and Redis"),
    (("start",), 2, "query-2"),
])
def test_wrong_names_change_nothing(private_system, arguments, code, word):
    before = pids(private_system)
    told, said = valorize(private_system, *arguments)
    assert (told, pids(private_system)) == (code, before), said
    assert word in said


# --- pause, resume --------------------------------------------------------------------------------

@pytest.fixture
def pausing(private_system):
    """Whatever the test pauses goes on after it."""
    until(private_system.all_ready, 10 * SLACK, "all are ready")
    yield private_system
    for name in ("list_banks", "list_categories"):
        assert valorize(private_system, "resume", name)[0] == 0


def test_a_paused_operation_is_refused_at_once_until_it_is_resumed(pausing):
    system = pausing
    user = system.user()
    assert user.get("/api/banks").status == 200
    code, said = valorize(system, "pause", "list_banks")
    assert code == 0 and "broker-1, broker-2" in said and "valorize resume list_banks" in said
    answer = user.get("/api/banks")
    assert answer.status == 503 and answer.header("Retry-After") == "1"
    assert user.get("/api/categories").status == 200, "others go on"
    valorize(system, "pause", "list_categories")
    code, top = valorize(system, "top")
    assert "paused by an operator: list_banks, list_categories" in top
    assert "ended without an actor's answer: paused 1" in top

    code, said = valorize(system, "resume", "list_banks")
    assert code == 0, said
    assert user.get("/api/banks").status == 200
    assert user.get("/api/categories").status == 503
    code, said = valorize(system, "resume", "list_categories")
    assert "paused" not in valorize(system, "top")[1].split("ended without")[0]
    code, said = valorize(system, "resume", "list_categories")
    assert code == 0 and "was not paused" in said


def test_a_pause_outlives_the_brokers(pausing):
    system = pausing
    user = system.user()
    old = {name: system.pid(name) for name in system.names("broker")}
    system.signal("broker-1", signal.SIGSTOP)  # does not hear of it, and is killed in a moment
    code, said = valorize(system, "pause", "list_banks")
    assert code == 0 and "broker-1 did not take note" in said and "broker-2: requests" in said
    old["broker-2"] = system.signal("broker-2", signal.SIGKILL)
    for name, pid in old.items():
        until(lambda: system.is_back(name, pid), 10 * SLACK, f"{name} is back")
    until(system.all_ready, 10 * SLACK, "all are ready")
    assert user.get("/api/banks").status == 503


def test_only_operations_are_paused(private_system, tmp_path):
    for command in ("pause", "resume"):
        code, said = valorize(private_system, command, "list_bank")
        assert code == 1 and "list_banks, " in said
        code, said = valorize(private_system, command, "../list_banks")
        assert code == 1 and "There is no operation" in said
        code, said = valorize(private_system, command)
        assert code == 2 and "operation" in said
        code, said = valorize(private_system, command, "list_banks", VALORIZE_DATA=str(tmp_path))
        assert code == 1 and "valorize up" in said
    assert not any(tmp_path.iterdir())


# --- trace ----------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def talkative_system():
    yield from lend(System(VALORIZE_LOG_LEVEL="debug"))


TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def test_a_trace_has_the_lines_of_all_processes_in_order(talkative_system):
    system = talkative_system
    user = system.user()
    headers = {"X-Request-Id": "a-report.7", "traceparent": f"00-{TRACE}-00f067aa0ba902b7-00"}
    # A fault that an actor logs: what the statement needs is gone for a moment.
    system.sql("ALTER TABLE banks RENAME TO banks_away")
    assert user.request("GET", "/api/banks", headers=headers).status == 500
    system.sql("ALTER TABLE banks_away RENAME TO banks")
    assert user.request("GET", "/api/accounts", headers={"X-Request-Id": "another"}).status == 200

    code, said = valorize(system, "trace", TRACE)
    assert code == 0, said
    lines = [line.split() for line in said.splitlines()]
    assert lines == sorted(lines, key=lambda words: words[0])
    assert lines[0][1] == "ERROR" and lines[0][2].startswith("query-")
    assert lines[-1][2] == "http-1" and 'request_id="a-report.7"' in said and 'code="500"' in said
    assert "another" not in said
    assert valorize(system, "trace", "a-report.7")[1] == said, "the request's id leads to its trace"

    code, said = valorize(system, "trace", "--json", TRACE)
    rows = [json.loads(line) for line in said.splitlines()]
    assert {row["logging.googleapis.com/trace"] for row in rows} == {TRACE}
    assert len(rows) == len(lines)


@pytest.mark.newer("an edge that logs what failed")
def test_a_request_that_failed_is_found_by_the_id_that_its_client_chose(pausing):
    system = pausing
    user = system.user()
    valorize(system, "pause", "list_banks")
    headers = {"X-Request-Id": "complaint-0815"}
    assert user.request("GET", "/api/banks", headers=headers).status == 503
    code, said = valorize(system, "trace", "complaint-0815")
    assert code == 0, said
    line, = said.splitlines()
    assert "http-1" in line and "A request failed." in line and 'code="503"' in line
    assert 'path="/api/banks"' in line and 'timing="edge;dur=' in line


def test_an_id_that_no_log_has(private_system, tmp_path):
    code, said = valorize(private_system, "trace", "0" * 32)
    assert code == 1 and "VALORIZE_LOG_LEVEL=debug" in said and "X-Request-Id" in said
    for arguments in ((), ("a b",), ("--json",), (TRACE, "--jsn")):
        code, said = valorize(private_system, "trace", *arguments)
        assert code == 2 and "X-Request-Id" in said
    code, said = valorize(private_system, "trace", TRACE, VALORIZE_DATA=str(tmp_path))
    assert code == 1 and "no logs" in said and "VALORIZE_DATA" in said


# --- inflight -------------------------------------------------------------------------------------

def test_where_a_request_is(private_system):
    system = private_system
    until(system.all_ready, 10 * SLACK, "all are ready")
    user = system.user()
    headers = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-00"}
    lock = subprocess.Popen(["psql", system.state()["database_url"], "-XAtq"], text=True,
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    lock.stdin.write("BEGIN; LOCK TABLE banks; SELECT 'locked';\n")
    lock.stdin.flush()
    assert lock.stdout.readline() == "locked\n"
    answers = []
    asking = threading.Thread(target=lambda: answers.append(
        user.request("GET", "/api/banks", headers=headers)))
    asking.start()

    def at_an_actor():
        code, said = valorize(system, "inflight", TRACE, "--json")
        rows = json.loads(said)["requests"] if code == 0 else []
        return [row for row in rows if row["actor"]]
    row, = until(at_an_actor, 4 * SLACK, "an actor has it")
    assert row["operation"] == "list_banks" and row["tenant"] == user.user_id
    assert row["edge"] == "http-1" and row["broker"] in system.names("broker")
    assert row["actor"] in system.names("query") and row["trace"] == TRACE
    for arguments in ((TRACE,), (str(row["correlation"]),), ()):
        code, table = valorize(system, "inflight", *arguments)
        assert code == 0, table
        assert f"at {row['actor']}, by {row['broker']}" in table and "list_banks" in table
    lock.stdin.write("ROLLBACK;\n")
    lock.stdin.close()
    asking.join(20)
    assert lock.wait(10) == 0 and answers[0].status == 200

    code, said = valorize(system, "inflight", TRACE)
    assert code == 1 and f"valorize trace {TRACE}" in said
    code, said = valorize(system, "inflight")
    assert code == 0 and "No request is without an answer" in said


def test_an_id_that_no_request_can_have(private_system, tmp_path):
    for arguments in (("x",), ("1 2",), ("--jsn",), ("1", "2"), (TRACE + "0",)):
        code, said = valorize(private_system, "inflight", *arguments)
        assert code == 2 and "X-Request-Id" in said, said
    code, said = valorize(private_system, "inflight", "7", VALORIZE_DATA=str(tmp_path))
    assert code == 1 and "valorize up" in said
