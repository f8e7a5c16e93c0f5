"""Waiting without a Deferred: Waiters, Tasks, cancelling, and Deferreds among them.

Belongs here: rrgate/waiting.py. Does not: Body (test_body.py).
"""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.python.failure import Failure

from rrgate.waiting import Task, Waiter, run_deferred


class Ends:
    """What a Task's end was told, and what its coroutine noted on the way."""

    def __init__(self) -> None:
        self.errors: list[BaseException | None] = []
        self.notes: list[Any] = []

    def run(self, coroutine: Any) -> Task:
        return Task(coroutine, self.errors.append).start()


def test_what_never_waits_ends_within_start() -> None:
    ends = Ends()

    async def work() -> None:
        ends.notes.append(await succeed(1))

    task = ends.run(work())
    assert (ends.notes, ends.errors, task.finished) == ([1], [None], True)


def test_a_waiter_resumes_before_fire_returns() -> None:
    ends, waiter = Ends(), Waiter[int]()

    async def work() -> None:
        ends.notes.append(await waiter)

    ends.run(work())
    assert (ends.notes, ends.errors) == ([], [])
    waiter.fire(7)
    assert (ends.notes, ends.errors) == ([7], [None])


def test_a_waiter_that_fired_before_it_was_awaited_does_not_wait() -> None:
    ends, good, bad = Ends(), Waiter[int](), Waiter[int]()
    good.fire(7)
    bad.fail(KeyError("x"))

    async def work() -> None:
        ends.notes.append(await good)
        await bad

    ends.run(work())
    assert ends.notes == [7]
    assert isinstance(ends.errors[0], KeyError)


def test_a_waiter_fires_once() -> None:
    ends, waiter = Ends(), Waiter[int]()

    async def work() -> None:
        ends.notes.append(await waiter)

    ends.run(work())
    waiter.fire(1)
    waiter.fire(2)
    waiter.fail(KeyError())
    waiter.cancel()
    assert (ends.notes, ends.errors) == ([1], [None])


@pytest.mark.parametrize("kind", ["waiter", "deferred"])
def test_a_failure_is_raised_where_it_is_awaited_and_can_be_caught(kind: str) -> None:
    ends = Ends()
    waiter: Any = Waiter() if kind == "waiter" else Deferred()

    async def work() -> None:
        try:
            await waiter
        except KeyError as error:
            ends.notes.append(error.args)

    ends.run(work())
    waiter.fail(KeyError("x")) if kind == "waiter" else waiter.errback(KeyError("x"))
    assert (ends.notes, ends.errors) == ([("x",)], [None])


def test_what_a_coroutine_raises_ends_its_task() -> None:
    ends = Ends()

    async def work() -> None:
        await succeed(None)
        raise KeyError("x")

    assert ends.run(work()).finished
    assert [type(error) for error in ends.errors] == [KeyError]


def test_a_deferred_that_has_fired_already_does_not_wait() -> None:
    ends = Ends()

    async def work() -> None:
        ends.notes.append(await succeed(1))
        with pytest.raises(KeyError):
            await fail(KeyError())
        ends.notes.append(2)

    ends.run(work())
    assert (ends.notes, ends.errors) == ([1, 2], [None])


def test_a_deferred_that_waits_for_another_is_waited_for() -> None:
    ends, outer, inner = Ends(), Deferred[int](), Deferred[int]()
    outer.addCallback(lambda _: inner)

    async def work() -> None:
        ends.notes.append(await outer)

    ends.run(work())
    outer.callback(0)
    assert ends.notes == []
    inner.callback(5)
    assert (ends.notes, ends.errors) == ([5], [None])


@pytest.mark.parametrize("kind", ["waiter", "deferred"])
def test_cancelling_tells_what_is_waited_for_and_then_the_coroutine(kind: str) -> None:
    ends = Ends()
    waiting: Any
    if kind == "waiter":
        waiting = Waiter(lambda: ends.notes.append("told"))
    else:
        waiting = Deferred(lambda _: ends.notes.append("told"))

    async def work() -> None:
        try:
            await waiting
        finally:
            ends.notes.append("left")

    task = ends.run(work())
    task.cancel()
    task.cancel()
    assert ends.notes == ["told", "left"]
    assert [type(error) for error in ends.errors] == [CancelledError]
    if kind == "waiter":
        waiting.fire(None)
    assert len(ends.errors) == 1


def test_a_task_that_is_cancelled_while_it_runs_ends_at_its_next_wait() -> None:
    ends = Ends()
    first, second = Waiter[None](), Waiter[None](lambda: ends.notes.append("told"))

    async def work() -> None:
        await first
        task.cancel()
        ends.notes.append("runs on")
        await second
        ends.notes.append("never")

    task = ends.run(work())
    first.fire(None)
    assert ends.notes == ["runs on", "told"]
    assert [type(error) for error in ends.errors] == [CancelledError]


def test_once_cancelled_every_further_wait_is_cancelled_too() -> None:
    ends = Ends()

    async def work() -> None:
        for note in ("first", "second"):
            try:
                await Waiter[None]()
            except CancelledError:
                ends.notes.append(note)

    ends.run(work()).cancel()
    assert (ends.notes, ends.errors) == (["first", "second"], [None])


def test_cancelling_what_is_over_does_nothing() -> None:
    ends = Ends()

    async def work() -> None:
        return None

    ends.run(work()).cancel()
    assert ends.errors == [None]


def test_awaiting_anything_else_is_an_error_at_that_place() -> None:
    ends = Ends()

    class Odd:
        def __await__(self) -> Any:
            yield 5

    async def work() -> None:
        try:
            await Odd()
        except TypeError as error:
            ends.notes.append(str(error))

    ends.run(work())
    assert ends.errors == [None]
    assert "awaited 5" in ends.notes[0]


def test_an_end_of_the_process_is_not_swallowed() -> None:
    ends = Ends()

    async def work() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ends.run(work())
    assert [type(error) for error in ends.errors] == [KeyboardInterrupt]


def test_many_waits_that_are_over_do_not_pile_up() -> None:
    ends = Ends()

    async def work() -> None:
        for _ in range(5000):
            await succeed(None)
            fired = Waiter[None]()
            fired.fire(None)
            await fired

    ends.run(work())
    assert ends.errors == [None]


def test_tasks_that_resume_each_other_take_turns() -> None:
    ends, ping, pong = Ends(), Waiter[str](), Waiter[str]()

    async def one() -> None:
        ends.notes.append(await ping)
        pong.fire("pong")
        ends.notes.append("one ends")

    async def two() -> None:
        ends.notes.append(await pong)

    ends.run(one())
    ends.run(two())
    ping.fire("ping")
    assert ends.notes == ["ping", "pong", "one ends"]
    assert ends.errors == [None, None]


def test_run_deferred_answers_fails_and_is_cancelled() -> None:
    waiter = Waiter[int]()

    async def answer() -> int:
        return await waiter

    results: list[Any] = []
    run_deferred(answer()).addBoth(results.append)
    waiter.fire(3)
    assert results == [3]

    async def broken() -> int:
        raise KeyError("x")

    run_deferred(broken()).addErrback(lambda failure: results.append(failure.type))
    assert results[1:] == [KeyError]

    async def endless() -> None:
        await Waiter[None](lambda: results.append("told"))

    deferred = run_deferred(endless())
    deferred.addErrback(lambda failure: results.append(failure.type))
    deferred.cancel()
    assert results[2:] == ["told", CancelledError]


def test_an_error_that_nobody_is_told_of_is_logged() -> None:
    from twisted.python import log

    seen: list[Any] = []
    log.addObserver(seen.append)
    try:

        async def broken() -> None:
            raise KeyError("lost")

        Task(broken()).start()
        import gc

        gc.collect()
    finally:
        log.removeObserver(seen.append)
    assert any(isinstance(each.get("failure"), Failure) and each["failure"].check(KeyError) for each in seen)
