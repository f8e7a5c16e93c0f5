"""Token endpoints that fail over real sockets: a clear 502, an event, no second connection anywhere, and recovery.

Belongs here: whole gateways. Does not: every answer that is none (tests/plugins/test_oauth2.py).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import pytest_twisted
from attrs import define
from twisted.internet.defer import Deferred

from rrgate.api import Event, hookimpl
from tests.running_gateway import RunningGateway
from tests.targets import Connection, Target, closed_port, echo

GOOD = b'{"access_token": "a-good-token-after-all-0001", "token_type": "Bearer", "expires_in": 3600}'


class Listening:
    """Keeps events, and tells whoever waits for one."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    @hookimpl
    def rrgate_event(self, event: Event) -> None:
        self.events.append(event)


LISTENING = Listening()


@pytest_twisted.async_yield_fixture(scope="module")  # type: ignore[untyped-decorator]
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningGateway]:
    running = RunningGateway.start(tmp_path_factory.mktemp("gateway") / "state", plugins=[LISTENING])
    yield running
    await running.stop()


class Elsewhere(Target):
    """Where nobody may come."""

    def __init__(self) -> None:
        super().__init__(lambda connection: connection.answer(GOOD))


Fault = Callable[[Connection, Elsewhere], object]


def closes(connection: Connection, elsewhere: Elsewhere) -> None:
    connection.reset()


def says_html(connection: Connection, elsewhere: Elsewhere) -> None:
    connection.answer(b"<html><script>alert(1)</script></html>", "200 OK", "Content-Type: text/html")


def says_50_mb(connection: Connection, elsewhere: Elsewhere) -> None:
    connection.answer(b" " * 50_000_000 + GOOD)


def says_50_mb_in_chunks(connection: Connection, elsewhere: Elsewhere) -> None:
    connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(800):
        connection.send(b"10000\r\n" + b" " * 65536 + b"\r\n")


def leads_elsewhere(connection: Connection, elsewhere: Elsewhere) -> None:
    connection.answer(b"", "302 Found", f"Location: {elsewhere.url}/token")


def leads_elsewhere_with_its_body(connection: Connection, elsewhere: Elsewhere) -> None:
    connection.answer(b"", "307 Temporary Redirect", f"Location: {elsewhere.url}/token")


def refuses(connection: Connection, elsewhere: Elsewhere) -> None:
    connection.answer(b'{"error": "invalid_client", "error_description": "said-by-the-provider"}', "401 Unauthorized")


def breaks_off(connection: Connection, elsewhere: Elsewhere) -> None:
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + GOOD[:20])


FAULTS: list[Fault] = [
    closes,
    says_html,
    says_50_mb,
    says_50_mb_in_chunks,
    leads_elsewhere,
    leads_elsewhere_with_its_body,
    refuses,
    breaks_off,
]


async def proxy_with(gateway: RunningGateway, target: Target, token_url: str) -> Any:
    secret = {
        "grantType": "client_credentials",
        "tokenUrl": token_url,
        "clientId": "a-client",
        "clientSecret": "client-secret-of-the-faults",
    }
    return await gateway.proxy(target.url, towards=("oauth2", secret))


async def check_refused(gateway: RunningGateway, proxy: Any) -> None:
    answer = await gateway.call(proxy)
    assert (answer.status, answer.code) == (502, "target-credential-failed")
    assert 1 <= int(answer["Retry-After"]) <= 2
    assert b"said-by" not in answer.body
    assert b"script" not in answer.body
    kinds = [event.kind for event in LISTENING.events if event.subject == proxy.target_credential]
    assert kinds == ["credential-failed"]


@define
class Failing:
    """A provider that has a fault until it `works`; what it would give a token for, and where it leads to."""

    target: Target
    provider: Target
    elsewhere: Elsewhere
    works: bool = False
    proxy: Any = None
    refused_at: float = 0.0


class Providers:
    """One for each fault, in use from its first test to its last: they wait side by side until they are asked again."""

    def __init__(self, gateway: RunningGateway, open: ExitStack) -> None:
        self._gateway = gateway
        self._open = open
        self._known: dict[Fault, Failing] = {}

    async def refused(self, fault: Fault) -> Failing:
        """The one with this fault, of which the gateway knows it."""
        if fault not in self._known:
            found: Failing

            def serve(connection: Connection) -> None:
                if connection.request() is not None:
                    connection.answer(GOOD) if found.works else fault(connection, found.elsewhere)

            opened = [self._open.enter_context(each) for each in (Target(echo), Target(serve), Elsewhere())]
            found = Failing(*opened)
            found.proxy = await proxy_with(self._gateway, found.target, f"{found.provider.url}/token")
            await check_refused(self._gateway, found.proxy)
            found.refused_at = self._gateway.gateway.reactor.seconds()
            self._known[fault] = found
        return self._known[fault]

    async def waited(self, fault: Fault) -> Failing:
        """It, when it may be asked again."""
        found = await self.refused(fault)
        waiting: Deferred[None] = Deferred()
        reactor = self._gateway.gateway.reactor
        reactor.callLater(max(0.0, found.refused_at + 1.05 - reactor.seconds()), waiting.callback, None)
        await waiting
        return found


@pytest.fixture(scope="module")
def providers(gateway: RunningGateway) -> Iterator[Providers]:
    with ExitStack() as open:
        yield Providers(gateway, open)


each_fault = pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)


@each_fault
@pytest_twisted.ensureDeferred
async def test_an_endpoint_that_fails(providers: Providers, fault: Fault) -> None:
    found = await providers.refused(fault)
    assert (found.target.connections, found.elsewhere.connections) == (0, 0)


@each_fault
@pytest_twisted.ensureDeferred
async def test_one_that_works_again(gateway: RunningGateway, providers: Providers, fault: Fault) -> None:
    found = await providers.waited(fault)
    found.works = True
    assert (await gateway.call(found.proxy)).status == 200
    assert found.elsewhere.connections == 0


@pytest_twisted.ensureDeferred
async def test_an_endpoint_that_is_not_there(gateway: RunningGateway) -> None:
    with Target(echo) as target:
        await check_refused(gateway, await proxy_with(gateway, target, f"http://127.0.0.1:{closed_port()}/token"))


@pytest_twisted.ensureDeferred
async def test_an_endpoint_where_the_gateway_itself_is(gateway: RunningGateway) -> None:
    """Our own listeners are never dialled, whatever is opened."""
    with Target(echo) as target:
        for host, port in (gateway.address, gateway.core_address):
            await check_refused(gateway, await proxy_with(gateway, target, f"http://{host}:{port}/token"))
