# SPDX-License-Identifier: Apache-2.0
"""Requests leave nothing behind in memory, however they end. Not for sanitizers: conftest.py."""
import uuid

from system import SLACK, until

KINDS = ("http", "broker", "query", "command")
TURNS = 150  # of 22 requests
GROWTH_KIB = 12  # a thousand requests: 32 bytes in every third; tables still touched are half of it


def requests_of_every_kind(client):
    """How many these were. What the tenant has is then what it had before."""
    count = 0

    def ask(wanted, method, path, **more):
        nonlocal count
        count += 1
        answer = client.request(method, path, **more)
        assert answer.status == wanted, (method, path, answer)
        return answer

    bank = ask(200, "GET", "/api/banks").json[0]["id"]
    account = ask(201, "POST", "/api/accounts", body={
        "name": "Passageira", "number": "1", "currency": "BRL", "type": "checking",
        "bank_id": bank}).json["id"]
    category = ask(201, "POST", "/api/categories",
                   body={"name": "Passageira", "color": "red"}).json["id"]
    key = {"Idempotency-Key": str(uuid.uuid4())}
    fields = client.transaction_body(account_id=account, category_id=category)
    transaction = ask(201, "POST", "/api/transactions", body=fields, headers=key)
    replayed = ask(201, "POST", "/api/transactions", body=fields, headers=key)
    assert replayed.body == transaction.body
    path = f"/api/transactions/{transaction.json['id']}"
    ask(200, "PUT", path, body={**fields, "memo": "outra vez"})
    for listed in ("/api/transactions?per_page=100", f"/api/transactions?accounts[]={account}",
                   f"/api/transactions?search={transaction.json['id'][-6:]}", "/api/accounts",
                   "/api/categories", path, f"/api/accounts/{account}"):
        ask(200, "GET", listed)
    ask(422, "DELETE", f"/api/accounts/{account}")
    ask(204, "DELETE", path)
    ask(404, "GET", path)
    ask(204, "DELETE", f"/api/categories/{category}")
    ask(204, "DELETE", f"/api/accounts/{account}")
    ask(422, "POST", "/api/transactions", body={**fields, "amount": "many"})
    ask(400, "POST", "/api/transactions", raw=b'{"memo": "cut')
    ask(401, "GET", "/api/accounts", headers={"Authorization": "Bearer 1|none"})
    ask(404, "GET", "/api/nothing")
    client.close()
    return count


def resident(system):
    return {name: system.resident_kib(name) for kind in KINDS for name in system.names(kind)}


def test_no_process_grows_with_the_requests_it_has_served(private_system):
    until(private_system.all_ready, 5 * SLACK, "all are ready")
    client = private_system.user()
    for _ in range(TURNS):  # pools and tables fill
        requests_of_every_kind(client)
    before = resident(private_system)
    requests = sum(requests_of_every_kind(client) for _ in range(2 * TURNS))
    after = resident(private_system)
    growth = {name: (after[name] - before[name]) / requests * 1000 for name in after}
    assert requests > 5000 and len(growth) == 7
    assert max(growth.values()) < GROWTH_KIB, f"KiB a thousand requests: {growth}"
