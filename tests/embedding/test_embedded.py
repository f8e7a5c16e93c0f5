"""Gateways inside a host's service, with real sockets: beside a host's site, beside each other, mounted, called.

Belongs here: the life of an embedded gateway. Does not: bodies (test_bodies.py), the doors' contracts by bytes
(test_resource.py, test_agent.py), other reactors (test_examples.py).
"""

from __future__ import annotations

import gc
import re
import socket
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from treq.client import HTTPClient
from twisted.application.service import MultiService
from twisted.internet.defer import CancelledError, ensureDeferred, maybeDeferred
from twisted.internet.error import CannotListenError

from rrgate.agent import BASE
from rrgate.api import Identity
from rrgate.cli.init import create_state
from rrgate.gateway import Gateway
from rrgate.settings import Settings
from rrgate.store import StoreError
from rrgate.testing import operator_log
from tests.callers import call, in_thread
from tests.embedding.host import Host
from tests.leak_search import LeakSearch
from tests.running_gateway import KEY, TOKEN, GatewayClient
from tests.targets import Connection, Target, closed_port, echo


@pytest_twisted.async_yield_fixture  # type: ignore[untyped-decorator]
async def host(tmp_path: Path) -> AsyncIterator[Host]:
    running = Host(tmp_path / "state").start()
    yield running
    await running.stop()


@pytest.fixture
def target() -> Iterator[Target]:
    with Target(echo) as running:
        yield running


@pytest_twisted.ensureDeferred
async def test_beside_a_hosts_own_pages(host: Host, target: Target) -> None:
    proxy = await host.proxy(target.url)
    assert (await in_thread(call, host.address, "GET", "/own")).body == b"the host's own"
    answer = await host.through_site(proxy, "PUT", "/a%2Fb?c", body=b"hello")
    assert (answer.status, answer.json["line"], answer.json["body"]) == (200, "PUT /a%2Fb?c HTTP/1.1", "hello")
    assert ["Authorization", f"Bearer {TOKEN}"] in answer.json["headers"]
    assert len(host.gateway.ports) == 1, "only the Core API listens"
    told = (await host.ask("GET", f"/clients/{host.client}/proxies/{proxy.id}")).json
    assert told["proxies"][0]["proxyURL"] == f"http://127.0.0.1/gate/api/{proxy.id}"


@pytest_twisted.ensureDeferred
async def test_both_doors_are_in_the_log(host: Host, target: Target) -> None:
    proxy = await host.proxy(target.url)
    agent = HTTPClient(host.gateway.agent(proxy.id))
    assert (await host.through_site(proxy, "PUT", "/site")).status == 200
    assert (await host.through_site(proxy, "PUT", "/site", key="wrong")).status == 401
    assert (await agent.delete(f"{BASE}/agent", headers={"X-Api-Key": KEY})).code == 200
    assert (await agent.delete(f"{BASE}/agent")).code == 401
    us = HTTPClient(host.gateway.agent(proxy.id, identity=Identity("us")))
    assert (await us.patch(f"{BASE}/agent?key=value")).code == 200
    records = await host.told(proxy)
    details = [await host.record(proxy, record["sKey"]) for record in records]
    told = [(detail["method"], detail["path"], detail["statusCode"]) for detail in details]
    assert sorted(told) == [
        ("DELETE", "/agent", 200),
        ("DELETE", "/agent", 401),
        ("PATCH", "/agent", 200),
        ("PUT", "/site", 200),
        ("PUT", "/site", 401),
    ]
    assert KEY not in str(details)
    assert TOKEN not in str(details)


@pytest_twisted.ensureDeferred
async def test_before_its_start_and_after_its_end_it_is_503(tmp_path: Path) -> None:
    host = Host(tmp_path / "state")
    address = ("127.0.0.1", host.site.getHost().port)
    agent = host.gateway.agent("any")
    assert (await in_thread(call, address, "GET", "/gate/api/any")).status == 503
    assert (await agent.request(b"GET", b"/")).code == 503
    host.start()
    assert (await in_thread(call, address, "GET", "/gate/api/any")).status == 404
    assert (await agent.request(b"GET", b"/")).code == 404
    await host.stop_service()
    assert (await in_thread(call, address, "GET", "/gate/api/any")).status == 503
    assert (await agent.request(b"GET", b"/")).code == 503
    await host.stop()


@pytest_twisted.ensureDeferred
async def test_it_can_be_started_again(tmp_path: Path, target: Target) -> None:
    host = Host(tmp_path / "state").start()
    proxy = await host.proxy(target.url)
    for _ in range(2):
        assert (await host.through_site(proxy)).status == 200
        await host.stop_service()
        host.start()
    assert len(await host.told(proxy)) == 2
    await host.stop()


@pytest_twisted.ensureDeferred
async def test_one_that_runs_or_still_stops_is_not_started(tmp_path: Path) -> None:
    """It would open all of it twice, and the end of the first would close what the second has."""
    go_on = threading.Event()

    def serve(connection: Connection) -> None:
        connection.request()
        go_on.wait(10)
        connection.answer(b"late")

    with Target(serve) as target:
        host = Host(tmp_path / "state").start()
        gateway, ports = host.gateway, list(host.gateway.ports)
        with pytest.raises(RuntimeError, match="runs already"):
            gateway.startService()
        assert gateway.ports == ports
        proxy = await host.proxy(target.url)
        call = gateway.agent(proxy.id, identity=Identity("us")).request(b"GET", b"/")
        stopping = gateway.stopService()
        with pytest.raises(RuntimeError, match="has not stopped yet"):
            gateway.startService()
        assert not gateway.running
        go_on.set()
        assert (await call).code == 200
        await stopping
        gateway.startService()
        assert (await gateway.agent("any").request(b"GET", b"/")).code == 404
        await host.stop()


@pytest.mark.parametrize("which", ["listen", "core_listen"])
@pytest_twisted.ensureDeferred
async def test_a_start_that_fails_reaches_the_host_and_can_be_tried_again(tmp_path: Path, which: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as occupied:
        port = occupied.getsockname()[1]
        host = Host(tmp_path / "state", **{which: f"tcp:{port}:interface=127.0.0.1"})
        with pytest.raises(CannotListenError):
            host.start()
        await host.stop_service()
    host.start()
    assert (await host.ask("GET", "/clients")).status == 200
    await host.stop()


@pytest_twisted.ensureDeferred
async def test_a_queue_that_cannot_be_written_keeps_it_from_starting(tmp_path: Path) -> None:
    """As where another process holds it for too long."""
    host = Host(tmp_path / "state").start()
    await host.stop_service()
    path = tmp_path / "state" / "queue.db"
    database = sqlite3.connect(path)
    database.execute("CREATE TRIGGER refuses BEFORE INSERT ON takers BEGIN SELECT RAISE(ABORT, 'not now'); END")
    with pytest.raises(StoreError, match=f"{re.escape(str(path))} cannot be written: not now"):
        host.start()
    await host.stop_service()
    database.execute("DROP TRIGGER refuses")
    database.close()
    host.start()
    await host.stop()


@pytest_twisted.ensureDeferred
async def test_without_any_listener(tmp_path: Path, target: Target) -> None:
    from twisted.internet import reactor

    data = tmp_path / "state"
    host = Host(data).start()
    proxy = await host.proxy(target.url, proxyAlias="pay")
    await host.stop()
    settings = Settings(
        data=data, listen="", core_listen="", allow_networks=["127.0.0.0/8"], default_client=host.client
    )
    gateway = Gateway(settings, reactor)
    host.search.begin_log()
    gateway.startService()
    try:
        assert gateway.ports == []
        assert gateway.public_url == gateway.core_public_url == ""
        for name in (proxy.id, "pay", (host.client, "pay")):
            agent = HTTPClient(gateway.agent(name, identity=Identity("us")))
            answer = await agent.get(f"{BASE}/x")
            assert (answer.code, (await answer.json())["line"]) == (200, "GET /x HTTP/1.1")
    finally:
        await gateway.stopService()
        host.search.end_log()
    host.search.look_at_state(data)
    host.search.end()


@pytest_twisted.ensureDeferred
async def test_stopping_waits_for_requests_under_way(tmp_path: Path) -> None:
    reached, go_on = threading.Semaphore(0), threading.Event()

    def serve(connection: Connection) -> None:
        connection.request()
        reached.release()
        go_on.wait(10)
        connection.answer(b"late")

    with Target(serve) as target:
        host = Host(tmp_path / "state").start()
        proxy = await host.proxy(target.url)
        through_agent = host.gateway.agent(proxy.id, identity=Identity("us")).request(b"GET", b"/")
        through_site = ensureDeferred(host.through_site(proxy))
        for _ in range(2):
            assert await in_thread(reached.acquire, True, 10)
        stopped = ensureDeferred(host.stop_service())
        assert (await host.gateway.agent(proxy.id).request(b"GET", b"/")).code == 503
        assert not stopped.called
        go_on.set()
        assert (await through_agent).code == 200
        assert (await through_site).body == b"late"
        await stopped
        await host.site.stopListening()
        host.search.end()


@pytest_twisted.ensureDeferred
async def test_stopping_breaks_off_what_does_not_end(tmp_path: Path) -> None:
    reached, left = threading.Semaphore(0), threading.Semaphore(0)

    def serve(connection: Connection) -> None:
        connection.request()
        reached.release()
        if connection.closed_by_peer():
            left.release()

    with Target(serve) as target:
        host = Host(tmp_path / "state", drain_timeout=0.1).start()
        proxy = await host.proxy(target.url)
        through_agent = host.gateway.agent(proxy.id, identity=Identity("us")).request(b"GET", b"/")
        through_site = ensureDeferred(host.through_site(proxy))
        for _ in range(2):
            assert await in_thread(reached.acquire, True, 10)
        await host.stop_service()
        for answered in (through_agent, through_site):
            with pytest.raises(Exception, match=r".*"):
                await answered
        for _ in range(2):
            assert await in_thread(left.acquire, True, 10)
        host.start()
        assert [record["proxyData"]["status"] for record in await host.told(proxy)] == [499, 499]
        await host.stop()


@pytest_twisted.ensureDeferred
async def test_whoever_waits_no_longer_has_it_closed_at_once(tmp_path: Path) -> None:
    reached, left = threading.Semaphore(0), threading.Semaphore(0)

    def serve(connection: Connection) -> None:
        connection.request()
        reached.release()
        if connection.closed_by_peer():
            left.release()

    with Target(serve) as target:
        host = Host(tmp_path / "state", listen="tcp:0:interface=127.0.0.1").start()
        address: Any = host.gateway.ports[0].getHost()
        proxy = await host.proxy(target.url)
        answered = [
            host.gateway.agent(proxy.id, identity=Identity("us")).request(b"GET", b"/"),
            ensureDeferred(host.through_site(proxy)),
            in_thread(call, ("127.0.0.1", address.port), "GET", proxy.path, {"X-Api-Key": KEY}),
        ]
        for _ in answered:
            assert await in_thread(reached.acquire, True, 10)
        stopping = maybeDeferred(host.gateway.stopService)
        stopping.cancel()
        with pytest.raises(CancelledError):
            await stopping
        for each in answered:
            with pytest.raises(Exception, match=r".*"):
                await each
            assert await in_thread(left.acquire, True, 10)
        with operator_log() as log:
            await host.service.stopService()  # waits for the end, of which nobody is told any more
            await in_thread(gc.collect)
        assert "Unhandled error" not in log.text
        assert not host.gateway._opened
        host.start()
        assert [record["proxyData"]["status"] for record in await host.told(proxy)] == [499, 499, 499]
        await host.stop()


@pytest_twisted.ensureDeferred
async def test_both_doors_count_towards_max_in_flight(tmp_path: Path) -> None:
    reached, go_on = threading.Event(), threading.Event()

    def serve(connection: Connection) -> None:
        connection.request()
        reached.set()
        go_on.wait(10)
        connection.answer(b"late")

    with Target(serve) as target:
        host = Host(tmp_path / "state", max_in_flight=1).start()
        proxy = await host.proxy(target.url)
        agent = host.gateway.agent(proxy.id, identity=Identity("us"))
        first = agent.request(b"GET", b"/")
        assert await in_thread(reached.wait, 10)
        assert (await agent.request(b"GET", b"/")).code == 503
        refused = await host.through_site(proxy)
        assert (refused.status, refused.code) == (503, "overloaded")
        go_on.set()
        assert (await first).code == 200
        assert (await host.through_site(proxy)).status == 200
        await host.stop()


@pytest_twisted.ensureDeferred
async def test_an_unreachable_target_is_a_response(host: Host) -> None:
    proxy = await host.proxy(f"http://127.0.0.1:{closed_port()}")
    response = await host.gateway.agent(proxy.id, identity=Identity("us")).request(b"GET", b"/")
    assert response.code == 502
    assert response.headers.getRawHeaders("requestrocket-proxy-code") == ["target-unreachable"]


@pytest_twisted.ensureDeferred
async def test_two_in_one_process_share_nothing(tmp_path: Path, target: Target) -> None:
    from twisted.internet import reactor

    parent = MultiService()
    parent.startService()
    names = ("one", "two")
    gateways: list[Gateway] = []
    clients: list[GatewayClient] = []
    for name in names:
        first = create_state(tmp_path / name)
        settings = Settings(
            data=tmp_path / name,
            listen="tcp:0:interface=127.0.0.1",
            core_listen="tcp:0:interface=127.0.0.1",
            header_prefix=f"x-{name}-",
            allow_networks=["127.0.0.0/8"],
            journal_interval=0.02,
        )
        gateway = Gateway(settings, reactor)
        gateway.setServiceParent(parent)
        addresses: list[Any] = [port.getHost() for port in gateway.ports]
        gateways.append(gateway)
        door, core = (("127.0.0.1", address.port) for address in addresses)
        clients.append(GatewayClient(first, door, core, LeakSearch.of(settings.data)))
    proxies = [
        await client.proxy(target.url, caller=("apiKey", {"key": "X-Api-Key", "value": name}))
        for client, name in zip(clients, names, strict=True)
    ]
    for client, other, proxy, name in zip(clients, reversed(clients), proxies, names, strict=True):
        answer = await client.call(proxy, key=name)
        assert answer.status == 200
        assert [field for field, _ in answer.headers if "proxy-code" in field.lower()] == [f"x-{name}-proxy-code"]
        assert [field for field, _ in answer.json["headers"] if "hops" in field] == [f"x-{name}-hops"]
        assert (await other.call(proxy, key=name)).status == 404
        assert (await client.ask("GET", "/clients", token=other.first.token)).status == 401
    # The one is a target of the other like any other, through its listener and none the nearer.
    chained = await clients[1].proxy(
        f"http://127.0.0.1:{clients[0].address[1]}{proxies[0].path}",
        towards=("apiKey", {"key": "X-Api-Key", "value": "one"}),
    )
    agent = HTTPClient(gateways[1].agent(chained.id, identity=Identity("us")))
    assert (await (await agent.get(f"{BASE}/x")).json())["line"] == "GET /x HTTP/1.1"
    # What ends the one leaves the other alone.
    await gateways[0].stopService()
    assert (await clients[1].call(proxies[1], key="two")).status == 200
    await gateways[1].journal.flush()
    told = await clients[1].records(proxies[1])
    assert [record["proxyData"]["status"] for record in told] == [200, 200]
    await maybeDeferred(parent.stopService)
    for client, name in zip(clients, names, strict=True):
        client.search.look_at_state(tmp_path / name)
        client.search.end()
