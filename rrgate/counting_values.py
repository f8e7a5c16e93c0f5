"""`Limit`, `Quota`, `CountsRequests`: how many requests there may be in a minute, an hour, a day or a month.

Belongs here: the interface, for plugins and their tests. Does not: where counts are kept (counters/).
Plugins import these names from `rrgate.api`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import Enum
from typing import Final, Protocol

from attrs import field, frozen

NEAR: Final = 0.8
"""From which part of a limit on it counts as approached."""


class Window(Enum):
    """A window of the calendar in UTC: the minute, hour, day or month that it is now."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    MONTH = "month"


WINDOWS: Final = tuple(Window)
"""From the shortest."""


class CountersError(Exception):
    """Nothing can be counted: the disk is full, or another process has stopped in the middle of counting."""

    holds_no_values = True


@frozen
class Limit:
    """At most `most` in each `window`."""

    window: Window
    most: float


@frozen
class Counts:
    """What was counted so far in the windows that it is now."""

    minute: float = 0
    hour: float = 0
    day: float = 0
    month: float = 0

    def of(self, window: Window) -> float:
        """What was counted in `window`."""
        counted: float = getattr(self, window.value)
        return counted


class Counter(Protocol):
    """One count, in all four windows. All processes of a node that work on one data directory share it."""

    @property
    def place(self) -> int:
        """Where it is kept; it does not change while the process lives."""

    def read(self) -> Counts:
        """What was counted. Raises CountersError."""

    def add(self, amount: float) -> None:
        """Count `amount` (finite, not negative), over any limit. Raises CountersError, ValueError."""


@frozen(slots=True, eq=False)
class Quota:
    """What a request asks of a counter: that each of the `limits` leaves room for one more. `counts`: then it is
    counted; else somebody adds to the counter later, and there is room while a limit is not reached.

    `name`: for whoever made it, to tell it from others.
    """

    counter: Counter
    limits: tuple[Limit, ...]
    counts: bool = True
    name: str = ""
    place: int = field(init=False, repr=False)
    checks: tuple[tuple[int, float, float, Limit], ...] = field(init=False, repr=False)
    """Of each limit: which window, from where on it is near, from where on it is full."""

    @place.default
    def _place(self) -> int:
        return self.counter.place

    @checks.default
    def _checks(self) -> tuple[tuple[int, float, float, Limit], ...]:
        checks = []
        for limit in self.limits:
            full, near = limit.most, NEAR * limit.most
            if self.counts:
                full, near = math.floor(full), near - 1
            checks.append((WINDOWS.index(limit.window) + 1, min(near, full), full, limit))
        return tuple(checks)


@frozen(slots=True)
class Reached:
    """A limit that is reached, or near: with this request `used` of it is. `seconds`: until its window ends, 1 or
    more. `window`: its number, which no later one has."""

    quota: Quota
    limit: Limit
    used: float
    seconds: int
    window: int


@frozen(slots=True)
class Taken:
    """What came of `take` where there is something to tell. `refused`: the limits without room, those first that
    take the longest to have some; then nothing was counted. `near`: the limits of which 80 % or more is used now."""

    refused: tuple[Reached, ...] = ()
    near: tuple[Reached, ...] = ()


class CountsRequests(Protocol):
    """The counters of a node. On the reactor's thread; nothing waits."""

    def counter(self, kind: str, id: str) -> Counter:
        """The counter of that name: the same for whoever asks for it. Raises CountersError."""

    def take(self, quotas: Sequence[Quota], *, only_look: bool = False) -> Taken | None:
        """Look whether all `quotas` have room, and count in all of them if so, or else in none: at one moment, for all
        processes. No two are of the same counter. None: counted, and nothing to tell. `only_look`: count nothing.

        Raises CountersError; then nothing is counted.
        """


class NothingCounted:
    """Where nothing can be counted: everything raises CountersError."""

    def counter(self, kind: str, id: str) -> Counter:
        """See `CountsRequests`."""
        raise CountersError("nothing is counted here")

    def take(self, quotas: Sequence[Quota], *, only_look: bool = False) -> Taken | None:
        """See `CountsRequests`."""
        raise CountersError("nothing is counted here")
