"""Targets made of sockets and threads, each doing exactly what its test says, good or bad.

Belongs here: the target's side of a connection, blocking. Does not: any expectation, or anything of the gateway's.
"""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from attrs import frozen


@frozen
class Received:
    """One request as it came over the wire."""

    line: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def method(self) -> str:
        return self.line.split(" ")[0]

    @property
    def path(self) -> str:
        """With the query."""
        return self.line.split(" ")[1]

    def every(self, name: str) -> list[str]:
        """All values of a field, in order."""
        return [value for known, value in self.headers if known.lower() == name.lower()]


class Connection:
    """One accepted connection."""

    def __init__(self, taken: socket.socket) -> None:
        self.socket = taken
        self.file = taken.makefile("rb")

    def head(self) -> Received | None:
        """The next request's head, its body unread; None when the gateway has closed."""
        line = self.file.readline()
        if not line:
            return None
        headers = []
        while (field := self.file.readline()) not in (b"\r\n", b""):
            name, _, value = field.decode("latin-1").rstrip("\r\n").partition(": ")
            headers.append((name, value))
        return Received(line.decode("latin-1").rstrip("\r\n"), tuple(headers), b"")

    def request(self) -> Received | None:
        """The next request, whole."""
        head = self.head()
        if head is None:
            return None
        if head.every("Transfer-Encoding") == ["chunked"]:
            parts = []
            while size := int(self.file.readline().strip(), 16):
                parts.append(self.file.read(size))
                self.file.readline()
            self.file.readline()
            return Received(head.line, head.headers, b"".join(parts))
        length = int((head.every("Content-Length") or ["0"])[0])
        return Received(head.line, head.headers, self.file.read(length))

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self, body: bytes = b"", status: str = "200 OK", *fields: str) -> None:
        """A whole answer with its length."""
        head = "\r\n".join([f"HTTP/1.1 {status}", *fields, f"Content-Length: {len(body)}", "", ""])
        self.send(head.encode("latin-1") + body)

    def closed_by_peer(self) -> bool:
        """Wait until the gateway closes or resets this connection; whatever it sends meanwhile is dropped."""
        try:
            while self.socket.recv(65536):
                pass
        except TimeoutError:
            return False
        except OSError:
            pass
        return True

    def reset(self) -> None:
        """Break off with a reset instead of an end."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        with suppress(OSError):
            self.file.close()
            self.socket.close()


class Target:
    """Listens on loopback and runs `serve(connection)` in a thread for each connection, then closes it."""

    def __init__(
        self,
        serve: Callable[[Connection], object],
        *,
        tls: ssl.SSLContext | None = None,
        timeout: float = 20,
        host: str = "127.0.0.1",
    ) -> None:
        """`host`: the address to listen on."""
        self._serve = serve
        self._tls = tls
        self._timeout = timeout
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listening = socket.create_server((host, held_port(host)), backlog=4096, family=family)
        self._name = f"[{host}]" if ":" in host else "localhost" if tls else host
        self.port: int = self._listening.getsockname()[1]
        self.connections = 0
        """How many were taken so far."""
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self._accept, name="target", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://{self._name}:{self.port}"

    def __enter__(self) -> Target:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Close the listener and everything that is open."""
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for taken in tuple(self._open):
            with suppress(OSError):
                taken.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                taken, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            taken.settimeout(self._timeout)
            threading.Thread(target=self._run, args=(taken,), name="target-connection", daemon=True).start()

    def _run(self, taken: socket.socket) -> None:
        self._open.add(taken)
        try:
            if self._tls is not None:
                plain, taken = taken, self._tls.wrap_socket(taken, server_side=True)
                self._open.discard(plain)
                self._open.add(taken)
            taken.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(taken)
            try:
                self._serve(connection)
            finally:
                connection.close()
        except (OSError, ValueError):
            pass  # the gateway went away, or refused this target's certificate
        finally:
            self._open.discard(taken)


def echo(connection: Connection) -> None:
    """Answers each request with itself as JSON: line, headers, body as Latin-1."""
    while (seen := connection.request()) is not None:
        told = {"line": seen.line, "headers": seen.headers, "body": seen.body.decode("latin-1")}
        connection.answer(json.dumps(told).encode(), "200 OK", "Content-Type: application/json")


_HELD: deque[socket.socket] = deque(maxlen=256)
"""Bound, and not listening: whoever binds to any port is given none of these, and who binds to one of them, as servers
do with SO_REUSEADDR, gets it."""


def held_port(host: str = "127.0.0.1") -> int:
    """A port that is nobody else's, neither before somebody of this process listens on it nor for long after.

    Else a target is given the port of a gateway that starts in another process, and is asked by those who wait for that
    whether it is ready; or the port of a target that was, which somebody tries again.
    """
    holding = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    holding.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holding.bind((host, 0))
    _HELD.append(holding)
    return int(holding.getsockname()[1])


def closed_port() -> int:
    """A port on loopback that nobody listens on, and nobody will but who is told of it."""
    return held_port()


def closed_ports(count: int) -> list[int]:
    """So many of them, no two the same."""
    return [held_port() for _ in range(count)]
