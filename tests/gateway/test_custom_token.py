"""`customToken` over real sockets: one request for many callers, IPv6, and servers that answer what they may not.

Belongs here: that. Does not: reading answers (tests/plugins/test_custom_token.py).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import pytest_twisted

from rrgate.api import Exchange, Kind, NoConfig, Plugin, hookimpl
from tests.running_gateway import MadeProxy, RunningGateway
from tests.targets import Connection, Target, closed_port, echo

TOKEN = "a-token-0001/of-a-custom-server"


class Server(Target):
    """Gives out `TOKEN`, or does what `says` does."""

    def __init__(self, says: Callable[[Connection], object] | None = None, host: str = "127.0.0.1") -> None:
        self.asked = 0
        self._says = says
        super().__init__(self._answer, host=host)

    def _answer(self, connection: Connection) -> None:
        while connection.request() is not None:
            self.asked += 1
            if self._says is None:
                connection.answer(b'{"t": "%b", "s": 600}' % TOKEN.encode())
            else:
                self._says(connection)


async def proxy_to(gateway: RunningGateway, target: Target, url: str) -> MadeProxy:
    # So long that half of it is no address of anything else.
    request = {
        "url": f"{url}?key=a-key-0001/of-ours-that-is-long-enough",
        "body": {"password": "a-password-0001/of-ours"},
    }
    secret: dict[str, Any] = {
        "request": request,
        "tokenPath": "$.t",
        "expiresInPath": "$.s",
    }
    return await gateway.proxy(target.url, towards=("customToken", secret))


class Waited(Plugin):
    """Tells when `count` requests have come as far as to be shown a token."""

    name = "waited"
    kind = Kind.OWN
    count = 200
    come = 0
    all_come = Event()

    @classmethod
    def for_proxy(cls, parts: Any) -> NoConfig:
        return NoConfig()

    def prepare(self, ex: Exchange) -> None:
        cls = type(self)
        cls.come += 1
        if cls.come == cls.count:
            # Those before wait for the token by now, and this one will when the reactor comes to anything else.
            self.context.clock.callLater(0, cls.all_come.set)


class Plugins:
    @hookimpl
    def rrgate_plugins(self) -> list[type[Plugin]]:
        return [Waited]


@pytest_twisted.ensureDeferred
async def test_200_at_once_on_a_cold_credential_ask_once(tmp_path: Path) -> None:
    came: list[bool] = []

    def says(connection: Connection) -> None:
        came.append(Waited.all_come.wait(20))
        connection.answer(b'{"t": "%b", "s": 600}' % TOKEN.encode())

    gateway = RunningGateway.start(tmp_path / "state", plugins=[Plugins()])
    try:
        with Target(echo) as target, Server(says) as server:
            proxy = await proxy_to(gateway, target, f"{server.url}/login")
            answers = await gateway.calls_at_once(proxy, [{}] * Waited.count)
            assert came == [True]
            assert [answer.status for answer in answers] == [200] * Waited.count
            for answer in answers:
                assert ["Authorization", f"Bearer {TOKEN}"] in answer.json["headers"]
            assert (await gateway.call(proxy)).status == 200
            assert (server.asked, server.connections) == (1, 1)
    finally:
        await gateway.stop()


def fifty_megabytes(connection: Connection) -> None:
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 52428800\r\n\r\n")
    for _ in range(800):
        connection.send(bytes(65536))


FAULTS: dict[str, Callable[[Connection], object]] = {
    "HTML": lambda connection: connection.answer(b"<html>a-password-0001/of-ours</html>"),
    "a redirect": lambda connection: connection.answer(b"", "302 Found", "Location: http://127.0.0.1:1/"),
    "50 MB": fifty_megabytes,
    "no HTTP": lambda connection: connection.send(b"220 mail.test\r\n"),
    "an error": lambda connection: connection.answer(b'{"t": "%b"}' % TOKEN.encode(), "403 Forbidden"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest_twisted.ensureDeferred
async def test_what_it_may_not_answer(gateway: RunningGateway, fault: str) -> None:
    with Target(echo) as target, Server(FAULTS[fault]) as server:
        proxy = await proxy_to(gateway, target, f"{server.url}/login")
        answer = await gateway.call(proxy)
        assert (answer.status, answer.code) == (502, "target-credential-failed")
        assert target.connections == 0


@pytest.mark.parametrize("where", ["http://127.0.0.1:{}/", "http://169.254.169.254:{}/", "https://[::1]:{}/"])
@pytest_twisted.ensureDeferred
async def test_where_nobody_answers_or_none_may_go(gateway: RunningGateway, where: str) -> None:
    with Target(echo) as target:
        proxy = await proxy_to(gateway, target, where.format(closed_port()))
        answer = await gateway.call(proxy)
        assert (answer.status, answer.code) == (502, "target-credential-failed")
        assert "password" not in answer.body.decode()


@pytest_twisted.ensureDeferred
async def test_a_server_with_an_ipv6_address(tmp_path: Path) -> None:
    with Target(echo) as target, Server(host="::1") as server:
        for opened, status in ((f"[::1/128]:{server.port}", 200), (f"[::1/128]:{closed_port()}", 502)):
            networks = f"127.0.0.0/8,{opened}"
            gateway = RunningGateway.start(tmp_path / str(status), allow_networks=networks)
            try:
                proxy = await proxy_to(gateway, target, f"{server.url}/login")
                assert (await gateway.call(proxy)).status == status
            finally:
                await gateway.stop()
    assert (server.asked, server.connections) == (1, 1)
