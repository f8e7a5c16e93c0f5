"""The torture's judgement: what is within the rules passes, and each breach of them is found.

Belongs here: made-up accounts. Does not: real kills (tests/processes/test_torture.py).
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from attrs import evolve

from rrgate.torture.judging import Ending, Judgement, Kill, judged
from rrgate.torture.plan import BREAKS_OFF, Plan
from rrgate.torture.receiver import Told
from rrgate.torture.target import Arrival

ID = "the-request's-id"


def plan(method: str = "POST", key: str = "") -> Plan:
    return Plan(1, method, key, (200,), 0.0)


def arrival(at: float = 1, attempt: int = 1, status: int = 200, key: str = ID, as_sent: bool = True) -> Arrival:
    return Arrival(at, attempt, key, status, as_sent)


def ending(
    state: str = "succeeded", attempts: int = 1, broken_off: int = 0, logged: bool = True, id: str = ID
) -> Ending:
    return Ending(id, state, attempts, broken_off, logged)


def told(at: float = 1, id: str = "a", request_id: str = ID, state: str = "succeeded", status: int = 200,
         genuine: bool = True) -> Told:
    return Told(at, id, request_id, state, status, genuine)


def judge(
    plan: Plan, end: Ending | None, *arrived: Arrival, accepted: bool = True, calls: Sequence[Told] = ()
) -> Judgement:
    kills = [Kill(10, 11), Kill(20, 21)]
    return judged({1: plan}, {1: ID} if accepted else {}, {1: end}, {1: arrived}, kills, {1: calls} if calls else {})


@pytest.mark.parametrize(
    ("plan", "end", "arrived"),
    [
        (plan(), ending(), [arrival()]),
        (plan(), ending(attempts=2), [arrival(status=503), arrival(2, 2)]),
        (plan(), ending(attempts=2), [arrival(status=BREAKS_OFF), arrival(2, 2)]),
        (plan(), ending("failed"), [arrival(status=404)]),
        (plan(), ending("unknown", broken_off=1), []),
        (plan(), ending("unknown", broken_off=1), [arrival()]),
        (plan("GET"), ending(attempts=2, broken_off=1), [arrival(9), arrival(12, 2)]),
        (plan("GET"), ending(attempts=2, broken_off=1), [arrival(10.5), arrival(12, 2)]),  # read after the kill
        (plan("GET"), ending(), [arrival(status=BREAKS_OFF), arrival(2)]),  # on a connection that was closed
        (plan(key="k"), ending(attempts=2, broken_off=1), [arrival(9, key="k"), arrival(12, 2, key="k")]),
        # Kills can use up all attempts of what takes long.
        (plan("GET"), ending("exhausted", attempts=11, broken_off=10), [arrival(status=503)]),
        (plan("GET"), ending("exhausted", attempts=11, broken_off=11), []),
    ],
)
def test_what_may_be_passes(plan: Plan, end: Ending, arrived: list[Arrival]) -> None:
    told = judge(plan, end, *arrived)
    assert told.problems == []
    assert (told.lost, told.doubled, told.unlogged) == (0, 0, 0)
    assert told.states == {end.state: 1}
    assert told.unknown == (end.state == "unknown")


def test_what_is_repeated_is_counted() -> None:
    assert judge(plan("PUT"), ending(attempts=2, broken_off=1), arrival(9), arrival(12, 2)).repeated == 1
    assert judge(plan("PUT"), ending(attempts=2), arrival(9, status=503), arrival(12, 2)).repeated == 0


@pytest.mark.parametrize(
    ("plan", "end", "arrived"),
    [
        (plan(), None, []),
        (plan(), None, [arrival()]),
        (plan(), ending(id="another"), [arrival(key="another")]),
        (plan(), ending("queued"), []),
        (plan(), ending("sending"), [arrival()]),
        (plan(), ending(), []),
        (plan(), ending(), [arrival(status=503)]),
        (plan(), ending("failed"), [arrival()]),
        (plan(), ending("exhausted"), [arrival(status=503)]),
        (plan("GET"), ending("exhausted", attempts=10, broken_off=9), [arrival(status=503)]),
        (plan("GET"), ending("exhausted", attempts=11, broken_off=9), [arrival(status=503)]),
        (plan(), ending("cancelled"), []),
        (plan(), ending("unknown"), [arrival()]),
        (plan("GET"), ending("unknown", broken_off=1), [arrival()]),
        (plan(key="k"), ending("unknown", broken_off=1), [arrival(key="k")]),
        (plan(), ending(), [arrival(as_sent=False)]),
        (plan(), ending(), [arrival(key="")]),
        (plan(key="k"), ending(), [arrival()]),
    ],
)
def test_what_is_lost_is_found(plan: Plan, end: Ending | None, arrived: list[Arrival]) -> None:
    told = judge(plan, end, *arrived)
    assert told.lost == 1
    assert told.problems[0].startswith("lost: request 1 (")


@pytest.mark.parametrize(
    ("plan", "end", "arrived"),
    [
        (plan(), ending(attempts=2, broken_off=1), [arrival(9), arrival(12, 2)]),  # not safe to repeat
        (plan("GET"), ending(attempts=2, broken_off=1), [arrival(12), arrival(13, 2)]),  # no kill in between
        (plan("GET"), ending(attempts=2), [arrival(9), arrival(12, 2)]),  # nothing was broken off
        (plan("GET"), ending(attempts=2, broken_off=1), [arrival(9), arrival(12)]),  # one attempt, twice
        (plan(), ending(attempts=2), [arrival(status=BREAKS_OFF), arrival(2)]),
        (plan(), ending(attempts=2), [arrival(status=503), arrival(2, 3)]),  # not written down
        (plan(), ending(attempts=2, broken_off=1), [arrival(status=503), arrival(2, 2)]),  # sent on after a crash
    ],
)
def test_what_is_doubled_is_found(plan: Plan, end: Ending, arrived: list[Arrival]) -> None:
    told = judge(plan, end, *arrived)
    assert told.doubled == 1
    assert told.repeated == 0
    assert "doubled: request 1 (" in told.problems[-1]


@pytest.mark.parametrize(
    "calls",
    [[told()], [told(status=503), told(2)], [told(9), told(12)], [told(status=503), told(2, status=503), told(3)]],
)
def test_callbacks_that_may_be_pass(calls: list[Told]) -> None:
    seen = judge(evolve(plan(), calls_back=(200,)), ending(), arrival(), calls=calls)
    assert (seen.problems, seen.called_back) == ([], 1)


@pytest.mark.parametrize(
    ("calls", "lost", "doubled"),
    [
        ([], 1, 0),
        ([told(status=503)], 1, 0),
        ([told(state="failed")], 1, 0),
        ([told(request_id="another")], 1, 0),
        ([told(genuine=False)], 1, 0),
        ([told(status=503), told(2, id="b")], 1, 0),
        ([told(12), told(13)], 0, 1),
    ],
)
def test_callbacks_that_are_not_right_are_found(calls: list[Told], lost: int, doubled: int) -> None:
    seen = judge(evolve(plan(), calls_back=(200,)), ending(), arrival(), calls=calls)
    assert (seen.lost, seen.doubled) == (lost, doubled)


def test_what_the_log_does_not_tell_is_found() -> None:
    told = judge(plan(), ending(logged=False), arrival())
    assert (told.unlogged, told.lost, told.doubled) == (1, 0, 0)


def test_whose_caller_was_not_told_is_judged_too() -> None:
    told = judge(plan(), ending("succeeded", 2, 1), arrival(9), arrival(12, 2), accepted=False)
    assert (told.accepted, told.doubled) == (0, 1)


def test_a_plan_follows_from_its_seed_and_number() -> None:
    plans = [Plan.of(7, number) for number in range(300)]
    assert plans == [Plan.of(7, number) for number in range(300)]
    assert plans != [Plan.of(8, number) for number in range(300)]
    assert {plan.repeatable for plan in plans} == {True, False}
    assert {plan.answer(0) for plan in plans} == {200, 404, 503, BREAKS_OFF}
    assert {plan.told(0) for plan in plans if plan.calls_back} == {200, 503}
    assert all(plan.answer(9) in (200, 404) for plan in plans), "each comes to its end"
