"""Spans of telemetry as the documents of core-api.md 10: the maps that are kept, and those derived from them.

Belongs here: the published form. Does not: what is counted (tally.py), tables (store/telemetry.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from rrgate.store.counts import INTERVALS, Counts, moment_of
from rrgate.store.telemetry import Span

Document = dict[str, Any]

_KEYS: Final = dict(zip(INTERVALS, ("%Y-%m-%d-%H-%M", "%Y-%m-%d-%H", "%Y-%m-%d", "%Y-%m"), strict=True))
_SWITCHED: Final = 101
"""Switching protocols is what was asked for, and so a success."""


def telemetry_shown(scope: str, interval: str, spans: Iterable[Span], proxy_id: str | None) -> Iterator[Document]:
    """One document a span, in the order given. `proxy_id`: None for a client's. On any thread."""
    for span, counts in spans:
        stamp = moment_of(span).strftime(_KEYS[interval])
        yield {"pKey": scope, "sKey": stamp, "proxyId": proxy_id, **_maps(counts)}


def _maps(counts: Counts) -> Document:
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
    return {
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
