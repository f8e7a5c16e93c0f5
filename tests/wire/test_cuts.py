"""However the network cuts a stream, the exchanges are those of the uncut one: requests and answers, hypothesis-driven.

Belongs here: cutting. Does not: what a message means (the tables of this folder).
"""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.wire.memory import Answer, MemoryCaller, Served
from tests.wire.memory_target import MemoryGateway, request, response
from tests.wire.test_broken_answers import AGAIN, CUT_OFF, NOT_AGAIN
from tests.wire.test_broken_answers import REFUSED as BROKEN
from tests.wire.test_malformed_requests import PASSES, REFUSED

QUICK = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))

BODIES = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([b"\r\n", b"0\r\n\r\n", b"GET /s HTTP/1.1\r\nHost: gateway.test\r\n\r\n", b"\r\n\r\n", b"a\r"]),
)
ENDINGS = st.sampled_from([b"", b";a", b';a="b;c"', b";a=b;c"])
TRAILERS = st.sampled_from([b"", b"X-A: b\r\n", b"X-A:\r\nX-B: \t\r\n"])


@st.composite
def chunked(draw: Any) -> bytes:
    """A body in chunks of any size, with extensions and trailers."""
    framed = b""
    for piece in draw(st.lists(BODIES.filter(bool), max_size=4)):
        size = (b"%X" if draw(st.booleans()) else b"%04x") % len(piece)
        framed += size + draw(ENDINGS) + b"\r\n" + piece + b"\r\n"
    return framed + b"0" + draw(ENDINGS) + b"\r\n" + draw(TRAILERS) + b"\r\n"


@st.composite
def requests(draw: Any) -> bytes:
    """A good request, with a body in one framing or the other, or none."""
    method = draw(st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "M-SEARCH"]))
    lines = [f"{method} /api/p/{draw(st.integers(0, 99))} HTTP/1.1", "Host: gateway.test"]
    lines += draw(st.lists(st.sampled_from(["X-A: b", "X-A:", "Connection: Upgrade", "Upgrade: h2c"]), max_size=3))
    kind = draw(st.sampled_from(["none", "length", "chunked", "expects"]))
    body = b""
    if kind == "chunked":
        lines, body = [*lines, "Transfer-Encoding: chunked"], draw(chunked())
    elif kind != "none":
        body = draw(BODIES)
        lines += [f"Content-Length: {len(body)}"] + (["Expect: 100-continue"] if kind == "expects" else [])
    return "\r\n".join([*lines, "", ""]).encode() + body


# What ends a pipeline: nothing, half a request, or a refused one with a good one behind it.
ENDS = st.one_of(
    st.just(b""),
    st.sampled_from([b"GET /api", b"POST /api/p/x HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: 9\r\n\r\nhalf"]),
    st.sampled_from(
        [case.sent + PASSES["Host"][0][1] for cases in REFUSED.values() for case in cases if not case.settings]
    ),
)


@st.composite
def cuts(draw: Any, data: bytes) -> list[bytes]:
    """`data` in pieces."""
    places = sorted(draw(st.lists(st.integers(0, len(data)), max_size=12)))
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True) if a < b]


def outcome(pieces: list[bytes]) -> tuple[list[Served], list[tuple[int, bytes]], bool]:
    caller = MemoryCaller().send(*pieces)
    methods = [each.method for each in caller.echo.served]
    answers = [answer for answer in caller.answers(*methods) if answer.status != 100]
    return caller.echo.served, [(a.status, a.body if a.status == 200 else b"") for a in answers], caller.transport.ended


@QUICK
@given(st.lists(requests(), max_size=5), ENDS, st.data())
def test_requests_are_the_same_however_they_are_cut(sent: list[bytes], end: bytes, data: Any) -> None:
    whole = b"".join(sent) + end
    expected = outcome([whole] if whole else [])
    assert len(expected[0]) >= len(sent)
    assert outcome(data.draw(cuts(whole))) == expected


@QUICK
@given(st.sampled_from([sent for rows in PASSES.values() for _, sent, _ in rows]), st.data())
def test_odd_requests_that_pass_do_so_however_they_are_cut(sent: bytes, data: Any) -> None:
    whole = sent + PASSES["Host"][0][1]
    assert outcome(data.draw(cuts(whole))) == outcome([whole])


def answered(method: str, pieces: list[bytes], closes: bool) -> tuple[list[Answer], bool, bool]:
    gateway = MemoryGateway()
    caller = gateway.caller().send(request(method=method))
    end = gateway.ends[0]
    end.say(*pieces)
    if closes:
        end.close()
    answers = [
        Answer(a.status, (), a.body if a.status != 502 else b"", a.whole) for a in caller.answers(method.encode())
    ]
    return answers, caller.transport.aborted, end.open


GOOD_OR_ODD = [case for table in (AGAIN, NOT_AGAIN) for cases in table.values() for case in cases]
BAD = [case for cases in BROKEN.values() for case in cases if len(case.said) < 4000]


@QUICK
@given(st.sampled_from(GOOD_OR_ODD + BAD), st.data())
def test_answers_are_the_same_however_they_are_cut(case: Any, data: Any) -> None:
    whole = answered(case.method, [case.said] if case.said else [], case.then_closes)
    assert answered(case.method, data.draw(cuts(case.said)), case.then_closes) == whole


@QUICK
@given(st.sampled_from([case for cases in CUT_OFF.values() for case in cases]), st.data())
def test_answers_that_break_are_never_whole_however_they_are_cut(case: Any, data: Any) -> None:
    answers, aborted, still_open = answered(case.method, data.draw(cuts(case.said)), case.then_closes)
    assert not still_open
    assert [answer.status for answer in answers] == [502] or (aborted and not answers[0].whole)


@QUICK
@given(st.lists(st.tuples(BODIES, chunked(), st.booleans()), min_size=1, max_size=4), st.data())
def test_answers_one_after_the_other_stay_apart(answers: list[tuple[bytes, bytes, bool]], data: Any) -> None:
    gateway = MemoryGateway()
    caller = gateway.caller()
    for body, framed, in_chunks in answers:
        caller.send(request())
        said = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + framed if in_chunks else response(body)
        (end,) = gateway.ends
        end.say(*data.draw(cuts(said)))
    assert [answer.whole for answer in caller.answers()] == [True] * len(answers)
    for answer, (body, _, in_chunks) in zip(caller.answers(), answers, strict=True):
        assert in_chunks or answer.body == body
