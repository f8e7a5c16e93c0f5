"""`Counts`: what telemetry keeps of one proxy or client in one span of time; spans, and adding spans up.

Belongs here: the figures, and how they are written as JSON. Does not: counting requests (tally.py), tables
(telemetry.py), the maps that are published (telemetry_view.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

import orjson

INTERVALS: Final = ("minute", "hour", "day", "month")
"""The spans that are kept; in tables each is written as its place here."""

SMOOTHING: Final = 0.2
"""Weight of the newest request in the moving average of response times (core-api.md 10)."""
FADING: Final = 1 - SMOOTHING

Moment = list[Any]
"""Requests of one scope in one minute, as they are counted: how many, the first one's seconds, the moving average in
seconds, and by (status, the target's status or 0, country): how many, microseconds in all, those of the target. With
the status 0 these are attempts at asynchronous requests, which are in none of the figures before."""

Tallied = dict[tuple[str, int], Moment]
"""By scope, which is the id of a proxy or client, and minute since the epoch."""

Sums = dict[str, list[int]]
"""By key: how many, microseconds in all."""


class Counts:
    """Requests of one scope in one span. Whole microseconds are added, so that sums by code and by country agree."""

    __slots__ = ("average", "codes", "countries", "first", "requests")

    def __init__(
        self,
        requests: int = 0,
        first: float = 0.0,
        average: float = 0.0,
        codes: Sums | None = None,
        countries: Sums | None = None,
    ) -> None:
        """`first`, `average`: seconds, of the first request and the moving one. Keys are as published: `200:proxy`."""
        self.requests = requests
        self.first = first
        self.average = average
        self.codes: Sums = {} if codes is None else codes
        self.countries: Sums = {} if countries is None else countries

    @classmethod
    def of(cls, moment: Moment) -> Counts:
        """What was tallied in a minute; groups may be a mapping or, as they are written, a list of flat lists."""
        requests, first, average, groups = moment
        counts = cls(requests, first, average)
        flat = [(*group, *sums) for group, sums in groups.items()] if isinstance(groups, Mapping) else groups
        for status, target_status, country, number, time, target_time in flat:
            if status:
                _add(counts.codes, f"{status}:proxy", number, time)
                _add(counts.countries, f"{country}:proxy", number, time)
            if target_status:
                _add(counts.codes, f"{target_status}:target", number, target_time)
                _add(counts.countries, f"{country}:target", number, target_time)
        return counts

    @classmethod
    def of_entries(cls, entries: Iterable[Sequence[Any]]) -> Counts:
        """What was tallied in one minute at several times, in their order; each as it is written: requests, first,
        average and flat groups. Quicker than to add `of` each."""
        requests, first, average = 0, 0.0, 0.0
        groups: dict[tuple[int, int, str], list[int]] = {}
        for number, firstly, smoothed, flat in entries:
            if requests:
                average = smoothed + FADING**number * (average - firstly)
            else:
                first, average = firstly, smoothed
            requests += number
            for status, target_status, country, many, time, target_time in flat:
                group = status, target_status, country
                known = groups.get(group)
                if known is None:
                    groups[group] = [many, time, target_time]
                else:
                    known[0] += many
                    known[1] += time
                    known[2] += target_time
        return cls.of([requests, first, average, groups])

    @classmethod
    def stored(cls, text: str) -> Counts:
        """What `as_list` was written of."""
        return cls(*orjson.loads(text))

    def as_list(self) -> list[Any]:
        """For JSON, of which `stored` makes it again."""
        return [self.requests, self.first, self.average, self.codes, self.countries]

    def add(self, later: Counts) -> None:
        """Add what came `later`. The moving average is the one that all requests in their order would give."""
        if self.requests:
            self.average = later.average + FADING**later.requests * (self.average - later.first)
        else:
            self.first, self.average = later.first, later.average
        self.requests += later.requests
        for mine, others in ((self.codes, later.codes), (self.countries, later.countries)):
            for key, (number, time) in others.items():
                _add(mine, key, number, time)


def _add(sums: Sums, key: str, number: int, time: int) -> None:
    known = sums.get(key)
    if known is None:
        sums[key] = [number, time]
    else:
        known[0] += number
        known[1] += time


def span_of(interval: int, minute: int) -> int:
    """The span that `minute` lies in, as its first minute since the epoch, UTC."""
    if interval == 0:
        return minute
    if interval == 1:
        return minute - minute % 60
    day = minute - minute % 1440
    return day if interval == 2 else _month_of(day)


@lru_cache(maxsize=512)
def _month_of(day: int) -> int:
    return day - (moment_of(day).day - 1) * 1440


def moment_of(minute: int) -> datetime:
    """The beginning of a minute since the epoch."""
    return _EPOCH + timedelta(minutes=minute)


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
