"""What plugins do in the background is named where it fails, and ends with the gateway.

Belongs here: `Background`. Does not: what a plugin does there.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred

from rrgate.api import Event
from rrgate.background import Background
from rrgate.testing import operator_log


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
    background.close()
    assert seen == ["begun", "done"]


def test_it_is_cancelled_with_the_gateway_and_nothing_begins_after_it() -> None:
    events: list[Event] = []
    background, seen = Background(events.append), list[str]()
    background.start("acme", waits(Deferred(), seen))
    background.close()
    background.start("acme", waits(Deferred(), seen))
    assert (seen, events) == (["begun", "cancelled"], [])


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
