# SPDX-License-Identifier: Apache-2.0
"""One transaction: its fields, money, dates, and the balance it moves."""
import uuid

import pytest

FIELDS = {"id", "amount", "amount_formatted", "fitid", "memo", "type", "date", "category",
          "account", "splits"}
MONEY_MAX = 10 ** 15


def test_a_created_transaction_is_what_was_sent(user):
    category = user.new_category()
    account = user.accounts[1]
    answer = user.post("/api/transactions", {
        "account_id": account["id"], "category_id": category["id"],
        "amount": {"value": -2590, "currency": "BRL"}, "date": "2026-11-23", "memo": "Padaria"})
    assert answer.status == 201
    row = answer.json
    assert set(row) == FIELDS
    assert uuid.UUID(row["id"]).version == 7
    assert row["amount"] == {"value": -2590, "currency": "BRL", "formatted": "-R$ 25,90"}
    assert row["amount_formatted"] == "-R$ 25,90"
    assert row["type"] == "debit" and row["memo"] == "Padaria"
    assert row["date"] == "2026-11-23T00:00:00Z"
    assert row["fitid"] is None and row["splits"] == []
    assert row["category"] == category
    assert row["account"]["id"] == account["id"]
    assert row["account"]["balance"]["value"] == -2590
    shown = user.get(f"/api/transactions/{row['id']}")
    assert shown.status == 200 and shown.json == row
    assert user.get("/api/transactions").json["data"] == [row]


def test_optional_fields_may_be_missing_or_null(user):
    body = user.transaction_body()
    del body["memo"]
    for more in ({}, {"memo": None, "category_id": None}):
        answer = user.post("/api/transactions", {**body, **more})
        assert answer.status == 201
        assert answer.json["memo"] is None and answer.json["category"] is None


@pytest.mark.parametrize("currency,value,text", [
    ("BRL", 0, "R$ 0,00"), ("BRL", 7, "R$ 0,07"), ("BRL", -7, "-R$ 0,07"),
    ("BRL", 123456, "R$ 1.234,56"), ("BRL", 99999999, "R$ 999.999,99"),
    ("BRL", -123456789012345, "-R$ 1.234.567.890.123,45"),
    ("USD", 123456, "$1,234.56"), ("USD", -2590, "-$25.90"), ("USD", 100, "$1.00"),
    ("EUR", 123456, "1.234,56 €"), ("EUR", -2590, "-25,90 €"), ("EUR", 100000, "1.000,00 €"),
    ("BRL", MONEY_MAX, "R$ 10.000.000.000.000,00"),
    ("USD", -MONEY_MAX, "-$10,000,000,000,000.00")])
def test_money_is_written_as_its_people_do(user, currency, value, text):
    account = user.new_account(currency=currency)
    row = user.new_transaction(account_id=account["id"],
                               amount={"value": value, "currency": currency})
    assert row["amount"] == {"value": value, "currency": currency, "formatted": text}
    assert row["amount_formatted"] == text
    assert row["type"] == ("credit" if value >= 0 else "debit")
    shown = user.get(f"/api/accounts/{account['id']}").json["balance"]
    assert shown == {"value": value, "currency": currency, "formatted": text}


@pytest.mark.parametrize("sent,stored", [
    ("2026-11-23", "2026-11-23T00:00:00Z"), ("2024-02-29", "2024-02-29T00:00:00Z"),
    ("2000-02-29", "2000-02-29T00:00:00Z"), ("1900-01-01", "1900-01-01T00:00:00Z"),
    ("2199-12-31", "2199-12-31T00:00:00Z"),
    ("2026-11-23T23:59:59Z", "2026-11-23T23:59:59Z"),
    ("2026-11-23T10:20:30+00:00", "2026-11-23T10:20:30Z"),
    ("2026-11-23T10:20:30-03:00", "2026-11-23T13:20:30Z"),
    ("2026-01-01T01:30:00+05:30", "2025-12-31T20:00:00Z"),
    ("2026-12-31T22:00:00-03:00", "2027-01-01T01:00:00Z"),
    ("2024-02-28T23:30:00-01:00", "2024-02-29T00:30:00Z")])
def test_dates_are_utc(user, sent, stored):
    row = user.new_transaction(date=sent)
    assert row["date"] == stored
    assert user.get(f"/api/transactions/{row['id']}").json["date"] == stored


@pytest.mark.parametrize("date", [
    "2026-02-30", "2023-02-29", "1900-02-29", "2026-04-31", "2026-13-01", "2026-00-10",
    "2026-01-00", "2026-01-32", "1899-12-31", "2200-01-01", "0000-01-01", "9999-12-31",
    "26-01-01", "2026-1-1", "2026/01/01", "01-02-2026", "today", "2026-01-01T24:00:01Z",
    "2026-01-01T25:00:00Z", "2026-01-01T10:60:00Z", "2026-01-01T10:00:61Z", "2026-01-01T",
    "2026-01-01T10:00:00+25:00", "2026-01-01T10:00:00+03:99", "2026-01-01Z", " ", "2026-01-01x",
    "infinity", "-2026-01-01", "2026-01-01\u0000", 20260101, True, ["2026-01-01"], {}])
def test_dates_that_are_none_are_422(user, date):
    answer = user.post("/api/transactions", user.transaction_body(date=date))
    assert answer.status == 422, answer
    assert answer.errors == {"date"}
    assert user.get("/api/transactions").json["meta"]["total"] == 0


@pytest.mark.parametrize("amount,wrong", [
    (None, {"amount"}), (5, {"amount"}), ("5", {"amount"}), ([], {"amount"}),
    ({}, {"amount.value", "amount.currency"}), ({"value": 5}, {"amount.currency"}),
    ({"currency": "BRL"}, {"amount.value"}), ({"value": "5", "currency": "BRL"}, {"amount.value"}),
    ({"value": 5.5, "currency": "BRL"}, {"amount.value"}),
    ({"value": True, "currency": "BRL"}, {"amount.value"}),
    ({"value": None, "currency": "BRL"}, {"amount.value"}),
    ({"value": [5], "currency": "BRL"}, {"amount.value"}),
    ({"value": 5, "currency": "GBP"}, {"amount.currency"}),
    ({"value": 5, "currency": 1}, {"amount.currency"}),
    ({"value": MONEY_MAX + 1, "currency": "BRL"}, {"amount.value"}),
    ({"value": -MONEY_MAX - 1, "currency": "BRL"}, {"amount.value"}),
    ({"value": 2 ** 63 - 1, "currency": "BRL"}, {"amount.value"}),
    ({"value": 2 ** 63, "currency": "BRL"}, {"amount.value"}),
    ({"value": -2 ** 63, "currency": "BRL"}, {"amount.value"}),
    ({"value": 2 ** 64, "currency": "BRL"}, {"amount.value"}),
    ({"value": 10 ** 30, "currency": "BRL"}, {"amount.value"})])
def test_amounts_that_are_none_are_422(user, amount, wrong):
    answer = user.post("/api/transactions", user.transaction_body(amount=amount))
    assert answer.status == 422, answer
    told = answer.errors
    assert told == wrong or (wrong == {"amount"} and told == {"amount.value", "amount.currency"})
    assert user.balance(user.accounts[0]["id"]) == 0


def test_the_currency_must_be_the_accounts(user):
    answer = user.post("/api/transactions",
                       user.transaction_body(amount={"value": 5, "currency": "USD"}))
    assert answer.status == 422 and answer.errors == {"amount.currency"}
    row = user.new_transaction()
    answer = user.put(f"/api/transactions/{row['id']}", {
        "amount": {"value": 5, "currency": "EUR"}, "date": "2026-01-01"})
    assert answer.status == 422 and answer.errors == {"amount.currency"}
    assert user.get(f"/api/transactions/{row['id']}").json == row


@pytest.mark.parametrize("field,value", [
    ("account_id", None), ("account_id", "x"), ("account_id", 1),
    ("account_id", "01890000-0000-7000-8000-000000000000"),
    ("category_id", "x"), ("category_id", 9),
    ("category_id", "01890000-0000-7000-8000-000000000000"),
    ("memo", "m" * 256), ("memo", 5), ("memo", ["a"]), ("date", None)])
def test_a_wrong_field_is_422(user, field, value):
    answer = user.post("/api/transactions", user.transaction_body(**{field: value}))
    assert answer.status == 422, answer
    assert answer.errors == {field}
    assert user.get("/api/transactions").json["meta"]["total"] == 0


def test_the_longest_memo_is_taken(user):
    assert user.new_transaction(memo="m" * 255)["memo"] == "m" * 255


def test_every_change_moves_the_balance_by_its_difference(user):
    account = user.accounts[2]["id"]
    rows = [user.new_transaction(account_id=account, amount={"value": value, "currency": "BRL"})
            for value in (1000, -301, 77)]
    assert user.balance(account) == 776
    answer = user.put(f"/api/transactions/{rows[1]['id']}", {
        "amount": {"value": -1, "currency": "BRL"}, "date": "2026-05-05"})
    assert answer.status == 200 and answer.json["account"]["balance"]["value"] == 1076
    assert user.balance(account) == 1076
    assert user.delete(f"/api/transactions/{rows[0]['id']}").status == 204
    assert user.balance(account) == 76
    listed = {row["id"]: row for row in user.get("/api/accounts").json["data"]}
    assert listed[account]["balance"]["value"] == 76
    for other in user.accounts[:2]:
        assert user.balance(other["id"]) == 0


def test_put_replaces(user):
    category = user.new_category()
    row = user.new_transaction(category_id=category["id"], memo="some depois")
    path = f"/api/transactions/{row['id']}"
    answer = user.put(path, {"amount": {"value": 4242, "currency": "BRL"},
                             "date": "2025-03-04T05:06:07Z"})
    assert answer.status == 200
    changed = answer.json
    assert changed["id"] == row["id"] and changed["date"] == "2025-03-04T05:06:07Z"
    assert changed["memo"] is None and changed["category"] is None
    assert changed["type"] == "credit" and changed["amount_formatted"] == "R$ 42,42"
    assert user.get(path).json == changed
    answer = user.put(path, {"amount": {"value": -1, "currency": "BRL"}, "date": "2025-03-04",
                             "memo": "voltou", "category_id": category["id"]})
    assert answer.json["memo"] == "voltou" and answer.json["category"] == category


def test_put_needs_its_required_fields_and_changes_nothing_without(user):
    row = user.new_transaction()
    path = f"/api/transactions/{row['id']}"
    answer = user.put(path, {"memo": "só isto"})
    assert answer.status == 422
    assert "date" in answer.errors and any(name.startswith("amount") for name in answer.errors)
    for field, value in (("date", "2026-02-30"), ("category_id", str(uuid.uuid4())),
                         ("memo", "m" * 256)):
        answer = user.put(path, {"amount": {"value": 3, "currency": "BRL"}, "date": "2026-01-01",
                                 field: value})
        assert answer.status == 422 and answer.errors == {field}
    assert user.get(path).json == row


def test_the_account_of_a_transaction_stays(user):
    row = user.new_transaction(account_id=user.accounts[0]["id"])
    answer = user.put(f"/api/transactions/{row['id']}", {
        "account_id": user.accounts[1]["id"], "date": "2026-01-01",
        "amount": {"value": 99, "currency": "BRL"}})
    assert answer.status == 200
    assert answer.json["account"]["id"] == user.accounts[0]["id"]
    assert user.balance(user.accounts[0]["id"]) == 99
    assert user.balance(user.accounts[1]["id"]) == 0


def test_a_deleted_transaction_is_gone(user):
    row = user.new_transaction()
    path = f"/api/transactions/{row['id']}"
    answer = user.delete(path)
    assert answer.status == 204 and answer.body == b""
    assert user.get(path).status == 404
    assert user.delete(path).status == 404
    assert user.put(path, {"amount": {"value": 1, "currency": "BRL"},
                           "date": "2026-01-01"}).status == 404
    assert user.get("/api/transactions").json["meta"]["total"] == 0
    assert user.balance(row["account"]["id"]) == 0


def test_a_balance_does_not_pass_its_limit(user):
    for sign in (1, -1):
        account = user.new_account()["id"]
        full = {"value": sign * MONEY_MAX, "currency": "BRL"}
        most = user.new_transaction(account_id=account, amount=full)
        for value in (sign, sign * MONEY_MAX):
            answer = user.post("/api/transactions", user.transaction_body(
                account_id=account, amount={"value": value, "currency": "BRL"}))
            assert answer.status == 422 and answer.errors == {"amount.value"}, answer
        assert user.balance(account) == sign * MONEY_MAX
        back = user.new_transaction(account_id=account,
                                    amount={"value": -sign * 5, "currency": "BRL"})
        assert user.balance(account) == sign * (MONEY_MAX - 5)
        answer = user.put(f"/api/transactions/{back['id']}", {
            "amount": {"value": sign * 5, "currency": "BRL"}, "date": "2026-01-01"})
        assert answer.status == 422, answer
        assert user.balance(account) == sign * (MONEY_MAX - 5)
        assert user.delete(f"/api/transactions/{most['id']}").status == 204
        assert user.balance(account) == -sign * 5


def test_a_deletion_that_would_pass_the_limit_is_422(user):
    account = user.new_account()["id"]
    low = user.new_transaction(account_id=account, amount={"value": -10, "currency": "BRL"})
    user.new_transaction(account_id=account, amount={"value": MONEY_MAX, "currency": "BRL"})
    user.new_transaction(account_id=account, amount={"value": 10, "currency": "BRL"})
    assert user.delete(f"/api/transactions/{low['id']}").status == 422
    assert user.balance(account) == MONEY_MAX
    assert user.get(f"/api/transactions/{low['id']}").status == 200


def test_balances_equal_their_sums_in_the_database(system, user):
    for account in user.accounts:
        for value in (100003, -99, 45):
            user.new_transaction(account_id=account["id"],
                                 amount={"value": value, "currency": "BRL"})
    system.assert_balances()
