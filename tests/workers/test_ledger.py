"""A change is answered when all workers have it in force, whoever dies or hangs meanwhile.

Belongs here: the parent's side, on a clock. Does not: the worker's (test_changing.py).
"""

from __future__ import annotations

from typing import Any

import pytest

from rrgate.workers.crew import Hand, Stage
from tests.workers.parent import Parent

NOUNS = [["proxies", ["p-1"]]]


@pytest.fixture
def parent() -> Parent:
    return Parent(3).start()


def others(parent: Parent) -> list[Hand]:
    return [hand for hand in parent.at(Stage.SERVING) if hand is not parent.leads]


def last(parent: Parent, hand: Hand) -> dict[str, Any]:
    return parent.process(hand).told[-1]


def announce(parent: Parent, number: int = 1) -> Hand:
    leads = parent.leads
    parent.say(leads, "about", id=number, nouns=NOUNS)
    return leads


def test_it_is_done_when_all_others_have_confirmed(parent: Parent) -> None:
    leads = announce(parent)
    assert last(parent, leads) == {"say": "go", "id": 1}
    one, other = others(parent)
    assert "refresh" not in parent.told(one)
    parent.say(leads, "made", id=1)
    assert last(parent, one)["nouns"] == NOUNS
    parent.say(one, "refreshed", id=last(parent, one)["id"])
    assert last(parent, leads)["say"] == "go"
    parent.say(other, "refreshed", id=last(parent, other)["id"])
    assert last(parent, leads) == {"say": "done", "id": 1}
    parent.clock.advance(10)
    assert not any(parent.process(each).killed for each in (leads, one, other))


def test_who_does_not_confirm_is_killed_and_its_death_confirms(parent: Parent) -> None:
    leads = announce(parent)
    one, other = others(parent)
    parent.say(leads, "made", id=1)
    parent.say(one, "refreshed", id=last(parent, one)["id"])
    parent.clock.advance(1.9)
    assert not parent.process(other).killed
    parent.clock.advance(0.2)
    assert parent.process(other).killed
    assert last(parent, leads)["say"] == "go", "not before it is dead"
    parent.end(other)
    assert last(parent, leads)["say"] == "done"


def test_a_change_of_many_nouns_has_the_time_that_these_take(parent: Parent) -> None:
    leads = parent.leads
    parent.say(leads, "about", id=1, nouns=[["proxies", [f"p-{each}"]] for each in range(100_000)])
    parent.say(leads, "made", id=1)
    parent.clock.advance(20)
    assert not any(parent.process(each).killed for each in others(parent))
    parent.clock.advance(3)
    assert all(parent.process(each).killed for each in others(parent))


def test_one_that_starts_is_told_before_it_serves_and_not_waited_for(parent: Parent) -> None:
    dead, other = others(parent)
    parent.end(dead)
    (fresh,) = parent.at(Stage.OPENING)
    leads = announce(parent)
    parent.say(leads, "made", id=1)
    parent.say(other, "refreshed", id=last(parent, other)["id"])
    assert last(parent, leads)["say"] == "done"
    parent.say(fresh, "ready")
    assert parent.told(fresh) == ["open", "refresh", "serve"]


def test_what_a_dead_leader_was_about_to_change_all_others_look_at_before_another_leads(parent: Parent) -> None:
    dead = announce(parent)
    one, other = others(parent)
    parent.end(dead)
    assert last(parent, one)["say"] == last(parent, other)["say"] == "refresh"
    parent.say(one, "refreshed", id=last(parent, one)["id"])
    assert "lead" not in parent.told(one) + parent.told(other)
    parent.say(other, "refreshed", id=last(parent, other)["id"])
    assert "lead" in parent.told(one)


def test_who_retires_must_confirm_too(parent: Parent) -> None:
    old = parent.at(Stage.SERVING)
    parent.supervisor.start(parent.plan)
    parent.come_up()
    leads = announce(parent)
    assert leads in old, "it has not released it yet"
    parent.say(leads, "made", id=1)
    for each in parent.at(Stage.SERVING, Stage.RETIRING):
        if each is not leads:
            assert last(parent, leads)["say"] != "done"
            parent.say(each, "refreshed", id=last(parent, each)["id"])
    assert last(parent, leads)["say"] == "done"


def test_changes_do_not_mix(parent: Parent) -> None:
    leads = announce(parent, 1)
    announce(parent, 2)
    one, other = others(parent)
    parent.say(leads, "made", id=2)
    for each in (one, other):
        parent.say(each, "refreshed", id=last(parent, each)["id"])
    assert last(parent, leads) == {"say": "done", "id": 2}
    parent.say(leads, "made", id=1)
    for each in (one, other):
        parent.say(each, "refreshed", id=last(parent, each)["id"])
    assert last(parent, leads) == {"say": "done", "id": 1}
