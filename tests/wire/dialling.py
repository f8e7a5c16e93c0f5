"""`World`: a Resolver and a Dialer on a clock, threads and a network that the test plays.

Belongs here: these parts. Does not: any expectation (test_resolver.py, test_dialer.py).
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from functools import cache
from ipaddress import ip_network
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.error import UserError
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from rrgate.boot_values import Event
from rrgate.route import Endpoint
from rrgate.waiting import Task
from rrgate.wire.dialer import Dialer
from rrgate.wire.guard import AddressGuard, Network
from rrgate.wire.resolver import Resolver
from rrgate.wire.trust import NotTrusted, new_context


class Threads:
    """A thread pool whose threads the test lets end."""

    def __init__(self) -> None:
        self.jobs: list[tuple[Callable[..., None], Callable[..., Any], tuple[Any, ...]]] = []

    def callInThreadWithCallback(self, on_result: Any, function: Any, *arguments: Any) -> None:
        self.jobs.append((on_result, function, arguments))

    def end(self, result: Any = None) -> None:
        """The oldest look-up ends with this, or with what its function says."""
        on_result, function, arguments = self.jobs.pop(0)
        if isinstance(result, Exception):
            on_result(False, Failure(result))
            return
        try:
            on_result(True, function(*arguments) if result is None else result)
        except NotTrusted:
            on_result(False, Failure())


class Connector:
    """One attempt to connect."""

    def __init__(self, address: str, port: int, factory: Any, timeout: float) -> None:
        self.address, self.port, self.timeout = address, port, timeout
        self._factory = factory
        self.over = False

    def fails(self, error: Exception | None = None) -> None:
        self.over = True
        self._factory.clientConnectionFailed(self, Failure(error or Refused()))

    def succeeds(self) -> None:
        self.over = True
        self._factory.buildProtocol(None).connectionMade()

    def disconnect(self) -> None:
        if not self.over:
            self.fails(UserError())


class Network_(Clock):
    """The reactor: a clock, and attempts to connect."""

    def __init__(self) -> None:
        super().__init__()
        self.attempts: list[Connector] = []
        self.threads: Any = Threads()

    def getThreadPool(self) -> Any:
        return self.threads

    def connectTCP(self, address: str, port: int, factory: Any, timeout: float) -> Connector:
        self.attempts.append(Connector(address, port, factory, timeout))
        return self.attempts[-1]

    def callFromThread(self, function: Any, *arguments: Any) -> None:
        function(*arguments)


class Dialled:
    """A protocol that only notes that it is connected."""

    established: Deferred[None]

    def connectionMade(self) -> None:
        if not self.established.called:
            self.established.callback(None)


@cache
def _plain() -> ssl.SSLContext:
    """What targets share that need nothing of their own."""
    return new_context(None, None)


class World:
    """A dialer for names that resolve to `addresses`."""

    def __init__(self, *addresses: str, opened: tuple[str, ...] = (), **resolver: Any) -> None:
        self.network: Any = Network_()
        self.threads: Any = Threads()
        networks: list[tuple[Network, int | None]] = [(ip_network(each), None) for each in opened]
        self.told: list[Event] = []
        times = {"timeout": 5.0, "keep": 30.0, "keep_failure": 5.0} | resolver
        self.resolver = Resolver(
            self.network, self.threads, look_up=lambda host, port: list(addresses), tell=self.told.append, **times
        )
        self.dialer = Dialer(self.network, self.resolver, AddressGuard(networks), timeout=10.0)
        self.dialer._trust._keep((None, None), _plain())

    def connect(
        self,
        host: str = "a.test",
        *,
        tenant: str = "acme",
        secret: bool = False,
        tls: bool = False,
        bundle: str | None = None,
    ) -> Attempt:
        endpoint = Endpoint(tls, host, 443, bundle)
        return Attempt(self.dialer.connect(endpoint, tenant, Dialled(), secret=secret))  # type: ignore[arg-type]

    def resolve(self, host: str = "a.test", tenant: str = "acme") -> Attempt:
        return Attempt(self.resolver.addresses(host, 443, tenant))


class Attempt:
    """Something that is waited for."""

    def __init__(self, coroutine: Any) -> None:
        self.over = False
        self.error: BaseException | None = None
        self.result: Any = None

        async def keep() -> None:
            self.result = await coroutine

        self.task = Task(keep(), self._ended).start()

    def _ended(self, error: BaseException | None) -> None:
        self.over, self.error = True, error


PUBLIC = ("8.8.8.8", "8.8.4.4", "2606:4700::1111")
