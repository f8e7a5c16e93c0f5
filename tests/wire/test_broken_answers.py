"""A target's answers that could be mistaken, class by class. RFC 9110 and 9112 beside each case.

Belongs here: bytes of a target that must not cost a caller the right answer. Does not: the order of things between
good targets and callers (test_connections.py). Whatever a target says, its caller gets that answer, or an error, or
an answer that is seen to be cut off; and the next request never gets what was left over of it.
"""

from __future__ import annotations

from typing import Any

import pytest
from attrs import frozen

from tests.wire.memory import Answer, MemoryCaller
from tests.wire.memory_target import MemoryGateway, TargetEnd, request, response

SECOND = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"


@frozen
class Case:
    """`said` answers a request of `method`; `rfc` is what it breaks, or what allows it."""

    name: str
    rfc: str
    said: bytes
    method: str = "GET"
    body: bytes = b""
    """What the caller still gets of it, if anything."""
    then_closes: bool = False
    status: int = 200


def head(*lines: bytes, body: bytes = b"") -> bytes:
    return b"\r\n".join([b"HTTP/1.1 200 OK", *lines, b"", body])


def status(line: bytes) -> bytes:
    return line + b"\r\nContent-Length: 2\r\n\r\nok"


def chunks(body: bytes) -> bytes:
    return head(b"Transfer-Encoding: chunked", body=body)


REFUSED: dict[str, list[Case]] = {
    "status line": [
        Case("status 000", "9110 15", status(b"HTTP/1.1 000 Zero")),
        Case("status 099", "9110 15", status(b"HTTP/1.1 099 Odd")),
        Case("status 600", "9110 15", status(b"HTTP/1.1 600 Odd")),
        Case("status 999", "9110 15", status(b"HTTP/1.1 999 Odd")),
        Case("status of two digits", "9112 4", status(b"HTTP/1.1 20 OK")),
        Case("status of four digits", "9112 4", status(b"HTTP/1.1 2000 OK")),
        Case("a negative status", "9112 4", status(b"HTTP/1.1 -20 OK")),
        Case("status with a sign", "9112 4", status(b"HTTP/1.1 +200 OK")),
        Case("a word for a status", "9112 4", status(b"HTTP/1.1 OK OK")),
        Case("two spaces", "9112 4", status(b"HTTP/1.1  200 OK")),
        Case("a tab", "9112 4", status(b"HTTP/1.1\t200 OK")),
        Case("no status", "9112 4", status(b"HTTP/1.1")),
        Case("HTTP/0.9", "9112 2.3", status(b"HTTP/0.9 200 OK")),
        Case("a bare document, as HTTP/0.9 has it", "1945 3.1", b"<html>hello</html>\r\n\r\n"),
        Case("HTTP/2.0", "9112 2.3", status(b"HTTP/2.0 200 OK")),
        Case("HTTP/1.2", "9112 2.3", status(b"HTTP/1.2 200 OK")),
        Case("HTTP/1.10", "9112 2.3", status(b"HTTP/1.10 200 OK")),
        Case("http/1.1", "9112 2.3", status(b"http/1.1 200 OK")),
        Case("RTSP/1.0", "9112 2.3", status(b"RTSP/1.0 200 OK")),
        Case("ICY", "9112 2.3", status(b"ICY 200 OK")),
        Case("an empty line first", "9112 2.2", b"\r\n" + status(b"HTTP/1.1 200 OK")),
        Case("a space first", "9112 4", status(b" HTTP/1.1 200 OK")),
        Case("LF for CRLF", "9112 2.2", b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok\r\n\r\n"),
        Case("a CR in the reason", "9112 2.2", status(b"HTTP/1.1 200 O\rK")),
        Case("a NUL in the reason", "9112 4", status(b"HTTP/1.1 200 O\0K")),
        Case("what SSH says", "9112 4", b"SSH-2.0-OpenSSH_9.2p1\r\n"),
        Case("a settings frame of HTTP/2", "9113 3.4", b"\0\0\0\4\0\0\0\0\0"),
    ],
    "field lines": [
        Case("folded", "9112 5.2", head(b"X-A: b", b" c", b"Content-Length: 0")),
        Case("a space before the colon", "9112 5.1", head(b"Content-Length : 0")),
        Case("no colon", "9112 5", head(b"X-A", b"Content-Length: 0")),
        Case("no name", "9112 5", head(b": b", b"Content-Length: 0")),
        Case("a name that is no token", "9110 5.1", head(b"X(A): b", b"Content-Length: 0")),
        Case("a NUL", "9110 5.5", head(b"X-A: b\0", b"Content-Length: 0")),
        Case("a CR", "9112 2.2", head(b"X-A: b\rContent-Length: 5", b"Content-Length: 0")),
        Case("a LF", "9112 2.2", head(b"X-A: b\nContent-Length: 5", b"Content-Length: 0")),
        Case("a head that a LF ends", "9112 2.2", head(b"X-A: b\n\nHTTP/1.1 200 OK", b"Content-Length: 0")),
        Case("Content_Length", "9112 11.2", head(b"Content_Length: 2", body=b"ok")),
        Case("Transfer_Encoding beside a length", "9112 11.2", head(b"Transfer_Encoding: x", b"Content-Length: 0")),
        Case("a head over 64 kB", "9112 3", head(b"X-A: " + b"b" * 70_000, b"Content-Length: 0")),
        Case("a head without end", "9112 3", b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 20_000),
        Case("a status line without end", "9112 3", b"HTTP/1.1 200 " + b"O" * 70_000),
        Case("over 100 fields", "9112 3", head(*[b"X-A: b"] * 101, b"Content-Length: 0")),
    ],
    "framing": [
        Case("two lengths", "9112 6.3", head(b"Content-Length: 2", b"Content-Length: 3", body=b"abc")),
        Case("twice the same length", "9112 6.3", head(b"Content-Length: 2", b"Content-Length: 2", body=b"ok")),
        Case("a list of lengths", "9112 6.3", head(b"Content-Length: 2, 2", body=b"ok")),
        Case("+0", "9110 8.6", head(b"Content-Length: +0")),
        Case("-0", "9110 8.6", head(b"Content-Length: -0")),
        Case("a negative length", "9110 8.6", head(b"Content-Length: -1", body=b"ok")),
        Case("an empty length", "9110 8.6", head(b"Content-Length:", body=b"ok")),
        Case("a hexadecimal length", "9110 8.6", head(b"Content-Length: 0x2", body=b"ok")),
        Case("a length of 16 digits", "9110 8.6", head(b"Content-Length: 0000000000000002", body=b"ok")),
        Case("a length beyond 64 bits", "9110 8.6", head(b"Content-Length: 18446744073709551618", body=b"ok")),
        Case(
            "length and chunks",
            "9112 6.3",
            head(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
        ),
        Case(
            "chunks and length",
            "9112 6.3",
            head(b"Transfer-Encoding: chunked", b"Content-Length: 5", body=b"0\r\n\r\n"),
        ),
        Case("chunked, chunked", "9112 6.1", head(b"Transfer-Encoding: chunked, chunked", body=b"0\r\n\r\n")),
        Case("chunked twice", "9112 6.1", head(*[b"Transfer-Encoding: chunked"] * 2, body=b"0\r\n\r\n")),
        Case("xchunked", "9112 6.1", head(b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n")),
        Case("chunked;q=1", "9112 6.1", head(b"Transfer-Encoding: chunked;q=1", body=b"0\r\n\r\n")),
        Case("identity", "9112 6.1", head(b"Transfer-Encoding: identity", body=b"ok"), then_closes=True),
        Case(
            "identity and a length", "9112 6.1", head(b"Transfer-Encoding: identity", b"Content-Length: 2", body=b"ok")
        ),
        Case("gzip, chunked", "9112 6.1", head(b"Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n")),
        Case("chunked, gzip", "9112 6.1", head(b"Transfer-Encoding: chunked, gzip", body=b"0\r\n\r\n")),
        Case("an empty coding", "9112 6.1", head(b"Transfer-Encoding:", body=b"0\r\n\r\n")),
        Case("chunks in HTTP/1.0", "9112 6.1", b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        Case("both in answer to HEAD", "9112 6.3", head(b"Content-Length: 2", b"Transfer-Encoding: chunked"), "HEAD"),
        Case("two lengths on 304", "9112 6.3", b"HTTP/1.1 304 N\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"),
        Case("two lengths on 204", "9112 6.3", b"HTTP/1.1 204 N\r\nContent-Length: 0\r\nContent-Length: 2\r\n\r\n"),
    ],
    "interim answers": [
        Case(
            "101 unasked",
            "9110 15.2.2",
            b"HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n" + response(b"ok"),
        ),
        Case("101 without a word", "9110 15.2.2", b"HTTP/1.1 101 S\r\n\r\n" + response(b"ok")),
        Case("a body on 103", "9110 15.2", b"HTTP/1.1 103 H\r\nContent-Length: 2\r\n\r\nok" + response(b"ok")),
        Case(
            "chunks on 102",
            "9110 15.2",
            b"HTTP/1.1 102 P\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + response(b"ok"),
        ),
        Case("two lengths on 100", "9112 6.3", b"HTTP/1.1 100 C\r\nContent-Length: 0\r\nContent-Length: 1\r\n\r\n"),
        Case("100 without end", "9110 15.2", b"HTTP/1.1 100 Continue\r\n\r\n" * 17 + response(b"ok")),
        Case("103 without end", "8297 2", b"HTTP/1.1 103 H\r\nLink: </a>\r\n\r\n" * 50 + response(b"ok")),
        Case("a 1xx that is broken", "9112 5", b"HTTP/1.1 103 H\r\nLink\r\n\r\n" + response(b"ok")),
        Case("nothing but 100", "9110 15.2", b"HTTP/1.1 100 Continue\r\n\r\n", then_closes=True),
    ],
    "ends too early": [
        Case("inside the status line", "9112 8", b"HTTP/1.1 20", then_closes=True),
        Case("inside the head", "9112 8", b"HTTP/1.1 200 OK\r\nContent-Le", then_closes=True),
        Case("before the empty line", "9112 8", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", then_closes=True),
        Case("at once", "9112 8", b"", then_closes=True),
    ],
}
"""Nothing of it is an answer: 502."""

CUT_OFF: dict[str, list[Case]] = {
    "chunks": [
        Case("a size that is none", "9112 7.1", chunks(b"2\r\nok\r\nx\r\n")),
        Case("a size with 0x", "9112 7.1", chunks(b"2\r\nok\r\n0x0\r\n\r\n")),
        Case("a size with a space", "9112 7.1", chunks(b"2\r\nok\r\n2 \r\nok\r\n0\r\n\r\n")),
        Case("a size of 16 digits", "9112 7.1", chunks(b"2\r\nok\r\nfffffffffffffff0\r\nok\r\n")),
        Case("LF for CRLF", "9112 7.1", chunks(b"2\r\nok\r\n2\nok\n0\n\n")),
        Case("data longer than its size", "9112 7.1", chunks(b"2\r\nok\r\n2\r\nokk\r\n0\r\n\r\n")),
        Case("no CRLF behind data", "9112 7.1", chunks(b"2\r\nok2\r\nok\r\n0\r\n\r\n")),
        Case("extensions without end", "9112 7.1.1", chunks(b"2;" + b"a" * 5000 + b"\r\nok\r\n0\r\n\r\n")),
        Case("trailers without end", "9112 7.1.2", chunks(b"2\r\nok\r\n0\r\n" + b"X-A: b\r\n" * 3000)),
        Case("a trailer that frames", "9110 6.5.1", chunks(b"2\r\nok\r\n0\r\nContent-Length: 9\r\n\r\n")),
        Case("a trailer that is folded", "9112 5.2", chunks(b"2\r\nok\r\n0\r\nX-A: b\r\n c\r\n\r\n")),
    ],
    "ends too early": [
        Case("inside a body of known length", "9112 8", head(b"Content-Length: 20", body=b"ok"), then_closes=True),
        Case("inside a chunk", "9112 8", chunks(b"5\r\nok"), then_closes=True),
        Case("between two chunks", "9112 8", chunks(b"2\r\nok\r\n"), then_closes=True),
        Case("before the last empty line", "9112 8", chunks(b"2\r\nok\r\n0\r\n"), then_closes=True),
    ],
}
"""It begins well and ends badly: 502 if nothing has gone out, else the caller sees that it is cut off."""

NOT_AGAIN: dict[str, list[Case]] = {
    "left over": [
        Case("a second answer behind a length", "9112 6.3", response(b"ok") + SECOND, body=b"ok"),
        Case("a second answer behind chunks", "9112 6.3", chunks(b"2\r\nok\r\n0\r\n\r\n") + SECOND, body=b"ok"),
        Case("a second answer behind nothing", "9112 6.3", response() + SECOND),
        Case("one byte more", "9112 6.3", response(b"ok") + b"!", body=b"ok"),
        Case("CRLF more", "9112 6.3", response(b"ok") + b"\r\n", body=b"ok"),
        Case("a body on 204", "9110 15.3.5", b"HTTP/1.1 204 No\r\nContent-Length: 2\r\n\r\nok", status=204),
        Case("an announced body on 204", "9110 15.3.5", b"HTTP/1.1 204 No\r\nContent-Length: 2\r\n\r\n", status=204),
        Case(
            "announced chunks on 204",
            "9110 15.3.5",
            b"HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n",
            status=204,
        ),
        Case("a body on 204 without a word", "9110 15.3.5", b"HTTP/1.1 204 No\r\n\r\n" + SECOND, status=204),
        Case("a body on 304", "9110 15.4.5", b"HTTP/1.1 304 Not\r\nContent-Length: 2\r\n\r\nok", status=304),
        Case("an answer on 304", "9110 15.4.5", b"HTTP/1.1 304 Not\r\n\r\n" + SECOND, status=304),
        Case("a body on HEAD", "9110 9.3.2", response(b"ok"), "HEAD"),
        Case("an answer as the body on HEAD", "9110 9.3.2", response(SECOND), "HEAD"),
        Case("chunks on HEAD", "9110 9.3.2", chunks(b"2\r\nok\r\n0\r\n\r\n"), "HEAD"),
    ],
    "says that it closes": [
        Case("Connection: close", "9112 9.6", response(b"ok", "Connection: close"), body=b"ok"),
        Case("CLOSE among others", "9112 9.6", response(b"ok", "Connection: keep-alive, CLOSE"), body=b"ok"),
        Case("close in a second field", "9112 9.6", response(b"ok", "Connection: x", "Connection: close"), body=b"ok"),
        Case("close on HEAD", "9112 9.6", response(b"", "Connection: close"), "HEAD"),
        Case("close on 204", "9112 9.6", b"HTTP/1.1 204 No\r\nConnection: close\r\n\r\n", status=204),
        Case("HTTP/1.0", "9112 9.3", b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", body=b"ok"),
        Case(
            "HTTP/1.0 that would stay",
            "9112 9.3",
            b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
            body=b"ok",
        ),
        Case("Keep-Alive of no time", "2068 19.7.1", response(b"ok", "Keep-Alive: timeout=0"), body=b"ok"),
    ],
    "ends with the connection": [
        Case("no length at all", "9112 6.3", head(body=b"ok"), body=b"ok", then_closes=True),
        Case("no length, and what looks like an answer", "9112 6.3", head(body=SECOND), body=SECOND, then_closes=True),
        Case("no length in HTTP/1.0", "9112 6.3", b"HTTP/1.0 200 OK\r\n\r\nok", body=b"ok", then_closes=True),
        Case("no body either", "9112 6.3", head(), then_closes=True),
    ],
}
"""The caller gets it whole; the connection serves no second request."""

AGAIN: dict[str, list[Case]] = {
    "good": [
        Case("a length", "9112 6.2", response(b"ok"), body=b"ok"),
        Case("a length of nothing", "9112 6.2", response()),
        Case("a length with zeros", "9112 6.2", head(b"Content-Length: 00002", body=b"ok"), body=b"ok"),
        Case("chunks", "9112 7.1", chunks(b"1\r\no\r\n1;x=y\r\nk\r\n0\r\n\r\n"), body=b"ok"),
        Case("chunks and trailers", "9112 7.1.2", chunks(b"2\r\nok\r\n0\r\nX-A: b\r\nX-B: c\r\n\r\n"), body=b"ok"),
        Case("CHUNKED", "9112 6.1", head(b"TRANSFER-ENCODING: CHUNKED", body=b"2\r\nok\r\n0\r\n\r\n"), body=b"ok"),
        Case("no reason", "9112 4", b"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok", body=b"ok"),
        Case("no space behind the status", "9112 4", b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", body=b"ok"),
        Case("a reason of Latin-1", "9112 4", status(b"HTTP/1.1 200 \xe9"), body=b"ok"),
        Case("status 599", "9110 15", status(b"HTTP/1.1 599 Odd"), body=b"ok", status=599),
        Case("HEAD with a length", "9110 9.3.2", head(b"Content-Length: 2"), "HEAD"),
        Case("HEAD with chunks", "9110 9.3.2", head(b"Transfer-Encoding: chunked"), "HEAD"),
        Case("HEAD without either", "9110 9.3.2", head(), "HEAD"),
        Case("204", "9110 15.3.5", b"HTTP/1.1 204 No\r\n\r\n", status=204),
        Case(
            "204 with a length of nothing", "9110 15.3.5", b"HTTP/1.1 204 No\r\nContent-Length: 0\r\n\r\n", status=204
        ),
        Case("304 with a length", "9110 15.4.5", b"HTTP/1.1 304 Not\r\nContent-Length: 999\r\n\r\n", status=304),
        Case("304 with chunks", "9110 15.4.5", b"HTTP/1.1 304 Not\r\nTransfer-Encoding: chunked\r\n\r\n", status=304),
        Case("100 before it", "9110 15.2.1", b"HTTP/1.1 100 Continue\r\n\r\n" + response(b"ok"), body=b"ok"),
        Case("103 before it", "8297 2", b"HTTP/1.1 103 H\r\nLink: </a>\r\n\r\n" * 16 + response(b"ok"), body=b"ok"),
        Case("100 and HEAD", "9110 15.2.1", b"HTTP/1.1 100 Continue\r\n\r\n" + head(b"Content-Length: 2"), "HEAD"),
        Case("Upgrade offered", "9110 7.8", response(b"ok", "Connection: Upgrade", "Upgrade: h2c"), body=b"ok"),
        Case("a body that looks like an answer", "9112 6.2", response(SECOND), body=SECOND),
    ],
}
"""The caller gets it whole, and the connection serves the next one."""


def named(table: dict[str, list[Case]]) -> Any:
    return pytest.mark.parametrize(
        "case", [pytest.param(case, id=f"{kind}: {case.name}") for kind, cases in table.items() for case in cases]
    )


@pytest.fixture(params=["in one piece", "byte by byte"])
def in_pieces(request: Any) -> bool:
    return bool(request.param == "byte by byte")


def asked(case: Case, in_pieces: bool) -> tuple[MemoryGateway, MemoryCaller, TargetEnd]:
    """A caller asks and the target says what the case says."""
    gateway = MemoryGateway()
    caller = gateway.caller().send(request("a", "first", case.method))
    (end,) = gateway.ends
    size = 1 if len(case.said) < 4000 else 997
    end.say(
        *(case.said[place : place + size] for place in range(0, len(case.said), size)) if in_pieces else [case.said]
    )
    if case.then_closes:
        end.close()
    return gateway, caller, end


def the_next_is_answered_by_another_connection(gateway: MemoryGateway, end: TargetEnd) -> None:
    assert not end.open
    end.say(SECOND)
    after = end.transport.written
    another = gateway.caller().send(request("a", "second"))
    assert len(gateway.ends) == 2
    assert end.transport.written == after
    gateway.ends[1].say(response(b"right"))
    assert [answer.body for answer in another.answers()] == [b"right"]
    if not end.lost:
        end.end()
    gateway.ends[1].close()
    gateway.clock.advance(100)
    assert gateway.pool._idle == {}


def is_refused(case: Case, in_pieces: bool) -> None:
    gateway, caller, end = asked(case, in_pieces)
    assert [answer.status for answer in caller.answers(case.method.encode())] == [502]
    assert b"forged" not in caller.transport.written
    the_next_is_answered_by_another_connection(gateway, end)


def is_cut_off(case: Case, in_pieces: bool) -> None:
    gateway, caller, end = asked(case, in_pieces)
    (answer,) = caller.answers()
    assert answer.status == 502 or (not answer.whole and caller.transport.aborted)
    assert answer.status == 502 or b"ok".startswith(answer.body[:2])
    the_next_is_answered_by_another_connection(gateway, end)


def is_passed_on(case: Case, in_pieces: bool) -> tuple[MemoryGateway, TargetEnd]:
    gateway, caller, end = asked(case, in_pieces)
    (answer,) = caller.answers(case.method.encode())
    assert (answer.body, answer.whole) == (case.body, True)
    assert answer.status == case.status
    assert b"forged" not in caller.transport.written or case.body == SECOND
    return gateway, end


def is_not_used_again(case: Case, in_pieces: bool) -> None:
    gateway, end = is_passed_on(case, in_pieces)
    the_next_is_answered_by_another_connection(gateway, end)


def is_used_again(case: Case, in_pieces: bool) -> None:
    gateway, end = is_passed_on(case, in_pieces)
    assert end.open
    end.received()
    another = gateway.caller().send(request("a", "second"))
    assert gateway.ends == [end]
    assert end.received().startswith(b"GET /a/second HTTP/1.1\r\n")
    end.say(response(b"right"))
    assert [answer.body for answer in another.answers()] == [b"right"]


@named(REFUSED)
def test_an_answer_that_is_none_is_a_502(case: Case, in_pieces: bool) -> None:
    is_refused(case, in_pieces)


@named(CUT_OFF)
def test_an_answer_that_breaks_is_never_taken_for_whole(case: Case, in_pieces: bool) -> None:
    is_cut_off(case, in_pieces)


@named(NOT_AGAIN)
def test_an_answer_is_right_and_its_connection_is_not_used_again(case: Case, in_pieces: bool) -> None:
    is_not_used_again(case, in_pieces)


@named(AGAIN)
def test_an_answer_is_right_and_its_connection_is_used_again(case: Case, in_pieces: bool) -> None:
    is_used_again(case, in_pieces)


def test_bytes_that_nobody_asked_for_end_an_idle_connection() -> None:
    gateway = MemoryGateway()
    gateway.caller().send(request())
    (end,) = gateway.ends
    end.say(response(b"ok"))
    assert end.open
    end.say(SECOND)
    assert end.transport.aborted
    another = gateway.caller().send(request())
    gateway.ends[1].say(response(b"right"))
    assert [answer.body for answer in another.answers()] == [b"right"]


@pytest.mark.parametrize("late", [b"ok", SECOND, b"\r\n", b"0"])
def test_a_body_on_head_that_comes_late_is_nobodys_answer(late: bytes) -> None:
    gateway = MemoryGateway()
    gateway.caller().send(request(method="HEAD"))
    (end,) = gateway.ends
    end.say(head(b"Content-Length: %d" % len(late)), late)
    assert end.transport.aborted
    another = gateway.caller().send(request())
    gateway.ends[1].say(response(b"right"))
    assert [answer.body for answer in another.answers()] == [b"right"]


def test_an_answer_before_the_body_was_sent_is_the_answer_and_ends_both_connections() -> None:
    gateway = MemoryGateway()
    caller = gateway.caller().send(request("a", "", "POST", "Content-Length: 10", body=b"12345"))
    (end,) = gateway.ends
    assert end.received().endswith(b"\r\n\r\n12345")
    end.say(response(b"no", status="403 Forbidden"))
    (answer,) = caller.answers()
    assert (answer.status, answer.body, answer["Connection"]) == (403, b"no", "close")
    assert end.transport.aborted
    caller.send(b"67890" + request("a", "smuggled"))
    assert end.received() == b""
    assert len(caller.answers()) == 1
    assert len(gateway.ends) == 1


def test_an_early_answer_that_is_still_coming_goes_on_and_the_body_too() -> None:
    gateway = MemoryGateway()
    caller = gateway.caller().send(request("a", "", "POST", "Content-Length: 10", body=b"12345"))
    (end,) = gateway.ends
    end.received()
    end.say(head(b"Content-Length: 4", body=b"ab"))
    caller.send(b"67890")
    assert end.received() == b"67890"
    end.say(b"cd")
    assert [(answer.body, answer.whole) for answer in caller.answers()] == [(b"abcd", True)]
    # All of the request had gone out, so that the target's connection is as good as any.
    assert end.open


def test_a_caller_whose_answer_is_wrong_is_told_nothing_of_the_targets_bytes() -> None:
    for cases in REFUSED.values():
        for case in cases:
            if b"b" not in case.said:
                continue
            _, caller, _ = asked(Case(case.name, case.rfc, case.said.replace(b"b", b"s3cr3t"), case.method), False)
            assert b"s3cr3t" not in caller.transport.written


def test_the_classes_are_large_enough() -> None:
    counts: dict[str, int] = {}
    for table in (REFUSED, CUT_OFF, NOT_AGAIN, AGAIN):
        for kind, cases in table.items():
            counts[kind] = counts.get(kind, 0) + len(cases)
    assert {kind: count for kind, count in counts.items() if count < 8} == {"ends with the connection": 4}


def test_an_answer_is_read_as_this_file_reads_it() -> None:
    # The reader of answers in these tests must itself see what is not whole.
    caller = MemoryCaller()
    caller.transport.written += head(b"Content-Length: 5", body=b"ok") or b""
    assert caller.answers() == [Answer(200, (("Content-Length", "5"),), b"ok", whole=False)]
