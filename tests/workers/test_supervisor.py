"""What the parent decides: who starts, is replaced and leads, and when new ones take the place of old ones.

Belongs here: the Supervisor alone, on a clock. Does not: processes (tests/processes/test_workers.py).
"""

from __future__ import annotations

import pytest

from rrgate.workers.crew import Stage
from tests.workers.parent import Parent


@pytest.fixture
def parent() -> Parent:
    return Parent().start()


def test_nobody_serves_before_all_are_ready() -> None:
    parent = Parent()
    parent.supervisor.start(parent.plan)
    one, other = parent.at(Stage.OPENING)
    parent.say(one, "ready")
    assert [parent.told(each) for each in (one, other)] == [["open"], ["open"]]
    parent.say(other, "ready")
    assert [parent.told(each) for each in (one, other)] == [["open", "serve", "lead"], ["open", "serve"]]
    assert [each.slot for each in (one, other)] == [0, 1]


def test_one_that_serves_brings_a_spare(parent: Parent) -> None:
    assert len(parent.at(Stage.SERVING)) == 2
    assert len(parent.at(Stage.SPARE)) == 1


def test_a_dead_one_is_replaced_by_the_spare_at_once(parent: Parent) -> None:
    (spare,) = parent.at(Stage.SPARE)
    dead = parent.leads
    parent.end(dead)
    assert parent.told(spare) == ["open"]
    assert spare.slot == dead.slot
    assert parent.freed == [dead.slot]
    parent.say(spare, "ready")
    assert parent.told(spare) == ["open", "serve"]
    parent.say(spare, "serving")
    assert len(parent.at(Stage.SPARE)) == 1, "and there is another spare"


def test_whoever_leads_next_is_asked_when_the_one_before_is_dead(parent: Parent) -> None:
    one, other = parent.at(Stage.SERVING)
    assert parent.leads is one
    parent.end(other)
    assert parent.leads is one
    parent.end(one)
    parent.come_up()
    assert parent.leads.stage is Stage.SERVING


def test_those_that_die_again_and_again_are_waited_with(parent: Parent) -> None:
    waits = []
    for _ in range(8):
        parent.end(parent.at(Stage.SERVING)[0])
        waited = 0.0
        while not parent.at(Stage.OPENING):
            parent.clock.advance(0.5)
            waited += 0.5
        waits.append(waited)
        parent.come_up()
    assert waits == [0, 0, 0.5, 1, 2, 4, 8, 16]
    parent.clock.advance(60)
    parent.end(parent.at(Stage.SERVING)[0])
    assert parent.at(Stage.OPENING), "it has served for long"


def test_one_that_hangs_before_it_is_ready_is_replaced_too(parent: Parent) -> None:
    parent.end(parent.at(Stage.SERVING)[0])
    (hangs,) = parent.at(Stage.OPENING)
    parent.clock.advance(119)
    assert not parent.process(hangs).killed
    parent.clock.advance(1)
    assert parent.process(hangs).killed
    parent.end(hangs)
    (fresh,) = parent.at(Stage.OPENING)
    parent.come_up()
    parent.clock.advance(120)
    assert not parent.process(fresh).killed


def test_if_one_of_the_first_does_not_start_all_is_over() -> None:
    parent = Parent()
    parent.supervisor.start(parent.plan)
    one, other = parent.at(Stage.OPENING)
    parent.end(one, "status 1")
    assert len(parent.failures) == 1
    assert "status 1" in parent.failures[0]
    parent.end(other, "status 1")
    assert len(parent.failures) == 1
    assert not parent.supervisor.hands


def test_new_ones_take_over_when_all_of_them_are_ready(parent: Parent) -> None:
    old = parent.at(Stage.SERVING)
    (old_spare,) = parent.at(Stage.SPARE)
    parent.supervisor.start(parent.plan)
    one, other = parent.at(Stage.OPENING)
    parent.say(one, "ready")
    assert all("retire" not in parent.told(each) for each in old)
    parent.say(other, "ready")
    parent.say(one, "serving")
    assert all(parent.told(each)[-1] == "retire" for each in old)
    assert parent.process(old_spare).killed
    assert parent.settled == [parent.plan]
    assert "lead" not in parent.told(one) + parent.told(other), "an old one does still"
    parent.say(old[0], "released")
    assert "lead" in parent.told(one)
    for each in (*old, old_spare):
        parent.end(each, "status 0")
    assert parent.at(Stage.SERVING) == [one, other]
    assert not parent.at(Stage.OPENING)


def test_a_new_one_that_does_not_start_leaves_the_old_ones_as_they_are(parent: Parent) -> None:
    old = parent.at(Stage.SERVING)
    parent.supervisor.start(parent.plan)
    one, other = parent.at(Stage.OPENING)
    parent.say(one, "ready")
    parent.end(other, "status 1")
    assert parent.process(one).killed
    parent.end(one)
    assert parent.at(Stage.SERVING) == old
    assert all("retire" not in parent.told(each) for each in old)
    assert not parent.failures


def test_new_ones_that_take_too_long_are_given_up(parent: Parent) -> None:
    parent.supervisor.start(parent.plan)
    late = parent.at(Stage.OPENING)
    parent.clock.advance(120)
    assert all(parent.process(each).killed for each in late)


def test_an_old_one_that_dies_meanwhile_is_replaced(parent: Parent) -> None:
    parent.supervisor.start(parent.plan)
    fresh = parent.at(Stage.OPENING)
    parent.end(parent.at(Stage.SERVING)[0])
    assert len(parent.at(Stage.OPENING)) == len(fresh) + 1


def test_the_end_waits_for_all_and_kills_who_does_not_end(parent: Parent) -> None:
    one, other = parent.at(Stage.SERVING)
    (spare,) = parent.at(Stage.SPARE)
    stopped = parent.supervisor.stop()
    assert parent.told(one)[-1] == parent.told(other)[-1] == "stop"
    assert parent.process(spare).killed
    parent.end(spare)
    parent.end(one, "status 0")
    assert not parent.at(Stage.OPENING), "nobody is replaced"
    parent.clock.advance(parent.plan.drain_timeout + 20)
    assert parent.process(other).killed
    assert not stopped.called
    parent.end(other)
    assert stopped.called
    assert not parent.clock.getDelayedCalls()


def test_figures_of_all_are_brought_to_who_asked(parent: Parent) -> None:
    one, other = parent.at(Stage.SERVING)
    parent.say(one, "gather", id=7)
    number = parent.process(one).told[-1]["id"]
    parent.say(one, "figures", id=number, text="a 1")
    assert parent.told(one)[-1] == "figures"
    parent.say(other, "figures", id=number, text="a 2")
    assert parent.process(one).told[-1] == {"say": "gathered", "id": 7, "texts": [(0, "a 1"), (1, "a 2")]}


def test_who_does_not_say_his_figures_is_left_out(parent: Parent) -> None:
    one, _ = parent.at(Stage.SERVING)
    parent.say(one, "gather", id=7)
    parent.say(one, "figures", id=parent.process(one).told[-1]["id"], text="a 1")
    parent.clock.advance(1)
    assert parent.process(one).told[-1] == {"say": "gathered", "id": 7, "texts": [(0, "a 1")]}


def test_what_is_for_who_leads_is_kept_until_somebody_does(parent: Parent) -> None:
    leads = parent.leads
    (other,) = [each for each in parent.at(Stage.SERVING) if each is not leads]
    parent.say(other, "authorization", credential="c", version=1, needed=True)
    assert parent.told(leads)[-1] == "authorization"
    parent.say(leads, "released")
    assert parent.told(other)[-1] != "authorization"
    parent.end(leads)
    parent.end(other)
    fresh = parent.at(Stage.OPENING)[0]
    parent.say(fresh, "authorization", credential="d", version=1, needed=True)
    parent.come_up()
    assert parent.told(parent.leads)[-1] == "authorization"


def test_one_that_somebody_else_tells_to_end_is_replaced_at_once_and_leads_no_more(parent: Parent) -> None:
    leads = parent.leads
    (other,) = [each for each in parent.at(Stage.SERVING) if each is not leads]
    parent.say(leads, "ending")
    assert parent.at(Stage.OPENING), "before it has ended"
    parent.say(leads, "released")
    assert parent.leads is other
    parent.end(leads, "status 0")
    assert len(parent.at(Stage.OPENING)) == 1, "it has been replaced"
