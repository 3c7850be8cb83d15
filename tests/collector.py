# SPDX-License-Identifier: Apache-2.0
"""A collector of spans by OTLP over HTTP, which takes only what the protocol allows.

Written from OpenTelemetry's definition of ExportTraceServiceRequest and of its JSON encoding: names
in lowerCamelCase, ids in hex, 64-bit numbers as strings, enumerations as numbers.
"""
import http.server
import json
import re
import ssl
import threading

HEX_TRACE = re.compile(r"(?!0{32})[0-9a-f]{32}")
HEX_SPAN = re.compile(r"(?!0{16})[0-9a-f]{16}")
DECIMAL = re.compile(r"0|-?[1-9][0-9]*")


def text(value):
    assert isinstance(value, str), value


def matches(pattern):
    def check(value):
        assert isinstance(value, str) and pattern.fullmatch(value), value
    return check


def one_of(*numbers):
    def check(value):
        assert type(value) is int and value in numbers, value
    return check


def truth(value):
    assert isinstance(value, bool), value


def record(fields, *required):
    def check(value):
        assert isinstance(value, dict) and set(required) <= set(value) <= set(fields), value
        for name, member in value.items():
            fields[name](member)
    return check


def several(item):
    def check(value):
        assert isinstance(value, list) and value, value
        for one in value:
            item(one)
    return check


def any_value(value):
    kinds = {"stringValue": text, "boolValue": truth, "intValue": matches(DECIMAL),
             "arrayValue": record({"values": several(any_value)}, "values")}
    assert isinstance(value, dict) and len(value) == 1, value
    record(kinds)(value)


ATTRIBUTES = several(record({"key": text, "value": any_value}, "key", "value"))
SPAN = record({
    "traceId": matches(HEX_TRACE), "spanId": matches(HEX_SPAN), "parentSpanId": matches(HEX_SPAN),
    "name": text, "kind": one_of(1, 2, 3), "startTimeUnixNano": matches(DECIMAL),
    "endTimeUnixNano": matches(DECIMAL), "attributes": ATTRIBUTES,
    "status": record({"code": one_of(2)}, "code"),
}, "traceId", "spanId", "name", "kind", "startTimeUnixNano", "endTimeUnixNano", "attributes")
EXPORT = record({"resourceSpans": several(record({
    "resource": record({"attributes": ATTRIBUTES}, "attributes"),
    "scopeSpans": several(record({
        "scope": record({"name": text}, "name"), "spans": several(SPAN),
    }, "scope", "spans"))}, "resource", "scopeSpans"))}, "resourceSpans")


def plain(attributes):
    """{"http.route": "/api/banks", ...}"""
    def value_of(value):
        [(kind, inner)] = value.items()
        if kind == "arrayValue":
            return [value_of(one) for one in inner["values"]]
        return int(inner) if kind == "intValue" else inner
    assert len({one["key"] for one in attributes}) == len(attributes), attributes
    return {one["key"]: value_of(one["value"]) for one in attributes}


class Span:
    def __init__(self, resource, raw):
        self.resource, self.name, self.kind = resource, raw["name"], raw["kind"]
        self.trace, self.id, self.parent = raw["traceId"], raw["spanId"], raw.get("parentSpanId")
        self.begin, self.end = int(raw["startTimeUnixNano"]), int(raw["endTimeUnixNano"])
        self.attributes, self.failed = plain(raw["attributes"]), "status" in raw
        assert self.begin <= self.end

    def __repr__(self):
        return f"<{self.name} {self.attributes}>"


def spans_of(body):
    export = json.loads(body)
    EXPORT(export)
    return [Span(plain(resource["resource"]["attributes"]), raw)
            for resource in export["resourceSpans"] for scope in resource["scopeSpans"]
            for raw in scope["spans"]]


class Collector:
    """behave() says how it answers from the next message on."""

    def __init__(self, certificate=None):
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                outer.receive(self)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
            scheme = "https"
        self.address = f"{scheme}://localhost:{self.server.server_port}"
        self.released = threading.Event()
        self.bodies, self.headers, self.faults, self.spans = [], [], [], []
        self.behave()
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def behave(self, code=200, answer="{}", retry_after=None, hangs=False):
        self.code, self.answer, self.retry_after, self.hangs = code, answer, retry_after, hangs

    def receive(self, handler):
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        self.headers.append(handler.headers)
        self.bodies.append(body)
        if handler.path != "/v1/traces" or handler.headers["Content-Type"] != "application/json":
            self.faults.append(f"{handler.path} {handler.headers}")
        if self.hangs:
            self.released.wait(60)
            handler.close_connection = True
            return
        code = self.code
        try:
            spans = spans_of(body)
            if code == 200:
                self.spans += spans
        except (AssertionError, ValueError, KeyError) as fault:
            self.faults.append(f"{fault!r} in {body[:2000]!r}")
        answer = self.answer.encode()
        handler.send_response(code)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(answer)))
        if self.retry_after is not None:
            handler.send_header("Retry-After", str(self.retry_after))
        handler.end_headers()
        handler.wfile.write(answer)

    def of(self, trace):
        return [span for span in self.spans if span.trace == trace]

    def close(self):
        self.released.set()
        self.server.shutdown()
        self.server.server_close()
        assert not self.faults, self.faults
