"""`Retirement`: a worker's last requests, when others have taken its place and no caller is to notice.

Belongs here: what becomes of connections. Does not: what is closed after that (gateway.py, as at every end).

A connection that is kept may have a request on its way at any moment; to close it then would lose that. So each gets
its last answer with `Connection: close`; only who has asked for nothing for a while is closed, and not before it was
looked whether something has come.
"""

from __future__ import annotations

import select
from collections.abc import Callable, Iterable
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from rrgate.core.site import CoreSite
from rrgate.gateway import Gateway

LINGER: Final = 5.0
"""Seconds in which a kept connection may ask for something more."""
LOOK: Final = 0.02
"""Seconds between two looks whether all have gone."""
CORE_PATIENCE: Final = 30.0
"""Seconds that the last requests of the Core API may take: most that one may take to come in."""
IN_HASTE: Final = 2.0
"""The same where nobody takes the place of this worker."""


class Retirement:
    """Of one gateway. On the reactor's thread."""

    def __init__(self, gateway: Gateway, clock: Any, port: Any, core: CoreSite | None) -> None:
        """`port`: where callers connect. `core`: if this worker has the Core API."""
        self._gateway = gateway
        self._clock = clock
        self._port = port
        self._core = core
        self._in_haste = False

    def hurry(self) -> None:
        """Wait for nobody who has asked for nothing."""
        self._in_haste = True

    async def linger(self) -> None:
        """Accept no more callers, and let those that are there have their last answers. Users still come and go."""
        listener = self._gateway.listener
        self._port.stopListening()
        if self._in_haste:
            return
        listener.lingering = listener.draining = True
        if self._core is not None:
            self._core.draining = True
        await self._until(lambda: not listener.connections and not self._users(), LINGER)
        # What has come by now is served first.
        await self._until(lambda: not _readable(each for each in listener.connections if each.is_idle), LINGER)
        listener.lingering = False
        for connection in tuple(listener.connections):
            if connection.is_idle:
                connection.close_if_idle()

    async def end_core(self) -> None:
        """Answer what users have asked, and then close their connections. Nobody accepts them any more."""
        core = self._core
        if core is None:
            return
        core.draining = True
        begun = self._clock.seconds()

        def are_over() -> bool:
            late = self._in_haste and self._clock.seconds() - begun > IN_HASTE
            return late or (all(each.is_idle for each in core.connections) and not _readable(core.connections))

        await self._until(are_over, CORE_PATIENCE, haste=False)
        for each in tuple(core.connections):
            connection: Any = each
            connection.loseConnection()

    def _users(self) -> int:
        return 0 if self._core is None else len(self._core.connections)

    async def _until(self, true: Callable[[], bool], seconds: float, *, haste: bool = True) -> None:
        end = self._clock.seconds() + seconds
        while not true() and self._clock.seconds() < end and not (haste and self._in_haste):
            waited: Deferred[None] = deferLater(self._clock, LOOK)
            await waited


def _readable(connections: Iterable[Any]) -> bool:
    """Whether something has come on one of them that was not read yet."""
    poll = select.poll()
    for each in connections:
        descriptor = each.transport.fileno() if hasattr(each.transport, "fileno") else -1
        if descriptor >= 0:
            poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))
