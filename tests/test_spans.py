# SPDX-License-Identifier: Apache-2.0
"""Spans as a collector receives them, and that a collector that does not work costs only spans."""
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import uuid

import pytest

from client import Client
from collector import Collector
from conftest import lend
from system import PROGRAM, SLACK, System, until

TOLD_S = 3 * SLACK  # a batch waits a second for more
PARENT = "00f067aa0ba902b7"
TIMING = re.compile(r"(\w+);dur=(\d+)\.(\d{3})")


@pytest.fixture(scope="module")
def collector():
    collector = Collector()
    yield collector
    collector.close()


@pytest.fixture(scope="module")
def traced_system(collector):
    yield from lend(System(OTEL_EXPORTER_OTLP_ENDPOINT=collector.address + "/",
                           OTEL_EXPORTER_OTLP_HEADERS="x-team=money%2C%20all,Authorization=a=b",
                           OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=test",
                           OTEL_TRACES_SAMPLER_ARG="0"))


def traced(client, method, path, body=None, sampled="01", **headers):
    """The answer and its trace."""
    trace = uuid.uuid4().hex
    answer = client.request(method, path, body=body, headers={
        "traceparent": f"00-{trace}-{PARENT}-{sampled}", **headers})
    return answer, trace


def told(collector, trace, count):
    """All spans of a trace, by name without the operation."""
    spans = until(lambda: len(collector.of(trace)) >= count and collector.of(trace), TOLD_S,
                  f"the collector has {count} spans of {trace}")
    assert len(spans) == count, spans
    return {span.name.split()[0]: span for span in spans}


def test_a_read_is_four_spans_that_fit_into_each_other(traced_system, collector):
    user = traced_system.user()
    before = time.time_ns()
    answer, trace = traced(user, "GET", f"/api/accounts/{user.accounts[0]['id']}",
                           **{"X-Request-Id": "report-7"})
    after = time.time_ns()
    spans = told(collector, trace, 4)
    edge, bus, actor, database = (spans[name] for name in ("GET", "bus", "actor", "database"))
    assert edge.kind == 2 and edge.parent == PARENT and not edge.failed
    assert edge.name == "GET /api/accounts/{id}"
    assert edge.attributes == {
        "http.request.method": "GET", "http.route": "/api/accounts/{id}",
        "url.path": f"/api/accounts/{user.accounts[0]['id']}", "url.scheme": "http",
        "http.response.status_code": 200, "user.id": user.user_id,
        "http.response.header.x-request-id": ["report-7"]}
    assert before - 10**6 <= edge.begin and edge.end <= after + 10**6
    for outer, inner in ((edge, bus), (bus, actor), (actor, database)):
        assert inner.parent == outer.id
        assert outer.begin <= inner.begin <= inner.end <= outer.end
    assert bus.attributes["valorize.sends"] == 1
    assert actor.attributes["valorize.cached"] is False
    assert database.attributes == {"db.system.name": "postgresql"} and database.kind == 3
    assert {span.name for span in (bus, actor, database)} == {
        "bus show_account", "actor show_account", "database show_account"}
    lengths = {name: span.end - span.begin for name, span in
               (("edge", edge), ("bus", bus), ("actor", actor), ("database", database))}
    timing = {name: int(whole + part) * 1000 for name, whole, part in
              TIMING.findall(answer.header("Server-Timing"))}
    assert timing == {"edge": lengths["edge"] - lengths["bus"],
                      "bus": lengths["bus"] - lengths["actor"],
                      "actor": lengths["actor"] - lengths["database"],
                      "database": lengths["database"]}
    assert edge.resource == {"service.name": "valorize", "service.instance.id": "http-1",
                             "deployment.environment.name": "test"}
    assert collector.headers[-1]["x-team"] == "money, all"
    assert collector.headers[-1]["Authorization"] == "a=b"


def test_a_cached_page_and_a_replayed_write_say_so(traced_system, collector):
    until(traced_system.is_settled, 10 * SLACK, "pages in Redis count")
    user = traced_system.user()

    def cached():
        answer, trace = traced(user, "GET", "/api/accounts")
        return "database;dur=0.000" in answer.header("Server-Timing") and trace
    spans = told(collector, until(cached, 5 * SLACK, "a page comes from the cache"), 3)
    assert spans["actor"].attributes["valorize.cached"] is True
    body, key = user.transaction_body(), {"Idempotency-Key": str(uuid.uuid4())}
    first = traced(user, "POST", "/api/transactions", body, **key)
    again = traced(user, "POST", "/api/transactions", body, **key)
    assert (first[0].status, again[0].status) == (201, 201)
    replayed = [told(collector, trace, 4)["actor"].attributes["valorize.replayed"]
                for _, trace in (first, again)]
    assert replayed == [False, True]


def test_the_way_for_a_token_has_its_own_spans(traced_system, collector):
    user = traced_system.user()
    pid = traced_system.signal("http-1", signal.SIGTERM)  # the next edge knows no token
    user.close()
    until(lambda: traced_system.is_back("http-1", pid), 12 * SLACK, "another edge serves")
    _, trace = traced(user, "GET", "/api/banks")
    spans = until(lambda: len(collector.of(trace)) >= 6 and collector.of(trace), TOLD_S,
                  "the collector has the spans of the look-up, too")
    names = sorted(span.name for span in spans)
    assert names[:3] == ["GET /api/banks", "actor authenticate", "actor list_banks"]
    assert "database authenticate" in names and "bus authenticate" in names


def test_failures_of_ours_are_marked(traced_system, collector):
    user = traced_system.user()
    _, trace = traced(user, "GET", "/api/nothing")
    span = told(collector, trace, 1)["GET"]
    assert span.name == "GET" and not span.failed and "http.route" not in span.attributes
    assert span.attributes["http.response.status_code"] == 404
    traced_system.sql("ALTER TABLE banks RENAME TO banks_away")
    _, trace = traced(user, "GET", "/api/banks")
    traced_system.sql("ALTER TABLE banks_away RENAME TO banks")
    edge = told(collector, trace, 4)["GET"]
    assert edge.failed and edge.attributes["error.type"] == "internal"


def test_a_request_that_was_sent_again_says_how_often(traced_system, collector):
    user = traced_system.user()
    lock = subprocess.Popen(["psql", traced_system.state()["database_url"], "-XAtq"], text=True,
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    lock.stdin.write("BEGIN; LOCK TABLE banks; SELECT 'locked';\n")
    lock.stdin.flush()
    assert lock.stdout.readline() == "locked\n"
    answers = []
    asking = threading.Thread(target=lambda: answers.append(traced(
        user, "GET", "/api/banks", **{"X-Request-Id": "twice-1"})))
    asking.start()
    (actor,), = until(lambda: traced_system.sql(
        "SELECT application_name FROM pg_stat_activity WHERE wait_event_type = 'Lock'"),
        4 * SLACK, "it waits for the lock")
    pid = traced_system.signal(actor, signal.SIGKILL)
    until(lambda: not pathlib.Path(f"/proc/{pid}").exists(), 4 * SLACK, "its actor is dead")
    lock.stdin.write("ROLLBACK;\n")
    lock.stdin.close()
    asking.join(20)
    assert lock.wait(10) == 0
    answer, trace = answers[0]
    assert answer.status == 200
    # A broker that does not know yet that the actor is dead may send it there once more.
    sends = told(collector, trace, 4)["bus"].attributes["valorize.sends"]
    assert sends in (2, 3)
    log = (traced_system.data / "log" / "http-1.log").read_text()
    line, = (json.loads(line) for line in log.splitlines() if "twice-1" in line)
    assert line["message"] == "A request had to be sent again."
    assert line["sends"] == str(sends)
    until(traced_system.all_ready, 10 * SLACK, "all are ready again")


def test_only_edges_know_the_collector(traced_system):
    for name, process in traced_system.processes().items():
        environment = pathlib.Path(f"/proc/{process['pid']}/environ").read_bytes()
        assert environment, name
        wanted = b"\0OTEL_EXPORTER_OTLP_HEADERS=x-team" if name.startswith("http") else b""
        assert wanted in environment and bool(wanted) == (b"\0OTEL_" in environment), name


# --- an edge alone: it serves no route, but each request has its span -----------------------------

class Edge:
    def __init__(self, **environment):
        self.data = pathlib.Path(tempfile.mkdtemp(prefix="vz-", dir="/tmp"))
        clean = {name: value for name, value in os.environ.items()
                 if not name.startswith(("VALORIZE_", "OTEL_")) and name != "PORT"}
        self.process = subprocess.Popen(
            [PROGRAM.parent / "valorize-http"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, env={**clean, "VALORIZE_DATA": str(self.data), "VALORIZE_HTTP_PORT": "0",
                            **environment})
        self.lines = []
        line = json.loads(self.read_line())
        assert line["message"] == "Listening.", line
        self.client = Client("127.0.0.1", int(line["port"]))
        threading.Thread(target=lambda: all(iter(self.read_line, "")), daemon=True).start()

    def read_line(self):
        line = self.process.stderr.readline()
        self.lines.append(line)
        return line

    def ask(self, **more):
        """The trace of a request."""
        answer, trace = traced(self.client, "GET", "/nothing", **more)
        assert answer.status == 404
        return trace

    def metric(self, name, more=""):
        with socket.socket(socket.AF_UNIX) as door:
            door.connect(str(self.data / "run" / "http-1.sock"))
            door.sendall(b"metrics\n")
            page = b"".join(iter(lambda: door.recv(65536), b"")).decode()
        labels = re.escape(f'{{process="http-1"{more}}}')
        return int(float(re.search(rf"^valorize_{name}{labels} (\S+)$", page, re.M)[1]))

    def dropped(self, reason):
        return self.metric("spans_dropped_total", f',reason="{reason}"')

    def said(self, words):
        return [line for line in self.lines if words in line]

    def end(self):
        if self.process.returncode is not None:
            return
        self.client.close()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(12 * SLACK)
        shutil.rmtree(self.data)
        assert code == 0, self.lines


@pytest.fixture
def edge():
    """edge(collector address, ...): one that is ended after the test."""
    edges = []

    def begin(address, **environment):
        edges.append(Edge(OTEL_EXPORTER_OTLP_ENDPOINT=address, **environment))
        return edges[-1]
    yield begin
    for one in edges:
        one.end()


@pytest.fixture
def lone_collector():
    collector = Collector()
    yield collector
    collector.close()


@pytest.mark.parametrize("headers", ["x-api-key=Zm9v,Zm9v", "x-api-key=" + "Zm9v" * 1000],
                         ids=["a pair without a name", "too long"])
def test_unsound_headers_are_refused_without_showing_them(headers, tmp_path):
    ended = subprocess.run(
        [PROGRAM.parent / "valorize-http"], capture_output=True, text=True, timeout=20 * SLACK,
        env={"VALORIZE_DATA": str(tmp_path), "VALORIZE_HTTP_PORT": "0",
             "OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318",
             "OTEL_EXPORTER_OTLP_HEADERS": headers})
    said = ended.stdout + ended.stderr
    assert ended.returncode != 0
    assert "OTEL_EXPORTER_OTLP_HEADERS" in said and "name=value" in said and "Zm9v" not in said


def test_only_what_is_sampled_is_told(edge, lone_collector):
    none = edge(lone_collector.address, OTEL_TRACES_SAMPLER="parentbased_traceidratio",
                OTEL_TRACES_SAMPLER_ARG="0")
    none.client.get("/nothing")
    unwanted, wanted = none.ask(sampled="00"), none.ask()
    told(lone_collector, wanted, 1)
    assert len(lone_collector.spans) == 1 and not lone_collector.of(unwanted)
    every = edge(lone_collector.address)
    unwanted = every.ask(sampled="00")
    trace = every.client.get("/nothing").header("X-Request-Id")
    span = told(lone_collector, trace, 1)["GET"]
    assert span.parent is None and not lone_collector.of(unwanted)
    probe = every.client.get("/readyz").header("X-Request-Id")
    told(lone_collector, every.ask(), 1)
    assert not lone_collector.of(probe), "probes are not told"


def test_many_are_told_together_and_at_the_end_all(edge, lone_collector):
    one = edge(lone_collector.address)
    traces = [one.ask() for _ in range(300)]
    until(lambda: len(lone_collector.bodies) >= 2, TOLD_S, "whole batches do not wait")
    one.end()
    assert {span.trace for span in lone_collector.spans} == set(traces)
    assert len(lone_collector.bodies) <= 6
    assert all(span.resource["service.name"] == "valorize" for span in lone_collector.spans)


def test_a_busy_collector_is_asked_again_when_it_wants(edge, lone_collector):
    one = edge(lone_collector.address, OTEL_SERVICE_NAME="money",
               OTEL_RESOURCE_ATTRIBUTES="service.name=other,service.version=9")
    lone_collector.behave(503, retry_after=3)
    trace = one.ask()
    until(lambda: len(lone_collector.bodies) == 1, TOLD_S, "it is told")
    begin = time.monotonic()
    lone_collector.behave()
    span, = until(lambda: lone_collector.of(trace), 3 + TOLD_S, "it is told again")
    assert time.monotonic() - begin > 2.5, "not before the three seconds are over"
    assert lone_collector.bodies[0] == lone_collector.bodies[1]
    assert span.resource == {"service.name": "money", "service.instance.id": "http-1",
                             "service.version": "9"}
    assert one.metric("spans_sent_total") == 1 and one.dropped("not_taken") == 0


def test_what_a_collector_refuses_is_dropped_and_counted(edge, lone_collector):
    one = edge(lone_collector.address)
    lone_collector.behave(400, answer="what?")
    one.ask()
    until(lambda: one.dropped("not_taken") == 1, TOLD_S, "the span is given up")
    line, = one.said("does not take spans")
    assert json.loads(line)["code"] == "400" and "OTEL_EXPORTER_OTLP_ENDPOINT" in line
    lone_collector.behave(answer='{"partialSuccess":{"rejectedSpans":"2"}}')
    for _ in range(5):
        one.ask()
    until(lambda: one.dropped("not_taken") == 3, TOLD_S, "two of five are rejected")
    assert one.metric("spans_sent_total") == 3
    lone_collector.behave()
    one.ask()
    until(lambda: one.said("takes spans again"), TOLD_S, "it says that it works again")
    assert len(one.said("does not take spans")) == 1


def test_a_collector_that_hangs_costs_nothing_but_spans(edge, lone_collector):
    one = edge(lone_collector.address)
    lone_collector.behave(hangs=True)
    slowest = 0.0
    count = 2048 + 128 + 7  # that may wait, that are under way, that are too many
    for _ in range(count):
        begin = time.monotonic()
        one.ask()
        slowest = max(slowest, time.monotonic() - begin)
    assert slowest < 1.0 * SLACK
    waits, dropped = one.metric("spans_requests_waiting"), one.dropped("full")
    assert waits == 2048 and 0 < dropped <= 7 + 128, (waits, dropped)
    begin = time.monotonic()
    one.end()
    assert time.monotonic() - begin < 3 * SLACK, "an edge that ends does not wait for it"


def test_nobody_there(edge):
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{door.getsockname()[1]}"
    one = edge(address)
    one.ask()
    until(lambda: one.metric("spans_requests_waiting") == 0, TOLD_S, "it tries")
    assert one.client.get("/healthz").status == 200
    begin = time.monotonic()
    one.end()
    assert time.monotonic() - begin < 3 * SLACK
    assert one.said("does not take spans")


def test_https_with_an_own_certificate(edge, tmp_path):
    key, both = tmp_path / "key.pem", tmp_path / "both.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                    "-keyout", key, "-out", both], check=True, capture_output=True)
    certificate = both.read_text()
    both.write_text(certificate + key.read_text())
    (tmp_path / "certificate.pem").write_text(certificate)
    collector = Collector(certificate=both)
    believing = edge(collector.address,
                     OTEL_EXPORTER_OTLP_CERTIFICATE=str(tmp_path / "certificate.pem"))
    trace = believing.ask()
    told(collector, trace, 1)
    doubting = edge(collector.address)
    doubted = doubting.ask()
    until(lambda: doubting.metric("spans_requests_waiting") == 0, TOLD_S, "it tries")
    doubting.end()
    assert doubting.said("certificate") and not collector.of(doubted)
    collector.close()


@pytest.mark.parametrize("name, value", [
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "me:Zm9v@localhost:4318"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "https:///v1"),
    ("OTEL_EXPORTER_OTLP_HEADERS", "no-value"),
    ("OTEL_EXPORTER_OTLP_HEADERS", "a=%0d%0aX: y"),
    ("OTEL_RESOURCE_ATTRIBUTES", "=x"),
    ("OTEL_TRACES_SAMPLER", "jaeger_remote"),
    ("OTEL_TRACES_SAMPLER_ARG", "1.5"),
    ("OTEL_TRACES_SAMPLER_ARG", "nan"),
])
def test_settings_that_make_no_sense_are_refused(tmp_path, name, value):
    settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", name: value}
    ended = subprocess.run([PROGRAM.parent / "valorize-http"], text=True, capture_output=True,
                           timeout=20, env={"VALORIZE_DATA": str(tmp_path),
                                            "VALORIZE_HTTP_PORT": "0", **settings})
    assert ended.returncode != 0 and name in ended.stderr and "must be" in ended.stderr
    said = ended.stderr.replace("the http:// or https:// address", "")
    assert value not in said, "it may hold a password"
