"""How many requests a user may make of the Core API in a minute."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_twisted
from attrs import evolve

from rrgate.core.user_limit import UserLimit
from rrgate.counters import Counters
from tests.core.doubles import Core


@pytest_twisted.async_yield_fixture  # type: ignore[untyped-decorator]
async def limited() -> AsyncIterator[Core]:
    """A Core API of which each user may make three requests a minute."""
    running = Core()
    running.seconds = 1_773_146_015.0  # 35 seconds into a minute
    counters = Counters.alone(lambda: running.seconds)
    running.house = evolve(running.house, user_limit=UserLimit(counters, 3))
    await running.start()
    yield running
    await running.stop()
    counters.close()


@pytest_twisted.ensureDeferred
async def test_each_user_has_so_many_a_minute(limited: Core) -> None:
    told = [await limited.ask("GET", "/clients") for _ in range(5)]
    assert [each.status for each in told] == [200] * 3 + [429] * 2
    assert told[3].headers["retry-after"] == "25"
    assert told[3].headers["x-ratelimit-limit"] == "3"
    assert told[3].headers["x-ratelimit-remaining"] == "0"
    assert told[3].document == {
        "error": "Too Many Requests",
        "message": "You have 3 requests a minute; wait 25 seconds.",
    }
    assert (await limited.ask("GET", "/clients", token="u-bob")).status == 200
    limited.seconds += 25
    assert (await limited.ask("GET", "/clients")).status == 200


@pytest_twisted.ensureDeferred
async def test_what_is_refused_counts_and_a_change_counts_once(limited: Core) -> None:
    assert (await limited.ask("GET", "/clients/other", token="u-adam")).status == 404
    assert (await limited.ask("PUT", "/clients/acme", {"clientName": "x"}, token="u-adam")).status == 403
    assert (await limited.ask("PUT", "/clients/acme", {"clientName": "x"})).status == 200
    assert (await limited.ask("POST", "/clients", {"clientName": "y"})).status == 200
    assert [(await limited.ask("GET", "/clients", token=f"u-{who}")).status for who in ("adam", "alice")] == [200, 200]
    assert [(await limited.ask("GET", "/clients", token=f"u-{who}")).status for who in ("adam", "alice")] == [429, 429]


@pytest_twisted.ensureDeferred
async def test_who_is_not_known_is_not_counted_and_needs_no_room(limited: Core) -> None:
    for _ in range(4):
        assert (await limited.ask("GET", "/healthz", token=None)).status == 200
        assert (await limited.ask("GET", "/clients", token="u-nobody")).status == 401


@pytest_twisted.ensureDeferred
async def test_without_the_setting_there_is_no_limit(core: Core) -> None:
    assert {(await core.ask("GET", "/clients")).status for _ in range(20)} == {200}
