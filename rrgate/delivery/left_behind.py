"""`LeftBehind`: requests that a process took before it died, of which the log knows nothing: told once.

Belongs here: finding them, and having them told, before anything else is told of them. Does not: which processes there
are (takers.py), ends that were left untold (untold.py), what the log is told (telling.py).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Collection
from typing import Final

from twisted.logger import Logger

from rrgate.delivery.queue import Queue
from rrgate.delivery.telling import Telling
from rrgate.store.thread import ThreadClosed

MOST_LOOKED_AT: Final = 100
"""Requests at a time, so that none of them is long in memory."""


class LeftBehind:
    """One object a gateway; on the reactor's thread, in the process that delivers."""

    def __init__(
        self,
        queue: Queue,
        telling: Telling,
        is_dead: Callable[[int], bool],
        flushed: Callable[[], Awaitable[object]],
        known: Callable[[Collection[str]], Awaitable[Collection[str]]],
    ) -> None:
        """`is_dead`: whether the process of that number in `takers` is. `flushed`: returns once the log has on disk
        what it was given. `known`: those of these requests, by their ids, of which the log has anything."""
        self._queue = queue
        self._telling = telling
        self._is_dead = is_dead
        self._flushed = flushed
        self._known = known
        self._given: set[int] = set()
        self._settling = False
        self._log = Logger("rrgate.delivery")

    async def tell(self) -> None:
        """Give the log what it does not have of what was taken by processes that are dead by now.

        Before an end is told of any of these: a request of which the log has that is not told here.
        """
        try:
            for left in await self._queue.other_takers(self._queue.taker):
                if left.id not in self._given and self._is_dead(left.id):
                    await self._tell(left.id, left.told)
                    self._given.add(left.id)
        except (sqlite3.Error, OSError, ThreadClosed) as error:
            self._log.error("what was taken before is not looked for in the log: {error}", error=error)

    async def settle(self) -> None:
        """See to it that what was told is told no more, once the log has it on disk."""
        if self._settling:
            return
        self._settling = True
        try:
            for id in sorted(self._given):
                await self._flushed()
                await self._queue.leave(id)
                self._given.discard(id)
        except (sqlite3.Error, OSError, ThreadClosed) as error:
            self._log.warn("it is looked once more what was taken before: {error}", error=error)
        finally:
            self._settling = False

    async def _tell(self, id: int, behind: int) -> None:
        while taken := await self._queue.taken_by(id, behind, MOST_LOOKED_AT):
            behind, _ = taken[-1]
            known = await self._known([request_id for _, request_id in taken])
            missing = [number for number, request_id in taken if request_id not in known]
            if missing:
                for row, stored in await self._queue.begun(missing):
                    self._telling.begun(row, stored)
