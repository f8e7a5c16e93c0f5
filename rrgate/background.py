"""`Background`: what plugins do ahead of need, while no request waits for it; it ends with the gateway.

Belongs here: starting, naming whoever fails, and the end. Does not: what is done.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime

from rrgate.boot_values import Event
from rrgate.careful_log import CarefulLogger
from rrgate.patience import RAISED
from rrgate.waiting import Task

BACKGROUND_SECONDS: Final = 15.0
"""How long a gateway that stops waits for what is under way, if its requests may take so long."""

_log = CarefulLogger("rrgate.background")


class Background:
    """One object a gateway; all on the reactor's thread."""

    def __init__(self, tell: Callable[[Event], object] = lambda event: None) -> None:
        """`tell`: told of whatever fails."""
        self._tell = tell
        self._running: set[Task] = set()
        self._closed = False
        self._over: Deferred[None] | None = None

    def start(self, plugin: str, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` of `plugin` now as far as it gets, and the rest when it can. Never raises.

        Where the gateway has ended, `work` is closed without being begun.
        """
        if self._closed:
            work.close()
            return

        def done(error: BaseException | None) -> None:
            self._running.discard(task)
            if not self._running:
                self._ended()

        task = Task(self._watched(plugin, work), done)
        self._running.add(task)
        task.start()

    async def _watched(self, plugin: str, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except RAISED as error:
            if not self._closed or not isinstance(error, CancelledError):
                _log.failure("plugin {plugin!r} failed in the background", plugin=plugin)
                text = f"plugin {plugin!r} failed in the background"
                self._tell(Event("plugin-fault", text, f"{plugin} background"))

    async def close(self, clock: IReactorTime, seconds: float) -> None:
        """Begin nothing more, and cancel what has not ended after `seconds`.

        What is half done may be worth the wait, such as an answer with a token that is given once.
        """
        self._closed = True
        if self._running:
            over = self._over = Deferred[None](lambda _: None)
            timer = clock.callLater(seconds, self._ended)
            await over
            if timer.active():
                timer.cancel()
        self.break_off()

    def _ended(self) -> None:
        over, self._over = self._over, None
        if over is not None:
            over.callback(None)

    def break_off(self) -> None:
        """Cancel all that is under way, and begin nothing more."""
        self._closed = True
        for task in tuple(self._running):
            task.cancel()
