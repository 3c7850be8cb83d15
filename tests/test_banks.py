# SPDX-License-Identifier: Apache-2.0
"""GET /api/banks: the forty largest, the same for everybody."""
import uuid


def test_forty_banks_by_code(user):
    banks = user.get("/api/banks").json
    assert len(banks) == 40
    codes = [bank["code"] for bank in banks]
    assert codes == sorted(codes) and len(set(codes)) == 40
    assert all(len(code) == 3 and code.isdigit() for code in codes)
    assert all(set(bank) == {"id", "code", "name"} for bank in banks)
    assert len({uuid.UUID(bank["id"]) for bank in banks}) == 40
    assert all(bank["name"].strip() for bank in banks)


def test_the_well_known_ones_are_there(user):
    names = {bank["code"]: bank["name"] for bank in user.get("/api/banks").json}
    for code, word in (("001", "Brasil"), ("033", "Santander"), ("104", "Caixa"),
                       ("237", "Bradesco"), ("260", "Nu"), ("341", "Ita")):
        assert word in names[code]


def test_banks_are_the_same_for_every_tenant(user, stranger):
    assert user.get("/api/banks").body == stranger.get("/api/banks").body
