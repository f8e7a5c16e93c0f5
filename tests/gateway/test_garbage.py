"""What is over is gone with its last reference: nothing of ours is left to the garbage collector.

Belongs here: whole ways through a gateway, and what they leave. Does not: when the collector looks (test_settled.py).
What ends with an exception inside a coroutine may leave that, with its traceback; and Twisted, connections that never
came about.
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from types import FunctionType, MethodType
from typing import Any

import pytest
import pytest_twisted
from attrs import frozen
from twisted.internet.task import deferLater

from tests.callers import Caller, call, in_thread
from tests.certificates import Authority
from tests.gateway.test_async import comes_to
from tests.running_gateway import KEY, MadeProxy, RunningGateway
from tests.targets import Target, echo
from tests.websocket_peers import caller, socket_target

TIMES = 3


@frozen
class Proxies:
    """To targets that do what their name says."""

    answers: MadeProxy
    over_tls: MadeProxy
    has_websockets: MadeProxy
    closes: MadeProxy


@pytest_twisted.async_yield_fixture(scope="module")  # type: ignore[untyped-decorator]
async def proxies(gateway: RunningGateway, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Proxies]:
    authority = Authority("of these targets")
    tls = authority.server_context("localhost", tmp_path_factory.mktemp("certificates"))
    with (
        Target(echo) as plain,
        Target(echo, tls=tls) as secret,
        socket_target() as sockets,
        Target(lambda connection: connection.request() and connection.answer(b"the last")) as closing,
    ):
        yield Proxies(
            await gateway.proxy(plain.url),
            await gateway.proxy(secret.url, target={"targetCABundle": authority.pem}),
            await gateway.proxy(sockets.url),
            await gateway.proxy(closing.url),
        )


@pytest.fixture
def nobody_collects() -> Iterator[None]:
    gc.collect()
    gc.freeze()  # what is there already need not be looked through each time, half a second where tests ran before
    gc.disable()
    yield
    gc.enable()


async def refused_head(gateway: RunningGateway, proxy: MadeProxy) -> None:
    def refuse() -> None:
        with Caller(gateway.address) as connection:
            connection.socket.sendall(b"GET nowhere HTTP/1.1\r\n\r\n")
            assert connection.socket.recv(100).startswith(b"HTTP/1.1 400")

    await in_thread(refuse)


async def websocket(gateway: RunningGateway, proxy: MadeProxy) -> None:
    def talk() -> None:
        with caller(gateway, proxy) as connection:
            connection.send("hello")
            assert connection.recv(20) == "hello"

    await in_thread(talk)


async def asynchronous(gateway: RunningGateway, proxy: MadeProxy) -> None:
    taken = await in_thread(call, gateway.address, "POST", f"/async/{proxy.id}/", {"X-Api-Key": KEY}, b"work")
    assert taken.status == 202
    await comes_to(gateway, proxy, taken.json["requestId"], "succeeded")


async def changed(gateway: RunningGateway, proxy: MadeProxy) -> None:
    await gateway.change("proxies", proxy.id, proxyName="another")
    assert (await gateway.call(proxy)).status == 200


WAYS: dict[str, Callable[[RunningGateway, Proxies], Awaitable[Any]]] = {
    "answered": lambda gateway, to: gateway.call(to.answers),
    "a body": lambda gateway, to: gateway.call(to.answers, "POST", body=b"x" * 1000),
    "a long body in chunks": lambda gateway, to: gateway.call(to.answers, "POST", body=[b"x" * 100_000] * 3),
    "a wrong key": lambda gateway, to: gateway.call(to.answers, key="wrong"),
    "refused by the wire": lambda gateway, to: refused_head(gateway, to.answers),
    "the target closes": lambda gateway, to: gateway.call(to.closes),
    "over TLS": lambda gateway, to: gateway.call(to.over_tls),
    "asynchronous": lambda gateway, to: asynchronous(gateway, to.answers),
    "a changed proxy": lambda gateway, to: changed(gateway, to.answers),
    "a WebSocket": lambda gateway, to: websocket(gateway, to.has_websockets),
}


def ours(garbage: list[Any]) -> Counter[str]:
    """Names of what is of this project."""
    found: Counter[str] = Counter()
    for each in garbage:
        named = each if isinstance(each, FunctionType | MethodType) else type(each)
        if named.__module__.partition(".")[0] in ("rrgate", "rrgate_plugins"):
            found[f"{named.__module__}.{named.__qualname__}"] += 1
    return found


@pytest.mark.parametrize("way", WAYS)
@pytest_twisted.ensureDeferred
async def test_nothing_of_it_is_left(
    gateway: RunningGateway, proxies: Proxies, nobody_collects: None, way: str
) -> None:
    from twisted.internet import reactor

    left: Counter[str] = Counter()
    # What another module's gateway leaves at its end is there once; what a way leaves, always.
    for _ in range(3):
        for _ in range(TIMES):
            await WAYS[way](gateway, proxies)
        while gateway.gateway.listener.connections:
            await deferLater(reactor, 0.005)  # type: ignore[arg-type]
        gc.set_debug(gc.DEBUG_SAVEALL)
        try:
            gc.collect()
        finally:
            gc.set_debug(0)
        left = ours(gc.garbage)
        gc.garbage.clear()
        gc.collect()
        if not left:
            break
    assert not left
