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
from rrgate.wire.callers import TrustedProxies
from rrgate.wire.hosts import HostNames
from rrgate.wire.server import CallerConnection


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
    ) -> None:
        """`serve` runs one request to the end of its answer; it never raises but `CancelledError`."""
        self.serve = serve
        self.settings = settings
        self.hosts = hosts
        self.clock = clock
        self.wall = wall
        self.trusted = TrustedProxies(settings.trusted_proxies)
        self.new_id = id_source()
        self.headers = AnswerHeaders(settings.header_prefix, wall)
        self.connections: set[CallerConnection] = set()
        self.in_flight = 0
        self.draining = False
        self.log = Logger("rrgate.wire")
        self._idle: Deferred[None] | None = None

    def buildProtocol(self, addr: object) -> CallerConnection:
        return CallerConnection(self)

    def drain(self) -> None:
        """Close idle connections now, and every other one after its answer."""
        self.draining = True
        for connection in tuple(self.connections):
            connection.close_if_idle()

    def request_ended(self) -> None:
        """One request less in flight."""
        self.in_flight -= 1
        if self.in_flight == 0 and self._idle is not None:
            idle, self._idle = self._idle, None
            idle.callback(None)

    async def idle(self, seconds: float) -> None:
        """Return when no request is in flight; those that still are after `seconds` are broken off."""
        if self.in_flight:
            self._idle = Deferred()
            self._idle.addTimeout(seconds, self.clock)
            try:
                await self._idle
            except TimeoutError:
                self._idle = None
                self.log.warn("{count} requests did not end in time and are broken off", count=self.in_flight)
        for connection in tuple(self.connections):
            connection.close_for_good()
