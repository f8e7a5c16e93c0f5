"""What telemetry must say of requests, worked out from their records one by one: the slow and plain way.

Belongs here: core-api.md 10 in terms of records, and comparing. Does not: where the records come from.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

FORMS = {"minute": "%Y-%m-%d-%H-%M", "hour": "%Y-%m-%d-%H", "day": "%Y-%m-%d", "month": "%Y-%m"}


Leg = tuple[datetime, str, int, float | None]


def legs(record: Mapping[str, Any]) -> list[Leg]:
    """(when, source, code, seconds) of each leg of a request; of an asynchronous one, by its detail. None: the log does
    not say how long it took."""
    came = datetime.fromtimestamp(record["processedAt"] / 1000, UTC)
    if "delivery" in record:
        attempts = record["delivery"]["attempts"]
        sent: list[Leg] = [
            (datetime.fromisoformat(each["startedAt"]), "target", each["status"], None) for each in attempts
        ]
        return [(came, "proxy", 202, None), *sent]
    proxy, target = record["proxyData"], record["targetData"]
    found: list[Leg] = [(came, "proxy", proxy["status"], proxy["duration"])]
    if target is not None:
        # Without an answer it was waited for, who knows for how long.
        found.append((came, "target", target["status"] or proxy["status"], target["duration"]))
    return found


def sums_of(records: Iterable[Mapping[str, Any]], interval: str) -> dict[str, dict[str, dict[str, int]]]:
    """By the key of a span, the maps of counts."""
    spans: dict[str, dict[str, dict[str, int]]] = {}
    for record in records:
        for moment, source, code, _ in legs(record):
            span = spans.setdefault(moment.strftime(FORMS[interval]), defaultdict(lambda: defaultdict(int)))
            good = 200 <= code < 400 or code == 101
            span["countMap"][source] += 1
            span["successCountMap"][source] += good
            span["errorCountMap"][source] += not good
            span["codeCountMap"][f"{code}:{source}"] += 1
            span["countryCountMap"][f"{record['country']}:{source}"] += 1
    return spans


def check_spans(spans: Iterable[Mapping[str, Any]], records: list[Mapping[str, Any]], interval: str) -> None:
    """Raises AssertionError unless `spans` are those of `records`, agree in themselves, and derive as they should."""
    spans = list(spans)
    assert [span["sKey"] for span in spans] == sorted((span["sKey"] for span in spans), reverse=True)
    for span in spans:
        agrees_in_itself(span)
        derives(span)
    expected = sums_of(records, interval)
    assert {span["sKey"]: {name: span[name] for name in expected[span["sKey"]]} for span in spans} == expected
    took = [(source, seconds) for record in records for _, source, _, seconds in legs(record)]
    if all(seconds is not None for _, seconds in took):
        for source in ("proxy", "target"):
            total = sum(span["totalResponseTimeMap"].get(source, 0) for span in spans)
            logged = sum(seconds for each, seconds in took if each == source and seconds is not None)
            assert abs(total - logged) < 1e-6 * len(records)


def agrees_in_itself(span: Mapping[str, Any]) -> None:
    """The sums over codes, over countries and the total are the same."""
    for by_key, total in (
        ("codeCountMap", "countMap"),
        ("countryCountMap", "countMap"),
        ("codeTotalRTMap", "totalResponseTimeMap"),
        ("countryTotalRTMap", "totalResponseTimeMap"),
    ):
        sums: dict[str, float] = defaultdict(int)
        for key, number in span[by_key].items():
            sums[key.partition(":")[2]] += number
        assert {source: round(number, 6) for source, number in sums.items()} == span[total], by_key
    for source, number in span["countMap"].items():
        assert span["successCountMap"][source] + span["errorCountMap"][source] == number


def derives(span: Mapping[str, Any]) -> None:
    """What is derived follows from what is kept, to four decimals."""
    for name, above, below in (
        ("averageResponseTimeMap", "totalResponseTimeMap", "countMap"),
        ("successRateMap", "successCountMap", "countMap"),
        ("errorRateMap", "errorCountMap", "countMap"),
        ("countryAverageRTMap", "countryTotalRTMap", "countryCountMap"),
    ):
        assert span[name] == {key: round(value / span[below][key], 4) for key, value in span[above].items()}, name


def smoothed(seconds: Iterable[float]) -> float:
    """The moving average with factor 0.2 that begins with the first value."""
    average: float | None = None
    for each in seconds:
        average = each if average is None else 0.2 * each + 0.8 * average
    assert average is not None
    return average
