"""Whose turn it is, while requests are taken: nobody waits for a look that nothing brings about.

Belongs here: the real worker and queue in memory, with looks that take their time. Does not: the order of proxies
(test_backlog.py).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

import pytest
from twisted.internet.defer import Deferred, fail

from rrgate.delivery.lanes import Lanes
from rrgate.delivery.table import Due
from rrgate.delivery.worker import LANE, LOOK
from rrgate.testing import MemoryGateway, Says
from tests.delivery.test_backlog import wait
from tests.delivery.test_delivering import CALLER, send

MANY = 3 * LANE


class Looks:
    """Looks at what is due whose ends a test brings about."""

    def __init__(self, gateway: MemoryGateway, patch: pytest.MonkeyPatch) -> None:
        self._gateway, self._patch = gateway, patch
        self._begun: deque[Callable[[], object]] = deque()
        self._due = gateway.delivery.queue.due

    def __len__(self) -> int:
        """Those that have begun, and not ended."""
        return len(self._begun)

    def take_time(self) -> None:
        """From now on; there is none under way."""
        self._gateway.delivery.worker.wake()
        self._gateway.clock.settle()
        self._patch.setattr(self._gateway.delivery.queue, "due", self._slow)

    def _slow(self, most: int) -> Deferred[object]:
        ends: Deferred[object] = Deferred()
        read = self._due(most)
        self._begun.append(lambda: read.chainDeferred(ends))
        return ends

    def end(self) -> None:
        """Those that have begun, and those that they bring about."""
        self.end_one()
        while self._begun:
            self.end_one()

    def end_one(self) -> None:
        """The one that has begun first."""
        assert self._begun, "there is none"
        self._begun.popleft()()
        self._gateway.clock.settle()


@pytest.fixture
def gateway() -> Iterator[MemoryGateway]:
    gateway = MemoryGateway(async_in_flight_per_target=MANY)
    yield gateway
    gateway.stop()


@pytest.fixture
def looks(gateway: MemoryGateway, monkeypatch: pytest.MonkeyPatch) -> Looks:
    return Looks(gateway, monkeypatch)


def test_a_delay_that_begins_during_a_look_ends_in_time(gateway: MemoryGateway, looks: Looks) -> None:
    proxy = gateway.proxy(caller=CALLER)
    looks.take_time()
    gateway.delivery.worker.wake()
    send(gateway, proxy, headers={"requestrocket-delay": "1"})
    looks.end()
    gateway.clock.advance(1.1)
    looks.end()
    assert len(gateway.target.received) == 1


def test_one_that_is_taken_during_a_look_that_does_not_see_it_is_sent_after_it(
    gateway: MemoryGateway, looks: Looks
) -> None:
    proxy = gateway.proxy(caller=CALLER)
    gateway.target.says = Says(503, headers={"Retry-After": "10"})
    send(gateway, proxy)
    gateway.clock.settle()
    send(gateway, proxy)
    gateway.clock.advance(9)
    assert len(gateway.target.received) == 1, "the other one is held back, and at hand"
    gateway.target.says = Says(after=None)
    looks.take_time()
    gateway.clock.advance(1.1)
    send(gateway, proxy)
    looks.end()
    assert len(gateway.target.received) == 4


@pytest.mark.parametrize(("says", "again"), [(200, 0), (404, 0), (503, 1)])
def test_an_end_during_a_look_brings_about_another_if_there_is_a_retry_to_see(
    gateway: MemoryGateway, looks: Looks, says: int, again: int
) -> None:
    first, other = gateway.proxy(caller=CALLER), gateway.proxy(caller=CALLER)
    gateway.target.says = Says(says, after=1)
    send(gateway, first)
    gateway.clock.settle()
    looks.take_time()
    gateway.target.says = Says(after=None)
    send(gateway, other)
    gateway.clock.advance(1)
    assert len(looks) == 1
    looks.end_one()
    assert len(looks) == again
    for _ in range(3):
        if len(looks):
            looks.end()
        gateway.clock.advance(1)
    assert len(gateway.target.received) == 2 + again


def test_looks_that_never_end_hold_nothing_up(gateway: MemoryGateway, looks: Looks) -> None:
    proxy = gateway.proxy(caller=CALLER)
    looks.take_time()
    send(gateway, proxy)
    for _ in range(5):
        send(gateway, proxy, headers={"requestrocket-delay": "3600"})
        looks.end_one()
    assert len(gateway.target.received) == 1, "anybody can send what is to be looked at once more"


def test_a_look_that_fails_for_a_bug_is_not_the_last(gateway: MemoryGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = gateway.proxy(caller=CALLER)
    send(gateway, proxy, headers={"requestrocket-delay": "1"})
    with monkeypatch.context() as patch:
        patch.setattr(gateway.delivery.queue, "due", lambda most: fail(LookupError("a bug")))
        gateway.clock.advance(2)
    gateway.clock.advance(LOOK)
    assert len(gateway.target.received) == 1


def test_as_many_are_sent_as_may_be(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(caller=CALLER)
    wait(gateway, proxy, MANY + 1)
    gateway.target.says = Says(after=None)
    gateway.delivery.worker.wake()
    gateway.clock.advance(LOOK / 2)
    assert len(gateway.target.received) == MANY


def test_each_lane_is_asked_once_where_none_may() -> None:
    lanes = Lanes()
    lanes.fill({f"p{number}": [Due(number, f"p{number}", 0)] for number in range(100)})
    asked: list[str] = []
    assert lanes.take(lambda proxy_id: bool(asked.append(proxy_id))) is None
    assert len(asked) == 100, "a target that is down has many, and they are asked at each end of an attempt"
    taken = lanes.take(lambda proxy_id: proxy_id == "p99")
    assert taken is not None
    assert taken.proxy_id == "p99"
    assert lanes.take(lambda proxy_id: proxy_id == "p99") is None
    assert len(lanes) == 99
