"""Connections are shared out by how many each worker has; and all figures of all workers stand in one text.

Belongs here: two workers in one process, on one socket. Does not: whole processes (tests/processes/test_workers.py).
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest
import pytest_twisted
from prometheus_client.parser import text_string_to_metric_families
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater

from rrgate.reactor import GatewayReactor
from rrgate.settings import SettingsError
from rrgate.wire.listening import listen_now
from rrgate.workers.metrics import together
from rrgate.workers.sharing import AHEAD, AT_ONCE, Shares, adopt_fairly, new_memory
from rrgate.workers.sockets import BoundSockets, adopt_paused


@pytest.fixture
def shares() -> Iterator[Shares]:
    memory = new_memory()
    yield Shares(memory)
    os.close(memory)


@pytest.mark.parametrize(
    ("mine", "others", "room"),
    [
        (0, [], AT_ONCE),
        (1000, [], AT_ONCE),
        (0, [0], AHEAD),
        (1, [0], AHEAD - 1),
        (AHEAD, [0], 0),
        (50, [0, 100], 0),
        (100, [100, 500], AHEAD + 6),
        (0, [1000], AT_ONCE),
    ],
)
def test_who_is_ahead_leaves_some_to_the_others(shares: Shares, mine: int, others: list[int], room: int) -> None:
    for slot, number in enumerate((mine, *others)):
        shares.opens(slot)
        shares.add(slot, number)
    assert shares.room(0) == room


def test_who_accepts_no_more_does_not_count(shares: Shares) -> None:
    for slot in (0, 1):
        shares.opens(slot)
    shares.add(0, 100)
    assert shares.room(0) == 0
    shares.closes(1)
    assert shares.room(0) == AT_ONCE
    shares.opens(1)
    shares.clear(1)
    assert shares.room(0) == AT_ONCE


class Silent(Protocol):
    """Takes connections and says nothing."""


def silent() -> Any:
    factory = Factory.forProtocol(Silent)
    factory.noisy = False
    return factory


@pytest_twisted.ensureDeferred
async def test_a_burst_is_shared_out_and_nobody_waits_for_one_that_hangs(shares: Shares) -> None:
    from twisted.internet import reactor

    if not isinstance(reactor, GatewayReactor):
        pytest.skip("only our reactor shares out")
    bound = BoundSockets(reactor)
    endpoint = "tcp:0:interface=127.0.0.1"
    bound.bind([endpoint])
    (descriptor,) = bound.descriptors([endpoint])
    ports: list[Any] = [
        adopt_paused(
            reactor,
            endpoint,
            silent(),
            descriptor,
            lambda number, family, made, slot=slot: adopt_fairly(reactor, number, family, made, shares, slot),
            listen_now,
        )
        for slot in (0, 1)
    ]
    address = ports[0].getHost()
    callers = [socket.create_connection((address.host, address.port)) for _ in range(32)]
    try:
        assert [shares.connections(slot) for slot in (0, 1)] == [0, 0], "none accepts before it is told to"
        for slot, port in enumerate(ports):
            shares.opens(slot)
            port.startReading()
        await until(lambda: shares.connections(0) + shares.connections(1) == 32)
        assert min(shares.connections(0), shares.connections(1)) >= 8
        # One hangs: the other takes all.
        ports[0].stopReading()
        callers += [socket.create_connection((address.host, address.port)) for _ in range(40)]
        await until(lambda: shares.connections(0) + shares.connections(1) == 72)
        assert shares.connections(1) >= 50
    finally:
        for caller in callers:
            caller.close()
        for port in ports:
            await port.stopListening()
        bound.close()
    await until(lambda: shares.connections(0) + shares.connections(1) == 0)


async def until(true: Any) -> None:
    from twisted.internet import reactor

    for _ in range(3000):
        if true():
            return
        waited: Deferred[None] = deferLater(reactor, 0.01)  # type: ignore[arg-type]
        await waited
    raise AssertionError("it never came")


@pytest_twisted.ensureDeferred
async def test_a_unix_socket_is_left_in_its_place_with_its_mode(tmp_path: Any) -> None:
    from twisted.internet import reactor

    path = tmp_path / "gateway.sock"
    endpoint = f"unix:{path}:mode=660"
    bound = BoundSockets(reactor)
    bound.bind([endpoint])
    (descriptor,) = bound.descriptors([endpoint])
    port: Any = adopt_paused(reactor, endpoint, silent(), descriptor, lambda *_: None, listen_now)
    assert path.stat().st_mode & 0o777 == 0o660
    await port.stopListening()
    assert path.exists()
    with socket.socket(socket.AF_UNIX) as caller:
        caller.connect(str(path))
    bound.close()
    await until(lambda: not path.exists())


@pytest.mark.parametrize("endpoint", ["systemd:domain=INET:index=7", "haproxy:systemd:domain=INET:index=7"])
@pytest_twisted.ensureDeferred
async def test_a_worker_adopts_what_the_system_has_handed_to_the_parent(endpoint: str) -> None:
    """Its own environment names no such socket."""
    from twisted.internet import reactor

    served: Any = reactor
    with socket.create_server(("127.0.0.1", 0)) as handed_over:
        port: Any = adopt_paused(
            reactor, endpoint, silent(), handed_over.fileno(), served.adoptStreamPort, listen_now
        )
        assert port.getHost().port == handed_over.getsockname()[1]
        await port.stopListening()


def test_a_socket_that_cannot_be_had_leaves_those_that_are() -> None:
    from twisted.internet import reactor

    bound = BoundSockets(reactor)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        endpoint = "tcp:0:interface=127.0.0.1"
        bound.bind([endpoint])
        before = bound.descriptors([endpoint])
        with pytest.raises(CannotListenError):
            bound.bind([endpoint, "tcp:0:interface=127.0.0.2", f"tcp:{taken.getsockname()[1]}:interface=127.0.0.1"])
        assert bound.descriptors([endpoint]) == before
        with pytest.raises(KeyError):
            bound.descriptors(["tcp:0:interface=127.0.0.2"])
    bound.close()


def test_two_listeners_do_not_get_one_socket() -> None:
    from twisted.internet import reactor

    bound = BoundSockets(reactor)
    endpoint = "tcp:0:interface=127.0.0.1"
    with pytest.raises(CannotListenError, match="two listeners cannot share it"):
        bound.bind([endpoint, endpoint])
    assert bound.bind([endpoint]) == [endpoint], "none was kept"
    assert bound.bind([endpoint]) == []
    bound.close()


ONE = """# HELP a_total What there was.
# TYPE a_total counter
a_total 3.0
# HELP b Of each kind.
# TYPE b gauge
b{kind="x"} 1.0
"""
OTHER = """# HELP a_total What there was.
# TYPE a_total counter
a_total 4.0
# HELP c_total Only here.
# TYPE c_total counter
c_total{of="y z{}"} 5.0
"""


def test_every_figure_says_which_worker_it_is_of() -> None:
    text = together([(0, ONE), (3, OTHER)]).decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    told = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in families.values()
        for sample in family.samples
    }
    assert told == {
        ("a_total", ("worker", "0")): 3,
        ("a_total", ("worker", "3")): 4,
        ("b", ("kind", "x"), ("worker", "0")): 1,
        ("c_total", ("of", "y z{}"), ("worker", "3")): 5,
    }
    assert text.count("# TYPE a_total") == 1


@pytest.mark.parametrize(
    ("endpoint", "why"),
    [
        ("carrier:pigeon", "Unknown endpoint type: 'carrier'"),
        ("tcp:8080:interfac=127.0.0.1", "interfac"),
        ("ssl:0:certKey=/nowhere/gw.pem:privateKey=/nowhere/gw.pem", "/nowhere/gw.pem"),
        ("systemd:domain=INET:index=0", "list index out of range"),
    ],
)
def test_an_endpoint_that_there_cannot_be_is_a_wrong_setting(endpoint: str, why: str) -> None:
    from twisted.internet import reactor

    with pytest.raises(SettingsError) as raised:
        listen_now(reactor, endpoint, silent())
    assert endpoint in str(raised.value)
    assert why in str(raised.value)
