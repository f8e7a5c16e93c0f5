"""`OpenStreams`: answers that may never end, and WebSockets, and ending them when what their proxy joins is no more.

Belongs here: which answers these are, and when they are broken off (core-api.md 1). Does not: passing them on
(relay.py, websocket/relay.py).

An answer whose length its head tells ends by itself, and keeps what it started with. Nothing is kept of it here, nor of
one that came whole: only an answer of unknown length that is under way costs anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from twisted.internet.interfaces import IReactorTime

from rrgate.body import BodyBroken
from rrgate.directory import Directory
from rrgate.exchange import Exchange
from rrgate.route import Route

GRACE: Final = 2.0
"""Seconds that an answer of unknown length has to come to its end by itself, and a WebSocket to be closed by both."""

WHY: Final = "its proxy, target or credential was switched off or deleted"


class Closable(Protocol):
    """A WebSocket."""

    def end(self, why: str) -> None:
        """Tell both sides to close."""

    def break_off(self) -> None:
        """Close now."""


class OpenStreams:
    """The answers of unknown length and the WebSockets that are under way. One object a gateway; all on the reactor's
    thread."""

    def __init__(self, directory: Directory, clock: IReactorTime) -> None:
        self._directory = directory
        self._clock = clock
        self._open: dict[Exchange, Closable | None] = {}
        directory.when_ended(self._ended)

    def begin(self, ex: Exchange, websocket: Closable | None = None) -> None:
        """The answer of `ex`, whose length is not known, begins to stream; or it has opened a `websocket`."""
        self._open[ex] = websocket
        if not self._in_force(_route_of(ex)):
            # Switched off while the target worked, or while the answer was held back.
            self._end_soon((ex,))

    def end(self, ex: Exchange) -> None:
        """It streams no longer."""
        self._open.pop(ex, None)

    def _ended(self, noun_id: str) -> None:
        """A proxy or credential was switched off or deleted, or a target deleted."""
        self._end_soon([ex for ex in self._open if noun_id in _ids(_route_of(ex))])

    def _end_soon(self, streams: Sequence[Exchange]) -> None:
        if streams:
            self._clock.callLater(GRACE, self._break_off, streams)
        for ex in streams:
            websocket = self._open.get(ex)
            if websocket is not None:
                websocket.end(WHY)

    def _break_off(self, streams: Sequence[Exchange]) -> None:
        for ex in streams:
            response = ex.response
            websocket = self._open.get(ex)
            if websocket is not None:
                websocket.break_off()
            elif ex in self._open and response is not None:
                # The target is cut off, and whoever reads the answer is told why; that is what the log says, too.
                response.body.abandon()
                response.body.fail(BodyBroken(WHY))
            if websocket is None and ex in self._open:
                # Its caller does not take what there is.
                ex.door.abort()

    def _in_force(self, route: Route) -> bool:
        proxy = self._directory.proxies.get(route.proxy.id)
        if proxy is None or not proxy.active:
            return False
        if route.target is None or route.target.id not in self._directory.targets:
            return False
        for named in (route.proxy_credential, route.target_credential):
            if named is not None:
                credential = self._directory.credentials.get(named.id)
                if credential is None or not credential.active:
                    return False
        return True


def _route_of(ex: Exchange) -> Route:
    assert ex.route is not None
    return ex.route


def _ids(route: Route) -> tuple[str, ...]:
    parts = (route.proxy, route.target, route.proxy_credential, route.target_credential)
    return tuple(part.id for part in parts if part is not None)
