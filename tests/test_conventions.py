# SPDX-License-Identifier: Apache-2.0
"""What every route has in common: who may ask, how errors look, what HTTP is spoken."""
import json
import re
import subprocess
import time
import uuid

import pytest

from client import Wire, serial
from system import SLACK, until

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
NOBODYS = "0198c0de-0000-7000-8000-000000000000"
ROUTES = [("GET", "/api/banks"), ("GET", "/api/accounts"), ("POST", "/api/accounts"),
          ("GET", f"/api/accounts/{NOBODYS}"), ("PUT", f"/api/accounts/{NOBODYS}"),
          ("DELETE", f"/api/accounts/{NOBODYS}"), ("GET", "/api/categories"),
          ("POST", "/api/categories"), ("GET", f"/api/categories/{NOBODYS}"),
          ("PUT", f"/api/categories/{NOBODYS}"),
          ("DELETE", f"/api/categories/{NOBODYS}"), ("GET", "/api/transactions"),
          ("POST", "/api/transactions"), ("GET", f"/api/transactions/{NOBODYS}"),
          ("PUT", f"/api/transactions/{NOBODYS}"),
          ("DELETE", f"/api/transactions/{NOBODYS}")]


def assert_is_error(answer, status):
    assert answer.status == status, answer
    assert answer.header("Content-Type").startswith("application/json"), answer.headers
    assert isinstance(answer.json["message"], str) and answer.json["message"], answer


def raw_request(system, token, path="/api/categories", method="GET", headers=(), body=b""):
    lines = [f"{method} {path} HTTP/1.1", "Host: valorize", f"Authorization: Bearer {token}"]
    lines += list(headers)
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


# Who may ask

@pytest.mark.parametrize("method,path", ROUTES)
def test_without_a_token_every_route_is_401(client, method, path):
    answer = client.request(method, path, body={} if method in ("POST", "PUT") else None)
    assert_is_error(answer, 401)
    assert answer.json == {"message": "Unauthenticated."}


def test_tokens_that_are_none_are_401(client, user):
    identity, secret = user.token.split("|")
    wrong = "x" * len(secret)
    for header in ("", "Bearer", "Bearer ", "Bearer |", f"Bearer {identity}", f"Bearer {identity}|",
                   f"Bearer |{secret}", f"Bearer {identity}|{wrong}", f"Basic {user.token}",
                   f"Bearer {uuid.uuid4()}|{secret}", f"Bearer {identity}|{secret}x",
                   f"Bearer {identity}|{secret[:-1]}", f"Bearer {user.token}|{secret}",
                   f"Bearer {identity[:-1]}|{secret}", "Bearer " + "9" * 4000,
                   f"Bearer {identity}|" + "é" * 20):
        headers = {"Authorization": header.encode("utf-8")}
        assert_is_error(client.get("/api/categories", headers=headers), 401)


def test_the_scheme_may_be_written_in_any_case(client, user):
    for scheme in ("bearer", "BEARER"):
        answer = client.get("/api/categories", headers={"Authorization": f"{scheme} {user.token}"})
        assert answer.status == 200, answer


def test_an_expired_token_is_401(system):
    answer = system.client().post("/api/testing/load-test-user")
    token = answer.json["token"]
    system.sql("UPDATE tokens SET expires_at = now() - interval '1 second' "
               f"WHERE id = '{token.split('|')[0]}'")
    assert_is_error(system.client(token).get("/api/categories"), 401)


def test_a_token_that_expires_while_it_is_remembered_is_401(system):
    answer = system.client().post("/api/testing/load-test-user")
    token = answer.json["token"]
    system.sql("UPDATE tokens SET expires_at = now() + interval '1500 milliseconds' "
               f"WHERE id = '{token.split('|')[0]}'")
    client = system.client(token)
    assert client.get("/api/categories").status == 200
    until(lambda: client.get("/api/categories").status == 401, 5, "the token ends")


def test_a_valid_token_works_after_a_wrong_secret_was_tried(client, user):
    identity = user.token.split("|")[0]
    wrong = {"Authorization": f"Bearer {identity}|" + "a" * 40}
    assert client.get("/api/categories", headers=wrong).status == 401
    assert user.get("/api/categories").status == 200
    assert client.get("/api/categories", headers=wrong).status == 401


# Errors

def test_an_unknown_path_is_404(user):
    for path in ("/api/nothing", "/", "/api", "/api/", "/apix/accounts", "/api/accounts/a/b",
                 "/api/transactions/", "//api/accounts", "/api/Accounts", "/api/%61ccounts/x/y",
                 "/api/" + "a/" * 30):
        assert_is_error(user.get(path), 404)


def test_an_id_nobody_has_is_404(user):
    for path in ("accounts", "categories", "transactions"):
        assert_is_error(user.get(f"/api/{path}/{uuid.uuid4()}"), 404)
        assert_is_error(user.delete(f"/api/{path}/{uuid.uuid4()}"), 404)


def test_an_id_that_is_no_uuid_is_404(user):
    whole = str(uuid.uuid4())
    for bad in ("1", "abc", whole[:-1], whole + "0", "%00", "null", "'--", "..%2f..", "-" * 36):
        assert_is_error(user.get(f"/api/accounts/{bad}"), 404)


def test_another_method_is_405_and_says_which_are_allowed(user):
    account = user.accounts[0]["id"]
    for method, path, allowed in (("DELETE", "/api/accounts", {"GET", "HEAD", "POST"}),
                                  ("PATCH", "/api/transactions", {"GET", "HEAD", "POST"}),
                                  ("POST", f"/api/accounts/{account}",
                                   {"GET", "HEAD", "PUT", "DELETE"}),
                                  ("POST", "/api/banks", {"GET", "HEAD"}),
                                  ("BREW", "/api/banks", {"GET", "HEAD"})):
        answer = user.request(method, path)
        assert_is_error(answer, 405)
        told = {word.strip() for word in answer.header("Allow").split(",")}
        assert told - {"OPTIONS"} == allowed, (method, path)


def test_a_client_that_refuses_json_gets_406(user):
    for accept in ("text/html", "application/xml", "image/*", "application/json;q=0",
                   "*/*;q=0", "text/plain, application/json;q=0"):
        assert_is_error(user.get("/api/categories", headers={"Accept": accept}), 406)


def test_a_client_that_allows_json_gets_it(user):
    for accept in (None, "*/*", "application/*", "application/json", "text/html, */*;q=0.1",
                   "application/json;charset=utf-8", "TEXT/HTML, APPLICATION/JSON"):
        answer = user.get("/api/categories", headers={"Accept": accept})
        assert answer.status == 200, accept
        assert answer.header("Content-Type").startswith("application/json")


def test_a_body_of_another_type_is_415(user):
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data",
                 "application/xml", "application/jsonx"):
        answer = user.request("POST", "/api/categories", raw=b'{"name":"a","color":"red"}',
                              headers={"Content-Type": kind})
        assert_is_error(answer, 415)


def test_a_json_body_may_name_its_type_in_other_ways(user):
    for kind in ("application/json", "application/json; charset=utf-8", "Application/JSON",
                 "application/vnd.api+json"):
        answer = user.request("POST", "/api/categories", headers={"Content-Type": kind},
                              raw=f'{{"name":"tipo {serial()}","color":"sky"}}'.encode())
        assert answer.status == 201, (kind, answer)


def test_a_body_above_64_kib_is_413(system, user):
    for size in (65537, 70000, 1 << 20):
        head = b'{"name":"big","color":"red","description":"'
        body = head + b"x" * (size - len(head) - 2) + b'"}'
        assert len(body) == size
        with Wire(*system.address) as wire:
            wire.send(raw_request(system, user.token, method="POST", body=body, headers=[
                "Content-Type: application/json", f"Content-Length: {size}"]))
            assert_is_error(wire.answer("POST"), 413)


def test_a_body_of_just_64_kib_is_read(user):
    head = b'{"name":"just","color":"red","ignored":"'
    body = head + b"x" * (65536 - len(head) - 2) + b'"}'
    assert user.request("POST", "/api/categories", raw=body).status == 201


def test_a_chunked_body_is_read_and_limited(system, user):
    def chunks(*parts):
        return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    headers = ["Content-Type: application/json", "Transfer-Encoding: chunked"]
    with Wire(*system.address) as wire:
        body = chunks(b'{"name":"em peda', b'\xc3\xa7', b'os","color":"mauve"}')
        wire.send(raw_request(system, user.token, method="POST", headers=headers, body=body))
        answer = wire.answer("POST")
        assert answer.status == 201 and answer.json["name"] == "em pedaços"
    with Wire(*system.address) as wire:
        body = chunks(*[b"x" * 4096] * 20)
        wire.send(raw_request(system, user.token, method="POST", headers=headers, body=body))
        assert_is_error(wire.answer("POST"), 413)


def test_an_address_above_8_kib_is_414(user):
    assert_is_error(user.get("/api/categories?search=" + "a" * 8300), 414)
    assert user.get("/api/categories?unknown=" + "a" * 7000).status == 200


def test_headers_above_8_kib_are_431(user):
    answer = user.get("/api/categories", headers={"X-Filler": "f" * 9000})
    assert_is_error(answer, 431)
    assert user.get("/api/categories", headers={"X-Filler": "f" * 7000}).status == 200


def test_every_wrong_field_is_told_at_once(user):
    answer = user.post("/api/transactions", {"account_id": "nonsense", "amount": {"value": "1"},
                                             "date": "2026-02-30", "memo": 5})
    assert_is_error(answer, 422)
    assert answer.errors == {"account_id", "amount.value", "amount.currency", "date", "memo"}
    for sentences in answer.json["errors"].values():
        assert sentences and all(isinstance(text, str) and text for text in sentences)
    first = next(iter(answer.json["errors"].values()))[0]
    assert answer.json["message"] == f"{first} (and 4 more errors)"


def test_one_wrong_field_is_told_without_a_count(user):
    answer = user.post("/api/categories", {"name": "sem cor"})
    assert_is_error(answer, 422)
    assert answer.errors == {"color"}
    assert answer.json["message"] == answer.json["errors"]["color"][0]


def test_unknown_body_fields_are_ignored(user):
    answer = user.post("/api/categories", {"name": "com sobras", "color": "pink", "id": "x",
                                           "tenant_id": str(uuid.uuid4()), "more": {"a": [1]}})
    assert answer.status == 201
    assert set(answer.json) == {"id", "name", "description", "color", "is_default"}


def test_unknown_query_parameters_are_ignored(user):
    assert user.get("/api/transactions", {"foo": "1", "tenant_id": "x"}).status == 200


# HTTP

def test_cors_is_open(user):
    answer = user.get("/api/categories", headers={"Origin": "https://app.example"})
    assert answer.header("Access-Control-Allow-Origin") == "*"
    refused = user.get("/api/nothing", headers={"Origin": "https://app.example"})
    assert refused.header("Access-Control-Allow-Origin") == "*"


def test_preflight_is_answered_without_a_token(client):
    answer = client.request("OPTIONS", "/api/transactions", headers={
        "Origin": "https://app.example", "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,idempotency-key"})
    assert answer.status in (200, 204) and answer.body == b""
    assert answer.header("Access-Control-Allow-Origin") == "*"
    assert "POST" in answer.header("Access-Control-Allow-Methods")
    allowed = answer.header("Access-Control-Allow-Headers").lower()
    assert allowed == "*" or all(name in allowed for name in
                                 ("authorization", "content-type", "idempotency-key"))


def test_head_is_get_without_a_body(system, user):
    for path in ("/api/categories", "/api/transactions", f"/api/accounts/{user.accounts[0]['id']}",
                 "/api/nothing", "/healthz"):
        whole = user.get(path)
        head = user.request("HEAD", path)
        assert head.status == whole.status and head.body == b""
        assert head.header("Content-Length") == str(len(whole.body))
        assert head.header("Content-Type") == whole.header("Content-Type")
    with Wire(*system.address) as wire:  # no byte of a body that would shift what follows
        wire.send(raw_request(system, user.token, method="HEAD")
                  + raw_request(system, user.token))
        assert wire.answer("HEAD").body == b""
        assert wire.answer().json == user.get("/api/categories").json


def test_pipelined_requests_are_answered_in_order(system, user):
    categories = user.get("/api/categories").json
    wanted = [categories[index % len(categories)] for index in range(40)]
    with Wire(*system.address) as wire:
        wire.send(b"".join(raw_request(system, user.token, f"/api/categories/{category['id']}")
                           for category in wanted))
        for category in wanted:
            assert wire.answer().json == category


def test_pipelined_writes_and_reads_keep_their_order(system, user):
    names = [f"fila {serial()}" for _ in range(10)]
    parts = []
    for name in names:
        body = f'{{"name":"{name}","color":"green"}}'.encode()
        parts.append(raw_request(system, user.token, method="POST", body=body, headers=[
            "Content-Type: application/json", f"Content-Length: {len(body)}"]))
        parts.append(raw_request(system, user.token,
                                 f"/api/categories?search={name.replace(' ', '%20')}"))
    with Wire(*system.address) as wire:
        wire.send(b"".join(parts))
        for name in names:
            assert wire.answer("POST").json["name"] == name
            assert [category["name"] for category in wire.answer().json] == [name]


def test_connection_close_and_http_1_0_end_the_connection(system, user):
    with Wire(*system.address) as wire:
        wire.send(raw_request(system, user.token, headers=["Connection: close"]))
        answer = wire.answer()
        assert answer.status == 200 and answer.header("Connection").lower() == "close"
        assert wire.ended()
    with Wire(*system.address) as wire:
        wire.send(f"GET /api/categories HTTP/1.0\r\nAuthorization: Bearer {user.token}\r\n\r\n")
        assert wire.answer().status == 200
        assert wire.ended()


def test_expect_100_continue_is_answered(system, user):
    body = f'{{"name":"espera {serial()}","color":"blue"}}'.encode()
    with Wire(*system.address) as wire:
        wire.send(raw_request(system, user.token, method="POST", headers=[
            "Content-Type: application/json", f"Content-Length: {len(body)}",
            "Expect: 100-continue"]))
        assert wire.stream.readline().startswith(b"HTTP/1.1 100")
        assert wire.stream.readline() == b"\r\n"
        wire.send(body)
        assert wire.answer("POST").status == 201


def test_a_request_in_small_pieces_is_understood(system, user):
    body = f'{{"name":"pouco a pouco {serial()}","color":"blue"}}'.encode()
    whole = raw_request(system, user.token, method="POST", body=body, headers=[
        "Content-Type: application/json", f"Content-Length: {len(body)}"])
    with Wire(*system.address) as wire:
        for start in range(0, len(whole), 7):
            wire.send(whole[start:start + 7])
        assert wire.answer("POST").status == 201


# Headers out

def test_a_request_id_is_kept_or_made(user):
    assert user.get("/api/banks", headers={"X-Request-Id": "abc-123.X_y"}) \
        .header("X-Request-Id") == "abc-123.X_y"
    made = {user.get("/api/banks").header("X-Request-Id") for _ in range(5)}
    assert len(made) == 5 and all(made)
    for bad in ("a" * 65, "white space", "quote\"", "semi;colon"):
        answer = user.get("/api/banks", headers={"X-Request-Id": bad})
        assert answer.header("X-Request-Id") not in (None, "", bad)
    assert user.get("/api/nothing").header("X-Request-Id")


@pytest.mark.newer("an edge that logs what failed")
def test_a_failure_of_ours_is_found_in_the_log_by_its_trace(system, user):
    trace, said = uuid.uuid4().hex, []
    body = user.transaction_body(memo="sexta-feira 13")
    system.sql("ALTER TABLE transactions ADD CONSTRAINT unlucky CHECK (memo <> 'sexta-feira 13')"
               " NOT VALID")
    try:
        answer = user.post("/api/transactions", body,
                           headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
    finally:
        system.sql("ALTER TABLE transactions DROP CONSTRAINT unlucky")
    assert_is_error(answer, 500)
    for log in (system.data / "log").glob("*.log"):
        said += [json.loads(line) for line in log.read_text().splitlines() if trace in line]
    said.sort(key=lambda line: line["time"])
    assert [line["severity"] for line in said] == ["ERROR", "INFO"]
    cause, end = said
    assert (cause["operation"], cause["tenant"], cause["state"]) == (
        "create_transaction", user.user_id, "23514")
    assert (end["method"], end["path"], end["code"], end["request_id"]) == (
        "POST", "/api/transactions", "500", answer.header("X-Request-Id"))


def test_traceparent_is_continued(system, user):
    answer = user.get("/api/banks", headers={"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"})
    assert answer.status == 200
    assert answer.header("X-Request-Id") == TRACE
    for bad in (f"ff-{TRACE}-00f067aa0ba902b7-01", f"00-{'0' * 32}-00f067aa0ba902b7-01",
                f"00-{TRACE}-{'0' * 16}-01", f"00-{TRACE.upper()}-00f067aa0ba902b7-01",
                f"00-{TRACE[:-1]}-00f067aa0ba902b7-01", "nonsense"):
        answer = user.get("/api/banks", headers={"traceparent": bad})
        assert answer.status == 200 and answer.header("X-Request-Id") != TRACE, bad


@pytest.mark.newer("stations that never overlap")
def test_server_timing_names_the_stations(system, user):
    """Stations that do not overlap: together they are no longer than the request took. Each is told
    by a loop's clock, which stands still during a turn, so the request is a long one."""
    lock = subprocess.Popen(["psql", system.state()["database_url"], "-XAtq"], text=True,
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    lock.stdin.write("BEGIN; LOCK TABLE transactions; SELECT 'locked'; SELECT pg_sleep(0.5);"
                     " COMMIT;\n")
    lock.stdin.close()
    assert lock.stdout.readline() == "locked\n"
    start = time.monotonic()
    answer = user.get("/api/transactions", {"search": f"nada {serial()}"})
    elapsed_ms = (time.monotonic() - start) * 1000
    assert lock.wait(20) == 0
    timing = {name: float(value) for name, value in
              re.findall(r"(\w+);dur=(\d+\.\d{3})", answer.header("Server-Timing"))}
    assert set(timing) == {"edge", "bus", "actor", "database"}, timing
    assert timing["database"] > 300 and timing["bus"] > 0, timing
    assert sum(timing.values()) <= elapsed_ms + 50 * SLACK, (timing, elapsed_ms)


@pytest.mark.newer("an edge that times failures")
def test_failures_tell_their_timing_too(user, client):
    for answer in (user.get("/api/nothing"), user.get("/api/transactions", {"page": "x"}),
                   client.get("/api/banks"), user.get(f"/api/accounts/{uuid.uuid4()}"),
                   client.request("OPTIONS", "/api/banks")):
        names = re.findall(r"(\w+);dur=\d+\.\d{3}(?:, |$)", answer.header("Server-Timing"))
        assert names == ["edge", "bus", "actor", "database"], answer
    assert "database;dur=0.000" not in user.get(f"/api/accounts/{uuid.uuid4()}").header(
        "Server-Timing"), "the database was asked for it"


# Query arrays

def test_query_arrays_come_in_every_form(user):
    first, second, third = (account["id"] for account in user.accounts)
    ids = {account["id"]: user.new_transaction(account_id=account["id"])["id"]
           for account in user.accounts}
    wanted = {ids[first], ids[third]}
    for query in (f"accounts[]={first}&accounts[]={third}",
                  f"accounts%5B%5D={first}&accounts%5b%5d={third}",
                  f"accounts={first}&accounts={third}",
                  f"accounts[0]={first}&accounts[1]={third}",
                  f"accounts[]={first}&accounts={third}",
                  f"accounts[]={first}&page=1&accounts[]={third}&accounts[]={first}"):
        answer = user.request("GET", f"/api/transactions?{query}")
        assert answer.status == 200, (query, answer)
        assert {row["id"] for row in answer.json["data"]} == wanted, query
    answer = user.request("GET", f"/api/transactions?accounts[]={second}")
    assert [row["id"] for row in answer.json["data"]] == [ids[second]]


def test_a_wrong_list_item_is_told_by_its_place(user):
    answer = user.request("GET", "/api/transactions?accounts[]="
                          f"{user.accounts[0]['id']}&accounts[]=nonsense&categories[]=1")
    assert_is_error(answer, 422)
    assert answer.errors == {"accounts.1", "categories.0"}


def test_more_than_fifty_ids_are_422(user):
    query = "&".join(f"accounts[]={uuid.uuid4()}" for _ in range(50))
    assert user.request("GET", f"/api/transactions?{query}").status == 200
    answer = user.request("GET", f"/api/transactions?{query}&accounts[]={uuid.uuid4()}")
    assert_is_error(answer, 422)
    assert all(path.startswith("accounts") for path in answer.errors)


# Outside the product

def test_health_and_readiness_need_no_token(client):
    assert client.get("/healthz").status == 200
    assert client.get("/readyz").status == 200


def test_openapi_describes_every_route(client):
    answer = client.get("/api/openapi.json")
    assert answer.status == 200 and answer.json["openapi"].startswith("3.1")
    paths = answer.json["paths"]
    for method, path in ROUTES:
        name = re.sub(r"/[0-9a-f-]{36}$", "/{id}", path)
        found = paths.get(name) or paths.get(name.removeprefix("/api"))
        assert found and method.lower() in found, (method, name)


def test_metrics_of_all_processes_are_served(system):
    from client import Client
    import urllib.parse
    where = urllib.parse.urlsplit(system.state()["metrics"])
    answer = Client(where.hostname, where.port).get("/metrics", headers={"Accept": "*/*"})
    assert answer.status == 200
    text = answer.body.decode()
    assert re.search(r"^# TYPE \w+ (counter|histogram|gauge)$", text, re.M)
    for name in ("http-1", "broker-1", "broker-2", "query-1", "command-1"):
        assert f'"{name}"' in text, name
