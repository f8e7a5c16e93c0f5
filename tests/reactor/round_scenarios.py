"""Scenarios in which one round of the reactor serves several connections: what was written when, and in which order.

How they are run is in running.py; what must hold is in test_rounds.py.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import inlineCallbacks
from twisted.internet.task import deferLater

from rrgate.transports import HELD_BYTES
from tests.reactor.transport_scenarios import Recorder, accepted


def here(raw: socket.socket) -> str:
    """What has arrived at `raw` so far, without waiting for more."""
    raw.setblocking(False)
    try:
        return raw.recv(1 << 20, socket.MSG_PEEK).decode()
    except (BlockingIOError, ConnectionResetError):
        return ""


@inlineCallbacks
def two_in_one_round(reactor: Any, does: Callable[[Any], None]) -> Any:
    """(what had arrived when the second connection was served, what arrived in the end, the first one's `Recorder`).

    `does` is called with the transport of the connection that is served first.
    """
    served: list[Any] = []
    seen: list[str] = []

    class Served(Recorder):
        def dataReceived(self, data: bytes) -> None:
            super().dataReceived(data)
            served.append(self)
            if len(served) == 1:
                does(self.transport)
            else:
                seen.append(here(raws[served[0]]))

    raws = {}
    for _ in range(2):
        server, raw = yield accepted(reactor, Served)
        raws[server] = raw
    # Both have something to read before the reactor looks again, so that one round serves them both.
    for raw in raws.values():
        raw.sendall(b"go")
    while len(served) < 2:
        yield deferLater(reactor, 0.01)
    first = raws.pop(served[0])
    yield deferLater(reactor, 0.05)
    arrived = here(first)
    for raw in (first, *raws.values()):
        raw.close()
    return seen[0], arrived, served[0]


@inlineCallbacks
def held(reactor: Any) -> Any:
    """Two writes in a round."""

    def does(transport: Any) -> None:
        transport.write(b"one ")
        transport.writeSequence([b"t", b"wo"])

    seen, arrived, _ = yield two_in_one_round(reactor, does)
    return [seen, arrived]


@inlineCallbacks
def large(reactor: Any) -> Any:
    """A write that is more than may be held, behind one that is held."""

    def does(transport: Any) -> None:
        transport.write(b"first ")
        transport.write(b"x" * HELD_BYTES)

    seen, arrived, _ = yield two_in_one_round(reactor, does)
    return [len(seen), seen[:6], len(arrived)]


@inlineCallbacks
def ended(reactor: Any, how: str) -> Any:
    """A write, and then an end of the connection, in one round."""

    def does(transport: Any) -> None:
        transport.write(b"last words")
        if how == "raise":
            raise RuntimeError("on purpose")
        getattr(transport, how)()

    _, arrived, recorder = yield two_in_one_round(reactor, does)
    return [arrived, recorder.lost]


@inlineCallbacks
def alone(reactor: Any) -> Any:
    """A write in a round that serves one connection."""
    seen: list[str] = []

    class Served(Recorder):
        def dataReceived(self, data: bytes) -> None:
            self.transport.write(b"at once")
            seen.append(here(raw))

    _, raw = yield accepted(reactor, Served)
    raw.sendall(b"go")
    while not seen:
        yield deferLater(reactor, 0.01)
    raw.close()
    return seen
