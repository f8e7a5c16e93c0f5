"""Which plugin runs when: the order of kinds and its reverse, who counts as entered, and bounds on bodies.

Belongs here: order. Does not: what becomes of answers and failures (test_steps.py).
"""

from __future__ import annotations

import random
from typing import Any

import pytest

from rrgate.api import BodyNeed, Denied, Exchange, Identity, Kind, Plugin, Reply
from rrgate.chaining import Member, compile_chain
from tests.chain.house import House, letting_in, plugin

WAY_IN = ("authorize", "prepare")
ANSWERS = ("on_response",)


def noting(name: str, kind: Kind, trace: list[str], *phases: str, as_async: bool = False) -> Plugin:
    """Writes down each of its phases."""

    def method(phase: str) -> Any:
        def plain(ex: Exchange, *rest: Any) -> Any:
            trace.append(f"{name} {phase}")
            return rest[0] if phase in ("on_body", "on_request_body") else None

        async def later(ex: Exchange, *rest: Any) -> Any:
            return plain(ex, *rest)

        return later if as_async and phase != "on_log" else plain

    return plugin(name, kind, **{phase: method(phase) for phase in phases})


def test_kinds_fix_the_order_and_answers_run_in_reverse() -> None:
    trace: list[str] = []
    phases = ("authorize", "prepare", "on_request_body", "on_response", "on_body", "on_log")
    kinds = [kind for kind in Kind if kind is not Kind.CALLER]
    plugins = [noting(kind.name, kind, trace, *phases, as_async=kind % 20 == 0) for kind in kinds]
    plugins.append(letting_in())
    random.Random(7).shuffle(plugins)
    request = House(*plugins).call(b"body")
    assert request.result == (200, b"proxy-access-granted")
    names = [kind.name for kind in sorted(kinds)]
    expected = {
        phase: names[::-1] if phase in ("on_response", "on_body") else names
        for phase in ("authorize", "prepare", "on_request_body", "on_response", "on_body", "on_log")
    }
    seen: dict[str, list[str]] = {}
    for entry in trace:
        name, _, phase = entry.partition(" ")
        seen.setdefault(phase, [])
        if name not in seen[phase]:
            seen[phase].append(name)
    assert seen == expected
    assert list(seen) == list(phases)


def test_equal_kinds_keep_the_order_given() -> None:
    trace: list[str] = []
    plugins = [noting(name, Kind.OWN, trace, "prepare", "on_response") for name in "cab"]
    House(letting_in(), *plugins).call()
    assert trace == [f"{name} prepare" for name in "cab"] + [f"{name} on_response" for name in "bac"]


def test_an_auth_type_stays_out_of_the_other_sides_phases() -> None:
    both = plugin("both", Kind.OWN, authenticate=lambda ex: None, prepare=lambda ex: None)
    chain = compile_chain([Member(both, Kind.CALLER, frozenset({"prepare"})), Member(both, Kind.CREDENTIAL)])
    assert [step.phase for step in chain.prepare] == ["prepare"]
    assert [step.mark for step in chain.authenticate] == [1, 2]
    assert chain.prepare[0].mark == 2


def test_the_smallest_need_bounds_the_body() -> None:
    def needing(limit: int | None) -> Plugin:
        return plugin("needing", need=BodyNeed(limit))

    assert compile_chain([]).body_limit is None
    assert compile_chain([Member(needing(limit), Kind.OWN) for limit in (None, 500, 20)]).body_limit == 20


# Who counts as entered.


def entered(house: House, **how: Any) -> tuple[list[str], Any]:
    """(whose `on_response` ran, what was answered)."""
    trace: list[str] = house.trace  # type: ignore[attr-defined]
    request = house.call(**how)
    return [entry.split()[0] for entry in trace if entry.endswith("on_response")], request.result


def with_trace(*plugins: Any) -> House:
    trace: list[str] = []
    house = House(*[each(trace) if callable(each) and not isinstance(each, Plugin) else each for each in plugins])
    house.trace = trace  # type: ignore[attr-defined]
    return house


def seeing(name: str, kind: Kind, *phases: str) -> Any:
    return lambda trace: noting(name, kind, trace, *phases, "on_response")


def ending(phase: str, answer: Any, name: str = "ending", kind: Kind = Kind.LIMIT) -> Any:
    def made(trace: list[str]) -> Plugin:
        return plugin(
            name, kind, **{phase: lambda ex: answer, "on_response": lambda ex: trace.append(f"{name} on_response")}
        )

    return made


def test_all_on_the_targets_answer() -> None:
    house = with_trace(
        letting_in(),
        seeing("rules", Kind.RULES, "authorize"),
        seeing("headers", Kind.HEADERS, "prepare"),
        seeing("only-answers", Kind.FILTER),
    )
    assert entered(house) == (["headers", "only-answers", "rules"], (200, b"proxy-access-granted"))


def test_a_refusal_is_seen_by_those_before_it_and_by_itself() -> None:
    house = with_trace(
        letting_in(),
        seeing("rules", Kind.RULES, "authorize"),
        ending("authorize", Denied("no", 403)),
        seeing("meter", Kind.METER, "authorize"),
        seeing("headers", Kind.HEADERS, "prepare"),
        seeing("only-answers", Kind.FILTER),
    )
    assert entered(house) == (["ending", "rules"], (403, b"proxy-access-denied"))


def test_everybody_who_was_asked_for_an_identity_in_vain() -> None:
    house = with_trace(
        seeing("gate", Kind.GATE, "authenticate"),
        seeing("caller", Kind.CALLER, "authenticate"),
        seeing("rules", Kind.RULES, "authorize"),
    )
    assert entered(house) == (["caller", "gate"], (401, b"proxy-access-denied"))


def test_who_was_not_asked_because_another_knew_is_not_entered() -> None:
    house = with_trace(
        plugin("gate", Kind.GATE, authenticate=lambda ex: Identity("ann")),
        seeing("caller", Kind.CALLER, "authenticate"),
        seeing("rules", Kind.RULES, "authorize"),
    )
    assert entered(house) == (["rules"], (200, b"proxy-access-granted"))


def test_a_reply_from_prepare() -> None:
    house = with_trace(
        letting_in(),
        seeing("rules", Kind.RULES, "authorize"),
        ending("prepare", Reply(418, "tea", "teapot"), kind=Kind.HEADERS),
        seeing("signer", Kind.CREDENTIAL, "prepare"),
    )
    assert entered(house) == (["ending", "rules"], (418, b"teapot"))


@pytest.mark.parametrize("length", [11, None])
def test_a_body_over_the_need_is_413_and_seen_by_the_entered(length: int | None) -> None:
    from rrgate.body import Body

    house = with_trace(
        letting_in(),
        seeing("rules", Kind.RULES, "authorize"),
        plugin("needing", Kind.DATA, need=BodyNeed(10), prepare=lambda ex: None),
    )
    assert entered(house, body=Body.of(b"x" * 11), length=length) == (["rules"], (413, b"request-too-large"))
    assert house.upstream.sent == []


def test_a_fault_is_seen_by_the_entered_who_cannot_change_it() -> None:
    trace: list[str] = []

    def replying(ex: Exchange) -> Reply:
        trace.append("replying")
        assert ex.response is None
        return Reply(200, "all is well", "ok")

    def failing(ex: Exchange) -> None:
        trace.append("failing")
        raise RuntimeError

    house = House(
        letting_in(),
        plugin("first", Kind.RULES, authorize=lambda ex: None, on_response=replying),
        plugin("second", Kind.LIMIT, authorize=lambda ex: None, on_response=failing),
        plugin("third", Kind.METER, authorize=failing, on_response=replying),
    )
    assert house.call().result == (500, b"internal-error")
    assert trace == ["failing", "replying", "failing", "replying"]
    assert house.phases == ["third authorize", "second on_response"]


def test_a_fault_on_the_answer_is_seen_by_those_that_are_left() -> None:
    trace: list[Any] = []
    house = House(
        letting_in(),
        plugin("first", Kind.RULES, authorize=lambda ex: None, on_response=lambda ex: trace.append(ex.response)),
        plugin("second", Kind.LIMIT, on_response=lambda ex: 1 / 0),
    )
    assert house.call().result == (502, b"internal-error")
    assert trace == [None]
