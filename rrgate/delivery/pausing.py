"""`Pause`: while the queue cannot be written, nothing is sent; what that takes is added to the time of each request.

Belongs here: when it begins, and finding out that it is over. Does not: what pauses (worker.py), the time that is added
(table.py).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from rrgate.waiting import Waiter

AGAIN: Final = 1.0
"""Seconds after which it is tried again whether the queue can be written."""


class Pause:
    """One object a worker; on the reactor's thread."""

    def __init__(
        self,
        clock: IReactorTime,
        now: Callable[[], int],
        prolong: Callable[[int], Awaitable[object]],
        run: Callable[[Coroutine[Any, Any, None]], object],
        over: Callable[[], object],
    ) -> None:
        """`now`: the delivery's time. `prolong`: adds the time since then to that of each request; the first write
        that is tried. `run`: runs a coroutine. `over`: called when it is over."""
        self._clock = clock
        self._now = now
        self._prolong = prolong
        self._run = run
        self._over = over
        self._since: int | None = None
        self._waiting: list[Waiter[None]] = []
        self._log = Logger("rrgate.delivery")

    @property
    def on(self) -> bool:
        """Nothing is to be sent now."""
        return self._since is not None

    def begin(self, error: BaseException) -> None:
        """Something could not be written, for this reason."""
        if self._since is None:
            self._log.error("the queue cannot be used; delivery pauses: {error}", error=error)
            self._since = self._now()
            self._run(self._probe(self._since))

    async def wait_out(self, error: BaseException) -> None:
        """`begin`, and return when it is over."""
        self.begin(error)
        waiter: Waiter[None] = Waiter()
        self._waiting.append(waiter)
        try:
            await waiter
        finally:
            if waiter in self._waiting:
                self._waiting.remove(waiter)

    async def _probe(self, since: int) -> None:
        while True:
            await self._sleep()
            try:
                await self._prolong(since)
                break
            except CancelledError:
                raise
            except (sqlite3.Error, OSError) as error:
                self._log.debug("the queue cannot be used yet: {error}", error=error)
            except Exception:  # noqa: BLE001 - whatever it is, who gave up here would pause for ever
                self._log.failure("the queue cannot be used yet")
        self._log.warn("the queue can be used again; delivery goes on")
        self._since = None
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            waiter.fire(None)
        self._over()

    async def _sleep(self) -> None:
        waiter: Waiter[None] = Waiter()
        timer = self._clock.callLater(AGAIN, waiter.fire, None)
        try:
            await waiter
        finally:
            if timer.active():
                timer.cancel()
