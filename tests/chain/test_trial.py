"""Trials in memory: which plugins run, what a failing one leads to, and how long it all may take.

Belongs here: `Trials` with an upstream that is a double. Does not: connections (tests/gateway/test_trials.py).
"""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.logger import globalLogPublisher

from rrgate.api import ConfigError, Exchange, Plugin, Problem, Reply
from rrgate.body import Body, BodyBroken
from rrgate.messages import InjectionError
from rrgate.model import Client, Credential, Target
from rrgate.route import Route
from rrgate.trial import MOST_AT_ONCE, MOST_BODY, MOST_IN_ALL, TooManyTrials, Trial, Trials
from rrgate.upstream import TargetUnreachable
from rrgate.waiting import Waiter
from tests.chain.house import COMMON, Caller, House, plugin, response, whole

SECRET = "s3cr3t-5f1e"
TARGET = Target(id="t1", name="t", base_url="http://acme.test", timeout=20.0, **COMMON)


class Bench:
    """Trials of one client's target, with the plugin of one credential."""

    def __init__(self, signer: Plugin | None = None, *, regions: frozenset[str] = frozenset()) -> None:
        self.house = House(signer=signer)
        self.clock = self.house.clock
        self.upstream = self.house.upstream
        self.error: Exception | None = None
        self.trials = Trials(self, self.upstream, self.clock, lambda: 1_700_000_000.0, self.house.told.append, regions)
        self.noted: Deferred[None] = succeed(None)
        self.asked = 0

    def build_trial(self, client: Client, target: Target, credential: Credential | None) -> Route:
        if self.error is not None:
            raise self.error
        return self.house._route(self.house.directory.proxies["p1"])

    def start(self, path: str = "/path?q=1", client: str = "c1") -> Deferred[Trial]:
        owner = Client(id=client, user_id="u1", name="c", created_at=1, updated_at=1)
        return self.trials.start(owner, TARGET, None, path, self.note)

    def note(self) -> Deferred[None]:
        self.asked += 1
        return self.noted

    def told(self) -> tuple[int | None, str | None]:
        """Status and problem of a trial that is over at once."""
        trial = self.result()
        return trial.status, trial.problem

    def result(self, path: str = "/path?q=1") -> Trial:
        """Of a trial that is over at once."""
        found: list[Any] = []
        self.start(path).addBoth(found.append)
        (result,) = found
        assert isinstance(result, Trial), result
        assert self.clock.getDelayedCalls() == []
        return result


def test_a_whole_one() -> None:
    def prepare(ex: Exchange) -> None:
        ex.to_target.set_header(b"Authorization", SECRET.encode())

    bench = Bench(plugin("sign", prepare=prepare))
    trial = bench.result()
    assert (trial.status, trial.problem) == (200, None)
    assert (trial.first_byte_seconds, trial.total_seconds) == (0.0, 1.0)  # this upstream takes a second to send
    ((request, body),) = bench.upstream.sent
    assert (request.method, request.path, request.query, body) == (b"GET", b"/path", b"q=1", b"")
    assert request.header(b"Authorization") == SECRET.encode()
    assert SECRET not in repr(trial)


def test_every_phase_of_the_plugin_but_who_calls() -> None:
    called: list[str] = []

    def phase(name: str, answer: Any = None) -> Any:
        def method(*_: object, **__: object) -> Any:
            called.append(name)
            return answer

        return method

    methods = {
        name: phase(name) for name in ("authorize", "body_needed", "prepare", "on_response", "on_log")
    }
    methods["on_request_body"] = phase("on_request_body", b"")
    assert Bench(plugin("sign", **methods)).result().status == 200
    assert called == ["authorize", "body_needed", "prepare", "on_request_body", "on_response", "on_log"]


def test_nothing_is_done_before_it_is_noted() -> None:
    called: list[str] = []
    bench = Bench(plugin("sign", prepare=lambda ex: called.append("prepare")))
    bench.noted = Deferred()
    found: list[Any] = []
    bench.start().addBoth(found.append)
    assert (bench.asked, called, bench.upstream.sent) == (1, [], [])
    bench.noted.callback(None)
    assert called == ["prepare"]
    assert found[0].status == 200
    bench.noted = Deferred()
    bench.start().addBoth(found.append)
    bench.noted.errback(OSError("full"))
    assert found[1].check(OSError)
    assert len(bench.upstream.sent) == 1


@pytest.mark.parametrize(("regions", "status"), [({"eu-west-1"}, None), ({"us-east-1", "eu-west-1"}, 200)])
def test_a_region_that_is_not_served_here(regions: set[str], status: int | None) -> None:
    bench = Bench(regions=frozenset(regions))
    trial = bench.result()
    assert trial.status == status
    assert trial.problem == (None if status else "this gateway does not serve the target's region")
    assert bench.asked == len(bench.upstream.sent) == bool(status)


def test_async_plugins() -> None:
    token: Waiter[bytes] = Waiter()

    async def prepare(ex: Exchange) -> None:
        ex.to_target.set_header(b"Authorization", await token)

    bench = Bench(plugin("sign", prepare=prepare))
    found: list[Any] = []
    bench.start().addBoth(found.append)
    assert found == []
    token.fire(b"t")
    assert found[0].status == 200


def test_what_the_plugin_answers_itself() -> None:
    bench = Bench(plugin("sign", prepare=lambda ex: Reply(502, "No token could be fetched", "x")))
    assert bench.told() == (None, "No token could be fetched")
    assert bench.upstream.sent == []
    bench = Bench(plugin("sign", prepare=lambda ex: None, on_response=lambda ex: Reply(502, "It expired", "x")))
    bench.upstream.answer = lambda ex: whole(b"", 401)
    assert bench.told() == (401, "It expired")


@pytest.mark.parametrize("phase", ["authorize", "body_needed", "prepare", "on_request_body", "on_response"])
def test_a_plugin_that_fails_is_named_to_the_operator_alone(phase: str) -> None:
    def fail(*_: object) -> None:
        raise KeyError(SECRET)

    events: list[Any] = []
    globalLogPublisher.addObserver(events.append)
    try:
        bench = Bench(plugin("sign", **{phase: fail}))
        trial = bench.result()
    finally:
        globalLogPublisher.removeObserver(events.append)
    assert trial.problem == "the credential's plugin failed; the gateway's log says where"
    (told,) = bench.house.told
    assert (told.kind, told.subject) == ("plugin-fault", f"sign {phase}")
    assert any(event.get("plugin") == "sign" and event.get("phase") == phase for event in events)
    assert SECRET not in repr((trial, events, told))


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (TargetUnreachable("it is down"), "it is down"),
        (InjectionError("bad"), "the credential's plugin wrote what cannot be sent; the gateway's log says what"),
    ],
)
def test_a_plugin_that_was_entered_sees_what_comes_of_it(error: Exception, text: str) -> None:
    called: list[int] = []
    bench = Bench(plugin("sign", prepare=lambda ex: None, on_response=lambda ex: called.append(1)))
    bench.upstream.error = error
    assert bench.told() == (None, text)
    assert called == [1]


def test_a_plugin_that_fails_is_told_of_it_once() -> None:
    called: list[str] = []

    def fail(what: str) -> Any:
        def method(ex: Exchange) -> None:
            called.append(what)
            raise KeyError(SECRET)

        return method

    bench = Bench(plugin("sign", prepare=fail("prepare"), on_response=fail("on_response")))
    assert bench.result().problem == "the credential's plugin failed; the gateway's log says where"
    assert called == ["prepare", "on_response"]
    assert [told.subject for told in bench.house.told] == ["sign prepare", "sign on_response"]


def test_a_plugin_that_fails_when_it_is_over_changes_nothing() -> None:
    def fail(*_: object) -> None:
        raise KeyError(SECRET)

    bench = Bench(plugin("sign", on_log=fail))
    assert bench.told() == (200, None)
    assert {told.subject for told in bench.house.told} == {"sign on_log"}


def test_a_credential_that_cannot_be_compiled() -> None:
    bench = Bench()
    bench.error = ConfigError(Problem("credentialSecret", "credential k1 cannot be unsealed"))
    trial = bench.result()
    assert trial.problem == "the credential's configuration does not work; the gateway's log says why"
    assert bench.upstream.sent == []


def test_what_the_target_does_wrong_is_told_in_words() -> None:
    bench = Bench()
    bench.upstream.error = TargetUnreachable("the target does not take connections")
    trial = bench.result()
    assert trial == Trial(None, "the target does not take connections", None, None, 1.0)
    bench = Bench()
    body = Body(Caller())
    body.fail(BodyBroken("the target closed the connection before its answer's end"))
    bench.upstream.answer = lambda ex: response(body)
    trial = bench.result()
    assert (trial.status, trial.problem) == (200, "the target closed the connection before its answer's end")


def test_a_path_that_the_target_refuses() -> None:
    trial = Bench().result("/a%5cb")
    assert trial.problem == "the path holds %5C; the target must allow this with targetRawPaths"


def test_a_long_answer_is_broken_off() -> None:
    source = Caller()
    body = Body(source)
    body.feed(b"x" * (MOST_BODY + 1))
    bench = Bench()
    bench.upstream.answer = lambda ex: response(body)
    assert bench.told() == (200, None)
    assert source.abandoned


@pytest.mark.parametrize("answered", [False, True])
def test_it_ends_with_the_targets_timeout(answered: bool) -> None:
    bench = Bench()
    cancelled: list[bool] = []
    source = Caller()
    if answered:
        body = Body(source)
        body.feed(b"event: 1\n\n")
        bench.upstream.answer = lambda ex: response(body)
    else:
        bench.upstream.waiting = Waiter(lambda: cancelled.append(True))
    found: list[Any] = []
    bench.start().addBoth(found.append)
    bench.clock.advance(18.9)  # sending took a second
    assert found == []
    bench.clock.advance(0.1)
    (trial,) = found
    assert trial.total_seconds == pytest.approx(20)
    if answered:
        assert (trial.status, trial.problem) == (200, "the target's answer did not end in time")
        assert source.abandoned
    else:
        assert (trial.status, trial.problem) == (None, "the target did not answer in time")
        assert cancelled
    assert bench.clock.getDelayedCalls() == []


def test_whoever_cancels_it_cuts_the_target_off() -> None:
    bench = Bench()
    cancelled: list[bool] = []
    bench.upstream.waiting = Waiter(lambda: cancelled.append(True))
    found: list[Any] = []
    running = bench.start()
    running.addBoth(found.append)
    running.cancel()
    assert cancelled
    assert found[0].check(CancelledError)
    assert bench.clock.getDelayedCalls() == []


def test_a_client_has_a_few_at_a_time() -> None:
    bench = Bench()
    bench.upstream.waiting = Waiter()
    running = [bench.start() for _ in range(MOST_AT_ONCE)]
    with pytest.raises(TooManyTrials):
        bench.start()
    other = bench.start(client="c2")
    running[0].addErrback(lambda failure: None)
    running[0].cancel()
    again = bench.start()
    ends: list[Any] = []
    for each in (*running[1:], other, again):
        each.addErrback(lambda failure: ends.append(failure.check(CancelledError)))
    bench.trials.close()
    assert ends == [CancelledError] * (MOST_AT_ONCE + 1)


def test_there_are_not_too_many_in_all() -> None:
    bench = Bench()
    bench.note = Deferred  # type: ignore[method-assign, assignment]
    found: list[Any] = []
    for each in range(MOST_IN_ALL):
        bench.start(client=f"c{each}").addErrback(found.append)
    with pytest.raises(TooManyTrials):
        bench.start(client="another")
    bench.trials.close()
    assert len(found) == MOST_IN_ALL
    assert bench.upstream.sent == []
