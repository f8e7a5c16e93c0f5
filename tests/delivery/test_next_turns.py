"""Who comes next begins as soon as a target has answered, while that is written down; unless it wants to be left alone.

Belongs here: whose turn an answer makes it, with writes that take their time. Does not: bounds and lanes
(test_turns.py, test_shares.py), what is written.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from rrgate.testing import MemoryGateway, Says
from tests.delivery.in_a_task import waits
from tests.delivery.test_backlog import wait
from tests.delivery.test_delivering import CALLER

NEVER = Says(after=None)


class Answers:
    """What came of attempts, which is written down when a test says so."""

    def __init__(self, gateway: MemoryGateway, patch: pytest.MonkeyPatch) -> None:
        self._gateway = gateway
        self._write = gateway.delivery.queue.answer
        self._asked: list[tuple[Deferred[Any], Callable[[], Awaitable[Any]]]] = []
        patch.setattr(gateway.delivery.queue, "answer", self._later)

    def __len__(self) -> int:
        return len(self._asked)

    def _later(self, *args: Any, **named: Any) -> Deferred[Any]:
        written: Deferred[Any] = Deferred()
        self._asked.append((written, lambda: self._write(*args, **named)))
        return written

    def write(self) -> None:
        """The first of them."""
        written, write = self._asked.pop(0)
        waits(write()).chainDeferred(written)
        self._gateway.clock.settle()

    def fail(self) -> None:
        """The first of them cannot be."""
        self._asked.pop(0)[0].errback(sqlite3.OperationalError("disk I/O error"))
        self._gateway.clock.settle()


@pytest.fixture
def gateway() -> Iterator[MemoryGateway]:
    gateway = MemoryGateway(async_in_flight_per_target=2)
    yield gateway
    gateway.stop()


@pytest.fixture
def written(gateway: MemoryGateway, monkeypatch: pytest.MonkeyPatch) -> Answers:
    return Answers(gateway, monkeypatch)


def sent(gateway: MemoryGateway, says: Says) -> int:
    """How many of four have been sent, when the first was answered so."""
    gateway.target.says = lambda _: says if len(gateway.target.received) == 1 else NEVER
    wait(gateway, gateway.proxy(caller=CALLER), 4)
    gateway.delivery.worker.wake()
    gateway.clock.settle()
    return len(gateway.target.received)


def test_one_begins_while_an_answer_is_written_down_and_none_when_it_is(
    gateway: MemoryGateway, written: Answers
) -> None:
    assert sent(gateway, Says()) == 3
    assert len(written) == 1
    assert gateway.delivery.worker.under_way == 3, "that is to be written down too"
    written.write()
    assert len(gateway.target.received) == 3
    assert gateway.delivery.worker.under_way == 2


def test_who_wants_to_be_left_alone_is_sent_nothing_meanwhile(gateway: MemoryGateway, written: Answers) -> None:
    assert sent(gateway, Says(503, headers={"Retry-After": "3"})) == 2
    written.write()
    assert len(gateway.target.received) == 2
    gateway.clock.advance(10)
    assert len(gateway.target.received) == 3


def test_what_cannot_be_written_at_first_gives_nobody_a_second_turn(gateway: MemoryGateway, written: Answers) -> None:
    assert sent(gateway, Says()) == 3
    written.fail()
    gateway.clock.advance(5)
    assert len(written) == 1, "it is tried again"
    written.write()
    gateway.clock.advance(5)
    assert len(gateway.target.received) == 3
