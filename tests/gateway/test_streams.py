"""An event stream over real sockets ends when its proxy or credential is deleted or switched off by the Core API.

Belongs here: callers and targets of such streams. Does not: every case (tests/chain/test_streams.py).
"""

from __future__ import annotations

import http.client
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from threading import Event
from typing import Any

import pytest
import pytest_twisted
from attrs import field, frozen

from tests.callers import Caller, in_thread
from tests.running_gateway import KEY, MadeProxy, RunningGateway
from tests.targets import Connection, Target

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

Change = Callable[[RunningGateway, MadeProxy], Awaitable[Any]]

CHANGES: dict[str, Change] = {
    "proxy deleted": lambda gateway, proxy: gateway.delete("proxies", proxy.id),
    "proxy off": lambda gateway, proxy: gateway.change("proxies", proxy.id, proxyActive=False),
    "caller's credential deleted": lambda gateway, proxy: gateway.delete("credentials", proxy.caller_credential),
    "target's credential off": lambda gateway, proxy: gateway.change(
        "credentials", proxy.target_credential, credentialActive=False
    ),
}
CLIENT_DELETED = "client deleted"


@frozen
class Stream:
    """A target that sends one event and then waits; `cut_off`: the gateway has closed its connection."""

    target: Target
    cut_off: Event = field(factory=Event)

    @classmethod
    @contextmanager
    def opened(cls) -> Iterator[Stream]:
        cut_off = Event()

        def serve(connection: Connection) -> None:
            connection.request()
            connection.send(HEAD + b"9\r\ndata: 1\n\n\r\n")
            if connection.closed_by_peer():
                cut_off.set()

        with Target(serve) as target:
            yield cls(target, cut_off)


class Listening:
    """A caller of a stream; blocks."""

    def __init__(self, address: tuple[str, int] | str, path: str) -> None:
        self._caller = Caller(address)
        self._caller.send("GET", path, {"X-Api-Key": KEY})
        self._answer = self._caller.begun()
        self.first = self._answer.read(9)

    def rest(self) -> bytes:
        """What comes until the connection ends. Raises IncompleteRead or an OSError when it is broken off."""
        try:
            return self._answer.read()
        finally:
            self._caller.close()


@frozen
class Closing:
    """A stream that is about to be closed. `ended`: how it has ended for its caller, once it is no longer pending."""

    stream: Stream
    proxy: MadeProxy
    ended: Future[bytes]


def changed(gateway: RunningGateway, change: str, proxy: MadeProxy) -> Awaitable[Any]:
    if change in CHANGES:
        return CHANGES[change](gateway, proxy)
    return gateway.ask("DELETE", f"/clients/{proxy.client}?force=true")


@pytest_twisted.async_yield_fixture(scope="module")  # type: ignore[untyped-decorator]
async def closing(gateway: RunningGateway) -> AsyncIterator[dict[str, Closing]]:
    """A stream for each change, all changed: they have two seconds to end, which are the same for all."""
    told = await gateway.ask("POST", "/clients", {"clientName": "to be deleted"})
    own, other = gateway.client, told.json["clients"][0]["sKey"]
    with ExitStack() as open, ThreadPoolExecutor(len(CHANGES) + 1) as threads:
        found = {}
        for change in (*CHANGES, CLIENT_DELETED):
            stream = open.enter_context(Stream.opened())
            gateway.client = other if change == CLIENT_DELETED else own
            proxy = await gateway.proxy(stream.target.url)
            gateway.client = own
            listening = await in_thread(Listening, gateway.address, proxy.path)
            assert listening.first == b"data: 1\n\n"
            found[change] = Closing(stream, proxy, threads.submit(listening.rest))
        assert gateway.gateway.listener.in_flight == len(found)
        for change, each in found.items():
            assert not each.ended.done()
            await changed(gateway, change, each.proxy)
        yield found


@pytest.mark.parametrize("change", [*CHANGES, CLIENT_DELETED])
@pytest_twisted.ensureDeferred
async def test_a_stream_is_closed_on_both_sides(
    gateway: RunningGateway, closing: dict[str, Closing], change: str
) -> None:
    stream, proxy, ended = closing[change].stream, closing[change].proxy, closing[change].ended
    error = await in_thread(ended.exception, 20)
    assert isinstance(error, http.client.IncompleteRead | OSError)
    assert not isinstance(error, TimeoutError)
    assert await in_thread(stream.cut_off.wait, 5)
    # Nobody else comes in.
    assert (await gateway.call(proxy)).status in ((404,) if change == CLIENT_DELETED else (401, 404, 503))
    await gateway.gateway.journal.flush()
    if change not in (CLIENT_DELETED, "proxy deleted"):
        record = (await gateway.records(proxy))[-1]
        assert record["proxyData"]["status"] == 200
        assert "switched off or deleted" in record["proxyData"]["message"]


@pytest_twisted.ensureDeferred
async def test_none_is_under_way_then(gateway: RunningGateway, closing: dict[str, Closing]) -> None:
    for each in closing.values():
        await in_thread(each.ended.exception, 20)
    assert gateway.gateway.listener.in_flight == 0
