"""Peers that are gone without a word are noticed where no time limit is: by the system, which asks them.

Belongs here: which connections are looked after. Does not: how the system does it.
"""

from __future__ import annotations

import socket

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol

from rrgate.wire.gone_peers import BETWEEN, SILENCE, UNANSWERED, notice_gone
from rrgate.wire.listening import listen_now
from tests.wire.memory_target import MemoryGateway, request

EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def looked_after(peer: socket.socket) -> bool:
    tcp = [peer.getsockopt(socket.IPPROTO_TCP, getattr(socket, f"TCP_KEEP{name}")) for name in ("IDLE", "INTVL", "CNT")]
    return bool(peer.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)) and tcp == [SILENCE, BETWEEN, UNANSWERED]


@pytest_twisted.ensureDeferred
async def test_every_caller_is_looked_after() -> None:
    from twisted.internet import reactor

    accepted: Deferred[Protocol] = Deferred()

    class Accepted(Protocol):
        def connectionMade(self) -> None:
            accepted.callback(self)

    port = listen_now(reactor, "tcp:0:interface=127.0.0.1", Factory.forProtocol(Accepted))
    try:
        with socket.create_connection(("127.0.0.1", port.getHost().port)):
            transport = (await accepted).transport
            assert looked_after(transport.socket)
            transport.abortConnection()
    finally:
        await port.stopListening()


@pytest.mark.parametrize(("kind", "is_looked_after"), [(b"text/event-stream", True), (b"text/plain", False)])
def test_a_target_is_looked_after_that_may_be_silent(kind: bytes, is_looked_after: bool) -> None:
    gateway = MemoryGateway()
    gateway.caller().send(request())
    with socket.socket() as peer:
        gateway.ends[0].transport.socket = peer  # type: ignore[attr-defined]
        gateway.ends[0].say(EVENTS.replace(b"text/event-stream", kind))
        assert looked_after(peer) is is_looked_after


def test_what_is_no_tcp_is_left_alone() -> None:
    ours, theirs = socket.socketpair()

    class Local:
        socket = ours

    with ours, theirs:
        notice_gone(Local())
        notice_gone(object())
        assert not ours.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
