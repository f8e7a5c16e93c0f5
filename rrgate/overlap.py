"""`EitherSecret`: a caller's credential while two secrets are in force, the present one and the one before it.

Belongs here: asking one plugin object after the other. Does not: how long (core/rotation.py), what a secret is
(plugins).
Only credentials with an overlap have one; all others are asked without anything in between.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from rrgate.api import Denied, Exchange, Identity, Plugin, Reply
from rrgate.chaining import PHASES
from rrgate.model.times import format_milliseconds

PREVIOUS_USED: Final = "rrgate.previous_secret"
"""In `Exchange.state`: the caller showed the secret before."""

Answer = Identity | Denied | Reply | None


class Onward:
    """A wall clock that stands still where its source goes back, so that what has ended does not begin again."""

    def __init__(self, wall: Callable[[], float]) -> None:
        """`wall`: seconds since the epoch."""
        self._wall = wall
        self._latest = wall()

    def __call__(self) -> float:
        """The latest time that it has seen, in seconds since the epoch."""
        now = self._wall()
        if now > self._latest:
            self._latest = now
        return self._latest


class EitherSecret:
    """Two plugin objects of one class: `present` is asked first, then `previous`, as long as that works."""

    def __init__(self, present: Plugin, previous: Plugin, until: int, wall: Callable[[], float]) -> None:
        """`until`: milliseconds since the epoch, from when on `previous` is not asked any more. `wall`: seconds; if
        it goes back it brings `previous` to life again, so give it an `Onward`."""
        self.consumes = present.consumes | previous.consumes
        self._present = present
        self._previous = previous
        self._until = until
        self._wall = wall
        self._warning = (
            f"This credential's secret was replaced; the one shown works until {format_milliseconds(until)}"
        )

    def methods(self) -> Mapping[str, Callable[..., Any]]:
        """What stands in the place of `present`'s own methods."""
        found: dict[str, Callable[..., Any]] = {}
        if hasattr(self._present, "authenticate"):
            found["authenticate"] = self.authenticate
        for phase in PHASES:
            if phase not in found and hasattr(self._present, phase):
                found[phase] = _of_the_one_shown(getattr(self._present, phase), getattr(self._previous, phase))
        return found

    def authenticate(self, ex: Exchange) -> Answer | Awaitable[Answer]:
        """The first of the two that knows the caller. A denial that is not a 401 is about a caller who is known; who
        cannot tell now, and so answers a Reply of 500 or more, keeps the other from nothing."""
        count = len(ex.extra_answer_fields)
        answer: Any = self._ask(self._present, ex)
        if hasattr(answer, "__await__"):
            return self._later(ex, count, answer)
        if _may_be_the_other(answer) and self._works():
            second = self._ask(self._previous, ex)
            if hasattr(second, "__await__"):
                return self._second_later(ex, count, answer, second)
            return self._settled(ex, count, answer, second)
        result: Answer = answer
        return result

    def _ask(self, plugin: Plugin, ex: Exchange) -> Any:
        asked: Any = plugin
        return asked.authenticate(ex)

    async def _later(self, ex: Exchange, count: int, first: Awaitable[Answer]) -> Answer:
        answer = await first
        if _may_be_the_other(answer) and self._works():
            second = self._ask(self._previous, ex)
            return await self._second_later(ex, count, answer, second)
        return answer

    async def _second_later(self, ex: Exchange, count: int, answer: Answer, second: Any) -> Answer:
        if hasattr(second, "__await__"):
            second = await second
        return self._settled(ex, count, answer, second)

    def _settled(self, ex: Exchange, count: int, answer: Answer, second: Answer) -> Answer:
        """Which of the two answers counts, when the first was none, a 401, or that it cannot be told."""
        if second is None:
            return answer
        if type(second) is Identity:
            # What `present` had to say to a caller whom it did not know.
            del ex.extra_answer_fields[count:]
            ex.state[PREVIOUS_USED] = True
            ex.warnings.append(self._warning)
        elif answer is not None and _is_401(second):
            return answer
        return second

    def _works(self) -> bool:
        return self._wall() * 1000 < self._until


def _may_be_the_other(answer: object) -> bool:
    return answer is None or _is_401(answer) or (type(answer) is Reply and answer.status >= 500)


def _is_401(answer: object) -> bool:
    return type(answer) is Denied and answer.status == 401


def _of_the_one_shown(present: Callable[..., Any], previous: Callable[..., Any]) -> Callable[..., Any]:
    def call(ex: Exchange, *more: Any) -> Any:
        return (previous if PREVIOUS_USED in ex.state else present)(ex, *more)

    return call
