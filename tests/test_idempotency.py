# SPDX-License-Identifier: Apache-2.0
"""The Idempotency-Key: one effect, one answer, whoever repeats, however fast."""
import concurrent.futures
import json
import uuid

import pytest


def key(name=""):
    return {"Idempotency-Key": f"{name}{uuid.uuid4()}"}


def total(client):
    return client.get("/api/transactions").json["meta"]["total"]


def test_a_repeat_gets_the_stored_answer_and_no_second_effect(user):
    body, headers = user.transaction_body(), key()
    first = user.post("/api/transactions", body, headers=headers)
    assert first.status == 201 and first.header("Idempotency-Replayed") is None
    user.new_transaction()  # the account moves on; the stored answer does not
    for _ in range(3):
        again = user.post("/api/transactions", body, headers=headers)
        assert again.status == 201 and again.body == first.body
        assert again.header("Idempotency-Replayed") == "true"
    assert total(user) == 2


def test_a_repeat_is_known_by_its_meaning_not_by_its_bytes(user):
    body, headers = user.transaction_body(category_id=None), key()
    first = user.post("/api/transactions", body, headers=headers)
    shuffled = dict(reversed(body.items()), unknown="ignored")
    raw = json.dumps(shuffled, indent=3).encode()
    again = user.request("POST", "/api/transactions", raw=raw, headers=headers)
    assert again.body == first.body and again.header("Idempotency-Replayed") == "true"
    assert total(user) == 1


@pytest.mark.parametrize("field,value", [
    ("memo", "outra"), ("date", "2020-01-02"), ("amount", {"value": 1, "currency": "BRL"})])
def test_the_same_key_with_another_body_is_422(user, field, value):
    body, headers = user.transaction_body(), key()
    assert user.post("/api/transactions", body, headers=headers).status == 201
    answer = user.post("/api/transactions", {**body, field: value}, headers=headers)
    assert answer.status == 422 and answer.json["message"], answer
    assert answer.header("Idempotency-Replayed") is None
    assert total(user) == 1


@pytest.mark.newer("a sentence for it; it was a 500")
def test_an_answer_of_another_release_is_not_made_up(system, user):
    """One whose reply had a column less: the effect stands, once."""
    body, headers = user.transaction_body(), key()
    assert user.post("/api/transactions", body, headers=headers).status == 201
    system.sql(f"UPDATE idempotency SET reply = trim_array(reply, 1) "
               f"WHERE tenant_id = '{user.user_id}'")
    again = user.post("/api/transactions", body, headers=headers)
    assert again.status == 409 and "took effect" in again.json["message"], again
    assert again.header("Idempotency-Replayed") is None and total(user) == 1


def test_without_a_key_every_request_has_its_effect(user):
    body = user.transaction_body()
    answers = [user.post("/api/transactions", body) for _ in range(3)]
    assert len({answer.json["id"] for answer in answers}) == 3
    assert all(answer.header("Idempotency-Replayed") is None for answer in answers)


def test_a_key_belongs_to_one_operation(user):
    headers = key()
    assert user.post("/api/transactions", user.transaction_body(), headers=headers).status == 201
    answer = user.post("/api/categories", {"name": "Mesma chave", "color": "red"},
                       headers=headers)
    assert answer.status == 201 and answer.header("Idempotency-Replayed") is None


def test_a_key_belongs_to_one_tenant(user, stranger):
    headers = key()
    mine = user.post("/api/categories", {"name": "Minha", "color": "red"}, headers=headers)
    theirs = stranger.post("/api/categories", {"name": "Minha", "color": "red"}, headers=headers)
    assert mine.status == theirs.status == 201
    assert mine.json["id"] != theirs.json["id"]
    assert theirs.header("Idempotency-Replayed") is None


def test_a_refused_request_does_not_use_its_key_up(user):
    headers = key()
    body = user.transaction_body()
    for wrong in ({"date": "2026-02-30"}, {"account_id": str(uuid.uuid4())},
                  {"amount": {"value": 1, "currency": "EUR"}}):
        assert user.post("/api/transactions", {**body, **wrong}, headers=headers).status == 422
    answer = user.post("/api/transactions", body, headers=headers)
    assert answer.status == 201 and answer.header("Idempotency-Replayed") is None
    assert total(user) == 1


def test_put_and_delete_take_keys_too(user):
    rows = [user.new_transaction() for _ in range(2)]
    path, other = (f"/api/transactions/{row['id']}" for row in rows)
    body = {"amount": {"value": 12, "currency": "BRL"}, "date": "2026-01-01"}
    headers = key("put-")
    first = user.put(path, body, headers=headers)
    assert first.status == 200
    assert user.put(path, {**body, "memo": "depois"}).status == 200
    again = user.put(path, body, headers=headers)
    assert again.body == first.body and again.header("Idempotency-Replayed") == "true"
    assert user.get(path).json["memo"] == "depois"
    assert user.put(other, body, headers=headers).status == 422

    headers = key("delete-")
    assert user.delete(path, headers=headers).status == 204
    again = user.delete(path, headers=headers)
    assert again.status == 204 and again.header("Idempotency-Replayed") == "true"
    assert user.delete(other, headers=headers).status == 422
    assert user.get(other).status == 200
    assert user.delete(path).status == 404


def test_accounts_and_categories_take_keys_too(user):
    account = {"name": "Única", "currency": "BRL", "type": "savings",
               "bank_id": user.bank()["id"]}
    for path, body in (("/api/accounts", account),
                       ("/api/categories", {"name": "Única", "color": "sky"})):
        headers = key()
        first = user.post(path, body, headers=headers)
        again = user.post(path, body, headers=headers)
        assert first.status == again.status == 201 and first.body == again.body
        one = f"{path}/{first.json['id']}"
        headers = key()
        first = user.put(one, {**body, "name": "Trocada"}, headers=headers)
        again = user.put(one, {**body, "name": "Trocada"}, headers=headers)
        assert first.status == again.status == 200 and first.body == again.body
        headers = key()
        assert user.delete(one, headers=headers).status == 204
        assert user.delete(one, headers=headers).header("Idempotency-Replayed") == "true"
    assert user.get("/api/accounts").json["meta"]["total"] == 3
    assert len(user.get("/api/categories").json) == 10


def test_thirty_at_once_have_one_effect(system, user):
    body, headers = user.transaction_body(), key()

    def send(_):
        twin = user.twin()
        answer = twin.post("/api/transactions", body, headers=headers)
        twin.close()
        return answer
    for _ in range(3):
        headers = key()
        before = total(user)
        with concurrent.futures.ThreadPoolExecutor(30) as threads:
            answers = list(threads.map(send, range(30)))
        assert {answer.status for answer in answers} <= {201, 409}
        made = [answer for answer in answers if answer.status == 201]
        assert len({answer.json["id"] for answer in made}) == 1
        assert sum(answer.header("Idempotency-Replayed") is None for answer in made) == 1
        assert total(user) == before + 1
    system.assert_balances()


@pytest.mark.parametrize("value", ["", "k" * 256, "tab\there", "não", "\x7f"])
def test_a_key_that_is_none_is_422(user, value):
    answer = user.post("/api/transactions", user.transaction_body(),
                       headers={"Idempotency-Key": value.encode("utf-8")})
    assert answer.status == 422, answer
    assert total(user) == 0


def test_the_longest_and_oddest_keys_are_taken(user):
    for value in ("k" * 255, "!", "a b", '"quoted"', "~" * 100, "1,2;3"):
        body = user.transaction_body()
        first = user.post("/api/transactions", body, headers={"Idempotency-Key": value})
        again = user.post("/api/transactions", body, headers={"Idempotency-Key": value})
        assert first.status == 201 and again.body == first.body, value


def test_a_key_on_a_read_means_nothing(user):
    headers = key()
    assert user.get("/api/transactions", headers=headers).json["meta"]["total"] == 0
    user.new_transaction()
    assert user.get("/api/transactions", headers=headers).json["meta"]["total"] == 1
