"""`Tidying`: what the log's writing thread does between batches, in small steps: folds telemetry, removes what is old.

Belongs here: what is due when, how long things are kept, and how much of the thread's time this takes. Does not: the
thread (journal.py), the telemetry tables (telemetry.py).

Each step is a transaction of its own, and what is to be done is told by the tables: killed between two steps, nothing
is lost and nothing is counted twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Mapping
from pathlib import Path
from typing import Final

from sqlite_utils import Database

from rrgate.store.counts import INTERVALS
from rrgate.store.database import transaction
from rrgate.store.folder import require_same
from rrgate.store.segments import begun_before, drop_empty, forget_client, next_client, next_proxy
from rrgate.store.telemetry import fold, next_scope, parts_with_fresh, remove_before

STEP_ROWS: Final = 250
"""Most rows removed in one step: a few milliseconds for which no batch is written."""
FOLD_SECONDS: Final = 1.0
"""Least time between two folds."""
FOLD_SHARE: Final = 50
"""A fold is followed by so many times as long without one."""
REMOVE_SHARE: Final = 3
"""The same for a step that removes."""
AHEAD_STEPS: Final = 400
"""Most steps of a look that find only requests of times to come: they are there if the clock is, or was, wrong."""
REMOVE_SECONDS: Final = 60.0
"""How often it is looked whether requests are too old."""
ROUND_SECONDS: Final = 3600.0
"""The same for what takes looking at every proxy: shorter retentions of clients, and telemetry."""
LOOK_SECONDS: Final = 30.0
"""The same for whether the file was moved away."""
AGAIN_SECONDS: Final = 5.0
"""After a step that failed."""
_SCOPES_AT_ONCE: Final = 50

KEPT_DAYS: Final[Mapping[str, int]] = {"minute": 7, "hour": 90}
"""How long telemetry of an interval is kept; of others, for good."""

_DAY: Final = 86_400_000

_LOWEST: Final = (
    "SELECT max(id), max(processed_at) FROM (SELECT id, processed_at FROM requests WHERE id > ? ORDER BY id LIMIT ?)"
)
"""The last id of so many behind another, and their newest moment."""

Steps = Generator[None, None, None]
"""Does one step each time it is resumed."""


class Tidying:
    """One thread's."""

    def __init__(
        self, writer: Database, keeps: Callable[[str], int], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """`keeps`: for how many days the requests of a client, by id, are kept; of `""`, the longest that anybody's
        are. `monotonic`: seconds."""
        self._writer = writer
        self._keeps = keeps
        self._monotonic = monotonic
        # In the order in which they came: who waits longest is folded first.
        self._to_fold = dict.fromkeys(parts_with_fresh(writer.conn))
        self._fold_due = monotonic()
        self._jobs = [
            _Job(self._remove_oldest, REMOVE_SECONDS),
            _Job(self._remove_of_clients, ROUND_SECONDS),
            _Job(self._remove_telemetry, ROUND_SECONDS),
            _Job(self._look, LOOK_SECONDS),
        ]
        (_, _, name) = writer.conn.execute("PRAGMA database_list").fetchone()
        self._path = Path(name) if name else None
        self._opened = None if self._path is None else self._path.stat()

    def fresh(self, parts: Iterable[int]) -> None:
        """These parts of telemetry have something to fold."""
        if not self._to_fold:
            self._fold_due = max(self._fold_due, self._monotonic() + FOLD_SECONDS)
        self._to_fold.update(dict.fromkeys(parts))

    def step(self, now: int) -> float:
        """Do what is most due, if anything is; answers in how many seconds to call again, 0 for at once.

        `now`: milliseconds since the epoch. Blocks. Raises sqlite3.Error, and StoreError where the file was moved
        away; then it is tried again some time later.
        """
        began = self._monotonic()
        job = min(self._jobs, key=lambda each: each.due)
        if self._to_fold and self._fold_due <= began:
            self._fold(began)
        elif job.due <= began:
            job.due = began + AGAIN_SECONDS
            steps = job.under_way or job.begin(now)
            job.under_way = None
            try:
                next(steps)
            except StopIteration:
                job.due = began + job.every
            else:
                job.under_way = steps
                ended = self._monotonic()
                job.due = ended + REMOVE_SHARE * (ended - began)
        due = min(each.due for each in self._jobs)
        if self._to_fold:
            due = min(due, self._fold_due)
        return max(0.0, due - self._monotonic())

    def _fold(self, began: float) -> None:
        self._fold_due = began + AGAIN_SECONDS
        part = next(iter(self._to_fold))
        # The last from now on: one that cannot be folded keeps nobody from the others.
        self._to_fold[part] = self._to_fold.pop(part)
        with transaction(self._writer) as connection:
            fold(connection, part)
        del self._to_fold[part]
        ended = self._monotonic()
        self._fold_due = ended + max(FOLD_SECONDS, FOLD_SHARE * (ended - began))

    def _look(self, now: int) -> Steps:
        """Whether the file is still where it was opened; raises StoreError."""
        if self._path is not None and self._opened is not None:
            require_same(self._path, self._opened)
        yield from ()

    def _remove_oldest(self, now: int) -> Steps:
        """What nobody keeps any longer: the lowest ids, which lie beside each other.

        Among them are some that stay: a clock that was set back since had them come later than those around them.
        """
        before = now - self._keeps("") * _DAY
        connection = self._writer.conn
        behind, ahead = 0, 0
        while ahead < AHEAD_STEPS:
            with transaction(self._writer):
                last, newest = connection.execute(_LOWEST, (behind, STEP_ROWS)).fetchone()
                if last is None:
                    return
                removed = connection.execute(
                    "DELETE FROM requests WHERE id > ? AND id <= ? AND processed_at < ?", (behind, last, before)
                ).rowcount
                drop_empty(connection)
            behind = last
            yield
            if not removed:
                if newest <= now:
                    return
                ahead += 1

    def _remove_of_clients(self, now: int) -> Steps:
        """Of clients that keep them for a shorter time than the others."""
        longest = self._keeps("")
        connection = self._writer.conn
        due: dict[int, dict[str, int]] = {}
        client, looked_at = "", 0
        while (following := next_client(connection, client)) is not None:
            client = following
            if (days := self._keeps(client)) < longest:
                before = now - days * _DAY
                for segment in begun_before(connection, client, before):
                    due.setdefault(segment, {})[client] = before
            looked_at += 1
            if not looked_at % _SCOPES_AT_ONCE:
                yield
        for segment in sorted(due):
            yield from self._remove_of_segment(segment, due[segment])

    def _remove_of_segment(self, segment: int, due: Mapping[str, int]) -> Steps:
        """`due`: by client, since when its rows are kept."""
        connection = self._writer.conn
        proxy_id, looked_at = None, 0
        while (found := next_proxy(connection, segment, proxy_id)) is not None:
            proxy_id, client_id = found
            removed = STEP_ROWS if client_id in due else 0
            while removed == STEP_ROWS:
                with transaction(self._writer):
                    removed = connection.execute(
                        "DELETE FROM requests WHERE id IN (SELECT id FROM requests WHERE segment = ? AND proxy_id = ? "
                        "AND processed_at < ? ORDER BY processed_at LIMIT ?)",
                        (segment, proxy_id, due[client_id], STEP_ROWS),
                    ).rowcount
                yield
            looked_at += 1
            if not looked_at % _SCOPES_AT_ONCE:
                yield
        with transaction(self._writer):
            for client_id, before in due.items():
                forget_client(connection, client_id, segment, before)

    def _remove_telemetry(self, now: int) -> Steps:
        connection = self._writer.conn
        looked_at = 0
        behind = ""
        while (scope := next_scope(connection, behind)) is not None:
            behind = scope
            for interval, days in KEPT_DAYS.items():
                before = (now - days * _DAY) // 60_000
                removed = STEP_ROWS
                while removed == STEP_ROWS:
                    with transaction(self._writer):
                        removed = remove_before(connection, scope, INTERVALS.index(interval), before, STEP_ROWS)
                    if removed == STEP_ROWS:
                        yield
            looked_at += 1
            if not looked_at % _SCOPES_AT_ONCE:
                yield


class _Job:
    """Something that is to be done every so many seconds, in steps."""

    def __init__(self, begin: Callable[[int], Steps], every: float) -> None:
        self.begin = begin
        self.every = every
        self.due = 0.0
        self.under_way: Steps | None = None
