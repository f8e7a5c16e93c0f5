"""`WriteGate`: waiting until a peer has taken what was written, and noticing when it takes nothing.

Belongs here: back-pressure of one transport, for both sides. Does not: what is written.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from rrgate.waiting import Waiter


@implementer(IPushProducer)
class WriteGate:
    """Registered with a transport for the connection's whole life; `blocked` while its buffer is full."""

    __slots__ = ("_stalled", "_transport", "_waiter", "blocked")

    def __init__(self, transport: Any, stalled: Callable[[bool], None] | None = None) -> None:
        """`stalled(bool)` is called when the gate closes and when it opens."""
        self._transport = transport
        self._stalled = stalled
        self._waiter: Waiter[None] | None = None
        self.blocked = False
        transport.registerProducer(self, True)

    def pauseProducing(self) -> None:
        self.blocked = True
        if self._stalled is not None:
            self._stalled(True)

    def resumeProducing(self) -> None:
        self.blocked = False
        if self._stalled is not None:
            self._stalled(False)
        self.release()

    def stopProducing(self) -> None:
        self.release()

    def release(self) -> None:
        """Let whoever waits go on (the transport has room, or is gone)."""
        self.blocked = False
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            waiter.fire(None)

    def lost(self) -> None:
        """The connection is gone: whoever waits goes on, and nobody is held or called any more."""
        self._stalled = None
        self.release()

    def watched_by(self, stalled: Callable[[bool], None]) -> None:
        """Call `stalled` from now on."""
        self._stalled = stalled

    def close(self) -> None:
        """Flush and close: a transport with a producer would wait for more."""
        self._transport.unregisterProducer()
        self._transport.loseConnection()

    async def opened(self) -> None:
        """Return when more may be written. Cancelling it changes nothing for the transport."""
        while self.blocked:
            self._waiter = Waiter()
            await self._waiter
