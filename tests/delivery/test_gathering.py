"""Who shares a commit: what is asked meanwhile waits for those who were told and come back, and for nobody else."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from rrgate.delivery.gathering import BACK, FEW, LONGEST_SECONDS, NOT_AGAIN, Gathering

MOST = 100


class Thread:
    """In place of the thread that writes: `handed` is what it was given, in pieces."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.handed: list[list[int]] = []
        self.gathering: Gathering[int] = Gathering(self.clock, self.handed.append, MOST)
        self._next = 0

    def ask(self, number: int) -> None:
        for _ in range(number):
            self.gathering.ask(self._next)
            self._next += 1

    def round(self) -> list[int]:
        """How many were handed over until the end of this round of the reactor, in each piece."""
        self.handed.clear()
        self.clock.advance(0)
        return [len(each) for each in self.handed]

    def over(self, number: int, back: int = 0) -> list[int]:
        """So many are told of, of whom some ask again at once; what is handed over in that round."""
        self.gathering.over(number, lambda: self.ask(back))
        return self.round()


@pytest.fixture
def thread() -> Thread:
    return Thread()


def test_what_is_asked_in_one_round_is_handed_over_together_at_its_end(thread: Thread) -> None:
    thread.ask(30)
    assert thread.handed == []
    assert thread.round() == [30]
    assert thread.handed == [[*range(30)]]


def test_nobody_waits_where_few_are_with_the_thread(thread: Thread) -> None:
    thread.ask(1)
    assert thread.round() == [1]
    thread.ask(FEW - 2)
    assert thread.round() == [FEW - 2]


def test_where_many_are_with_the_thread_others_wait_until_these_are_told(thread: Thread) -> None:
    thread.ask(FEW)
    thread.round()
    thread.ask(5)
    assert thread.round() == []
    thread.clock.advance(0.002)
    assert thread.over(FEW, back=FEW) == [5 + FEW]


def test_who_asks_again_at_once_waits_for_nobody_where_nobody_had_waited(thread: Thread) -> None:
    thread.ask(16)
    thread.round()
    thread.clock.advance(0.002)
    assert thread.over(16, back=3) == [3]


def test_two_groups_become_one_as_soon_as_most_of_those_who_were_told_are_back(thread: Thread) -> None:
    thread.ask(16)
    thread.round()
    thread.ask(12)
    thread.clock.advance(0.004)
    assert thread.over(16) == []
    thread.ask(round(16 * BACK) - 1)
    assert thread.round() == []
    thread.ask(1)
    assert thread.handed == [], "what else is asked in this round goes along"
    thread.ask(2)
    assert thread.round() == [12 + round(16 * BACK) + 2]


@pytest.mark.parametrize(
    ("took", "at_most"), [(0.002, 0.002), (0.0001, 0.0001), (1.0, LONGEST_SECONDS)], ids=["usual", "fast", "slow"]
)
def test_nobody_waits_for_longer_than_the_commit_took_nor_than_five_milliseconds(
    thread: Thread, took: float, at_most: float
) -> None:
    thread.ask(16)
    thread.round()
    thread.ask(12)
    thread.clock.advance(took)
    assert thread.over(16) == []
    thread.clock.advance(at_most * 0.99)
    assert thread.handed == []
    thread.clock.advance(at_most * 0.02)
    assert [len(each) for each in thread.handed] == [12]


def test_after_waiting_in_vain_nobody_is_waited_for_so_many_times(thread: Thread) -> None:
    thread.ask(16)
    thread.round()
    thread.ask(16)
    thread.clock.advance(0.002)
    assert thread.over(16) == []
    thread.clock.advance(0.002)
    for _ in range(NOT_AGAIN):
        thread.ask(16)
        thread.clock.advance(0.002)
        assert thread.over(16) == [16]
    thread.ask(16)
    thread.clock.advance(0.002)
    assert thread.over(16) == []


def test_no_more_than_so_many_are_handed_over_at_once_and_the_rest_when_these_are_told(thread: Thread) -> None:
    thread.ask(2 * MOST + 10)
    assert thread.round() == [MOST]
    assert thread.over(MOST) == [MOST]
    thread.clock.advance(0.001)
    assert thread.over(MOST, back=MOST) == [MOST]
    assert thread.over(MOST) == [10]
    assert thread.handed == [[*range(3 * MOST, 3 * MOST + 10)]]


def test_the_rest_is_handed_over_when_whoever_was_told_fails(thread: Thread) -> None:
    thread.ask(16)
    thread.round()
    thread.ask(3)

    def fails() -> None:
        raise RuntimeError("a bug of its own")

    with pytest.raises(RuntimeError):
        thread.gathering.over(16, fails)
    thread.handed.clear()
    thread.clock.advance(LONGEST_SECONDS)
    assert [len(each) for each in thread.handed] == [3]


def test_at_the_end_all_is_handed_over_whatever_is_under_way_and_no_timer_stays(thread: Thread) -> None:
    for under_way in (0, FEW):
        thread.ask(under_way)
        thread.round()
        thread.ask(MOST + 1)
        thread.handed.clear()
        thread.gathering.all()
        assert [len(each) for each in thread.handed] == [MOST, 1]
        assert thread.clock.getDelayedCalls() == []
        thread.gathering.over(under_way + MOST + 1, lambda: None)
        assert thread.clock.getDelayedCalls() == []
