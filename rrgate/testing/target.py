"""`StubTarget`: a target in memory that keeps what it received, and answers what it is told; and the way to it.

Belongs here: the far side of a gateway's connections to targets. Does not: any expectation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from attrs import frozen
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.python.failure import Failure

from rrgate.route import Endpoint
from rrgate.testing.clock import Clock
from rrgate.testing.messages import Headers, Received, pairs, read_request
from rrgate.testing.transports import MemoryTransport
from rrgate.wire.dialer import Dialled
from rrgate.wire.guard import AddressForbidden


@frozen
class Says:
    """What a target answers. A `body` in pieces is sent in chunks, one segment each.

    `after`: seconds of the gateway's clock before its first byte; None: it never answers. `between`: seconds between
    two pieces. `breaks_off`: it closes before the body's end. `raw`: these bytes in place of an HTTP message; then it
    closes.
    """

    status: int = 200
    body: bytes | Sequence[bytes] = b""
    headers: Headers = ()
    after: float | None = 0.0
    between: float = 0.0
    breaks_off: bool = False
    raw: bytes | None = None

    def segments(self, method: str) -> list[bytes]:
        """Its bytes as they are sent to a request with this method."""
        if self.raw is not None:
            return [self.raw]
        lines = [f"HTTP/1.1 {self.status} OK", *(f"{name}: {value}" for name, value in pairs(self.headers))]
        if isinstance(self.body, bytes):
            lines.append(f"Content-Length: {len(self.body) + self.breaks_off}")
            pieces = [self.body]
        else:
            lines.append("Transfer-Encoding: chunked")
            pieces = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in self.body]
            if not self.breaks_off:
                pieces = [*pieces[:-1], b"".join([*pieces[-1:], b"0\r\n\r\n"])]
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        if method == "HEAD" or self.status in (204, 304):
            return [head]
        return [head + pieces[0], *pieces[1:]] if pieces else [head]


class StubTarget:
    """`received`: whole requests, in order. `says`: what it answers, or a function of the request that tells it."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.received: list[Received] = []
        self.says: Says | Callable[[Received], Says] = Says()
        self.connections = 0
        """How many were made so far."""
        self.bytes = bytearray()
        """All that came over all of them, whole requests or not."""

    @property
    def last(self) -> Received:
        """The last request. Raises LookupError if none came."""
        if not self.received:
            raise LookupError("no request has come to this target")
        return self.received[-1]

    def answer_to(self, received: Received) -> Says:
        """Keeps the request, and tells what it is answered."""
        self.received.append(received)
        return self.says(received) if callable(self.says) else self.says


class _TargetEnd:
    """The target's end of one connection. It acts a turn of the clock after the gateway does, as sockets would."""

    def __init__(self, target: StubTarget, protocol: Any) -> None:
        self._target = target
        self._protocol = protocol
        self._transport = MemoryTransport()
        self._transport.changed = self._wake
        self._seen = 0
        self._taken = 0
        self._waking = False
        self._over = False
        self._left: list[bytes] = []
        self._says = Says()
        self._answering = False
        protocol.makeConnection(self._transport)

    def _wake(self) -> None:
        written = self._transport.written
        self._target.bytes += written[self._seen :]
        self._seen = len(written)
        if not self._waking and not self._over:
            self._waking = True
            self._target.clock.callLater(0, self._turn)

    def _turn(self) -> None:
        self._waking = False
        if self._over:
            return
        if self._transport.closing:
            self._end(ConnectionAborted() if self._transport.aborted else ConnectionDone())
        elif self._left and self._transport.reading and not self._answering:
            self._say()
        elif not self._left and not self._answering:
            self._take_request()

    def _take_request(self) -> None:
        found = read_request(bytes(self._transport.written[self._taken :]))
        if found is None:
            return
        request, size = found
        self._taken += size
        self._says = self._target.answer_to(request)
        self._left = self._says.segments(request.method)
        self._answering = True
        if self._says.after is not None:
            self._target.clock.callLater(self._says.after, self._say)

    def _say(self) -> None:
        """One piece; those that follow in their time, or when the gateway reads on."""
        self._answering = False
        if self._over or self._transport.closing or not self._transport.reading:
            return
        piece = self._left.pop(0)
        self._answering = bool(self._left)
        self._protocol.dataReceived(piece)
        if self._left:
            self._target.clock.callLater(self._says.between, self._say)
        elif self._says.breaks_off:
            self._end(ConnectionLost())
        elif self._says.raw is not None:
            self._end(ConnectionDone())
        else:
            self._wake()

    def _end(self, error: Exception) -> None:
        if not self._over:
            self._over = True
            self._protocol.connectionLost(Failure(error))


class MemoryDialer:
    """Connects to stub targets by the host's name; one that nobody made is made then."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.targets: dict[str, StubTarget] = {}

    def target(self, host: str) -> StubTarget:
        """The target of this host."""
        return self.targets.setdefault(host, StubTarget(self._clock))

    async def connect(self, endpoint: Endpoint, tenant: str, protocol: Dialled, *, secret: bool) -> None:
        """See `Connects`: there is a connection at once. Plain http may not carry a secret, here as elsewhere."""
        if secret and not endpoint.tls:
            raise AddressForbidden("secrets go over plain http only to loopback, or with targetAllowPlaintext")
        target = self.target(endpoint.host)
        target.connections += 1
        _TargetEnd(target, protocol)
        if endpoint.tls:
            protocol.handshakeCompleted()  # type: ignore[attr-defined]
