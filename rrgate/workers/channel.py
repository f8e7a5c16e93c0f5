"""`Channel`: messages between the parent and a worker, one JSON object a line over a socket pair.

Belongs here: bytes to messages and back, and what may be said. Does not: what follows from it (supervisor.py,
member.py).

From the parent: `open` (a gateway, ready to serve) · `serve` (accept connections) · `lead` (have the Core API) · `go`,
`done` (of an announced change) · `refresh` (read these nouns anew) · `wake` (there is work in the queue) ·
`authorization` (show it) · `figures` (say yours), `gathered` (those of all) · `retire` (end, noticed by nobody) ·
`stop`.
From a worker: `ready` · `serving` · `ending` (of itself) · `about`, `made` (a change) · `refreshed` · `wake` ·
`authorization` · `gather` (figures of all), `figures` · `released` (it leads no more).
"""

# mypy: disallow-untyped-calls=False
# twisted.protocols, which this derives from, is typed in part only.

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.protocol import Factory, connectionDone
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure

PROTOCOL: Final = 1
"""Raised when a parent cannot understand workers of this version, or they it."""

Message = dict[str, Any]
"""`say`: what it is; the rest is its values, by name."""


class Channel(LineOnlyReceiver):
    """One end. `take` is given each message, `lost` is called once when the other end is no more."""

    delimiter = b"\n"
    MAX_LENGTH = 64 * 1024 * 1024
    """Bytes of a message: a client that is deleted may have had 100,000 nouns."""
    transport: Any

    def __init__(self, take: Callable[[Message], None], lost: Callable[[], None]) -> None:
        self._take = take
        self._lost = lost

    def send(self, say: str, **values: Any) -> None:
        """Nothing happens if the other end is no more."""
        self.transport.write(json.dumps({"say": say, **values}, separators=(",", ":")).encode() + b"\n")

    def lineReceived(self, line: bytes) -> None:
        self._take(json.loads(line))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._lost()


def open_channel(
    reactor: Any, descriptor: int, take: Callable[[Message], None], lost: Callable[[], None]
) -> Channel:
    """A channel over the connected socket `descriptor`, which is duplicated."""
    channel = Channel(take, lost)
    factory: Any = Factory()
    factory.noisy = False
    factory.buildProtocol = lambda address: channel
    reactor.adoptStreamConnection(descriptor, socket.AF_UNIX, factory)
    return channel
