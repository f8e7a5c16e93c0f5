"""Targets that reset, answer garbage, stop half-way or speak old HTTP: the caller gets an answer or can tell.

Belongs here: what a target's misbehaviour becomes. Does not: well-behaved targets (test_httpbin.py).
"""

from __future__ import annotations

import http.client
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from threading import Event
from typing import Any

import pytest
import pytest_twisted

from tests.callers import Answer, Caller, in_thread
from tests.running_gateway import KEY, MadeProxy, RunningGateway
from tests.targets import Connection, Target

OK = "HTTP/1.1 200 OK\r\n"


def says(text: str | bytes, *, reset: bool = False) -> Callable[[Connection], None]:
    """Reads a request, sends exactly this, and closes, or resets."""

    def serve(connection: Connection) -> None:
        connection.request()
        connection.send(text.encode("latin-1") if isinstance(text, str) else text)
        if reset:
            connection.reset()

    return serve


NO_ANSWER: dict[str, Callable[[Connection], None]] = {
    "closes at once": lambda connection: None,
    "closes after the request": says(""),
    "resets at once": lambda connection: connection.reset(),
    "resets after the request": says("", reset=True),
    "closes inside the status line": says("HTTP/1.1 20"),
    "closes inside the head": says(f"{OK}Content-Le"),
    "says nothing of HTTP": says("SSH-2.0-OpenSSH_9.2p1\r\n"),
    "says binary": says(bytes(range(256)) * 4),
    "says HTTP/2": says("HTTP/2.0 200 OK\r\n\r\n"),
    "says HTTP/0.9": says("<html>hello</html>"),
    "says status 99": says("HTTP/1.1 099 Odd\r\n\r\n"),
    "says status 1000": says("HTTP/1.1 1000 Odd\r\n\r\n"),
    "switches protocols unasked": says("HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
    "has two lengths": says(f"{OK}Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc"),
    "has length and chunks": says(f"{OK}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "has an unknown coding": says(f"{OK}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    "has an odd length": says(f"{OK}Content-Length: +2\r\n\r\nab"),
    "folds a line": says(f"{OK}X-A: b\r\n c\r\nContent-Length: 0\r\n\r\n"),
    "has a bare CR in its head": says(f"{OK}X-A: b\rc\r\nContent-Length: 0\r\n\r\n"),
    "has a NUL in its head": says(f"{OK}X-A: b\0c\r\nContent-Length: 0\r\n\r\n"),
    "has no end of its head": says(OK + "X-A: b\r\n" * 20_000),
    "sends interim answers without end": says("HTTP/1.1 103 Early Hints\r\n\r\n" * 100),
    "breaks its first chunk, held back": says(f"{OK}Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
    "closes inside an answer held back": says(f"{OK}Transfer-Encoding: chunked\r\n\r\n5\r\nab"),
}


@pytest.mark.parametrize("what", NO_ANSWER)
@pytest_twisted.ensureDeferred
async def test_a_target_without_a_proper_answer_is_502(gateway: RunningGateway, what: str) -> None:
    with Target(NO_ANSWER[what]) as target:
        proxy = await gateway.proxy(target.url)
        for method, body in (("GET", None), ("POST", b"x")):
            answer = await gateway.call(proxy, method, "/p", body=body)
            assert (answer.status, answer.code) == (502, "target-unreachable"), answer.body
            assert answer.json["error"] == "Bad Gateway"
            # One's own body was read, so the connection goes on.
            assert "Connection" not in answer


BREAKS_OFF: dict[str, Callable[[Connection], None]] = {
    "by length": says(f"{OK}Content-Length: 100\r\n\r\nabc"),
    "by length, with a reset": says(f"{OK}Content-Length: 100\r\n\r\nabc", reset=True),
    "in a chunk": says(f"{OK}Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"),
    "between chunks": says(f"{OK}Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n"),
    "in a broken chunk": says(
        f"{OK}Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\nzz\r\n"
    ),
}


@pytest.mark.parametrize("what", BREAKS_OFF)
@pytest_twisted.ensureDeferred
async def test_an_answer_that_breaks_off_is_broken_off_for_the_caller(gateway: RunningGateway, what: str) -> None:
    def ask(proxy: MadeProxy) -> Answer:
        with Caller(gateway.address) as caller:
            return caller.call("GET", proxy.path, {"X-Api-Key": KEY})

    with Target(BREAKS_OFF[what]) as target:
        proxy = await gateway.proxy(target.url)
        try:
            answer = await in_thread(ask, proxy)
        except (http.client.IncompleteRead, ConnectionResetError):
            return
        # Where nothing had gone out yet, an answer is better than a broken one.
        assert answer.status == 502


WHOLE: dict[str, tuple[Callable[[Connection], None], bytes]] = {
    "HTTP/1.0 until the end": (says("HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nhello"), b"hello"),
    "HTTP/1.0 with a length": (says("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello"), b"hello"),
    "HTTP/1.1 until the end": (says(f"{OK}\r\nhello"), b"hello"),
    "no reason phrase": (says("HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok"), b"ok"),
    "interim answers first": (
        says(f"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nX-T: 1\r\n\r\n{OK}Content-Length: 2\r\n\r\nok"),
        b"ok",
    ),
    "trailers": (says(f"{OK}Transfer-Encoding: chunked\r\n\r\n2;x=y\r\nok\r\n0\r\nX-T: 1\r\n\r\n"), b"ok"),
    "more than its answer": (says(f"{OK}Content-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n"), b"ok"),
}


@pytest.mark.parametrize("what", WHOLE)
@pytest_twisted.ensureDeferred
async def test_what_is_odd_but_allowed_arrives_whole(gateway: RunningGateway, what: str) -> None:
    serve, body = WHOLE[what]
    with Target(serve) as target:
        proxy = await gateway.proxy(target.url)
        for _ in range(2):
            answer = await gateway.call(proxy)
            assert (answer.status, answer.body) == (200, body)
            assert "X-T" not in answer


@pytest_twisted.ensureDeferred
async def test_an_answer_before_the_body_was_read_reaches_the_caller(gateway: RunningGateway) -> None:
    def serve(connection: Connection) -> None:
        connection.head()
        connection.answer(b"too much", "413 Content Too Large", "Connection: close")
        connection.closed_by_peer()

    def ask(proxy: MadeProxy) -> Answer:
        with Caller(gateway.address) as caller:
            head = f"PUT {proxy.path} HTTP/1.1\r\nHost: {caller.host}\r\nX-Api-Key: {KEY}\r\n"
            caller.socket.sendall(f"{head}Content-Length: 9000000\r\n\r\n".encode() + bytes(1_000_000))
            return caller.answer()

    with Target(serve) as target:
        answer = await in_thread(ask, await gateway.proxy(target.url))
    assert (answer.status, answer.body, answer.code) == (413, b"too much", "proxy-access-granted")
    assert answer["Connection"] == "close"


@pytest_twisted.ensureDeferred
async def test_bytes_nobody_asked_for_are_nobodys_answer(gateway: RunningGateway) -> None:
    """A second answer behind the first must not be taken for the next request's."""

    def serve(connection: Connection) -> None:
        while connection.request():
            connection.send(f"{OK}Content-Length: 5\r\n\r\nfirst{OK}Content-Length: 6\r\n\r\nsecond".encode())

    with Target(serve) as target:
        proxy = await gateway.proxy(target.url)
        answers = [await gateway.call(proxy) for _ in range(5)]
    assert [answer.body for answer in answers] == [b"first"] * 5


@pytest_twisted.ensureDeferred
async def test_http_1_0_callers_are_served(gateway: RunningGateway) -> None:
    def chunked(connection: Connection) -> None:
        while connection.request():
            connection.send(f"{OK}Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n".encode())

    def ask(proxy: MadeProxy, *fields: str) -> bytes:
        with Caller(gateway.address) as caller:
            head = [f"GET {proxy.path} HTTP/1.0", f"Host: {caller.host}", f"X-Api-Key: {KEY}", *fields, "", ""]
            caller.socket.sendall("\r\n".join(head).encode())
            return caller.rest()

    with Target(chunked) as target:
        answer = await in_thread(ask, await gateway.proxy(target.url))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"transfer-encoding" not in head.lower()
    assert body == b"abcde"


@pytest_twisted.ensureDeferred
async def test_a_target_that_stops_inside_its_body_is_broken_off_after_its_idle_timeout(
    gateway: RunningGateway,
) -> None:
    def serve(connection: Connection) -> None:
        connection.request()
        connection.send(f"{OK}Content-Length: 100\r\n\r\nabc".encode())
        closed.append(connection.closed_by_peer())
        over.set()

    closed: list[bool] = []
    over = Event()

    def ask(proxy: MadeProxy) -> Any:
        with Caller(gateway.address) as caller:
            caller.send("GET", proxy.path, {"X-Api-Key": KEY})
            try:
                return caller.answer()
            except (http.client.IncompleteRead, ConnectionResetError) as error:
                return error

    with Target(serve) as target:
        proxy = await gateway.proxy(target.url, target={"targetIdleTimeout": 1})
        outcome = await in_thread(ask, proxy)
        assert isinstance(outcome, Exception)
        await in_thread(over.wait, 5)
    assert closed == [True]


@pytest.mark.parametrize("date", ["", "Sun, 06 Nov 1994 08:49:37 GMT", "no date at all"])
@pytest_twisted.ensureDeferred
async def test_an_answer_has_one_date(gateway: RunningGateway, date: str) -> None:
    """The target's as it came; ours where there is none (RFC 9110 6.6.1)."""
    field = f"Date: {date}\r\n" if date else ""
    with Target(says(f"{OK}{field}Content-Length: 0\r\n\r\n")) as target:
        answer = await gateway.call(await gateway.proxy(target.url))
    assert answer["Date"] == date if date else parsedate_to_datetime(answer["Date"])
