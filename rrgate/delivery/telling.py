"""`Telling`: what becomes of requests that were taken, told to the log and to whoever is to know.

Belongs here: the record of a request that is under way or over, its attempts for telemetry, and the event of a dead
letter. Does not: deciding (states.py), writing and counting (journal.py), texts of notifications
(rrgate/notice_texts.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from rrgate.answers import GRANTED, GRANTED_MESSAGE
from rrgate.api import ConfigError, Event
from rrgate.boot_values import EventKind
from rrgate.checks import Checks
from rrgate.delivery.kept import Untold
from rrgate.delivery.states import State
from rrgate.delivery.stored import Stored
from rrgate.delivery.table import Attempt, Row
from rrgate.directory import Directory
from rrgate.exchange import Exchange
from rrgate.messages import Reply
from rrgate.record import CALLER_LEFT
from rrgate.route import Route

GONE: Final = Reply(404, "Its proxy was deleted", "proxy-access-denied")
OVER: Final = Reply(504, "The time for attempts was used up", "target-timeout")
UNKNOWN: Final = Reply(502, "The gateway stopped before the answer came", "target-unreachable")
BROKEN: Final = Reply(500, "What was kept of it cannot be opened any more", "internal-error")
CANCELLED: Final = Reply(CALLER_LEFT, "It was cancelled", "caller-left")

_TOLD: Final[Mapping[State, EventKind]] = {
    State.EXHAUSTED: "delivery-exhausted",
    State.UNKNOWN: "delivery-unknown",
}
"""Ends that people are told of: the target has not said no, and nothing is tried again by itself."""


class Telling:
    """One object a gateway; on the reactor's thread. Raises nothing."""

    def __init__(
        self,
        directory: Directory,
        clock: IReactorTime,
        now: Callable[[], int],
        log: Callable[[Exchange], object],
        tell: Callable[[Event], object] = lambda event: None,
        given: Callable[[int], object] = lambda id: None,
    ) -> None:
        """`now`: the delivery's time. `log`: writes a request's record. `tell`: see `BootHooks.tell`. `given`: is told
        the number of each request whose end the log was given."""
        self._directory = directory
        self._clock = clock
        self._now = now
        self._put = log
        self._tell = tell
        self._given = given
        self._log = Logger("rrgate.delivery")

    def route(self, proxy_id: str) -> Route | None:
        """The proxy's Route; None where there is none, or it cannot be compiled."""
        try:
            found = self._directory.find(f"/{proxy_id}".encode())
        except ConfigError as error:
            self._log.error("a proxy cannot be compiled: {error}", error=error)
            return None
        return None if found is None else found[0]

    def exchange(self, row: Row, stored: Stored, body: bytes = b"") -> Exchange:
        """The request once more, as of its last attempt."""
        started = self._clock.seconds() - (self._now() - row.accepted_at) / 1000
        return stored.exchange(row.request_id, row.proxy_id, body, started, row.progress.attempts)

    def attempt(self, ex: Exchange) -> None:
        """An attempt is over, and not the last."""
        ex.story = "attempt"
        self._put(ex)

    def broken_off(self, ex: Exchange) -> None:
        """An attempt was cut off by the end of this gateway. Whoever delivers next decides what becomes of it."""
        ex.final_status, ex.answered_at = UNKNOWN.status, self._clock.seconds()
        self.attempt(ex)

    def end(
        self,
        row: Row,
        stored: Stored,
        ex: Exchange | None,
        instead: Reply | None,
        last: Attempt | None = None,
        *,
        counted: bool = True,
    ) -> None:
        """A request has come to its end. `ex`: its last attempt. `instead`: what the log tells where there is none, and
        `last`: what is known of the last one then; `counted`: whether telemetry has that."""
        state = row.progress.state
        if state not in (State.SUCCEEDED, State.CANCELLED):
            self._log.warn("request {id} is {state}", id=row.request_id, state=state.value)
        kind = _TOLD.get(state)
        if kind is not None:
            self._tell(Event(kind, f"request {row.request_id} of a proxy is {state.value}", row.proxy_id))
        counted = counted and ex is None
        if ex is None:
            ex = self.exchange(row, stored)
            ex.route = self.route(row.proxy_id)
            if last is not None:
                _was_answered(ex, row, last)
        if instead is not None:
            ex.final_status, ex.code, ex.message = instead.status, instead.code, instead.message
            ex.answered_at = self._clock.seconds()
        ex.story = "end" if counted else "last"
        if ex.route is not None:
            self._put(ex)
        self._given(row.id)

    def once_more(self, untold: Untold, *, known: bool) -> None:
        """The end of a request of which the log may not know, because a gateway died meanwhile. `known`: it does, and
        so telemetry has its last attempt; that comes with the same commit."""
        row, stored, last = untold.row, untold.stored, untold.last
        if last is not None and (last.wait is not None or not row.progress.attempts_now):
            last = None  # that was not its end
        if stored is None or row.ended_at is None:
            # It cannot be opened any more, or was sent again since.
            self._given(row.id)
            return
        if row.progress.state is State.CANCELLED:
            reply = CANCELLED
        elif row.progress.state is State.UNKNOWN:
            reply = UNKNOWN
        elif row.problem == GONE.message:
            reply = GONE
        elif row.problem == BROKEN.message:
            reply = BROKEN
        elif last is None or last.status is None:
            reply = OVER
        elif last.problem is None:
            reply = Reply(last.status, GRANTED_MESSAGE, GRANTED)
        else:
            reply = Reply(last.status, last.problem, OVER.code if last.status == OVER.status else UNKNOWN.code)
        self.end(row, stored, None, reply, last, counted=known)

    def begun(self, row: Row, stored: Stored) -> None:
        """A request was taken, and the process died that had it in memory alone what its caller was answered when."""
        ex = self.exchange(row, stored)
        ex.route, ex.attempt = self.route(row.proxy_id), 0
        ex.final_status, ex.code, ex.message = 202, GRANTED, GRANTED_MESSAGE
        ex.answered_at = ex.started
        if ex.route is not None:
            self._put(ex)

    def again(self, row: Row, stored: Stored) -> None:
        """One that was over is under way once more."""
        ex = self.exchange(row, stored)
        ex.route = self.route(row.proxy_id)
        ex.final_status, ex.code, ex.message = 202, GRANTED, GRANTED_MESSAGE
        ex.answered_at = self._clock.seconds()
        ex.story = "again"
        if ex.route is not None:
            self._put(ex)


def _was_answered(ex: Exchange, row: Row, last: Attempt) -> None:
    """The record tells what the target answered to the `last` attempt, if it did; of the answer, when it was over."""
    if last.ended_at is None or last.status is None or last.problem is not None:
        return
    ex.sent_at = ex.started + (last.started_at - row.accepted_at) / 1000
    ex.response_at = ex.started + (last.ended_at - row.accepted_at) / 1000
    ex.target_status = last.status
    ex.checks |= Checks.REQUEST_VALID | Checks.REQUEST_SENT | Checks.RESPONSE_RECEIVED
