"""What is remembered of heads changes no judgement, and nobody's message.

Belongs here: heads that come again, whole or in part, and what plugins do to their fields. Does not: what is refused.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rrgate.api import Exchange, NoConfig, Parts, Plugin
from rrgate.testing import MemoryGateway, Says
from rrgate.wire.answer_head import AnswerBroken, AnswerHead, judge_answer_head
from rrgate.wire.repeated_heads import LONGEST_KEPT, MOST_ANSWERS, MOST_KEPT, KnownAnswers, LastRequest
from rrgate.wire.request_head import HeadRefused, RequestHead, judge_head

REQUEST_LINES = [
    b"GET /a HTTP/1.1", b"GET /b?c HTTP/1.1", b"POST /a HTTP/1.1", b"HEAD /a HTTP/1.1", b"GET /a HTTP/1.0",
    b"GET http://a/x HTTP/1.1", b"GET http://b/x HTTP/1.1", b"GET http://a HTTP/1.1", b"GET /a#b HTTP/1.1",
    b"GET a HTTP/1.1", b"GET  /a HTTP/1.1", b"GET /a HTTP/2.0", b"TRACE /a HTTP/1.1", b"G\0T /a HTTP/1.1",
    b"GET /" + b"l" * 200 + b" HTTP/1.1",
]  # fmt: skip
STATUS_LINES = [b"HTTP/1.1 200 OK", b"HTTP/1.1 204 No", b"HTTP/1.1 304 No", b"HTTP/1.0 200 OK", b"HTTP/1.1 2"]
FIELDS = [
    [b"Host: a"], [b"Host: a", b"X-Key: one"], [b"Host: b"], [b"Host: a", b"Host: a"], [b"X: y"], [],
    [b"Host: a", b"Connection: close"], [b"Host: a", b"Connection: X-Key", b"X-Key: one"],
    [b"Host: a", b"Content-Length: 5"], [b"Host: a", b"Content-Length: 5", b"Expect: 100-continue"],
    [b"Host: a", b"Transfer-Encoding: chunked"], [b"Host: a", b"Transfer-Encoding: chunked", b"Content-Length: 5"],
    [b"Host: a", b"Expect: tea"], [b"Host: a", b"no colon"], [b"Host: a", b"X: a\rb"],
    [b"Host: a", b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13",
     b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="],
    [b"Content-Length: 5", b"Keep-Alive: timeout=5"], [b"Content-Length: 5", b"Content-Length: 6"],
    [b"Host: a", *(b"X-%d: y" % number for number in range(MOST_KEPT))],
]  # fmt: skip


def head_of(line: bytes, fields: list[bytes]) -> bytes:
    return b"\r\n".join((line, *fields, b"", b""))


def told(judged: RequestHead | AnswerHead) -> dict[str, Any]:
    """All that is known of it; the handshakes of two requests are two."""
    known = {name: getattr(judged, name) for name in attrs.fields_dict(type(judged))}
    return known | {"handshake": known.get("handshake") is not None}


def asked(judge: Any, head: bytes) -> object:
    try:
        return told(judge(head, 100, 40))
    except HeadRefused as refused:
        return refused.status, str(refused)


def answered(judge: Any, head: bytes, to_head_request: bool) -> object:
    try:
        return told(judge(head, to_head_request))
    except AnswerBroken as broken:
        return str(broken)


requests = st.builds(head_of, st.sampled_from(REQUEST_LINES), st.sampled_from(FIELDS))
answers = st.builds(head_of, st.sampled_from(STATUS_LINES), st.sampled_from(FIELDS))


@settings(max_examples=600)
@given(heads=st.lists(requests, min_size=2, max_size=8))
def test_a_request_is_judged_the_same_whatever_came_before_on_its_connection(heads: list[bytes]) -> None:
    last = LastRequest()
    for head in heads:
        assert asked(last.judge, head) == asked(judge_head, head)


def test_that_holds_for_each_request_line_behind_each_with_the_same_fields() -> None:
    for fields in FIELDS:
        for before in REQUEST_LINES:
            for line in REQUEST_LINES:
                last = LastRequest()
                asked(last.judge, head_of(before, fields))
                assert asked(last.judge, head_of(line, fields)) == asked(judge_head, head_of(line, fields))


@settings(max_examples=300)
@given(heads=st.lists(st.tuples(answers, st.booleans()), min_size=2, max_size=8))
def test_an_answer_is_judged_the_same_whatever_came_before(heads: list[tuple[bytes, bool]]) -> None:
    known = KnownAnswers(40)
    for head, to_head_request in heads:
        alone = partial(judge_answer_head, max_fields=40)
        assert answered(known.judge, head, to_head_request) == answered(alone, head, to_head_request)


@pytest.mark.parametrize(
    ("line", "fields", "kept"),
    [
        (b"GET /a HTTP/1.1", [b"Host: a"], True),
        (b"GET /a HTTP/1.1", [b"Host: a", b"X: ".ljust(LONGEST_KEPT - 30, b"y")], True),
        (b"GET /a HTTP/1.1", [b"Host: a", b"X: ".ljust(LONGEST_KEPT - 29, b"y")], False),
        (b"GET /a HTTP/1.1", [b"Host: a"] + [b"X: y"] * (MOST_KEPT - 1), True),
        (b"GET /a HTTP/1.1", [b"Host: a"] + [b"X: y"] * MOST_KEPT, False),
        (b"GET /a HTTP/1.1", FIELDS[15], False),
    ],
)
def test_a_small_head_that_comes_again_is_not_judged_again(line: bytes, fields: list[bytes], kept: bool) -> None:
    last, head = LastRequest(), head_of(line, fields)
    assert (last.judge(head, 100, 100) is last.judge(head, 100, 100)) is kept


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        ([b"X: ".ljust(LONGEST_KEPT - 21, b"y")], True),
        ([b"X: ".ljust(LONGEST_KEPT - 20, b"y")], False),
        ([b"X: y"] * MOST_KEPT, True),
        ([b"X: y"] * (MOST_KEPT + 1), False),
    ],
)
def test_neither_is_a_small_answer(fields: list[bytes], kept: bool) -> None:
    known, head = KnownAnswers(), head_of(b"HTTP/1.1 200 OK", fields)
    assert (known.judge(head, False) is known.judge(head, False)) is kept


def test_few_answers_are_remembered_however_many_come() -> None:
    known = KnownAnswers()
    for number in range(3 * MOST_ANSWERS):
        known.judge(head_of(b"HTTP/1.1 200 OK", [b"X-Id: %d" % number]), False)
        assert len(known._known) <= MOST_ANSWERS


class Marks(Plugin):
    """Writes into the very lists of fields."""

    name = "marks"

    @classmethod
    def for_proxy(cls, parts: Parts) -> NoConfig:
        return NoConfig()

    def prepare(self, ex: Exchange) -> None:
        ex.fields.append((b"x-mark", b"X-Mark", b"request"))

    def on_response(self, ex: Exchange) -> None:
        assert ex.response is not None
        ex.response.fields.append((b"x-mark", b"X-Mark", b"answer"))


def test_what_a_plugin_does_to_the_fields_of_one_message_is_not_in_the_next() -> None:
    gateway = MemoryGateway([Marks])
    proxy = gateway.proxy()
    gateway.target.says = Says(body=b"ok")
    request = f"GET /api/{proxy.id}/ HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    call = gateway.call("GET", proxy)
    call.send(request)
    call.send(request)
    heads = bytes(call.transport.written).split(b"HTTP/1.1 200 OK")[1:]
    assert [head.count(b"X-Mark: answer") for head in heads] == [1, 1, 1]
    assert [each.fields.count((b"x-mark", b"X-Mark", b"request")) for each in gateway.requests] == [1, 1, 1]
