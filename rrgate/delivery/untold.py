"""Requests that have ended, and whose end may not be in the request log yet: told once more after a crash.

Belongs here: remembering them, and forgetting them a moment later. Does not: what the log is told (telling.py).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, Final, Protocol

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from rrgate.delivery.many_rows import marks, pieces
from rrgate.store.thread import ThreadClosed
from rrgate.waiting import run_deferred

MOMENT: Final = 1.0
"""Seconds after which it is seen to that the log has what has ended, for all that have ended meanwhile."""
LAST: Final = 3.0
"""Seconds that the end of this process waits for a log that cannot be written."""


def remember(connection: sqlite3.Connection, ids: Sequence[int]) -> None:
    """The log is to be told of their end, for which their heads are kept. It is told nothing of callbacks."""
    connection.execute(
        "INSERT OR REPLACE INTO untold SELECT request, head FROM payloads JOIN requests ON id = request "
        f"WHERE request IN {marks(len(ids))} AND callback_of IS NULL",
        ids,
    )


def forget(connection: sqlite3.Connection, ids: Collection[int]) -> None:
    """The log has these."""
    for some in pieces([*ids]):
        connection.execute(f"DELETE FROM untold WHERE request IN {marks(len(some))}", some)


def remembered(connection: sqlite3.Connection, until: int, behind: int, most: int) -> list[tuple[int, bytes]]:
    """Numbers and heads of up to `most` that had ended by `until` and come behind that number."""
    return connection.execute(
        "SELECT request, head FROM untold JOIN requests ON id = request WHERE request > ? AND ended_at <= ? "
        "ORDER BY request LIMIT ?",
        (behind, until, most),
    ).fetchall()


class _Forgets(Protocol):
    def told(self, ids: Collection[int]) -> Awaitable[None]: ...


class Untold:
    """One object a gateway; on the reactor's thread."""

    def __init__(self, queue: _Forgets, clock: IReactorTime, flushed: Callable[[], Awaitable[object]]) -> None:
        """`flushed`: returns once the log has on disk what it was given so far."""
        self._queue = queue
        self._clock = clock
        self._flushed = flushed
        self._given: set[int] = set()
        self._timer: Any = None
        self._settling: Deferred[None] | None = None
        self._log = Logger("rrgate.delivery")

    def given(self, id: int) -> None:
        """The log was given the end of the request of that number."""
        self._given.add(id)
        self._soon()

    async def close(self) -> None:
        """See to all that were given, if the log has them in `LAST`; it and the queue must still be open."""
        try:
            await run_deferred(self._close()).addTimeout(LAST, self._clock)
        except TimeoutError as error:
            self._log.warn("the log will be told again of the last requests: {error!r}", error=error)

    async def _close(self) -> None:
        if self._settling is not None:
            await self._settling
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        await self._settle()

    def _soon(self) -> None:
        if self._timer is None and self._settling is None:
            self._timer = self._clock.callLater(MOMENT, self._go)

    def _go(self) -> None:
        self._timer = None
        self._settling = Deferred()
        run_deferred(self._settle()).addBoth(self._gone)

    def _gone(self, result: object) -> object:
        settled, self._settling = self._settling, None
        if self._given:
            self._soon()
        if settled is not None:
            settled.callback(None)
        return result

    async def _settle(self) -> None:
        ids, self._given = self._given, set()
        if not ids:
            return
        try:
            await self._flushed()
            await self._queue.told(ids)
        except (sqlite3.Error, OSError, ThreadClosed) as error:
            # It is told once more when a gateway starts, which changes nothing.
            self._log.warn("the log will be told of {count} requests again: {error}", count=len(ids), error=error)
