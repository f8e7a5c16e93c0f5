"""Notifications of a whole gateway: what happens to requests is told whom it concerns, once an hour, restarts or not.

Belongs here: from the event to the Core API's answer, and to a disk that is full. Does not: texts
(tests/test_notice_texts.py), other routes (tests/core/test_notifications.py).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted

from rrgate.boot_values import Event
from rrgate.testing.operator_log import operator_log
from tests.core.doubles import until
from tests.running_gateway import RunningGateway
from tests.targets import Target, echo

NOON = 1_773_144_000.0


@pytest.fixture
def target() -> Iterator[Target]:
    with Target(echo) as target:
        yield target


@pytest_twisted.async_yield_fixture  # type: ignore[untyped-decorator]
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    running = RunningGateway.start(tmp_path / "state")
    yield running
    await running.stop()


async def told(gateway: RunningGateway, path: str) -> list[Any]:
    """What is told there, newest first, once all is written."""
    await until(lambda: not gateway.gateway._notifier.busy)
    answer = await gateway.ask("GET", path)
    assert answer.status == 200, answer.body
    return [(each["title"], each["message"]) for each in answer.json["notifications"]]


@pytest_twisted.ensureDeferred
async def test_a_limit_is_told_once_an_hour_also_after_a_restart(tmp_path: Path, target: Target) -> None:
    data, now = tmp_path / "state", [NOON]
    running = RunningGateway.start(data, wall=lambda: now[0])
    path = f"/clients/{running.client}/notifications"
    proxy = await running.proxy(target.url, proxyName="Pay", proxyMaxRequestsPerMinute=1)
    reached = f'The proxy "Pay" ({proxy.id}) has used up its limit for a minute; further requests are refused until '
    reached += "the next begins."
    try:
        assert [(await running.call(proxy)).status for _ in range(3)] == [200, 429, 429]
        assert [message for _, message in await told(running, path)].count(reached) == 1
    finally:
        await running.stop()
    for later, times in ((1800, 1), (3600, 2)):
        now[0] = NOON + later
        again = RunningGateway(RunningGateway.open(data, wall=lambda: now[0]), running.first)
        try:
            assert [(await again.call(proxy)).status for _ in range(2)] == [200, 429]
            assert [message for _, message in await told(again, path)].count(reached) == times
        finally:
            await again.stop()


@pytest_twisted.ensureDeferred
async def test_operators_are_told_of_the_gateway_and_members_of_their_proxies(
    gateway: RunningGateway, target: Target
) -> None:
    proxy = await gateway.proxy(target.url, proxyName="Pay")
    for subject in (proxy.id, "nothing-has-this"):
        gateway.gateway.boot.tell(Event("proxy-broken", "a sentence", subject))
    gateway.gateway.boot.tell(Event("journal-trouble", "a sentence"))
    assert [title for title, _ in await told(gateway, "/notifications/system")] == [
        "Requests are not logged",
        "A proxy does not work",
        "A proxy does not work",
    ]
    (of_client,) = await told(gateway, f"/clients/{gateway.client}/notifications")
    assert of_client == ("A proxy does not work", f'The proxy "Pay" ({proxy.id}) cannot be compiled, and answers 500.')


@pytest_twisted.ensureDeferred
async def test_on_a_full_disk_requests_go_on_and_the_operator_reads_why(
    gateway: RunningGateway, target: Target
) -> None:
    proxy = await gateway.proxy(target.url, proxyMaxRequestsPerMinute=1)
    connection = gateway.gateway.store._store._connection
    connection.execute("PRAGMA query_only = ON")
    with operator_log() as log:
        assert [(await gateway.call(proxy)).status for _ in range(2)] == [200, 429]
        assert await told(gateway, f"/clients/{gateway.client}/notifications") == []
    assert "notifications cannot be kept (StoreError)" in log.text
    connection.execute("PRAGMA query_only = OFF")
    gateway.gateway.boot.tell(Event("proxy-broken", "a sentence", proxy.id))
    assert len(await told(gateway, f"/clients/{gateway.client}/notifications")) == 1
