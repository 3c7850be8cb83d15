# SPDX-License-Identifier: Apache-2.0
"""experiments/bus/slow_disk, as PostgreSQL would feel it."""
import os
import select
import subprocess
import sys

import pytest

from system import ROOT

FLUSH = """
import os, sys
file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
os.pwrite(file, b"x", 0)
os.write(1, b"written ")
os.fdatasync(file)
os.write(1, b"flushed")
"""


@pytest.fixture(name="flush")
def _flush(tmp_path):
    """flush(name): a program of that name which writes and flushes; tmp_path/slow is the mark."""
    programs, library = [], tmp_path / "slow_disk.so"
    # Built here, because a sanitizer's runtime would have to be preloaded before it.
    subprocess.run(["cc", "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", library,
                    ROOT / "experiments/bus/slow_disk.c"], check=True)

    def flush(name):
        (tmp_path / name).symlink_to(sys.executable)
        programs.append(subprocess.Popen(
            [tmp_path / name, "-c", FLUSH, tmp_path / "data"], stdout=subprocess.PIPE,
            env={**os.environ, "LD_PRELOAD": str(library), "SLOW_DISK": str(tmp_path / "slow")}))
        return programs[-1]

    yield flush
    for program in programs:
        program.kill()
        program.wait()
        program.stdout.close()


def said(program, wanted):
    return os.read(program.stdout.fileno(), len(wanted)) == wanted


def test_a_flush_waits_until_the_disk_is_well_again(flush, tmp_path):
    (tmp_path / "slow").write_text("3600000\n")
    postgres = flush("postgres")
    assert not select.select([postgres.stdout], [], [], 0.3)[0]  # a write waits, too
    (tmp_path / "slow").write_text("0\n")
    (tmp_path / "slow").unlink()
    assert postgres.communicate(timeout=10)[0] == b"written flushed"


def test_a_write_takes_a_tenth_of_a_flush(flush, tmp_path):
    (tmp_path / "slow").write_text("9\n")  # nothing of a step for a write
    postgres = flush("postgres")
    assert said(postgres, b"written ")
    (tmp_path / "slow").unlink()
    assert postgres.communicate(timeout=10)[0] == b"flushed"


def test_others_are_not_slow(flush, tmp_path):
    (tmp_path / "slow").write_text("3600000\n")
    assert flush("redis-server").communicate(timeout=10)[0] == b"written flushed"
