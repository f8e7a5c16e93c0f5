"""Two secrets in force: which is asked when, what each answer leads to, and that others pay nothing for it.

Belongs here: `EitherSecret` and its compilation, with made-up plugins. Does not: auth types that rrgate brings.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from rrgate.api import (
    Consumes,
    Credential,
    Denied,
    Exchange,
    Fields,
    Identity,
    Kind,
    NoConfig,
    Plugin,
    PluginContext,
    Reply,
    Side,
)
from rrgate.body import Body
from rrgate.chaining import PHASES, Member, compile_chain
from rrgate.overlap import EitherSecret, Onward
from rrgate.steps import way_in
from rrgate.waiting import Task
from tests.chain.house import Door
from tests.plugins.test_compiling import Auth, House

NO = Denied("not the credential's")
OTHER = Denied("neither")
WARNING = "This credential's secret was replaced; the one shown works until 1970-01-01T00:01:00.000Z"
ANN = Identity("ann")
BOB = Identity("bob")
LIMITED = Denied("too many", status=429)
REPLY = Reply(418, "no coffee", "teapot")
CANNOT_TELL = Reply(503, "not now", "unavailable")
UNTIL = 60_000


def context() -> PluginContext:
    return PluginContext(Clock(), lambda: 0.0, None, "requestrocket-")  # type: ignore[arg-type]


def plugin(answer: Callable[[Exchange], Any], **more: Any) -> Plugin:
    made = type("Made", (Plugin,), {"name": "made", "authenticate": staticmethod(answer), **more})
    return made(NoConfig(), context())


def exchange(fields: Fields | None = None) -> Exchange:
    return Exchange("id", b"GET", b"/api/p/", fields or [], Body.of(b""), 0, False, "", 0, 0, Door())


def outcome(either: EitherSecret, present: Plugin, ex: Exchange) -> Any:
    """What the compiled step's phase ended with."""
    chain = compile_chain([Member(present, Kind.CALLER, instead=either.methods())])
    answers: list[Any] = []

    async def run() -> None:
        answers.append(await way_in(ex, chain.authenticate))

    Task(run()).start()
    (answer,) = answers
    return answer if answer is not None else ex.identity


def at_once(answer: Any) -> Callable[[Exchange], Any]:
    return lambda ex: answer


def later(answer: Any) -> Callable[[Exchange], Any]:
    async def authenticate(ex: Exchange) -> Any:
        return answer

    return authenticate


def deferred(answer: Any) -> Callable[[Exchange], Any]:
    def authenticate(ex: Exchange) -> Any:
        waiting: Deferred[Any] = Deferred()
        waiting.callback(answer)
        return waiting

    return authenticate


WAYS = (at_once, later, deferred)


@pytest.mark.parametrize("first", WAYS)
@pytest.mark.parametrize("second", WAYS)
@pytest.mark.parametrize(
    ("present", "previous", "expected", "reason"),
    [
        (ANN, BOB, ANN, ""),
        (NO, BOB, BOB, ""),
        (None, BOB, BOB, ""),
        (NO, OTHER, 401, NO.reason),
        (NO, None, 401, NO.reason),
        (None, OTHER, 401, OTHER.reason),
        (None, None, None, ""),
        (LIMITED, BOB, 429, LIMITED.reason),
        (NO, LIMITED, 429, LIMITED.reason),
        (REPLY, BOB, 418, ""),
        (NO, REPLY, 418, ""),
        # Its keys, say, cannot be fetched now: the other one's may be known.
        (CANNOT_TELL, BOB, BOB, ""),
        (CANNOT_TELL, None, 503, ""),
        (CANNOT_TELL, NO, 503, ""),
        (CANNOT_TELL, LIMITED, 429, LIMITED.reason),
        (NO, CANNOT_TELL, 503, ""),
        (None, CANNOT_TELL, 503, ""),
    ],
)
def test_which_answer_counts(
    first: Any, second: Any, present: Any, previous: Any, expected: Any, reason: str
) -> None:
    one, before = plugin(first(present)), plugin(second(previous))
    ex = exchange()
    found = outcome(EitherSecret(one, before, UNTIL, lambda: 59.999), one, ex)
    assert (found.status if isinstance(found, Reply) else found) == expected
    assert ex.denied_reason == reason
    assert ex.warnings == ([WARNING] if expected is BOB else [])


@pytest.mark.parametrize("first", WAYS)
def test_what_is_over_is_never_asked_again(first: Any) -> None:
    asked: list[float] = []
    now = [59.999]

    def authenticate(ex: Exchange) -> Identity:
        asked.append(now[0])
        return BOB

    one = plugin(first(NO))
    either = EitherSecret(one, plugin(authenticate), UNTIL, Onward(lambda: now[0]))
    assert outcome(either, one, exchange()) == BOB
    for now[0] in (60.0, 61.0, 10.0):
        assert outcome(either, one, exchange()).status == 401
    assert asked == [59.999]


def test_a_challenge_to_an_unknown_caller_is_not_told_to_one_who_is_known() -> None:
    def challenge(ex: Exchange) -> Denied:
        ex.add_answer_header(b"WWW-Authenticate", b"Key")
        return NO

    for previous, count in ((at_once(BOB), 1), (challenge, 3)):
        one = plugin(challenge)
        ex = exchange()
        ex.add_answer_header(b"X-Gate", b"kept")
        outcome(EitherSecret(one, plugin(previous), UNTIL, lambda: 0.0), one, ex)
        assert len(ex.extra_answer_fields) == count


def test_further_phases_are_those_of_the_secret_shown() -> None:
    seen: list[str] = []

    def made(name: str, known: str) -> Plugin:
        def authenticate(ex: Exchange) -> Identity | Denied:
            return Identity(name) if ex.header(b"X-Key") == known.encode() else NO

        more = {
            phase: staticmethod(lambda ex, *given, phase=phase: seen.append(f"{name} {phase} {len(given)}"))
            for phase in PHASES
            if phase != "authenticate"
        }
        return plugin(authenticate, **more)

    present, previous = made("present", "new"), made("previous", "old")
    methods = EitherSecret(present, previous, UNTIL, lambda: 0.0).methods()
    assert set(methods) == set(PHASES)
    for key, name in (("new", "present"), ("old", "previous"), ("bad", "present")):
        ex = exchange([(b"x-key", b"X-Key", key.encode())])
        methods["authenticate"](ex)
        for phase in ("authorize", "on_response"):
            methods[phase](ex)
        methods["on_body"](ex, b"", True)
        assert seen == [f"{name} authorize 0", f"{name} on_response 0", f"{name} on_body 2"]
        seen.clear()


def test_both_are_cut() -> None:
    one, other = plugin(at_once(NO)), plugin(at_once(NO))
    one.consumes = Consumes(headers={b"X-New"}, parameters={b"new"})
    other.consumes = Consumes(headers={b"X-Old", b"X-New"}, parameters={b"old"})
    consumes = EitherSecret(one, other, UNTIL, lambda: 0.0).consumes
    assert consumes == Consumes(headers={b"X-New", b"X-Old"}, parameters={b"new", b"old"})


# Compiled.


class Compiled(House):
    """`House` whose caller's credential can be put into an overlap; the wall clock stands at `now`."""

    def overlap(self, until: int = UNTIL, **more: Any) -> Credential:
        credential = evolve(
            self.directory.credentials["caller"],
            secret_version=2,
            previous_sealed_secret=b"previous",
            previous_secret_version=1,
            previous_secret_expires_at=until,
            **more,
        )
        self.directory.put(credential)
        return credential

    def unseal_previous(self, credential: Credential) -> bytes:
        assert credential.sealed_secret == b"previous"
        found = self.unsealed.get("previous", json.dumps({"token": "the one before"}).encode())
        if isinstance(found, Exception):
            raise found
        return found

    @property
    def step(self) -> Any:
        found = self.directory.find(b"/p1/x")
        assert found is not None
        (step,) = found[0].chain.authenticate
        return step


@pytest.fixture
def house() -> Compiled:
    return Compiled()


def asked(house: Compiled) -> list[Plugin]:
    """The plugin objects that authenticate a caller."""
    owner = house.step.call.__self__
    return [owner._present, owner._previous] if isinstance(owner, EitherSecret) else [owner]


def test_without_overlap_there_is_nothing_in_between(house: Compiled) -> None:
    (only,) = asked(house)
    assert house.step.call == only.authenticate  # type: ignore[attr-defined]
    for until in (0, -1):
        house.overlap(until)
        assert len(asked(house)) == 1


def test_the_object_of_the_previous_secret_lives_on(house: Compiled) -> None:
    (first,) = asked(house)
    credential = house.overlap()
    present, previous = asked(house)
    assert previous is first
    assert present is not first
    house.directory.put(evolve(credential, name="renamed"))
    assert asked(house) == [present, previous]
    house.directory.put(
        evolve(credential, previous_sealed_secret=None, previous_secret_version=None, previous_secret_expires_at=None)
    )
    assert asked(house) == [present]
    assert list(house.compiler._objects.kept["caller"].values()) == [present]


def test_a_route_built_anew_does_not_bring_back_what_is_over(house: Compiled) -> None:
    credential = house.overlap()
    either = house.step.call.__self__
    assert either._works()
    house.now = UNTIL / 1000
    assert not either._works()
    house.now = 0.0
    house.directory.put(evolve(credential, name="renamed"))
    assert len(asked(house)) == 1
    # Another's overlap ends no sooner for it than by the latest time that was seen.
    house.overlap(UNTIL + 1)
    assert len(asked(house)) == 2


def test_after_a_restart_both_are_made(house: Compiled) -> None:
    house.overlap()
    present, previous = asked(house)
    assert (present.config.token, previous.config.token) == ("s3cr3t-77aa", "the one before")
    versions = [each.context.credential and each.context.credential.secret_version for each in (present, previous)]
    assert versions == [2, 1]


@pytest.mark.parametrize("broken", [ValueError("it is broken"), b"{}", b"no json"])
def test_a_previous_secret_that_does_not_work_does_not_stop_the_present_one(
    house: Compiled, broken: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    house.overlap()
    house.unsealed["previous"] = broken
    (present,) = asked(house)
    assert present.config.token == "s3cr3t-77aa"
    assert house.told == []


def test_the_target_side_has_no_overlap(house: Compiled) -> None:
    assert Auth.sides == frozenset({Side.PROXY, Side.TARGET})
    towards = house.directory.credentials["towards"]
    house.directory.put(
        evolve(
            towards, previous_sealed_secret=b"x", previous_secret_version=0, previous_secret_expires_at=UNTIL
        )
    )
    found = house.directory.find(b"/p1/x")
    assert found is not None
    assert found[0].chain.prepare[-1].call.__self__.config.token == "s3cr3t-77aa"
