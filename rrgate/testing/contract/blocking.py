"""What a plugin may not do on the reactor's thread, noticed while it does it: sleep, wait for a socket, open a file.

Belongs here: noticing. Does not: what is said of it. What only takes long by computing is not noticed, but for the
functions of hashlib that are made for taking long.
"""

from __future__ import annotations

import hashlib
import io
import os
import select
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

_NAMES: Final[dict[Callable[..., Any], str]] = {
    time.sleep: "time.sleep",
    io.open: "open",
    os.system: "os.system",
    os.waitpid: "os.waitpid",
    select.select: "select.select",
    hashlib.pbkdf2_hmac: "hashlib.pbkdf2_hmac",
    hashlib.scrypt: "hashlib.scrypt",
    socket.gethostbyname: "socket.gethostbyname",
    socket.gethostbyaddr: "socket.gethostbyaddr",
}
_OF_SOCKETS: Final = frozenset(
    {"connect", "connect_ex", "accept", "recv", "recv_into", "recvfrom", "send", "sendall", "sendto"}
)


def _blocks(function: Any) -> str:
    """What `function`, written in C, is called if it blocks, or nothing."""
    if name := _NAMES.get(function, ""):
        return name
    called = getattr(function, "__name__", "").removeprefix("_")  # socket.accept calls _accept
    if called == "getaddrinfo":
        return "socket.getaddrinfo"
    if called == "fork_exec":
        return "subprocess"
    owner = getattr(function, "__self__", None)
    if called in _OF_SOCKETS and isinstance(owner, socket.socket) and owner.gettimeout() != 0:
        return f"socket.{called}"
    return ""


def _shows_source(frame: FrameType | None) -> bool:
    """Whether the lines of a traceback are read, once for each file: logging a failure is nobody's blocking."""
    while frame is not None:
        if frame.f_globals.get("__name__") == "linecache":
            return True
        frame = frame.f_back
    return False


@contextmanager
def watching(found: Callable[[str], object]) -> Iterator[None]:
    """While the block runs, `found` is told of every call that blocks."""
    before = sys.getprofile()

    def look(frame: FrameType, event: Any, argument: Any) -> None:
        if event == "c_call" and (name := _blocks(argument)) and not _shows_source(frame):
            found(name)
        if before is not None:
            before(frame, event, argument)

    sys.setprofile(look)
    try:
        yield
    finally:
        sys.setprofile(before)
