"""`watching`: every call that holds up the reactor is told of by its name, and none that does not.

Belongs here: what is called, and what is told. Does not: plugins that do so (bad_conduct.py).
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from rrgate.testing.contract.blocking import watching

BYTES = bytearray(1)


BLOCKS: dict[str, Callable[[], object]] = {
    "time.sleep": lambda: time.sleep(0),
    "open": lambda: io.open(os.devnull).close(),  # noqa: UP020
    "os.system": lambda: os.system("true"),
    "os.waitpid": lambda: os.waitpid(-1, os.WNOHANG),
    "select.select": lambda: select.select([], [], [], 0),
    "hashlib.pbkdf2_hmac": lambda: hashlib.pbkdf2_hmac("sha256", b"a", b"b", 1),
    "hashlib.scrypt": lambda: hashlib.scrypt(b"a", salt=b"b", n=2, r=1, p=1),
    "socket.getaddrinfo": lambda: socket.getaddrinfo("127.0.0.1", 80),
    "socket.gethostbyname": lambda: socket.gethostbyname("127.0.0.1"),
    "socket.gethostbyaddr": lambda: socket.gethostbyaddr("127.0.0.1"),
    "subprocess": lambda: subprocess.run(["true"], check=False),
}
ON_SOCKETS: dict[str, Callable[[socket.socket], object]] = {
    "connect": lambda one: one.connect("/nowhere"),
    "connect_ex": lambda one: one.connect_ex("/nowhere"),
    "accept": lambda one: one.accept(),
    "recv": lambda one: one.recv(1),
    "recv_into": lambda one: one.recv_into(BYTES),
    "recvfrom": lambda one: one.recvfrom(1),
    "send": lambda one: one.send(b"x"),
    "sendall": lambda one: one.sendall(b"x"),
    "sendto": lambda one: one.sendto(b"x", "/nowhere"),
}


def told(act: Callable[[], object]) -> list[str]:
    """What is told of while `act` runs, which may fail."""
    found: list[str] = []
    with contextlib.suppress(OSError), watching(found.append):
        act()
    return found


@pytest.mark.parametrize("name", BLOCKS)
def test_what_blocks_is_told_by_name(name: str) -> None:
    assert name in told(BLOCKS[name])


@pytest.mark.parametrize("timeout", [None, 5.0, 0.0])
@pytest.mark.parametrize("name", ON_SOCKETS)
def test_a_socket_blocks_unless_it_says_that_it_does_not(name: str, timeout: float | None) -> None:
    one, other = socket.socketpair()
    with one, other:
        other.send(b"to be received")
        one.settimeout(timeout)
        found = told(lambda: ON_SOCKETS[name](one))
    assert found == ([f"socket.{name}"] if timeout != 0 else [])


def test_what_blocks_nothing() -> None:
    assert told(lambda: [].append(1)) == []
    # A method of that name, of what is no socket.
    assert told(lambda: (each for each in "ab").send(None)) == []
    assert told(lambda: hashlib.sha256(b"a").digest()) == []


def test_who_watches_already_goes_on_watching() -> None:
    """A profiler, or a coverage that is measured so."""
    seen: list[str] = []

    def look(frame: object, event: str, argument: object) -> None:
        seen.append(getattr(argument, "__name__", ""))

    before = sys.getprofile()
    sys.setprofile(look)
    try:
        told(lambda: len("abc"))
        inside = "len" in seen
        with contextlib.suppress(LookupError), watching(print):
            raise LookupError
        assert sys.getprofile() is look
    finally:
        sys.setprofile(before)
    assert inside
