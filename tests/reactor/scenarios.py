"""Scenarios for the reactor itself: timers, and what an exception does; how they are run: running.py."""

from __future__ import annotations

import os
import signal
import socket
import time
from typing import Any

from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.error import ReactorAlreadyInstalledError
from twisted.internet.protocol import Protocol
from twisted.internet.task import deferLater

from tests.reactor.running import factory_for


@inlineCallbacks
def clock(reactor: Any) -> Any:
    """A timer is set, the wall clock jumps back a day and forth two, and both times the timer keeps its time."""
    real = time.time
    took = []
    for step in (-86400, 2 * 86400):
        started = time.monotonic()
        timer = deferLater(reactor, 0.1)
        time.time = lambda step=step: real() + step
        yield timer
        took.append(time.monotonic() - started)
    time.time = real
    return {"took": took, "ahead": abs(reactor.seconds() - time.monotonic())}


@inlineCallbacks
def broken_protocols(reactor: Any) -> Any:
    """Protocols that raise, beside one that works."""
    lost: dict[str, list[str]] = {}

    class Mixed(Protocol):
        name = ""

        def dataReceived(self, data: bytes) -> None:
            self.name = data.decode()
            lost[self.name] = []
            if self.name == "raises reading":
                raise ValueError("a broken dataReceived")
            if self.name == "raises losing":
                self.transport.loseConnection()
            else:
                self.transport.write(b"fine")

        def connectionLost(self, reason: Any) -> None:
            lost[self.name].append(reason.type.__name__)
            if self.name == "raises losing":
                raise ValueError("a broken connectionLost")

    port = reactor.listenTCP(0, factory_for(Mixed), interface="127.0.0.1")
    peers = []
    for name in (b"raises reading", b"raises losing", b"works"):
        raw = socket.create_connection(("127.0.0.1", port.getHost().port))
        raw.sendall(name)
        raw.setblocking(False)
        peers.append(raw)
    yield deferLater(reactor, 0.05)
    answers = [raw.recv(100).decode() for raw in peers]
    yield port.stopListening()
    still_open = sum(type(reader).__name__ == "EagerServer" for reader in reactor.getReaders())
    return {"answers": answers, "lost": {name: list(reasons) for name, reasons in lost.items()}, "open": still_open}


def terminated(reactor: Any) -> Deferred[Any]:
    """SIGTERM comes; the answer is what twistd would then end the process with."""
    done: Deferred[Any] = Deferred()
    reactor.addSystemEventTrigger("before", "shutdown", lambda: done.callback({"signal": reactor._exitSignal}))
    os.kill(os.getpid(), signal.SIGTERM)
    return done


def installed(reactor: Any) -> Deferred[Any]:
    """Whether it is the process's reactor, and that a second one is refused."""
    from twisted.internet import reactor as global_reactor
    from twisted.internet.defer import succeed

    from rrgate.reactor import install

    try:
        install()
    except ReactorAlreadyInstalledError:
        again = "refused"
    else:
        again = "installed"
    return succeed({"same": global_reactor is reactor, "again": again})
