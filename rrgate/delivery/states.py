"""The states of an asynchronous request, and how it comes from one to another: the only place where that is decided.

Belongs here: pure data and transitions. Does not: storing them (table.py), carrying them out (worker.py). All moments
and spans are whole milliseconds of the delivery's own time (times.py).
"""

from __future__ import annotations

from enum import Enum, StrEnum
from typing import Final

from attrs import evolve, frozen

MOST_ATTEMPTS: Final = 11
"""Ten retries, whatever a policy says."""
WINDOW: Final = 900_000
"""From when the first attempt is due to when everything is over, unless a proxy says less."""
LEAST_LEFT: Final = 1_000
"""No attempt starts with less than this left of the window."""
LATE: Final = 250
"""How much later than it is due an attempt may begin: timers and commits take their time."""
LAST_CHANCE: Final = 30_000
"""How long before the window's end a wait ends that would be longer; a target's timeout if that is shorter."""


class State(StrEnum):
    """Where a request is. Each ends in exactly one of `ENDED`."""

    QUEUED = "queued"
    SENDING = "sending"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    EXHAUSTED = "exhausted"
    UNKNOWN = "unknown"
    CANCELLED = "cancelled"


PENDING: Final = frozenset({State.QUEUED, State.WAITING})
"""An attempt is due, now or later."""
REPLAYABLE: Final = frozenset({State.FAILED, State.EXHAUSTED, State.UNKNOWN})
"""Dead letters: what was not delivered, or may not have been."""
ENDED: Final = REPLAYABLE | {State.SUCCEEDED, State.CANCELLED}


class Outcome(Enum):
    """What came of an attempt."""

    GOOD = "good"
    """A final status below 400."""
    BAD = "bad"
    """Any other final status."""
    TRANSIENT = "transient"
    """Another attempt may help; whether there is one is for the policy and the window to say."""


class WrongState(Exception):
    """What was asked for does not happen to a request in this state."""

    def __init__(self, what: str, state: State) -> None:
        super().__init__(f"a request that is {state.value} cannot be {what}")
        self.state = state


@frozen
class Progress:
    """How far a request has come."""

    state: State
    attempts: int
    """Begun so far."""
    replayed_after: int
    """Of them before the last replay: they do not count against its retries."""
    due_at: int | None
    """When the next attempt may begin, in the states of `PENDING`; else None."""
    deadline: int
    moved: bool
    """A wait was cut short to be in time for the window's end: there is no other."""
    repeatable: bool
    """It may be sent again although nobody knows whether it has arrived."""

    @property
    def attempts_now(self) -> int:
        """Attempts since it was accepted or last replayed."""
        return self.attempts - self.replayed_after


def accepted(now: int, *, delay: int, window: int, repeatable: bool) -> Progress:
    """A request is safe on disk. The window opens when its first attempt is due."""
    due = now + delay
    return Progress(State.QUEUED, 0, 0, due, due + window, False, repeatable)


def begun(progress: Progress, now: int) -> Progress:
    """Its attempt's turn has come: `sending`, or `exhausted` where the time is used up. Raises WrongState."""
    if progress.state not in PENDING or progress.due_at is None or progress.due_at > now:
        raise WrongState("sent now", progress.state)
    if progress.deadline - now < LEAST_LEFT:
        return _ended(progress, State.EXHAUSTED)
    return _to(progress, State.SENDING, progress.attempts + 1)


def answered(progress: Progress, now: int, outcome: Outcome, wait: int | None, margin: int) -> Progress:
    """An attempt is over. `wait`: until the next one, None for no other; it counts for `TRANSIENT` alone.

    `margin`: how long before the window's end an attempt must begin to have its time, where it can be moved there.
    Raises WrongState.
    """
    if progress.state is not State.SENDING:
        raise WrongState("answered", progress.state)
    if outcome is not Outcome.TRANSIENT:
        return _ended(progress, State.SUCCEEDED if outcome is Outcome.GOOD else State.FAILED)
    if wait is None or progress.attempts_now >= MOST_ATTEMPTS:
        return _ended(progress, State.EXHAUSTED)
    due, latest = now + max(wait, 0), progress.deadline - margin
    moved = progress.moved
    if due > latest:
        if moved or latest <= now:
            return _ended(progress, State.EXHAUSTED)
        due, moved = latest, True
    if progress.deadline - due < LEAST_LEFT:
        return _ended(progress, State.EXHAUSTED)
    return evolve(progress, state=State.WAITING, due_at=due, moved=moved)


def crashed(progress: Progress, now: int) -> Progress:
    """Whoever delivered it is gone in the middle of an attempt; nobody knows whether it has arrived."""
    if progress.state is not State.SENDING:
        raise WrongState("given up by its gateway", progress.state)
    if not progress.repeatable:
        return _ended(progress, State.UNKNOWN)
    if progress.attempts_now >= MOST_ATTEMPTS:
        return _ended(progress, State.EXHAUSTED)
    return evolve(progress, state=State.WAITING, due_at=now)


def cancelled(progress: Progress) -> Progress:
    """Somebody no longer wants it. What is being sent cannot be taken back: WrongState."""
    if progress.state not in PENDING:
        raise WrongState("cancelled", progress.state)
    return _ended(progress, State.CANCELLED)


def undeliverable(progress: Progress) -> Progress:
    """It can never be sent: its proxy is gone, or it cannot be opened any more. Raises WrongState."""
    if progress.state not in PENDING:
        raise WrongState("given up", progress.state)
    return _ended(progress, State.FAILED)


def replayed(progress: Progress, now: int, window: int) -> Progress:
    """Somebody wants it sent again, from the start, whatever came of it. Raises WrongState."""
    if progress.state not in REPLAYABLE:
        raise WrongState("replayed", progress.state)
    return evolve(
        progress,
        state=State.QUEUED,
        replayed_after=progress.attempts,
        due_at=now,
        deadline=now + window,
        moved=False,
    )


def margin_of(target_timeout: float, window: int) -> int:
    """How long before its end the last attempt begins: a target's timeout (seconds), or what is left for it."""
    return max(min(int(target_timeout * 1000), LAST_CHANCE, window // 2), LEAST_LEFT + LATE)


def _ended(progress: Progress, state: State) -> Progress:
    return _to(progress, state, progress.attempts)


def _to(progress: Progress, state: State, attempts: int) -> Progress:
    # Not `evolve`, which takes 3 µs more, for what each request does twice.
    return Progress(
        state, attempts, progress.replayed_after, None, progress.deadline, progress.moved, progress.repeatable
    )
