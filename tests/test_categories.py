# SPDX-License-Identifier: Apache-2.0
"""Categories: the ten of a new user, their own, and what a deleted one leaves behind."""
import pytest

from client import serial

COLORS = ["lavender", "blue", "green", "yellow", "red", "rosewater", "flamingo", "pink", "mauve",
          "maroon", "peach", "teal", "sky", "sapphire"]
DEFAULTS = [
    ("Alimentação", "red", "Restaurantes, supermercados e delivery."),
    ("Compras", "mauve", "Vestuário, eletrônicos e outras compras."),
    ("Contas & Utilidades", "peach", "Energia, água, internet e telefone."),
    ("Educação", "sapphire", "Cursos, livros e materiais de estudo."),
    ("Lazer", "pink", "Cinema, jogos e atividades de lazer."),
    ("Poupança", "lavender", "Reservas, investimentos e objetivos."),
    ("Receitas", "sky", "Salários, freelas e outras entradas."),
    ("Saúde", "green", "Consultas médicas, farmácia e plano de saúde."),
    ("Transporte", "blue", "Combustível, transporte público e manutenção."),
    ("Viagens", "teal", "Passagens, hospedagens e passeios."),
]


def test_a_new_user_has_the_ten_default_categories(user):
    answer = user.get("/api/categories")
    assert answer.status == 200
    rows = [(row["name"], row["color"], row["description"]) for row in answer.json]
    assert rows == DEFAULTS
    assert all(row["is_default"] is True for row in answer.json)
    assert all(set(row) == {"id", "name", "description", "color", "is_default"}
               for row in answer.json)


@pytest.mark.parametrize("color", COLORS)
def test_a_created_category_is_what_was_sent(user, color):
    body = {"name": f"Cor {color}", "color": color, "description": f"tom {serial()}",
            "is_default": color == "red"}
    answer = user.post("/api/categories", body)
    assert answer.status == 201
    assert answer.json == {"id": answer.json["id"], **body}
    assert user.get(f"/api/categories/{answer.json['id']}").json == answer.json
    assert answer.json in user.get("/api/categories").json


def test_optional_fields_have_their_defaults(user):
    answer = user.post("/api/categories", {"name": "X", "color": "maroon"})
    assert answer.status == 201
    assert answer.json["description"] is None and answer.json["is_default"] is False


@pytest.mark.parametrize("field,value", [
    ("name", None), ("name", ""), ("name", "n" * 256), ("name", 1), ("name", {}),
    ("color", None), ("color", "black"), ("color", "RED"), ("color", 3),
    ("description", 8), ("description", []), ("is_default", "yes"), ("is_default", 2),
    ("is_default", "true")])
def test_a_wrong_field_is_422(user, field, value):
    answer = user.post("/api/categories", {"name": "Boa", "color": "red", field: value})
    assert answer.status == 422, answer
    assert answer.errors == {field}
    assert len(user.get("/api/categories").json) == 10


def test_texts_come_back_as_they_were(user):
    for text in ('aspas " e \\ barra', "linha\nnova\te tab", "emoji 🏖️ e €", "<b>&amp;</b>",
                 "\u2028 separador", "'; DROP TABLE users; --", "%s %n {0} $1"):
        answer = user.post("/api/categories", {"name": text, "color": "sky", "description": text})
        assert answer.status == 201, answer
        row = user.get(f"/api/categories/{answer.json['id']}").json
        assert row["name"] == text and row["description"] == text


def test_names_need_not_be_unique(user):
    first, second = user.new_category(name="Dupla"), user.new_category(name="Dupla")
    rows = [row for row in user.get("/api/categories").json if row["name"] == "Dupla"]
    assert [row["id"] for row in rows] == sorted([first["id"], second["id"]])


def test_the_list_is_filtered(user):
    own = user.new_category(name="Escola de música", description="aulas")
    other = user.new_category(name="Instrumentos", description="música também")

    def found(**query):
        return {row["id"] for row in user.get("/api/categories", query).json}
    for yes in ("true", "1"):
        assert len(found(is_default=yes)) == 10
    for no in ("false", "0"):
        assert found(is_default=no) == {own["id"], other["id"]}
    assert own["id"] in found(search="escola DE")
    assert found(search="Escola", is_default="true") == set()
    assert found(search="%") == set() and found(search="n_t") == set()
    answer = user.get("/api/categories", {"is_default": "maybe"})
    assert answer.status == 422 and answer.errors == {"is_default"}


def test_put_replaces(user):
    category = user.new_category(description="some depois", is_default=True)
    answer = user.put(f"/api/categories/{category['id']}", {"name": "Nova", "color": "yellow"})
    assert answer.status == 200
    assert answer.json == {"id": category["id"], "name": "Nova", "color": "yellow",
                           "description": None, "is_default": False}
    assert user.get(f"/api/categories/{category['id']}").json == answer.json
    answer = user.put(f"/api/categories/{category['id']}", {"description": "só isto"})
    assert answer.status == 422 and answer.errors == {"name", "color"}


def test_a_renamed_category_is_renamed_in_its_transactions(user):
    category = user.new_category()
    transaction = user.new_transaction(category_id=category["id"])
    path = f"/api/transactions/{transaction['id']}"
    assert user.get(path).json["category"] == category
    renamed = user.put(f"/api/categories/{category['id']}",
                       {"name": "Rebatizada", "color": "flamingo"}).json
    assert user.get(path).json["category"] == renamed
    rows = user.get("/api/transactions", {"categories[]": category["id"]}).json["data"]
    assert [row["category"] for row in rows] == [renamed]


def test_a_deleted_category_leaves_its_transactions_uncategorized(user):
    category = user.new_category()
    transaction = user.new_transaction(category_id=category["id"])
    balance = user.balance(transaction["account"]["id"])
    answer = user.delete(f"/api/categories/{category['id']}")
    assert answer.status == 204 and answer.body == b""
    assert user.get(f"/api/categories/{category['id']}").status == 404
    assert user.delete(f"/api/categories/{category['id']}").status == 404
    left = user.get(f"/api/transactions/{transaction['id']}").json
    assert left["category"] is None
    assert user.get("/api/transactions").json["data"] == [left]
    assert user.get("/api/transactions", {"categories[]": category["id"]}).json["data"] == []
    assert user.balance(transaction["account"]["id"]) == balance


def test_a_tenant_has_at_most_500_categories(user):
    for number in range(490):
        answer = user.post("/api/categories", {"name": f"C{number:03d}", "color": "red"})
        assert answer.status == 201, (number, answer)
    answer = user.post("/api/categories", {"name": "Uma a mais", "color": "red"})
    assert answer.status == 422 and answer.json["message"]
    assert len(user.get("/api/categories").json) == 500


def test_the_longest_list_is_served_again_and_again(system, user):
    """Five hundred categories of the longest names and descriptions in the longest characters."""
    before = {name: process["pid"] for name, process in system.processes().items()}
    for number in range(490):
        user.new_category(name=f"{number:03d}" + "\U0001f4b0" * 252, description="\U0001f4b8" * 255)
    for _ in range(4):
        answer = user.get("/api/categories")
        assert answer.status == 200 and len(answer.json) == 500
        assert answer.json[0]["description"] == "\U0001f4b8" * 255
    answer = user.post("/api/categories", {"name": "Uma a mais", "color": "red"})
    assert answer.status == 422, answer
    assert {name: process["pid"] for name, process in system.processes().items()} == before
