"""Whether the port of an endpoint string is free, and who has it if not.

Belongs here: asking the system about listening ports (Linux). Does not: opening listeners.
"""

from __future__ import annotations

import errno
import re
import socket
from contextlib import suppress
from pathlib import Path

from attrs import frozen


@frozen
class Address:
    """Where a TCP endpoint listens."""

    host: str
    port: int


@frozen
class Listener:
    """A process that listens."""

    pid: int
    name: str


def address_of(endpoint: str) -> Address | None:
    """Where a Twisted endpoint string listens, or None for what is not TCP or has no fixed port."""
    match = re.match(r"(?:haproxy:)?(tcp6?|ssl):(?:port=)?(\d+)(?:\Z|:)", endpoint)
    if match is None or not 0 < int(match[2]) < 65536:
        return None
    interface = re.search(r":interface=((?:[^:\\]|\\.)*)", endpoint)
    host = re.sub(r"\\(.)", r"\1", interface[1]) if interface is not None else ""
    return Address(host or ("::" if match[1] == "tcp6" else ""), int(match[2]))


def problem_with(address: Address) -> OSError | None:
    """What the system says against listening there, or None. Listens for a moment to find out."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as a listener would
        try:
            probe.bind((address.host, address.port))
            probe.listen(1)
        except OSError as error:
            return error
    return None


def is_taken(error: OSError) -> bool:
    """Whether that problem is that somebody listens there."""
    return error.errno == errno.EADDRINUSE


def listeners_on(port: int) -> list[Listener]:
    """Processes that listen on `port`, as far as this user may see them."""
    inodes = {inode for table in ("tcp", "tcp6") for inode in _listening(Path("/proc/net") / table, port)}
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if inodes & _open_files(process):
                found.append(Listener(int(process.name), (process / "comm").read_text().strip()))
        except OSError:
            continue  # gone, or another user's
    return sorted(found, key=lambda listener: listener.pid)


def has_open(pid: int, path: Path) -> bool:
    """Whether the process has the file `path` open, as far as this user may see it."""
    try:
        return str(path.resolve()) in _open_files(Path("/proc") / str(pid))
    except OSError:
        return False


def _open_files(process: Path) -> set[str]:
    links = set()
    for handle in (process / "fd").iterdir():
        with suppress(OSError):  # closed meanwhile
            links.add(str(handle.readlink()))
    return links


def _listening(table: Path, port: int) -> set[str]:
    """Links of the sockets that listen on `port`, as they stand in /proc/PID/fd."""
    try:
        rows = [line.split() for line in table.read_text().splitlines()[1:]]
    except OSError:
        return set()
    return {f"socket:[{row[9]}]" for row in rows if row[3] == "0A" and int(row[1].rpartition(":")[2], 16) == port}
