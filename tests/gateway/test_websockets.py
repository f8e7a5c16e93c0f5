"""WebSockets through a whole gateway, with a library's caller and target on loopback.

Belongs here: what callers and targets see of each other. Does not: frames that no library sends (tests/websocket/).
"""

from __future__ import annotations

import selectors
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.protocol import Factory, Protocol
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection
from websockets.typing import Subprotocol

from rrgate.websocket.handshake import accept_of
from tests.callers import SECONDS, in_thread
from tests.certificates import Authority
from tests.real_parts import many_files
from tests.running_gateway import KEY, TOKEN, MadeProxy, RunningGateway
from tests.websocket.memory import TEXT, frame
from tests.websocket_peers import SocketTarget, caller, socket_target

MEGABYTE = 1024 * 1024
NO_MORE = "its proxy, target or credential was switched off or deleted"


@pytest.fixture(scope="module")
def target() -> Iterator[SocketTarget]:
    def chosen(connection: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
        return next((each for each in offered if each.startswith("chat.")), None)

    def refused(connection: ServerConnection, request: Request) -> Response | None:
        return connection.respond(403, "no WebSocket here\n") if request.path.endswith("/closed") else None

    with socket_target(select_subprotocol=chosen, process_request=refused) as running:
        yield running


@pytest_twisted.async_yield_fixture(scope="module")  # type: ignore[untyped-decorator]
async def proxy(gateway: RunningGateway, target: SocketTarget) -> Any:
    yield await gateway.proxy(target.url)


MESSAGES = {
    "a text": "grüße",
    "no text": "",
    "bytes": bytes(range(256)),
    "no bytes": b"",
    "over 64 KiB": "é" * 70_000,
    "1 MB of text": "x" * MEGABYTE,
    "1 MB of bytes": bytes(MEGABYTE),
}


@pytest_twisted.ensureDeferred
async def test_messages_come_back_as_they_were_sent(gateway: RunningGateway, proxy: MadeProxy) -> None:
    def talk() -> None:
        with caller(gateway, proxy) as connection:
            for what, message in MESSAGES.items():
                connection.send(message)
                assert connection.recv(20) == message, what
            connection.send(["in ", "three ", "pieces"])
            assert connection.recv(20) == "in three pieces"
            assert connection.ping("are you there?").wait(20)

    await in_thread(talk)


@pytest.mark.parametrize("code", [1000, 1001, 3000, 4999])
@pytest_twisted.ensureDeferred
async def test_codes_and_reasons_reach_the_other_side(
    gateway: RunningGateway, proxy: MadeProxy, target: SocketTarget, code: int
) -> None:
    def caller_closes() -> None:
        with caller(gateway, proxy, f"/{code}") as connection:
            connection.close(code, "so long")
            assert (connection.close_code, connection.close_reason) == (code, "so long")
        ended = target.end_of(f"/{code}")
        assert (ended.code, ended.reason) == (code, "so long")

    def target_closes() -> None:
        with caller(gateway, proxy) as connection:
            connection.send(f"close {code} so long")
            with pytest.raises(ConnectionClosed) as closed:
                connection.recv(SECONDS)
            assert closed.value.rcvd is not None
            assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (code, "so long")

    await in_thread(caller_closes)
    await in_thread(target_closes)


@pytest_twisted.ensureDeferred
async def test_it_is_opened_as_any_request_is_sent(gateway: RunningGateway, target: SocketTarget) -> None:
    proxy = await gateway.proxy(
        target.url, proxyAdditionalHeaders={"X-Added": "ours"}, proxyAdditionalQueryParams={"token": "ours"}
    )

    def talk() -> None:
        headers = {"X-Own": "mine", "X-Added": "mine"}
        with caller(gateway, proxy, "/room?n=1", headers, subprotocols=["x", "chat.v1"]) as connection:  # type: ignore[list-item]
            assert connection.subprotocol == "chat.v1"
            assert connection.response is not None
            assert connection.response.headers["requestrocket-proxy-code"] == "proxy-access-granted"

    await in_thread(talk)
    asked = (await in_thread(target.end_of, "/room?n=1&token=ours")).fields
    assert asked["Authorization"] == f"Bearer {TOKEN}"
    assert (asked["X-Added"], asked["X-Own"]) == ("ours", "mine")
    assert "X-Api-Key" not in asked
    assert KEY not in str(asked)
    record = await logged(gateway, proxy)
    assert (record["status"], record["method"]) == (101, "GET")
    assert record["message"].startswith("WebSocket closed by the caller with 1000; 0 messages (0 bytes) from the")


async def logged(gateway: RunningGateway, proxy: MadeProxy) -> Any:
    """The caller's leg of the proxy's one record, once it is there: both sides may see the end before the gateway."""
    for _ in range(500):
        found = await gateway.records(proxy)
        if found:
            return found[-1]["proxyData"]
    raise AssertionError("nothing is in the log")


async def refused(gateway: RunningGateway, proxy: MadeProxy, path: str = "/", key: str | None = KEY) -> int:
    """The status with which a handshake is refused."""

    def ask() -> int:
        with pytest.raises(InvalidStatus) as answered, caller(gateway, proxy, path, key=key):
            pass
        return answered.value.response.status_code

    return await in_thread(ask)


@pytest_twisted.ensureDeferred
async def test_who_may_not_call_may_not_open_one(gateway: RunningGateway, target: SocketTarget) -> None:
    proxy = await gateway.proxy(target.url)
    assert await refused(gateway, proxy, "/first", key="wrong") == 401
    assert await refused(gateway, proxy, "/second", key=None) == 401
    rules = f"/clients/{proxy.client}/proxies/{proxy.id}/rules"
    rule = {"effect": "deny", "path": "^/secret"}
    told = await gateway.ask("POST", rules, rule)
    assert told.status == 200, told.body
    assert await refused(gateway, proxy, "/secret") == 403

    def opens() -> None:
        with caller(gateway, proxy, "/allowed"):
            pass
        target.end_of("/allowed")

    await in_thread(opens)
    await gateway.change("proxies", proxy.id, proxyActive=False)
    assert await refused(gateway, proxy, "/third") == 503
    assert target.paths().isdisjoint({"/first", "/second", "/secret", "/third"})


@pytest_twisted.ensureDeferred
async def test_the_targets_refusal_is_the_answer(gateway: RunningGateway, proxy: MadeProxy) -> None:
    assert await refused(gateway, proxy, "/closed") == 403


class Opened:
    """A caller's WebSocket that waits to be closed, in threads."""

    def __init__(self, gateway: RunningGateway, proxy: MadeProxy, target: SocketTarget, path: str) -> None:
        self._stack = ExitStack()
        self._gateway, self._proxy, self._target, self._path = gateway, proxy, target, path

    def open(self) -> None:
        self._connection = self._stack.enter_context(caller(self._gateway, self._proxy, self._path))

    def closed(self) -> tuple[tuple[int | None, str | None], tuple[int | None, str | None]]:
        """Code and reason as the caller and as the target saw them."""
        with self._stack, pytest.raises(ConnectionClosed):
            self._connection.recv(SECONDS)
        ended = self._target.end_of(self._path)
        return (self._connection.close_code, self._connection.close_reason), (ended.code, ended.reason)


@pytest_twisted.ensureDeferred
async def test_one_of_a_proxy_that_is_switched_off_is_closed(gateway: RunningGateway, target: SocketTarget) -> None:
    proxy = await gateway.proxy(target.url)
    opened = Opened(gateway, proxy, target, "/switched-off")
    await in_thread(opened.open)
    await gateway.change("proxies", proxy.id, proxyActive=False)
    assert await in_thread(opened.closed) == ((1008, NO_MORE), (1001, ""))


@pytest_twisted.ensureDeferred
async def test_one_whose_target_is_deleted_by_force_is_closed(gateway: RunningGateway, target: SocketTarget) -> None:
    proxy = await gateway.proxy(target.url)
    opened = Opened(gateway, proxy, target, "/target-deleted")
    await in_thread(opened.open)
    path = f"/clients/{proxy.client}/targets/{proxy.target}?force=true"
    assert (await gateway.ask("DELETE", path)).status == 200
    assert await in_thread(opened.closed) == ((1008, NO_MORE), (1001, ""))


@pytest_twisted.ensureDeferred
async def test_the_end_of_the_gateway_is_told_to_both(tmp_path: Path, target: SocketTarget) -> None:
    gateway = RunningGateway.start(tmp_path / "state")
    try:
        proxy = await gateway.proxy(target.url)
        opened = Opened(gateway, proxy, target, "/at-the-end")
        await in_thread(opened.open)
    finally:
        await gateway.stop()
    assert await in_thread(opened.closed) == ((1001, "the gateway stops"), (1001, ""))


@pytest_twisted.ensureDeferred
async def test_over_tls_on_both_sides(tmp_path: Path) -> None:
    authority = Authority("the only one here")
    certificate, key = authority.server("localhost", tmp_path)
    trusting = ssl.create_default_context(cadata=authority.pem)
    endpoint = f"ssl:0:interface=127.0.0.1:certKey={certificate}:privateKey={key}"
    gateway = RunningGateway.start(tmp_path / "state", listen=endpoint)

    def talk(proxy: MadeProxy, target: SocketTarget) -> None:
        with caller(gateway, proxy, ssl=trusting) as connection:
            for message in ("hello", "é" * 200_000, bytes(MEGABYTE)):
                connection.send(message)
                assert connection.recv(SECONDS) == message
            connection.close(3000, "bye")
            assert (connection.close_code, connection.close_reason) == (3000, "bye")
        ended = target.end_of("/")
        assert (ended.code, ended.reason) == (3000, "bye")

    try:
        with socket_target(ssl=authority.server_context("localhost", tmp_path)) as target:
            proxy = await gateway.proxy(target.url, target={"targetCABundle": authority.pem})
            await in_thread(talk, proxy, target)
    finally:
        await gateway.stop()


class Greeting(Protocol):
    """A target that agrees to every WebSocket, answers a frame with a text, and closes at a Close frame."""

    def connectionMade(self) -> None:
        self.head: bytes | None = b""

    def dataReceived(self, data: bytes) -> None:
        transport: Any = self.transport
        if self.head is None:
            if data[0] == 0x88:
                transport.loseConnection()
            transport.write(frame(TEXT, b"hello", mask=False))
            return
        self.head += data
        if self.head.endswith(b"\r\n\r\n"):
            key = self.head.partition(b"Sec-WebSocket-Key: ")[2].partition(b"\r\n")[0]
            self.head = None
            transport.write(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: %b\r\n\r\n" % accept_of(key)
            )


@pytest_twisted.ensureDeferred
async def test_a_thousand_are_open_at_once(gateway: RunningGateway) -> None:
    from twisted.internet import reactor

    port: Any = reactor.listenTCP(0, Factory.forProtocol(Greeting), 2000, "127.0.0.1")  # type: ignore[attr-defined]
    proxy = await gateway.proxy(f"http://127.0.0.1:{port.getHost().port}")
    head = (
        f"GET {proxy.path}/ HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: {KEY}\r\nConnection: Upgrade\r\n"
        "Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()

    def talk() -> int:
        with ExitStack() as open, selectors.DefaultSelector() as waiting:
            for _ in range(1000):
                each = open.enter_context(socket.create_connection(gateway.address, SECONDS))
                each.sendall(head)
                waiting.register(each, selectors.EVENT_READ)
            seen = dict.fromkeys((key.fileobj for key in waiting.get_map().values()), b"")
            for said, until in ((b"", b"\r\n\r\n"), (frame(TEXT, b"x"), b"\x81\x05hello")):
                for each in seen if said else ():
                    each.sendall(said)  # type: ignore[union-attr]
                left = set(seen)
                while left:
                    for key, _ in waiting.select(SECONDS):
                        heard = key.fileobj.recv(65536)  # type: ignore[union-attr]
                        assert heard
                        seen[key.fileobj] += heard
                        if seen[key.fileobj].endswith(until):
                            left.discard(key.fileobj)
            assert all(heard.startswith(b"HTTP/1.1 101 ") for heard in seen.values())
            return gateway.gateway.listener.websockets.open

    try:
        with many_files(5000):  # all four sockets of each are this process's
            assert await in_thread(talk) >= 1000
        assert gateway.gateway.listener.in_flight == 0
    finally:
        await port.stopListening()


@pytest_twisted.ensureDeferred
async def test_what_is_explained_is_what_is_asked(gateway: RunningGateway, target: SocketTarget) -> None:
    proxy = await gateway.proxy(target.url, proxyAdditionalHeaders={"X-Added": "ours"})

    def talk() -> None:
        with caller(gateway, proxy, "/explained", {"X-Own": "mine"}, user_agent_header=None):
            pass

    await in_thread(talk)
    asked = (await in_thread(target.end_of, "/explained")).fields
    explain = f"/clients/{proxy.client}/proxies/{proxy.id}/explain"
    described = {"path": "/explained", "headers": {"Upgrade": "websocket", "X-Own": "mine"}}
    explained = (await gateway.ask("POST", explain, described)).json["explain"]
    assert explained["outcome"] == "sent", explained
    said = {part["name"].lower(): part["value"] for part in explained["request"]["headers"]}
    assert said.keys() == {name.lower() for name in asked}
    for name in ("Upgrade", "Connection", "Sec-WebSocket-Version", "X-Own", "X-Added", "Host"):
        assert said[name.lower()] == asked[name]
    assert explained["retryPlan"] is None
    refused = await gateway.ask("POST", explain, {**described, "method": "POST"})
    assert (refused.status, refused.json["details"][0]["field"]) == (400, "headers.Upgrade")
    refused = await gateway.ask("POST", explain, {"headers": {"Upgrade": "h2c"}})
    assert (refused.status, refused.json["details"][0]["field"]) == (400, "headers.Upgrade")
