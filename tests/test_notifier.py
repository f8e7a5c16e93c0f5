"""`Notifier`: notices are written soon and never waited for; a cause is passed on once an hour; what fails is told.

Belongs here: when notices are written. Does not: what they say (test_notice_texts.py), rows (tests/store/).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from rrgate.boot_values import Event
from rrgate.directory import Directory
from rrgate.model.notification import Notice
from rrgate.notifier import BATCH, MOST_WAITING, REPORT_SECONDS, Notifier
from rrgate.store import StoreError
from rrgate.testing.operator_log import operator_log
from tests.core.doubles import no_route


class Disk:
    """Writes when it is told to."""

    def __init__(self) -> None:
        self.given: list[tuple[list[str], int]] = []
        self.waiting: list[Deferred[None]] = []

    def notify(self, notices: Sequence[Notice], now: int) -> Deferred[None]:
        self.given.append(([each.cause for each in notices], now))
        self.waiting.append(Deferred())
        return self.waiting[-1]

    def done(self, error: Exception | None = None) -> None:
        waiting = self.waiting.pop(0)
        waiting.callback(None) if error is None else waiting.errback(error)

    @property
    def causes(self) -> list[str]:
        return [cause for causes, _ in self.given for cause in causes]


class House:
    """A Notifier, its disk, and both clocks."""

    def __init__(self) -> None:
        self.seconds = 1_800_000_000.0
        self.clock = Clock()
        self.disk = Disk()
        self.notifier = Notifier(self.disk, Directory(no_route), lambda: self.seconds, self.clock)

    def tell(self, *causes: str, **more: Any) -> None:
        self.notifier.tell(
            [
                Notice(**{"type": "client", "receiver_id": "c1", "cause": each, "title": "t", "message": "m", **more})
                for each in causes
            ]
        )


@pytest.fixture
def house() -> House:
    return House()


@pytest.mark.parametrize(
    ("once", "later", "told"), [(False, 3599.9, 1), (False, 3600, 2), (False, -1, 2), (True, 1e6, 1), (True, -1, 1)]
)
def test_the_same_cause_is_passed_on_once(house: House, once: bool, later: float, told: int) -> None:
    house.tell("a", "a", once=once)
    house.disk.done()
    house.tell("a", once=once)
    house.seconds += later
    house.tell("a", once=once)
    assert house.disk.causes == ["a"] * told
    for other in ({"type": "user"}, {"receiver_id": "c2"}):
        house.tell("a", **other)
    while house.disk.waiting:
        house.disk.done()
    assert house.disk.causes == ["a"] * (told + 2)


def test_what_comes_while_one_batch_is_written_goes_with_the_next(house: House) -> None:
    house.tell("a")
    house.tell("b")
    house.tell("c")
    assert house.disk.given == [(["a"], 1_800_000_000_000)]
    house.seconds += 1
    house.disk.done()
    assert house.disk.given[1:] == [(["b", "c"], 1_800_000_001_000)]
    house.disk.done()
    assert len(house.disk.given) == 2


def test_those_too_many_are_given_up_and_that_is_told_once_a_minute(house: House) -> None:
    house.tell("first")
    with operator_log() as log:
        house.tell(*(f"n{number}" for number in range(MOST_WAITING + 3)))
    assert log.text.count("notifications cannot be kept") == 1
    while house.disk.waiting:
        house.disk.done()
    assert house.disk.causes == ["first", *(f"n{number}" for number in range(MOST_WAITING))]
    assert max(len(causes) for causes, _ in house.disk.given) == BATCH


def test_a_full_disk_is_told_to_the_operator_alone_and_what_failed_can_be_told_again(house: House) -> None:
    with operator_log() as log:
        for _ in range(3):
            house.tell("a", "b")
            house.disk.done(StoreError("the database does not answer: disk is full s3cr3t"))
    assert house.disk.causes == ["a", "b"] * 3
    assert log.text.count("notifications cannot be kept (StoreError); 2 were given up in all") == 1
    assert log.text.count("cannot be kept") == 1
    assert "s3cr3t" not in log.raw
    house.clock.advance(REPORT_SECONDS)
    with operator_log() as log:
        house.tell("a")
        house.disk.done(StoreError("again"))
    assert "7 were given up in all" in log.text


def test_what_waits_is_written_before_it_is_closed(house: House) -> None:
    house.tell("a")
    house.tell("b")
    closed: list[None] = []
    house.notifier.close().addCallback(closed.append)
    house.tell("c")
    house.notifier.tidy()
    house.disk.done()
    assert not closed
    house.disk.done()
    assert closed == [None]
    assert house.disk.causes == ["a", "b"]
    assert house.notifier.close().called


def test_idle_it_is_closed_at_once(house: House) -> None:
    assert house.notifier.close().called


def test_it_has_old_ones_removed_unless_it_writes_anyway(house: House) -> None:
    house.notifier.tidy()
    house.notifier.tidy()
    assert house.disk.given == [([], 1_800_000_000_000)]


def test_events_never_raise(house: House) -> None:
    house.notifier.event(Event("journal-trouble", "a sentence"))
    assert house.disk.causes == ["journal-trouble"]
    with operator_log() as log:
        house.notifier.event(Event("journal-trouble", "a sentence", None))  # type: ignore[arg-type]
    assert "an event of kind journal-trouble could not be told" in log.text
