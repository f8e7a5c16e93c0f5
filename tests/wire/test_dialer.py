"""How a connection to a target comes about: names in threads of their own, only allowed addresses, one after the other.

Belongs here: Resolver and Dialer, on a clock, threads and a network that the test plays. Does not: which addresses are
allowed (test_guard.py), TLS with a real peer (tests/gateway/).
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_network
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.error import TimeoutError as ConnectTimeout
from twisted.internet.error import UserError
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from rrgate.route import Endpoint
from rrgate.waiting import Task
from rrgate.wire.dialer import CannotConnect, Dialer, Resolver
from rrgate.wire.guard import AddressForbidden, AddressGuard, Network


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
        else:
            on_result(True, function(*arguments) if result is None else result)


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


class World:
    """A dialer for names that resolve to `addresses`."""

    def __init__(self, *addresses: str, opened: tuple[str, ...] = (), **resolver: Any) -> None:
        self.network: Any = Network_()
        self.threads: Any = Threads()
        networks: list[tuple[Network, int | None]] = [(ip_network(each), None) for each in opened]
        times = {"timeout": 5.0, "keep": 30.0, "keep_failure": 5.0} | resolver
        self.resolver = Resolver(self.network, self.threads, look_up=lambda host, port: list(addresses), **times)
        self.dialer = Dialer(self.network, self.resolver, AddressGuard(networks), timeout=10.0)

    def connect(
        self, host: str = "a.test", *, tenant: str = "acme", secret: bool = False, tls: bool = False
    ) -> Attempt:
        endpoint = Endpoint(tls, host, 443)
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


# Names


def test_a_name_is_looked_up_once_for_all_who_ask() -> None:
    world = World(*PUBLIC)
    asked = [world.resolve(tenant=tenant) for tenant in ("a", "a", "a")]
    assert len(world.threads.jobs) == 2  # two threads a tenant
    world.threads.end()
    world.threads.end()
    assert [each.result for each in asked] == [list(PUBLIC)] * 3
    world.network.advance(30)
    assert world.resolve().result == list(PUBLIC)
    world.network.advance(0.1)
    assert not world.resolve().over


def test_a_thousand_may_wait_for_one_name() -> None:
    world = World(*PUBLIC)
    asked = [world.resolve() for _ in range(1000)]
    world.threads.end()
    world.threads.end()
    world.network.pump([0] * len(asked))
    assert [each.result for each in asked] == [list(PUBLIC)] * len(asked)
    assert world.threads.jobs == []
    assert world.network.getDelayedCalls() == []
    for number in range(2):
        world.resolve(f"{number}.test")
    assert len(world.threads.jobs) == 2  # both threads are free again


def test_a_name_that_does_not_resolve_is_asked_again_later() -> None:
    world = World(*PUBLIC)
    first = world.resolve()
    world.threads.end(OSError("no such name"))
    assert isinstance(first.error, CannotConnect)
    assert isinstance(world.resolve().error, CannotConnect)
    world.network.advance(5.1)
    again = world.resolve()
    world.threads.end()
    assert again.result == list(PUBLIC)


@pytest.mark.parametrize("error", [OSError(), UnicodeError("label too long"), ValueError("embedded null")])
def test_whatever_a_look_up_raises_is_a_name_that_does_not_resolve(error: Exception) -> None:
    world = World()
    asked = world.resolve()
    world.threads.end(error)
    assert isinstance(asked.error, CannotConnect)


def test_a_slow_name_server_costs_its_tenant_time_and_nobody_else() -> None:
    world = World(*PUBLIC)
    slow = [world.resolve(f"{number}.slow.test", "slow") for number in range(6)]
    assert len(world.threads.jobs) == 2
    quick = world.resolve("quick.test", "quick")
    world.threads.jobs.insert(0, world.threads.jobs.pop())
    world.threads.end()
    assert quick.result == list(PUBLIC)
    world.network.advance(5)
    assert all(isinstance(each.error, CannotConnect) for each in slow)


def test_a_look_up_that_nobody_waits_for_any_more_keeps_its_thread_counted() -> None:
    world = World(*PUBLIC)
    for number in range(2):
        world.resolve(f"{number}.slow.test")
    world.network.advance(5)
    for number in range(2, 6):
        world.resolve(f"{number}.slow.test")
    assert len(world.threads.jobs) == 2
    world.threads.end()
    assert len(world.threads.jobs) == 2  # the one that went on, and the first of those who waited


def test_a_caller_that_leaves_while_its_name_is_looked_up_harms_nobody() -> None:
    world = World(*PUBLIC)
    leaving, waiting = world.resolve("1.test"), world.resolve("2.test")
    queued, stays = world.resolve("3.test"), world.resolve("4.test")
    leaving.task.cancel()
    queued.task.cancel()
    assert [type(each.error) for each in (leaving, queued)] == [CancelledError] * 2
    for _ in range(3):
        world.threads.end()
    assert (waiting.result, stays.result) == (list(PUBLIC), list(PUBLIC))
    assert world.threads.jobs == []
    assert world.network.getDelayedCalls() == []


# Connecting


def test_the_addresses_are_tried_one_after_the_other() -> None:
    world = World(*PUBLIC)
    attempt = world.connect()
    world.threads.end()
    world.network.attempts[0].fails()
    world.network.advance(4)
    world.network.attempts[1].fails(ConnectTimeout())
    world.network.attempts[2].succeeds()
    assert (attempt.over, attempt.error) == (True, None)
    assert [each.address for each in world.network.attempts] == list(PUBLIC)
    assert [each.timeout for each in world.network.attempts] == [10 / 3, 5, 6]


def test_of_many_addresses_each_has_time_for_a_second_try_of_the_system() -> None:
    world = World(*(f"8.8.8.{number}" for number in range(1, 21)))
    attempt = world.connect()
    world.threads.end()
    for number in range(5):
        world.network.advance(2)
        world.network.attempts[number].fails(ConnectTimeout())
    assert isinstance(attempt.error, CannotConnect)
    assert [each.timeout for each in world.network.attempts] == [2] * 5


def test_a_handshake_may_take_what_is_left_of_all_the_time() -> None:
    world = World("8.8.8.8", "8.8.4.4")
    attempt = world.connect(tls=True)
    world.threads.end()
    world.network.advance(9.9)
    assert not attempt.over
    world.network.advance(0.1)
    assert isinstance(attempt.error, CannotConnect)


def test_what_takes_no_connection_anywhere_cannot_be_connected() -> None:
    world = World("8.8.8.8", "8.8.4.4")
    attempt = world.connect()
    world.threads.end()
    for number in range(2):
        world.network.attempts[number].fails()
    assert isinstance(attempt.error, CannotConnect)
    assert "8.8" not in str(attempt.error)


def test_no_address_is_tried_when_the_time_is_over() -> None:
    world = World("8.8.8.8", "8.8.4.4")
    attempt = world.connect()
    world.threads.end()
    world.network.advance(10)
    world.network.attempts[0].fails(ConnectTimeout())
    assert isinstance(attempt.error, CannotConnect)
    assert len(world.network.attempts) == 1


def test_forbidden_addresses_are_left_out_and_those_alone_are_an_error() -> None:
    world = World("10.0.0.1", "8.8.8.8", "127.0.0.1", "::ffff:192.168.0.1")
    attempt = world.connect()
    world.threads.end()
    world.network.attempts[0].fails()
    assert [each.address for each in world.network.attempts] == ["8.8.8.8"]
    assert isinstance(attempt.error, CannotConnect)
    hidden = World("10.0.0.1", "127.0.0.1")
    refused = hidden.connect()
    hidden.threads.end()
    assert isinstance(refused.error, AddressForbidden)
    assert "10.0" not in str(refused.error)
    assert hidden.network.attempts == []


@pytest.mark.parametrize(
    ("addresses", "tls", "dialled"),
    [
        (["8.8.8.8"], False, []),
        (["8.8.8.8", "127.0.0.1"], False, ["127.0.0.1"]),
        (["10.0.0.1", "::1"], False, ["::1"]),
        (["8.8.8.8"], True, ["8.8.8.8"]),
    ],
)
def test_a_secret_leaves_this_machine_only_over_tls(addresses: list[str], tls: bool, dialled: list[str]) -> None:
    world = World(*addresses, opened=("127.0.0.0/8", "::1/128", "10.0.0.0/8"))
    attempt = world.connect(secret=True, tls=tls)
    world.threads.end()
    assert [each.address for each in world.network.attempts] == dialled
    assert isinstance(attempt.error, AddressForbidden) is (dialled == [])


@pytest.mark.parametrize("tls", [False, True])
def test_a_caller_that_leaves_while_it_is_connected_ends_the_attempt_and_no_other_is_made(tls: bool) -> None:
    world = World(*PUBLIC)
    attempt = world.connect(tls=tls)
    world.threads.end()
    attempt.task.cancel()
    assert world.network.attempts[0].over
    assert len(world.network.attempts) == 1
    assert isinstance(attempt.error, CancelledError)
    assert world.network.getDelayedCalls() == []


def test_a_handshake_that_does_not_end_in_time_ends_the_attempt() -> None:
    world = World("8.8.8.8", "8.8.4.4")
    attempt = world.connect(tls=True)
    world.threads.end()
    world.network.advance(10)
    assert isinstance(attempt.error, CannotConnect)
    assert "handshake" in str(attempt.error)
    assert len(world.network.attempts) == 1


def test_a_name_that_tls_cannot_verify_is_not_dialled() -> None:
    world = World("8.8.8.8")
    attempt = world.connect("a..test", tls=True)
    world.threads.end()
    assert isinstance(attempt.error, CannotConnect)
    assert world.network.attempts == []
