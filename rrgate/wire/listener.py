"""`CallerListener`: the factory behind the gateway's port.

Belongs here: making a connection for each caller there is room for. Does not: what connections share
(caller_connections.py), a connection's life (server.py).
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Factory

from rrgate.exchange import Exchange
from rrgate.settings import Settings
from rrgate.wire.announced import AnnouncedConnection
from rrgate.wire.caller_connections import CallerConnections
from rrgate.wire.crowd import Crowd, TurnedAway
from rrgate.wire.hosts import HostNames
from rrgate.wire.listening import speaks_proxy
from rrgate.wire.server import CallerConnection


class CallerListener(CallerConnections, Factory):
    """Makes a `CallerConnection` for each caller of one port."""

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
        Others as CallerConnections."""
        super().__init__(serve, settings, hosts, clock, wall)
        self._room = room or (lambda: settings.max_connections)
        self._most = self._room()
        self._crowd = Crowd(self, refused)
        self._connection = AnnouncedConnection if speaks_proxy(settings.listen) else CallerConnection

    def buildProtocol(self, addr: object) -> CallerConnection | TurnedAway | None:
        if len(self.connections) >= self._most:
            self._most = self._room()  # a host may have raised its limit of open files
            if len(self.connections) >= self._most and not self._crowd.has_room():
                return self._crowd.turn_away()
        return self._connection(self)
