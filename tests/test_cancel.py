# SPDX-License-Identifier: Apache-2.0
"""Who leaves is not worked for any more, down to the statement in PostgreSQL."""
import re
import socket
import subprocess
import urllib.request

from client import Wire
from system import SLACK, until


def cancelled(system):
    with urllib.request.urlopen(system.state()["metrics"], timeout=20) as answer:
        samples = re.findall(r"^valorize_reads_cancelled_total\{.*\} (\d+)$",
                             answer.read().decode(), re.MULTILINE)
    return sum(map(int, samples))


def waiting(system):
    return int(system.sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                          " AND application_name LIKE 'query-%'")[0][0])


def test_a_client_that_leaves_stops_its_statement(private_system):
    user = private_system.user()
    before = cancelled(private_system)
    holder = subprocess.Popen(["psql", private_system.state()["database_url"], "-XAtq"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        holder.stdin.write("BEGIN; LOCK TABLE transactions; SELECT 'locked';\n")
        holder.stdin.flush()
        assert holder.stdout.readline() == "locked\n"
        wire = Wire(*private_system.address)
        wire.send("GET /api/transactions?start_date=2026-01-01 HTTP/1.1\r\nHost: a\r\n"
                  f"Authorization: Bearer {user.token}\r\n\r\n")
        until(lambda: waiting(private_system) == 1, 4 * SLACK, "the statement waits")
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        wire.__exit__()
        until(lambda: waiting(private_system) == 0, 2 * SLACK, "the statement was stopped")
        assert cancelled(private_system) == before + 1
    finally:
        holder.communicate("ROLLBACK;\n", timeout=20)
    assert user.get("/api/transactions", {"start_date": "2026-01-01"}).status == 200
