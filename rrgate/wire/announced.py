"""`AnnouncedConnection`: a caller's connection on an endpoint that speaks the PROXY protocol (`haproxy:…`).

Belongs here: whom such a connection is of. Does not: reading what the proxy in front says, which Twisted does.
"""

from __future__ import annotations

from rrgate.wire.callers import announced_host
from rrgate.wire.server import CallerConnection


class AnnouncedConnection(CallerConnection):
    """Its caller is told by the proxy in front, in a line before the first request."""

    _announced = False

    def dataReceived(self, data: bytes) -> None:
        if not self._announced:
            # Not when the connection is made: what the proxy says has come once anything else comes.
            self._announced = True
            trusted = self.listener.trusted
            self._peer = announced_host(self.transport, trusted)
            self._peer_trusted = trusted(self._peer)
        super().dataReceived(data)
