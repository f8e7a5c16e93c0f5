"""Windows of the calendar: when they end, and what a new minute leaves of old counts."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from rrgate.counters.calendar import end_of, month_of, number_of, turned
from rrgate.counting_values import Window


def minute(text: str) -> int:
    """The number of a minute, `2026-02-28 23:59`."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) // 60


@pytest.mark.parametrize(
    ("window", "at", "ends"),
    [
        (Window.MINUTE, "2026-02-28 23:59", "2026-03-01 00:00"),
        (Window.MINUTE, "2026-02-28 12:00", "2026-02-28 12:01"),
        (Window.HOUR, "2026-02-28 12:00", "2026-02-28 13:00"),
        (Window.HOUR, "2026-02-28 12:59", "2026-02-28 13:00"),
        (Window.DAY, "2026-02-28 00:00", "2026-03-01 00:00"),
        (Window.DAY, "2024-02-28 23:59", "2024-02-29 00:00"),
        (Window.MONTH, "2026-02-01 00:00", "2026-03-01 00:00"),
        (Window.MONTH, "2024-02-29 23:59", "2024-03-01 00:00"),
        (Window.MONTH, "2026-12-31 23:59", "2027-01-01 00:00"),
        (Window.MONTH, "1970-01-01 00:00", "1970-02-01 00:00"),
    ],
)
def test_a_window_ends_where_the_calendar_says(window: Window, at: str, ends: str) -> None:
    assert end_of(window, minute(at)) == minute(ends) * 60
    assert number_of(window, minute(at)) + 1 == number_of(window, minute(ends))
    assert number_of(window, minute(ends) - 1) == number_of(window, minute(at))


@pytest.mark.parametrize(
    ("then", "now", "left"),
    [
        ("2026-03-10 12:00", "2026-03-10 12:01", (0, 2, 3, 4)),
        ("2026-03-10 12:59", "2026-03-10 13:00", (0, 0, 3, 4)),
        ("2026-03-10 12:00", "2026-03-11 12:00", (0, 0, 0, 4)),
        ("2026-03-10 12:00", "2026-04-10 12:00", (0, 0, 0, 0)),
        ("2026-03-10 12:00", "2027-03-10 12:00", (0, 0, 0, 0)),
        # A clock that was set back by more than a minute: what it is no longer in begins anew.
        ("2026-03-10 12:10", "2026-03-10 12:05", (0, 2, 3, 4)),
        ("2026-03-10 13:00", "2026-03-10 12:58", (0, 0, 3, 4)),
        ("2026-03-11 00:05", "2026-03-10 23:55", (0, 0, 0, 4)),
        ("2026-04-01 00:05", "2026-03-31 23:55", (0, 0, 0, 0)),
    ],
)
def test_a_new_minute_leaves_the_windows_that_still_run(then: str, now: str, left: tuple[float, ...]) -> None:
    assert turned((minute(then), 1.0, 2.0, 3.0, 4.0), minute(now)) == (minute(now), *left)


@pytest.mark.parametrize("then", ["2026-03-10 12:01", "2026-04-01 00:00"])
def test_a_clock_set_back_a_little_stays_in_the_windows_that_it_had_reached(then: str) -> None:
    row = (minute(then), 1.0, 2.0, 3.0, 4.0)
    assert turned(row, minute(then) - 1) == row


def test_months_are_counted_on_over_years() -> None:
    assert month_of(minute("2027-01-01 00:00")) == month_of(minute("2026-12-31 23:59")) + 1
