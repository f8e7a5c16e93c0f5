"""`Call`: one request of a caller's to a gateway in memory, on a connection of its own, and its answer.

Belongs here: the caller's side of a connection. Does not: any expectation.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from rrgate.testing.clock import Clock
from rrgate.testing.messages import Answer, read_answers
from rrgate.testing.transports import MemoryTransport

_MOST_SECONDS = 10.0
_TURN = 0.001


class StillWaiting(AssertionError):
    """A call was asked for its answer before there was one."""


class Call:
    """A call is as far as it gets without any time going by. Its `answer` is there once it has `ended`.

    What it waits for comes when the gateway's clock is turned (`gateway.clock.advance(seconds)`). Awaiting a call
    is for plugins that wait for something of the real reactor's, a thread for one: the reactor must be running then.
    """

    def __init__(self, connection: Any, clock: Clock, method: str) -> None:
        """`connection`: a protocol, not yet connected."""
        self._connection = connection
        self._clock = clock
        self._method = method.encode()
        self._gone = False
        self.transport = MemoryTransport()
        connection.makeConnection(self.transport)

    def send(self, *segments: bytes) -> Call:
        """Bytes from the caller, each as one segment, as long as the gateway takes them."""
        for segment in segments:
            if self.transport.aborted or self._gone:
                break
            self._connection.dataReceived(segment)
        self._clock.settle()
        return self

    def leave(self) -> None:
        """The caller closes its connection, and waits for nothing."""
        if not self._gone:
            self._gone = True
            self._connection.connectionLost(Failure(ConnectionDone()))
            self._clock.settle()

    @property
    def answers(self) -> list[Answer]:
        """Everything so far: interim answers, and one that is not whole yet."""
        self._clock.settle()
        return read_answers(bytes(self.transport.written), [self._method])

    @property
    def ended(self) -> bool:
        """Whether the answer is whole, or broken off for good."""
        last = next(iter(reversed(self.answers)), None)
        if self.transport.aborted:
            self._close()
            return True
        return last is not None and last.status >= 200 and (last.whole or self.transport.closing)

    @property
    def answer(self) -> Answer:
        """The answer; `whole` is false for one that was broken off. Raises StillWaiting where there is none yet."""
        if not self.ended:
            raise StillWaiting(
                "the call has no answer yet: what it waits for comes with time (gateway.clock.advance), with more of "
                "its body (call.send), or, if a plugin waits for a thread, when the call is awaited"
            )
        if not self.answers:
            raise StillWaiting("the gateway closed the connection without an answer")
        return self.answers[-1]

    def _close(self) -> None:
        if not self._gone:
            self._gone = True
            self._connection.connectionLost(Failure(ConnectionAborted()))

    def __await__(self) -> Generator[Deferred[Any], None, Answer]:
        waited = 0.0
        while not self.ended and waited < _MOST_SECONDS:
            from twisted.internet import reactor

            yield from deferLater(reactor, _TURN, lambda: None).__await__()
            waited += _TURN
        return self.answer
