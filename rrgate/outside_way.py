"""`Way`: the connection of one call outside: resolved, checked, dialled as checked, and its bytes counted.

Belongs here: what Twisted's HTTP client needs to come to a connection. Does not: what is said on it (outside.py).
"""

# mypy: disallow-untyped-calls=False
# ProtocolWrapper and WrappingFactory have no types.

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from attrs import field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, wrapClientTLS
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import connectionDone
from twisted.internet.ssl import optionsForClientTLS
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from twisted.web.client import URI
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

from rrgate.outside_values import OutsideError
from rrgate.wire.guard import AddressGuard
from rrgate.wire.resolver import CannotConnect, Resolver

NOT_HTTPS: Final = "http goes only to networks that the operator has opened (`allow_networks`); use https"
UNKNOWN_NAME: Final = "the server's name does not resolve"
FORBIDDEN: Final = "the server's addresses may not be dialled from here (see `allow_networks`)"
REFUSED: Final = "the server takes no connections"


@frozen(eq=False)
class Reach:
    """What is within reach of a gateway's plugins, and by which means."""

    reactor: Any = field(repr=False)
    resolver: Resolver = field(repr=False)
    guard: AddressGuard = field(repr=False)
    connect_timeout: float = 10.0
    """Seconds for each address."""
    trust_root: Any = field(default=None, repr=False)
    """Whose certificates are trusted; None: those that the system trusts."""


@implementer(IAgentEndpointFactory, IStreamClientEndpoint)
class Way:
    """The way of one call: resolve, check, connect; what is received is counted."""

    def __init__(self, reach: Reach, tenant: str, most: int) -> None:
        """`tenant`: whose name look-ups these are, and for whom networks may be open. `most`: bytes that may come."""
        self.reach = reach
        self._tenant = tenant
        self.over = False
        self._left = most
        self._uri: URI
        self._connection: _Counted | None = None

    def endpointForURI(self, uri: URI) -> Way:
        """Called by the Agent with what it has made of the URL: this is what is judged, and nothing else is dialled."""
        self._uri = uri
        return self

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[Any]:
        """Called by the Agent."""
        return Deferred.fromCoroutine(self._connect(protocolFactory))

    async def _connect(self, factory: IProtocolFactory) -> Any:
        reach, tls = self.reach, self._uri.scheme == b"https"
        host, port = self._uri.host.decode("ascii").rstrip("."), self._uri.port
        try:
            addresses = await reach.resolver.addresses(host, port, self._tenant)
        except CannotConnect:
            raise OutsideError(UNKNOWN_NAME) from None
        allowed = [address for address in addresses if reach.guard.allows(address, port, self._tenant)]
        if not allowed:
            raise OutsideError(FORBIDDEN)
        if not tls:
            allowed = [address for address in allowed if reach.guard.is_open(address, port, self._tenant)]
            if not allowed:
                raise OutsideError(NOT_HTTPS)
        counted = _Counting(factory, self._received)
        for address in allowed:
            endpoint: Any = TCP4ClientEndpoint(reach.reactor, address, port, timeout=reach.connect_timeout)
            if tls:
                options = optionsForClientTLS(host, trustRoot=reach.trust_root)
                endpoint = wrapClientTLS(options, endpoint, clock=reach.reactor)
            try:
                self._connection = await endpoint.connect(counted)
            except ConnectError:
                continue
            assert self._connection is not None
            return self._connection.wrappedProtocol
        raise OutsideError(REFUSED)

    def _received(self, count: int) -> bool:
        """Whether so many bytes more may come."""
        self._left -= count
        self.over = self._left < 0
        return not self.over

    def close(self) -> None:
        """The connection serves no other call; one that is in the middle of something is cut off."""
        if self._connection is not None and not self._connection.lost:
            self._connection.abortConnection()


class _Counted(ProtocolWrapper):
    """Counts what comes, since Twisted's HTTP client bounds neither the number of fields nor their size together."""

    factory: _Counting
    lost = False

    def dataReceived(self, data: bytes) -> None:
        if self.factory.received(len(data)):
            super().dataReceived(data)
        else:
            self.abortConnection()

    def abortConnection(self) -> None:
        """Close without waiting for the peer, which may never close its side of TLS."""
        transport: Any = self.transport
        transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost = True
        super().connectionLost(reason)


class _Counting(WrappingFactory):
    """Makes the one connection of a call."""

    protocol = _Counted
    noisy = False

    def __init__(self, factory: IProtocolFactory, received: Callable[[int], bool]) -> None:
        super().__init__(factory)
        self.received = received
        wrapped: Any = factory
        wrapped.noisy = False  # Twisted's own, which would say of each call that it begins and ends
