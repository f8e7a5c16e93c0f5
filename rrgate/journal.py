"""`Journal`: finished requests on their way to the log: a bounded queue, and one thread that writes it in batches.

Belongs here: queueing, batching, shedding, retrying. Does not: what a record says (record.py), what is counted
(tally.py), rows, and what is done with them between batches (store/).
"""

from __future__ import annotations

import sqlite3
import time
from collections import deque
from collections.abc import Callable, Sequence
from threading import Event, Lock, Thread
from typing import Final, Protocol

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorFromThreads
from twisted.logger import Logger

from rrgate.body_log import BodyLog, Seal, seals_nothing
from rrgate.countries import Countries
from rrgate.exchange import Exchange
from rrgate.record import STORY, Snapshot, encode, snapshot
from rrgate.record_view import RecordOf
from rrgate.store.counts import Tallied
from rrgate.store.damage import of_the_log
from rrgate.store.log_rows import BodyRow, LogRow
from rrgate.tally import Tally

_log = Logger()

REPORT_SECONDS: Final = 60.0
REFRESH_SECONDS: Final = 60.0
"""How often it is looked whether the file of countries was replaced."""
RETRY_SECONDS: Final = 1.0
_LAST_TRIES: Final = 3
SLICE: Final = 64
"""Requests that are encoded at a time. Why not a whole batch: its memory would have left the processor's cache (a row
costs 13 µs in place of 8), and the reactor's thread would wait for the GIL meanwhile."""

# What says that these rows will never be taken, rather than that the disk is not able to now.
_NEVER_TAKEN: Final = (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.DataError, sqlite3.InterfaceError)


class WritesLog(Protocol):
    """What the Journal needs of a RequestLog."""

    def append(self, rows: Sequence[LogRow], tallied: Sequence[Tallied], bodies: Sequence[BodyRow]) -> None: ...

    def tidy(self, now: int) -> float: ...


class Journal:
    """Used on the reactor's thread. What was put is on disk after about `interval` seconds, or sooner."""

    def __init__(
        self,
        log: WritesLog,
        *,
        reactor: IReactorFromThreads,
        batch: int = 100,
        interval: float = 0.1,
        queue_limit: int = 10_000,
        countries: Countries | None = None,
        seal: Seal = seals_nothing,
        on_trouble: Callable[[str], object] | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """`batch`: rows of one transaction. `interval`: seconds that a row waits for others. `queue_limit`: rows.

        `on_trouble` is called on the reactor's thread, at most once a minute, with what the operator's log has too.
        `wall`: seconds since the epoch, for removing what is too old. Without `countries` every caller's is unknown.
        `seal`: seals bodies; without it none are logged.
        """
        self._log = log
        self._reactor = reactor
        self._batch = batch
        self._slice = min(SLICE, batch)
        self._interval = interval
        self._queue_limit = queue_limit
        self._countries = Countries(None) if countries is None else countries
        self._bodies = BodyLog(seal)
        self._tally = Tally(self._countries.of)
        self._shed_tally = Tally(self._countries.of)
        self.figures = (self._tally.figures, self._shed_tally.figures)
        """For metrics, what each of the two threads counted."""
        self._on_trouble = on_trouble
        self._wall = wall
        self.written = 0
        """Requests that are in the log."""
        self._not_taken = 0
        self._given_up = 0  # by the other thread: `+=` of both on one would lose some
        self._queue: deque[Snapshot] = deque()
        self._in_hand = self._taken = self._settled = 0
        self._wake = Event()
        self._idle = False
        self._closing = False
        self._ended = False
        self._lock = Lock()
        self._flushes: list[tuple[int, Deferred[None]]] = []
        self._last_report = float("-inf")
        self._shed_reported = 0
        self._next_tidying = 0.0
        self._next_refresh = time.monotonic() + REFRESH_SECONDS
        self._thread = Thread(target=self._run, name="rrgate-journal", daemon=True)
        self._thread.start()

    @property
    def shed(self) -> int:
        """Requests that the log will never have: the queue was full, or the disk refused to the end."""
        return self._not_taken + self._given_up

    @property
    def lag(self) -> int:
        """Requests that wait to be written."""
        return len(self._queue) + self._in_hand

    def put(self, ex: Exchange) -> None:
        """Log the finished `ex`; an attempt (see `Story`) is only counted. Never waits and never raises; over
        `queue_limit` its row is shed, and telemetry has it nevertheless."""
        try:
            if (waiting := len(self._queue)) >= self._queue_limit or self._closing:
                self._not_taken += ex.story != "attempt"
                with self._lock:
                    self._shed_tally.count(snapshot(ex))
                return
            if ex.kept is not None:
                self._bodies.admit(ex)
            self._queue.append(snapshot(ex))
            self._taken += 1
            if self._idle or waiting + 1 == self._slice:
                self._wake.set()
        except Exception:  # noqa: BLE001 - a request that was answered must not fail because of its log
            self._not_taken += 1

    def shown(self, ex: Exchange) -> RecordOf:
        """The record of the finished `ex`."""
        return RecordOf(ex, self._countries.of)

    def flush(self) -> Deferred[None]:
        """Fires when everything put so far is written, or given up at the end. While the disk refuses, it waits."""
        with self._lock:
            if self._settled >= self._taken or self._ended:
                return succeed(None)
            flushed: Deferred[None] = Deferred()
            self._flushes.append((self._taken, flushed))
        self._wake.set()
        return flushed

    def close(self) -> Deferred[None]:
        """Write what is queued and end the thread; fires when it has. What the disk then refuses is shed.

        What is put from now on is shed. The log itself stays open. May be called again.
        """
        with self._lock:
            self._closing = True
            if self._ended:
                return succeed(None)
            closed: Deferred[None] = Deferred()
            self._flushes.append((-1, closed))
        self._wake.set()
        return closed

    # The journal's thread.

    def _run(self) -> None:
        while True:
            rows = self._next_batch()
            tallied = self._take_tallied()
            if self._in_hand or tallied:
                self._write(rows, tallied)
                self._settle()
            elif self._closing:
                break
            self._tidy()
            if self.shed > self._shed_reported:
                self._report("requests were not logged because the queue was full, or could not be written")
        with self._lock:
            self._ended = True
            waiting, self._flushes = self._flushes, []
        for _, deferred in waiting:
            self._reactor.callFromThread(deferred.callback, None)

    def _next_batch(self) -> list[LogRow]:
        """The rows of up to a batch, waited for and encoded as they come; none when it is time for other things."""
        queue = self._queue
        if not queue and not self._closing:
            self._idle = True
            # Again, now that `put` wakes us: what came in between did not.
            if not queue and not self._closing:
                self._wake.wait(max(0.0, self._next_tidying - time.monotonic()))
            self._idle = False
            self._wake.clear()
        if not queue:
            return []
        rows: list[LogRow] = []
        deadline = time.monotonic() + self._interval
        while self._in_hand < self._batch:
            while len(queue) < self._slice and not self._closing and not self._flushes:
                if (left := deadline - time.monotonic()) <= 0:
                    break
                self._wake.wait(left)
                self._wake.clear()
            if not queue:
                break
            self._encode_slice(rows)
        return rows

    def _encode_slice(self, rows: list[LogRow]) -> None:
        queue = self._queue
        count = min(len(queue), self._slice, self._batch - self._in_hand)
        self._in_hand += count
        for _ in range(count):
            try:
                seen = queue.popleft()
                if (kept := seen[-1]) is not None:
                    self._bodies.left(kept)
                country = self._tally.count(seen)
                if seen[STORY] != "attempt":
                    rows.append(encode(seen, country))
                    if kept is not None:
                        self._bodies.add(rows[-1], kept)
            except Exception as error:  # noqa: BLE001 - one odd request must not take the others with it
                self._give_up(1, error)

    def _take_tallied(self) -> list[Tallied]:
        with self._lock:
            shed = self._shed_tally.take()
        return [tallied for tallied in (self._tally.take(), shed) if tallied]

    def _write(self, rows: list[LogRow], tallied: list[Tallied]) -> None:
        tries, bodies = 0, self._bodies.take()
        while rows or tallied:
            try:
                self._log.append(rows, tallied, bodies)
            except Exception as error:  # noqa: BLE001 - whatever it is, the thread must go on
                tries += 1
                if not isinstance(error, sqlite3.Error | OSError) or isinstance(error, _NEVER_TAKEN):
                    self._give_up(len(rows), error)
                    # What they counted may yet be taken, without them.
                    rows, bodies, tallied = [], [], tallied if rows else []
                    continue
                self._report(f"the request log cannot be written ({error}); {of_the_log(error)}")
                if self._closing and tries >= _LAST_TRIES:
                    self._give_up(len(rows), error)
                    return
                self._wait_to_retry()
            else:
                self.written += len(rows)
                return

    def _wait_to_retry(self) -> None:
        deadline = time.monotonic() + RETRY_SECONDS
        while not self._closing and (left := deadline - time.monotonic()) > 0:
            self._wake.wait(left)
            self._wake.clear()
        if self._closing:
            time.sleep(RETRY_SECONDS / 10)

    def _give_up(self, count: int, error: Exception) -> None:
        self._given_up += count
        # The type alone: the text of an encoding error quotes what it could not encode.
        self._report(f"requests could not be logged ({type(error).__name__})")

    def _settle(self) -> None:
        with self._lock:
            self._settled += self._in_hand
            self._in_hand = 0
            ready = [deferred for place, deferred in self._flushes if 0 <= place <= self._settled]
            self._flushes = [waiting for waiting in self._flushes if waiting[1] not in ready]
        for deferred in ready:
            self._reactor.callFromThread(deferred.callback, None)

    def _tidy(self) -> None:
        now = time.monotonic()
        if now >= self._next_refresh:
            self._next_refresh = now + REFRESH_SECONDS
            self._countries.refresh()
        if now < self._next_tidying or self._closing:
            return
        try:
            wait = self._log.tidy(int(self._wall() * 1000))
        except Exception as error:  # noqa: BLE001 - as in _write
            self._report(f"the request log cannot be tidied up ({type(error).__name__}); {of_the_log(error)}")
            wait = RETRY_SECONDS
        self._next_tidying = time.monotonic() + wait

    def _report(self, text: str) -> None:
        now = time.monotonic()
        if now - self._last_report < REPORT_SECONDS:
            return
        self._last_report = now
        self._shed_reported = self.shed
        self._reactor.callFromThread(self._tell, f"{text}; {self.lag} wait, {self.shed} were given up in all")

    def _tell(self, text: str) -> None:
        _log.error("{trouble}", trouble=text)
        if self._on_trouble is not None:
            self._on_trouble(text)
