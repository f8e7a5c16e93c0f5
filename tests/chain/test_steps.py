"""What plugins answer, and that every way of failing is closed, with the right status and the plugin's name in the log.

Belongs here: each phase's answers, body methods, cancelling. Does not: order (test_chain.py).
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.logger import globalLogPublisher

from rrgate.api import BodyNeed, Denied, Exchange, Identity, InjectionError, Kind, Plugin, Reply, ResponseBound
from rrgate.body import Body, BodyBroken
from rrgate.record_view import RecordOf
from rrgate.upstream import TargetTimeout, TargetUnreachable
from rrgate.waiting import Waiter
from tests.chain.house import Caller, House, letting_in, plugin, response, whole

SECRET = "s3cr3t-51ab"
OK = (200, b"proxy-access-granted")
CLOSED = (500, b"internal-error")


@pytest.fixture
def logged() -> Any:
    events: list[dict[str, Any]] = []
    globalLogPublisher.addObserver(events.append)
    yield events
    globalLogPublisher.removeObserver(events.append)


def raising(*_: object) -> Any:
    raise KeyError(SECRET)


async def raising_later(*_: object) -> Any:
    raise KeyError(SECRET)


def exiting(*_: object) -> Any:
    sys.exit(SECRET)


def cancelling(*_: object) -> Any:
    """As one does that runs what was cancelled elsewhere; nobody cancelled this request."""
    raise CancelledError(SECRET)


async def cancelling_as_asyncio_does(*_: object) -> Any:
    raise asyncio.CancelledError(SECRET)


async def raising_after_a_wait(*_: object) -> Any:
    await succeed(None)
    raise KeyError(SECRET)


FAILS: dict[str, Callable[..., Any]] = {
    "raises": raising,
    "raises in a coroutine": raising_later,
    "raises after a wait": raising_after_a_wait,
    "exits": exiting,
    "says that it was cancelled": cancelling,
    "says so as asyncio does": cancelling_as_asyncio_does,
    "answers a str": lambda *_: "yes",
    "answers True": lambda *_: True,
    "answers an awaitable of the wrong": lambda *_: succeed(b"x" if len(_) == 1 else "x"),
    "raises InjectionError": lambda ex, *_: ex.add_answer_header(b"a:", b"b"),
}


def in_phase(phase: str, method: Callable[..., Any]) -> House:
    kind = Kind.CALLER if phase == "authenticate" else Kind.OWN
    others = [] if phase == "authenticate" else [letting_in()]
    return House(*others, plugin("broken", kind, **{phase: method}))


def without_address(each: object) -> str:
    """Its repr, the same in every process."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(each))



@pytest.mark.parametrize("how", FAILS)
@pytest.mark.parametrize("phase", ["authenticate", "authorize", "prepare", "on_request_body", "on_response", "on_body"])
def test_a_plugin_that_fails(phase: str, how: str, logged: list[Any]) -> None:
    house = in_phase(phase, FAILS[how])
    request = house.call(b"body")
    sent = phase in ("on_response", "on_body")
    assert request.result == ((502 if sent else 500), b"internal-error")
    assert len(house.upstream.sent) == sent
    assert request.door.close
    assert request.door.ended
    assert SECRET.encode() not in request.door.body
    assert b"broken" not in request.door.body
    assert house.phases == [f"broken {phase}"]
    named = [event for event in logged if event.get("plugin") == "broken"]
    assert [event["phase"] for event in named] == [phase]
    assert SECRET not in repr(named)
    assert house.logged == [request.ex]
    assert request.ex.final_status == request.door.status


WRONG = {
    "authenticate": [True, "ann", {}, 0],
    "authorize": [Identity("ann"), True, False, 0, b""],
    "prepare": [Identity("ann"), Denied("no", 403), b"", 0],
    "on_response": [Identity("ann"), Denied("no", 403), True],
    "on_request_body": [None, "x", bytearray(b"x"), Reply(200, "", "ok")],
    "on_body": [None, "x", memoryview(b"x")],
}


@pytest.mark.parametrize(("phase", "answer"), [(phase, each) for phase, answers in WRONG.items() for each in answers])
def test_an_answer_that_the_phase_does_not_know(phase: str, answer: Any) -> None:
    request = in_phase(phase, lambda *_: answer).call(b"body")
    assert request.result == ((502 if phase in ("on_response", "on_body") else 500), b"internal-error")


@pytest.mark.parametrize(
    "wrong",
    [
        Reply(99, "", "ok"),
        Reply(101, "", "ok"),
        Reply(600, "", "ok"),
        Reply(200, "", "ok\r\nX: y"),
        Reply(200, "", ""),
        Reply(200, "", "ok", headers=((b"X", b"a\r\nY: b"),)),
        Reply(200, "", "ok", headers=((b"X\n", b"a"),)),
        Reply(200, "", "ok", headers=((b"Content-Length", b"0"),)),
        Reply(200, "", "ok", headers=((b"Transfer_Encoding", b"chunked"),)),
        Reply(200, "", "ok", headers=((b"X", "text"),)),  # type: ignore[arg-type]
        Reply(200, "", "ok", headers=(b"X: y",)),  # type: ignore[arg-type]
        Reply(200, "", "ok", headers=None),  # type: ignore[arg-type]
        Reply(200, "", "ok", document={"a": object()}),
    ],
    ids=without_address,
)
@pytest.mark.parametrize("phase", ["authenticate", "authorize", "prepare", "on_response"])
def test_a_reply_that_would_split_the_answer(phase: str, wrong: Reply) -> None:
    house = in_phase(phase, lambda ex: wrong)
    request = house.call()
    assert request.door.code == b"internal-error"
    assert request.door.status in (500, 502)
    assert house.phases == [f"broken {phase}"]


MADE_WRONG: dict[str, tuple[str, Callable[[Any], object]]] = {
    "a subject in bytes": ("authenticate", lambda ex: Identity(b"ann")),  # type: ignore[arg-type]
    "no credential": ("authenticate", lambda ex: Identity("ann", None)),  # type: ignore[arg-type]
    "no reason": ("authenticate", lambda ex: Denied(None)),  # type: ignore[arg-type]
    "a denial's status as text": ("authorize", lambda ex: Denied("no", "403")),  # type: ignore[arg-type]
    "a denial's message in bytes": ("authorize", lambda ex: Denied("no", 403, b"No")),  # type: ignore[arg-type]
    "a status as text": ("authorize", lambda ex: Reply("200", "", "ok")),  # type: ignore[arg-type]
    "no message": ("prepare", lambda ex: Reply(200, None, "ok")),  # type: ignore[arg-type]
    "a code in bytes": ("on_response", lambda ex: Reply(200, "", b"ok")),  # type: ignore[arg-type]
    "a body as text": ("on_response", lambda ex: Reply(200, "", "ok", body="text")),  # type: ignore[arg-type]
    "a body for the target as text": ("prepare", lambda ex: ex.to_target.set_body("text")),
    "a header for the target as text": ("prepare", lambda ex: ex.to_target.set_header("X", "y")),
    "a parameter for the target as text": ("prepare", lambda ex: ex.to_target.set_query("x", "y")),
    "a header for the caller as text": ("prepare", lambda ex: ex.add_answer_header("X", "y")),
    "a header of the answer as text": ("on_response", lambda ex: ex.response.set_header("X", "y")),
}


@pytest.mark.parametrize("what", MADE_WRONG)
def test_what_cannot_be_made_or_set(what: str) -> None:
    """It fails in the plugin, which is named, and not where the gateway uses it."""
    phase, method = MADE_WRONG[what]
    house = in_phase(phase, method)
    assert house.call().door.code == b"internal-error"
    assert house.phases == [f"broken {phase}"]


@pytest.mark.parametrize("status", [0, 200, 302, 500])
def test_a_denial_that_is_none(status: int) -> None:
    assert in_phase("authorize", lambda ex: Denied("no", status)).call().result == CLOSED


# What the phases may answer.


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        (None, (401, b"proxy-access-denied")),
        (Denied("bad"), (401, b"proxy-access-denied")),
        (Denied("elsewhere", 403), (403, b"proxy-access-denied")),
        (Denied("often", 429, "slow down", ((b"Retry-After", b"5"),)), (429, b"rate-limited")),
        (Reply(200, "pong", "pong"), (200, b"pong")),
        (Identity("ann"), OK),
    ],
)
@pytest.mark.parametrize("how", ["plain", "async", "Deferred", "wrapped"])
def test_authenticate(answer: Any, result: Any, how: str) -> None:
    async def coroutine(ex: Exchange) -> Any:
        return answer

    methods: dict[str, Any] = {
        "plain": lambda ex: answer,
        "async": coroutine,
        "Deferred": lambda ex: succeed(answer),
        "wrapped": partial(coroutine),
    }
    request = in_phase("authenticate", methods[how]).call()
    assert request.result == result
    assert (request.ex.identity is not None) == (result == OK)
    if answer is not None and getattr(answer, "status", 0) == 429:
        assert request.door.header(b"Retry-After") == b"5"


def test_all_401s_look_the_same() -> None:
    told = {
        repr((request.door.fields, request.door.body))
        for request in (
            in_phase("authenticate", lambda ex, answer=answer: answer).call()
            for answer in (None, Denied("unknown key"), Denied("x", 401, SECRET, ((b"X-Why", b"that"),)))
        )
    }
    assert len(told) == 1


def test_the_first_answer_ends_a_phase() -> None:
    called: list[str] = []

    def answering(name: str, answer: Any) -> Plugin:
        def authorize(ex: Exchange) -> Any:
            called.append(name)
            return answer

        return plugin(name, Kind.RULES, authorize=authorize)

    house = House(
        letting_in(), answering("a", None), answering("b", Reply(403, "no", "b")), answering("c", Denied("no", 403))
    )
    assert house.call().result == (403, b"b")
    assert called == ["a", "b"]


def test_plain_and_async_mixed() -> None:
    waiting: Deferred[None] = Deferred()

    async def slow(ex: Exchange) -> None:
        await waiting
        ex.to_target.set_header(b"X-Slow", b"1")

    house = House(
        letting_in(),
        plugin("a", prepare=lambda ex: ex.to_target.set_header(b"X-A", b"1")),
        plugin("b", prepare=slow),
        plugin("c", prepare=lambda ex: ex.to_target.set_header(b"X-C", ex.to_target.header(b"X-Slow"))),
    )
    request = house.start()
    assert not request.ended
    waiting.callback(None)
    assert request.result == OK
    ((sent, _),) = house.upstream.sent
    assert [(name, writer) for name, _, writer in sent.injected.values()] == [
        (b"X-A", "a"),
        (b"X-Slow", "b"),
        (b"X-C", "c"),
    ]


def test_a_reply_takes_the_place_of_the_targets_answer() -> None:
    caller = Caller()
    house = House(
        letting_in(),
        plugin("first", on_response=lambda ex: None if ex.response is None else Reply(200, "", "wrong")),
        plugin("second", on_response=lambda ex: Reply(422, "no", "not-filterable")),
    )
    house.upstream.answer = lambda ex: response(Body(caller))
    assert house.call().result == (422, b"not-filterable")
    assert caller.abandoned


@pytest.mark.parametrize(
    ("error", "result"),
    [
        (TargetTimeout("slow"), (504, b"target-timeout")),
        (TargetUnreachable("away"), (502, b"target-unreachable")),
        (BodyBroken("ended early", 408), (408, b"bad-request")),
        (InjectionError("split"), (500, b"internal-error")),
    ],
)
def test_what_goes_wrong_on_the_way_is_seen_by_the_entered(error: Exception, result: Any) -> None:
    seen: list[Any] = []
    house = House(letting_in(), plugin("a", on_response=lambda ex: seen.append(ex.response)))
    house.upstream.error = error
    assert house.call().result == result
    assert seen == [None]


def test_answer_headers_are_on_grants_and_refusals() -> None:
    def adding(ex: Exchange) -> None:
        ex.add_answer_header(b"X-Limit", b"5")
        for name in (b"Content-Length", b"transfer-encoding", b"Connection", b"X\r\nY"):
            with pytest.raises(InjectionError):
                ex.add_answer_header(name, b"5")

    for answer, status in ((None, 200), (Denied("no", 403), 403), (Denied("no"), 401)):
        house = House(
            letting_in(),
            plugin("limit", Kind.LIMIT, authorize=adding),
            plugin("meter", Kind.METER, authorize=lambda ex, answer=answer: answer),
        )
        request = house.call()
        assert request.door.status == status
        assert request.door.header(b"X-Limit") == b"5"
    house = House(letting_in(), plugin("limit", Kind.LIMIT, authorize=adding), plugin("bad", prepare=raising))
    assert house.call().door.header(b"X-Limit") == b"5"


# Bodies.


def upper(ex: Exchange, chunk: bytes, last: bool) -> bytes:
    return chunk.upper() + (b"." if last else b"")


async def doubled(ex: Exchange, chunk: bytes, last: bool) -> bytes:
    await succeed(None)
    return chunk * 2


def test_a_whole_body_is_changed_in_one_call() -> None:
    calls: list[tuple[bytes, bool]] = []

    def noting(ex: Exchange, chunk: bytes, last: bool) -> bytes:
        calls.append((chunk, last))
        assert ex.held_body == b"body"
        return chunk + b"!"

    held = plugin("a", need=BodyNeed(10), on_request_body=noting)
    house = House(letting_in(), held, plugin("b", on_request_body=upper))
    assert house.call(b"body").result == OK
    ((request, body),) = house.upstream.sent
    assert (body, request.stream) == (b"BODY!.", None)
    assert calls == [(b"body", True)]


def test_a_streamed_body_is_changed_as_it_comes() -> None:
    house = House(letting_in(), plugin("a", on_request_body=doubled), plugin("b", on_request_body=upper))
    body = Body(Caller())
    request = house.start(body, length=5)
    body.feed(b"ab")
    body.feed(b"cde")
    assert not request.ended
    body.end()
    assert request.result == OK
    ((sent, received),) = house.upstream.sent
    assert received == b"ABABCDECDE."
    assert sent.stream_length is None


def test_a_body_that_is_here_is_changed_at_once_and_framed_by_its_length() -> None:
    house = House(letting_in(), plugin("a", on_request_body=doubled), plugin("b", on_request_body=upper))
    assert house.call(b"ab").result == OK
    ((sent, received),) = house.upstream.sent
    assert received == b"ABAB."
    assert (sent.body, sent.stream) == (b"ABAB.", None)
    house = House(letting_in(), plugin("a", on_request_body=lambda ex, chunk, last: b""))
    assert house.call(b"ab").result == OK
    ((sent, _),) = house.upstream.sent
    assert (sent.body, sent.stream) == (b"", None)


def test_a_method_that_holds_back_is_called_with_the_end() -> None:
    held: list[bytes] = []

    def holding(ex: Exchange, chunk: bytes, last: bool) -> bytes:
        held.append(chunk)
        return b"".join(held) if last else b""

    called: list[tuple[bytes, bool]] = []

    def noting(ex: Exchange, chunk: bytes, last: bool) -> bytes:
        called.append((chunk, last))
        return chunk

    house = House(letting_in(), plugin("a", on_request_body=holding), plugin("b", on_request_body=noting))
    body = Body(Caller())
    request = house.start(body, length=None)
    for part in (b"ab", b"cd"):
        body.feed(part)
    body.end()
    assert request.result == OK
    assert house.upstream.sent[0][1] == b"abcd"
    assert called == [(b"abcd", True)]


def reading_first(phase: str, limit: int) -> list[Plugin]:
    """Plugins of which one reads the body in `phase`."""

    async def read(ex: Exchange) -> Identity | None:
        await ex.whole_body(limit)
        return Identity("ann") if phase == "authenticate" else None

    if phase == "authenticate":
        return [plugin("key", Kind.CALLER, authenticate=read)]
    return [letting_in(), plugin("reads", authorize=read)]


@pytest.mark.parametrize("phase", ["authenticate", "authorize"])
def test_a_body_that_is_read_before_it_is_judged(phase: str) -> None:
    house = House(*reading_first(phase, 6))
    body = Body(Caller())
    request = house.start(body, length=6)
    body.feed(b"one")
    assert not request.ended
    body.feed(b"two")
    body.end()
    assert request.result == OK
    assert request.ex.held_body == house.upstream.sent[0][1] == b"onetwo"


@pytest.mark.parametrize("phase", ["authenticate", "authorize"])
@pytest.mark.parametrize("length", [7, None])
def test_one_that_is_too_long_is_the_callers_fault(phase: str, length: int | None) -> None:
    house = House(*reading_first(phase, 6))
    request = house.start(Body.of(b"seven b"), length=length)
    assert request.result == (413, b"request-too-large")
    assert (house.upstream.sent, house.told) == ([], [])


@pytest.mark.parametrize("phase", ["authenticate", "authorize"])
def test_one_that_breaks_off_is_the_callers_fault(phase: str) -> None:
    house = House(*reading_first(phase, 6))
    body = Body(Caller())
    request = house.start(body, length=6)
    body.fail(BodyBroken("it is not framed as it says", 400))
    assert request.result == (400, b"bad-request")
    assert (house.upstream.sent, house.told) == ([], [])


def test_a_request_without_a_body() -> None:
    house = House(letting_in(), plugin("a", on_request_body=lambda ex, chunk, last: chunk))
    house.call()
    ((sent, _),) = house.upstream.sent
    assert (sent.body, sent.stream) == (None, None)
    house = House(letting_in(), plugin("a", need=BodyNeed(10), prepare=lambda ex: None))
    request = house.call()
    ((sent, _),) = house.upstream.sent
    assert (sent.body, sent.stream, request.ex.held_body) == (None, None, b"")
    house = House(letting_in(), plugin("a", on_request_body=lambda ex, chunk, last: b"made"))
    house.call()
    assert house.upstream.sent[0][1] == b"made"


def test_a_fault_in_the_middle_of_a_streamed_body() -> None:
    def failing(ex: Exchange, chunk: bytes, last: bool) -> bytes:
        if last:
            raise KeyError(SECRET)
        return chunk

    house = House(letting_in(), plugin("broken", on_request_body=failing))
    body = Body(Caller())
    request = house.start(body, length=4)
    body.feed(b"half")
    body.end()
    assert request.result == (502, b"internal-error")
    assert house.upstream.sent == []


@pytest.mark.parametrize("length", [11, None])
def test_a_body_over_the_need(length: int | None) -> None:
    house = House(letting_in(), plugin("a", need=BodyNeed(10), prepare=lambda ex: None))
    caller = Caller()
    body = Body(caller)
    request = house.start(body, length=length)
    assert caller.wanted == (length is None)
    if length is None:
        body.feed(b"x" * 10)
        assert not request.ended
        body.feed(b"x")
    assert request.result == (413, b"request-too-large")
    assert request.door.close
    assert house.upstream.sent == []


def test_a_body_at_the_need() -> None:
    house = House(letting_in(), plugin("a", need=BodyNeed(10), prepare=lambda ex: None))
    assert house.call(b"x" * 10).result == OK
    assert house.upstream.sent[0][1] == b"x" * 10


def needing(*answers: Any) -> list[Plugin]:
    """Plugins that answer these as `body_needed`."""
    return [
        plugin(f"p{place}", body_needed=lambda ex, answer=answer: answer, prepare=lambda ex: None)
        for place, answer in enumerate(answers)
    ]


@pytest.mark.parametrize(
    ("answers", "held"),
    [((None,), None), ((None, None), None), ((4,), b"body"), ((None, 5, 4), b"body"), ((1 << 60, None), b"body")],
)
def test_a_plugin_says_for_each_request_whether_it_needs_the_body(answers: Any, held: bytes | None) -> None:
    house = House(letting_in(), *needing(*answers))
    request = house.call(b"body")
    assert request.result == OK
    assert request.ex.held_body == held
    ((sent, received),) = house.upstream.sent
    assert received == b"body"
    assert (sent.stream is None) == (held is not None)


@pytest.mark.parametrize(("answers", "need"), [((3,), None), ((None, 3, 8), None), ((0,), None), ((8,), 3), ((3,), 8)])
@pytest.mark.parametrize("length", [4, None])
def test_the_smallest_need_counts(answers: Any, need: int | None, length: int | None) -> None:
    house = House(letting_in(), *needing(*answers), plugin("a", need=BodyNeed(need), prepare=lambda ex: None))
    body = Body.of(b"body")
    assert house.call(body, length=length).result == (413, b"request-too-large")
    assert house.upstream.sent == []


def test_a_body_that_somebody_held_already_is_measured() -> None:
    async def holding(ex: Exchange) -> None:
        ex.held_body = await ex.request_body.whole(100)

    for limit, result in ((4, OK), (3, (413, b"request-too-large")), (None, OK)):
        house = House(letting_in(), plugin("rule", Kind.RULES, authorize=holding), *needing(limit))
        assert house.call(b"body").result == result
        assert [received for _, received in house.upstream.sent] == [b"body"] * (result == OK)


@pytest.mark.parametrize(
    "wrong", [True, -1, 1.0, "1", b"", BodyNeed(1), succeed(None), Denied("no", 403)], ids=without_address
)
def test_a_need_that_is_none(wrong: Any) -> None:
    house = House(letting_in(), *needing(wrong))
    assert house.call(b"body").result == CLOSED
    assert house.phases == ["p0 body_needed"]


def test_whoever_was_asked_counts_as_entered() -> None:
    seen: list[str] = []
    house = House(
        letting_in(),
        plugin("first", body_needed=lambda ex: None, on_response=lambda ex: seen.append("first")),
        plugin("broken", body_needed=raising, on_response=lambda ex: seen.append("broken")),
        plugin("never", body_needed=lambda ex: None, on_response=lambda ex: seen.append("never")),
    )
    assert house.call(b"body").result == CLOSED
    assert seen == ["broken", "first"]


def test_answers_bodies_are_changed_in_reverse_order() -> None:
    house = House(letting_in(), plugin("a", on_body=doubled), plugin("b", on_body=upper))
    request = house.call()
    assert request.door.body == b"FROM THE TARGET." * 2
    assert request.door.length == 32
    assert request.door.ended


def test_a_streamed_answer_is_changed_as_it_comes() -> None:
    house = House(letting_in(), plugin("a", on_body=doubled), plugin("b", on_body=upper))
    body = Body(None)
    house.upstream.answer = lambda ex: response(body, 4)
    request = house.start()
    body.feed(b"ab")
    body.feed(b"cd")
    body.end()
    assert request.door.body == b"ABABCDCD.."
    assert request.door.length is None
    assert request.door.ended


@pytest.mark.parametrize("method", [b"HEAD", b"GET"])
def test_an_answer_without_a_body_is_not_changed(method: bytes) -> None:
    house = House(letting_in(), plugin("a", on_body=upper))
    house.upstream.answer = lambda ex: whole(b"", 204 if method == b"GET" else 200)
    request = house.call(method=method)
    assert (request.door.body, request.door.ended) == (b"", True)


def test_a_fault_in_a_streamed_answer_breaks_it_off_and_is_logged(logged: list[Any]) -> None:
    def failing(ex: Exchange, chunk: bytes, last: bool) -> bytes:
        if b"bad" in chunk:
            raise KeyError(SECRET)
        return chunk

    house = House(letting_in(), plugin("broken", on_body=failing))
    body = Body(Caller())
    house.upstream.answer = lambda ex: response(body)
    request = house.start()
    body.feed(b"good")
    body.feed(b"bad")
    assert request.ended
    assert (request.door.status, request.door.body) == (200, b"good")
    assert request.door.aborted
    assert not request.door.ended
    assert house.phases == ["broken on_body"]
    assert [event["phase"] for event in logged if event.get("plugin") == "broken"] == ["on_body"]
    assert "broke off" in request.ex.message


@pytest.mark.parametrize("grown", ["in the middle", "at the end"])
def test_what_a_method_adds_counts_to_the_bound(grown: str) -> None:
    def growing(ex: Exchange, chunk: bytes, last: bool) -> bytes:
        return chunk + b"x" * 100 if last == (grown == "at the end") else chunk

    def bounding(ex: Exchange) -> None:
        assert ex.response is not None
        ex.response.bound = ResponseBound(150, "never", lambda seen, known: Reply(502, "big", "too-large"))

    house = House(letting_in(), plugin("a", on_body=growing, on_response=bounding))
    body = Body(Caller())
    house.upstream.answer = lambda ex: response(body)
    request = house.start()
    body.feed(b"ab")
    body.end()
    assert request.door.aborted
    assert not request.door.ended
    assert len(request.door.body) == request.ex.bytes_sent == 100


# How long it took.


def test_the_record_tells_which_plugins_were_waited_for_and_until_when() -> None:
    waits: list[Deferred[None]] = []

    def later(ex: Exchange) -> Deferred[None]:
        waits.append(Deferred())
        return waits[-1]

    house = House(
        letting_in(),
        plugin("slow", prepare=later),
        plugin("quick", prepare=lambda ex: None),
        plugin("slower", on_response=later),
    )
    request = house.start()
    house.clock.advance(2)
    waits[0].callback(None)
    house.clock.advance(3)
    waits[1].callback(None)
    assert request.ended
    timeline: Any = RecordOf(request.ex)["timeline"]
    steps = [(each["step"], each["at"]) for each in timeline]
    assert steps == [("slow prepare", 2.0), ("first byte", 3.0), ("slower on_response", 6.0)]


# Cancelling.


@pytest.mark.parametrize("phase", ["authenticate", "authorize", "prepare", "on_request_body", "on_response", "on_body"])
def test_cancelling_reaches_a_plugin_that_waits(phase: str) -> None:
    told: list[str] = []
    waiting: Deferred[Any] = Deferred(lambda _: told.append("what it waits for"))

    async def slow(*_: object) -> Any:
        try:
            await waiting
        except CancelledError:
            told.append("the plugin")
            raise

    logs: list[int] = []
    house = House(
        *([] if phase == "authenticate" else [letting_in()]),
        plugin("slow", Kind.OWN, **{phase: slow}),
        plugin("log", Kind.LOG, on_log=lambda ex, record: logs.append(record["proxyData"]["status"])),
    )
    request = house.start(b"body")
    assert not request.ended
    request.task.cancel()
    assert told == ["what it waits for", "the plugin"]
    assert isinstance(request.errors[0], CancelledError)
    assert request.door.status == 0
    assert request.ex.final_status == 499
    assert logs == [499]
    assert house.logged == [request.ex]
    assert house.told == []


def test_cancelling_while_the_target_is_waited_for() -> None:
    told: list[str] = []
    house = House(letting_in(), plugin("a", on_response=lambda ex: told.append("never")))
    house.upstream.waiting = Waiter(lambda: told.append("target"))
    request = house.start()
    request.task.cancel()
    assert isinstance(request.errors[0], CancelledError)
    assert told == ["target"]


# After the last byte.


def test_on_log_runs_once_however_it_ended_and_may_fail(logged: list[Any]) -> None:
    seen: list[Any] = []

    def noting(ex: Exchange, record: Any) -> None:
        seen.append((record["sKey"], record["proxyData"]["status"], ex.entered))

    for way, status in ((letting_in(), 200), (plugin("none", Kind.CALLER, authenticate=raising), 500)):
        house = House(way, plugin("bad", Kind.LOG, on_log=raising), plugin("log", Kind.LOG, on_log=noting))
        assert house.call().door.status == status
        assert seen.pop() == ("id-1", status, 0)
        assert seen == []
        assert house.phases[-1] == "bad on_log"
        assert len(house.logged) == 1


def test_a_request_that_cannot_be_shown_fails_who_looks_and_nobody_else(logged: list[Any]) -> None:
    told: list[str] = []

    steps = {
        "spoiling": lambda ex, record: setattr(ex, "wall_started", "never"),
        "looking": lambda ex, record: record["sKey"],
        "log": lambda ex, record: told.append("log"),
    }
    house = House(letting_in(), *(plugin(name, Kind.LOG, on_log=step) for name, step in steps.items()))
    assert house.call().door.status == 200
    assert house.phases == ["looking on_log"]
    assert (told, len(house.logged)) == (["log"], 1)
