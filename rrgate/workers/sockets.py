"""Listening sockets: bound once by the parent, which never accepts, and adopted by each worker.

Belongs here: from an endpoint string to a socket, and from a socket to a port. Does not: who accepts (sharing.py).

An endpoint asks its reactor to listen. The parent lets it, and stops reading at once; a worker gives it a reactor whose
`listen…` takes the socket that is there. So every kind of endpoint works that listens at once.
"""

from __future__ import annotations

import errno
import os
import re
import socket
from collections.abc import Callable, Iterable
from typing import Any, Final

from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.internet.protocol import Factory
from twisted.protocols.tls import TLSMemoryBIOFactory

from rrgate.transports import adopt_unix_port
from rrgate.wire.listening import listen_now

_HANDED_OVER: Final = re.compile(r"(\A|(?<=:))systemd:.*", re.DOTALL)
"""An endpoint whose socket the system has handed over: to the parent, so that workers would look for it in vain."""

Adopt = Callable[[int, socket.AddressFamily, Any], Any]
"""A port for a descriptor, its family and a factory."""


class BoundSockets:
    """The parent's, by endpoint."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._ports: dict[str, Any] = {}

    def bind(self, endpoints: Iterable[str]) -> list[str]:
        """Have a socket for each; answers those that are new. Raises what listening raises, and CannotListenError for
        one that is there twice, with nothing changed."""
        fresh: list[str] = []
        named: set[str] = set()
        try:
            for endpoint in endpoints:
                if endpoint in named:
                    raise CannotListenError(None, endpoint, OSError(errno.EADDRINUSE, "two listeners cannot share it"))
                named.add(endpoint)
                if endpoint not in self._ports:
                    port: Any = listen_now(self._reactor, endpoint, Factory())
                    port.stopReading()
                    self._ports[endpoint] = port
                    fresh.append(endpoint)
        except BaseException:
            self.close(fresh)
            raise
        return fresh

    def descriptors(self, endpoints: Iterable[str]) -> list[int]:
        """Of each."""
        return [self._ports[endpoint].fileno() for endpoint in endpoints]

    def close(self, endpoints: Iterable[str] | None = None) -> None:
        """Have these no more; None: any."""
        for endpoint in tuple(self._ports) if endpoints is None else endpoints:
            self._ports.pop(endpoint).stopListening()

    def keep(self, endpoints: Iterable[str]) -> None:
        """Have only these."""
        self.close(set(self._ports) - set(endpoints))


class AdoptingReactor:
    """A worker's reactor, but that whoever listens gets the socket `descriptor`, by `adopt`."""

    def __init__(self, reactor: Any, descriptor: int, adopt: Adopt) -> None:
        self._reactor = reactor
        self._descriptor = descriptor
        self._adopt = adopt

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> Any:
        """As IReactorTCP's."""
        return self._take(factory)

    def listenSSL(
        self, port: int, factory: Any, contextFactory: Any, backlog: int = 50, interface: str = ""
    ) -> Any:
        """As IReactorSSL's."""
        return self._take(TLSMemoryBIOFactory(contextFactory, False, factory))

    def listenUNIX(self, address: str, factory: Any, *arguments: Any, **named: Any) -> Any:
        """As IReactorUNIX's."""
        return self._take(factory)

    def adoptStreamPort(self, fileDescriptor: int, addressFamily: Any, factory: Any) -> Any:
        """As IReactorSocket's: of an endpoint whose socket something else has bound."""
        return self._take(factory)

    def _take(self, factory: IProtocolFactory) -> Any:
        with socket.socket(fileno=os.dup(self._descriptor)) as looked_at:
            family = socket.AddressFamily(looked_at.family)
        if family is socket.AF_UNIX:
            return adopt_unix_port(self._reactor, self._descriptor, factory)
        return self._adopt(self._descriptor, family, factory)


def adopt_paused(
    reactor: Any,
    endpoint: str,
    factory: IProtocolFactory,
    descriptor: int,
    adopt: Adopt,
    listen: Callable[[Any, str, Any], IListeningPort],
) -> IListeningPort:
    """The port of `endpoint` on the socket `descriptor`. It accepts nothing until its `startReading` is called."""
    port: Any = listen(AdoptingReactor(reactor, descriptor, adopt), _HANDED_OVER.sub("tcp:0", endpoint), factory)
    port.stopReading()
    listening: IListeningPort = port
    return listening
