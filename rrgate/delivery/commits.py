"""`Commits`: one thread that writes queue.db, in as few durable commits as there can be.

Belongs here: natural group commit: whoever asks in one round of the reactor shares a commit, and with them who waits
while one runs. Does not: when what was asked is handed to the thread (gathering.py), what is written (table.py).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, Final, Protocol, TypeVar

from sqlite_utils import Database
from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from rrgate.delivery.gathering import Gathering
from rrgate.store.database import transaction
from rrgate.store.thread import ThreadClosed
from rrgate.waiting import Waiter

T = TypeVar("T")
Given = TypeVar("Given")
Work = Callable[[sqlite3.Connection], T]
Together = Callable[[sqlite3.Connection, Sequence[Given]], Sequence[T]]
"""Work on what several have given, each of whom is answered one of the results."""

MOST_AT_ONCE: Final = 256
"""Pieces of work in one commit, so that none waits for long behind many."""

_Waits = Deferred[Any] | Waiter[Any]
_Given = tuple[_Waits, Callable[..., Any], Any]
"""Who waits, the work, and what it is given; `_ALONE` for work that is not done together."""
_ALONE: Final = object()
_CLOSED: Final = "the queue is closed"
_Told = tuple[_Waits, bool, Any]


_log = Logger("rrgate.delivery")


class Writes(Protocol):
    """Does work on the queue's file, each piece whole and durable before it is told of, or not at all."""

    commits: int
    """So far."""

    def do(self, work: Work[T]) -> Deferred[T]:
        """Fires with what `work` answered once that is durable; fails with what it raised, or the commit did."""

    def do_together(self, together: Together[Given, T], given: Given) -> Waiter[T]:
        """As `do`, once for what all have given to `together` that share a commit. It is asked for at once; a Waiter,
        since a Deferred would cost each request 6 µs more."""

    def close(self, last: Callable[[], None]) -> Deferred[None]:
        """Do what was given, then `last`."""


class Commits:
    """Called on the reactor's thread, where its Deferreds and Waiters fire. Work is done in the order in which it is
    given; of what shares a commit, work that is done together comes last.

    Cancelling one of these only stops the waiting.
    """

    def __init__(
        self, database: Database, reactor: Any, failed: Callable[[BaseException], object] = lambda error: None
    ) -> None:
        """`database`: with `synchronous=FULL`, used by nobody else from now on. `reactor`: has timers, and takes calls
        from threads. `failed`: told of what work or a commit raises, on the thread that writes, before anything else
        is tried."""
        self._database = database
        self._reactor = reactor
        self._failed = failed
        self._queue: SimpleQueue[list[_Given] | None] = SimpleQueue()
        self._gathering: Gathering[_Given] = Gathering(reactor, self._queue.put, MOST_AT_ONCE)
        self._closed = False
        self.commits = 0
        self._thread = Thread(target=self._run, name="rrgate-delivery", daemon=True)
        self._thread.start()

    def do(self, work: Work[T]) -> Deferred[T]:
        """See `Writes`. Work may be called twice: alone, after work that it shared a transaction with has failed."""
        if self._closed:
            return fail(ThreadClosed(_CLOSED))
        deferred: Deferred[T] = Deferred(lambda _: None)
        self._gathering.ask((deferred, work, _ALONE))
        return deferred

    def do_together(self, together: Together[Given, T], given: Given) -> Waiter[T]:
        """See `Writes`. As for `do`, it may be called twice with the same."""
        waiter: Waiter[T] = Waiter()
        if self._closed:
            waiter.fail(ThreadClosed(_CLOSED))
        else:
            self._gathering.ask((waiter, together, given))
        return waiter

    def close(self, last: Callable[[], None]) -> Deferred[None]:
        """See `Writes`; ends the thread. May be called again."""
        if self._closed:
            return succeed(None)
        closed: Deferred[None] = self.do(lambda _: None)
        closed.addBoth(lambda _: last())
        self._closed = True
        self._gathering.all()
        self._queue.put(None)
        return closed

    def _run(self) -> None:
        more = True
        while more:
            batch: list[_Given] = []
            more = self._gather(batch)
            for start in range(0, len(batch), MOST_AT_ONCE):
                self._do_now(batch[start : start + MOST_AT_ONCE])
            del batch  # nothing of what was done is kept while this waits for more

    def _do_now(self, batch: list[_Given]) -> None:
        told = self._together(batch)
        self._reactor.callFromThread(self._gathering.over, len(told), partial(_tell, told))

    def _gather(self, batch: list[_Given]) -> bool:
        """Put into `batch` what there is, at least something; whether there may be more."""
        while len(batch) < MOST_AT_ONCE:
            try:
                given = self._queue.get(block=not batch)
            except Empty:
                break
            if given is None:
                return False
            batch += given
        return True

    def _together(self, batch: list[_Given]) -> list[_Told]:
        begun = False
        try:
            with transaction(self._database) as connection:
                begun = True
                results = _results(connection, batch)
        except BaseException as error:  # noqa: BLE001 - whoever waits is told, whatever it was
            self._failed(error)
            if len(batch) == 1 or not begun:
                # Locked by another process: that was waited for, and is not once for each.
                return [(waits, False, Failure()) for waits, _, _ in batch]
            # One of them, or the disk: nobody's work fails for another's.
            return [told for each in batch for told in self._together([each])]
        self.commits += 1
        return [(waits, True, result) for (waits, _, _), result in zip(batch, results, strict=True)]


def _results(connection: sqlite3.Connection, batch: list[_Given]) -> list[Any]:
    results: list[Any] = [None] * len(batch)
    gathered: dict[Callable[..., Any], list[int]] = {}
    for place, (_, work, given) in enumerate(batch):
        if given is _ALONE:
            results[place] = work(connection)
        else:
            gathered.setdefault(work, []).append(place)
    for together, places in gathered.items():
        answers = together(connection, [batch[place][2] for place in places])
        for place, answer in zip(places, answers, strict=True):
            results[place] = answer
    return results


def _tell(told: list[_Told]) -> None:
    for waits, good, result in told:
        if isinstance(waits, Waiter):  # which does nothing if it was cancelled
            try:
                if good:
                    waits.fire(result)
                else:
                    waits.fail(result.value)
            except Exception:  # noqa: BLE001 - of whoever waited; the others are told, as by Deferreds
                _log.failure("what was told of a commit was not taken well")
        elif not waits.called:  # else cancelled
            if good:
                waits.callback(result)
            else:
                waits.errback(result)


class AtOnce:
    """The same on the caller's own thread, for an in-memory file and for commands: all is done when `do` returns."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.commits = 0

    def do_together(self, together: Together[Given, T], given: Given) -> Waiter[T]:
        """See `Writes`."""
        waiter: Waiter[T] = Waiter()
        done = self.do(lambda connection: together(connection, [given])[0])
        done.addCallbacks(waiter.fire, lambda failure: waiter.fail(failure.value))
        return waiter

    def do(self, work: Work[T]) -> Deferred[T]:
        """See `Writes`."""
        try:
            with transaction(self._database) as connection:
                result = work(connection)
            self.commits += 1
            return succeed(result)
        except Exception:  # noqa: BLE001 - told as by the other one
            return fail(Failure())

    def close(self, last: Callable[[], None]) -> Deferred[None]:
        """See `Writes`."""
        last()
        return succeed(None)
