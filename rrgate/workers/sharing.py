"""`Shares`: how many connections each worker has, in memory that all of them map; and a port that accepts by it.

Belongs here: keeping the numbers close to each other. Does not: sockets (sockets.py), a connection's life (wire/).

All workers accept from one listening socket, so that no connection is lost with the one that dies, and none waits for
one that hangs. The kernel wakes whoever it likes: left alone, one of two workers had 94 % of a burst's. So who is
ahead leaves those that wait to the others for a moment, and takes them then if they are still there.
"""

# mypy: disallow-untyped-calls=False
# twisted.internet.tcp, which these derive from, is typed in part only.

from __future__ import annotations

import mmap
import os
import socket
from typing import Any, Final

from twisted.internet.interfaces import IProtocolFactory

from rrgate.transports import EagerPort, EagerServer, adopt_port

SLOTS: Final = 256
AHEAD: Final = 3
"""Connections that a worker may have more than the one with the fewest, and a sixteenth of that one's besides."""
AT_ONCE: Final = 16
"""Connections accepted in one turn of the reactor."""
PATIENCE: Final = 0.02
"""Seconds for which connections that wait are left to others."""


class Shares:
    """Numbers of connections, by the slot of a worker. Each writes only its own."""

    def __init__(self, descriptor: int) -> None:
        """`descriptor`: of memory made by `new_memory`."""
        self._memory = mmap.mmap(descriptor, SLOTS * 8)
        self._numbers = memoryview(self._memory).cast("i")

    def opens(self, slot: int) -> None:
        """That worker accepts connections."""
        self._numbers[2 * slot] = 1

    def closes(self, slot: int) -> None:
        """It accepts no more."""
        self._numbers[2 * slot] = 0

    def clear(self, slot: int) -> None:
        """It is gone."""
        self._numbers[2 * slot] = self._numbers[2 * slot + 1] = 0

    def add(self, slot: int, number: int) -> None:
        """It has so many more connections, or fewer."""
        self._numbers[2 * slot + 1] += number

    def connections(self, slot: int) -> int:
        """How many it has."""
        return self._numbers[2 * slot + 1]

    def room(self, slot: int) -> int:
        """How many it may accept now without getting far ahead of another that accepts too."""
        numbers = self._numbers.tolist()
        others = [
            numbers[2 * other + 1] for other in range(SLOTS) if numbers[2 * other] and other != slot
        ]
        if not others:
            return AT_ONCE
        fewest = min(others)
        return max(0, min(AT_ONCE, fewest + AHEAD + fewest // 16 - numbers[2 * slot + 1]))


def new_memory() -> int:
    """The descriptor of memory for `Shares`, all zero."""
    descriptor = os.memfd_create("rrgate-shares", os.MFD_CLOEXEC)
    os.ftruncate(descriptor, SLOTS * 8)
    return descriptor


class CountedServer(EagerServer):
    """A connection that is counted for as long as it lives."""

    server: FairPort

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.server.shares.add(self.server.slot, 1)

    def connectionLost(self, reason: Any) -> None:
        self.server.shares.add(self.server.slot, -1)
        super().connectionLost(reason)


class FairPort(EagerPort):
    """Accepts what its worker has room for; what nobody else takes in `PATIENCE`, too: one, then two, then four."""

    transport: type[EagerServer] = CountedServer
    shares: Shares
    slot: int
    _late: Any = None
    _next_late = 1

    def doRead(self) -> None:
        room = self.shares.room(self.slot)
        if room:
            self._next_late = 1
            self._accept(room)
        elif self._late is None:
            self.stopReading()
            clock: Any = self.reactor  # of which Twisted says only that it has sockets
            self._late = clock.callLater(PATIENCE, self._take_late)

    def _take_late(self) -> None:
        self._late = None
        self._accept(max(self._next_late, self.shares.room(self.slot)))
        self._next_late = min(2 * self._next_late, AT_ONCE)
        self.startReading()

    def _accept(self, number: int) -> None:
        self.numberAccepts = number
        super().doRead()

    def loseConnection(self, *arguments: Any) -> Any:
        if self._late is not None:
            self._late.cancel()
            self._late = None
        return super().loseConnection(*arguments)

    stopListening = loseConnection


def adopt_fairly(
    reactor: Any,
    descriptor: int,
    family: socket.AddressFamily,
    factory: IProtocolFactory,
    shares: Shares,
    slot: int,
) -> FairPort:
    """Listen on a TCP socket that others listen on too. `descriptor` is duplicated; `reactor` is a GatewayReactor."""
    port = adopt_port(reactor, descriptor, family, factory, FairPort)
    port.shares, port.slot = shares, slot
    return port
