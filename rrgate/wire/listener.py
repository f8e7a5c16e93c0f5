"""`CallerListener`: the factory behind the gateway's port; what all callers' connections share.

Belongs here: counting and draining connections. Does not: a connection's life (server.py).
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Factory
from twisted.logger import Logger

from rrgate.answers import AnswerHeaders
from rrgate.exchange import Exchange
from rrgate.ids import id_source
from rrgate.settings import Settings
from rrgate.websocket.slots import Slots
from rrgate.wire.announced import AnnouncedConnection
from rrgate.wire.callers import TrustedProxies
from rrgate.wire.crowd import Crowd, TurnedAway
from rrgate.wire.hosts import HostNames
from rrgate.wire.listening import speaks_proxy
from rrgate.wire.server import CallerConnection

BREAKING_OFF = 1.0
"""Seconds that connections have to be gone once they are broken off."""


class CallerListener(Factory):
    """Makes a `CallerConnection` for each caller of one port, and knows them all."""

    noisy = False

    def __init__(
        self,
        serve: Callable[[Exchange], Coroutine[Any, Any, None]],
        settings: Settings,
        hosts: HostNames,
        clock: IReactorTime,
        wall: Callable[[], float],
        room: Callable[[], int] | None = None,
        refused: Callable[[], object] = lambda: None,
    ) -> None:
        """`room`: connections at one time, else `max_connections`. `refused` is told of each beyond.
        `serve` runs one request to the end of its answer; it never raises but `CancelledError`."""
        self.serve = serve
        self.settings = settings
        self.hosts = hosts
        self.clock = clock
        self.wall = wall
        self.trusted = TrustedProxies(settings.trusted_proxies)
        self.new_id = id_source(wall)
        self.headers = AnswerHeaders(settings.header_prefix, wall)
        self.connections: set[CallerConnection] = set()
        self._room = room or (lambda: settings.max_connections)
        self._most = self._room()
        self._crowd = Crowd(self, refused)
        self._connection = AnnouncedConnection if speaks_proxy(settings.listen) else CallerConnection
        self.in_flight = 0
        self.websockets = Slots(settings.max_websockets)
        self.draining = False
        self.lingering = False
        """Whether connections stay open until they have had their last answer."""
        self.log = Logger("rrgate.wire")
        self._idle: Deferred[None] | None = None

    def buildProtocol(self, addr: object) -> CallerConnection | TurnedAway | None:
        if len(self.connections) >= self._most:
            self._most = self._room()  # a host may have raised its limit of open files
            if len(self.connections) >= self._most and not self._crowd.has_room():
                return self._crowd.turn_away()
        return self._connection(self)

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

    def connection_ended(self, connection: CallerConnection) -> None:
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
