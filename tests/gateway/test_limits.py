"""Limits in a whole gateway: 32 connections at one time, and what a new proxy has of its client's limits.

Belongs here: many callers of one process. Does not: what is told of limits (tests/plugins/test_limits.py), several
processes (tests/processes/test_limits.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from attrs import evolve

from rrgate.model import Configuration
from tests.callers import Caller, in_thread
from tests.running_gateway import KEY, REGION, MadeProxy, RunningGateway
from tests.targets import Connection, Target

NOON = 1_773_144_000.0


class Counting(Target):
    """Answers, and counts how often."""

    def __init__(self) -> None:
        self.asked = 0
        super().__init__(self._serve_counted)

    def _serve_counted(self, connection: Connection) -> None:
        while connection.request() is not None:
            self.asked += 1
            connection.answer(b"ok")


@pytest.fixture
def target() -> Iterator[Counting]:
    with Counting() as target:
        yield target


@pytest_twisted.async_yield_fixture  # type: ignore[untyped-decorator]
async def standing(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    """A gateway whose wall clock stands."""
    running = RunningGateway.start(tmp_path / "state", wall=lambda: NOON)
    yield running
    await running.stop()


def configure(gateway: RunningGateway, **changes: Any) -> None:
    """Change the client's configuration."""
    directory = gateway.gateway.directory
    client = directory.clients[gateway.client]
    directory.put(evolve(client, configuration=Configuration(**changes)))


def hammered(gateway: RunningGateway, proxies: list[MadeProxy], connections: int, each: int) -> Counter[int]:
    """The statuses of so many requests on each connection, all at one time."""

    def calls(number: int) -> Counter[int]:
        seen: Counter[int] = Counter()
        with closing(Caller(gateway.address)) as caller:
            for turn in range(each):
                path = proxies[(number + turn) % len(proxies)].path
                seen[caller.call("GET", path, {"X-Api-Key": KEY}).status] += 1
        return seen

    with ThreadPoolExecutor(connections) as threads:
        return sum(threads.map(calls, range(connections)), Counter())


@pytest_twisted.ensureDeferred
async def test_exactly_as_many_pass_as_all_limits_allow(standing: RunningGateway, target: Counting) -> None:
    configure(standing, limit_per_minute=100)
    wide = await standing.proxy(target.url, proxyMaxRequestsPerMinute=None)
    narrow = await standing.proxy(target.url, proxyMaxRequestsPerMinute=30)
    seen = await in_thread(hammered, standing, [wide, narrow], 32, 10)
    assert seen == {200: 100, 429: 220}
    assert target.asked == 100


@pytest_twisted.ensureDeferred
async def test_a_new_proxy_has_its_clients_limits(gateway: RunningGateway) -> None:
    async def limits(**said: object) -> tuple[object, object]:
        parts = {
            "proxyProxyCredentialId": await gateway.credential("proxy", "apiKey", {"key": "a-key-of-some-length"}),
            "proxyTargetId": await gateway.target("https://example.com"),
            "proxyTargetCredentialId": await gateway.credential("target", "none", {}),
        }
        made = await gateway.make("proxies", {"proxyName": "proxy", "proxyRegion": REGION, **parts, **said})
        return made["proxyMaxRequestsPerMinute"], made["proxyMaxRequestsPerDay"]

    assert await limits() == (None, None)
    configure(gateway, plan="basic", limit_per_day=5000)
    assert await limits() == (100, 5000)
    assert await limits(proxyMaxRequestsPerMinute=20) == (20, 5000)
    assert await limits(proxyMaxRequestsPerDay=None) == (100, None)
    configure(gateway, limit_per_minute=70)
    assert await limits() == (70, None)
    configure(gateway)


@pytest.mark.parametrize("value", [0, -1, 1.5, "10", True, 10**13])
@pytest_twisted.ensureDeferred
async def test_a_limit_is_a_number_of_requests(gateway: RunningGateway, value: object) -> None:
    proxy = await gateway.proxy("https://example.com")
    told = await gateway.ask(
        "PUT", f"/clients/{gateway.client}/proxies/{proxy.id}", {"proxyMaxRequestsPerMinute": value}
    )
    assert told.status == 400
    assert [each["field"] for each in told.json["details"]] == ["proxyMaxRequestsPerMinute"]
