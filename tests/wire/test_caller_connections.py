"""The life of a caller's connection: order, keep-alive, 100-continue, back-pressure, times, and how it ends.

Belongs here: one caller and a pipeline that the test plays. Does not: targets (test_target_connections.py), bytes that
are refused (test_malformed_requests.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.defer import CancelledError
from zope.interface import directlyProvides

from rrgate.body import HIGH_WATER, BodyBroken
from rrgate.exchange import Exchange
from rrgate.waiting import Task, Waiter, run_deferred
from rrgate.wire.server import AT_A_TURN
from tests.wire.memory import EchoGateway, MemoryCaller, Served, say

GET = b"GET /api/p/%b HTTP/1.1\r\nHost: gateway.test\r\n\r\n"
POST = b"POST /api/p/x HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: 5\r\n%b\r\n"


class Waiting:
    """A pipeline whose requests wait until the test says how they go on."""

    def __init__(self) -> None:
        self.begun: list[Exchange] = []
        self.errors: list[BaseException] = []
        self._waiters: list[Waiter[Callable[[Exchange], Any]]] = []

    async def __call__(self, ex: Exchange) -> None:
        waiter = Waiter[Callable[[Exchange], Any]]()
        self.begun.append(ex)
        self._waiters.append(waiter)
        try:
            await (await waiter)(ex)
        except BaseException as error:
            self.errors.append(error)
            raise

    def go_on(self, step: Callable[[Exchange], Any]) -> None:
        """Let the oldest request that waits go on with this."""
        self._waiters.pop(0).fire(step)

    def answer(self, body: bytes = b"", *fields: tuple[bytes, bytes], status: int = 200, close: bool = False) -> None:
        """Let the oldest request that waits be answered whole."""

        async def step(ex: Exchange) -> None:
            ex.door.begin(status, b"R", list(fields), len(body), body, True, close)

        self.go_on(step)


def streaming(*pieces: bytes, length: int | None = None, status: int = 200) -> Callable[[Exchange], Any]:
    """An answer in pieces, with back-pressure."""

    async def step(ex: Exchange) -> None:
        ex.door.begin(status, b"R", [], length, b"", False, False)
        for piece in pieces:
            await ex.door.write(piece)
        ex.door.end()

    return step


def a_turn(caller: MemoryCaller) -> bool:
    """The reactor turns once, which a Clock does not do by itself; answers whether there was something to do."""
    due = [call for call in caller.clock.getDelayedCalls() if call.getTime() <= caller.clock.seconds()]
    for call in due:
        function = call.func
        call.cancel()
        function()
    return bool(due)


def turns_are_taken(caller: MemoryCaller) -> None:
    """The reactor turns until it has nothing to do at once."""
    while a_turn(caller):
        pass


async def read_and_answer(ex: Exchange) -> None:
    try:
        body = await ex.request_body.whole(1 << 20)
    except BodyBroken as error:
        say(ex, error.status, str(error))
        return
    ex.door.begin(200, b"R", [], len(body), body, True, False)


# Order and keep-alive


def test_pipelined_requests_are_answered_in_order_one_at_a_time() -> None:
    pipeline = Waiting()
    caller = MemoryCaller(pipeline).send(GET % b"1" + GET % b"2" + GET % b"3")
    assert [ex.full_path for ex in pipeline.begun] == [b"/api/p/1"]
    for number in (b"1", b"2", b"3"):
        pipeline.answer(number)
    assert [answer.body for answer in caller.answers()] == [b"1", b"2", b"3"]
    assert not caller.transport.ended


def test_a_caller_may_ask_for_as_long_as_it_likes() -> None:
    caller = MemoryCaller()
    for number in range(500):
        caller.send(GET % b"%d" % number)
    assert [each.target for each in caller.echo.served] == [b"/api/p/%d" % number for number in range(500)]
    assert caller.listener.in_flight == 0
    assert len(caller.clock.getDelayedCalls()) == 1


def test_a_pipeline_of_thousands_that_are_answered_at_once_does_not_pile_up() -> None:
    caller = MemoryCaller().send(GET % b"x" * 5000)
    turns_are_taken(caller)
    assert len(caller.answers()) == 5000


def test_a_pipeline_of_thousands_lets_others_have_their_turn() -> None:
    greedy = MemoryCaller().send(GET % b"x" * 1000)
    assert len(greedy.answers()) == AT_A_TURN
    other = MemoryCaller(listener=greedy.listener).send(GET % b"other")
    assert len(other.answers()) == 1
    a_turn(greedy)
    assert len(greedy.answers()) == AT_A_TURN * 2
    for _ in range(10):
        greedy.send(GET % b"y" * 1000)
    assert len(greedy.answers()) == AT_A_TURN * 2
    assert not greedy.transport.reading
    turns_are_taken(greedy)
    assert len(greedy.answers()) == 11_000
    assert greedy.transport.reading


def test_a_caller_that_leaves_between_its_turns_is_served_no_more() -> None:
    caller = MemoryCaller().send(GET % b"x" * 100)
    caller.leave()
    assert caller.clock.getDelayedCalls() == []
    assert len(caller.echo.served) == AT_A_TURN


@pytest.mark.parametrize(
    ("version", "connection", "stays", "says"),
    [
        ("1.1", "", True, ""),
        ("1.1", "keep-alive", True, ""),
        ("1.1", "close", False, "close"),
        ("1.1", "Close", False, "close"),
        ("1.1", "x, close", False, "close"),
        ("1.1", "keep-alive, close", False, "close"),
        ("1.0", "", False, "close"),
        ("1.0", "keep-alive", True, "keep-alive"),
        ("1.0", "Keep-Alive", True, "keep-alive"),
        ("1.0", "keep-alive, close", False, "close"),
        ("1.0", "close", False, "close"),
    ],
)
def test_it_stays_open_if_both_sides_say_so(version: str, connection: str, stays: bool, says: str) -> None:
    line = f"Connection: {connection}\r\n" if connection else ""
    asked = f"GET /api/p/x HTTP/{version}\r\nHost: gateway.test\r\n{line}\r\n".encode()
    caller = MemoryCaller().send(asked + GET % b"behind")
    first, *more = caller.answers()
    assert first["Connection"] == says
    assert len(more) == stays
    assert caller.transport.closing is not stays


@pytest.mark.parametrize(
    ("method", "status", "length", "fields"),
    [
        ("HEAD", 200, 5, ["Content-Length"]),
        ("HEAD", 200, None, []),
        ("GET", 204, 0, []),
        ("GET", 204, None, []),
        ("GET", 304, 5, ["Content-Length"]),
        ("GET", 304, None, []),
        ("GET", 200, 0, ["Content-Length"]),
    ],
)
def test_an_answer_without_a_body_has_none_and_the_next_one_follows(
    method: str, status: int, length: int | None, fields: list[str]
) -> None:
    pipeline = Waiting()
    caller = MemoryCaller(pipeline).send((GET % b"x").replace(b"GET", method.encode()) + GET % b"next")
    body = b"" if status == 200 and method == "GET" else b"never"

    async def step(ex: Exchange) -> None:
        ex.door.begin(status, b"R", [], length, body, True, False)

    pipeline.go_on(step)
    pipeline.answer(b"next")
    first, second = caller.answers(method.encode())
    assert (first.status, first.body, [name for name, _ in first.fields]) == (status, b"", fields)
    assert second.body == b"next"


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_a_stream_without_a_body_sends_no_chunks(method: str) -> None:
    pipeline = Waiting()
    caller = MemoryCaller(pipeline).send((GET % b"x").replace(b"GET", method.encode()))
    pipeline.go_on(streaming(b"never", b"", b"ever", status=200 if method == "HEAD" else 204))
    assert caller.transport.written.endswith(b"\r\n\r\n")
    assert b"ever" not in caller.transport.written


def test_a_stream_is_chunked_and_an_empty_piece_does_not_end_it() -> None:
    pipeline = Waiting()
    caller = MemoryCaller(pipeline).send(GET % b"x" + GET % b"next")
    pipeline.go_on(streaming(b"one", b"", b"two"))
    pipeline.answer(b"next")
    assert [(answer.body, answer.whole) for answer in caller.answers()] == [(b"onetwo", True), (b"next", True)]


@pytest.mark.parametrize("connection", ["", "Connection: keep-alive\r\n"])
def test_a_stream_for_http_1_0_ends_with_its_connection(connection: str) -> None:
    pipeline = Waiting()
    caller = MemoryCaller(pipeline)
    caller.send(f"GET /api/p/x HTTP/1.0\r\n{connection}\r\n".encode())
    pipeline.go_on(streaming(b"one", b"two"))
    (answer,) = caller.answers()
    assert (answer["Transfer-Encoding"], answer["Connection"], answer.body) == ("", "close", b"onetwo")
    assert caller.transport.closing


@pytest.mark.parametrize("pieces", [[b"123456"], [b"123", b"456"], [b"1234"], []])
def test_an_answer_that_is_not_as_long_as_it_said_is_broken_off(pieces: list[bytes]) -> None:
    pipeline = Waiting()
    caller = MemoryCaller(pipeline).send(GET % b"x" + GET % b"next")
    pipeline.go_on(streaming(*pieces, length=5))
    assert isinstance(pipeline.errors[0], ValueError)
    assert caller.transport.aborted
    assert len(pipeline.begun) == 1
    assert len(caller.answers()[0].body) <= 5


@pytest.mark.parametrize("first", [b"1234", b"123456", b""])
def test_an_answer_in_one_piece_that_is_not_as_long_as_it_said_does_not_begin(first: bytes) -> None:
    pipeline = Waiting()
    caller = MemoryCaller(pipeline).send(GET % b"x")

    async def step(ex: Exchange) -> None:
        ex.door.begin(200, b"R", [], 5, first, True, False)

    pipeline.go_on(step)
    assert isinstance(pipeline.errors[0], ValueError)
    assert caller.transport.written == b""
    assert caller.transport.aborted


def test_a_pipeline_that_forgets_to_answer_ends_the_connection() -> None:
    async def nothing(ex: Exchange) -> None:
        return

    caller = MemoryCaller(nothing).send(GET % b"x" + GET % b"next")
    assert (caller.transport.aborted, caller.transport.written) == (True, b"")
    assert caller.listener.in_flight == 0


# 100-continue


def test_continue_is_said_when_the_body_is_wanted_and_once() -> None:
    pipeline = Waiting()
    caller = MemoryCaller(pipeline).send(POST % b"Expect: 100-continue\r\n")
    assert caller.transport.written == b""
    pipeline.go_on(read_and_answer)
    assert caller.transport.written == b"HTTP/1.1 100 Continue\r\n\r\n"
    caller.send(b"he", b"llo")
    assert [answer.status for answer in caller.answers()] == [100, 200]
    assert not caller.transport.ended


def test_continue_is_not_said_when_the_body_is_not_wanted() -> None:
    pipeline = Waiting()
    caller = MemoryCaller(pipeline).send(POST % b"Expect: 100-continue\r\n")
    pipeline.answer(b"no", status=401)
    (answer,) = caller.answers()
    assert (answer.status, answer["Connection"]) == (401, "close")
    assert caller.transport.half_closed


def test_continue_is_not_said_when_the_body_came_anyway() -> None:
    pipeline = Waiting()
    caller = MemoryCaller(pipeline).send(POST % b"Expect: 100-continue\r\n" + b"hello")
    pipeline.go_on(read_and_answer)
    assert [answer.status for answer in caller.answers()] == [200]


def test_continue_is_not_said_after_the_answer_has_begun() -> None:
    pipeline = Waiting()
    caller = MemoryCaller(pipeline).send(POST % b"Expect: 100-continue\r\n")

    async def step(ex: Exchange) -> None:
        ex.door.begin(200, b"R", [], None, b"", False, False)
        await ex.door.write(await ex.request_body.whole(100))
        ex.door.end()

    pipeline.go_on(step)
    caller.send(b"hello")
    assert [(answer.status, answer.body) for answer in caller.answers()] == [(200, b"hello")]


@pytest.mark.parametrize("asked", [POST % b"", (POST % b"Expect: 100-continue\r\n").replace(b"HTTP/1.1", b"HTTP/1.0")])
def test_continue_is_not_said_unasked_nor_to_http_1_0(asked: bytes) -> None:
    pipeline = Waiting()
    caller = MemoryCaller(pipeline).send(asked)
    pipeline.go_on(read_and_answer)
    assert caller.transport.written == b""
    caller.send(b"hello")
    assert [answer.status for answer in caller.answers()] == [200]


def test_the_next_request_does_not_inherit_an_expectation() -> None:
    pipeline = Waiting()
    caller = MemoryCaller(pipeline).send(POST % b"Expect: 100-continue\r\n" + b"hello")
    pipeline.answer()
    caller.send(POST % b"")
    pipeline.go_on(read_and_answer)
    assert [answer.status for answer in caller.answers()] == [200]


# Bodies that nobody reads


@pytest.mark.parametrize("body", [b"", b"he"])
def test_an_answer_before_the_body_is_whole_ends_the_connection_and_its_rest_is_dropped(body: bytes) -> None:
    pipeline = Waiting()
    caller = MemoryCaller(pipeline).send(POST % b"" + body)
    pipeline.answer(b"early")
    (answer,) = caller.answers()
    assert (answer.body, answer["Connection"]) == (b"early", "close")
    assert (caller.transport.half_closed, caller.transport.closing, caller.transport.reading) == (True, False, True)
    caller.send(b"hello"[len(body) :] + GET % b"smuggled")
    assert len(pipeline.begun) == 1
    caller.clock.advance(2.5)
    assert caller.transport.closing
    assert not caller.transport.aborted


def test_a_body_that_was_whole_but_not_read_does_not_end_the_connection() -> None:
    pipeline = Waiting()
    caller = MemoryCaller(pipeline).send(POST % b"" + b"hello" + GET % b"next")
    pipeline.answer(b"1")
    pipeline.answer(b"2")
    assert [answer.body for answer in caller.answers()] == [b"1", b"2"]


def test_lingering_ends_when_the_caller_sends_on_and_on() -> None:
    pipeline = Waiting()
    caller = MemoryCaller(pipeline).send((POST % b"").replace(b"5", b"999999999"))
    pipeline.answer()
    for _ in range(15):
        caller.send(b"x" * 65536)
    assert not caller.transport.closing
    for _ in range(3):
        caller.send(b"x" * 65536)
    assert caller.transport.closing


def test_over_tls_nothing_is_closed_by_half() -> None:
    from twisted.internet.interfaces import ISSLTransport

    caller = MemoryCaller()
    directlyProvides(caller.transport, ISSLTransport)
    caller.connection._tls = True
    caller.send(b"nonsense\r\n\r\n", b"more")
    assert not caller.transport.half_closed
    caller.clock.advance(2.5)
    assert caller.transport.closing


# Back-pressure


def test_a_body_that_is_not_read_pauses_its_caller_and_reading_it_resumes() -> None:
    pipeline = Waiting()
    caller = MemoryCaller(pipeline).send((POST % b"").replace(b"5", b"%d" % (HIGH_WATER * 3)))
    caller.send(b"x" * HIGH_WATER)
    assert not caller.transport.reading
    read: list[int] = []

    async def step(ex: Exchange) -> None:
        while data := await ex.request_body.read():
            read.append(len(data))
        ex.door.begin(200, b"R", [], 0, b"", True, False)

    pipeline.go_on(step)
    assert caller.transport.reading
    caller.send(b"x" * HIGH_WATER * 2)
    assert sum(read) == HIGH_WATER * 3
    assert [answer.status for answer in caller.answers()] == [200]


def test_a_whole_body_that_waits_does_not_hide_that_its_caller_leaves() -> None:
    pipeline = Waiting()
    caller = MemoryCaller(pipeline).send((POST % b"").replace(b"5", b"%d" % (HIGH_WATER + 10)))
    caller.send(b"x" * HIGH_WATER)
    assert not caller.transport.reading
    caller.send(b"x" * 10)
    assert caller.transport.reading


def test_requests_behind_one_that_takes_its_time_are_not_read_without_bound() -> None:
    pipeline = Waiting()
    caller = MemoryCaller(pipeline).send(GET % b"first")
    sent = 0
    while caller.transport.reading:
        caller.send(GET % b"x" * 100)
        sent += 100
    assert sent * len(GET % b"x") < HIGH_WATER * 2
    pipeline.answer()
    assert caller.transport.reading


def test_answers_that_are_not_taken_hold_back_the_next_request() -> None:
    caller = MemoryCaller()
    caller.transport.full = True
    caller.send(GET % b"1" + GET % b"2")
    assert len(caller.echo.served) == 1
    sent = 0
    while caller.transport.reading:
        caller.send(GET % b"3" * 100)
        sent += 100
    assert len(caller.echo.served) == 1
    caller.transport.empty()
    turns_are_taken(caller)
    assert len(caller.echo.served) == 2 + sent
    assert caller.transport.reading


def test_a_stream_waits_for_its_caller() -> None:
    pipeline = Waiting()
    caller = MemoryCaller(pipeline).send(GET % b"x")
    caller.transport.full = True
    pipeline.go_on(streaming(b"one", b"two", b"three"))
    for sent in (b"one", b"onetwo", b"onetwothree"):
        assert caller.answers()[0].body == sent
        caller.transport.empty(full=True)
    assert caller.answers()[0].whole


# Times


@pytest.mark.parametrize("piece", [b"G", GET[:30]])
def test_a_head_that_does_not_come_in_time_is_a_408(piece: bytes) -> None:
    caller = MemoryCaller(head_timeout=10)
    for _ in range(9):
        caller.clock.advance(1)
        caller.send(piece[:1] if caller.connection._buffer == b"" else b"")
    caller.send(b"")
    caller.clock.advance(1)
    assert [answer.status for answer in caller.answers()] == [408]
    assert caller.transport.ended


def test_bytes_that_trickle_do_not_give_a_head_more_time() -> None:
    caller = MemoryCaller(head_timeout=10)
    for place in range(12):
        caller.send(GET[place : place + 1])
        caller.clock.advance(1)
    assert [answer.status for answer in caller.answers()] == [408]


def test_a_connection_that_never_says_anything_is_closed_without_a_word() -> None:
    caller = MemoryCaller(head_timeout=10)
    caller.clock.advance(10)
    assert (caller.transport.closing, caller.transport.written) == (True, b"")


def test_an_idle_connection_is_closed_without_a_word() -> None:
    caller = MemoryCaller(keep_alive_timeout=75).send(GET % b"x")
    said = bytes(caller.transport.written)
    caller.clock.advance(74)
    assert not caller.transport.closing
    caller.clock.advance(1)
    assert (caller.transport.closing, bytes(caller.transport.written)) == (True, said)


def test_the_time_of_a_second_head_begins_with_its_first_byte() -> None:
    caller = MemoryCaller(head_timeout=10, keep_alive_timeout=75).send(GET % b"x")
    caller.clock.advance(70)
    caller.send(b"GET ")
    caller.clock.advance(9)
    assert len(caller.answers()) == 1
    caller.clock.advance(1)
    assert [answer.status for answer in caller.answers()] == [200, 408]


def test_a_body_that_stops_is_a_408() -> None:
    caller = MemoryCaller(body_timeout=30).send(POST % b"")
    for _ in range(4):
        caller.clock.advance(29)
        caller.send(b"x")
    assert caller.answers() == []
    caller.clock.advance(30)
    assert [answer.status for answer in caller.answers()] == [408]
    caller.send(b"x" + GET % b"smuggled")
    assert caller.echo.served == []
    assert len(caller.answers()) == 1


def test_a_body_that_nobody_wants_yet_has_time() -> None:
    pipeline = Waiting()
    caller = MemoryCaller(pipeline, body_timeout=30).send(POST % b"")
    caller.clock.advance(300)
    pipeline.go_on(read_and_answer)
    caller.send(b"hello")
    assert [answer.status for answer in caller.answers()] == [200]


def test_a_caller_that_we_paused_has_time() -> None:
    pipeline = Waiting()
    caller = MemoryCaller(pipeline, body_timeout=30).send((POST % b"").replace(b"5", b"%d" % (HIGH_WATER * 2)))
    gate = Waiter[None]()

    async def step(ex: Exchange) -> None:
        await ex.request_body.read()
        await gate
        await ex.request_body.whole(1 << 30)
        ex.door.begin(200, b"R", [], 0, b"", True, False)

    pipeline.go_on(step)
    caller.send(b"x")
    caller.send(b"x" * HIGH_WATER)
    assert not caller.transport.reading
    caller.clock.advance(300)
    gate.fire(None)
    caller.send(b"x" * (HIGH_WATER - 1))
    assert [answer.status for answer in caller.answers()] == [200]


def test_a_caller_that_takes_nothing_of_its_answer_is_dropped() -> None:
    pipeline = Waiting()
    caller = MemoryCaller(pipeline, send_timeout=60).send(GET % b"x")
    caller.transport.full = True
    pipeline.go_on(streaming(b"one", b"two"))
    caller.clock.advance(59)
    assert not caller.transport.aborted
    caller.clock.advance(1)
    assert caller.transport.aborted
    caller.end()
    assert [type(error) for error in pipeline.errors] == [CancelledError]


def test_a_caller_that_takes_a_little_is_not_dropped() -> None:
    pipeline = Waiting()
    caller = MemoryCaller(pipeline, send_timeout=60).send(GET % b"x")
    caller.transport.full = True
    pipeline.go_on(streaming(*[b"piece"] * 5))
    for _ in range(5):
        caller.clock.advance(59)
        assert not caller.answers()[0].whole
        caller.transport.empty(full=True)
    assert caller.answers()[0].whole
    assert not caller.transport.ended


def test_the_time_of_a_body_is_watched_again_after_a_stalled_answer() -> None:
    pipeline = Waiting()
    caller = MemoryCaller(pipeline, body_timeout=30, send_timeout=60).send(POST % b"")

    async def echo(ex: Exchange) -> None:
        ex.door.begin(200, b"R", [], None, b"begun", False, False)
        try:
            while data := await ex.request_body.read():
                await ex.door.write(data)
        except BodyBroken:
            ex.door.abort()
            return
        ex.door.end()

    pipeline.go_on(echo)
    caller.transport.full = True
    caller.send(b"x")
    caller.clock.advance(50)
    caller.transport.empty()
    caller.clock.advance(29)
    assert not caller.transport.ended
    caller.clock.advance(1)
    assert caller.transport.aborted


def test_a_body_that_is_wanted_while_its_answer_stalls_leaves_the_answer_its_time() -> None:
    pipeline = Waiting()
    caller = MemoryCaller(pipeline, body_timeout=30, send_timeout=60).send(POST % b"" + b"he")
    caller.transport.full = True
    pipeline.go_on(streaming(b"one", b"two"))
    Task(pipeline.begun[0].request_body.whole(100)).start()
    caller.send(b"llo")
    caller.clock.advance(60)
    assert caller.transport.aborted


def test_a_body_that_is_wanted_behind_its_answer_leaves_the_end_its_time() -> None:
    pipeline = Waiting()
    caller = MemoryCaller(pipeline, body_timeout=30).send(POST % b"" + b"he")
    pipeline.answer(b"early", status=413)
    Task(pipeline.begun[0].request_body.whole(100)).start()
    caller.clock.advance(2.5)
    assert caller.transport.closing


@pytest.mark.parametrize("asked", [b"nonsense\r\n\r\n", GET.replace(b"1.1", b"1.0") % b"x"])
def test_a_caller_that_takes_nothing_of_its_last_answer_is_dropped_in_the_end(asked: bytes) -> None:
    caller = MemoryCaller(send_timeout=60)
    caller.transport.full = True
    caller.send(asked)
    for _ in range(63):
        caller.clock.advance(1)
    assert caller.transport.aborted


# Ends


@pytest.mark.parametrize("wait", ["in the pipeline", "for the body", "for the caller to take more"])
def test_a_caller_that_leaves_cancels_its_request_wherever_it_waits(wait: str) -> None:
    pipeline = Waiting()
    told: list[str] = []
    caller = MemoryCaller(pipeline).send(POST % b"" + b"he")

    async def deep(ex: Exchange) -> None:
        try:
            if wait == "in the pipeline":
                await Waiter[None](lambda: told.append("told"))
            elif wait == "for the body":
                await ex.request_body.whole(100)
            else:
                caller.transport.full = True
                ex.door.begin(200, b"R", [], None, b"", False, False)
                await ex.door.write(b"one")
                await ex.door.write(b"two")
        finally:
            told.append("left")

    pipeline.go_on(deep)
    assert told == []
    caller.leave()
    assert told[-1] == "left"
    assert [type(error) for error in pipeline.errors] == [CancelledError]
    assert caller.listener.in_flight == 0
    assert caller.listener.connections == set()
    assert caller.clock.getDelayedCalls() == []


def test_a_caller_that_left_is_not_answered_and_its_next_requests_are_not_begun() -> None:
    pipeline = Waiting()
    caller = MemoryCaller(pipeline).send(GET % b"1" + GET % b"2")

    async def stubborn(ex: Exchange) -> None:
        try:
            await Waiter[None]()
        except CancelledError:
            ex.door.begin(200, b"R", [], None, b"", False, False)
            await ex.door.write(b"late")
            ex.door.end()

    pipeline.go_on(stubborn)
    caller.leave()
    assert caller.transport.written == b""
    assert len(pipeline.begun) == 1
    assert caller.clock.getDelayedCalls() == []


def test_an_aborted_answer_ends_its_connection_and_serves_nothing_more() -> None:
    pipeline = Waiting()
    caller = MemoryCaller(pipeline).send(GET % b"1" + GET % b"2")

    async def step(ex: Exchange) -> None:
        ex.door.begin(200, b"R", [], None, b"part", False, False)
        ex.door.abort()

    pipeline.go_on(step)
    assert caller.transport.aborted
    assert not caller.answers()[0].whole
    assert len(pipeline.begun) == 1
    caller.end()
    assert caller.listener.connections == set()


def test_draining_closes_who_is_idle_now_and_who_is_busy_after_the_answer() -> None:
    pipeline = Waiting()
    busy = MemoryCaller(pipeline).send(GET % b"1" + GET % b"2")
    idle = MemoryCaller(listener=busy.listener)
    half = MemoryCaller(listener=busy.listener).send(b"GET ")
    busy.listener.drain()
    assert (idle.transport.closing, half.transport.closing, busy.transport.closing) == (True, True, False)
    pipeline.answer(b"last")
    (answer,) = busy.answers()
    assert (answer.body, answer["Connection"]) == (b"last", "close")
    assert busy.transport.closing
    assert len(pipeline.begun) == 1
    late = MemoryCaller(listener=busy.listener).send(GET % b"late")
    assert (late.transport.closing, late.transport.written) == (True, b"")


def test_the_end_of_draining_waits_for_requests_and_keeps_their_answers() -> None:
    pipeline = Waiting()
    caller = MemoryCaller(pipeline).send(GET % b"1")
    caller.listener.drain()
    ended: list[object] = []
    run_deferred(caller.listener.idle(30)).addBoth(ended.append)
    assert ended == []
    pipeline.answer(b"last")
    assert caller.answers()[0].body == b"last"
    assert not caller.transport.aborted
    caller.end()
    assert ended == [None]


def test_what_does_not_end_in_time_is_broken_off() -> None:
    pipeline = Waiting()
    caller = MemoryCaller(pipeline).send(GET % b"1")
    caller.listener.drain()
    ended: list[object] = []
    run_deferred(caller.listener.idle(30)).addBoth(ended.append)
    caller.clock.advance(30)
    assert caller.transport.aborted
    caller.end()
    assert [type(error) for error in pipeline.errors] == [CancelledError]
    assert ended == [None]


def test_every_way_a_connection_ends_leaves_no_timer() -> None:
    for sent in (b"", b"GET", GET % b"x", POST % b"", POST % b"" + b"he", b"nonsense\r\n\r\n"):
        caller = MemoryCaller().send(sent)
        caller.leave()
        assert caller.clock.getDelayedCalls() == [], sent
        assert caller.listener.connections == set()


# What a request becomes


def test_an_exchange_tells_of_its_request() -> None:
    pipeline = Waiting()
    caller = MemoryCaller(pipeline)
    caller.send(
        b"PUT /api/p/a%2Fb?c=d HTTP/1.1\r\nHost: gateway.test\r\nX-One: 1 \r\nx_two:2\r\nConnection: X-Gone\r\n"
        b"X-Gone: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    (ex,) = pipeline.begun
    assert (ex.method, ex.full_path, ex.query_mark, ex.query) == (b"PUT", b"/api/p/a%2Fb", b"?", b"c=d")
    assert (ex.content_length, ex.http10, ex.caller_address) == (None, False, "203.0.113.9")
    assert (ex.header(b"x-one"), ex.header(b"X-Two"), ex.header(b"x-gone")) == (b"1", b"2", None)
    assert not ex.request_body.complete


def test_a_body_is_there_before_its_request_is_served_if_it_came_with_the_head() -> None:
    pipeline = Waiting()
    MemoryCaller(pipeline).send(POST % b"" + b"hello" + GET % b"next")
    (ex,) = pipeline.begun
    assert ex.request_body.complete
    assert ex.request_body.take() == b"hello"


def test_the_echo_of_these_tests_answers_what_it_was_sent() -> None:
    echo = EchoGateway()
    caller = MemoryCaller(echo).send(POST % b"" + b"hello")
    assert echo.served == [Served(b"POST", b"/api/p/x", b"hello")]
    assert caller.answers()[0].body == b"POST /api/p/x hello"
