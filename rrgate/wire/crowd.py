"""`Crowd`: who is let in once callers have as many connections as they may (`max_connections`).

Belongs here: making room by closing what is idle, and turning away who finds none. Does not: requests (rrgate.places).

nginx does the same: of connections on which nothing is under way those go that have waited longest. A caller may always
find an idle connection closed (RFC 9112 9.3.1). Who is refused at once knows more than who waits to be accepted.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import nsmallest
from typing import Any, Final

from twisted.internet.interfaces import IDelayedCall, ISSLTransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from rrgate.answers import overloaded, reason_phrase
from rrgate.wire.caller_connections import CallerConnections, Connected
from rrgate.wire.response import AnswerWriter

MOST_GIVEN_UP: Final = 256
"""Connections closed at one look. A look costs 0.3 µs for each there is."""
WAITED: Final = 1.0
"""Seconds without a request after which a connection may be closed for another."""
LOOK_AGAIN: Final = 1.0
"""Seconds until there is another look, where the last has found too few."""
MOST_TURNED_AWAY: Final = 256
"""Who is answered at one time; whoever comes beyond is closed unanswered."""
LINGER: Final = 1.0
"""Seconds that who is turned away has to take its answer."""


class Crowd:
    """The connections of one listener that come when there is no room. All on the reactor's thread."""

    def __init__(self, listener: CallerConnections, refused: Callable[[], object]) -> None:
        """`refused` is told of each that is turned away."""
        self._listener = listener
        self._refused = refused
        self._room = 0
        self._next_look = float("-inf")
        self.leaving = 0

    def has_room(self) -> bool:
        """Whether another may come, because one goes for it."""
        if self._room == 0:
            self._room = self._make_room()
        if self._room == 0:
            return False
        self._room -= 1
        return True

    def turn_away(self) -> TurnedAway | None:
        """What answers one that may not come; None if it is to be closed at once."""
        self._refused()
        return TurnedAway(self, self._listener) if self.leaving < MOST_TURNED_AWAY else None

    def _make_room(self) -> int:
        now = self._listener.clock.seconds()
        if now < self._next_look:
            return 0
        connections = self._listener.connections
        most = min(MOST_GIVEN_UP, len(connections) // 64 + 1)
        # By the time alone: connections have no order.
        found: list[tuple[float, Connected]] = nsmallest(
            most,
            ((since, each) for each in connections if (since := each.waits_since) <= now - WAITED),
            key=lambda pair: pair[0],
        )
        for _, connection in found:
            connection.give_up()
        if len(found) < most:
            self._next_look = now + LOOK_AGAIN
        return len(found)


class TurnedAway(Protocol):
    """A caller's connection that is answered 503 and closed, whatever it asks."""

    transport: Any

    def __init__(self, crowd: Crowd, listener: CallerConnections) -> None:
        self._crowd = crowd
        self._listener = listener
        self._timer: IDelayedCall | None = None

    def connectionMade(self) -> None:
        listener = self._listener
        self._crowd.leaving += 1
        self._timer = listener.clock.callLater(LINGER, self._too_slow)
        reply = overloaded("The gateway has as many connections as it takes")
        fields, body = listener.headers.of_reply(listener.new_id(), reply, ())
        answer = AnswerWriter(b"GET", http10=False)
        reason = reason_phrase(reply.status).encode()
        self.transport.write(answer.head(reply.status, reason, fields, len(body), body, last=True, keep=False))
        # What it sends is read and dropped until it has read its answer, which a reset would take away (RFC 9112 9.6).
        half_close = getattr(self.transport, "loseWriteConnection", None)
        if half_close is not None and not ISSLTransport.providedBy(self.transport):
            half_close()

    def dataReceived(self, data: bytes) -> None:
        """Dropped."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._crowd.leaving -= 1
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def _too_slow(self) -> None:
        self.transport.abortConnection()
