"""Many callers at once, from one process; and the gateways that they call, in front of an origin (origin.py).

Belongs here: opening connections, asking over them, what the sections big, idle, streams, hanging and slow share.
Does not: what any of them measures.
"""

from __future__ import annotations

import resource
import select
import socket
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench import parts
from bench.nginx import start_bare
from bench.origin import start_origin
from bench.parts import CALLER_KEY, TARGET_TOKEN, Part

FILES = 30_000
"""Descriptors that a process here may want."""


def room_for_many() -> int:
    """Let this process, and those it starts, open as many files as the system allows; how many that is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    return max(soft, wanted)


@contextmanager
def gateways(
    *, nginx: str = "proxy_buffering off;", settings: Sequence[str] = (), pinned: bool = True
) -> Iterator[tuple[Part, Part, Part]]:
    """(origin, nginx, rrgate), whose `path` ends where that of the origin begins.

    `nginx`: directives of its location. `settings`: rrgate's. `pinned`: whether the origin is on their core.
    """
    room_for_many()
    started: list[Part] = []
    with tempfile.TemporaryDirectory() as name:
        try:
            origin = start_origin(pinned=pinned)
            started.append(origin)
            bare = start_bare(Path(name), origin, nginx, 20_000)
            started.append(bare)
            rrgate = start_rrgate(Path(name), origin, settings)
            started.append(rrgate)
            yield origin, Part("nginx", bare.process, bare.port, "", bare.headers), rrgate
        finally:
            for part in reversed(started):
                part.stop()


def start_rrgate(folder: Path, origin: Part, settings: Sequence[str] = (), name: str = "rrgate") -> Part:
    """A gateway whose one proxy leads to the whole of `origin`."""
    process, port, core = parts.start_gateway(folder, origin, name, settings=settings)
    caller = core.credential("proxy", "apiKey", {"key": "X-API-Key", "value": CALLER_KEY, "addToHeader": True})
    towards = core.credential("target", "bearer", {"token": TARGET_TOKEN})
    proxy = core.proxy(caller, core.target(f"http://127.0.0.1:{origin.port}"), towards)
    core.change(f"proxies/{proxy}", proxyMaxResponseBytes=1 << 30, proxyMaxRequestBytes=1 << 30)
    return Part(name, process, port, f"/api/{proxy}", {"X-API-Key": CALLER_KEY})


def head(part: Part, path: str, method: str = "GET", *fields: str) -> bytes:
    """The head of a request to `path` behind `part`."""
    given = [f"{name}: {value}" for name, value in part.headers.items()]
    return "\r\n".join((f"{method} {part.path}{path} HTTP/1.1", "Host: localhost", *given, *fields, "", "")).encode()


def connect(part: Part, receive_buffer: int = 0) -> socket.socket:
    """A connection to `part`, which waits for at most 20 seconds."""
    caller = socket.socket()
    if receive_buffer:
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    caller.settimeout(20)
    caller.connect(("127.0.0.1", part.port))
    return caller


def take(caller: socket.socket) -> tuple[int, bytes]:
    """(status, what has come behind the head) of the answer that comes next."""
    got = b""
    while b"\r\n\r\n" not in got:
        piece = caller.recv(65536)
        if not piece:
            raise ConnectionError("closed inside the head of an answer")
        got += piece
    first, _, rest = got.partition(b"\r\n\r\n")
    return int(first.split(b" ", 2)[1]), rest


def ask(caller: socket.socket, request: bytes) -> int:
    """The status of the answer to `request`, which is taken whole; its length must be told."""
    caller.sendall(request)
    got = b""
    while b"\r\n\r\n" not in got:
        piece = caller.recv(65536)
        if not piece:
            raise ConnectionError("closed inside the head of an answer")
        got += piece
    first, _, rest = got.partition(b"\r\n\r\n")
    length = next(int(line[15:]) for line in first.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    while len(rest) < length:
        rest += caller.recv(65536)
    return int(first.split(b" ", 2)[1])


def listen_to(callers: Sequence[socket.socket], heard: Callable[[bytes], object], until: Callable[[], bool]) -> int:
    """Call `heard` with whatever comes to any of `callers`, until `until` says so; how many were closed meanwhile."""
    poll = select.epoll()
    known = {caller.fileno(): caller for caller in callers}
    closed = 0
    for number, caller in known.items():
        caller.setblocking(False)
        poll.register(number, select.EPOLLIN)
    while not until():
        for number, _ in poll.poll(0.1):
            try:
                data = known[number].recv(65536)
            except BlockingIOError:
                continue
            except OSError:
                data = b""
            if data:
                heard(data)
            else:
                poll.unregister(number)
                closed += 1
    poll.close()
    return closed


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of `values` lies."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]
