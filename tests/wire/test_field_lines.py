"""`FieldLines`: what is remembered of lines changes no judgement.

Belongs here: known lines beside unknown ones, and the bounds of what is remembered. Does not: what is refused.
"""

from __future__ import annotations

import httptools
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rrgate.wire import answer_head, fieldlines, request_head
from rrgate.wire.answer_head import AnswerBroken, judge_answer_head
from rrgate.wire.fieldlines import LONGEST_KNOWN, MOST_KNOWN, MOST_OF_NAME, FieldLines
from rrgate.wire.request_head import HeadRefused, judge_head

REQUEST, ANSWER = b"POST / HTTP/1.1", b"HTTP/1.1 200 OK"

LINES = [
    b"Host: a", b"Host: b", b"host:a", b"H_ost: a", b"Accept: */*", b"Accept:", b"X-Key: one ", b"X-Key:\ttwo",
    b"Content-Length: 5", b"Content-Length: 6", b"Content-Length: 5, 5", b"Content_Length: 5", b"content-length: 5",
    b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip", b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding:", b"Connection: close", b"Connection: upgrade", b"Connection: X-Key", b"Upgrade: h2c",
    b"Expect: 100-continue", b"Keep-Alive: timeout=5", b" folded", b"\tfolded",
    b"no colon", b"space : a", b": nameless",
    b"X: a\nb", b"X: a\rb", b"X: \0", b"X: " + b"l" * LONGEST_KNOWN,
]  # fmt: skip
heads = st.lists(st.sampled_from(LINES), max_size=6)


def outcome(kind: bytes, lines: list[bytes]) -> object:
    """How the head is judged: all that is known of it, or the status with which it is refused."""
    head = b"\r\n".join((kind, *lines, b"", b""))
    try:
        if kind is REQUEST:
            read = judge_head(head, 100, 100)
            return read.host, read.fields, read.length, read.keep_alive, read.expects_continue
        answer = judge_answer_head(head, to_head_request=False, max_fields=100)
    except HeadRefused as refused:
        return refused.status
    except AnswerBroken:
        return "broken"
    return answer.fields, answer.length, answer.announced, answer.reusable, answer.idle


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_head, "_LINES", FieldLines(httptools.HttpRequestParser, b"GET / HTTP/1.1"))
    monkeypatch.setattr(answer_head, "_LINES", FieldLines(httptools.HttpResponseParser, b"HTTP/1.1 200 OK"))


@settings(max_examples=600)
@given(kind=st.sampled_from([REQUEST, ANSWER]), before=st.lists(heads, max_size=6), lines=heads)
def test_a_head_is_judged_the_same_whatever_came_before_it(
    kind: bytes, before: list[list[bytes]], lines: list[bytes]
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        forget(patched)
        alone = outcome(kind, lines)
        patched.setattr(fieldlines, "MOST_KNOWN", 7)
        patched.setattr(fieldlines, "MOST_OF_NAME", 2)
        forget(patched)
        for each in before:
            outcome(kind, each)
        assert outcome(kind, lines) == alone


class Counting(httptools.HttpRequestParser):  # type: ignore[misc]  # it has no types
    """Counts the heads that llhttp is asked about."""

    asked = 0

    def feed_data(self, data: bytes) -> None:
        Counting.asked += 1
        super().feed_data(data)


def asked_again(line: bytes) -> bool:
    """Whether llhttp is asked about a line that was split before."""
    lines = FieldLines(Counting, b"GET / HTTP/1.1")
    lines.split([line])
    Counting.asked = 0
    lines.split([line])
    return bool(Counting.asked)


@pytest.mark.parametrize(
    ("line", "again"),
    [
        (b"Host: a", False),
        (b"X: ".ljust(LONGEST_KNOWN, b"l"), False),
        (b"X: ".ljust(LONGEST_KNOWN + 1, b"l"), True),
        (b"Transfer-Encoding: chunked", True),
        (b"No colon", True),
    ],
)
def test_llhttp_is_asked_once_about_short_lines_that_mean_something_alone(line: bytes, again: bool) -> None:
    assert asked_again(line) is again


def test_no_more_lines_are_remembered_than_the_bounds_say() -> None:
    lines = FieldLines(httptools.HttpRequestParser, b"GET / HTTP/1.1")
    for number in range(2 * MOST_KNOWN):
        fields = [b"Host: a%d" % number, b"X-%d: a" % number, b"X-%d: b" % number]
        assert lines.split(fields) is not None
        assert len(lines._known) <= MOST_KNOWN
        assert len(lines._special) <= MOST_OF_NAME
        assert len(lines._of_name) <= MOST_KNOWN


def test_of_one_name_the_last_lines_are_remembered() -> None:
    lines = FieldLines(Counting, b"GET / HTTP/1.1")
    for number in range(MOST_OF_NAME + 1):
        lines.split([b"X-Request-Id: %d" % number])
    Counting.asked = 0
    lines.split([b"X-Request-Id: %d" % number for number in range(1, MOST_OF_NAME + 1)])
    assert not Counting.asked
    lines.split([b"X-Request-Id: 0"])
    assert Counting.asked == 1


def test_a_head_with_more_lines_of_a_name_than_are_remembered_has_them_all() -> None:
    lines = FieldLines(httptools.HttpRequestParser, b"GET / HTTP/1.1")
    values = [b"%d" % number for number in range(MOST_OF_NAME * 2)]
    for _ in range(2):
        split = lines.split([b"X: " + value for value in values])
        assert split is not None
        assert [value for _, _, value in split[0]] == values


def test_a_line_that_comes_twice_in_a_head_is_remembered_once() -> None:
    lines = FieldLines(httptools.HttpRequestParser, b"GET / HTTP/1.1")
    for number in range(MOST_OF_NAME * 2):
        assert lines.split([b"X: %d" % number] * 2) is not None
    assert len(lines._known) == len(lines._of_name[b"x"]) == MOST_OF_NAME
