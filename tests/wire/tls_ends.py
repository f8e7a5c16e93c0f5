"""Both ends of a TLS connection in memory: ours, and a server's.

Belongs here: moving bytes between them. Does not: any expectation.
"""

from __future__ import annotations

import ssl
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from rrgate.testing.transports import MemoryTransport
from rrgate.wire.tls import TlsConnection


@implementer(IHandshakeListener)
class Inner(Protocol):
    """What is told to the protocol above TLS."""

    transport: Any

    def __init__(self) -> None:
        self.handshakes = 0
        self.pieces: list[bytes] = []
        self.ended: Failure | None = None
        self.at_data: Any = lambda: None

    def handshakeCompleted(self) -> None:
        self.handshakes += 1

    def dataReceived(self, data: bytes) -> None:
        self.pieces.append(data)
        self.at_data()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        assert self.ended is None
        self.ended = reason

    @property
    def received(self) -> bytes:
        return b"".join(self.pieces)

    @property
    def error(self) -> Any:
        """What it ended with."""
        assert self.ended is not None
        return self.ended.value


class Server:
    """The peer, by the standard library. Its `received` is what came through TLS; `parted`: our farewell came."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self.ready = False
        self.received = b""
        self.parted = False
        self.error: ssl.SSLError | None = None

    def take(self, data: bytes) -> None:
        self._incoming.write(data)
        try:
            if not self.ready:
                self.tls.do_handshake()
                self.ready = True
            while piece := self.tls.read(65536):
                self.received += piece
            self.parted = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.parted = True
        except ssl.SSLError as error:
            self.error = error

    def say(self, data: bytes) -> None:
        self.tls.write(data)

    def part(self) -> None:
        """Say farewell (close_notify)."""
        try:
            self.tls.unwrap()
        except ssl.SSLError:  # ours has not come
            pass

    def sent(self) -> bytes:
        return self._outgoing.read()


class Ends:
    """Our end, made as the Dialer makes it, and `server`, behind a TCP connection that the test moves on."""

    def __init__(self, server: Any, context: ssl.SSLContext, name: str = "a.test") -> None:
        self.inner = Inner()
        self.server = server
        self.tcp = MemoryTransport()
        self.ours = TlsConnection(self.inner, context, name)
        self._taken = 0
        self._lost = False
        self.ours.makeConnection(self.tcp)  # type: ignore[arg-type]  # it has what is used

    def move(self, size: int = 1 << 20) -> Ends:
        """All bytes to where they go, until none are left; `size` at once towards us."""
        while True:
            out = bytes(self.tcp.written[self._taken :])
            self._taken += len(out)
            if out:
                self.server.take(out)
            back = self.server.sent()
            for start in range(0, len(back), size):
                self.ours.dataReceived(back[start : start + size])
            if self.tcp.closing:
                self.lose()
            if not back:
                return self

    def lose(self, error: Exception | None = None) -> Ends:
        """The TCP connection is gone."""
        if not self._lost:
            self._lost = True
            self.ours.connectionLost(Failure(error or ConnectionDone()))
        return self
