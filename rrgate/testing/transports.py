"""`MemoryTransport`: a TCP transport without a socket, for either side of a gateway in memory.

Belongs here: what Twisted's transports promise, as far as the wire uses it. Does not: any HTTP.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.address import IPv4Address


class MemoryTransport:
    """What was written, whether it reads, and how it ends. It ends only when its owner says so.

    `changed`, if set, is called after every write, when reading goes on, and when our side ends it.
    """

    def __init__(self, peer: str = "203.0.113.9") -> None:
        self.written = bytearray()
        self.after_close = bytearray()
        self.reading = True
        self.closing = False
        self.half_closed = False
        self.aborted = False
        self.full = False
        self.changed: Callable[[], object] | None = None
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
        self._tell()

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
        self._tell()

    def loseConnection(self) -> None:
        self.closing = True
        self._tell()

    def loseWriteConnection(self) -> None:
        self.half_closed = True
        self._tell()

    def abortConnection(self) -> None:
        self.closing = self.aborted = True
        self._tell()

    @property
    def ended(self) -> bool:
        """Whether our side has ended it, wholly or for writing."""
        return self.closing or self.half_closed

    def _tell(self) -> None:
        if self.changed is not None:
            self.changed()
