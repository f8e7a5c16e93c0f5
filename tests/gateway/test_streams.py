"""An event stream over real sockets ends when its proxy or credential is deleted or switched off by the Core API.

Belongs here: callers and targets of such streams. Does not: every case (tests/chain/test_streams.py).
"""

from __future__ import annotations

import http.client
from collections.abc import Awaitable, Callable, Iterator
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


@frozen
class Stream:
    """A target that sends one event and then waits; `cut_off`: the gateway has closed its connection."""

    target: Target
    cut_off: Event = field(factory=Event)


@pytest.fixture
def stream() -> Iterator[Stream]:
    cut_off = Event()

    def serve(connection: Connection) -> None:
        connection.request()
        connection.send(HEAD + b"9\r\ndata: 1\n\n\r\n")
        if connection.closed_by_peer():
            cut_off.set()

    with Target(serve) as target:
        yield Stream(target, cut_off)


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


@pytest.mark.parametrize("change", CHANGES)
@pytest_twisted.ensureDeferred
async def test_a_stream_is_closed_on_both_sides(gateway: RunningGateway, stream: Stream, change: str) -> None:
    proxy = await gateway.proxy(stream.target.url)
    listening = await in_thread(Listening, gateway.address, proxy.path)
    assert listening.first == b"data: 1\n\n"
    await CHANGES[change](gateway, proxy)
    with pytest.raises((http.client.IncompleteRead, OSError)) as caught:
        await in_thread(listening.rest)
    assert not isinstance(caught.value, TimeoutError)
    assert await in_thread(stream.cut_off.wait, 5)
    # Nobody else comes in.
    assert (await gateway.call(proxy)).status in (401, 404, 503)
    assert gateway.gateway.listener.in_flight == 0
    await gateway.gateway.journal.flush()
    if change != "proxy deleted":
        record = (await gateway.records(proxy))[-1]
        assert record["proxyData"]["status"] == 200
        assert "switched off or deleted" in record["proxyData"]["message"]


@pytest_twisted.ensureDeferred
async def test_a_client_is_deleted_with_its_streams(gateway: RunningGateway, stream: Stream) -> None:
    made = (await gateway.ask("POST", "/clients", {"clientName": "to be deleted"})).json["clients"][0]["sKey"]
    own, gateway.client = gateway.client, made
    try:
        proxy = await gateway.proxy(stream.target.url)
        listening = await in_thread(Listening, gateway.address, proxy.path)
        assert (await gateway.ask("DELETE", f"/clients/{made}?force=true")).status == 200
        with pytest.raises((http.client.IncompleteRead, OSError)):
            await in_thread(listening.rest)
        assert await in_thread(stream.cut_off.wait, 5)
        assert (await gateway.call(proxy)).status == 404
    finally:
        gateway.client = own
