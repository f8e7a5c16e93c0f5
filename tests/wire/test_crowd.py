"""With as many connections as there may be, one that waits goes for another that comes; or that one is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from rrgate.exchange import Exchange
from rrgate.settings import Settings
from rrgate.testing.messages import read_answers
from rrgate.testing.transports import MemoryTransport
from rrgate.waiting import Waiter
from rrgate.wire.crowd import LINGER, LOOK_AGAIN, MOST_TURNED_AWAY, WAITED, TurnedAway
from rrgate.wire.hosts import HostNames
from rrgate.wire.listener import CallerListener
from tests.wire.memory import HOST, MemoryCaller, say

GET = b"GET / HTTP/1.1\r\nHost: %b\r\n\r\n" % HOST


class Door:
    """A listener with room for `most`. Requests wait until `go_on`."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.clock = Clock()
        self.refused = 0
        self.waiting: list[Waiter[None]] = []
        self.listener = CallerListener(
            self._serve,
            Settings(data=Path("unused")),
            HostNames([HOST.decode()]),
            self.clock,  # type: ignore[arg-type]
            lambda: 0.0,
            lambda: self.most,
            self._count,
        )

    async def _serve(self, ex: Exchange) -> None:
        waiter: Waiter[None] = Waiter()
        self.waiting.append(waiter)
        await waiter
        say(ex, 200, close=False)

    def _count(self) -> None:
        self.refused += 1

    def go_on(self) -> None:
        for waiter in self.waiting:
            waiter.fire(None)

    def caller(self) -> MemoryCaller:
        """One that is let in."""
        return MemoryCaller(listener=self.listener)

    def busy(self) -> MemoryCaller:
        return self.caller().send(GET)

    def idle(self) -> MemoryCaller:
        caller = self.busy()
        self.go_on()
        assert caller.answers()[-1].status == 200
        return caller

    def turned_away(self) -> tuple[TurnedAway, MemoryTransport]:
        protocol: Any = self.listener.buildProtocol(None)
        assert type(protocol) is TurnedAway
        transport = MemoryTransport("203.0.113.9")
        protocol.makeConnection(transport)
        return protocol, transport


def test_where_all_are_busy_who_comes_is_told_to_come_back() -> None:
    door = Door(2)
    busy = [door.busy(), door.busy()]
    _, transport = door.turned_away()
    (answer,) = read_answers(bytes(transport.written), [b"GET"])
    assert (answer.status, answer["retry-after"]) == (503, "1")
    assert answer["requestrocket-proxy-code"] == "overloaded"
    assert answer["connection"] == "close"
    assert door.refused == 1
    assert not any(each.transport.closing for each in busy)
    door.go_on()
    assert [each.answers()[0].status for each in busy] == [200, 200]


def test_the_one_that_has_waited_longest_goes_for_it() -> None:
    door = Door(3)
    first = door.idle()
    door.clock.advance(5)
    second, busy = door.idle(), door.busy()
    door.clock.advance(5)
    newest = door.caller()
    assert [each.transport.closing for each in (first, second, busy, newest)] == [True, False, False, False]
    assert door.refused == 0
    first.end()
    assert len(door.listener.connections) == 3


def test_one_that_has_asked_again_has_not_waited() -> None:
    door = Door(2)
    first, second = door.idle(), door.idle()
    door.clock.advance(30)
    first.send(GET)
    door.go_on()
    door.clock.advance(30)
    door.caller()
    assert (first.transport.closing, second.transport.closing) == (False, True)


def test_one_that_has_not_sent_its_head_goes_too() -> None:
    door = Door(2)
    slow = door.caller().send(GET[:10])
    idle = door.idle()
    door.clock.advance(5)
    idle.send(GET)
    door.caller()
    assert slow.transport.closing
    assert not idle.transport.closing


def test_who_has_just_come_is_not_pushed_out() -> None:
    door = Door(1)
    caller = door.caller()
    door.clock.advance(WAITED - 0.1)
    door.turned_away()
    assert not caller.transport.closing
    door.clock.advance(LOOK_AGAIN)
    door.caller()
    assert caller.transport.closing


def test_room_that_was_made_meanwhile_is_used() -> None:
    door = Door(1)
    door.busy()
    door.turned_away()
    door.most = 2
    door.busy()
    door.turned_away()


def test_it_is_looked_for_one_once_a_second_where_there_was_none(monkeypatch: pytest.MonkeyPatch) -> None:
    door = Door(1)
    caller = door.busy()
    looks: list[float] = []
    monkeypatch.setattr(type(caller.connection), "waits_since", property(lambda self: looks.append(1) or float("inf")))
    for _ in range(50):
        door.turned_away()
    assert len(looks) == 1
    door.clock.advance(LOOK_AGAIN)
    door.turned_away()
    assert len(looks) == 2


def test_who_is_turned_away_and_stays_is_dropped() -> None:
    door = Door(1)
    door.busy()
    protocol, transport = door.turned_away()
    protocol.dataReceived(b"x" * 100_000)
    door.clock.advance(LINGER)
    assert transport.aborted
    protocol.connectionLost(Failure(ConnectionDone()))
    assert door.listener._crowd.leaving == 0


def test_of_many_who_are_turned_away_some_are_closed_unanswered() -> None:
    door = Door(1)
    door.busy()
    leaving = [door.turned_away()[0] for _ in range(MOST_TURNED_AWAY)]
    assert door.listener.buildProtocol(None) is None
    assert door.refused == MOST_TURNED_AWAY + 1
    leaving[0].connectionLost(Failure(ConnectionDone()))
    door.turned_away()
    timers = len(door.clock.getDelayedCalls())
    leaving[1].connectionLost(Failure(ConnectionDone()))
    assert len(door.clock.getDelayedCalls()) == timers - 1
