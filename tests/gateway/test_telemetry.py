"""Telemetry of real requests, read over the Core API, with countries from a file.

Belongs here: the way from a caller's address to a span. Does not: sums of many (tests/test_telemetry_sums.py).
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred
from twisted.internet.task import deferLater

from rrgate.settings import SettingsError
from tests.gateway.test_async import comes_to, send
from tests.maxmind_file import maxmind_file
from tests.running_gateway import RunningGateway
from tests.targets import Connection, Target, closed_port
from tests.telemetry_sums import check_spans


def answers(connection: Connection) -> None:
    while (request := connection.request()) is not None:
        connection.answer(b"hello", "404 Not Found" if "gone" in request.path else "200 OK")


def answers_in_turn(connection: Connection, statuses: list[str]) -> None:
    while connection.request() is not None:
        connection.answer(b"", statuses.pop(0))


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


async def all_told(path: Path) -> None:
    """Returns when the log has all ends."""
    from twisted.internet import reactor

    with closing(sqlite3.connect(path)) as queue:
        for _ in range(500):
            if not queue.execute("SELECT count(*) FROM untold").fetchone()[0]:
                return
            await deferLater(reactor, 0.01)  # type: ignore[arg-type]
    raise AssertionError("there is one that the log was never told of")


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
async def test_attempts_at_asynchronous_requests_are_summed_up(gateway: RunningGateway) -> None:
    statuses = ["503 Busy", "503 Busy", "201 Created"]
    with Target(lambda connection: answers_in_turn(connection, statuses)) as target:
        proxy = await gateway.proxy(target.url, proxyRetryPolicy={"base": 0.01})
        request_id = await send(gateway, proxy, ("X-Forwarded-For", "203.0.113.7"))
        record = await comes_to(gateway, proxy, request_id, "succeeded")
    assert [attempt["status"] for attempt in record["delivery"]["attempts"]] == [503, 503, 201]
    for where in (f"proxies/{proxy.id}/", ""):
        for interval in ("minute", "hour", "day", "month"):
            check_spans(await telemetry(gateway, where, interval), [record], interval)
    (month,) = await telemetry(gateway, "", "month")
    assert month["codeCountMap"] == {"202:proxy": 1, "503:target": 2, "201:target": 1}
    assert month["countryCountMap"] == {"NZ:proxy": 1, "NZ:target": 3}
    assert 'rrgate_target_answers_total{status="503"} 2.0\n' in gateway.gateway.metrics.text().decode()


@pytest.mark.parametrize("has_it", [True, False])
@ensureDeferred
async def test_an_attempt_counts_once_whether_a_gateway_died_before_the_log_had_it_or_after(
    tmp_path: Path, has_it: bool
) -> None:
    running = RunningGateway.start(tmp_path / "state")
    with Target(lambda connection: answers_in_turn(connection, ["404 Not Found"])) as target:
        proxy = await running.proxy(target.url)
        request_id = await send(running, proxy)
        await comes_to(running, proxy, request_id, "failed")
    await running.stop()
    with closing(sqlite3.connect(tmp_path / "state" / "queue.db")) as queue, queue:
        queue.execute("INSERT INTO untold SELECT request, head FROM payloads")
    if not has_it:
        with closing(sqlite3.connect(tmp_path / "state" / "log.db")) as log, log:
            for table in ("requests", "telemetry", "telemetry_fresh"):
                log.execute(f"DELETE FROM {table}")
    running = RunningGateway(RunningGateway.open(tmp_path / "state"), running.first)
    await all_told(tmp_path / "state" / "queue.db")
    (month,) = await telemetry(running, f"proxies/{proxy.id}/", "month")
    assert month["codeCountMap"] == {"404:target": 1} | ({"202:proxy": 1} if has_it else {})
    await running.stop()


@ensureDeferred
async def test_a_file_of_countries_that_is_none_stops_the_start(tmp_path: Path) -> None:
    running = RunningGateway.start(tmp_path / "state")
    await running.stop()
    (tmp_path / "countries.mmdb").write_bytes(b"something else")
    with pytest.raises(SettingsError, match="country_file"):
        RunningGateway.open(tmp_path / "state", country_file=str(tmp_path / "countries.mmdb"))
