# SPDX-License-Identifier: Apache-2.0
"""Whole systems that go from the release before this one (SKEW_OLD, a folder of programs) to this
one (SKEW_NEW) and back. tests/skew runs it."""
import os
import pathlib
import shutil
import subprocess

import pytest

from load import Load
from system import ROOT, SLACK, System, until

OLD, NEW = (pathlib.Path(os.environ[name]) for name in ("SKEW_OLD", "SKEW_NEW"))
MINE = sorted(file.name for file in NEW.iterdir() if file.name.startswith("valorize"))


@pytest.fixture
def folder(tmp_path):
    """Where the operator puts programs: those of the release before, at first."""
    folder = tmp_path / "bin"
    folder.mkdir()
    install(OLD, folder)
    return folder


def install(programs, folder):
    """As a package manager does it: each file is replaced at once, running ones run on."""
    for name in MINE:
        shutil.copy2(programs / name, folder / f"{name}.fresh")
        os.replace(folder / f"{name}.fresh", folder / name)


def runs(system, folder):
    """The files of all processes but the servers and the supervisor."""
    pids = [process["pid"] for name, process in system.processes().items()
            if name not in ("postgres", "redis")]
    return {pathlib.Path(os.readlink(f"/proc/{pid}/exe")).parent == folder for pid in pids}


def restart(system, folder):
    ended = subprocess.run([folder / "valorize", "restart", "--rolling"], cwd=ROOT, text=True,
                           env=system.environment, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, timeout=120 * SLACK)
    assert ended.returncode == 0, ended.stdout
    assert runs(system, folder) == {True}, "nobody runs a file that was replaced"


def test_a_rolling_restart_goes_to_the_next_release_and_back(folder):
    """Under load; the supervisor stays the older one."""
    system = System(program=folder / "valorize").start()
    try:
        with Load(system, users=4) as load:
            until(lambda: len(load.acknowledged) >= 20, 20 * SLACK, "the load writes")
            for programs in (NEW, OLD):
                install(programs, folder)
                restart(system, folder)
                count = load.count()
                until(lambda: load.count() >= count + 200, 20 * SLACK, "requests go on")
        assert not load.failures(), load.failures()[:5]
        load.assert_nothing_lost()
        system.stop()
    except BaseException:
        system.kill_all()
        raise
    system.remove()


def test_a_release_starts_on_what_the_next_one_left(folder):
    """N-1, N, and N-1 again on the same database; keys of one release are known to the others."""
    system = System(program=folder / "valorize")
    try:
        system.start()
        user = system.user()
        key, body = {"Idempotency-Key": "one for all releases"}, user.transaction_body()
        written = [user.post("/api/transactions", body, headers=key).json]
        for programs in (NEW, OLD):
            system.stop()
            install(programs, folder)
            system.start()
            user = system.client(user.token).twin(accounts=user.accounts)
            again = user.post("/api/transactions", body, headers=key)
            assert again.status == 201 and again.json == written[0], again
            assert again.headers["Idempotency-Replayed"] == "true"
            written.append(user.new_transaction())
        found = user.get("/api/transactions").json["data"]
        assert {row["id"] for row in found} == {row["id"] for row in written}
        system.assert_balances()
        system.stop()
    except BaseException:
        system.kill_all()
        raise
    system.remove()
