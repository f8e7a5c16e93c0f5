"""`Background`: what plugins do ahead of need, while no request waits for it; it ends with the gateway.

Belongs here: starting, naming whoever fails, and the end. Does not: what is done.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import CancelledError

from rrgate.boot_values import Event
from rrgate.careful_log import CarefulLogger
from rrgate.patience import RAISED
from rrgate.waiting import Task

_log = CarefulLogger("rrgate.background")


class Background:
    """One object a gateway; all on the reactor's thread."""

    def __init__(self, tell: Callable[[Event], object] = lambda event: None) -> None:
        """`tell`: told of whatever fails."""
        self._tell = tell
        self._running: set[Task] = set()
        self._closed = False

    def start(self, plugin: str, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` of `plugin` now as far as it gets, and the rest when it can. Never raises.

        Where the gateway has ended, `work` is closed without being begun.
        """
        if self._closed:
            work.close()
            return
        task = Task(self._watched(plugin, work), lambda error: self._running.discard(task))
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

    def close(self) -> None:
        """Cancel all that is under way, and begin nothing more."""
        self._closed = True
        for task in tuple(self._running):
            task.cancel()
