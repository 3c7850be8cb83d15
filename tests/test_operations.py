# SPDX-License-Identifier: Apache-2.0
"""The operators' commands on a running system."""
import json
import subprocess

from system import PROGRAM, ROOT, until


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
