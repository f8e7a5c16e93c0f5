"""A caller of the gateway that shares no code with it: blocking sockets and the standard library's parser.

Belongs here: the client side of a request. Does not: any expectation. Tests on the reactor's thread use `in_thread`.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from typing import Any, ParamSpec, Protocol, TypeVar

from attrs import field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

P = ParamSpec("P")
T = TypeVar("T")

Address = tuple[str, int] | str
Headers = Mapping[str, str] | Iterable[tuple[str, str]]
SECONDS = 20.0
"""How long a caller waits for anything; longer means that something hangs."""


def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
    """Run blocking code beside the reactor."""
    return deferToThread(function, *args, **kwargs)


@frozen
class Answer:
    """What came back, whole."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = field(repr=False)

    def __getitem__(self, name: str) -> str:
        """The one value of a field; KeyError unless it is there once."""
        values = self.every(name)
        if len(values) != 1:
            raise KeyError(f"{name} is there {len(values)} times in {self}")
        return values[0]

    def __contains__(self, name: str) -> bool:
        return bool(self.every(name))

    def every(self, name: str) -> list[str]:
        """All values of a field, in order."""
        return [value for known, value in self.headers if known.lower() == name.lower()]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """What the gateway says of it."""
        return self["requestrocket-proxy-code"]


class Watching(Protocol):
    """Sees what is said to a listener and what it answers, in whichever thread that is."""

    def asked(self, headers: Iterable[tuple[str, str]], body: object) -> None: ...
    def answered(self, answer: Answer) -> None: ...
    def ended(self, raw: bytes) -> None: ...


WATCHERS: dict[Address, Watching] = {}
"""By the listener's address."""


class _Stream:
    """What a connection gives, as one file for all its answers: each begins where the one before it ended."""

    def __init__(self, connected: socket.socket) -> None:
        self._file = connected.makefile("rb")

    def makefile(self, _mode: str) -> _Stream:
        return self

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def close(self) -> None:
        """By an answer that is done; the connection is not."""


class Caller:
    """One connection to a listener, for any number of requests one after the other. Blocks."""

    def __init__(
        self, address: Address, *, tls: ssl.SSLContext | None = None, timeout: float = SECONDS
    ) -> None:
        """`address`: host and port, or the path of a UNIX socket."""
        self._watcher = WATCHERS.get(address)
        if isinstance(address, str):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(timeout)
            self.socket.connect(address)
            self.host = "localhost"
        else:
            self.socket = socket.create_connection(address, timeout)
            self.host = f"{address[0]}:{address[1]}"
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        self._stream: Any = _Stream(self.socket)

    def __enter__(self) -> Caller:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        # The file holds the socket open, too.
        self._stream._file.close()
        self.socket.close()

    def send(
        self, method: str, target: str, headers: Headers = (), body: bytes | Iterable[bytes] | None = None
    ) -> None:
        """Send a request; a body that is not bytes goes in chunks, one each."""
        pairs = list(headers.items() if isinstance(headers, Mapping) else headers)
        if self._watcher is not None:
            self._watcher.asked(pairs, body)
        lines = [f"{method} {target} HTTP/1.1", f"Host: {self.host}", *(f"{name}: {value}" for name, value in pairs)]
        whole = isinstance(body, bytes)
        if isinstance(body, bytes):
            lines.append(f"Content-Length: {len(body)}")
        elif body is not None:
            lines.append("Transfer-Encoding: chunked")
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        self.socket.sendall(head + body if isinstance(body, bytes) else head)
        if not whole and body is not None:
            for chunk in body:
                assert isinstance(chunk, bytes)
                self.socket.sendall(b"%x\r\n%b\r\n" % (len(chunk), chunk))
            self.socket.sendall(b"0\r\n\r\n")

    def begun(self, method: str = "GET") -> http.client.HTTPResponse:
        """The next answer with its head read, for reading its body in pieces."""
        response = http.client.HTTPResponse(self._stream, method=method)
        response.begin()
        return response

    def answer(self, method: str = "GET") -> Answer:
        """The next answer. Raises http.client.IncompleteRead or an OSError if it breaks off."""
        response = self.begun(method)
        body = response.read()
        answer = Answer(response.status, response.reason, tuple(response.getheaders()), body)
        if self._watcher is not None:
            self._watcher.answered(answer)
        return answer

    def call(
        self, method: str, target: str, headers: Headers = (), body: bytes | Iterable[bytes] | None = None
    ) -> Answer:
        """A request and its answer."""
        self.send(method, target, headers, body)
        return self.answer(method)

    def rest(self) -> bytes:
        """Everything until the peer closes."""
        raw = bytes(self._stream.read())
        if self._watcher is not None:
            self._watcher.ended(raw)
        return raw


def call(
    address: Address,
    method: str,
    target: str,
    headers: Headers = (),
    body: bytes | Iterable[bytes] | None = None,
    *,
    tls: ssl.SSLContext | None = None,
) -> Answer:
    """One request on a connection of its own. Blocks."""
    with Caller(address, tls=tls) as caller:
        return caller.call(method, target, headers, body)


def call_at_once(address: Address, target: str, headers: Iterable[Headers]) -> list[Answer]:
    """A GET for each of `headers`, each on a connection of its own; all are sent before any answer is read. Blocks."""
    with ExitStack() as opened:
        callers = []
        for each in headers:
            caller = opened.enter_context(Caller(address))
            caller.send("GET", target, each)
            callers.append(caller)
        return [caller.answer() for caller in callers]
