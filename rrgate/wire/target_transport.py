"""`TargetTransport`: what lies under the requests to a target: whether the connection is there, and still is, its end.

Belongs here: handshakes, a look at the socket, resting, closing. Does not: requests (client.py) and their answers
(target_answer.py), how a connection is made (dialer.py).
"""

from __future__ import annotations

import fcntl
import socket
import termios
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHandshakeListener, IReactorTime
from zope.interface import implementer

from rrgate.wire.deadline import Deadline
from rrgate.wire.dialer import Dialled
from rrgate.wire.write_gate import WriteGate

CLOSING = 5.0
"""Seconds that a target has to take what is written and to agree to the end of a TLS connection."""

_NOTHING = bytes(4)
"""A C `int` of 0, as `FIONREAD` answers it."""


@implementer(IHandshakeListener)
class TargetTransport(Dialled):
    """Whatever is true of a connection before, between and after its requests."""

    transport: Any

    def __init__(self, clock: IReactorTime, tls: bool, gone: Callable[[Any], None]) -> None:
        """See TargetConnection."""
        self._tls = tls
        self._gone = gone
        self._clock = clock
        self.established: Deferred[None] = Deferred()
        self.lost = False
        self.reached_at = 0.0
        """When the target took the connection, TLS not included."""
        self._closing = False

    def connectionMade(self) -> None:
        self.reached_at = self._clock.seconds()
        self._deadline = Deadline(self._clock, self._too_slow)
        self._gate = WriteGate(self.transport)
        if not self._tls and not self.established.called:
            self.established.callback(None)

    def handshakeCompleted(self) -> None:
        if not self.established.called:
            self.established.callback(None)

    def looks_closed(self, repeatable: bool) -> bool:
        """Whether the target has closed or written while idle, though the reactor has not seen it yet.

        One look at the socket spares a caller's POST the 502 that a lost race would be, and every caller the rest of
        an answer that was another's. `repeatable`: a request that may be sent again need not know of a mere end, so
        that the cheaper question will do (0.4 µs in place of 1.8: a peek at nothing raises).
        """
        looked_at: Any = getattr(self.transport, "socket", None)
        if not isinstance(looked_at, socket.socket):
            return self.lost
        try:
            if repeatable:
                return fcntl.ioctl(looked_at, termios.FIONREAD, _NOTHING) != _NOTHING or self.lost
            looked_at.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return self.lost
        except (OSError, ValueError):
            return True
        return True

    # Time and ends.

    def _too_slow(self) -> None:
        """What is waited for did not come in time."""
        raise NotImplementedError

    def rest(self, seconds: float) -> None:
        """Wait idle for at most so long."""
        self._deadline.set(seconds)

    def close(self) -> None:
        """Flush and close. Nobody is told."""
        if not self.lost and not self._closing:
            self._closing = True
            self._gone(self)
            self._deadline.set(CLOSING)
            self._gate.close()

    def abort(self) -> None:
        """Close at once, so that the target stops working for a caller who has gone."""
        if not self.lost:
            self._closing = True
            self._gone(self)
            self.transport.abortConnection()
