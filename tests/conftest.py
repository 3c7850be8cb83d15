# SPDX-License-Identifier: Apache-2.0
"""One system for the tests that leave it as they found it, private ones for the others."""
import pytest

from system import PRESET, PROGRAM, System

# Sanitizers keep what was freed; they look for leaks in their own way when a process ends.
collect_ignore = ["test_memory.py"] if PRESET == "asan-ubsan" else []


def pytest_configure(config):
    config.addinivalue_line("markers", "newer(reason): of what the release before this one does "
                                       "not have; tests/skew leaves it out")
    if not PROGRAM.exists():
        raise pytest.UsageError(f"{PROGRAM} is missing: cmake --preset {PRESET} && "
                                f"cmake --build --preset {PRESET}")


def lend(system):
    """Runs a system for its borrower; what must be true at the end is in System.stop."""
    try:
        yield system.start()
        system.stop()
    except BaseException:
        system.kill_all()
        raise
    system.remove()


@pytest.fixture(scope="session")
def system():
    yield from lend(System())


@pytest.fixture(scope="module")
def private_system():
    """Of one file of tests, which may kill what they like and leave it ready."""
    yield from lend(System())


@pytest.fixture
def client(system):
    """Nobody in particular."""
    client = system.client()
    yield client
    client.close()


@pytest.fixture
def user(system):
    client = system.user()
    yield client
    client.close()


@pytest.fixture
def stranger(system):
    """Another tenant."""
    client = system.user()
    yield client
    client.close()
