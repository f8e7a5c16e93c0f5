"""Telemetry of real requests, read over the Core API, with countries from a file.

Belongs here: the way from a caller's address to a span. Does not: sums of many (tests/test_telemetry_sums.py).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred

from rrgate.settings import SettingsError
from tests.maxmind_file import maxmind_file
from tests.running_gateway import RunningGateway
from tests.targets import Connection, Target, closed_port
from tests.telemetry_sums import check_spans


def answers(connection: Connection) -> None:
    while (request := connection.request()) is not None:
        connection.answer(b"hello", "404 Not Found" if "gone" in request.path else "200 OK")


@pytest_twisted.async_yield_fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    file = tmp_path / "countries.mmdb"
    file.write_bytes(maxmind_file({"203.0.113.0/24": {"country": {"iso_code": "NZ"}}}))
    running = RunningGateway.start(tmp_path / "state", country_file=str(file), trusted_proxies="127.0.0.1")
    yield running
    await running.stop()


async def telemetry(gateway: RunningGateway, where: str, interval: str) -> Any:
    await gateway.gateway.journal.flush()
    told = await gateway.ask("GET", f"/clients/{gateway.client}/{where}telemetry?interval={interval}")
    assert told.status == 200, told.body
    return told.json["telemetry"]


@ensureDeferred
async def test_what_callers_did_is_summed_up(gateway: RunningGateway) -> None:
    with Target(answers) as target:
        proxy = await gateway.proxy(target.url)
        broken = await gateway.proxy(f"http://127.0.0.1:{closed_port()}")
        from_there = {"X-Forwarded-For": "203.0.113.7"}
        statuses = [
            (await gateway.call(proxy, path="/", headers=from_there)).status,
            (await gateway.call(proxy, path="/gone")).status,
            (await gateway.call(proxy, headers=from_there, key="wrong")).status,
            (await gateway.call(broken, headers=from_there)).status,
        ]
    assert statuses == [200, 404, 401, 502]
    records = await gateway.records(proxy)
    assert [record["country"] for record in records] == ["NZ", "ZZ", "NZ"]
    for interval in ("minute", "hour", "day", "month"):
        spans = await telemetry(gateway, f"proxies/{proxy.id}/", interval)
        check_spans(spans, records, interval)
        assert {span["pKey"] for span in spans} == {span["proxyId"] for span in spans} == {proxy.id}
    (month,) = await telemetry(gateway, f"proxies/{proxy.id}/", "month")
    assert month["codeCountMap"] == {"200:proxy": 1, "200:target": 1, "404:proxy": 1, "404:target": 1, "401:proxy": 1}
    records += await gateway.records(broken)
    await gateway.delete("proxies", broken.id)
    for interval in ("minute", "hour", "day", "month"):
        check_spans(await telemetry(gateway, "", interval), records, interval)
    told = await gateway.ask("GET", f"/clients/{gateway.client}/proxies/{broken.id}/telemetry")
    assert told.status == 404


@ensureDeferred
async def test_a_file_of_countries_that_is_none_stops_the_start(tmp_path: Path) -> None:
    running = RunningGateway.start(tmp_path / "state")
    await running.stop()
    (tmp_path / "countries.mmdb").write_bytes(b"something else")
    with pytest.raises(SettingsError, match="country_file"):
        RunningGateway.open(tmp_path / "state", country_file=str(tmp_path / "countries.mmdb"))
