"""Thousands of mixed requests through the journal to the disk: telemetry says what their records add up to.

Belongs here: item 5 of what shows that telemetry is done, in memory; over sockets it is run by hand
(tests/processes/mixed_requests.py).
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted

from rrgate.exchange import Exchange
from rrgate.journal import Journal
from rrgate.record import encode, snapshot
from rrgate.record_view import published
from rrgate.store import RequestLog
from rrgate.store.counts import INTERVALS
from rrgate.telemetry_view import telemetry_shown
from tests.telemetry_sums import check_spans, smoothed
from tests.test_tally import outcome, routed

COUNTRIES = {"192.0.2.1": "NZ", "192.0.2.2": "AU"}
REQUESTS = 2000


class Lands:
    """Two addresses with a country."""

    def of(self, address: str) -> str:
        return COUNTRIES.get(address, "ZZ")

    def refresh(self) -> None:
        pass


def mixed(chance: random.Random, number: int, route: Any) -> Exchange:
    """Any outcome of a request, within three days."""
    status = chance.choice((200, 200, 200, 204, 302, 404, 429, 500))
    took = chance.random()
    ended = {"sent_at": 100.01, "response_at": 100.01 + took / 2, "answered_at": 100.02 + took}
    changes: dict[str, Any] = chance.choice(
        (
            {"final_status": status, "target_status": status},
            {"final_status": status, "target_status": status},
            {"final_status": 502, "target_status": 0, "response_at": 0.0},
            {"final_status": 504, "target_status": 0, "response_at": 0.0},
            {"final_status": 0, "target_status": 0, "response_at": 0.0},
            {"final_status": 0, "target_status": 200},
            {"final_status": 401, "target_status": 0, "response_at": 0.0, "sent_at": 0.0},
            {"final_status": 502, "target_status": 200},
        )
    )
    at = 1_700_000_000 + number * 130 + chance.random() * 60
    address = chance.choice((*COUNTRIES, "192.0.2.3"))
    ex = outcome(**{**ended, **changes, "route": route, "wall_started": at, "caller_address": address})
    ex.id = f"r{number}"
    return ex


@pytest.mark.parametrize("folded", [True, False])
@pytest_twisted.ensureDeferred
async def test_the_sums_are_those_of_the_records(
    tmp_path: Path, folded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from twisted.internet import reactor

    monkeypatch.setattr("rrgate.store.tidying.FOLD_SECONDS", 0.0 if folded else 3600.0)
    monkeypatch.setattr("rrgate.store.tidying.FOLD_SHARE", 0)
    log = RequestLog.open(tmp_path, reactor, published, lambda client_id: 3650)  # type: ignore[arg-type]
    journal = Journal(
        log,
        reactor=reactor,  # type: ignore[arg-type]
        interval=0.01,
        queue_limit=100,
        countries=Lands(),  # type: ignore[arg-type]
        wall=lambda: 1_700_000_000.0 + REQUESTS * 130,
    )
    chance = random.Random(5)
    routes = [routed(f"p{number}", f"c{number % 2}") for number in range(4)]
    seen: dict[str, list[Any]] = {}
    kept: dict[str, list[Any]] = {f"p{number}": [] for number in range(4)}
    for number in range(REQUESTS):
        route = chance.choice(routes)
        ex = mixed(chance, number, route)
        record, _ = published(encode(snapshot(ex), Lands().of(ex.caller_address)))
        for scope in (route.proxy.id, route.proxy.client_id):
            seen.setdefault(scope, []).append(record)
        before = journal.shed
        journal.put(ex)
        if journal.shed == before:
            kept[route.proxy.id].append(record)
        if not number % 200:
            await journal.flush()
    await journal.flush()
    await journal.flush()
    assert 0 < journal.shed < REQUESTS
    assert journal.written + journal.shed == REQUESTS
    for proxy_id, records in kept.items():
        page = await log.list(proxy_id)
        assert {record["sKey"] for record in page.requests} == {record["sKey"] for record in records}
    for scope, records in seen.items():
        for name in INTERVALS:

            def shown(spans: Any, scope: str = scope, name: str = name) -> Any:
                return json.loads(b"[%b]" % b"".join(telemetry_shown(scope, name, spans, scope)))

            ask: Callable[..., Any] = log.telemetry
            spans = await ask(scope, INTERVALS.index(name), 0, 1 << 40, 1_000_000, shown)
            check_spans(spans, records, name)
    await journal.close()
    await log.close()


def test_the_plain_way_would_notice() -> None:
    """What `check_spans` says no to."""
    ex = mixed(random.Random(1), 0, routed())
    record, _ = published(encode(snapshot(ex)))
    with pytest.raises(AssertionError):
        check_spans([], [record], "day")
    assert smoothed([1.0]) == 1.0
