"""Connections in memory: a caller, and a gateway behind it that echoes.

Belongs here: doubles that the tests of wire/ talk through. Does not: any expectation about HTTP.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from attrs import frozen
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from rrgate.body import BodyBroken, BodyTooLarge
from rrgate.exchange import Exchange
from rrgate.paths import PathRefused, judge_path
from rrgate.settings import Settings
from rrgate.testing.messages import Answer, read_answers
from rrgate.testing.transports import MemoryTransport
from rrgate.wire.hosts import HostNames
from rrgate.wire.listener import CallerListener

HOST = b"gateway.test"


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
