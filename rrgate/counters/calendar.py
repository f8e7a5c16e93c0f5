"""Windows of the calendar in UTC, by the number of their minute since the epoch.

Belongs here: which windows a minute lies in, when they end, what a new minute leaves of old counts. Does not: keeping
counts (counters.py).
"""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import Final

from rrgate.counting_values import Window

Row = tuple[int, float, float, float, float]
"""The minute in which something was counted last, and the counts of the minute, hour, day and month that it lies in."""

_MINUTES: Final = {Window.MINUTE: 1, Window.HOUR: 60, Window.DAY: 1440}
_EPOCH: Final = date(1970, 1, 1).toordinal()
LAST_MINUTE: Final = (date(9999, 12, 1).toordinal() - _EPOCH) * 1440
"""Beyond it the calendar has no month."""

SLACK: Final = 1
"""Minutes that a clock may be set back, or another process be ahead, without any window beginning anew."""


@lru_cache(maxsize=64)
def _month(day: int) -> tuple[int, int]:
    """(its number, minutes since the epoch at its end) of the month that the day `day` since the epoch lies in."""
    then = date.fromordinal(_EPOCH + day)
    following = date(then.year + then.month // 12, then.month % 12 + 1, 1)
    return then.year * 12 + then.month - 1, (following.toordinal() - _EPOCH) * 1440


def month_of(minute: int) -> int:
    """The number of the month, counted from the year 0."""
    return _month(minute // 1440)[0]


def number_of(window: Window, minute: int) -> int:
    """The number of the window that `minute` lies in; later ones have greater ones."""
    return month_of(minute) if window is Window.MONTH else minute // _MINUTES[window]


def end_of(window: Window, minute: int) -> int:
    """When the window ends that `minute` lies in: seconds since the epoch."""
    if window is Window.MONTH:
        return _month(minute // 1440)[1] * 60
    length = _MINUTES[window]
    return (minute // length + 1) * length * 60


def turned(row: Row, minute: int) -> Row:
    """What is left of `row` in `minute`, which is another than its own: windows that are over begin anew.

    A clock that is set back by up to `SLACK` minutes goes on in the windows that it had reached: else a moment could be
    counted twice. Set back by more, it begins those anew that it is not in.
    """
    then, _, hour, day, month = row
    if 0 < then - minute <= SLACK:
        return row
    return (
        minute,
        0.0,
        hour if then // 60 == minute // 60 else 0.0,
        day if then // 1440 == minute // 1440 else 0.0,
        month if month_of(then) == month_of(minute) else 0.0,
    )
