"""Our own checks refuse also where llhttp has refused before them: another version of it may see things otherwise.

Belongs here: the judging functions called by themselves. Does not: what a caller or target notices (the tables).
"""

from __future__ import annotations

from typing import Any

import httptools
import pytest

from rrgate.wire import answer_head, request_head
from rrgate.wire.answer_head import CLOSE, AnswerBroken, judge_answer_head
from rrgate.wire.fieldlines import FieldLines, transfer_coding
from rrgate.wire.request_head import HeadRefused, judge_request_line

FRAMINGS: list[tuple[str, dict[bytes, list[bytes]], bool, int]] = [
    # name, fields, HTTP/1.0, status for a caller
    ("two lengths", {b"content-length": [b"5", b"5"]}, False, 400),
    ("a sign", {b"content-length": [b"+5"]}, False, 400),
    ("a minus", {b"content-length": [b"-5"]}, False, 400),
    ("nothing", {b"content-length": [b""]}, False, 400),
    ("a list", {b"content-length": [b"5, 5"]}, False, 400),
    ("16 digits", {b"content-length": [b"0" * 16]}, False, 400),
    ("a line end", {b"content-length": [b"5\n"]}, False, 400),
    ("a space", {b"content-length": [b"5 "]}, False, 400),
    ("other digits", {b"content-length": ["٥".encode()]}, False, 400),
    ("both", {b"content-length": [b"5"], b"transfer-encoding": [b"chunked"]}, False, 400),
    ("chunked in HTTP/1.0", {b"transfer-encoding": [b"chunked"]}, True, 400),
    ("chunked twice", {b"transfer-encoding": [b"chunked, chunked"]}, False, 400),
    ("chunked in two fields", {b"transfer-encoding": [b"chunked", b"chunked"]}, False, 400),
    ("chunked not last", {b"transfer-encoding": [b"chunked, gzip"]}, False, 400),
    ("an empty coding first", {b"transfer-encoding": [b", chunked"]}, False, 400),
    ("an empty coding last", {b"transfer-encoding": [b"chunked,"]}, False, 400),
    ("no coding", {b"transfer-encoding": [b""]}, False, 400),
    ("xchunked", {b"transfer-encoding": [b"xchunked"]}, False, 400),
    ("identity", {b"transfer-encoding": [b"identity"]}, False, 400),
    ("gzip, chunked", {b"transfer-encoding": [b"gzip, chunked"]}, False, 501),
]


@pytest.mark.parametrize(("special", "http10", "status"), [pytest.param(*row[1:], id=row[0]) for row in FRAMINGS])
def test_no_side_takes_such_framing(special: dict[bytes, list[bytes]], http10: bool, status: int) -> None:
    with pytest.raises(HeadRefused) as refused:
        request_head._judge_framing(special, http10)
    assert refused.value.status == status
    with pytest.raises(AnswerBroken):
        answer_head._framing(special, http10)


@pytest.mark.parametrize(
    ("special", "length", "of_answer"),
    [
        ({}, 0, (CLOSE, None)),
        ({b"content-length": [b"0"]}, 0, (0, 0)),
        ({b"content-length": [b"999999999999999"]}, 999999999999999, (999999999999999, 999999999999999)),
        ({b"transfer-encoding": [b"Chunked"]}, None, (None, None)),
        ({b"transfer-encoding": [b" chunked\t"]}, None, (None, None)),
    ],
)
def test_both_sides_take_such_framing(special: dict[bytes, list[bytes]], length: Any, of_answer: Any) -> None:
    assert request_head._judge_framing(special, False) == length
    assert answer_head._framing(special, False) == of_answer


@pytest.mark.parametrize(
    ("values", "coding"),
    [
        ([b"chunked"], "chunked"),
        ([b"CHUNKED"], "chunked"),
        ([b"gzip", b"chunked"], "unknown"),
        ([b"gzip, deflate, chunked"], "unknown"),
        ([b"chunked", b"chunked"], "bad"),
        ([b"gzip, chunked, chunked"], "bad"),
        ([b"gzip"], "bad"),
        ([b"chunked;a"], "bad"),
        ([b"chunked\x0b"], "bad"),
        ([b"", b"chunked"], "bad"),
    ],
)
def test_a_transfer_coding_is_chunked_another_or_bad(values: list[bytes], coding: str) -> None:
    assert transfer_coding(values) == coding


class Refusing:
    """A parser that has told of a whole head before it refuses it, as llhttp does with some framings."""

    def __init__(self, split: Any) -> None:
        self._split = split

    def feed_data(self, data: bytes) -> None:
        self._split.on_header(b"Host", b"a")
        self._split.on_headers_complete()
        raise httptools.HttpParserError("no")


class Endless(Refusing):
    """A parser that never sees the end of the head."""

    def feed_data(self, data: bytes) -> None:
        self._split.on_header(b"Host", b"a")


class Joining(Refusing):
    """A parser that tells of fewer fields than there are lines, as one does that unfolds them."""

    def feed_data(self, data: bytes) -> None:
        self._split.on_headers_complete()


@pytest.mark.parametrize("parser", [Refusing, Endless, Joining])
def test_a_head_is_split_only_if_the_parser_takes_all_of_it(parser: type) -> None:
    assert FieldLines(parser, b"GET / HTTP/1.1").split([b"Host: a"]) is None


LINES = [
    (400, b""),
    (400, b"GET"),
    (400, b"GET /"),
    (400, b"GET  / HTTP/1.1"),
    (400, b"GET /  HTTP/1.1"),
    (400, b" GET / HTTP/1.1"),
    (400, b"GET / HTTP/1.1 "),
    (400, b"GET / HTTP/1.1\n"),
    (400, b"GET / HTTP/1.1\r"),
    (400, b"GET\t/ HTTP/1.1"),
    (400, b"GET / a HTTP/1.1"),
    (400, b"GET /\x80 HTTP/1.1"),
    (400, b"GET /\x7f HTTP/1.1"),
    (400, b"GET /\x1f HTTP/1.1"),
    (400, b"GET /\0 HTTP/1.1"),
    (400, b"G(T / HTTP/1.1"),
    (400, b"G\xe9T / HTTP/1.1"),
    (400, b"GET / http/1.1"),
    (400, b"GET / HTTP/11"),
    (400, b"GET / HTTP/1.11"),
    (400, b"GET / HTTP/11.1"),
    (400, b"GET / HTTPS/1.1"),
    (400, b"GET / RTSP/1.0"),
    (400, b"GET / XHTTP/1.1"),
    (505, b"GET / HTTP/0.9"),
    (505, b"GET / HTTP/1.2"),
    (505, b"GET / HTTP/2.0"),
    (501, b"get / HTTP/1.1"),
    (501, b"PRI / HTTP/1.1"),
    (405, b"CONNECT a:443 HTTP/1.1"),
    (405, b"TRACE / HTTP/1.1"),
    (414, b"GET /%b HTTP/1.1" % (b"x" * 100)),
    (414, b"GET /%b HTTP/1.1" % (b"x" * 200)),
    (414, b"G" * 165 + b" / HTTP/1.1"),
]


@pytest.mark.parametrize(("status", "line"), LINES)
def test_a_first_line_is_refused_by_itself(status: int, line: bytes) -> None:
    with pytest.raises(HeadRefused) as refused:
        judge_request_line(line, 100)
    assert refused.value.status == status


STATUS_LINES = [
    b"",
    b"HTTP/1.1",
    b"HTTP/1.1 20",
    b"HTTP/1.1 2000 OK",
    b"HTTP/1.1 000 OK",
    b"HTTP/1.1 099 OK",
    b"HTTP/1.1 600 OK",
    b"HTTP/1.1 999 OK",
    b"HTTP/1.1  200 OK",
    b"HTTP/1.1\t200 OK",
    b"HTTP/1.1 200\tOK",
    b"HTTP/1.1 200OK",
    b"HTTP/1.1 200 O\0K",
    b"HTTP/1.1 200 O\rK",
    b"HTTP/1.1 200 OK\r",
    b"HTTP/1.1 200 OK\n",
    b"HTTP/1.1 200 O\x7fK",
    b" HTTP/1.1 200 OK",
    b"http/1.1 200 OK",
    b"HTTP/0.9 200 OK",
    b"HTTP/1.2 200 OK",
    b"HTTP/2.0 200 OK",
    b"HTTP/11.1 200 OK",
    b"HTTP/1.10 200 OK",
    b"RTSP/1.0 200 OK",
    b"ICY 200 OK",
]


@pytest.mark.parametrize("line", STATUS_LINES)
def test_a_status_line_is_refused_by_itself(line: bytes) -> None:
    with pytest.raises(AnswerBroken):
        answer_head._status_line(line)


@pytest.mark.parametrize(
    ("said", "to_head_request", "length", "announced", "reusable"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", False, 5, 5, True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", True, 0, 5, True),
        (b"HTTP/1.1 200 OK\r\n\r\n", False, CLOSE, None, False),
        (b"HTTP/1.1 200 OK\r\n\r\n", True, 0, None, True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", False, None, None, True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", True, 0, None, True),
        (b"HTTP/1.1 304 N\r\nContent-Length: 5\r\n\r\n", False, 0, 5, True),
        (b"HTTP/1.1 204 N\r\n\r\n", False, 0, None, True),
        (b"HTTP/1.1 204 N\r\nContent-Length: 5\r\n\r\n", False, 0, 5, False),
        (b"HTTP/1.1 204 N\r\nTransfer-Encoding: chunked\r\n\r\n", False, 0, None, False),
        (b"HTTP/1.1 103 N\r\nContent-Length: 5\r\n\r\n", False, 0, 5, False),
        (b"HTTP/1.1 103 N\r\n\r\n", False, 0, None, True),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n", False, 5, 5, False),
        (b"HTTP/1.0 204 N\r\n\r\n", False, 0, None, False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", True, 0, 5, False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: x, Close\r\n\r\n", False, 5, 5, False),
        (b"HTTP/1.1 304 N\r\nConnection: close\r\n\r\n", False, 0, None, False),
    ],
)
def test_how_an_answer_ends_and_whether_its_connection_serves_again(
    said: bytes, to_head_request: bool, length: int | None, announced: int | None, reusable: bool
) -> None:
    judged = judge_answer_head(said, to_head_request, 100)
    assert (judged.length, judged.announced, judged.reusable) == (length, announced, reusable)
