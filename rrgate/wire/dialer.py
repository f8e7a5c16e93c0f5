"""`Dialer`: resolve, check, connect. The address that was checked is the address that is dialled.

Belongs here: how a new connection to a target comes about. Does not: keeping it (pool.py) or using it (client.py).
"""

from __future__ import annotations

import ssl
from typing import Any, Final, Protocol

from twisted.internet import defer
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import IReactorTCP, IReactorTime
from twisted.internet.protocol import ClientFactory
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.python.failure import Failure

from rrgate.route import Endpoint
from rrgate.waiting import run_deferred
from rrgate.wire.guard import AddressForbidden, AddressGuard
from rrgate.wire.resolver import CannotConnect, Resolver
from rrgate.wire.tls import TlsConnection
from rrgate.wire.trust import NotTrusted, Trust, name_to_verify

LEAST_FOR_ONE: Final = 2.0
"""Seconds for one of several addresses, however many: a lost SYN is sent again after one."""


class Dialled(TwistedProtocol):
    """A protocol that can be connected by a Dialer.

    It fires `established` once: at `connectionMade` where there is no TLS, at `handshakeCompleted` where there is,
    and with an error if the connection is lost before.
    """

    established: Deferred[None]


class Connects(Protocol):
    """Another way out (an outbound proxy, an agent) takes the Dialer's place by this one method."""

    async def connect(self, endpoint: Endpoint, tenant: str, protocol: Dialled, *, secret: bool) -> None:
        """Connect `protocol`. Raises CannotConnect or AddressForbidden; cancelling gives the attempt up."""


class Dialer:
    """Connects to targets over TCP and TLS."""

    def __init__(self, reactor: Any, resolver: Resolver, guard: AddressGuard, *, timeout: float) -> None:
        """`timeout`: seconds for name, connection and TLS handshake together."""
        self._reactor: IReactorTCP = reactor
        self._clock: IReactorTime = reactor
        self._resolver = resolver
        self._guard = guard
        self._timeout = timeout
        self._trust = Trust(reactor)

    async def connect(self, endpoint: Endpoint, tenant: str, protocol: Dialled, *, secret: bool) -> None:
        """Connect `protocol` to `endpoint`; over TLS the certificate is verified for its host before this returns.

        `tenant`: whose name look-ups these are, and for whom addresses may be open. `secret`: what is sent may only go
        over plain http to loopback.
        Raises CannotConnect, AddressForbidden. Cancelling closes what was begun.
        """
        until = self._clock.seconds() + self._timeout
        addresses = await self._resolver.addresses(endpoint.host, endpoint.port, tenant)
        allowed = [address for address in addresses if self._guard.allows(address, endpoint.port, tenant)]
        if not allowed:
            raise AddressForbidden("the target's addresses may not be dialled from here (see `allow_networks`)")
        if secret and not endpoint.tls:
            allowed = [address for address in allowed if self._guard.is_loopback(address)]
            if not allowed:
                raise AddressForbidden("secrets go over plain http only to loopback, or with targetAllowPlaintext")
        verifying = await self._verifying(endpoint, until) if endpoint.tls else None
        error: Exception = CannotConnect("the target took no connection in time")
        for place, address in enumerate(allowed):
            left = until - self._clock.seconds()
            if left <= 0:
                break
            # None of several may take the time of all: an address family often leads nowhere. The first that is reached
            # is the target: what becomes of TLS there is what the caller is told.
            share = max(left / (len(allowed) - place), min(left, LEAST_FOR_ONE))
            try:
                await self._dial(address, endpoint.port, protocol, verifying, share, left)
                return
            except ConnectError:
                error = CannotConnect("the target does not take connections")
        try:
            raise error
        finally:
            del error  # whose traceback holds this frame

    def _dial(
        self,
        address: str,
        port: int,
        protocol: Dialled,
        verifying: tuple[ssl.SSLContext, str] | None,
        seconds: float,
        in_all: float,
    ) -> Deferred[None]:
        factory = _OneConnection(protocol, protocol if verifying is None else TlsConnection(protocol, *verifying))

        def give_up(established: Deferred[None]) -> None:
            # First, or the connector's own end would look like a refusal, and the next address would be tried.
            established.errback(CancelledError())
            connector.disconnect()

        protocol.established = Deferred(give_up)
        connector = self._reactor.connectTCP(address, port, factory, timeout=seconds)
        if verifying is not None:
            protocol.established.addTimeout(in_all, self._clock, onTimeoutCancel=_too_late)
        return protocol.established

    async def _verifying(self, endpoint: Endpoint, until: float) -> tuple[ssl.SSLContext, str]:
        """By what, and for which name, the certificate of `endpoint` is verified. `until`: seconds of the clock."""
        try:
            name = name_to_verify(endpoint.host)
            context = self._trust.kept(endpoint)
            if context is None:
                left = max(0.0, until - self._clock.seconds())
                context = await run_deferred(self._trust.context_for(endpoint)).addTimeout(left, self._clock)
        except NotTrusted as error:
            raise CannotConnect(str(error)) from error
        except defer.TimeoutError:
            raise CannotConnect("there was no time to prepare the target's TLS") from None
        return context, name


def _too_late(result: object, seconds: float) -> object:
    raise CannotConnect("the target did not finish its TLS handshake in time")


class _OneConnection(ClientFactory):
    """Gives the one connection that is made to the protocol that waits for it, or to what stands before that."""

    noisy = False

    def __init__(self, waiting: Dialled, first: TwistedProtocol) -> None:
        self._those: tuple[Dialled, TwistedProtocol] | None = (waiting, first)

    def buildProtocol(self, addr: object) -> TwistedProtocol:
        _, first = self._let_go()
        return first

    def clientConnectionFailed(self, connector: object, reason: Failure) -> None:
        waiting, _ = self._let_go()
        if not waiting.established.called:
            waiting.established.errback(reason)

    def _let_go(self) -> tuple[Dialled, TwistedProtocol]:
        """They hold this too: what is over would stay until somebody looks for garbage."""
        those, self._those = self._those, None
        assert those is not None
        return those
