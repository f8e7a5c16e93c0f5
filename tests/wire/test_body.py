"""A body on its way: what is read, when its sender is paused, its bounds, and its broken ends."""

from __future__ import annotations

import sys
import tracemalloc
from typing import Any

import pytest
from twisted.internet.defer import CancelledError

from rrgate.body import HIGH_WATER, NO_BODY, Body, BodyBroken, BodyTooLarge
from rrgate.waiting import Task


class Source:
    """Notes what a body tells its connection."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def body_wanted(self) -> None:
        self.told.append("wanted")

    def pause_body(self) -> None:
        self.told.append("pause")

    def resume_body(self) -> None:
        self.told.append("resume")

    def abandon_body(self) -> None:
        self.told.append("abandon")


class Reading:
    """Reads one thing of a body in a Task of its own."""

    def __init__(self, coroutine: Any) -> None:
        self.result: Any = None
        self.error: BaseException | None = None
        self.over = False

        async def keep() -> None:
            self.result = await coroutine

        self.task = Task(keep(), self._ended).start()

    def _ended(self, error: BaseException | None) -> None:
        self.over, self.error = True, error


def body_of(*pieces: bytes) -> tuple[Body, Source]:
    source = Source()
    body = Body(source)
    for piece in pieces:
        body.feed(piece)
    return body, source


def test_what_is_here_is_read_in_one_piece_and_nobody_is_asked() -> None:
    body, source = body_of(b"one", b"two")
    assert Reading(body.read()).result == b"onetwo"
    assert source.told == []


def test_a_reader_that_must_wait_says_once_that_it_wants_the_body() -> None:
    body, source = body_of()
    first = Reading(body.read())
    assert not first.over
    body.feed(b"one")
    assert first.result == b"one"
    second = Reading(body.read())
    body.end()
    assert second.result == b""
    assert source.told == ["wanted"]
    assert Reading(body.read()).result == b""


def test_its_sender_is_paused_when_enough_waits_and_resumed_when_it_is_taken() -> None:
    body, source = body_of(b"x" * (HIGH_WATER - 1))
    assert source.told == []
    body.feed(b"x")
    body.feed(b"x")
    assert source.told == ["pause"]
    assert len(body.take()) == HIGH_WATER + 1
    assert source.told == ["pause", "resume"]
    assert body.take() == b""
    assert source.told == ["pause", "resume"]


def test_a_sender_that_is_done_is_not_resumed() -> None:
    body, source = body_of(b"x" * HIGH_WATER)
    body.end()
    body.take()
    assert source.told == ["pause"]


def test_a_reader_that_waits_is_not_a_reason_to_pause() -> None:
    body, source = body_of()
    reading = Reading(body.read())
    body.feed(b"x" * HIGH_WATER * 2)
    assert len(reading.result) == HIGH_WATER * 2
    assert source.told == ["wanted"]


def test_what_came_before_a_broken_end_is_read_first() -> None:
    body, _ = body_of(b"one")
    body.fail(BodyBroken("broke", 400))
    assert not body.complete
    assert Reading(body.read()).result == b"one"
    for _ in range(2):
        assert isinstance(Reading(body.read()).error, BodyBroken)
    body.end()
    body.feed(b"more")
    assert isinstance(Reading(body.read()).error, BodyBroken)


def test_a_broken_end_reaches_a_reader_that_waits() -> None:
    body, _ = body_of()
    reading = Reading(body.read())
    body.fail(BodyBroken("broke"))
    assert isinstance(reading.error, BodyBroken)


@pytest.mark.parametrize(
    ("pieces", "ended"),
    [
        ([b"12345678901"], True),
        ([b"12345678901"], False),
        ([b"12345", b"678901"], True),
        ([b"x" * HIGH_WATER], True),
    ],
)
def test_a_body_that_is_over_its_bound_already_fails_and_nothing_of_it_is_read(
    pieces: list[bytes], ended: bool
) -> None:
    body, _ = body_of(*pieces)
    if ended:
        body.end()
    body.bound(10)
    assert not body.complete
    assert body.buffered == 0
    reading = Reading(body.read())
    assert isinstance(reading.error, BodyTooLarge)
    assert reading.error.limit == 10
    body.feed(b"more")
    assert body.buffered == 0


def test_a_body_at_its_bound_passes_and_one_byte_more_fails() -> None:
    body, _ = body_of()
    body.bound(10)
    body.feed(b"1234567890")
    assert body.take() == b"1234567890"
    body.feed(b"1")
    assert isinstance(Reading(body.read()).error, BodyTooLarge)


def test_the_rest_of_one_that_is_too_long_is_abandoned_as_long_as_it_comes() -> None:
    body, source = body_of(b"12345")
    body.bound(6)
    body.feed(b"67")
    assert source.told == ["abandon"]
    body, source = body_of(b"12345")
    body.bound(4)
    assert source.told == ["abandon"]
    body, source = body_of(b"12345")
    body.end()
    body.bound(4)
    body.abandon()
    assert source.told == []


def test_what_comes_byte_by_byte_and_waits_takes_little_more_than_its_bytes() -> None:
    sent = [b"%d" % number for number in range(1000, 4000)]
    body, _ = body_of(*sent)
    assert sum(map(sys.getsizeof, body._chunks)) < 2 * body.buffered
    assert Reading(body.read()).result == b"".join(sent)


@pytest.mark.parametrize("gather", [Body.whole, Body.whole_within])
def test_what_is_gathered_byte_by_byte_takes_little_more_than_its_bytes(gather: Any) -> None:
    sent = [b"%d" % number for number in range(1000, 6000)]
    body, _ = body_of()
    tracemalloc.start()
    try:
        reading = Reading(gather(body, 100_000))
        for data in sent:
            body.feed(data)
        assert tracemalloc.get_traced_memory()[0] < 100_000
    finally:
        tracemalloc.stop()
    body.end()
    assert reading.result == b"".join(sent)


def test_the_lowest_bound_holds() -> None:
    body, _ = body_of()
    body.bound(10)
    body.bound(5)
    body.bound(20)
    body.feed(b"123456")
    error = Reading(body.read()).error
    assert isinstance(error, BodyTooLarge)
    assert error.limit == 5


def test_a_broken_body_stays_broken_whatever_bound_is_set() -> None:
    body, _ = body_of(b"123456")
    body.fail(BodyBroken("broke"))
    body.bound(3)
    body.take()
    assert isinstance(Reading(body.read()).error, BodyBroken)


@pytest.mark.parametrize("pieces", [[], [b"one"], [b"one", b"two"]])
def test_the_whole_is_all_of_it(pieces: list[bytes]) -> None:
    body, _ = body_of()
    reading = Reading(body.whole(6))
    for piece in pieces:
        body.feed(piece)
    assert not reading.over
    body.end()
    assert reading.result == b"".join(pieces)


def test_the_whole_is_refused_over_its_limit_whether_it_is_here_or_comes() -> None:
    here = Body.of(b"1234567")
    assert isinstance(Reading(here.whole(6)).error, BodyTooLarge)
    body, _ = body_of()
    reading = Reading(body.whole(6))
    body.feed(b"1234")
    body.feed(b"567")
    assert isinstance(reading.error, BodyTooLarge)


def test_a_nudge_wakes_one_who_would_rather_not_wait() -> None:
    body, _ = body_of()
    reading = Reading(body.read_or_nudged())
    body.nudge()
    assert (reading.over, reading.result) == (True, None)
    again = Reading(body.read_or_nudged())
    body.feed(b"one")
    assert again.result == b"one"
    body.nudge()
    last = Reading(body.read_or_nudged())
    body.end()
    assert last.result == b""


def test_a_reader_that_is_cancelled_loses_nothing() -> None:
    body, _ = body_of()
    reading = Reading(body.read())
    reading.task.cancel()
    assert isinstance(reading.error, CancelledError)
    body.feed(b"one")
    assert Reading(body.read()).result == b"one"


def test_abandoning_cuts_off_who_is_not_done() -> None:
    body, source = body_of(b"one")
    body.abandon()
    assert source.told == ["abandon"]
    done, quiet = body_of(b"one")
    done.end()
    done.abandon()
    assert quiet.told == []
    Body.of(b"one").abandon()


def test_no_body_is_complete_and_stays_so() -> None:
    NO_BODY.bound(0)
    NO_BODY.feed(b"x")
    assert NO_BODY.complete
    assert Reading(NO_BODY.whole(0)).result == b""
    assert Reading(NO_BODY.read()).result == b""
