"""A caller's secret is replaced while requests run: for a while either works, and neither reaches a target.

Belongs here: rotation through the Core API and its effect on real requests, restarts included. Does not: every rule of
the fields (tests/core/test_rotation.py).
"""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted

from rrgate.core.rotation import end_overlaps
from rrgate.model.times import format_milliseconds
from rrgate.store import Store
from tests.callers import Answer
from tests.running_gateway import MadeProxy, RunningGateway
from tests.targets import Target, echo

UNTIL = "credentialPreviousSecretExpiresAt"
OLD = ("apiKey", {"key": "X-Old", "value": "old-secret-0001"})
WARNING = "requestrocket-proxy-warning"

AUTH_TYPES = {
    "apiKey": (
        OLD,
        {"key": "X-New", "value": "new-secret-0001"},
        ("X-Old", "old-secret-0001"),
        ("X-New", "new-secret-0001"),
    ),
    "bearer": (
        ("bearer", {"token": "old-secret-0001"}),
        {"token": "new-secret-0001", "prefix": "Token "},
        ("Authorization", "Bearer old-secret-0001"),
        ("Authorization", "Token new-secret-0001"),
    ),
    "basicAuth": (
        ("basicAuth", {"username": "ann", "password": "old-secret-0001"}),
        {"username": "ann", "password": "new-secret-0001"},
        ("Authorization", "Basic " + b64encode(b"ann:old-secret-0001").decode()),
        ("Authorization", "basic " + b64encode(b"ann:new-secret-0001").decode()),
    ),
    "jwt": (
        ("jwt", {"token": "eyJhbGciOiJIUzI1NiJ9.e30.old-secret-0001"}),
        {"token": "eyJhbGciOiJIUzI1NiJ9.e30.new-secret-0001"},
        ("Authorization", "eyJhbGciOiJIUzI1NiJ9.e30.old-secret-0001"),
        ("Authorization", "Bearer eyJhbGciOiJIUzI1NiJ9.e30.new-secret-0001"),
    ),
}


class Turned:
    """A wall clock that a test turns."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead

    def at(self, seconds: float) -> str:
        """So many seconds from now, as the Core API wants it."""
        return format_milliseconds(int((self() + seconds) * 1000))


@pytest.fixture
def wall() -> Turned:
    return Turned()


@pytest_twisted.async_yield_fixture  # type: ignore[untyped-decorator]
async def running(tmp_path: Path, wall: Turned) -> AsyncIterator[RunningGateway]:
    gateway = RunningGateway.start(tmp_path / "state", wall=wall)
    yield gateway
    await gateway.stop()


async def shown(gateway: RunningGateway, proxy: MadeProxy, *pairs: tuple[str, str], path: str = "/") -> Answer:
    return await gateway.call(proxy, "GET", path, pairs, key=None)


@pytest.mark.parametrize("auth_type", AUTH_TYPES)
@pytest_twisted.ensureDeferred
async def test_either_works_until_the_old_one_does_not(running: RunningGateway, wall: Turned, auth_type: str) -> None:
    caller, secret, old, new = AUTH_TYPES[auth_type]
    with Target(echo) as target:
        proxy = await running.proxy(target.url, caller=caller)
        assert (await shown(running, proxy, old)).status == 200
        until = wall.at(3600)
        told = await running.change("credentials", proxy.caller_credential, credentialSecret=secret, **{UNTIL: until})
        assert told[UNTIL] == until
        for pair, warned in ((old, True), (new, False)):
            answer = await shown(running, proxy, pair)
            assert answer.status == 200
            assert (WARNING in answer) == warned
            assert pair[1].partition(" ")[2].encode() not in answer.body or " " not in pair[1]
            assert b"secret-0001" not in answer.body
        assert until in (await shown(running, proxy, old))[WARNING]
        assert (await shown(running, proxy, (old[0], "wrong"))).status == 401
        assert WARNING not in await shown(running, proxy, (old[0], "wrong"))
        wall.ahead = 3600
        answer = await shown(running, proxy, old)
        assert (answer.status, answer.code) == (401, "proxy-access-denied")
        assert (await shown(running, proxy, new)).status == 200


@pytest_twisted.ensureDeferred
async def test_neither_reaches_the_target(running: RunningGateway, wall: Turned) -> None:
    caller, secret, old, new = AUTH_TYPES["apiKey"]
    with Target(echo) as target:
        proxy = await running.proxy(target.url, caller=caller)
        await running.change("credentials", proxy.caller_credential, credentialSecret=secret, **{UNTIL: wall.at(60)})
        for pairs in ((old, new), (new, ("X-Old", "anything")), (old, ("X-New", "wrong"))):
            for path in ("/?a=1", "/?X-Old=1&X-New=2&a=1"):
                answer = await shown(running, proxy, *pairs, path=path)
                if "X-Old=" in path:
                    # Header and parameter differ: what is ambiguous is refused, whichever secret is meant.
                    assert answer.status == 401
                    continue
                assert answer.status == 200
                assert not {"x-old", "x-new"} & {name.lower() for name, _ in answer.json["headers"]}
                assert answer.json["line"] == "GET /?a=1 HTTP/1.1"
        # Shown as parameters.
        answer = await shown(running, proxy, path="/?x_old=old-secret-0001&a=1&x-new=zzz")
        assert answer.status == 200
        assert answer.json["line"] == "GET /?a=1 HTTP/1.1"


@pytest.mark.parametrize("change", [{UNTIL: None}, {"credentialSecret": {"key": "X-Old", "value": "third-secret"}}])
@pytest_twisted.ensureDeferred
async def test_an_overlap_ends_at_once(running: RunningGateway, wall: Turned, change: Any) -> None:
    caller, secret, old, _ = AUTH_TYPES["apiKey"]
    with Target(echo) as target:
        proxy = await running.proxy(target.url, caller=caller)
        await running.change("credentials", proxy.caller_credential, credentialSecret=secret, **{UNTIL: wall.at(60)})
        assert (await shown(running, proxy, old)).status == 200
        await running.change("credentials", proxy.caller_credential, **change)
        assert (await shown(running, proxy, old)).status == 401


@pytest.mark.parametrize("change", [{"credentialActive": False}, {"credentialExpiresAt": "2020-01-01T00:00:00Z"}])
@pytest_twisted.ensureDeferred
async def test_neither_works_when_the_credential_does_not(
    running: RunningGateway, wall: Turned, change: Any
) -> None:
    caller, secret, old, new = AUTH_TYPES["apiKey"]
    with Target(echo) as target:
        proxy = await running.proxy(target.url, caller=caller)
        await running.change("credentials", proxy.caller_credential, credentialSecret=secret, **{UNTIL: wall.at(60)})
        assert WARNING in await shown(running, proxy, old)
        await running.change("credentials", proxy.caller_credential, **change)
        wrong = await shown(running, proxy, (old[0], "wrong"))
        for pair in (old, new):
            answer = await shown(running, proxy, pair)
            assert answer.status == wrong.status == 401
            # Nothing that only who shows the right one is told.
            assert [name for name, _ in answer.headers] == [name for name, _ in wrong.headers]
            assert WARNING not in answer


@pytest_twisted.ensureDeferred
async def test_the_overlap_outlives_a_restart_and_its_secret_does_not_outlive_it(
    tmp_path: Path, wall: Turned
) -> None:
    caller, secret, old, new = AUTH_TYPES["apiKey"]
    data = tmp_path / "state"
    gateway = RunningGateway.start(data, wall=wall)
    with Target(echo) as target:
        proxy = await gateway.proxy(target.url, caller=caller)
        await gateway.change("credentials", proxy.caller_credential, credentialSecret=secret, **{UNTIL: wall.at(60)})
        await gateway.stop()
        gateway = RunningGateway(RunningGateway.open(data, wall=wall), gateway.first)
        for pair in (old, new):
            assert (await shown(gateway, proxy, pair)).status == 200
        wall.ahead = 60
        await end_overlaps(gateway.gateway._house)
        told = await gateway.ask("GET", f"/clients/{proxy.client}/credentials/{proxy.caller_credential}")
        assert told.json["credentials"][0][UNTIL] is None
        wall.ahead = 0
        assert (await shown(gateway, proxy, old)).status == 401
        await gateway.stop()
    store = Store.open(data)
    kept = {each.id: each for each in store.load().credentials}[proxy.caller_credential]
    store.close()
    assert (kept.previous_sealed_secret, kept.previous_secret_version, kept.secret_version) == (None, None, 2)
