"""Spans of telemetry as the documents of core-api.md 10: the maps that are kept, and those derived from them.

Belongs here: the published form. Does not: what is counted (tally.py), tables (store/telemetry.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Final

import orjson

from rrgate.store.counts import Counts, moment_of
from rrgate.store.telemetry import Span

_SWITCHED: Final = 101
"""Switching protocols is what was asked for, and so a success."""

_MOST_WRITTEN: Final = 12 * 1024 * 1024


class _Written:
    """What became of spans' counts: those that are over change no more, and who looks at telemetry looks again.

    It follows from the counts alone, so that it does not matter whose they are. Begun anew when it has `most` bytes.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._size = 0
        self._known: dict[str, bytes] = {}

    def __call__(self, stored: str) -> bytes:
        known = self._known.get(stored)
        if known is None:
            known = _maps(Counts.stored(stored))
            size = len(stored) + len(known)
            if self._size + size > self._most:
                self._known.clear()
                self._size = 0
            self._known[stored] = known
            self._size += size
        return known


_written: Final = _Written(_MOST_WRITTEN)


def telemetry_shown(scope: str, interval: str, spans: Iterable[Span], proxy_id: str | None) -> Iterator[bytes]:
    """The JSON of each span, in the order given. `proxy_id`: None for a client's. On any thread."""
    begin = b'{"pKey":%b,"sKey":"' % orjson.dumps(scope)
    then = b'","proxyId":%b,' % orjson.dumps(proxy_id)
    for span, counts in spans:
        maps = _written(counts) if isinstance(counts, str) else _maps(counts)
        yield b"%b%b%b%b" % (begin, _key(interval, span).encode(), then, maps)


def _key(interval: str, span: int) -> str:
    day = _day(span // 1440)
    match interval:
        case "minute":
            return f"{day}-{span // 60 % 24:02d}-{span % 60:02d}"
        case "hour":
            return f"{day}-{span // 60 % 24:02d}"
        case "day":
            return day
        case _:
            return day[:-3]


@lru_cache(maxsize=1024)
def _day(day: int) -> str:
    return moment_of(day * 1440).strftime("%Y-%m-%d")


def _maps(counts: Counts) -> bytes:
    """As JSON, without the bracket that begins it."""
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
