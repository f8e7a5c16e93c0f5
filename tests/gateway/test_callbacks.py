"""Callbacks of a whole gateway: over TLS to a receiver of their own, verified as receivers do, and to nowhere else.

Belongs here: sockets, certificates, addresses, redirects, secrets at rest. Does not: messages and retries
(tests/delivery/test_callbacks.py).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from standardwebhooks.webhooks import Webhook
from twisted.internet.ssl import Certificate
from twisted.internet.task import deferLater

from rrgate.outside_way import Reach
from tests import callers
from tests.callers import call, in_thread
from tests.certificates import Authority
from tests.gateway.test_async import Fickle, of
from tests.running_gateway import KEY, MadeProxy, RunningGateway
from tests.targets import Connection, Received, Target

AUTHORITY = Authority("the receivers' CA")


class Receiver(Target):
    """Keeps what it is told over TLS, and answers `status`."""

    def __init__(self, place: Path, authority: Authority = AUTHORITY) -> None:
        self.told: list[Received] = []
        self.status = "200 OK"
        self.fields: tuple[str, ...] = ()
        super().__init__(self._serve, tls=authority.server_context("localhost", place))

    def _serve(self, connection: Connection) -> None:
        while (received := connection.request()) is not None:
            self.told.append(received)
            connection.answer(b"", self.status, *self.fields)

    @property
    def host(self) -> str:
        return f"localhost:{self.port}"


@pytest_twisted.async_yield_fixture(scope="module")  # type: ignore[untyped-decorator]
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningGateway]:
    with pytest.MonkeyPatch.context() as patch:
        trust = Certificate.loadPEM(AUTHORITY.pem)
        patch.setattr("rrgate.way_out.Reach", partial(Reach, trust_root=trust))
        running = RunningGateway.start(tmp_path_factory.mktemp("gateway") / "state")
    yield running
    await running.stop()


@pytest.fixture
def target() -> Iterator[Fickle]:
    with Fickle() as target:
        yield target


async def called_back(gateway: RunningGateway, proxy: MadeProxy, url: str) -> Any:
    """The callback of a request once it has come to something."""
    from twisted.internet import reactor

    headers = [("X-Api-Key", KEY), ("requestrocket-callback-url", url)]
    taken = await in_thread(call, gateway.address, "POST", f"/async/{proxy.id}/", headers, b"{}")
    assert taken.status == 202, taken.body
    for _ in range(500):
        told = await gateway.record(proxy, taken.json["requestId"])
        callback = told["delivery"]["callback"]
        if callback is not None and callback["state"] not in ("queued", "sending"):
            return callback
        await deferLater(reactor, 0.01)  # type: ignore[arg-type]
    raise AssertionError(told["delivery"])


async def proxy_of(gateway: RunningGateway, target: Target, *hosts: str) -> tuple[MadeProxy, str]:
    """A proxy, and the secret of its callbacks."""
    proxy = await gateway.proxy(target.url, proxyCallbackHosts=list(hosts))
    watcher = callers.WATCHERS.pop(gateway.core_address)  # here, and nowhere else, it is to be seen
    made = await gateway.ask("POST", f"/clients/{proxy.client}/proxies/{proxy.id}/callback-secret")
    callers.WATCHERS[gateway.core_address] = watcher
    secret = made.json["callbackSecret"]["secret"]
    gateway.search.know("a callback's secret", secret.removeprefix("whsec_"))
    return proxy, secret


@pytest_twisted.ensureDeferred
async def test_a_receiver_knows_who_calls(gateway: RunningGateway, target: Fickle, tmp_path: Path) -> None:
    with Receiver(tmp_path) as receiver:
        proxy, secret = await proxy_of(gateway, target, receiver.host)
        url = f"https://{receiver.host}/told?token=only-the-receiver-knows-0003"
        gateway.search.know("what a callback's URL holds", "only-the-receiver-knows-0003")
        assert (await called_back(gateway, proxy, url))["state"] == "succeeded"
        (told,) = receiver.told
        assert (told.method, told.path) == ("POST", "/told?token=only-the-receiver-knows-0003")
        headers = {name.lower(): value for name, value in told.headers}
        assert Webhook(secret).verify(told.body, headers)["data"]["state"] == "succeeded"
        assert "authorization" not in headers, "what the target is shown is not shown to others"


@pytest_twisted.ensureDeferred
async def test_a_redirect_is_not_followed(gateway: RunningGateway, target: Fickle, tmp_path: Path) -> None:
    with Receiver(tmp_path) as receiver:
        receiver.status, receiver.fields = "307 Temporary Redirect", (f"Location: {target.url}/",)
        proxy, _ = await proxy_of(gateway, target, receiver.host)
        callback = await called_back(gateway, proxy, f"https://{receiver.host}/")
        assert (callback["state"], callback["message"]) == ("waiting", "The receiver answered 307")
        assert len(target.bodies) == 1, "the request alone"


@pytest_twisted.ensureDeferred
async def test_a_certificate_that_nobody_trusts(gateway: RunningGateway, target: Fickle, tmp_path: Path) -> None:
    with Receiver(tmp_path, Authority("somebody")) as receiver:
        proxy, _ = await proxy_of(gateway, target, receiver.host)
        callback = await called_back(gateway, proxy, f"https://{receiver.host}/")
        assert "certificate" in callback["message"]
        assert receiver.told == []


@pytest.mark.parametrize("host", ["10.0.0.1", "169.254.169.254", "[::1]", "100.64.0.1", "[64:ff9b::10.0.0.1]"])
@pytest_twisted.ensureDeferred
async def test_addresses_that_are_not_to_be_dialled(gateway: RunningGateway, target: Fickle, host: str) -> None:
    proxy, _ = await proxy_of(gateway, target, host)
    callback = await called_back(gateway, proxy, f"https://{host}/latest/meta-data")
    assert callback["message"] == "the server's addresses may not be dialled from here (see `allow_networks`)"


@pytest_twisted.ensureDeferred
async def test_our_own_listeners_are_not_called(gateway: RunningGateway, target: Fickle) -> None:
    core = f"127.0.0.1:{gateway.core_address[1]}"
    proxy, _ = await proxy_of(gateway, target, core)
    callback = await called_back(gateway, proxy, f"https://{core}/clients")
    assert callback["message"] == "the server's addresses may not be dialled from here (see `allow_networks`)"


@pytest_twisted.ensureDeferred
async def test_the_secret_of_another_client_cannot_be_made(gateway: RunningGateway, target: Fickle) -> None:
    proxy = await gateway.proxy(target.url)
    assert (await gateway.ask("POST", of(proxy, "x", "/../callback-secret"))).status == 404
    other = await gateway.ask("POST", "/clients", {"clientName": "Other"})
    where = f"/clients/{other.json['clients'][0]['sKey']}/proxies/{proxy.id}/callback-secret"
    assert (await gateway.ask("POST", where)).status == 404
