"""`Counts`: what telemetry keeps of one proxy or client in one span of time; spans, and adding spans up.

Belongs here: the figures, and how they are written as JSON. Does not: counting requests (tally.py), tables
(telemetry.py), the maps that are published (telemetry_view.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

import orjson

INTERVALS: Final = ("minute", "hour", "day", "month")
"""The spans that are kept; in tables each is written as its place here."""

SMOOTHING: Final = 0.2
"""Weight of the newest request in the moving average of response times (core-api.md 10)."""
FADING: Final = 1 - SMOOTHING

Entry = list[Any]
"""Requests of one scope in one minute, as they are counted and written: scope, which is the id of a proxy or client;
minute since the epoch; how many; the first one's seconds; the moving average in seconds. Behind these, flat, of each
group: status, the target's status or 0, country, how many, microseconds in all, those of the target. With the status 0
these are attempts at asynchronous requests, which are in none of the figures before.

Flat, because of thousands of proxies each has one request in a batch: what is made, written, and read for it again is
one list."""
GROUPS: Final = 5
"""Where the first group begins in it."""
ONE_GROUP: Final = 11
"""How long it is with one."""
GROUP: Final = 6
"""How long that is."""

Tallied = Sequence[Entry]

Group = tuple[int, int, str]

Places = dict[Group, int]
"""Where the groups of an entry begin."""

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
    def of(cls, entry: Entry) -> Counts:
        """What was counted in a minute."""
        _, _, requests, first, average, *groups = entry
        counts = cls(requests, first, average)
        for place in range(0, len(groups), GROUP):
            status, target_status, country, number, time, target_time = groups[place : place + GROUP]
            if status:
                _add(counts.codes, f"{status}:proxy", number, time)
                _add(counts.countries, f"{country}:proxy", number, time)
            if target_status:
                _add(counts.codes, f"{target_status}:target", number, target_time)
                _add(counts.countries, f"{country}:target", number, target_time)
        return counts

    @classmethod
    def stored(cls, text: str) -> Counts:
        """What `as_list` was written of."""
        return cls(*orjson.loads(text))

    def as_list(self) -> list[Any]:
        """For JSON, of which `stored` makes it again."""
        return [self.requests, self.first, self.average, self.codes, self.countries]

    def plus(self, later: Counts) -> Counts:
        """Both, as one of its own."""
        both = Counts()
        both.add(self)
        both.add(later)
        return both

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


def added_up(entries: Iterable[Entry]) -> Iterable[Entry]:
    """One entry for each scope and minute of `entries`, which are in the order of counting; these are changed."""
    found: dict[tuple[str, int], Entry] = {}
    places: dict[tuple[str, int], Places] = {}
    for entry in entries:
        key = entry[0], entry[1]
        known = found.get(key)
        if known is None:
            found[key] = entry
            continue
        number = entry[2]
        if number:
            if known[2]:
                known[4] = entry[4] + FADING**number * (known[4] - entry[3])
            else:
                known[3], known[4] = entry[3], entry[4]
            known[2] += number
        # Nearly all have one group, and the same.
        if len(entry) == ONE_GROUP and entry[5] == known[5] and entry[6] == known[6] and entry[7] == known[7]:
            known[8] += entry[8]
            known[9] += entry[9]
            known[10] += entry[10]
        else:
            if key not in places:
                places[key] = places_of(known)
            add_groups(known, places[key], entry)
    return found.values()


def places_of(entry: Entry) -> Places:
    """Where its groups are."""
    return {(entry[at], entry[at + 1], entry[at + 2]): at for at in range(GROUPS, len(entry), GROUP)}


def add_groups(entry: Entry, places: Places, later: Entry) -> None:
    """Add the groups of `later` to `entry`, whose `places` are kept for the next time."""
    for at in range(GROUPS, len(later), GROUP):
        status, target_status, country, number, time, target_time = later[at : at + GROUP]
        group = status, target_status, country
        place = places.get(group)
        if place is None:
            places[group] = len(entry)
            entry += (status, target_status, country, number, time, target_time)
        else:
            entry[place + 3] += number
            entry[place + 4] += time
            entry[place + 5] += target_time


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
