"""`MakesRoom`: of too many requests that are over, the answers and bodies of the oldest are removed before their time.

Belongs here: which, and when that is looked at. Does not: counting what is kept, which triggers do (schema.py), for how
long otherwise (table.py). The requests themselves stay, with their states and attempts.
Why not with each end: a look at every sixteenth costs a sixteenth, and what is removed shares its commit with others.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection
from typing import Any, Final

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from rrgate.delivery.bounds import ALL, Bound, KeptBounds
from rrgate.delivery.commits import Work
from rrgate.delivery.forgetting import Forgets
from rrgate.delivery.many_rows import marks, pieces
from rrgate.delivery.table import Row
from rrgate.store.thread import ThreadClosed

MOST: Final = 500
"""Requests at a time, so that no accept waits for long."""
EVERY: Final = 16
"""Ends after which it is looked, or fewer where the bounds are small."""
SLACK: Final = 64
"""The part of a bound that is made free beyond it, so that not every end makes room for itself alone."""
_LARGE: Final = 16 * 1024 * 1024
SAID_FOR: Final = 600_000
"""Milliseconds for which nothing more is said of it."""


class NotKept(Exception):
    """What was sent of a request was removed before its time, to make room for others."""


@frozen
class Removed:
    """Of how many requests something was removed, and of which clients there is more to remove."""

    requests: int
    more: frozenset[str]


def make_room(connection: sqlite3.Connection, bounds: KeptBounds, clients: Collection[str]) -> Removed:
    """Remove some of what these clients have kept beyond the bounds, and of what all have: there of who has most."""
    removed = 0
    more = set()
    for client in clients:
        over = _over(connection, client, bounds.client)
        if over is not None:
            removed += _remove(connection, client, over, MOST - removed)
            if _over(connection, client, bounds.client) is not None:
                more.add(client)
    while removed < MOST and (over := _over(connection, ALL, bounds.all)) is not None:
        most = "bytes" if over.bytes > 0 else "requests"
        (client,) = connection.execute(
            f"SELECT scope FROM kept_totals WHERE scope <> ? ORDER BY {most} DESC LIMIT 1", (ALL,)
        ).fetchone()
        some = _remove(connection, client, over, MOST - removed)
        if not some:
            break
        removed += some
    if removed >= MOST:
        more |= {*clients}
    return Removed(removed, frozenset(more))


def all_over(connection: sqlite3.Connection, bounds: KeptBounds) -> list[str]:
    """The clients that have more than they may; and takes those out of the count of which nothing is kept."""
    connection.execute("DELETE FROM kept_totals WHERE requests = 0")
    bound = bounds.client
    rows = connection.execute(
        "SELECT scope FROM kept_totals WHERE scope <> ? AND (requests > ? OR bytes > ?)",
        (ALL, bound.requests, bound.bytes),
    )
    return [scope for (scope,) in rows]


def _over(connection: sqlite3.Connection, scope: str, bound: Bound) -> Bound | None:
    """By how much that is more than may be, and a little for those that come; None if it is not."""
    found = connection.execute("SELECT requests, bytes FROM kept_totals WHERE scope = ?", (scope,)).fetchone()
    requests, held = found or (0, 0)
    if requests <= bound.requests and held <= bound.bytes:
        return None
    return Bound(requests - bound.requests + bound.requests // SLACK, held - bound.bytes + bound.bytes // SLACK)


def _remove(connection: sqlite3.Connection, client: str, over: Bound, most: int) -> int:
    """Remove so much of what a client has kept, the oldest first, of `most` requests; of how many."""
    requests = held = 0
    ids: list[int] = []
    last = (0, 0)
    oldest = connection.execute(
        "SELECT ended_at, request, bytes FROM kept WHERE client_id = ? ORDER BY ended_at, request LIMIT ?",
        (client, most),
    ).fetchall()
    for ended_at, id, size in oldest:
        if requests >= over.requests and held >= over.bytes:
            break
        requests, held, last = requests + 1, held + size, (ended_at, id)
        ids.append(id)
    for some in pieces(ids):
        those = marks(len(some))
        connection.execute(f"DELETE FROM payloads WHERE request IN {those}", some)
        connection.execute(f"DELETE FROM answers WHERE request IN {those}", some)
        connection.execute(f"UPDATE requests SET removed_early = 1 WHERE id IN {those}", some)
    connection.execute("DELETE FROM kept WHERE client_id = ? AND (ended_at, request) <= (?, ?)", (client, *last))
    return requests


class MakesRoom:
    """One object a queue; on the reactor's thread."""

    def __init__(
        self, do: Callable[[Work[Any]], Deferred[Any]], bounds: KeptBounds, now: Callable[[], int]
    ) -> None:
        """`do`: does work on the queue's file, see Writes. `now`: the delivery's time."""
        self._do = do
        self.bounds = bounds
        self.forgets = Forgets(do, bounds.ended, now)
        self._now = now
        both = (bounds.client, bounds.all)
        self._every = min(EVERY, *(1 + min(bound.requests // SLACK, bound.bytes // _LARGE) for bound in both))
        self._ends = 0
        self._clients: set[str] = set()
        self._doing = False
        self._said_at: int | None = None
        self.removed = 0
        """Requests of which something was removed, so far."""
        self._log = Logger("rrgate.delivery")

    def ended(self, row: Row) -> None:
        """A request is over, and something of it may be kept."""
        self._ends += 1
        self._clients.add(row.client_id)
        if self._ends >= self._every and not self._doing:
            self._look()

    def count(self, removed: Removed) -> int:
        """That was removed. Of how many requests."""
        if removed.requests:
            self.removed += removed.requests
            now = self._now()
            if self._said_at is None or now - self._said_at >= SAID_FOR:
                self._said_at = now
                self._log.warn(
                    "more answers and bodies of ended asynchronous requests than may be kept: those of the oldest are "
                    "removed, {count} now (async_kept…); it is said again after 10 minutes",
                    count=removed.requests,
                )
        return removed.requests

    def _look(self) -> None:
        clients, self._clients, self._ends = self._clients, set(), 0
        self._doing = True
        self._do(lambda connection: make_room(connection, self.bounds, clients)).addCallbacks(self._done, self._failed)

    def _done(self, removed: Removed) -> None:
        self._doing = False
        self.count(removed)
        self._clients |= removed.more
        if removed.more or self._ends >= self._every:
            self._look()

    def _failed(self, failure: Failure) -> None:
        self._doing = False
        failure.trap(sqlite3.Error, OSError, ThreadClosed)
        # It is looked again after the next ends, and when the queue is tidied up.
        self._log.debug("no room could be made: {error}", error=failure.value)
