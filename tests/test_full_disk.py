# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL without room: a clear answer, nothing acknowledged is lost, then service again."""
import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest

from system import ROOT, SLACK, System, until


@pytest.fixture
def small():
    """A system on a PostgreSQL of its own whose disk is full while `small.mark` exists."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="vz-disk-", dir="/tmp"))
    folder.chmod(0o755)
    library = folder / "full_disk.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, ROOT / "tests/full_disk.c"],
                   check=True)
    servers = subprocess.Popen(
        [ROOT / "tests/with_servers", "--own", "sh", "-c", 'echo "$DATABASE_URL"; read line'],
        env={**os.environ, "LD_PRELOAD": str(library), "FULL_DISK": str(folder / "full")},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        system = System(DATABASE_URL=servers.stdout.readline().strip())
        system.mark = folder / "full"
        yield system.start()
        system.stop()
        system.remove()
    finally:
        if system.process is not None:
            system.kill_all()
        servers.communicate("\n", timeout=60)
        shutil.rmtree(folder)


def test_a_full_disk_loses_nothing_and_says_so(small):
    user = small.user()
    written = [user.new_transaction(memo=f"antes {number}")["id"] for number in range(20)]

    def post():
        return user.post("/api/transactions", user.transaction_body(memo="m" * 255))

    small.mark.touch()
    for _ in range(3000):
        answer = post()
        if answer.status != 201:
            break
        written.append(answer.json["id"])
    assert answer.status == 503, answer
    assert answer.json["message"] and int(answer.header("Retry-After")) >= 1
    listed = user.get("/api/transactions", {"per_page": 1})
    assert listed.status == 200 and listed.json["meta"]["total"] == len(written)

    small.mark.unlink()
    again = until(lambda: _made(post()), 2 * SLACK, "writes succeed again")
    written.append(again.json["id"])
    stored = {row[0] for row in small.sql("SELECT id FROM transactions")}
    assert set(written) <= stored
    small.assert_balances()


def _made(answer):
    assert answer.status in (201, 503), answer
    return answer if answer.status == 201 else None
