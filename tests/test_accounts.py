# SPDX-License-Identifier: Apache-2.0
"""Accounts: their fields, their limits, their lists, and what protects a balance."""
import uuid

import pytest

from client import serial

FIELDS = {"id", "name", "number", "balance", "currency", "type", "bank"}


def test_a_new_user_has_three_brl_checking_accounts(system):
    answer = system.client().post("/api/testing/load-test-user")
    assert answer.status == 201
    assert set(answer.json) == {"token", "user_id", "email", "expires_at"}
    uuid.UUID(answer.json["user_id"])
    identity, secret = answer.json["token"].split("|")
    assert uuid.UUID(identity) and len(secret) == 40 and secret.isalnum()
    accounts = system.client(answer.json["token"]).get("/api/accounts").json
    assert accounts["meta"]["total"] == 3
    for account in accounts["data"]:
        assert set(account) == FIELDS
        assert account["type"] == "checking" and account["currency"] == "BRL"
        assert account["balance"]["value"] == 0
        assert set(account["bank"]) == {"id", "code", "name"}
    assert len({account["id"] for account in accounts["data"]}) == 3


def test_users_differ(system):
    first, second = (system.client().post("/api/testing/load-test-user").json for _ in range(2))
    for field in ("token", "user_id", "email"):
        assert first[field] != second[field]


@pytest.mark.parametrize("kind", ["checking", "savings", "investment", "credit"])
@pytest.mark.parametrize("currency,zero", [("BRL", "R$ 0,00"), ("USD", "$0.00"), ("EUR", "0,00 €")])
def test_a_created_account_is_what_was_sent(user, kind, currency, zero):
    bank = user.bank("341")
    body = {"name": f"Conta {kind} {serial()}", "number": f"{serial():07d}-X",
            "currency": currency, "type": kind, "bank_id": bank["id"]}
    answer = user.post("/api/accounts", body)
    assert answer.status == 201
    wanted = {"name": body["name"], "number": body["number"], "currency": currency, "type": kind,
              "bank": bank, "balance": {"value": 0, "currency": currency, "formatted": zero}}
    assert {**wanted, "id": answer.json["id"]} == answer.json
    assert user.get(f"/api/accounts/{answer.json['id']}").json == answer.json
    assert answer.json in user.get("/api/accounts").json["data"]


def test_ids_are_uuid_version_7(user):
    assert uuid.UUID(user.new_account()["id"]).version == 7


def test_the_number_may_be_missing(user):
    body = {"name": "Sem número", "currency": "BRL", "type": "savings",
            "bank_id": user.bank()["id"]}
    for more in ({}, {"number": None}):
        answer = user.post("/api/accounts", {**body, **more})
        assert answer.status == 201 and answer.json["number"] is None


@pytest.mark.parametrize("field,value", [
    ("name", None), ("name", "ab"), ("name", "n" * 256), ("name", 7), ("name", ["x"]),
    ("number", 12), ("number", {"a": 1}), ("currency", None), ("currency", "GBP"),
    ("currency", "brl"), ("currency", 1), ("type", None), ("type", "current"), ("type", True),
    ("bank_id", None), ("bank_id", "nonsense"), ("bank_id", 5),
    ("bank_id", "01890000-0000-7000-8000-000000000000")])
def test_a_wrong_field_is_422(user, field, value):
    body = {"name": "Conta boa", "number": "77", "currency": "BRL", "type": "checking",
            "bank_id": user.bank()["id"], field: value}
    answer = user.post("/api/accounts", body)
    assert answer.status == 422, answer
    assert answer.errors == {field}
    assert user.get("/api/accounts").json["meta"]["total"] == 3


def test_the_longest_and_shortest_names_are_taken(user):
    for name in ("abc", "n" * 255, "Poupança da Avó ✓", "tab\tand\nline"):
        assert user.new_account(name=name)["name"] == name


def test_put_replaces(user):
    account = user.new_account()
    bank = user.bank("104")
    body = {"name": "Outra", "currency": "USD", "type": "investment", "bank_id": bank["id"]}
    answer = user.put(f"/api/accounts/{account['id']}", body)
    assert answer.status == 200
    assert answer.json == {
        "id": account["id"], "name": "Outra", "number": None, "currency": "USD",
        "type": "investment", "bank": bank,
        "balance": {"value": 0, "currency": "USD", "formatted": "$0.00"}}
    assert user.get(f"/api/accounts/{account['id']}").json == answer.json


def test_put_with_a_missing_field_is_422_and_changes_nothing(user):
    account = user.new_account()
    answer = user.put(f"/api/accounts/{account['id']}", {"name": "Outra"})
    assert answer.status == 422
    assert answer.errors == {"currency", "type", "bank_id"}
    assert user.get(f"/api/accounts/{account['id']}").json == account


def test_the_currency_of_an_account_in_use_stays(user):
    account = user.new_account()
    user.new_transaction(account_id=account["id"])
    body = {"name": "Em uso", "currency": "EUR", "type": "checking",
            "bank_id": account["bank"]["id"]}
    answer = user.put(f"/api/accounts/{account['id']}", body)
    assert answer.status == 422 and answer.errors == {"currency"}
    answer = user.put(f"/api/accounts/{account['id']}", {**body, "currency": "BRL"})
    assert answer.status == 200 and answer.json["name"] == "Em uso"


def test_an_unused_account_is_deleted(user):
    account = user.new_account()
    answer = user.delete(f"/api/accounts/{account['id']}")
    assert answer.status == 204 and answer.body == b""
    assert user.get(f"/api/accounts/{account['id']}").status == 404
    assert user.delete(f"/api/accounts/{account['id']}").status == 404
    assert user.put(f"/api/accounts/{account['id']}", {
        "name": "Morta", "currency": "BRL", "type": "checking",
        "bank_id": account["bank"]["id"]}).status == 404
    assert user.get("/api/accounts").json["meta"]["total"] == 3


def test_an_account_with_transactions_is_not_deleted(user):
    account = user.new_account()
    transaction = user.new_transaction(account_id=account["id"])
    answer = user.delete(f"/api/accounts/{account['id']}")
    assert answer.status == 422 and answer.json["message"]
    assert user.get(f"/api/accounts/{account['id']}").status == 200
    assert user.delete(f"/api/transactions/{transaction['id']}").status == 204
    assert user.delete(f"/api/accounts/{account['id']}").status == 204


def test_the_list_is_by_name_then_id(user):
    for name in ("Zeta", "Meio", "Meio", "Alfa", "Meio"):
        user.new_account(name=name)
    rows = user.pages("/api/accounts", per_page=2)
    own = [row for row in rows if row["name"] in ("Zeta", "Meio", "Alfa")]
    assert [(row["name"], row["id"]) for row in own] == \
        sorted((row["name"], row["id"]) for row in own)
    assert len(rows) == 8 and len({row["id"] for row in rows}) == 8


def test_the_list_is_filtered(user):
    made = [user.new_account(name=f"Filtro {kind} {currency}", type=kind, currency=currency)
            for kind in ("savings", "credit") for currency in ("BRL", "USD", "EUR")]

    def found(**query):
        return {row["id"] for row in user.pages("/api/accounts", query)}
    assert found(type="savings") == {row["id"] for row in made[:3]}
    assert found(currency="USD") == {made[1]["id"], made[4]["id"]}
    assert found(type="credit", currency="EUR") == {made[5]["id"]}
    assert found(search="filtro CREDIT") == {row["id"] for row in made[3:]}
    assert found(search=made[2]["number"]) == {made[2]["id"]}
    assert found(search="Filtro", type="savings", currency="BRL") == {made[0]["id"]}
    assert found(search="%") == set() and found(search="_") == set()


@pytest.mark.parametrize("query", [{"type": "current"}, {"currency": "XXX"}, {"page": "0"},
                                   {"page": "-1"}, {"page": "x"}, {"per_page": "0"},
                                   {"per_page": "101"}, {"per_page": "1.5"}])
def test_a_wrong_filter_is_422(user, query):
    answer = user.get("/api/accounts", query)
    assert answer.status == 422 and answer.errors == set(query)


def test_a_tenant_has_at_most_200_accounts(user):
    bank = user.bank()["id"]
    for number in range(197):
        answer = user.post("/api/accounts", {"name": f"Conta {number:03d}", "currency": "BRL",
                                             "type": "checking", "bank_id": bank})
        assert answer.status == 201, (number, answer)
    answer = user.post("/api/accounts", {"name": "Uma a mais", "currency": "BRL",
                                         "type": "checking", "bank_id": bank})
    assert answer.status == 422 and answer.json["message"]
    assert user.get("/api/accounts").json["meta"]["total"] == 200
