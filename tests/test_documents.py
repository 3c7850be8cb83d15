# SPDX-License-Identifier: Apache-2.0
"""Cached documents travel compressed to edges that expand them, and plain to older ones."""
import os
import uuid

import bus
from bus import Peer, envelope

LIST_TRANSACTIONS, LANE_INTERACTIVE = 40, 0
FLAG_EXPANDS = 32
REPLY_BODY_AT = 104 + 34 + 5  # behind the envelope, the block, and the length of the document
ASKED = 4  # a page is kept from the second time on


def list_as_edge(system, tenant, flags):
    """What a bus peer of an edge's role gets as the first page, asked for some times in turn."""
    session = int.from_bytes(os.urandom(8), "big")
    documents = []
    for path in bus.sockets(os.path.join(system.data, "run"))[0]:
        with Peer(path) as peer:
            peer.hello(bus.ROLE_EDGE, b"http-7", instance=session)
            for correlation in range(1, ASKED + 1):
                peer.send(envelope(bus.REQUEST, LIST_TRANSACTIONS, b"\x80", LANE_INTERACTIVE,
                                   tenant=tenant, session=session, correlation=correlation,
                                   flags=flags))
                documents.append(peer.receive(bus.REPLY)[REPLY_BODY_AT:])
    return documents


def test_an_edge_gets_the_form_it_understands(system):
    client = system.user()
    account = client.accounts[0]["id"]
    for number in range(20):
        client.new_transaction(account_id=account, memo=f"Feira livre {number}")
    tenant = uuid.UUID(system.sql(f"SELECT tenant_id FROM accounts WHERE id = '{account}'")[0][0])
    whole = client.get("/api/transactions")
    for _ in range(ASKED):
        assert client.get("/api/transactions").body == whole.body

    plain = list_as_edge(system, tenant.bytes, flags=0)
    assert set(plain) == {whole.body}
    compressed = list_as_edge(system, tenant.bytes, FLAG_EXPANDS)[-1]
    assert compressed[0] == 0
    assert int.from_bytes(compressed[1:5], "little") == len(whole.body) > 2 * len(compressed)
