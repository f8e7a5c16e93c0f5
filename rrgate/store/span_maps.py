"""The maps that telemetry publishes of a span (core-api.md 10), those that are kept and those derived from them; and
how spans are stored.

Belongs here: what follows from Counts alone. Does not: adding counts up (counts.py), tables (telemetry.py), what else
is published of a span (telemetry_view.py).

A span is stored as `Counts.as_list` has it. One of many statuses and countries is stored with its maps: to make them
takes 30 µs, and a thousand spans may be asked for. It takes no more of the disk, see `PLAIN_MOST`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import orjson

from rrgate.store.counts import Counts, Sums

PLAIN_MOST: Final = 950
"""Bytes of counts that lie in the table itself. More are continued on a page of their own, of which they fill a fifth:
the maps lie there too."""

_SWITCHED: Final = 101
"""Switching protocols is what was asked for, and so a success."""


def stored(counts: Counts) -> str:
    """What is written, as JSON."""
    plain = orjson.dumps(counts.as_list())
    if len(plain) <= PLAIN_MOST:
        return plain.decode()
    times = [[time for _, time in sums.values()] for sums in (counts.codes, counts.countries)]
    # The maps first, so that they are found without reading the rest.
    rest = orjson.dumps([counts.requests, counts.first, counts.average, *times])
    return f"[{{{maps(counts).decode()},{rest[1:].decode()}"


def counts_of(stored: list[Any]) -> Counts:
    """What was written, from its JSON."""
    if not isinstance(stored[0], dict):
        return Counts(*stored)
    shown, requests, first, average, code_times, country_times = stored
    codes, countries = _sums(shown["codeCountMap"], code_times), _sums(shown["countryCountMap"], country_times)
    return Counts(requests, first, average, codes, countries)


def _sums(numbers: Mapping[str, int], times: list[int]) -> Sums:
    return {key: [many, time] for (key, many), time in zip(numbers.items(), times, strict=True)}


def maps_stored(stored: bytes) -> memoryview | None:
    """As `maps`, those that were written, where they are; None if they are to be made."""
    return memoryview(stored)[2 : stored.rindex(b"}") + 1] if stored.startswith(b"[{") else None


def maps(counts: Counts) -> bytes:
    """All of them as JSON, without the bracket that begins it."""
    number: dict[str, int] = {}
    successes: dict[str, int] = {}
    microseconds: dict[str, int] = {}
    code_counts: dict[str, int] = {}
    code_times: dict[str, float] = {}
    for key, (many, time) in counts.codes.items():
        source, good = _meaning(key)
        code_counts[key] = many
        code_times[key] = time / 1_000_000
        number[source] = number.get(source, 0) + many
        microseconds[source] = microseconds.get(source, 0) + time
        successes[source] = successes.get(source, 0) + (many if good else 0)
    country_counts: dict[str, int] = {}
    country_times: dict[str, float] = {}
    country_averages: dict[str, float] = {}
    for key, (many, time) in counts.countries.items():
        country_counts[key] = many
        country_times[key] = time / 1_000_000
        country_averages[key] = _average(time, many)
    errors = {source: many - successes[source] for source, many in number.items()}
    return orjson.dumps(
        {
            "countMap": number,
            "successCountMap": successes,
            "errorCountMap": errors,
            "totalResponseTimeMap": {source: time / 1_000_000 for source, time in microseconds.items()},
            "codeCountMap": code_counts,
            "codeTotalRTMap": code_times,
            "countryCountMap": country_counts,
            "countryTotalRTMap": country_times,
            "averageResponseTimeMap": {source: _average(time, number[source]) for source, time in microseconds.items()},
            "successRateMap": _rates(successes, number),
            "errorRateMap": _rates(errors, number),
            "countryAverageRTMap": country_averages,
            "ewmaResponseTime": round(counts.average, 6),
        }
    )[1:]


@lru_cache(maxsize=2048)
def _meaning(key: str) -> tuple[str, bool]:
    """The source of a code's key, and whether its requests succeeded."""
    code, _, source = key.partition(":")
    status = int(code)
    return source, 200 <= status < 400 or status == _SWITCHED


def _average(microseconds: int, many: int) -> float:
    """Seconds, to four places: what `round` answers, which takes three times as long, of what is no tie."""
    step = 100 * many
    steps, rest = divmod(microseconds, step)
    if rest + rest == step:
        return round(microseconds / many / 1_000_000, 4)
    return (steps + 1 if rest + rest > step else steps) / 10_000


def _rates(some: Mapping[str, int], of: Mapping[str, int]) -> dict[str, float]:
    return {source: round(many / of[source], 4) for source, many in some.items()}
