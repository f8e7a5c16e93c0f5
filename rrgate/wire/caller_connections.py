"""`CallerConnections`: what all callers' connections of one listener share, and what is known of all of them.

Belongs here: counting and draining them. Does not: making them (listener.py), a connection's life (server.py).
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from rrgate.answer_headers import AnswerHeaders
from rrgate.exchange import Exchange
from rrgate.ids import id_source
from rrgate.settings import Settings
from rrgate.websocket.slots import Slots
from rrgate.wire.callers import TrustedProxies
from rrgate.wire.hosts import HostNames

BREAKING_OFF = 1.0
"""Seconds that connections have to be gone once they are broken off."""


class Connected(Protocol):
    """A caller's connection, as far as it is one of many."""

    @property
    def waits_since(self) -> float:
        """Since when nothing is under way and no whole head has come, by the clock; infinity where something is."""

    @property
    def unflushed(self) -> bool:
        """Whether a part of an answer may still be on its way."""

    @property
    def is_idle(self) -> bool:
        """Whether no request is under way, so that what comes is read at once."""

    def give_up(self) -> None:
        """Close at once what waits, because another needs the room."""

    def close_if_idle(self) -> None:
        """Close now if nothing is under way; else after the answer."""

    def close_for_good(self) -> None:
        """The process ends: break off what is under way or was not taken in time."""


class CallerConnections:
    """Those of one port. All on the reactor's thread."""

    def __init__(
        self,
        serve: Callable[[Exchange], Coroutine[Any, Any, None]],
        settings: Settings,
        hosts: HostNames,
        clock: IReactorTime,
        wall: Callable[[], float],
    ) -> None:
        """`serve` runs one request to the end of its answer; it never raises but `CancelledError`."""
        self.serve = serve
        self.settings = settings
        self.hosts = hosts
        self.clock = clock
        self.wall = wall
        self.trusted = TrustedProxies(settings.trusted_proxies)
        self.new_id = id_source(wall)
        self.headers = AnswerHeaders(settings.header_prefix, wall)
        self.connections: set[Connected] = set()
        self.in_flight = 0
        self.websockets = Slots(settings.max_websockets)
        self.draining = False
        self.lingering = False
        """Whether connections stay open until they have had their last answer."""
        self.log = Logger("rrgate.wire")
        self._idle: Deferred[None] | None = None

    def drain(self) -> None:
        """Close idle connections now, and every other one after its answer."""
        self.draining = True
        for connection in tuple(self.connections):
            connection.close_if_idle()

    def request_ended(self) -> None:
        """One request less in flight."""
        self.in_flight -= 1
        if self._idle is not None:
            self._look_whether_over()

    def switched(self, proxy_id: str) -> None:
        """A request has become a WebSocket, which is not in flight: it may last for days."""
        self.in_flight -= 1
        self.websockets.take(proxy_id)

    def websocket_ended(self, proxy_id: str) -> None:
        """One WebSocket less."""
        self.websockets.give_back(proxy_id)
        if self._idle is not None:
            self._look_whether_over()

    def connection_ended(self, connection: Connected) -> None:
        """One connection less."""
        self.connections.discard(connection)
        if self._idle is not None:
            self._look_whether_over()

    async def idle(self, seconds: float) -> None:
        """Return when every answer has been taken by its caller; what is not over after `seconds` is broken off."""
        if not await self._over(seconds):
            open = self.in_flight + self.websockets.open
            count = open or sum(connection.unflushed for connection in self.connections)
            self.log.warn("{count} requests did not end in time and are broken off", count=count)
        for connection in tuple(self.connections):
            connection.close_for_good()
        # What is broken off ends a turn of the reactor later; only then is it in the log.
        await self._over(BREAKING_OFF)

    def _busy(self) -> bool:
        open = self.in_flight + self.websockets.open
        return open > 0 or any(connection.unflushed for connection in self.connections)

    def _look_whether_over(self) -> None:
        idle = self._idle
        if idle is not None and not self._busy():
            self._idle = None
            idle.callback(None)

    async def _over(self, seconds: float) -> bool:
        if self._busy():
            self._idle = Deferred()
            self._idle.addTimeout(seconds, self.clock)
            try:
                await self._idle
            except TimeoutError:
                self._idle = None
                return False
        return True
