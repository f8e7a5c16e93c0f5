"""Spans of telemetry as the documents of core-api.md 10: the maps that are kept, and those derived from them.

Belongs here: the published form. Does not: what is counted (tally.py), tables (store/telemetry.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rrgate.store.counts import INTERVALS, Counts, Sums, moment_of
from rrgate.store.telemetry import Span

Document = dict[str, Any]

_KEYS: Final = dict(zip(INTERVALS, ("%Y-%m-%d-%H-%M", "%Y-%m-%d-%H", "%Y-%m-%d", "%Y-%m"), strict=True))
_SWITCHED: Final = 101
"""Switching protocols is what was asked for, and so a success."""


def telemetry_shown(scope: str, interval: str, spans: Sequence[Span], proxy_id: str | None) -> list[Document]:
    """One document a span, in the order given. `proxy_id`: None for a client's. On any thread."""
    return [
        {"pKey": scope, "sKey": moment_of(span).strftime(_KEYS[interval]), "proxyId": proxy_id, **_maps(counts)}
        for span, counts in spans
    ]


def _maps(counts: Counts) -> Document:
    number: dict[str, int] = {}
    successes: dict[str, int] = {}
    errors: dict[str, int] = {}
    microseconds: dict[str, int] = {}
    for key, (many, time) in counts.codes.items():
        code, _, source = key.partition(":")
        number[source] = number.get(source, 0) + many
        microseconds[source] = microseconds.get(source, 0) + time
        status = int(code)
        good = 200 <= status < 400 or status == _SWITCHED
        successes[source] = successes.get(source, 0) + (many if good else 0)
        errors[source] = errors.get(source, 0) + (0 if good else many)
    return {
        "countMap": number,
        "successCountMap": successes,
        "errorCountMap": errors,
        "totalResponseTimeMap": {source: time / 1_000_000 for source, time in microseconds.items()},
        "codeCountMap": _numbers(counts.codes),
        "codeTotalRTMap": _seconds(counts.codes),
        "countryCountMap": _numbers(counts.countries),
        "countryTotalRTMap": _seconds(counts.countries),
        "averageResponseTimeMap": {
            source: round(time / number[source] / 1_000_000, 4) for source, time in microseconds.items()
        },
        "successRateMap": _rates(successes, number),
        "errorRateMap": _rates(errors, number),
        "countryAverageRTMap": {
            key: round(time / many / 1_000_000, 4) for key, (many, time) in counts.countries.items()
        },
        "ewmaResponseTime": round(counts.average, 6),
    }


def _numbers(sums: Sums) -> dict[str, int]:
    return {key: number for key, (number, _) in sums.items()}


def _seconds(sums: Sums) -> dict[str, float]:
    return {key: time / 1_000_000 for key, (_, time) in sums.items()}


def _rates(some: Mapping[str, int], of: Mapping[str, int]) -> dict[str, float]:
    return {source: round(many / of[source], 4) for source, many in some.items()}
