# SPDX-License-Identifier: Apache-2.0
"""The commands beside `valorize up`, and what it brings along: migrate, top, warm-up, the demo
user, the metrics port."""
import collections
import json
import re
import signal
import stat
import subprocess
import time
import urllib.parse
import urllib.request

import pytest

from client import serial
from load import Load
from system import PROGRAM, SLACK, until

SERVERS = {"postgres", "redis"}


def run(system, *arguments, **environment):
    """(exit code, stdout, stderr)"""
    ended = subprocess.run([PROGRAM, *arguments], env={**system.environment, **environment},
                           text=True, capture_output=True, timeout=60 * SLACK)
    return ended.returncode, ended.stdout, ended.stderr


# --- all of them ----------------------------------------------------------------------------------

@pytest.mark.parametrize("command, words", [
    ("migrate", ["DATABASE_URL"]),
    ("top", ["--once", "--json", "VALORIZE_DATA"]),
    ("warm-up", ["--tenants N", "DATABASE_URL", "VALORIZE_BROKERS"]),
])
def test_help_lists_options_and_settings(system, command, words):
    code, said, _ = run(system, command, "--help")
    assert code == 0
    assert all(word in said for word in words), said


@pytest.mark.parametrize("arguments", [
    ["migrate", "x"], ["top", "--twice"], ["warm-up", "--tenants"], ["warm-up", "--tenants", "0"],
    ["warm-up", "--tenants", "-3"], ["warm-up", "--tenants", "1000001"],
    ["warm-up", "--tenants", "x"], ["dance"], [],
])
def test_wrong_arguments_are_refused(system, arguments):
    code, said, trouble = run(system, *arguments)
    assert code == 2 and not said and "valorize" in trouble


@pytest.mark.parametrize("command", ["migrate", "top", "warm-up"])
def test_without_a_running_system_it_says_what_to_do(system, command, tmp_path):
    code, _, trouble = run(system, command, VALORIZE_DATA=str(tmp_path))
    assert code == 1
    assert str(tmp_path) in trouble and "valorize up" in trouble and "VALORIZE_DATA" in trouble


# --- migrate --------------------------------------------------------------------------------------

class Database:
    def __init__(self, system, name):
        self.system = system
        url = urllib.parse.urlsplit(system.state()["database_url"])
        self.url = urllib.parse.urlunsplit(url._replace(path="/" + name))

    def migrate(self):
        return run(self.system, "migrate", DATABASE_URL=self.url)

    def sql(self, statement):
        ended = subprocess.run(["psql", self.url, "-XAtqc", statement], text=True,
                               capture_output=True, timeout=60)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout.splitlines()


@pytest.fixture
def database(system):
    """An empty one beside the system's own."""
    name = f"empty_{serial()}"
    system.sql(f"CREATE DATABASE {name}")
    yield Database(system, name)
    system.sql(f"DROP DATABASE {name} WITH (FORCE)")


def test_migrate_twice_is_once(database):
    code, said, _ = database.migrate()
    assert code == 0 and said.count("applied ") == len(database.sql("TABLE schema_migrations"))
    before = database.sql("SELECT * FROM schema_migrations ORDER BY number")
    assert before and before[0].startswith("1|0001_")
    code, said, _ = database.migrate()
    assert code == 0 and "applied " not in said and f"({len(before)})" in said
    assert database.sql("SELECT * FROM schema_migrations ORDER BY number") == before


def test_migrate_finds_the_running_system(system):
    code, said, _ = run(system, "migrate")
    assert code == 0 and "The database has all migrations of this build" in said


def test_migrate_refuses_a_newer_database(database):
    database.migrate()
    count = len(database.sql("TABLE schema_migrations"))
    database.sql("INSERT INTO schema_migrations (number, name, checksum) "
                 f"VALUES ({count + 1}, '{count + 1:04}_tomorrow', 'x')")
    code, _, trouble = database.migrate()
    assert code == 1 and "newer" in trouble and "at least as new" in trouble


def test_migrate_refuses_a_changed_checksum(database):
    database.migrate()
    [name] = database.sql("UPDATE schema_migrations SET checksum = 'x' WHERE number = 2 "
                          "RETURNING name")
    code, _, trouble = database.migrate()
    assert code == 1 and name in trouble and "new one" in trouble


def test_migrate_says_that_there_is_no_server(system, tmp_path):
    code, _, trouble = run(system, "migrate", DATABASE_URL=f"postgresql:///x?host={tmp_path}")
    assert code == 1 and "correct DATABASE_URL" in trouble


# --- top ------------------------------------------------------------------------------------------

def row_of(table, name):
    """Of its lane or process; limits have rows of these names, too, with fewer columns."""
    rows = [line.split() for line in table.splitlines() if line.split()[:1] == [name]]
    return max(rows, key=len)


def test_top_shows_who_does_what(system):
    with Load(system, users=3) as load:
        until(lambda: len(load.events) > 60, 20, "some load")
        code, table, trouble = run(system, "top", "--once")
    assert code == 0, trouble
    for name in set(system.processes()) - SERVERS:
        assert name in table, f"{name} is missing:\n{table}"
    for name in system.names("http") + system.names("query"):
        row = row_of(table, name)
        assert row[1:4] == ["up", str(system.pid(name)), "2/2"], table
    assert float(row_of(table, "http-1")[4]) > 0 and float(row_of(table, "command")[1]) > 0
    shown = re.findall(r"^([0-9a-f]{8}-[0-9a-f-]{27}) +([0-9.]+)$", table, re.MULTILINE)
    assert shown and all(float(rate) > 0 for _, rate in shown), table
    assert {tenant for tenant, _ in shown} & {client.user_id for client in load.clients}, table
    assert [float(rate) for _, rate in shown] == sorted((float(rate) for _, rate in shown),
                                                        reverse=True)


def test_top_for_programs(system, user):
    def look():
        code, said, _ = run(system, "top", "--json")
        assert code == 0
        return json.loads(said)["brokers"]

    def is_among_the_busiest():  # those of earlier tests give way in time
        for _ in range(40):
            user.get("/api/accounts")
        return user.user_id in [row["tenant"] for broker in look() for row in broker["busiest"]]

    until(is_among_the_busiest, 20 * SLACK, "the tenant is among the busiest")
    brokers = look()
    assert [broker["name"] for broker in brokers] == system.names("broker")
    for broker in brokers:
        assert {lane["name"] for lane in broker["lanes"]} == {"interactive", "command", "task",
                                                               "bulk"}
        assert {peer["name"] for peer in broker["peers"]} >= {"http-1", "query-1", "command-1"}
        assert {drop["cause"] for drop in broker["drops"]} >= {"expired", "busy", "actor_lost"}


# --- warm-up --------------------------------------------------------------------------------------

def database_ms(answer):
    assert answer.status == 200, answer
    return float(re.search(r"database;dur=([0-9.]+)", answer.header("Server-Timing")).group(1))


FIRST_PAGES = ("/api/accounts", "/api/categories", "/api/transactions")


def test_after_a_warm_up_reads_are_hits(system, user):
    user.new_transaction()
    system.redis("flushall")
    code, said, trouble = run(system, "warm-up")
    tenants = int(system.sql("SELECT count(*) FROM users")[0][0])
    assert code == 0, trouble
    assert re.search(rf"^{3 * tenants} pages of {tenants} tenants in [0-9.]+ s\.$", said), said
    until(system.is_settled, 10 * SLACK, "pages in Redis count")
    assert [database_ms(user.get(path)) for path in FIRST_PAGES] == [0, 0, 0]


def test_only_the_most_recently_active_are_warmed_up(system):
    older, newer = system.user(), system.user()
    system.redis("flushall")
    code, said, _ = run(system, "warm-up", "--tenants", "1")
    assert code == 0 and said.startswith("3 pages of 1 tenants")
    until(system.is_settled, 10 * SLACK, "pages in Redis count")
    assert database_ms(newer.get("/api/categories")) == 0
    assert database_ms(older.get("/api/categories")) > 0


def test_warm_up_says_that_nobody_answers(system, tmp_path):
    code, _, trouble = run(system, "warm-up", VALORIZE_BROKERS=f"ipc://{tmp_path}/nobody.bus")
    assert code == 1 and "--status" in trouble


# --- the demo user --------------------------------------------------------------------------------

def test_demo_user(system):
    file = system.data / "demo-token"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    client = system.client(file.read_text().strip())
    accounts = client.get("/api/accounts").json["data"]
    assert sorted(account["type"] for account in accounts) == ["checking", "credit", "savings"]
    page = client.get("/api/transactions", {"per_page": 100}).json
    assert 40 <= page["meta"]["total"] == len(page["data"]) <= 50
    for account in accounts:
        own = [row for row in page["data"] if row["account"]["id"] == account["id"]]
        assert account["balance"]["value"] == sum(row["amount"]["value"] for row in own)
    assert len(client.get("/api/categories").json) == 10


# --- metrics --------------------------------------------------------------------------------------

def scrape(system):
    with urllib.request.urlopen(system.state()["metrics"], timeout=20) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        return answer.read().decode()


def up(page):
    return {name: value == "1"
            for name, value in re.findall(r'^valorize_up\{process="([^"]+)"\} ([01])$', page,
                                          re.MULTILINE)}


def test_metrics_of_all_processes_are_one_page(system, user):
    user.get("/api/accounts")
    page = scrape(system)
    assert up(page) == {name: True for name in {*system.processes(), "supervisor"} - SERVERS}
    family, seen = None, collections.Counter()
    for line in page.splitlines():
        if line.startswith("# HELP "):
            family = line.split()[2]
            seen[family] += 1
        elif not line.startswith("# TYPE "):
            assert re.fullmatch(rf'{family}(_bucket|_sum|_count)?\{{.*\}} [0-9.e+-]+', line), line
    assert set(seen.values()) == {1} and len(seen) > 20


def test_metrics_do_not_wait_for_a_process_that_hangs(private_system):
    pid = private_system.signal("query-1", signal.SIGSTOP)
    begun = time.monotonic()
    page = scrape(private_system)
    assert time.monotonic() - begun < 1.4 * SLACK
    assert not up(page)["query-1"] and up(page)["query-2"]
    until(lambda: private_system.is_back("query-1", pid), 20 * SLACK, "query-1 is back")
    until(lambda: up(scrape(private_system))["query-1"], 20 * SLACK, "its metrics are back")
