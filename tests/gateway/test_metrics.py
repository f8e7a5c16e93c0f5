"""/metrics of a whole gateway: what was done to it is what a scrape says, and who may scrape.

Belongs here: the two ways to it. Does not: the text (tests/metrics/), its page (tests/docs/test_metrics_page.py).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_twisted
from prometheus_client.parser import text_string_to_metric_families
from pytest_twisted import ensureDeferred

from tests.callers import Address, call, in_thread
from tests.running_gateway import KEY, TOKEN, RunningGateway
from tests.targets import Connection, Target, closed_port


def answers(connection: Connection) -> None:
    while (request := connection.request()) is not None:
        connection.answer(b"hello", "404 Not Found" if "gone" in request.path else "200 OK")


@pytest_twisted.async_yield_fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    running = RunningGateway.start(tmp_path / "state", metrics_listen="tcp:0:interface=127.0.0.1")
    yield running
    await running.stop()


def listener(gateway: RunningGateway) -> Address:
    """Where the metrics' own listener is."""
    return "127.0.0.1", gateway.gateway.ports[2].getHost().port  # type: ignore[attr-defined]


def read(text: str) -> dict[str, float]:
    """By name and labels, as in `requests_total{status=200}`."""
    return {
        sample.name + "".join(f"{{{name}={value}}}" for name, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@ensureDeferred
async def test_what_callers_did_is_in_it(gateway: RunningGateway) -> None:
    with Target(answers) as target:
        proxy = await gateway.proxy(target.url)
        broken = await gateway.proxy(f"http://127.0.0.1:{closed_port()}")
        await gateway.call(proxy, path="/?token=query-5e1d")
        await gateway.call(proxy, path="/gone-5e1d")
        await gateway.call(proxy, headers={"X-Any": "header-5e1d"}, key="wrong-5e1d")
        await gateway.call(broken)
        await gateway.gateway.journal.flush()
        # A row is counted when its batch is taken, which is before it is written.
        answer = await in_thread(call, listener(gateway), "GET", "/metrics", {})
    assert answer.status == 200
    assert dict(answer.headers)["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    shown = read(answer.body.decode())
    for status in (200, 401, 404, 502):
        assert shown[f"rrgate_requests_total{{status={status}}}"] == 1
    assert shown["rrgate_target_answers_total{status=200}"] == 1
    assert "rrgate_target_answers_total{status=401}" not in shown
    assert shown[f"rrgate_proxy_requests_total{{proxy={proxy.id}}}"] == 3
    assert shown["rrgate_request_seconds_count{leg=proxy}"] == 4
    assert shown["rrgate_request_seconds_count{leg=target}"] == 2
    assert shown["rrgate_journal_written_rows_total"] == 4
    assert shown["rrgate_journal_shed_rows_total"] == shown["rrgate_journal_waiting_rows"] == 0
    assert (shown["rrgate_ready"], shown["rrgate_requests_in_flight"]) == (1, 0)
    for secret in ("5e1d", KEY, TOKEN, gateway.first.token):
        assert secret not in answer.body.decode()


@ensureDeferred
async def test_on_the_core_listener_it_is_for_operators(gateway: RunningGateway) -> None:
    answer = await gateway.ask("GET", "/metrics")
    assert answer.status == 200
    assert "rrgate_ready" in read(answer.body.decode())
    bearer = await in_thread(
        call, gateway.core_address, "GET", "/metrics", {"Authorization": f"Bearer {gateway.first.token}"}
    )
    assert bearer.status == 200
    assert (await gateway.ask("GET", "/metrics", token="u-nobody")).status == 401
    assert (await gateway.ask("GET", "/api/metrics")).status == 404


@ensureDeferred
async def test_its_own_listener_has_nothing_else(gateway: RunningGateway) -> None:
    for path in ("/", "/clients", "/healthz", "/metrics/more", "/openapi.json"):
        assert (await in_thread(call, listener(gateway), "GET", path, {})).status == 404
    assert (await in_thread(call, listener(gateway), "POST", "/metrics", {}, b"")).status == 405


@ensureDeferred
async def test_its_own_listener_is_never_a_target(gateway: RunningGateway) -> None:
    host, port = listener(gateway)
    proxy = await gateway.proxy(f"http://{host}:{port}")
    assert (await gateway.call(proxy, path="/metrics")).status == 502
