"""Bodies through an embedded gateway, with real sockets: large ones whole, endless ones held back in both directions.

Belongs here: what must be bounded however much is sent. Does not: small bodies (test_resource.py, test_agent.py).
"""

from __future__ import annotations

import json
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_twisted
from treq.client import HTTPClient

from rrgate.agent import BASE, GatewayAgent
from rrgate.api import Identity
from tests.callers import Caller, in_thread
from tests.embedding.host import Host
from tests.embedding.parts import Producing, Taking
from tests.running_gateway import KEY, TOKEN, MadeProxy
from tests.targets import Connection, Target, echo

MEGABYTE = 1024 * 1024
ENDLESS = 10_000 * MEGABYTE
BUFFERED = 40 * MEGABYTE
"""More than what may wait on the way, sockets' buffers included; far less than what is offered."""


@pytest_twisted.async_yield_fixture(scope="module")  # type: ignore[untyped-decorator]
async def host(tmp_path_factory: Any) -> AsyncIterator[Host]:
    data: Path = tmp_path_factory.mktemp("host") / "state"
    running = Host(data).start()
    yield running
    await running.stop()


def agent_for(host: Host, proxy: MadeProxy) -> GatewayAgent:
    agent: Any = host.gateway.agent(proxy.id, identity=Identity("us"))
    return agent  # type: ignore[no-any-return]


def mirror(connection: Connection) -> None:
    """Answers each request with its body."""
    while (request := connection.request()) is not None:
        connection.answer(request.body)


class Endless(Target):
    """Sends without end, and counts what it could send."""

    def __init__(self) -> None:
        self.sent = 0
        self.over = threading.Event()
        super().__init__(self._serve_endless)

    def _serve_endless(self, connection: Connection) -> None:
        connection.head()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % ENDLESS)
        connection.socket.settimeout(0.2)
        try:
            while True:
                try:
                    self.sent += connection.socket.send(b"x" * 65536)
                except TimeoutError:
                    continue
        except OSError:
            self.over.set()

    def stalled_at(self) -> int:
        """Wait until it can send nothing more; how much it has sent then."""
        wait = threading.Event()
        for _ in range(100):
            before = self.sent
            wait.wait(0.5)
            if self.sent == before > 0:
                return before
        raise AssertionError("the target could send on and on")


async def endless_proxy(host: Host, target: Target) -> MadeProxy:
    return await host.proxy(target.url, proxyMaxResponseBytes=2 * ENDLESS, proxyStreaming="always")


@pytest_twisted.ensureDeferred
async def test_treq_calls_through_an_agent(host: Host) -> None:
    with Target(echo) as target:
        client = HTTPClient(agent_for(host, await host.proxy(target.url)))
        answer = await client.post(f"{BASE}/a%2Fb", params={"page": "2"}, json={"a": [1]}, headers={"X-Mine": "1"})
        told = await answer.json()
        assert told["line"] == "POST /a%2Fb?page=2 HTTP/1.1"
        assert json.loads(told["body"]) == {"a": [1]}
        assert ["X-Mine", "1"] in told["headers"]
        assert ["Authorization", f"Bearer {TOKEN}"] in told["headers"]
        assert (await client.head(f"{BASE}/")).code == 200


@pytest_twisted.ensureDeferred
async def test_big_bodies_through_the_site_and_an_agent(host: Host) -> None:
    body = bytes(range(256)) * (20 * MEGABYTE // 256)
    with Target(mirror) as target:
        proxy = await host.proxy(target.url, proxyMaxResponseBytes=64 * MEGABYTE)
        assert (await host.through_site(proxy, "POST", body=body)).body == body
        answer = await HTTPClient(agent_for(host, proxy)).post(BASE, data=body)
        assert await answer.content() == body


@pytest_twisted.ensureDeferred
async def test_a_caller_of_the_site_that_reads_nothing_holds_the_target_back(host: Host) -> None:
    with Endless() as target:
        proxy = await endless_proxy(host, target)

        def read_little() -> int:
            with Caller(host.address) as caller:
                caller.send("GET", f"/gate{proxy.path}/", {"X-Api-Key": KEY})
                assert len(caller.begun().read(MEGABYTE)) == MEGABYTE
                return target.stalled_at()

        assert await in_thread(read_little) < BUFFERED
        assert await in_thread(target.over.wait, 10), "the caller has left, and the target is still connected"
    (record,) = await host.told(proxy)
    assert record["proxyData"]["status"] == 499


@pytest_twisted.ensureDeferred
async def test_a_call_that_takes_nothing_holds_the_target_back(host: Host) -> None:
    with Endless() as target:
        proxy = await endless_proxy(host, target)
        response: Any = await agent_for(host, proxy).request(b"GET", b"/")
        assert response.length == ENDLESS
        assert await in_thread(target.stalled_at) < BUFFERED
        taking = Taking()
        response.deliverBody(taking)
        transport: Any = taking.transport
        transport.pauseProducing()
        assert await in_thread(target.stalled_at) < BUFFERED
        transport.abortConnection()
        assert await in_thread(target.over.wait, 10)
    (record,) = await host.told(proxy)
    assert record["proxyData"]["status"] == 499


@pytest_twisted.ensureDeferred
async def test_a_target_that_takes_nothing_holds_the_producer_back(host: Host) -> None:
    reached, go_on = threading.Event(), threading.Event()

    def serve(connection: Connection) -> None:
        connection.head()
        reached.set()
        go_on.wait(20)
        connection.close()

    with Target(serve) as target:
        producer = Producing()
        proxy = await host.proxy(target.url)
        answered = agent_for(host, proxy).request(b"PUT", b"/", None, producer)
        assert await in_thread(reached.wait, 10)
        made = 0
        while producer.asked[-1] != "pause" and made < ENDLESS:
            producer.consumer.write(b"x" * 65536)
            made += 65536
        assert made < BUFFERED
        go_on.set()
        response: Any = await answered
        assert response.code == 502
    assert len(await host.told(proxy)) == 1
    assert producer.asked[-1] == "stop", producer.asked
