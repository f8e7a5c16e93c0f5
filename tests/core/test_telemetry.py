"""Telemetry over HTTP: which spans are asked for, and the published form of one.

Belongs here: /clients/{clientId}/telemetry and that of proxies. Does not: what is counted (tests/test_tally.py).
"""

from __future__ import annotations

import json

import pytest
import pytest_twisted

from rrgate.store.counts import Counts
from tests.core.doubles import Core

FOREVER = 1 << 40
HOUR = 29297400  # 2025-09-14T10:00:00Z, in minutes

SAMPLE = Counts(
    150,
    0.5,
    0.7681004,
    {"200:proxy": [148, 113_822_000], "200:target": [140, 107_713_000], "429:proxy": [2, 2_323_000]}
    | {"429:target": [2, 2_323_000]},
    {"US:proxy": [90, 69_687_000], "US:target": [85, 65_834_000], "AU:proxy": [60, 46_458_000]}
    | {"AU:target": [57, 44_202_000]},
)
"""The published sample."""


async def proxy(core: Core) -> str:
    made = await core.make("proxies", await core.make_parts())
    return str(made["sKey"])


@pytest_twisted.ensureDeferred
async def test_the_published_sample(core: Core) -> None:
    proxy_id = await proxy(core)
    core.log.spans = [(HOUR, SAMPLE)]
    told = await core.ask("GET", f"/clients/acme/proxies/{proxy_id}/telemetry")
    assert told.document == {
        "message": "Success",
        "interval": "hour",
        "telemetry": [
            {
                "pKey": proxy_id,
                "sKey": "2025-09-14-10",
                "proxyId": proxy_id,
                "countMap": {"proxy": 150, "target": 142},
                "successCountMap": {"proxy": 148, "target": 140},
                "errorCountMap": {"proxy": 2, "target": 2},
                "totalResponseTimeMap": {"proxy": 116.145, "target": 110.036},
                "codeCountMap": {"200:proxy": 148, "200:target": 140, "429:proxy": 2, "429:target": 2},
                "codeTotalRTMap": {
                    "200:proxy": 113.822,
                    "200:target": 107.713,
                    "429:proxy": 2.323,
                    "429:target": 2.323,
                },
                "countryCountMap": {"US:proxy": 90, "US:target": 85, "AU:proxy": 60, "AU:target": 57},
                "countryTotalRTMap": {
                    "US:proxy": 69.687,
                    "US:target": 65.834,
                    "AU:proxy": 46.458,
                    "AU:target": 44.202,
                },
                "averageResponseTimeMap": {"proxy": 0.7743, "target": 0.7749},
                "successRateMap": {"proxy": 0.9867, "target": 0.9859},
                "errorRateMap": {"proxy": 0.0133, "target": 0.0141},
                # The page has 0.7754 for the last; 44.202 / 57 is 0.77547.
                "countryAverageRTMap": {
                    "US:proxy": 0.7743,
                    "US:target": 0.7745,
                    "AU:proxy": 0.7743,
                    "AU:target": 0.7755,
                },
                "ewmaResponseTime": 0.7681,
            }
        ],
    }
    assert core.log.asked["telemetry"] == [proxy_id, 1, -FOREVER, FOREVER, 100]


@pytest.mark.parametrize(
    ("interval", "key"),
    [("minute", "2025-09-14-10-00"), ("hour", "2025-09-14-10"), ("day", "2025-09-14"), ("month", "2025-09")],
)
@pytest_twisted.ensureDeferred
async def test_keys(core: Core, interval: str, key: str) -> None:
    core.log.spans = [(HOUR, SAMPLE)]
    told = await core.ask("GET", f"/clients/acme/telemetry?interval={interval}")
    assert told.document["interval"] == interval
    (span,) = told.document["telemetry"]
    assert (span["sKey"], span["proxyId"]) == (key, None)
    assert span["pKey"] == core.log.asked["telemetry"][0] == core.house.directory.clients["acme"].id


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        ("interval=minute&startDate=2025-09-14T10:30:59.9Z", (0, HOUR + 30, FOREVER, 100)),
        ("startDate=2025-09-14T10:30:00Z", (1, HOUR, FOREVER, 100)),
        ("interval=day&startDate=2025-09-14T10:30:00", (2, HOUR - 600, FOREVER, 100)),
        ("interval=month&startDate=2025-09-14T10:30:00%2B00:00", (3, HOUR - 600 - 13 * 1440, FOREVER, 100)),
        ("endDate=2025-09-14T11:30:00 01:00&limit=1000".replace(" ", "+"), (1, -FOREVER, HOUR + 30, 1000)),
        ("endDate=2025-09-14T10:00:00Z&limit=1", (1, -FOREVER, HOUR, 1)),
        ("endDate=2025-09-14T09:59:59.999999999Z", (1, -FOREVER, HOUR - 1, 100)),
    ],
)
@pytest_twisted.ensureDeferred
async def test_bounds_are_inclusive_and_a_span_is_answered_whole(
    core: Core, query: str, asked: tuple[int, ...]
) -> None:
    assert (await core.ask("GET", f"/clients/acme/telemetry?{query}")).status == 200
    assert tuple(core.log.asked["telemetry"][1:]) == asked


@pytest.mark.parametrize(
    "query",
    ["interval=week", "interval=", "startDate=yesterday", "endDate=", "limit=0", "limit=1001", "cursor=x", "state=x"],
)
@pytest_twisted.ensureDeferred
async def test_bad_queries(core: Core, query: str) -> None:
    told = await core.ask("GET", f"/clients/acme/telemetry?{query}")
    assert told.status == 400
    assert list(told.problems) == [query.partition("=")[0]]


@pytest_twisted.ensureDeferred
async def test_of_others_there_is_nothing(core: Core) -> None:
    proxy_id = await proxy(core)
    for path in (f"/clients/other/proxies/{proxy_id}/telemetry", "/clients/acme/proxies/nobody/telemetry"):
        assert (await core.ask("GET", path)).status == 404


def test_statuses_are_successes_or_errors() -> None:
    from rrgate.telemetry_view import telemetry_shown

    codes = {f"{status}:proxy": [1, 0] for status in (101, 200, 206, 304, 399, 400, 499, 500, 504, 599)}
    shown = json.loads(b"".join(telemetry_shown("p", "day", [(0, Counts(10, 0.0, 0.0, codes))], "p")))
    assert (shown["successCountMap"], shown["errorCountMap"]) == ({"proxy": 5}, {"proxy": 5})
    assert (shown["successRateMap"], shown["errorRateMap"]) == ({"proxy": 0.5}, {"proxy": 0.5})


def test_what_became_of_counts_is_remembered_within_a_bound() -> None:
    from rrgate.telemetry_view import _Written, telemetry_shown

    written = _Written(20_000)
    most = 0
    for number in range(1, 200):
        codes = {"200:proxy": [number, number * 10]}
        counts = Counts(number, 0.5, 0.5, codes, {"NZ:proxy": [number, number * 10]})
        stored = json.dumps(counts.as_list()).encode()
        plain = b"".join(telemetry_shown("p", "day", [(0, counts)], None))
        assert plain.endswith(written(stored))
        assert written(stored) is written(stored)
        most = max(most, sum(len(key) + len(value) for key, value in written._known.items()))
    assert 10_000 < most <= 20_000
