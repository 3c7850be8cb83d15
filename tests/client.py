# SPDX-License-Identifier: Apache-2.0
"""A small HTTP client: one connection kept alive, JSON in and out, and never a second attempt.

Whatever a test needs below HTTP (half a header, two requests in one write) it does with Wire.
"""
import http.client
import itertools
import json
import select
import socket
import urllib.parse

_serial = itertools.count(1)


def serial():
    """A number that no other record of this run has."""
    return next(_serial)


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    def header(self, name):
        return self.headers.get(name)

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def errors(self):
        return set(self.json["errors"])

    def __repr__(self):
        return f"<{self.status} {self.body[:400]!r}>"


def encode_query(query):
    if query is None or isinstance(query, str):
        return query or ""
    pairs = query.items() if isinstance(query, dict) else query
    return urllib.parse.urlencode([(name, value) for name, value in pairs])


class Client:
    """Talks to one address, with or without a token. Not for several threads at once."""

    def __init__(self, host, port, token=None, timeout=20):
        self.host, self.port, self.token, self.timeout = host, port, token, timeout
        self.connection = None
        self.user_id = self.email = None
        self.accounts = []

    def twin(self, **changes):
        """Another connection of the same user."""
        twin = Client(self.host, self.port, self.token, self.timeout)
        twin.user_id, twin.email, twin.accounts = self.user_id, self.email, self.accounts
        for name, value in changes.items():
            setattr(twin, name, value)
        return twin

    def _connected(self):
        if self.connection is not None and self.connection.sock is not None:
            readable, _, _ = select.select([self.connection.sock], [], [], 0)
            if not readable:
                return self.connection
            self.close()  # the server ended it while it was idle
        self.connection = http.client.HTTPConnection(self.host, self.port, timeout=self.timeout)
        self.connection.connect()
        self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self.connection

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def request(self, method, path, query=None, body=None, headers=None, raw=None):
        """`body` is sent as JSON, `raw` as it is. Any trouble on the wire is an exception."""
        encoded = encode_query(query)
        target = path if not encoded else f"{path}?{encoded}"
        sent = {"Accept": "application/json"}
        if self.token is not None:
            sent["Authorization"] = f"Bearer {self.token}"
        data = raw
        if body is not None:
            data = json.dumps(body).encode()
        if data is not None:
            sent["Content-Type"] = "application/json"
        for name, value in (headers or {}).items():
            if value is None:
                sent.pop(name, None)
            else:
                sent[name] = value
        connection = self._connected()
        try:
            connection.request(method, target, body=data, headers=sent)
            answer = Answer(connection.getresponse())
        except Exception:
            self.close()
            raise
        return answer

    def get(self, path, query=None, **more):
        return self.request("GET", path, query, **more)

    def post(self, path, body=None, **more):
        return self.request("POST", path, body=body, **more)

    def put(self, path, body=None, **more):
        return self.request("PUT", path, body=body, **more)

    def delete(self, path, **more):
        return self.request("DELETE", path, **more)

    # What most tests begin with. Every record is unlike every other one.

    def new_account(self, **fields):
        number = serial()
        body = {"name": f"Conta {number:05d}", "number": f"{number:05d}-{number % 10}",
                "currency": "BRL", "type": "checking", "bank_id": self.bank()["id"], **fields}
        answer = self.post("/api/accounts", body)
        assert answer.status == 201, answer
        return answer.json

    def new_category(self, **fields):
        number = serial()
        body = {"name": f"Categoria {number:05d}", "color": "teal",
                "description": f"Gastos {number:05d}", **fields}
        answer = self.post("/api/categories", body)
        assert answer.status == 201, answer
        return answer.json

    def new_transaction(self, **fields):
        answer = self.post("/api/transactions", self.transaction_body(**fields))
        assert answer.status == 201, answer
        return answer.json

    def transaction_body(self, **fields):
        number = serial()
        body = {"account_id": self.accounts[0]["id"] if self.accounts else None,
                "amount": {"value": -(100 + 7 * number), "currency": "BRL"},
                "date": f"2026-{number % 12 + 1:02d}-{number % 28 + 1:02d}",
                "memo": f"compra {number:06d}", **fields}
        return body

    def bank(self, code="001"):
        banks = self.get("/api/banks")
        assert banks.status == 200, banks
        return next(bank for bank in banks.json if bank["code"] == code)

    def balance(self, account_id):
        answer = self.get(f"/api/accounts/{account_id}")
        assert answer.status == 200, answer
        return answer.json["balance"]["value"]

    def pages(self, path, query=None, per_page=100):
        """All items of a list, page after page, each address taken from the page before."""
        target, items = f"{path}?{encode_query({**(query or {}), 'per_page': per_page})}", []
        while target is not None:
            answer = self.request("GET", target)
            assert answer.status == 200, answer
            items += answer.json["data"]
            target = answer.json["links"]["next"]
        return items


class _Borrowed:
    """Lets several http.client responses read from one stream without closing it."""

    def __init__(self, stream):
        self.stream = stream

    def __getattr__(self, name):
        return getattr(self.stream, name)

    def close(self):
        pass


class Wire:
    """A bare connection: bytes out as they are, answers parsed one after another."""

    def __init__(self, host, port, timeout=20):
        self.socket = socket.create_connection((host, port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.stream = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stream.close()
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())

    def makefile(self, *_):
        return _Borrowed(self.stream)

    def answer(self, method="GET"):
        response = http.client.HTTPResponse(self, method=method)
        response.begin()
        return Answer(response)

    def answer_or_end(self, method="GET"):
        """The next answer, or None where the server just closed the connection."""
        try:
            return self.answer(method)
        except (http.client.BadStatusLine, http.client.IncompleteRead, ConnectionError):
            return None

    def ended(self):
        """Reads on until the server closes; True, or the time-out's exception."""
        try:
            while self.stream.read(4096):
                pass
        except ConnectionResetError:
            pass
        return True
