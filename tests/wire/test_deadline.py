"""A deadline expires once, never early, and costs a timer only when it is due."""

from __future__ import annotations

import pytest
from twisted.internet.base import DelayedCall
from twisted.internet.task import Clock

from rrgate.wire.deadline import Deadline


class Watched:
    def __init__(self) -> None:
        self.clock = Clock()
        self.expired: list[float] = []
        self.deadline = Deadline(self.clock, lambda: self.expired.append(self.clock.seconds()))  # type: ignore[arg-type]

    def until(self, moment: float, step: float = 0.25) -> None:
        while self.clock.seconds() < moment:
            self.clock.advance(step)


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_it_expires_when_its_time_has_passed(watched: Watched) -> None:
    watched.deadline.set(5)
    watched.until(4.75)
    assert watched.expired == []
    watched.until(20)
    assert watched.expired == [5]


def test_moved_later_it_expires_later_and_once(watched: Watched) -> None:
    watched.deadline.set(5)
    watched.until(4)
    watched.deadline.set(5)
    watched.until(8.75)
    assert watched.expired == []
    watched.until(30)
    assert watched.expired == [9]


def test_moved_earlier_it_expires_earlier(watched: Watched) -> None:
    watched.deadline.set(60)
    watched.deadline.set(2)
    watched.until(90)
    assert watched.expired == [2]


def test_moved_earlier_no_other_timer_is_looked_at(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twisted's `reset` looks for the timer among all there are when it moves it forward."""
    monkeypatch.setattr(DelayedCall, "reset", None)
    watched.deadline.set(60)
    watched.deadline.set(2)
    assert len(watched.clock.getDelayedCalls()) == 1
    watched.until(90)
    assert watched.expired == [2]


def test_moved_a_thousand_times_it_has_one_timer(watched: Watched) -> None:
    for _ in range(1000):
        watched.deadline.set(5)
        watched.clock.advance(0.01)
    assert len(watched.clock.getDelayedCalls()) == 1
    assert watched.expired == []


def test_cleared_it_does_not_expire_and_can_be_set_again(watched: Watched) -> None:
    watched.deadline.set(5)
    watched.deadline.clear()
    watched.until(10)
    assert watched.expired == []
    watched.deadline.set(3)
    watched.until(20)
    assert watched.expired == [13]


def test_cleared_and_set_before_the_timer_is_due_it_keeps_the_new_time(watched: Watched) -> None:
    watched.deadline.set(5)
    watched.deadline.clear()
    watched.until(4)
    watched.deadline.set(5)
    watched.until(30)
    assert watched.expired == [9]


def test_stopped_it_leaves_no_timer(watched: Watched) -> None:
    watched.deadline.set(5)
    watched.deadline.stop()
    assert watched.clock.getDelayedCalls() == []
    watched.deadline.stop()
    watched.until(10)
    assert watched.expired == []


def test_it_may_be_set_from_within_its_end(watched: Watched) -> None:
    clock = Clock()
    ends: list[float] = []

    def again() -> None:
        ends.append(clock.seconds())
        if len(ends) < 3:
            deadline.set(2)

    deadline = Deadline(clock, again)  # type: ignore[arg-type]
    deadline.set(2)
    for _ in range(40):
        clock.advance(0.25)
    assert ends == [2, 4, 6]
    assert clock.getDelayedCalls() == []


def test_a_timer_that_fires_a_hair_early_does_not_spin(watched: Watched) -> None:
    watched.deadline.set(5)
    (timer,) = watched.clock.getDelayedCalls()
    watched.clock.rightNow = 4.9995  # type: ignore[attr-defined]
    timer.func()
    assert watched.expired == [4.9995]
