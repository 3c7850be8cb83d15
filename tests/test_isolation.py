# SPDX-License-Identifier: Apache-2.0
"""Nobody sees or moves what is another tenant's, on any route, by any field."""
import pytest


class Estate:
    """What a tenant owns, and a picture of all of it."""

    def __init__(self, client):
        self.client = client
        self.account = client.new_account()
        self.category = client.new_category()
        self.transaction = client.new_transaction(account_id=self.account["id"],
                                                  category_id=self.category["id"])
        self.account = client.get(f"/api/accounts/{self.account['id']}").json

    def picture(self):
        return (self.client.pages("/api/accounts"), self.client.get("/api/categories").json,
                self.client.pages("/api/transactions"))


@pytest.fixture
def estate(stranger):
    estate = Estate(stranger)
    before = estate.picture()
    yield estate
    assert estate.picture() == before, "the stranger's data changed"


def bodies(user, estate):
    return {
        "accounts": {"name": "Roubada", "number": "66", "currency": "BRL", "type": "checking",
                     "bank_id": user.bank()["id"]},
        "categories": {"name": "Roubada", "color": "red"},
        "transactions": {"amount": {"value": -66, "currency": "BRL"}, "date": "2026-06-06",
                         "memo": "roubada"}}


def owned(estate):
    return {"accounts": estate.account["id"], "categories": estate.category["id"],
            "transactions": estate.transaction["id"]}


@pytest.mark.parametrize("kind", ["accounts", "categories", "transactions"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_a_strangers_id_in_a_path_is_403(user, estate, kind, method):
    path = f"/api/{kind}/{owned(estate)[kind]}"
    body = bodies(user, estate)[kind] if method == "PUT" else None
    answer = user.request(method, path, body=body)
    assert answer.status == 403, answer
    if method != "HEAD":
        assert answer.json == {"message": "This action is unauthorized."}


@pytest.mark.parametrize("kind", ["accounts", "categories", "transactions"])
def test_it_is_403_also_when_its_owner_has_just_read_it(user, estate, kind):
    path = f"/api/{kind}/{owned(estate)[kind]}"
    for _ in range(3):
        assert estate.client.get(path).status == 200
        assert user.get(path).status == 403


def test_a_strangers_account_in_a_body_is_as_if_unknown(user, estate):
    sent = user.transaction_body(account_id=estate.account["id"])
    theirs = user.post("/api/transactions", sent)
    nobodys = user.post("/api/transactions",
                        {**sent, "account_id": "01890000-0000-7000-8000-0000000000aa"})
    assert theirs.status == nobodys.status == 422
    assert theirs.errors == {"account_id"} and theirs.json == nobodys.json


def test_a_strangers_category_in_a_body_is_as_if_unknown(user, estate):
    sent = user.transaction_body(category_id=estate.category["id"])
    theirs = user.post("/api/transactions", sent)
    nobodys = user.post("/api/transactions",
                        {**sent, "category_id": "01890000-0000-7000-8000-0000000000aa"})
    assert theirs.status == nobodys.status == 422
    assert theirs.errors == {"category_id"} and theirs.json == nobodys.json
    own = user.new_transaction()
    answer = user.put(f"/api/transactions/{own['id']}", {
        "amount": {"value": 1, "currency": "BRL"}, "date": "2026-01-01",
        "category_id": estate.category["id"]})
    assert answer.status == 422 and answer.errors == {"category_id"}
    assert user.get(f"/api/transactions/{own['id']}").json == own


def test_a_strangers_ids_in_a_filter_match_nothing(user, estate):
    own = user.new_transaction()
    for query in ({"accounts[]": estate.account["id"]}, {"categories[]": estate.category["id"]},
                  {"accounts[]": estate.account["id"], "search": estate.transaction["memo"]},
                  {"accounts[]": estate.account["id"], "order_by[column]": "amount"}):
        got = user.get("/api/transactions", query).json
        assert got["data"] == [] and got["meta"]["total"] == 0, query
    mixed = user.get("/api/transactions", [("accounts[]", estate.account["id"]),
                                           ("accounts[]", own["account"]["id"])]).json
    assert [row["id"] for row in mixed["data"]] == [own["id"]] and mixed["meta"]["total"] == 1


def test_lists_hold_only_the_tenants_own(user, estate):
    own = user.new_transaction()
    assert [row["id"] for row in user.pages("/api/transactions")] == [own["id"]]
    assert estate.account["id"] not in {row["id"] for row in user.pages("/api/accounts")}
    assert estate.category["id"] not in {row["id"] for row in user.get("/api/categories").json}
    for path, word in (("accounts", estate.account["name"]),
                       ("accounts", estate.account["number"]),
                       ("transactions", estate.transaction["memo"])):
        assert user.get(f"/api/{path}", {"search": word}).json["meta"]["total"] == 0
    assert user.get("/api/categories", {"search": estate.category["name"]}).json == []


def test_equal_questions_of_two_tenants_have_two_answers(user, estate):
    """The same address, asked in turns: a page kept for one is never shown to the other."""
    own = user.new_transaction()
    for _ in range(5):
        assert [row["id"] for row in user.get("/api/transactions").json["data"]] == [own["id"]]
        assert [row["id"] for row in estate.client.get("/api/transactions").json["data"]] == \
            [estate.transaction["id"]]


def test_tenant_fields_in_a_body_or_query_change_nothing(user, estate):
    theirs = estate.client.user_id
    more = {"tenant_id": theirs, "user_id": theirs}
    made = user.post("/api/categories", {"name": "Minha", "color": "red", **more})
    assert made.status == 201
    assert made.json["id"] in {row["id"] for row in user.get("/api/categories", more).json}
    made = user.post("/api/transactions", {**user.transaction_body(), **more})
    assert made.status == 201
    assert [row["id"] for row in user.get("/api/transactions", more).json["data"]] == \
        [made.json["id"]]


def test_no_row_of_the_database_points_into_another_tenant(system, user, estate):
    user.new_transaction(category_id=user.new_category()["id"])
    assert not system.sql("""
        SELECT t.id FROM transactions t JOIN accounts a ON a.id = t.account_id
        WHERE a.tenant_id <> t.tenant_id
        UNION ALL
        SELECT t.id FROM transactions t JOIN categories c ON c.id = t.category_id
        WHERE c.tenant_id <> t.tenant_id""")
