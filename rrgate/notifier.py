"""`Notifier`: notices on their way to the disk: thinned out, bounded, and never waited for.

Belongs here: when they are written. Does not: their texts (notice_texts.py), their rows (store/notifications.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from rrgate.boot_values import Event
from rrgate.careful_log import CarefulLogger
from rrgate.model.notification import Notice
from rrgate.notice_texts import Known, of_event
from rrgate.store.notifications import QUIET

MOST_WAITING: Final = 1000
"""Notices that wait to be written; more are given up."""
BATCH: Final = 100
"""Most of one transaction."""
REPORT_SECONDS: Final = 60.0
"""Troubles are told at most once in so many seconds."""
_MOST_REMEMBERED: Final = 10_000

_Key = tuple[str, str, str]

_log = CarefulLogger("rrgate.notifications")


class Keeps(Protocol):
    """What is needed of rrgate.store.AsyncStore."""

    def notify(self, notices: Sequence[Notice], now: int) -> Deferred[None]: ...


class Notifier:
    """One gateway's. All on the reactor's thread."""

    def __init__(self, store: Keeps, known: Known, wall: Callable[[], float], clock: IReactorTime) -> None:
        """`wall`: seconds since the epoch. `clock`: monotonic."""
        self._store = store
        self._known = known
        self._wall = wall
        self._clock = clock
        # The Store knows what was told; this spares it most of what it would refuse.
        self._told: dict[_Key, int] = {}
        self._waiting: list[Notice] = []
        self._writing = False
        self._closed: Deferred[None] | None = None
        self._lost = 0
        self._next_report = float("-inf")

    @property
    def busy(self) -> bool:
        """Whether anything is being written, or waits for it."""
        return self._writing

    def event(self, event: Event) -> None:
        """Tell whom it concerns of `event`. Never raises."""
        try:
            self.tell(of_event(event, self._known))
        except Exception:  # noqa: BLE001 - an event is told by whoever has something else to do
            _log.failure("an event of kind {kind} could not be told", kind=event.kind)

    def tell(self, notices: Iterable[Notice]) -> None:
        """Have `notices` kept soon, but for what was told within the hour. Never waits; what cannot be kept is told in
        the operator's log."""
        now = int(self._wall() * 1000)
        for notice in notices:
            told = self._told.get(_key(notice))
            if self._closed is not None or (told is not None and (notice.once or 0 <= now - told < QUIET)):
                continue
            if len(self._waiting) >= MOST_WAITING:
                self._lose(1, "too many at once")
                continue
            if len(self._told) >= _MOST_REMEMBERED:
                self._told.clear()
            self._told[_key(notice)] = now
            self._waiting.append(notice)
        self._write()

    def tidy(self) -> None:
        """Have what is old removed. Never waits."""
        if not self._writing and self._closed is None:
            self._send([])

    def close(self) -> Deferred[None]:
        """Take no more; fires when what waits is written, or given up."""
        if self._closed is None:
            self._closed = Deferred()
            if not self._writing:
                self._closed.callback(None)
            return self._closed
        return succeed(None)

    def _write(self) -> None:
        if self._waiting and not self._writing:
            batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
            self._send(batch)

    def _send(self, batch: Sequence[Notice]) -> None:
        self._writing = True
        self._store.notify(batch, int(self._wall() * 1000)).addCallbacks(
            lambda _: None, self._failed, errbackArgs=(batch,)
        ).addCallback(self._written)

    def _written(self, _: object) -> None:
        self._writing = False
        self._write()
        if self._closed is not None and not self._writing:
            self._closed.callback(None)

    def _failed(self, failure: Failure, batch: Sequence[Notice]) -> None:
        for notice in batch:
            self._told.pop(_key(notice), None)
        self._lose(len(batch), failure.type.__name__ if failure.type else "")

    def _lose(self, count: int, why: str) -> None:
        self._lost += count
        now = self._clock.seconds()
        if now >= self._next_report:
            self._next_report = now + REPORT_SECONDS
            _log.error(
                "notifications cannot be kept ({why}); {lost} were given up in all", why=why, lost=self._lost
            )


def _key(notice: Notice) -> _Key:
    return notice.type, notice.receiver_id, notice.cause
