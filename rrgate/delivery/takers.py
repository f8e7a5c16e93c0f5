"""`Takers`: the processes that take requests, and up to which one the log has what each of them took.

Belongs here: writing that down, and which of them have died. Does not: ends, of which a table of its own says which the
log may not have (untold.py), telling the log what a dead one left (left_behind.py).
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, Protocol

from attrs import frozen
from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from rrgate.delivery.untold import LAST
from rrgate.store.errors import StoreError
from rrgate.store.folder import lock_number
from rrgate.store.thread import ThreadClosed
from rrgate.waiting import Task

MOMENT: Final = 1.0
"""Seconds after which it is looked what the log has, of all that was taken meanwhile."""


@frozen
class Left:
    """A process that has not left in order. `told`: the number of a request up to which the log has what it took."""

    id: int
    told: int


def enter(connection: sqlite3.Connection) -> int:
    """One more takes requests from now on. Its number, which no other ever has."""
    return int(
        connection.execute(
            "INSERT INTO takers (told) SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'requests'"
        ).lastrowid
        or 0
    )


def leave(connection: sqlite3.Connection, id: int) -> None:
    """The log has all that it took."""
    connection.execute("DELETE FROM takers WHERE id = ?", (id,))


def tell(connection: sqlite3.Connection, id: int, told: int) -> None:
    """The log has what it took up to the request of that number."""
    connection.execute("UPDATE takers SET told = ? WHERE id = ?", (told, id))


def all_but(connection: sqlite3.Connection, id: int) -> list[Left]:
    """The others that are there, or have not left."""
    return [Left(*found) for found in connection.execute("SELECT id, told FROM takers WHERE id <> ?", (id,))]


def newest(connection: sqlite3.Connection) -> int:
    """The number of the request that was taken last, by whomever."""
    found = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'requests'").fetchone()
    return 0 if found is None else int(found[0])


def taken_by(connection: sqlite3.Connection, id: int, behind: int, most: int) -> list[tuple[int, str]]:
    """Numbers and ids of up to `most` requests that one took, in order, behind that number."""
    return connection.execute(
        "SELECT id, request_id FROM requests WHERE id > ? AND taker = ? ORDER BY id LIMIT ?", (behind, id, most)
    ).fetchall()


class Locks:
    """A byte of one locked file for each, which the kernel frees when its process dies, and not before."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._own: int | None = None

    def hold(self, id: int) -> None:
        """This process is that one, until `free`. Raises StoreError where another is."""
        self._own = lock_number(self._path, id)
        if self._own is None:
            raise StoreError(f"another process has taken number {id} in {self._path}; start this one again")

    def is_dead(self, id: int) -> bool:
        """Whether nobody is that one any more."""
        handle = lock_number(self._path, id)
        if handle is None:
            return False
        os.close(handle)
        return True

    def free(self) -> None:
        """This process is none from now on."""
        if self._own is not None:
            os.close(self._own)
            self._own = None


class _Queue(Protocol):
    taker: int

    def newest(self) -> Awaitable[int]: ...

    def told_until(self, number: int) -> object: ...

    def leave(self, id: int) -> Awaitable[None]: ...


class Takers:
    """What this process takes, until the log has it; on the reactor's thread.

    What the log has is on disk with the commit by which some later request is taken: it costs none of its own.
    """

    def __init__(self, queue: _Queue, clock: IReactorTime, flushed: Callable[[], Deferred[None]]) -> None:
        """`flushed`: fires once the log has on disk what it was given so far."""
        self._queue = queue
        self._clock: Any = clock
        self._flushed = flushed
        self._open: set[str] = set()
        self._looking: Task | None = None
        self._log = Logger("rrgate.delivery")

    def begun(self, request_id: str) -> None:
        """It is asked for that request to be taken."""
        self._open.add(request_id)
        if self._looking is None:
            self._looking = Task(self._look(), self._looked)
            self._looking.start()

    def recorded(self, request_id: str) -> None:
        """The log was given what it is to know of that request, taken or not."""
        self._open.discard(request_id)

    async def close(self) -> None:
        """Nothing is taken any more. If the log does not come to have all, the next process looks what is missing."""
        if self._looking is not None:
            self._looking.cancel()
        if self._open:
            return
        try:
            await self._flushed().addTimeout(LAST, self._clock)
            await self._queue.leave(self._queue.taker)
        except (sqlite3.Error, OSError, ThreadClosed, TimeoutError) as error:
            self._log.warn("it is looked again what the log has of the last requests: {error!r}", error=error)

    async def _look(self) -> None:
        try:
            await self._moment()
            number = await self._queue.newest()
            # What was taken by now, and is not in the log's hands yet, is among these.
            given = set(self._open)
            while given:
                await self._moment()
                given &= self._open
            await self._flushed()
            self._queue.told_until(number)
        except (sqlite3.Error, OSError, ThreadClosed) as error:
            # The next look has more to look at, and that is all.
            self._log.warn("it is not known what the log has of the last requests: {error}", error=error)

    def _looked(self, error: BaseException | None) -> None:
        self._looking = None
        if error is not None and not isinstance(error, CancelledError):
            self._log.error("the delivery failed inside the gateway: {error!r}", error=error)

    async def _moment(self) -> None:
        moment: Deferred[None] = Deferred(lambda _: timer.cancel())
        timer = self._clock.callLater(MOMENT, moment.callback, None)
        await moment
