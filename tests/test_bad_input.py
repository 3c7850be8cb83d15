# SPDX-License-Identifier: Apache-2.0
"""Bodies and requests that are none: a clear answer each time, and nothing changes."""
import random

import pytest

from client import Wire

BODIES = [  # (bytes, statuses)
    (b"{", {400}), (b"}", {400}), (b"nonsense", {400}), (b'{"name":"a","color":"red"', {400}),
    (b'{"name":"a","color":"red"}}', {400}), (b'{"name":"a","color":"red"} x', {400}),
    (b'{"name":"a","color":"red",}', {400}), (b"{'name':'a'}", {400}), (b'{name:"a"}', {400}),
    (b'{"name":"a" "color":"red"}', {400}), (b'{"name":NaN,"color":"red"}', {400}),
    (b'{"name":"a","color":"red","x":Infinity}', {400}), (b'{"a":01}', {400}),
    (b'{"a":+1}', {400}), (b'{"a":.5}', {400}), (b'{"a":"\x01"}', {400, 422}),
    (b'{"a":"line\nbreak"}', {400}), (b'{"a":"\\x41"}', {400}), (b'{"a":"\\ud800"}', {400}),
    (b'{"a":"\\u12"}', {400}), (b"// c\n{}", {400}), (b'\xef\xbb\xbf{"name":"a"}', {400, 422}),
    (b"\x00", {400}), (b'{"name":"a","color":"red"}\x00', {400}), (b"\xff\xfe{}", {400}),
    (b'{"name":"\xff","color":"red"}', {400}), (b'{"name":"\xc3","color":"red"}', {400}),
    (b'{"name":"\xc0\x80","color":"red"}', {400}),
    (b'{"name":"\xed\xa0\x80","color":"red"}', {400}),
    (b'{"name":"\xf4\x90\x80\x80","color":"red"}', {400}),
    (b'{"x":"\xff","name":"a","color":"red"}', {400}),
    (b'{"name":"a","name":"b","color":"red"}', {400}),
    (b'{"name":"a","color":"red","x":1,"x":2}', {400}),
    (b'{"name":"a","color":"red","x":{"y":1,"y":2}}', {400}),
    (b'{"name":"a","n\\u0061me":"b","color":"red"}', {400}),
    (b'{"name":"nul\\u0000","color":"red"}', {422}),
    (b'{"name":"bell\\u0007","color":"red"}', {422}),
    (b'{"name":"\\u001b[31m","color":"red"}', {422}),
    (b"[]", {400, 422}), (b'[{"name":"a","color":"red"}]', {400, 422}), (b'"name"', {400, 422}),
    (b"null", {400, 422}), (b"5", {400, 422}), (b"true", {400, 422}),
    (b"[" * 30000, {400, 422}), (b"[" * 30000 + b"]" * 30000, {400, 422}),
    (b'{"a":' * 10000 + b"1" + b"}" * 10000, {400, 422}),
    (b'{"name":"a","color":"red","x":' + b"[" * 9 + b"]" * 9 + b"}", {400, 422}),
    (b'{"name":1e999,"color":"red"}', {400, 422}),
    (b'{"name":' + b"9" * 60000 + b',"color":"red"}', {400, 422}),
    (b" " * 60000, {400, 422}), (b'"' + b"a" * 60000, {400}), (b"\\" * 60000, {400}),
    (b"{" + b",".join(b'"k%d":0' % n for n in range(6000)) + b"}", {422}),
]


@pytest.mark.parametrize("body,statuses", BODIES, ids=lambda value: repr(value)[:40])
def test_a_body_that_is_none_is_refused(user, body, statuses):
    answer = user.request("POST", "/api/categories", raw=body)
    assert answer.status in statuses, answer
    assert answer.json["message"] and answer.header("Content-Type").startswith("application/json")
    assert len(user.get("/api/categories").json) == 10


NO_JSON = "The body is not JSON: "


@pytest.mark.parametrize("body,sentence", [
    (b"{", NO_JSON + "an early end at byte 2."),
    (b'{"name":"a",}', NO_JSON + "a comma with nothing after it at byte 12."),
    (b"{'name':1}", NO_JSON + "an unexpected character at byte 2."),
    (b'{"name":NaN}', NO_JSON + "an unexpected character at byte 9."),
    (b'{"name":"\\ud800"}', NO_JSON + "an invalid string at byte 16."),
    (b'\xef\xbb\xbf{"name":"a"}', NO_JSON + "a byte order mark at byte 1."),
    (b'{"name":"a"} x', NO_JSON + "text after its end at byte 14."),
    (b"[" * 3000, NO_JSON + "an early end at byte 3001."),
    (b'{"name":"a","name":"b"}', 'The body has the field "name" twice.'),
    (b'{"secret":"a","secret":"b"}', "The body has an unknown field twice."),
], ids=lambda value: repr(value)[:40])
def test_a_body_that_is_no_json_is_told_what_is_wrong_and_where(user, body, sentence):
    answer = user.request("POST", "/api/categories", raw=body)
    assert (answer.status, answer.json) == (400, {"message": sentence})


def test_a_parameter_that_is_no_utf8_is_named(user):
    answer = user.get("/api/categories?search=%ff")
    assert (answer.status, answer.json) == (
        400, {"message": "The search field must be valid UTF-8."})


@pytest.mark.parametrize("headers,sentence", [
    (b"", "The request must have one Host header."),
    (b"Host: a\r\nHost: b\r\n", "The request must have one Host header."),
    (b"Host: a\r\nContent-Length: 2\r\nContent-Length: 2\r\n",
     "The request's headers do not tell clearly where it ends."),
])
def test_headers_that_cannot_be_read_are_told(system, headers, sentence):
    with Wire(*system.address) as wire:
        wire.send(b"GET /api/banks HTTP/1.1\r\n" + headers + b"\r\n")
        answer = wire.answer()
    assert answer.status == 400
    # libmicrohttpd 1.0 refuses a request without Host itself, with a page of its own.
    assert answer.header("Content-Type") is None or answer.json == {"message": sentence}


@pytest.mark.newer("an edge that survives it")
@pytest.mark.parametrize("target", [
    b"/api/banks\0?a=1", b"/api\0/banks?" + b"a&" * 200, b"/api/banks\0?" + b"a&" * 200,
    b"/\0HTTP/1.1\0?" + b"&" * 200,
], ids=lambda value: repr(value)[:30])
def test_a_query_behind_a_nul_is_refused(system, user, target):
    edge = system.pid("http-1")
    with Wire(*system.address) as wire:
        wire.send(b"GET " + target + b" HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer "
                  + user.token.encode() + b"\r\n\r\n")
        answer = wire.answer_or_end()
    assert answer is None or answer.status in (400, 404), answer
    assert answer.status in (400, 401, 404, 413, 414), answer
    assert system.pid("http-1") == edge


def test_an_empty_body_lacks_every_field(user):
    for raw in (b"", b"{}"):
        answer = user.request("POST", "/api/categories", raw=raw,
                              headers={"Content-Length": str(len(raw))})
        assert answer.status == 422 and answer.errors == {"name", "color"}, answer


def test_a_nested_body_duplicate_is_400(user):
    raw = ('{"account_id":"%s","date":"2026-01-01","amount":'
           '{"value":1,"value":-1,"currency":"BRL"}}' % user.accounts[0]["id"]).encode()
    assert user.request("POST", "/api/transactions", raw=raw).status == 400
    assert user.balance(user.accounts[0]["id"]) == 0


@pytest.mark.parametrize("value", ["1e2", "100.0", "1E2", "0.5", "-0.0", "1e15", "1e16", "1e400",
                                   "9223372036854775808", "-9223372036854775809",
                                   "18446744073709551616", "1" * 400])
def test_a_number_that_is_no_integer_moves_nothing(user, value):
    raw = ('{"account_id":"%s","date":"2026-01-01","amount":{"value":%s,"currency":"BRL"}}'
           % (user.accounts[0]["id"], value)).encode()
    answer = user.request("POST", "/api/transactions", raw=raw)
    assert answer.status == 422 or (answer.status == 400 and len(value) > 20) \
        or value == "1e400", answer
    assert answer.status in (400, 422)
    assert user.balance(user.accounts[0]["id"]) == 0


def test_random_damage_to_a_good_body_never_breaks_the_server(system, user):
    """Every answer is a sentence or the record; every record is then in the list."""
    chance = random.Random(20261123)
    good = b'{"name":"Viagem \xc3\xa0 praia","color":"teal","description":"f\xc3\xa9rias"}'
    made = 10
    for _ in range(400):
        body = bytearray(good)
        for _ in range(chance.randint(1, 4)):
            place = chance.randrange(len(body))
            what = chance.randrange(3)
            if what == 0:
                body[place] = chance.randrange(256)
            elif what == 1:
                del body[place]
            else:
                body.insert(place, chance.choice(b'{}[]",:\\\x00\xff019eE+-.'))
        answer = user.request("POST", "/api/categories", raw=bytes(body))
        assert answer.status in (201, 400, 422), (bytes(body), answer)
        made += answer.status == 201
        assert answer.json
    assert len(user.get("/api/categories").json) == made


@pytest.mark.parametrize("request_bytes", [
    b"GARBAGE\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
    b"GET\r\n\r\n", b"GET /api/banks\r\n\r\n", b"GET /api/banks HTTP/9.9\r\nHost: a\r\n\r\n",
    b"GET /api/banks HTTP/1.1\r\n\r\n", b"GET /api/ba\x00nks HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /%zz%1 HTTP/1.1\r\nHost: a\r\n\r\n", b"\r\n" * 1000, b"\x00" * 20000, b"A" * 200000,
    b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 20000 + b"\r\n",
    b"GET /api/banks HTTP/1.1\r\nHost: a\r\nNo colon here\r\n\r\n",
    b"GET /api/banks HTTP/1.1\r\nHost: a\r\n: empty\r\n\r\n",
    b"POST /api/categories HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\nhello",
    b"POST /api/categories HTTP/1.1\r\nHost: a\r\nContent-Length: 5x\r\n\r\nhello",
    b"POST /api/categories HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n",
    b"POST /api/categories HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"POST /api/categories HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"ffffffffffffffff\r\nabc",
    b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", b"GET http://[::1 HTTP/1.1\r\nHost: a\r\n\r\n",
], ids=lambda value: repr(value[:40]))
def test_http_that_is_none_ends_with_a_refusal_or_a_closed_connection(system, user, request_bytes):
    with Wire(*system.address) as wire:
        try:
            wire.send(request_bytes)
            wire.socket.shutdown(1)
        except OSError:
            pass  # the server has had enough already
        answer = wire.answer_or_end()
        assert answer is None or 200 <= answer.status < 500 or answer.status in (501, 505), answer
    assert user.get("/api/banks").status == 200


def test_a_body_shorter_than_promised_has_no_effect(system, user):
    body = b'{"name":"cortada","color":"red"}'
    with Wire(*system.address) as wire:
        wire.send(f"POST /api/categories HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {user.token}"
                  f"\r\nContent-Type: application/json\r\nContent-Length: {len(body) + 10}\r\n\r\n")
        wire.send(body)
        wire.socket.shutdown(1)
        answer = wire.answer_or_end("POST")
        assert answer is None or 400 <= answer.status < 500
    assert len(user.get("/api/categories").json) == 10


def test_the_same_processes_still_run(system, user):
    """After all of the above nobody had to be restarted."""
    assert user.get("/api/transactions").status == 200
    for name, process in system.processes().items():
        assert process["state"] == "ready" and process.get("restarts", 0) == 0, name
    assert not system.bugs()
