"""`Presence`: whether who asked still waits for the answer.

Belongs here: ending what only he waits for when he goes. Does not: changes, which are finished all the same.
"""

from __future__ import annotations

from typing import Any, TypeVar

from twisted.internet.defer import Deferred

T = TypeVar("T")


class Presence:
    """Of whoever made one request."""

    def __init__(self) -> None:
        self.gone = False
        self._running: Deferred[Any] | None = None

    async def while_here(self, running: Deferred[T]) -> T:
        """What `running` comes to. It is cancelled when he goes, and raises CancelledError then."""
        if self.gone:
            running.cancel()
        self._running = running
        try:
            return await running
        finally:
            self._running = None

    def leave(self) -> None:
        """He has gone."""
        self.gone = True
        if self._running is not None:
            self._running.cancel()
