"""A plugin that waits for too long: ended in its time, closed, named; and whose fault a wait is that ends early.

Belongs here: rrgate/patience.py under the pipeline. Does not: other ways of failing (test_steps.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.logger import eventAsText, globalLogPublisher

from rrgate.api import Exchange, Kind
from rrgate.body import Body
from rrgate.waiting import Waiter
from tests.chain.house import PATIENCE, Caller, House, letting_in, plugin, response

PHASES = ["authenticate", "authorize", "prepare", "on_request_body", "on_response", "on_body"]
SENT = ("on_response", "on_body")
SECRET = "s3cr3t-77aa"

# One of the plugins below will not end even when it is thrown away.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture
def logged() -> Any:
    events: list[dict[str, Any]] = []
    globalLogPublisher.addObserver(events.append)
    yield events
    globalLogPublisher.removeObserver(events.append)


class Awaited:
    """What plugins of a test await, and what became of it."""

    def __init__(self) -> None:
        self.cancelled: list[object] = []
        self.told: list[str] = []

    def deferred(self) -> Deferred[Any]:
        return Deferred(self.cancelled.append)

    async def for_ever(self, *_: object) -> Any:
        await self.deferred()

    async def for_a_waiter(self, *_: object) -> Any:
        await Waiter(lambda: self.cancelled.append(None))

    def a_deferred_itself(self, *_: object) -> Any:
        return self.deferred()

    async def in_a_chain(self, *_: object) -> Any:
        await succeed(None).addCallback(lambda _: self.deferred())

    async def again_and_again(self, *_: object) -> Any:
        while True:
            try:
                await self.deferred()
            except CancelledError:
                self.told.append("cancelled")

    async def whatever_it_is_told(self, *_: object) -> Any:
        while True:
            try:
                await self.deferred()
            except BaseException as error:  # noqa: BLE001 - the worst that a plugin can do
                self.told.append(type(error).__name__)

    async def and_then_raises(self, *_: object) -> Any:
        try:
            await self.deferred()
        except CancelledError:
            raise KeyError(SECRET) from None

    async def and_then_answers(self, *_: object) -> Any:
        try:
            await self.deferred()
        except CancelledError:
            return None

    async def with_a_canceller_that_raises(self, *_: object) -> Any:
        def canceller(deferred: object) -> None:
            self.cancelled.append(deferred)
            raise KeyError(SECRET)

        await Deferred(canceller)


HANGS = [
    "for_ever",
    "for_a_waiter",
    "a_deferred_itself",
    "in_a_chain",
    "again_and_again",
    "whatever_it_is_told",
    "and_then_raises",
    "and_then_answers",
    "with_a_canceller_that_raises",
]


def in_phase(phase: str, method: Callable[..., Any]) -> House:
    kind = Kind.CALLER if phase == "authenticate" else Kind.OWN
    others = [] if phase == "authenticate" else [letting_in()]
    return House(*others, plugin("slow", kind, **{phase: method}))


@pytest.mark.parametrize("how", HANGS)
@pytest.mark.parametrize("phase", PHASES)
def test_a_plugin_that_hangs(phase: str, how: str, logged: list[Any]) -> None:
    awaited = Awaited()
    house = in_phase(phase, getattr(awaited, how))
    request = house.start(b"body")
    house.clock.advance(PATIENCE - 0.1)
    assert not request.ended
    assert not awaited.cancelled
    house.clock.advance(0.1)
    assert request.ended
    assert awaited.cancelled
    assert request.result == ((502 if phase in SENT else 500), b"internal-error")
    assert len(house.upstream.sent) == (phase in SENT)
    assert house.phases == [f"slow {phase}"]
    (told,) = [eventAsText(event) for event in logged if event.get("plugin") == "slow"]
    assert f"plugin 'slow' failed in {phase}" in told
    assert "waited for more than 30 seconds" in told
    assert SECRET not in repr(logged)
    assert house.clock.getDelayedCalls() == []
    assert house.logged == [request.ex]


def test_the_log_says_where_it_waited(logged: list[Any]) -> None:
    house = in_phase("authorize", Awaited().for_ever)
    house.start()
    house.clock.advance(PATIENCE)
    assert "test_patience.py" in (told := "\n".join(map(eventAsText, logged)))
    assert "in for_ever: await self.deferred()" in told


def test_what_it_does_on_its_end_is_done() -> None:
    awaited = Awaited()
    house = in_phase("authorize", awaited.again_and_again)
    house.start()
    house.clock.advance(PATIENCE)
    assert awaited.told == ["cancelled"]


def test_all_waits_of_a_step_count_together_and_each_step_for_itself() -> None:
    waits: list[Deferred[None]] = []

    async def thrice(ex: Exchange) -> None:
        for _ in range(3):
            waits.append(Deferred())
            await waits[-1]

    house = House(letting_in(), plugin("a", authorize=thrice), plugin("b", authorize=thrice, prepare=thrice))
    request = house.start()
    for _ in range(9):
        house.clock.advance((PATIENCE - 1) / 3)
        waits[-1].callback(None)
    assert request.result[0] == 200
    house = House(letting_in(), plugin("a", authorize=thrice))
    request = house.start()
    for _ in range(2):
        house.clock.advance(PATIENCE / 3)
        waits[-1].callback(None)
    house.clock.advance(PATIENCE / 3)
    assert request.result == (500, b"internal-error")


def test_a_late_value_harms_nobody() -> None:
    late: Deferred[None] = Deferred()
    slow = plugin("slow", authorize=lambda ex: late)
    late.cancel = lambda: None  # type: ignore[method-assign] # as one that somebody else waits for too
    house = House(letting_in(), slow)
    request = house.start()
    house.clock.advance(PATIENCE)
    assert request.result == (500, b"internal-error")
    late.callback(None)
    assert house.upstream.sent == []


@pytest.mark.parametrize("in_time", [True, False])
def test_waiting_for_a_body_is_not_the_plugins_fault(in_time: bool) -> None:
    then: Deferred[None] = Deferred()

    async def reading(ex: Exchange) -> None:
        while await ex.request_body.read():
            pass
        await then

    house = House(letting_in(), plugin("a", authorize=reading))
    body = Body(Caller())
    request = house.start(body, length=3)
    for _ in range(3):
        house.clock.advance(PATIENCE * 3)
        body.feed(b"x")
    house.clock.advance(PATIENCE - 0.1)
    assert not request.ended
    body.end()
    house.clock.advance(PATIENCE - 0.1)
    assert not request.ended
    if in_time:
        then.callback(None)
        assert request.result[0] == 200
    else:
        house.clock.advance(0.1)
        assert request.result == (500, b"internal-error")


def test_waiting_for_the_targets_body_is_not_the_plugins_fault() -> None:
    async def reading(ex: Exchange) -> None:
        assert ex.response is not None
        assert await ex.response.body.read() == b"x"

    house = House(letting_in(), plugin("a", on_response=reading))
    body = Body(None)
    house.upstream.answer = lambda ex: response(body, 1)
    request = house.start()
    house.clock.advance(PATIENCE * 3)
    body.feed(b"x")
    body.end()
    assert request.result[0] == 200


def test_a_body_that_streams_through_a_plugin_takes_as_long_as_it_takes() -> None:
    async def same(ex: Exchange, chunk: bytes, last: bool) -> bytes:
        await succeed(None)
        return chunk

    house = House(letting_in(), plugin("a", on_request_body=same, on_body=same))
    body, answer = Body(Caller()), Body(None)
    house.upstream.answer = lambda ex: response(answer, 2)
    request = house.start(body, length=2)
    for each in (body, answer):
        for _ in range(2):
            house.clock.advance(PATIENCE * 2)
            each.feed(b"x")
        each.end()
    assert request.result[0] == 200
    assert (house.upstream.sent[0][1], request.door.body) == (b"xx", b"xx")


@pytest.mark.parametrize("how", HANGS)
@pytest.mark.parametrize("phase", PHASES)
def test_a_caller_who_leaves_is_nobodys_fault(phase: str, how: str) -> None:
    awaited = Awaited()
    house = in_phase(phase, getattr(awaited, how))
    request = house.start(b"body")
    request.task.cancel()
    assert awaited.cancelled
    assert isinstance(request.errors[0], CancelledError)
    assert house.phases == []
    assert request.ex.final_status == 499
    assert house.clock.getDelayedCalls() == []


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("how", ["plain", "async", "by another"])
def test_a_plugin_that_says_that_it_was_cancelled_when_nobody_did(phase: str, how: str) -> None:
    shared: Deferred[Any] = Deferred()

    def plain(*_: object) -> Any:
        raise CancelledError

    async def coroutine(*_: object) -> Any:
        raise CancelledError

    async def waiting(*_: object) -> Any:
        await shared

    house = in_phase(phase, {"plain": plain, "async": coroutine, "by another": waiting}[how])
    request = house.start(b"body")
    shared.addErrback(lambda _: None)
    shared.cancel()
    assert request.result == ((502 if phase in SENT else 500), b"internal-error")
    assert house.phases == [f"slow {phase}"]


@pytest.mark.parametrize("phase", PHASES)
def test_what_is_awaited_and_cannot_be(phase: str) -> None:
    class Odd:
        def __await__(self) -> Any:
            yield 1

    house = in_phase(phase, lambda *_: Odd())
    assert house.call(b"body").result == ((502 if phase in SENT else 500), b"internal-error")
