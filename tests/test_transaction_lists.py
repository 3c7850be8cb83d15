# SPDX-License-Identifier: Apache-2.0
"""GET /api/transactions against a model of it: filters, orders, pages, links."""
import urllib.parse

import pytest

from client import serial

DATES = ["2026-03-01T00:00:00Z", "2026-03-01T23:59:59Z", "2026-03-02T00:00:00Z",
         "2026-03-15T12:00:00Z", "2025-12-31T23:59:59Z", "2026-01-01T00:00:00Z",
         "2026-03-31T23:59:59Z", "2026-04-01T00:00:00Z"]
WORDS = ["padaria", "mercado", "farmacia", "salario", "aluguel"]


class Ledger:
    """A tenant's rows as they were answered, and what a list of them must be."""

    def __init__(self, client):
        self.client = client
        self.accounts = [account["id"] for account in client.accounts]
        self.categories = [client.new_category()["id"] for _ in range(3)]
        self.rows = []
        for number in range(67):
            category = [None, *self.categories][number % 4]
            self.rows.append(client.new_transaction(
                account_id=self.accounts[number * number % 3], category_id=category,
                amount={"value": (number * 7919 % 2003) * (-1) ** (number % 3), "currency": "BRL"},
                date=DATES[number % len(DATES)],
                memo=f"{WORDS[number % len(WORDS)]} {number:03d} {serial()}"))
        # The account as the last answer showed it stands in every row.
        balances = {account["id"]: account
                    for account in client.get("/api/accounts").json["data"]}
        for row in self.rows:
            row["account"] = balances[row["account"]["id"]]

    def expect(self, accounts=(), categories=(), start=None, end=None, kind=None, search=None,
               column="date", descending=True):
        rows = [row for row in self.rows
                if (not accounts or row["account"]["id"] in accounts)
                and (not categories or (row["category"] or {}).get("id") in categories)
                and (start is None or row["date"][:10] >= start)
                and (end is None or row["date"][:10] <= end)
                and (kind is None or row["type"] == kind)
                and (search is None or search.lower() in row["memo"].lower())]
        key = {"date": lambda row: (row["date"], row["id"]),
               "amount": lambda row: (row["amount"]["value"], row["id"]),
               "memo": lambda row: (row["memo"], row["id"])}[column]
        return sorted(rows, key=key, reverse=descending)

    def ask(self, accounts=(), categories=(), start=None, end=None, kind=None, search=None,
            column=None, descending=None, **paging):
        query = [("accounts[]", id) for id in accounts]
        query += [("categories[]", id) for id in categories]
        query += [(name, value) for name, value in (
            ("start_date", start), ("end_date", end), ("type", kind), ("search", search),
            ("order_by[column]", column),
            ("order_by[direction]", {None: None, True: "desc", False: "asc"}[descending]))
            if value is not None]
        query += list(paging.items())
        answer = self.client.get("/api/transactions", query)
        assert answer.status == 200, answer
        return answer.json


@pytest.fixture(scope="module")
def ledger(system):
    return Ledger(system.user())


FILTERS = [
    {}, {"accounts": [0]}, {"accounts": [1, 2]}, {"accounts": [0, 1, 2]}, {"categories": [0]},
    {"categories": [1, 2]}, {"accounts": [1], "categories": [0, 1]},
    {"start": "2026-03-01"}, {"end": "2026-03-01"}, {"start": "2026-03-01", "end": "2026-03-01"},
    {"start": "2026-01-01", "end": "2026-03-31"}, {"start": "2026-03-02", "end": "2026-03-01"},
    {"kind": "debit"}, {"kind": "credit"}, {"search": "mercado"}, {"search": "MERCADO 0"},
    {"search": "ninguém"}, {"accounts": [0, 1], "start": "2026-01-01", "kind": "debit"},
    {"categories": [2], "kind": "credit", "search": "a"},
    {"accounts": [2], "search": "padaria"}, {"accounts": [0], "end": "2026-03-15"},
    {"accounts": [0, 1], "categories": [0, 2], "start": "2026-01-01", "end": "2026-04-01",
     "kind": "debit", "search": "0"}]
ORDERS = [(None, None), ("date", True), ("date", False), ("amount", True), ("amount", False),
          ("memo", True), ("memo", False)]


@pytest.mark.parametrize("column,descending", ORDERS)
@pytest.mark.parametrize("filters", FILTERS, ids=lambda filters: "+".join(filters) or "all")
def test_every_filter_in_every_order(ledger, filters, column, descending):
    chosen = dict(filters)
    for name in ("accounts", "categories"):
        if name in chosen:
            chosen[name] = [getattr(ledger, name)[index] for index in chosen[name]]
    wanted = ledger.expect(**chosen, column=column or "date",
                           descending=True if descending is None else descending)
    got = ledger.ask(**chosen, column=column, descending=descending, per_page=100)
    assert [row["id"] for row in got["data"]] == [row["id"] for row in wanted]
    assert got["data"] == wanted
    assert got["meta"]["total"] == len(wanted)


@pytest.mark.parametrize("per_page", [1, 7, 15, 66, 67, 68, 100])
def test_pages_are_the_list_cut_into_pieces(ledger, per_page):
    wanted = ledger.expect()
    last = -(-len(wanted) // per_page)
    for page in {1, 2, last - 1, last} & set(range(1, last + 1)):
        got = ledger.ask(per_page=per_page, page=page)
        first = (page - 1) * per_page
        assert got["data"] == wanted[first:first + per_page]
        assert got["meta"] == {
            "current_page": page, "from": first + 1, "last_page": last,
            "path": "/api/transactions", "per_page": per_page,
            "to": min(first + per_page, len(wanted)), "total": len(wanted)}
        links = got["links"]
        assert set(links) == {"first", "last", "prev", "next"}
        assert (links["prev"] is None) == (page == 1)
        assert (links["next"] is None) == (page == last)
        for name, number in (("first", 1), ("last", last), ("prev", page - 1), ("next", page + 1)):
            if links[name] is not None:
                split = urllib.parse.urlsplit(links[name])
                assert not split.scheme and split.path == "/api/transactions"
                query = urllib.parse.parse_qs(split.query)
                assert query["page"] == [str(number)] and query["per_page"] == [str(per_page)]


def test_a_page_is_15_rows_unless_asked(ledger):
    got = ledger.ask()
    assert len(got["data"]) == 15
    assert got["meta"]["per_page"] == 15 and got["meta"]["current_page"] == 1


def test_links_keep_filters_and_order(ledger):
    filters = {"accounts": ledger.accounts[:2], "kind": "debit", "start": "2026-01-01",
               "search": "a"}
    wanted = ledger.expect(**filters, column="amount", descending=False)
    got = ledger.ask(**filters, column="amount", descending=False, per_page=4)
    rows, seen = list(got["data"]), 1
    while got["links"]["next"] is not None:
        answer = ledger.client.request("GET", got["links"]["next"])
        assert answer.status == 200, (got["links"], answer)
        got = answer.json
        rows += got["data"]
        seen += 1
    assert rows == wanted and seen == got["meta"]["last_page"]
    assert ledger.client.request("GET", got["links"]["first"]).json["data"] == wanted[:4]
    assert ledger.client.request("GET", got["links"]["prev"]).json["meta"]["current_page"] \
        == seen - 1


def test_links_keep_a_search_with_odd_characters(user):
    for number in range(3):
        user.new_transaction(memo=f"50%_de & mais? #{number} ção+")
    user.new_transaction(memo="500_de")
    got = user.get("/api/transactions", {"search": "50%_de & mais? #", "per_page": 2}).json
    assert got["meta"]["total"] == 3
    rest = user.request("GET", got["links"]["next"])
    assert rest.status == 200 and len(rest.json["data"]) == 1
    assert user.get("/api/transactions", {"search": "ção+"}).json["meta"]["total"] == 3


def test_an_empty_page_has_nulls(user):
    got = user.get("/api/transactions").json
    assert got["data"] == []
    assert got["meta"] == {"current_page": 1, "from": None, "last_page": 1,
                           "path": "/api/transactions", "per_page": 15, "to": None, "total": 0}
    assert got["links"]["prev"] is None and got["links"]["next"] is None
    assert got["links"]["first"] and got["links"]["last"]


def test_a_page_behind_the_last_is_empty(ledger):
    got = ledger.ask(page=9)
    assert got["data"] == [] and got["links"]["next"] is None
    assert got["meta"]["from"] is None and got["meta"]["to"] is None
    assert got["meta"]["total"] == 67 and got["meta"]["last_page"] == 5
    assert got["meta"]["current_page"] == 9


@pytest.mark.parametrize("name,value", [
    ("page", "0"), ("page", "-1"), ("page", "a"), ("page", "1.0"), ("page", str(2 ** 63)),
    ("per_page", "0"), ("per_page", "101"), ("per_page", "-5"), ("per_page", "all"),
    ("type", "income"), ("type", "DEBIT"), ("start_date", "2026-02-30"), ("end_date", "yesterday"),
    ("end_date", "2200-01-01"), ("order_by[column]", "id"), ("order_by[column]", "date;"),
    ("order_by[direction]", "up"), ("search", "s" * 256), ("search", "nul\x00"),
    ("search", "bell\x07")])
def test_a_wrong_parameter_is_422(user, name, value):
    answer = user.get("/api/transactions", {name: value})
    assert answer.status == 422, answer
    plain = name.replace("[", ".").replace("]", "")
    assert answer.errors in ({name}, {plain})


def test_text_that_is_no_utf8_is_400(user):
    for query in ("search=%ff", "search=%c3", "search=%ed%a0%80", "search=%c0%80"):
        assert user.get(f"/api/transactions?{query}").status == 400, query


def test_search_takes_no_wildcards(user):
    odd = user.new_transaction(memo="desconto de 10%")
    under = user.new_transaction(memo="snake_case")
    back = user.new_transaction(memo="c:\\temp")
    user.new_transaction(memo="desconto de 100 reais")
    user.new_transaction(memo="snakeXcase")

    def found(search):
        rows = user.get("/api/transactions", {"search": search}).json["data"]
        return {row["id"] for row in rows}
    assert found("10%") == {odd["id"]}
    assert found("e_c") == {under["id"]}
    assert found("\\") == {back["id"]}
    assert found("%") == {odd["id"]} and found("_") == {under["id"]}


def test_a_repeated_account_counts_once(ledger):
    account = ledger.accounts[0]
    wanted = ledger.expect(accounts=[account])
    got = ledger.ask(accounts=[account] * 3, per_page=100)
    assert got["data"] == wanted and got["meta"]["total"] == len(wanted)


def test_an_unknown_account_in_the_filter_matches_nothing(ledger):
    ghost = "01890000-0000-7000-8000-00000000dead"
    assert ledger.ask(accounts=[ghost])["meta"]["total"] == 0
    assert ledger.ask(categories=[ghost])["meta"]["total"] == 0
    both = ledger.ask(accounts=[ghost, ledger.accounts[1]], per_page=100)
    assert both["data"] == ledger.expect(accounts=[ledger.accounts[1]])


def test_rows_of_one_instant_keep_one_order_over_pages(user):
    rows = [user.new_transaction(date="2026-06-06")["id"] for _ in range(12)]
    walked = [row["id"] for row in user.pages("/api/transactions", per_page=5)]
    assert walked == sorted(rows, reverse=True)
    walked = [row["id"] for row in user.pages(
        "/api/transactions", {"order_by[column]": "date", "order_by[direction]": "asc"},
        per_page=5)]
    assert walked == sorted(rows)


def test_the_total_follows_every_change(user):
    account = user.accounts[0]["id"]

    def total(**query):
        return user.get("/api/transactions", query).json["meta"]["total"]
    for count in range(1, 4):
        row = user.new_transaction(account_id=account, memo=f"contado {count}")
        assert total() == count and total(**{"accounts[]": account}) == count
        assert total(search="contado") == count
        assert total(**{"accounts[]": user.accounts[1]["id"]}) == 0
    user.delete(f"/api/transactions/{row['id']}")
    assert total() == 2 and total(**{"accounts[]": account}) == 2 and total(search="contado") == 2
