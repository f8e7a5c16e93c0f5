"""Connections in memory: a caller, and a gateway behind it that echoes; and the reading of what came back.

Belongs here: doubles that the tests of wire/ talk through. Does not: any expectation about HTTP.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

from attrs import frozen
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from rrgate.body import BodyBroken, BodyTooLarge
from rrgate.exchange import Exchange
from rrgate.paths import PathRefused, judge_path
from rrgate.settings import Settings
from rrgate.wire.hosts import HostNames
from rrgate.wire.listener import CallerListener

HOST = b"gateway.test"


class MemoryTransport:
    """A TCP transport: what was written, whether it reads, and how it ends. It ends when the test says so."""

    def __init__(self, peer: str = "203.0.113.9") -> None:
        self.written = bytearray()
        self.after_close = bytearray()
        self.reading = True
        self.closing = False
        self.half_closed = False
        self.aborted = False
        self.full = False
        self._peer = peer
        self._producer: Any = None
        self._producer_paused = False

    def getPeer(self) -> IPv4Address:
        return IPv4Address("TCP", self._peer, 40_000)

    def write(self, data: bytes) -> None:
        assert isinstance(data, bytes)
        if self.closing or self.half_closed:
            self.after_close += data
            return
        self.written += data
        if self.full and self._producer is not None and not self._producer_paused:
            self._producer_paused = True
            self._producer.pauseProducing()

    def empty(self, *, full: bool = False) -> None:
        """The peer has taken all that was written; the next write may fill the transport again."""
        self.full = full
        if self._producer is not None and self._producer_paused:
            self._producer_paused = False
            self._producer.resumeProducing()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        assert streaming
        self._producer = producer

    def unregisterProducer(self) -> None:
        self._producer = None

    def pauseProducing(self) -> None:
        self.reading = False

    def resumeProducing(self) -> None:
        self.reading = True

    def loseConnection(self) -> None:
        self.closing = True

    def loseWriteConnection(self) -> None:
        self.half_closed = True

    def abortConnection(self) -> None:
        self.closing = self.aborted = True

    @property
    def ended(self) -> bool:
        """Whether our side has ended it, wholly or for writing."""
        return self.closing or self.half_closed


@frozen
class Answer:
    """One answer as a client that knows what it asked for reads it."""

    status: int
    fields: tuple[tuple[str, str], ...]
    body: bytes
    whole: bool = True

    def __getitem__(self, name: str) -> str:
        return ", ".join(value for known, value in self.fields if known.lower() == name.lower())

    @property
    def document(self) -> Any:
        return json.loads(self.body)


def read_answers(data: bytes, methods: Sequence[bytes] = ()) -> list[Answer]:
    """The answers in `data`, to requests with these `methods` (GET where the list ends)."""
    answers: list[Answer] = []
    asked = list(methods)
    while data:
        head, end, data = data.partition(b"\r\n\r\n")
        assert end, f"no whole head in {head!r}"
        first, *lines = head.decode("latin-1").split("\r\n")
        version, status, _ = first.split(" ", 2)
        assert version == "HTTP/1.1"
        fields = tuple((name, value.strip()) for name, _, value in (line.partition(":") for line in lines))
        answer = Answer(int(status), fields, b"")
        if answer.status < 200:
            answers.append(answer)
            continue
        method = asked.pop(0) if asked else b"GET"
        whole = True
        if method == b"HEAD" or answer.status in (204, 304):
            body = b""
        elif answer["Transfer-Encoding"] == "chunked":
            body, data, whole = _read_chunks(data)
        elif answer["Content-Length"]:
            size = int(answer["Content-Length"])
            body, data, whole = data[:size], data[size:], len(data) >= size
        else:
            body, data = data, b""
        answers.append(Answer(answer.status, fields, body, whole))
    return answers


def _read_chunks(data: bytes) -> tuple[bytes, bytes, bool]:
    body = b""
    while True:
        line, end, rest = data.partition(b"\r\n")
        if not end:
            return body, b"", False
        size = int(line, 16)
        if size == 0:
            assert rest[:2] == b"\r\n"
            return body, rest[2:], True
        if len(rest) < size + 2:
            return body + rest[:size], b"", False
        assert rest[size : size + 2] == b"\r\n"
        body, data = body + rest[:size], rest[size + 2 :]


@frozen
class Served:
    """A request that came through whole: what would have gone to a target."""

    method: bytes
    target: bytes
    body: bytes


class EchoGateway:
    """In the pipeline's place: judges the path, reads the body, notes what came through whole, and answers it."""

    def __init__(self) -> None:
        self.begun: list[Exchange] = []
        self.served: list[Served] = []

    async def __call__(self, ex: Exchange) -> None:
        self.begun.append(ex)
        try:
            judge_path(ex.full_path.removeprefix(b"/api/p"))
            body = await ex.request_body.whole(1 << 20)
        except PathRefused as error:
            say(ex, 400, str(error))
            return
        except BodyBroken as error:
            say(ex, error.status, str(error))
            return
        except BodyTooLarge as error:
            say(ex, 413, str(error))
            return
        self.served.append(Served(ex.method, ex.full_path + ex.query_mark + ex.query, body))
        answer = b"%b %b %b" % (ex.method, ex.full_path + ex.query_mark + ex.query, body)
        ex.door.begin(200, b"OK", [(b"Server", b"echo")], len(answer), answer, True, False)


def say(ex: Exchange, status: int, message: str = "", *, close: bool = True) -> None:
    """Answer as the pipeline answers by itself."""
    body = json.dumps({"error": "error", "message": message, "requestId": ex.id}).encode()
    ex.door.begin(status, b"Reason", [(b"Content-Type", b"application/json")], len(body), body, True, close)


class MemoryCaller:
    """A caller's connection to a listener whose requests go to `serve`."""

    def __init__(
        self,
        serve: Callable[[Exchange], Coroutine[Any, Any, None]] | None = None,
        *,
        clock: Clock | None = None,
        listener: CallerListener | None = None,
        peer: str = "203.0.113.9",
        **settings: Any,
    ) -> None:
        self.echo = EchoGateway()
        if listener is None:
            listener = CallerListener(
                serve or self.echo,
                Settings(data=Path("unused"), **settings),
                HostNames([HOST.decode(), "localhost"]),
                clock or Clock(),
                lambda: 1_765_517_217.0,
            )
        self.listener = listener
        self.clock: Any = listener.clock
        self.transport = MemoryTransport(peer)
        self.connection = listener.buildProtocol(None)
        self.connection.makeConnection(self.transport)  # type: ignore[arg-type]

    def send(self, *pieces: bytes) -> MemoryCaller:
        """Send pieces, each as one segment, as long as the gateway reads."""
        for piece in pieces:
            if self.transport.aborted:
                break
            self.connection.dataReceived(piece)
        return self

    def leave(self) -> None:
        """Close the caller's side; it does not wait for anything."""
        self.connection.connectionLost(Failure(ConnectionDone()))

    def end(self) -> None:
        """Let the transport end as the gateway asked it to."""
        assert self.transport.closing
        self.connection.connectionLost(Failure(ConnectionAborted() if self.transport.aborted else ConnectionDone()))

    def answers(self, *methods: bytes) -> list[Answer]:
        """The answers so far, to requests with these methods."""
        return read_answers(bytes(self.transport.written), methods)
