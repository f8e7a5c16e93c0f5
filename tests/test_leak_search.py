"""The search that ends every whole gateway of the tests notices a secret in each place where it looks.

Belongs here: planting, for each sink, in this process and in one of its own. Does not: spellings (test_canary.py),
driving a gateway into leaking (tests/gateway/test_leaks.py).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.logger import Logger

from rrgate.api import Denied, Exchange, Kind, NoConfig, Parts, Plugin, hookimpl
from rrgate.cli.init import create_state
from tests.callers import WATCHERS, Caller, in_thread
from tests.leak_search import LeakSearch
from tests.processes.twistd import Twistd
from tests.running_gateway import KEY, TOKEN, GatewayClient, MadeProxy, RunningGateway
from tests.targets import Connection, Target, echo

PLANTED = "planted-where-none-may-be-4711"


class Telling(Plugin):
    """Tells callers who ask for it what is planted."""

    name = "telling"
    kind = Kind.OWN

    @classmethod
    def for_proxy(cls, parts: Parts) -> NoConfig:
        return NoConfig()

    def authorize(self, ex: Exchange) -> Denied | None:
        return Denied("it was asked for", 403, PLANTED) if ex.header(b"X-Tell") else None


class Plugins:
    @hookimpl
    def rrgate_plugins(self) -> list[type[Plugin]]:
        return [Telling]


async def in_a_name(gateway: GatewayClient, proxy: MadeProxy) -> None:
    assert (await gateway.ask("PUT", f"/clients/{proxy.client}/proxies/{proxy.id}", {"proxyName": PLANTED})).status


async def in_a_request(gateway: GatewayClient, proxy: MadeProxy) -> None:
    assert (await gateway.call(proxy, "GET", f"/?page={PLANTED}")).status == 200


async def in_a_refusal(gateway: GatewayClient, proxy: MadeProxy) -> None:
    assert (await gateway.call(proxy, "GET", "/", {"X-Tell": "yes"})).status == 403


async def in_the_rest(gateway: GatewayClient, proxy: MadeProxy) -> None:
    def ask() -> None:
        with Caller(gateway.address) as caller:
            caller.send("GET", proxy.path, {"X-Api-Key": KEY, "X-Tell": "yes", "Connection": "close"})
            assert caller.rest()

    await in_thread(ask)


async def in_the_log(gateway: Any, proxy: MadeProxy) -> None:
    Logger(namespace="rrgate.somewhere").debug("this {much}", much=PLANTED)


Planting = Callable[[Any, MadeProxy], Awaitable[None]]
PLANTS: list[tuple[Planting, set[str]]] = [
    (in_a_name, {"rrgate.db", "rrgate.db-wal", "answers of the Core API"}),
    (in_a_request, {"log.db", "log.db-wal"}),
    (in_a_refusal, {"answers to callers"}),
    (in_the_rest, {"answers to callers"}),
    (in_the_log, {"the log"}),
]


@pytest.mark.parametrize(("plant", "sinks"), PLANTS)
@pytest_twisted.ensureDeferred
async def test_what_is_planted_fails_the_test(tmp_path: Path, plant: Planting, sinks: set[str]) -> None:
    gateway = RunningGateway.start(tmp_path / "state", plugins=[Plugins()])
    with Target(echo) as target:
        proxy = await gateway.proxy(target.url, caller=("apiKey", {"key": "X-Api-Key", "value": KEY}))
        gateway.search.know("what is planted", PLANTED)
        await plant(gateway, proxy)
    with pytest.raises(AssertionError) as raised:
        await gateway.stop()
    told = str(raised.value)
    assert {line.strip().partition(":")[0] for line in told.splitlines()[1:]} >= sinks
    assert PLANTED not in told
    # Nothing of it is left for the next one.
    gateway.search.end()


@pytest_twisted.ensureDeferred
async def test_a_run_without_a_leak_ends_well(tmp_path: Path) -> None:
    gateway = RunningGateway.start(tmp_path / "state", plugins=[Plugins()])
    gateway.search.know("what is planted", PLANTED)
    with Target(echo) as target:
        assert (await gateway.call(await gateway.proxy(target.url))).status == 200
    await gateway.stop()


@pytest.mark.parametrize(
    ("document", "known"),
    [
        ({"credentialAuthType": "bearer", "credentialSecret": {"token": TOKEN}}, [TOKEN]),
        ({"credentialAuthType": "apiKey", "credentialSecret": {"key": KEY}}, [KEY]),
        ({"credentialAuthType": "apiKey", "credentialSecret": {"key": "X-A-Header-For-Keys", "value": KEY}}, [KEY]),
        ({"credentialSecret": {"token": TOKEN}}, [TOKEN]),
        ({"credentialAuthType": "unknown", "credentialSecret": {"a": [{"b": TOKEN}]}}, [TOKEN]),
        ({"credentialAuthType": "bearer", "credentialSecret": {"tokn": TOKEN}}, [TOKEN]),
        ({"credentialSecret": TOKEN}, [TOKEN]),
    ],
)
@pytest_twisted.ensureDeferred
async def test_secrets_are_seen_on_their_way(tmp_path: Path, document: Any, known: list[str]) -> None:
    gateway = RunningGateway.start(tmp_path / "state")
    before = set(gateway.search._secrets)
    assert before == {gateway.first.token}
    await gateway.ask("POST", f"/clients/{gateway.client}/credentials", document)
    assert set(gateway.search._secrets) - before == set(known)
    await gateway.stop()


def test_what_a_caller_shows_is_a_secret() -> None:
    search = LeakSearch()
    search.watch("a gateway", "a Core API")
    try:
        shown = [("x-api-key", KEY), ("Authorization", f"Bearer {TOKEN}"), ("X-Other", "x" * 20)]
        WATCHERS["a gateway"].asked(shown, b"")
    finally:
        search.end()
    assert set(search._secrets) == {KEY, TOKEN}


@pytest_twisted.ensureDeferred
async def test_what_a_provider_gives_is_a_secret(tmp_path: Path) -> None:
    def gives_tokens(connection: Connection) -> None:
        while connection.request() is not None:
            connection.answer(b'{"access_token": "%s", "token_type": "Bearer"}' % PLANTED.encode())

    gateway = RunningGateway.start(tmp_path / "state")
    with Target(echo) as target, Target(gives_tokens) as provider:
        secret = {"grantType": "client_credentials", "tokenUrl": provider.url, "clientId": "a", "clientSecret": TOKEN}
        proxy = await gateway.proxy(target.url, towards=("oauth2", secret))
        assert (await gateway.call(proxy)).status == 200
        await in_a_request(gateway, proxy)
    with pytest.raises(AssertionError, match="a provider's access_token"):
        await gateway.stop()


@pytest_twisted.ensureDeferred
async def test_it_ends_processes_too(tmp_path: Path) -> None:
    data = tmp_path / "state"
    first = create_state(data)
    told = ""
    with Target(echo) as target:
        try:
            with Twistd(data).ready() as process:
                client = process.client(first)
                proxy = await client.proxy(target.url)
                client.search.know("what is planted", PLANTED)
                await in_a_name(client, proxy)
                await in_a_request(client, proxy)
                with process.log.open("a") as log:
                    log.write(PLANTED)
                process.terminate()
                process.ended()
        except AssertionError as raised:
            told = str(raised)
    found = {line.strip().partition(":")[0] for line in told.splitlines()[1:]}
    assert found >= {"rrgate.db", "log.db", "the log", "answers of the Core API"}
