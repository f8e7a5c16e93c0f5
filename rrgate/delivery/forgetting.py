"""`Forgets`: of too many requests that are over, some are removed whole before their time, states and attempts too.

Belongs here: whose, and which. Does not: counting, which triggers do (schema.py), what is in them (making_room.py),
what was kept for long enough (table.py).
Rows are looked through in the order in which their time ends, by the index that there is for that: an index by client
would cost every end a write.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection
from typing import Final

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from rrgate.delivery.bounds import ALL, EndedBounds
from rrgate.delivery.commits import Work
from rrgate.delivery.many_rows import marks, pieces
from rrgate.delivery.table import MOST_PURGED

LOOKED: Final = 2_000
"""Rows that are looked at in one go, whosever they are, so that no accept waits for long (2 ms)."""
LEAST: Final = 60_000
"""Milliseconds from its end for which each is kept: its caller asks for it, and the log may not have it yet."""
SAID_FOR: Final = 600_000
"""Milliseconds for which nothing more is said of it."""
_START: Final = (0, 0)


@frozen
class Forgotten:
    """How many were removed; `behind` which to go on, None where there is nothing more to do now."""

    requests: int
    behind: tuple[int, int] | None


def forget(connection: sqlite3.Connection, bounds: EndedBounds, now: int, behind: tuple[int, int]) -> Forgotten:
    """Remove some of what is beyond the bounds, of what comes `behind` (when its time ends, its number) that one."""
    too_many = _too_many(connection, bounds)
    if not too_many:
        return Forgotten(0, None)
    most = sum(too_many.values())
    rows = connection.execute(
        "SELECT keep_until, id, client_id, ended_at FROM requests WHERE keep_until IS NOT NULL "
        "AND (keep_until, id) > (?, ?) ORDER BY keep_until, id LIMIT ?",
        (*behind, LOOKED),
    ).fetchall()
    ids: list[int] = []
    last = len(rows) < LOOKED
    for keep_until, id, client, ended_at in rows:
        if len(ids) == min(MOST_PURGED, most):
            last = len(ids) == most
            break
        behind = keep_until, id
        if too_many.get(client, 0) > 0 and ended_at <= now - LEAST:
            too_many[client] -= 1
            ids.append(id)
    for some in pieces(ids):
        connection.execute(f"DELETE FROM requests WHERE id IN {marks(len(some))}", some)
    return Forgotten(len(ids), None if last else behind)


def _too_many(connection: sqlite3.Connection, bounds: EndedBounds) -> dict[str, int]:
    """Of which clients there are too many, and by how many."""
    counts: dict[str, int] = dict(connection.execute("SELECT scope, ended FROM totals WHERE ended > 0"))
    counts.pop(ALL, None)
    most = min(bounds.client, _fair(counts.values(), bounds.all))
    return {client: count - most for client, count in counts.items() if count > most}


def _fair(counts: Collection[int], all: int) -> int:
    """How many each may have, so that they have no more than `all` together: those with few keep theirs."""
    left = all
    for place, count in enumerate(sorted(counts)):
        share = left // (len(counts) - place)
        if count > share:
            return share
        left -= count
    return all


class Forgets:
    """One object a queue; on the reactor's thread."""

    def __init__(
        self, do: Callable[[Work[Forgotten]], Deferred[Forgotten]], bounds: EndedBounds, now: Callable[[], int]
    ) -> None:
        """`do`: does work on the queue's file, see Writes. `now`: the delivery's time."""
        self._do = do
        self.bounds = bounds
        self._now = now
        self._behind = _START
        self._said_at: int | None = None
        self.forgotten = 0
        """Requests that were removed, so far."""
        self._log = Logger("rrgate.delivery")

    def some(self) -> Deferred[bool]:
        """Remove some; whether there is more to do now. Raises sqlite3.Error."""

        def work(connection: sqlite3.Connection) -> Forgotten:
            return forget(connection, self.bounds, self._now(), self._behind)

        return self._do(work).addCallback(self._done)

    def _done(self, done: Forgotten) -> bool:
        self._behind = done.behind or _START
        self.forgotten += done.requests
        now = self._now()
        if done.requests and (self._said_at is None or now - self._said_at >= SAID_FOR):
            self._said_at = now
            self._log.warn(
                "there are more ended asynchronous requests than may be: the oldest are removed, {count} now "
                "(async_ended…); it is said again after 10 minutes",
                count=done.requests,
            )
        return done.behind is not None
