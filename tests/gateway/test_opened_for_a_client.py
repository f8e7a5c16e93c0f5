"""`allowedNetworks` on the wire: a network that is opened for one client is dialled for it, and for nobody else.

Belongs here: targets, and what credentials call, over real sockets. Does not: who sets it (tests/core/), the judgement
of addresses (tests/wire/test_guard.py).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_twisted
from attrs import evolve

from rrgate.store import Store
from tests.running_gateway import RunningGateway
from tests.targets import Target, echo


@pytest_twisted.async_yield_fixture  # type: ignore[untyped-decorator]
async def closed(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    """A gateway to which the operator has opened nothing."""
    running = RunningGateway.start(tmp_path / "state", allow_networks="")
    yield running
    await running.stop()


async def opening(gateway: RunningGateway, client: str, *networks: str) -> None:
    told = await gateway.ask("PUT", f"/clients/{client}/configuration", {"allowedNetworks": networks})
    assert told.status == 200, told.body


@pytest_twisted.ensureDeferred
async def test_it_is_open_for_one_client_as_long_as_it_says(closed: RunningGateway) -> None:
    gateway, first = closed, closed.client
    with Target(echo) as target:
        plain = {"targetAllowPlaintext": True}
        mine = await gateway.proxy(target.url, target=plain)
        told = await gateway.ask("POST", "/clients", {"clientName": "another"})
        gateway.client = told.json["clients"][0]["sKey"]
        others = await gateway.proxy(target.url, target=plain)
        gateway.client = first

        assert (await gateway.call(mine)).status == 502
        await opening(gateway, first, f"127.0.0.1:{target.port}")
        assert (await gateway.call(mine)).status == 200
        assert (await gateway.call(others)).status == 502
        await opening(gateway, first, f"127.0.0.1:{target.port + 1}", "10.0.0.0/8")
        # The connection that is kept from before is not used, either.
        assert (await gateway.call(mine)).status == 502
        assert target.connections == 1
        await opening(gateway, first, "127.0.0.0/8")
        assert (await gateway.call(mine)).status == 200
        await opening(gateway, first)
        assert (await gateway.call(mine)).status == 502
    assert target.connections == 2


@pytest_twisted.ensureDeferred
async def test_our_own_listeners_stay_shut(closed: RunningGateway) -> None:
    await opening(closed, closed.client, "0.0.0.0/0", "::/0")
    for port in (closed.address[1], closed.core_address[1]):
        proxy = await closed.proxy(f"http://127.0.0.1:{port}", target={"targetAllowPlaintext": True})
        assert (await closed.call(proxy)).status == 502


@pytest_twisted.ensureDeferred
async def test_users_are_followed_that_a_command_changes(closed: RunningGateway) -> None:
    gateway: Any = closed.gateway
    user = gateway.directory.users[closed.first.user_id]
    other = Store.open(gateway.settings.data)
    other.save(evolve(user, operator=False))
    other.close()
    await gateway._watch_tokens.look()
    assert not gateway.directory.users[user.id].operator
    assert (await closed.ask("POST", "/clients", {"clientName": "no longer"})).status == 403
