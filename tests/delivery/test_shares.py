"""What one client has under way leaves room for the others, whatever its targets do.

Belongs here: the real worker in memory, with two clients. Does not: the order of proxies (test_turns.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from attrs import evolve
from twisted.internet.task import Clock

from rrgate.api import OutsideAnswer, Proxy
from rrgate.delivery.callbacks import CALLBACKS
from rrgate.delivery.shares import LONGEST_HOLD, Shares
from rrgate.ids import new_id
from rrgate.model import Client
from rrgate.testing import MemoryGateway, Says
from tests.delivery.test_callbacks import BACK, SECRET
from tests.delivery.test_delivering import CALLER, send, status

IN_FLIGHT = 20


@pytest.fixture
def gateway() -> Iterator[MemoryGateway]:
    gateway = MemoryGateway(async_in_flight=IN_FLIGHT, async_in_flight_per_target=3)
    yield gateway
    gateway.stop()


def of_another(gateway: MemoryGateway, **settings: Any) -> Proxy:
    """A proxy of another client's."""
    nouns: Any = gateway.directory
    nouns.put(Client(id="other", user_id=new_id(), name="other", created_at=1, updated_at=1))
    proxy = evolve(gateway.proxy(caller=CALLER, url="https://other.test", **settings), client_id="other")
    nouns.put(evolve(nouns.targets[proxy.target_id], client_id="other"))
    for part in (proxy.proxy_credential_id, proxy.target_credential_id):
        nouns.put(evolve(nouns.credentials[part], client_id="other"))
    nouns.put(proxy)
    return proxy


def hang(gateway: MemoryGateway) -> int:
    """One client has more targets that never answer than may be under way. How many attempts it has begun."""
    gateway.target.says = Says(after=None)
    for _ in range(IN_FLIGHT):
        proxy = gateway.proxy(caller=CALLER, target={"targetTimeout": 900})
        send(gateway, proxy)
        send(gateway, proxy)
    gateway.clock.settle()
    return len(gateway.target.received)


def test_targets_that_hang_are_nobody_elses_trouble(gateway: MemoryGateway) -> None:
    other = of_another(gateway)
    assert hang(gateway) == 15, "three times as many as are left"
    ids = [send(gateway, other) for _ in range(9)]
    gateway.clock.settle()
    assert {status(gateway, other, each)["status"] for each in ids} == {"succeeded"}
    assert len(gateway.target.received) == 15


def test_who_is_alone_may_have_all(gateway: MemoryGateway) -> None:
    assert hang(gateway) == IN_FLIGHT


def test_callbacks_count_for_their_client(gateway: MemoryGateway) -> None:
    gateway.outside.says = OutsideAnswer(200, (), b"")
    gateway.outside.after = 15
    for _ in range(IN_FLIGHT):
        proxy = gateway.proxy(caller=CALLER, proxyCallbackHosts=["hooks.test"])
        gateway.directory.put(evolve(proxy, sealed_callback_secret=SECRET))
        send(gateway, proxy, headers=BACK)
        of_another(gateway)
    gateway.clock.advance(1)
    assert len(gateway.outside.calls) == 15


def test_what_is_over_is_given_back_to_the_last_and_a_hold_has_an_end(gateway: MemoryGateway) -> None:
    clock, waits = Clock(), list[float]()
    one, other = gateway.proxy(), of_another(gateway)
    shares = Shares(gateway.directory, clock, waits.append, in_flight=4, per_target=9)
    begun = [shares.begin(one.id) for _ in range(3)]
    may = [shares.may(lane) for lane in (one.id, CALLBACKS + one.id, other.id)]
    assert (shares.left, may) == (1, [False, False, True])
    for each in begun:
        shares.end(each)
    assert (shares.left, shares.may(one.id)) == (4, True)
    shares.hold(begun[0], 1e9)
    assert (shares.may(one.id), shares.may(other.id), waits) == (False, True, [LONGEST_HOLD])
    clock.advance(LONGEST_HOLD)
    assert shares.may(one.id)
