"""What plugins do in the background is named where it fails, and ends with the gateway.

Belongs here: `Background`. Does not: what a plugin does there.
"""

from __future__ import annotations

import pytest
from twisted.internet.defer import CancelledError, Deferred

from rrgate.api import Event
from rrgate.background import Background
from rrgate.testing import Clock, operator_log
from rrgate.waiting import Task


async def waits(for_: Deferred[None], seen: list[str]) -> None:
    seen.append("begun")
    try:
        await for_
        seen.append("done")
    except CancelledError:
        seen.append("cancelled")
        raise


def test_it_begins_at_once_and_ends_when_it_can() -> None:
    background, seen, waiting = Background(), list[str](), Deferred[None]()
    background.start("acme", waits(waiting, seen))
    assert seen == ["begun"]
    waiting.callback(None)
    background.break_off()
    assert seen == ["begun", "done"]


def test_it_is_cancelled_with_the_gateway_and_nothing_begins_after_it() -> None:
    events: list[Event] = []
    background, seen = Background(events.append), list[str]()
    background.start("acme", waits(Deferred(), seen))
    background.break_off()
    background.start("acme", waits(Deferred(), seen))
    assert (seen, events) == (["begun", "cancelled"], [])


@pytest.mark.parametrize(("ends_after", "became"), [(3, "done"), (None, "cancelled")])
def test_a_gateway_that_stops_waits_for_it_for_a_while(ends_after: float | None, became: str) -> None:
    clock, background, seen, waiting = Clock(), Background(), list[str](), Deferred[None]()
    background.start("acme", waits(waiting, seen))
    closed: list[object] = []
    Task(background.close(clock, 10), closed.append).start()
    if ends_after is not None:
        clock.callLater(ends_after, waiting.callback, None)
    clock.advance(9)
    assert bool(closed) is (became == "done")
    clock.advance(1)
    assert (seen, closed) == (["begun", became], [None])
    assert not clock.getDelayedCalls()


def test_where_nothing_is_under_way_it_does_not_wait() -> None:
    closed: list[object] = []
    Task(Background().close(Clock(), 10), closed.append).start()
    assert closed == [None]


def test_whoever_fails_is_named_without_what_he_says() -> None:
    said = "secret-in-an-exception"

    async def fails() -> None:
        raise ValueError(said)

    events: list[Event] = []
    with operator_log() as log:
        Background(events.append).start("acme", fails())
    assert [(event.kind, event.subject) for event in events] == [("plugin-fault", "acme background")]
    assert "'acme' failed in the background" in log.text
    assert said not in log.text
