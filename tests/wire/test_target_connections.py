"""The life of a target's connection: which one is used, when a request is sent once more, back-pressure, times, ends.

Belongs here: callers and good targets, through the real pool and relay. Does not: answers that are broken
(test_broken_answers.py), how a connection is made (test_dialer.py).
"""

from __future__ import annotations

import socket
from typing import Any

import pytest
from twisted.internet.defer import CancelledError

from rrgate.body import HIGH_WATER, Body, BodyTooLarge
from rrgate.exchange import Exchange
from rrgate.messages import InjectionError, Reply, ResponseBound, TargetRequest
from rrgate.waiting import Task, Waiter
from rrgate.wire.guard import AddressForbidden
from rrgate.wire.resolver import CannotConnect
from rrgate.wire.target_head import target_head
from rrgate.wire.target_transport import CLOSING
from tests.wire.memory_target import Chain, Endpoint, MemoryGateway, MemoryRoute, TargetEnd, Times, request, response

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def stale(gateway: MemoryGateway, name: str = "a") -> Any:
    """A kept connection to a target that has closed it, which the gateway has not seen yet."""
    gateway.caller().send(request(name))
    end = gateway.ends[-1]
    end.say(response(b"ok"))
    end.received()
    return end


# Which connection is used


def test_a_connection_is_used_again_by_the_next_request() -> None:
    gateway = MemoryGateway()
    for _ in range(5):
        caller = gateway.caller().send(request())
        gateway.ends[0].say(response(b"ok"))
        assert caller.answers()[0].body == b"ok"
    assert len(gateway.ends) == 1


def test_a_connection_serves_one_request_at_a_time() -> None:
    gateway = MemoryGateway()
    first, second = gateway.caller().send(request(rest="1")), gateway.caller().send(request(rest="2"))
    assert len(gateway.ends) == 2
    gateway.ends[1].say(response(b"2"))
    gateway.ends[0].say(response(b"1"))
    assert (first.answers()[0].body, second.answers()[0].body) == (b"1", b"2")


def test_the_last_one_used_is_used_first_and_the_others_grow_old() -> None:
    gateway = MemoryGateway(idle_timeout=4)
    for name in ("1", "2"):
        gateway.caller().send(request(rest=name))
    for end in gateway.ends:
        end.say(response())
    gateway.clock.advance(3)
    gateway.caller().send(request())
    gateway.ends[1].say(response())
    gateway.clock.advance(1)
    assert [end.open for end in gateway.ends] == [False, True]


def test_pipelined_requests_use_one_connection_after_the_other() -> None:
    gateway = MemoryGateway()
    caller = gateway.caller().send(request(rest="1") + request(rest="2") + request(rest="3"))
    for number in (b"1", b"2", b"3"):
        assert gateway.ends[0].received().startswith(b"GET /a/%b " % number)
        gateway.ends[0].say(response(number))
    assert [answer.body for answer in caller.answers()] == [b"1", b"2", b"3"]
    assert len(gateway.ends) == 1


def test_a_streamed_answer_gives_its_connection_back_before_its_end_is_told() -> None:
    gateway = MemoryGateway()
    caller = gateway.caller().send(request(rest="1") + request(rest="2"))
    gateway.ends[0].say(CHUNKED + b"2\r\nok\r\n", b"0\r\n\r\n")
    assert len(gateway.ends) == 1
    gateway.ends[0].say(response(b"2"))
    assert [answer.body for answer in caller.answers()] == [b"ok", b"2"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("target", "credential 1"), ("target", "credential 2")),
        (("target 1", "credential"), ("target 2", "credential")),
        (("target", "credential", "bundle 1"), ("target", "credential", "bundle 2")),
        (("target", None), ("target", "credential")),
    ],
)
def test_connections_are_never_shared_across_pool_keys(one: tuple[Any, ...], other: tuple[Any, ...]) -> None:
    gateway = MemoryGateway()
    gateway.route("a", endpoint=Endpoint("same"), pool_key=one)
    gateway.route("b", endpoint=Endpoint("same"), pool_key=other)
    for _ in range(3):
        for name, end in (("a", 0), ("b", 1)):
            gateway.caller().send(request(name))
            assert gateway.ends[end].received().startswith(b"GET /%b/ " % name.encode())
            gateway.ends[end].say(response())
    assert len(gateway.ends) == 2


@pytest.mark.parametrize("secret", [False, True])
def test_who_dials_is_told_whether_what_is_sent_is_secret(secret: bool) -> None:
    """It then keeps it from going in plain text (test_dialer.py)."""
    gateway = MemoryGateway()
    gateway.route("a", secret_needs_tls=secret)
    gateway.caller().send(request("a"))
    assert gateway.dialer.secrets == [secret]


@pytest.mark.parametrize(
    ("hint", "kept", "closed"),
    [
        ("", 3.9, 4),
        ("timeout=2", 1.4, 1.5),
        ("timeout=2, max=100", 1.4, 1.5),
        ("max=100, timeout=2", 1.4, 1.5),
        ("Timeout=2", 1.4, 1.5),
        ("timeout=600", 3.9, 4),
        ("timeout=x", 3.9, 4),
    ],
)
def test_an_idle_connection_is_closed_before_its_target_would(hint: str, kept: float, closed: float) -> None:
    gateway = MemoryGateway(idle_timeout=4)
    gateway.caller().send(request())
    gateway.ends[0].say(response(b"", *([f"Keep-Alive: {hint}"] if hint else [])))
    gateway.clock.advance(kept)
    assert gateway.ends[0].open
    gateway.clock.advance(closed - kept)
    assert gateway.ends[0].transport.closing


def test_a_connection_that_we_are_closing_is_not_used() -> None:
    gateway = MemoryGateway(idle_timeout=4)
    gateway.caller().send(request())
    gateway.ends[0].say(response())
    gateway.clock.advance(4)
    assert not gateway.ends[0].lost
    caller = gateway.caller().send(request(method="POST"))
    assert gateway.ends[0].transport.after_close == b""
    gateway.ends[1].say(response(b"ok"))
    assert caller.answers()[0].body == b"ok"


def test_a_target_that_does_not_agree_to_the_end_is_cut_off() -> None:
    gateway = MemoryGateway(idle_timeout=4)
    gateway.caller().send(request())
    gateway.ends[0].say(response())
    gateway.clock.advance(4)
    assert not gateway.ends[0].transport.aborted
    gateway.clock.advance(CLOSING)
    assert gateway.ends[0].transport.aborted


def test_closing_the_pool_closes_who_is_idle() -> None:
    gateway = MemoryGateway()
    for name in ("a", "b"):
        gateway.caller().send(request(name))
    gateway.ends[0].say(response())
    gateway.pool.close()
    assert [end.transport.closing for end in gateway.ends] == [True, False]
    gateway.ends[0].end()
    assert ("a",) not in gateway.pool._idle


def test_what_is_over_leaves_nothing_behind() -> None:
    gateway = MemoryGateway()
    for number in range(20):
        gateway.caller().send(request(f"t{number}"))
        gateway.ends[number].say(response()).close()
    busy = gateway.caller().send(request("busy"))
    gateway.ends[-1].say(response())
    busy.send(request("busy"))
    gateway.ends[-1].close()
    gateway.ends[-1].close()
    assert gateway.pool._idle == {}


# Sending once more


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PROPFIND"])
def test_an_idempotent_request_that_met_a_closed_connection_is_sent_once_more(method: str) -> None:
    gateway = MemoryGateway()
    end = stale(gateway)
    caller = gateway.caller().send(request("a", "again", method))
    sent = end.received()
    assert sent.startswith(method.encode())
    end.close()
    assert gateway.ends[1].received() == sent
    gateway.ends[1].say(response(b"" if method == "HEAD" else b"ok"))
    assert [answer.status for answer in caller.answers(method.encode())] == [200]


def test_a_whole_body_is_at_hand_when_it_is_sent_once_more() -> None:
    gateway = MemoryGateway()
    end = stale(gateway)
    caller = gateway.caller().send(request("a", "", "PUT", "Content-Length: 5", body=b"hello"))
    end.close()
    assert gateway.ends[1].received().endswith(b"Content-Length: 5\r\n\r\nhello")
    gateway.ends[1].say(response(b"ok"))
    assert caller.answers()[0].body == b"ok"


@pytest.mark.parametrize("method", ["POST", "PATCH", "LOCK", "MERGE"])
def test_another_request_is_not_sent_twice(method: str) -> None:
    gateway = MemoryGateway()
    end = stale(gateway)
    caller = gateway.caller().send(request("a", "", method))
    end.close()
    assert len(gateway.ends) == 1
    assert [answer.status for answer in caller.answers()] == [502]


def test_a_body_that_is_still_coming_cannot_be_sent_twice() -> None:
    gateway = MemoryGateway()
    end = stale(gateway)
    caller = gateway.caller().send(request("a", "", "PUT", "Content-Length: 5", body=b"he"))
    end.close()
    assert len(gateway.ends) == 1
    assert [answer.status for answer in caller.answers()] == [502]


@pytest.mark.parametrize("said", [b"H", b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_a_request_that_was_answered_in_part_is_not_sent_twice(said: bytes) -> None:
    gateway = MemoryGateway()
    end = stale(gateway)
    caller = gateway.caller().send(request())
    end.say(said).close()
    assert len(gateway.ends) == 1
    assert [answer.status for answer in caller.answers()] == [502]


def test_a_new_connection_that_closes_is_an_error_and_so_is_the_second_one() -> None:
    gateway = MemoryGateway()
    first = gateway.caller().send(request())
    gateway.ends[0].close()
    assert [answer.status for answer in first.answers()] == [502]
    end = stale(gateway)
    second = gateway.caller().send(request())
    end.close()
    gateway.ends[-1].close()
    assert [answer.status for answer in second.answers()] == [502]
    assert len(gateway.ends) == 3


# An end alone is no harm to a GET: it is sent again if it comes to that.
@pytest.mark.parametrize(("method", "seen"), [("GET", "bytes"), ("POST", "bytes"), ("POST", "closed")])
def test_a_connection_whose_socket_has_something_to_read_is_not_used(method: str, seen: str) -> None:
    gateway = MemoryGateway()
    end = stale(gateway)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        end.transport.socket = ours  # type: ignore[attr-defined]
        assert not end.protocol.looks_closed(method == "GET")
        theirs.send(b"HTTP/1.1 200 OK\r\n\r\n") if seen == "bytes" else theirs.close()
        caller = gateway.caller().send(request(method=method))
    assert end.transport.aborted
    assert end.received() == b""
    gateway.ends[1].say(response(b"right"))
    assert caller.answers()[0].body == b"right"


@pytest.mark.parametrize("repeatable", [True, False])
def test_a_socket_that_is_broken_looks_closed(repeatable: bool) -> None:
    gateway = MemoryGateway()
    end = stale(gateway)
    ours, theirs = socket.socketpair()
    theirs.close()
    ours.close()
    end.transport.socket = ours  # type: ignore[attr-defined]
    assert end.protocol.looks_closed(repeatable)


@pytest.mark.parametrize("error", [CannotConnect("no"), AddressForbidden("no")])
def test_a_target_that_cannot_be_reached_is_an_error(error: Exception) -> None:
    gateway = MemoryGateway()
    gateway.dialer.error = error
    caller = gateway.caller().send(request())
    assert [answer.status for answer in caller.answers()] == [502]
    assert not caller.transport.ended


@pytest.mark.parametrize(
    ("tls", "told"), [(False, [("connect", 1.0)]), (True, [("connect", 1.0), ("TLS", 3.0)])], ids=["tcp", "tls"]
)
def test_the_timeline_tells_of_a_new_connection_and_of_nothing_where_there_is_one(
    tls: bool, told: list[tuple[str, float]]
) -> None:
    gateway = MemoryGateway()
    seen: list[Exchange] = []
    send = gateway.pool.send

    async def seen_and_sent(ex: Exchange) -> None:
        seen.append(ex)
        await send(ex)

    async def connect(endpoint: Any, tenant: str, protocol: Any, *, secret: bool) -> None:
        end = TargetEnd(endpoint.host, protocol)
        gateway.ends.append(end)
        gateway.clock.advance(1)
        protocol.makeConnection(end.transport)
        gateway.clock.advance(2)
        if endpoint.tls:
            protocol.handshakeCompleted()

    gateway.pool.send = seen_and_sent  # type: ignore[method-assign]
    gateway.dialer.connect = connect  # type: ignore[method-assign]
    gateway.route("a", endpoint=Endpoint("a", tls=tls))
    caller = gateway.caller()
    for _ in range(2):
        caller.send(request())
        gateway.ends[0].say(response(b"ok"))
    assert [answer.body for answer in caller.answers()] == [b"ok", b"ok"]
    first, again = seen
    assert [(step, at - first.started) for step, at in first.timeline] == told
    assert again.timeline == []


def test_over_tls_nothing_is_sent_before_the_handshake() -> None:
    gateway = MemoryGateway()
    gateway.route("a", endpoint=Endpoint("a", tls=True))
    caller = gateway.caller().send(request())
    assert gateway.ends[0].received().startswith(b"GET ")
    gateway.ends[0].say(response(b"ok"))
    assert caller.answers()[0].body == b"ok"


# The request's body


def test_a_body_of_known_length_is_sent_as_it_comes() -> None:
    gateway = MemoryGateway()
    caller = gateway.caller().send(request("a", "", "POST", "Content-Length: 6"), b"ab")
    head, _, body = gateway.ends[0].received().partition(b"\r\n\r\n")
    assert b"\r\nContent-Length: 6" in head
    assert b"Transfer-Encoding" not in head
    caller.send(b"cd", b"ef")
    assert body + gateway.ends[0].received() == b"abcdef"
    gateway.ends[0].say(response(b"ok"))
    assert caller.answers()[0].body == b"ok"
    assert gateway.ends[0].open


def test_a_chunked_body_is_sent_in_our_own_chunks() -> None:
    gateway = MemoryGateway()
    caller = gateway.caller().send(request("a", "", "POST", "Transfer-Encoding: chunked"), b"2;x=y\r\nab")
    caller.send(b"\r\n00004\r\ncdef\r\n", b"0\r\nX-Trailer: 1\r\n\r\n")
    head, _, body = gateway.ends[0].received().partition(b"\r\n\r\n")
    assert b"\r\nTransfer-Encoding: chunked" in head
    assert b"Content-Length" not in head
    assert body == b"2\r\nab\r\n4\r\ncdef\r\n0\r\n\r\n"
    gateway.ends[0].say(response(b"ok"))
    assert gateway.ends[0].open


def test_a_body_that_was_whole_is_sent_with_its_length_however_it_was_framed() -> None:
    gateway = MemoryGateway()
    gateway.caller().send(request("a", "", "POST", "Transfer-Encoding: chunked", body=b"5\r\nhello\r\n0\r\n\r\n"))
    assert gateway.ends[0].received().endswith(b"\r\nContent-Length: 5\r\n\r\nhello")


def test_a_body_that_is_here_already_leaves_its_connection_reusable() -> None:
    """Changed bodies (`on_request_body`) never look complete, though they may be read to their end at once."""

    class Here(Body):
        async def read(self) -> bytes:
            parts.reverse()
            return parts.pop() if parts else b""

    parts = [b"one"]
    gateway = MemoryGateway()
    end = stale(gateway)
    connection = end.protocol
    answers: list[Any] = []

    async def ask() -> None:
        answers.append(
            await connection.exchange(
                b"HEAD\r\n\r\n", Here(None), True, to_head_request=False, timeout=30, idle_timeout=60
            )
        )

    Task(ask()).start()
    assert end.received() == b"HEAD\r\n\r\n3\r\none\r\n0\r\n\r\n"
    end.say(response(b"ok"))
    assert answers[0].status == 200
    assert end.open


def test_a_target_that_takes_nothing_pauses_the_caller() -> None:
    gateway = MemoryGateway()
    caller = gateway.caller().send(request("a", "", "POST", f"Content-Length: {HIGH_WATER * 3}"))
    end = gateway.ends[0]
    end.transport.full = True
    caller.send(b"x", b"y", b"z" * HIGH_WATER)
    assert not caller.transport.reading
    end.transport.empty()
    assert caller.transport.reading
    assert end.received().endswith(b"z")


def test_a_caller_that_breaks_off_its_body_cuts_off_the_target() -> None:
    gateway = MemoryGateway()
    caller = gateway.caller().send(request("a", "", "POST", "Content-Length: 10", body=b"12345"))
    caller.leave()
    assert gateway.ends[0].transport.aborted
    assert [type(error) for _, error in gateway.ended] == [CancelledError]


def test_broken_chunks_of_a_caller_cut_off_the_target() -> None:
    gateway = MemoryGateway()
    caller = gateway.caller().send(request("a", "", "POST", "Transfer-Encoding: chunked"), b"2\r\nab\r\nx")
    caller.send(b"\r\n" + request("a", "smuggled"))
    assert gateway.ends[0].transport.aborted
    assert gateway.ends[0].received().endswith(b"2\r\nab\r\n")
    assert [answer.status for answer in caller.answers()] == [400]
    assert len(gateway.ends) == 1


# The answer's body


def test_an_answer_is_passed_on_as_it_comes() -> None:
    gateway = MemoryGateway()
    caller = gateway.caller().send(request())
    gateway.ends[0].say(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nab")
    assert caller.answers()[0].body == b"ab"
    gateway.ends[0].say(b"cd", b"ef")
    assert (caller.answers()[0].body, caller.answers()[0].whole) == (b"abcdef", True)


def test_a_caller_that_takes_nothing_pauses_the_target_and_costs_it_no_time() -> None:
    gateway = MemoryGateway(send_timeout=3600.0)
    caller = gateway.caller().send(request())
    end = gateway.ends[0]
    caller.transport.full = True
    end.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\nx" % (HIGH_WATER * 2), b"x")
    end.say(b"x" * HIGH_WATER)
    assert not end.transport.reading
    gateway.clock.advance(600)
    assert end.open
    caller.transport.empty()
    assert end.transport.reading
    end.say(b"x" * (HIGH_WATER - 2))
    assert caller.answers()[0].whole
    assert end.open


def test_nothing_more_is_written_for_a_caller_that_has_not_taken_the_first_piece() -> None:
    gateway = MemoryGateway()
    caller = gateway.caller().send(request())
    end = gateway.ends[0]
    caller.transport.full = True
    end.say(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nx", b"y")
    assert caller.transport.written.endswith(b"\r\n\r\nx")
    caller.transport.empty()
    assert caller.transport.written.endswith(b"\r\n\r\nxy")
    end.say(b"z")
    assert caller.answers()[0].body == b"xyz"


def test_an_answer_that_ended_while_it_was_paused_leaves_a_connection_that_reads() -> None:
    gateway = MemoryGateway()
    caller = gateway.caller().send(request())
    end = gateway.ends[0]
    caller.transport.full = True
    end.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\nx" % (HIGH_WATER + 2), b"x")
    end.say(b"x" * HIGH_WATER)
    assert end.transport.reading
    assert end.open
    caller.transport.empty()
    assert caller.answers()[0].whole
    again = gateway.caller().send(request())
    end.say(response(b"ok"))
    assert again.answers()[0].body == b"ok"


def test_a_caller_that_leaves_inside_its_answer_cuts_off_the_target() -> None:
    gateway = MemoryGateway()
    caller = gateway.caller().send(request())
    gateway.ends[0].say(CHUNKED + b"2\r\nok\r\n")
    caller.leave()
    assert gateway.ends[0].transport.aborted


def test_a_caller_that_leaves_before_its_answer_cuts_off_the_target() -> None:
    gateway = MemoryGateway()
    caller = gateway.caller().send(request())
    caller.leave()
    assert gateway.ends[0].transport.aborted
    gateway.ends[0].say(response(b"late"))
    gateway.ends[0].end()
    assert gateway.pool._idle == {}


def test_a_connection_whose_answer_was_cut_off_inside_its_last_bytes_is_not_kept() -> None:
    """The size limit aborts the connection while its last bytes are handed over: it must not look finished."""

    def too_large(seen: int, known: bool) -> Reply:
        return Reply(413, "too large", "response-too-large")

    gateway = MemoryGateway()
    gateway.bound = ResponseBound(limit=len(CHUNKED) + 3, hold="never", reply=too_large)
    caller = gateway.caller().send(request())
    end = gateway.ends[0]
    end.say(CHUNKED, b"2\r\nab\r\n", b"4\r\ncdef\r\n0\r\n\r\n")
    assert end.transport.aborted
    assert caller.transport.aborted
    assert (caller.answers()[0].body, caller.answers()[0].whole) == (b"abc", False)
    assert gateway.pool._idle.get(("a",), []) == []


def test_a_target_whose_answer_is_over_its_readers_bound_is_cut_off_at_once() -> None:
    gateway = MemoryGateway()

    async def whole(ex: Any, route: Any, response: Any) -> Reply:
        try:
            await response.body.whole(3)
        except BodyTooLarge:
            return Reply(502, "too large", "target-unreachable")
        raise AssertionError("it is longer")

    gateway.relay.pass_on = whole  # type: ignore[method-assign]  # as a plugin reads it that answers by itself
    caller = gateway.caller().send(request())
    gateway.ends[0].say(CHUNKED, b"2\r\nab\r\n", b"4\r\ncdef\r\n0\r\n\r\n")
    assert [answer.status for answer in caller.answers()] == [502]
    assert gateway.ends[0].transport.aborted
    assert gateway.pool._idle.get(("a",), []) == []


@pytest.mark.parametrize("hold", ["never", "pause", "always"])
def test_an_answer_whose_head_is_over_the_limit_is_not_begun(hold: str) -> None:
    def too_large(seen: int, known: bool) -> Reply:
        return Reply(413, "too large", "response-too-large")

    gateway = MemoryGateway()
    gateway.bound = ResponseBound(limit=10, hold=hold, reply=too_large)
    caller = gateway.caller().send(request())
    gateway.ends[0].say(CHUNKED, b"2\r\nab\r\n")
    assert [answer.status for answer in caller.answers()] == [413]


def test_an_empty_piece_of_a_changed_answer_does_not_end_it() -> None:
    class Step:
        plugin, phase, is_async = "p", "on_body", False

        def call(self, ex: Any, chunk: bytes, last: bool) -> bytes:
            return b"" if chunk in (b"b", b"d") else chunk

    gateway = MemoryGateway()
    gateway.route("a", chain=Chain(on_body=(Step(),)))
    caller = gateway.caller().send(request() + request(rest="next"))
    gateway.ends[0].say(CHUNKED, *(b"1\r\n%c\r\n" % letter for letter in b"abcd"), b"0\r\n\r\n")
    gateway.ends[0].say(response(b"next"))
    assert [(answer.body, answer.whole) for answer in caller.answers()] == [(b"ac", True), (b"next", True)]


# Times


def test_a_target_that_does_not_answer_in_time_is_a_504() -> None:
    gateway = MemoryGateway()
    gateway.route("a", target=Times(timeout=30))
    caller = gateway.caller().send(request())
    gateway.clock.advance(29)
    gateway.ends[0].say(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")
    assert caller.answers() == []
    gateway.clock.advance(1)
    assert [answer.status for answer in caller.answers()] == [504]
    assert gateway.ends[0].transport.aborted
    assert not caller.transport.ended


def test_an_upload_may_take_longer_than_the_target_has_to_answer() -> None:
    gateway = MemoryGateway(body_timeout=60.0)
    gateway.route("a", target=Times(timeout=30))
    caller = gateway.caller().send(request("a", "", "POST", "Content-Length: 5"))
    for _ in range(4):
        gateway.clock.advance(29)
        caller.send(b"x")
    gateway.clock.advance(45)
    caller.send(b"x")
    assert caller.answers() == []
    gateway.clock.advance(29)
    gateway.ends[0].say(response(b"ok"))
    assert caller.answers()[0].body == b"ok"


def test_once_the_body_is_sent_the_target_has_its_time() -> None:
    gateway = MemoryGateway()
    gateway.route("a", target=Times(timeout=30))
    caller = gateway.caller().send(request("a", "", "POST", "Content-Length: 1"))
    gateway.clock.advance(20)
    caller.send(b"x")
    gateway.clock.advance(29)
    assert caller.answers() == []
    gateway.clock.advance(1)
    assert [answer.status for answer in caller.answers()] == [504]


def test_a_target_that_takes_nothing_of_the_body_is_a_504() -> None:
    gateway = MemoryGateway(body_timeout=3600.0)
    gateway.route("a", target=Times(timeout=30))
    caller = gateway.caller().send(request("a", "", "POST", "Content-Length: 50"))
    gateway.ends[0].transport.full = True
    caller.send(b"x", b"y")
    gateway.clock.advance(30)
    assert [answer.status for answer in caller.answers()] == [504]


def test_a_caller_that_stops_inside_its_body_is_a_408_and_not_its_targets_fault() -> None:
    gateway = MemoryGateway(body_timeout=40.0)
    gateway.route("a", target=Times(timeout=5))
    caller = gateway.caller().send(request("a", "", "POST", "Content-Length: 50", body=b"x"))
    gateway.clock.advance(39)
    assert caller.answers() == []
    gateway.clock.advance(1)
    assert [answer.status for answer in caller.answers()] == [408]
    assert gateway.ends[0].transport.aborted


def test_a_target_that_stops_inside_its_answer_is_broken_off() -> None:
    gateway = MemoryGateway()
    gateway.route("a", target=Times(timeout=30, idle_timeout=60))
    caller = gateway.caller().send(request())
    gateway.ends[0].say(CHUNKED + b"2\r\nok\r\n")
    for _ in range(5):
        gateway.clock.advance(59)
        gateway.ends[0].say(b"2\r\nok\r\n")
    assert not caller.transport.aborted
    gateway.clock.advance(60)
    assert caller.transport.aborted
    assert gateway.ends[0].transport.aborted


@pytest.mark.parametrize(
    "kind",
    [
        "text/event-stream",
        "Text/Event-Stream; charset=utf-8",
        "application/x-ndjson",
        "application/jsonl",
        "application/vnd.amazon.eventstream",
        "multipart/x-mixed-replace; boundary=x",
    ],
)
def test_a_stream_of_events_may_be_silent(kind: str) -> None:
    gateway = MemoryGateway()
    caller = gateway.caller().send(request())
    gateway.ends[0].say(CHUNKED[:-2] + f"Content-Type: {kind}\r\n\r\n".encode() + b"2\r\nok\r\n")
    gateway.clock.advance(3600)
    gateway.ends[0].say(b"2\r\nok\r\n0\r\n\r\n")
    assert caller.answers()[0].body == b"okok"
    assert gateway.ends[0].open


# The head that is sent


def sent(body: bytes | Body | None = None, length: int | None = None, **parts: Any) -> tuple[list[bytes], bool]:
    made = TargetRequest(
        parts.get("method", b"GET"), b"/p", parts.get("mark", b""), parts.get("query", b""), parts.get("fields", [])
    )
    made.stream_length = length
    made.writer = "writer"
    for name, value in parts.get("injected", {}).items():
        made.injected[name.lower()] = (name, value, "writer")
    route: Any = MemoryRoute(endpoint=Endpoint("a"), pool_key=("a",))
    head, chunked = target_head(made, route, body, b"requestrocket-hops", 2)
    assert head.endswith(b"\r\n\r\n")
    return head[:-4].split(b"\r\n"), chunked


HOPS = b"requestrocket-hops: 2"


@pytest.mark.parametrize(
    ("method", "body", "length", "framing", "chunked"),
    [
        (b"GET", None, None, [], False),
        (b"HEAD", None, None, [], False),
        (b"DELETE", None, None, [], False),
        (b"POST", None, None, [b"Content-Length: 0"], False),
        (b"PUT", b"", None, [b"Content-Length: 0"], False),
        (b"GET", b"", None, [b"Content-Length: 0"], False),
        (b"GET", b"ab", None, [b"Content-Length: 2"], False),
        (b"POST", Body(None), 7, [b"Content-Length: 7"], False),
        (b"POST", Body(None), None, [b"Transfer-Encoding: chunked"], True),
    ],
)
def test_the_framing_is_ours(method: bytes, body: Any, length: int | None, framing: list[bytes], chunked: bool) -> None:
    lines, is_chunked = sent(body, length, method=method)
    assert lines == [method + b" /p HTTP/1.1", b"Host: target.test", HOPS, *framing]
    assert is_chunked is chunked


def test_what_is_injected_takes_the_place_of_what_came() -> None:
    fields = [(b"x-a", b"X_A", b"1"), (b"x-b", b"X-B", b"2"), (b"x-a", b"x-a", b"3")]
    lines, _ = sent(fields=fields, injected={b"X-A": b"4"}, mark=b"?", query=b"c=d")
    assert lines == [b"GET /p?c=d HTTP/1.1", b"Host: target.test", b"X-B: 2", b"X-A: 4", HOPS]


def test_the_hop_count_is_not_injected() -> None:
    lines, _ = sent(injected={b"requestrocket-hops": b"0"})
    assert lines[2:] == [HOPS]


@pytest.mark.parametrize("bad", [b"a\r\nb", b"a\rb", b"a\nb", b"a\0b", b"\r\nX-B: c"])
@pytest.mark.parametrize("where", ["name", "value", "query", "field"])
def test_nothing_that_was_injected_splits_the_head(where: str, bad: bytes) -> None:
    parts: dict[str, Any] = {
        "name": {"injected": {b"X-" + bad: b"1"}},
        "value": {"injected": {b"X-A": bad}},
        "query": {"mark": b"?", "query": bad},
        "field": {"fields": [(b"x-a", b"X-A", bad)]},
    }[where]
    with pytest.raises(InjectionError):
        sent(**parts)


def test_a_waiter_for_an_answer_tells_its_connection_when_it_is_cancelled() -> None:
    gateway = MemoryGateway()
    end = stale(gateway)
    waiter: Waiter[Any] = end.protocol.exchange(b"x", None, False, to_head_request=False, timeout=30, idle_timeout=60)
    waiter.cancel()
    assert end.transport.aborted
    with pytest.raises(CancelledError):
        waiter.__await__().send(None)
