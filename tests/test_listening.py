# SPDX-License-Identifier: Apache-2.0
"""What a system that nobody has configured opens to others: nothing."""
import ipaddress
import os
import pathlib
import stat
import struct

TABLES = {"tcp": "0A", "tcp6": "0A", "udp": "07", "udp6": "07", "raw": "07", "raw6": "07"}


def processes_below(pid):
    found = [pid]
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            for child in task.read_text().split():
                found += processes_below(int(child))
        except OSError:
            pass
    return found


def all_processes(system):
    """The supervisor's and everything that they have started, PostgreSQL's own included."""
    pids = {system.state()["supervisor"]}
    for process in system.state()["processes"]:
        pids.update(processes_below(process["pid"]))
    return pids


def sockets_of(pids):
    """Inodes of all their sockets."""
    found = set()
    for pid in pids:
        for link in pathlib.Path(f"/proc/{pid}/fd").glob("*"):
            try:
                target = os.readlink(link)
            except OSError:
                continue
            if target.startswith("socket:["):
                found.add(int(target[8:-1]))
    return found


def address_of(text):
    """The kernel writes each 32 bits of an address in the machine's order."""
    words = [int(text[i:i + 8], 16) for i in range(0, len(text), 8)]
    return ipaddress.ip_address(struct.pack(f"<{len(words)}I", *words))


def listening(pids):
    """(table, address, port) of everything that takes connections or datagrams."""
    inodes, found = sockets_of(pids), []
    for table, state in TABLES.items():
        for line in pathlib.Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == state and int(fields[9]) in inodes:
                address, port = fields[1].split(":")
                found.append((table, address_of(address), int(port, 16)))
    return found


def is_loopback(address):
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def test_nothing_listens_beyond_loopback(system):
    found = listening(all_processes(system))
    ports = {port for table, _, port in found if table.startswith("tcp")}
    assert system.address[1] in ports, "the test does not see the edge's port"
    assert len(ports) == 2, f"the edge's and the metrics' port, and no others: {found}"
    assert all(is_loopback(address) for _, address, _ in found), found


def test_sockets_of_the_machine_are_for_their_owner_alone(system):
    inodes = sockets_of(all_processes(system))
    paths = set()
    for line in pathlib.Path("/proc/net/unix").read_text().splitlines()[1:]:
        fields = line.split()
        if len(fields) == 8 and int(fields[6]) in inodes and int(fields[3], 16) & 0x10000:
            paths.add(fields[7])
    assert any(path.endswith("/broker-1.bus") for path in paths), paths
    for path in paths:
        assert not path.startswith("@"), f"{path} has no owner"
        folder = pathlib.Path(path).parent
        assert stat.S_IMODE(folder.stat().st_mode) & 0o077 == 0, f"others reach {path}"
