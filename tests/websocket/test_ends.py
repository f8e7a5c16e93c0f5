"""How a WebSocket ends: Close frames both ways, sides that go away or answer nothing, and what ends it from outside.

Belongs here: RFC 6455 5.5.1 and 7, dead peers, the end of the gateway, of a proxy or credential. Does not: what breaks
the protocol (test_frames.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve
from twisted.internet.defer import Deferred

from rrgate.streams import GRACE
from rrgate.websocket.relay import CLOSING
from rrgate.websocket.side import Part, Side
from rrgate.wire.target_transport import CLOSING as TARGET_CLOSING
from tests.websocket.memory import BINARY, PING, PONG, TEXT, Socket, SocketGateway, close, closing, frame

CODES = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]


@pytest.fixture
def gateway() -> SocketGateway:
    return SocketGateway()


@pytest.mark.parametrize("first", ["caller", "target"])
@pytest.mark.parametrize("code", [None, *CODES])
def test_codes_and_reasons_are_passed_on(gateway: SocketGateway, first: str, code: int | None) -> None:
    socket = gateway.open()
    reason = "because 🚀" if code else ""
    if first == "caller":
        socket.caller_says(close(code, reason))
        assert closing(socket.target_heard()) == (code, reason)
        assert not socket.over
        assert not socket.caller.half_closed
        socket.target_says(close(code and 4321, "yes", mask=False) if code else close(mask=False))
        assert closing(socket.caller_heard()) == ((4321, "yes") if code else (None, ""))
    else:
        socket.target_says(close(code, reason, mask=False))
        assert closing(socket.caller_heard()) == (code, reason)
        assert not socket.over
        socket.caller_says(close(code))
        assert closing(socket.target_heard()) == (code, "")
    assert socket.over
    assert f"closed by the {first} with {code or 'no code'}; " in socket.message


def test_7_1_1_servers_close_first(gateway: SocketGateway) -> None:
    socket = gateway.open()
    socket.caller_says(close(1000))
    socket.target_says(close(1000, mask=False))
    assert socket.caller.closing, "we are the caller's server"
    assert not socket.caller.aborted
    assert not socket.target.closing, "we are the target's client, and wait"
    socket.clock.advance(TARGET_CLOSING)
    assert socket.target.closing


def test_a_target_that_goes_on_talking_is_not_heard(gateway: SocketGateway) -> None:
    socket = gateway.open()
    socket.target_says(close(1000, mask=False))
    socket.caller_says(close(1000))
    for _ in range(10):
        socket.target_says(frame(BINARY, bytes(60_000), mask=False))
    assert socket.target.reading, "its end would not be seen"
    assert socket.over


def test_what_comes_behind_a_close_frame_is_dropped(gateway: SocketGateway) -> None:
    socket = gateway.open()
    socket.caller_says(close(1000) + frame(TEXT, b"behind"), frame(TEXT, b"later"))
    assert closing(socket.target_heard()) == (1000, "")
    # What the target still had to say is said (5.5.1).
    socket.target_says(frame(TEXT, b"the rest", mask=False) + frame(PING, b"p", mask=False))
    assert [each.payload for each in socket.caller_heard()] == [b"the rest", b"p"]
    socket.target_says(close(1000, mask=False))
    assert closing(socket.caller_heard()) == (1000, "")
    assert not socket.target_heard()


def test_both_at_once(gateway: SocketGateway) -> None:
    socket = gateway.open()
    socket.caller.full = True
    socket.caller_says(close(4001, "mine"))
    socket.target_says(close(4002, "its", mask=False))
    assert closing(socket.target_heard()) == (4001, "mine")
    assert closing(socket.caller_heard()) == (4002, "its")
    assert socket.over


def test_who_answers_no_close_frame_is_not_waited_for(gateway: SocketGateway) -> None:
    socket = gateway.open()
    socket.caller_says(close(4000, "bye"))
    socket.target_says(frame(TEXT, b"never mind", mask=False))
    socket.clock.advance(CLOSING - 0.01)
    assert not socket.over
    socket.caller_heard()
    socket.clock.advance(0.02)
    assert socket.over
    assert closing(socket.caller_heard()) == (4000, "bye")
    socket.clock.advance(TARGET_CLOSING)
    assert socket.target.closing


def test_a_caller_that_goes_away_goes_away_for_the_target(gateway: SocketGateway) -> None:
    socket = gateway.open()
    socket.caller_says(frame(TEXT, b"last words"))
    socket.caller_leaves()
    heard = socket.target_heard()
    assert heard[0].payload == b"last words"
    assert closing(heard) == (1001, "")
    socket.target_says(close(1001, mask=False))
    assert socket.over
    assert "closed by the caller, which went away without a Close frame; 1 message (10 bytes) from" in socket.message


def test_a_target_that_goes_away_is_an_error_for_the_caller(gateway: SocketGateway) -> None:
    socket = gateway.open()
    socket.target_says(frame(TEXT, b"last words", mask=False))
    socket.target_leaves()
    heard = socket.caller_heard()
    assert heard[0].payload == b"last words"
    assert closing(heard) == (1011, "the target went away without a Close frame")
    socket.caller_says(close(1011))
    assert socket.over


@pytest.mark.parametrize("one", ["caller", "target"])
def test_who_closes_without_answering_a_close_frame_leaves_the_other_with_its_own(
    gateway: SocketGateway, one: str
) -> None:
    socket = gateway.open()
    if one == "target":
        socket.caller_says(close(4000, "bye"))
        socket.target_leaves()
        assert closing(socket.caller_heard()) == (4000, "bye")
    else:
        socket.target_says(close(4000, "bye", mask=False))
        socket.caller_leaves()
        assert closing(socket.target_heard()) == (4000, "bye")
    assert socket.over


def test_both_gone_is_over(gateway: SocketGateway) -> None:
    socket = gateway.open()
    socket.target_leaves()
    socket.caller_leaves()
    assert socket.over


@pytest.mark.parametrize("side", ["caller", "target"])
def test_what_a_side_said_before_it_went_counts_although_nobody_had_time_to_read_it(
    gateway: SocketGateway, side: str
) -> None:
    socket = gateway.open()
    slow = socket.target if side == "caller" else socket.caller
    slow.full = True
    if side == "caller":
        socket.caller_says(frame(TEXT, b"1"), frame(TEXT, b"2") + close(4000, "bye"))
        socket.caller_leaves()
    else:
        last = frame(TEXT, b"2", mask=False) + close(4000, "bye", mask=False)
        socket.target_says(frame(TEXT, b"1", mask=False), last)
        socket.target_leaves()
    heard = socket.target_heard if side == "caller" else socket.caller_heard
    assert [each.payload for each in heard()] == [b"1"]
    slow.empty()
    said = heard()
    assert said[0].payload == b"2"
    assert closing(said) == (4000, "bye")


# Peers that are dead.


def rounds(socket: Socket, count: int, seconds: float = 30.0) -> None:
    for _ in range(count):
        socket.clock.advance(seconds)


@pytest.mark.parametrize("dead", ["caller", "target"])
def test_who_is_silent_is_pinged_and_then_given_up(dead: str) -> None:
    socket = SocketGateway(websocket_ping_interval=30.0).open()
    other_says = socket.target_says if dead == "caller" else socket.caller_says
    heard = socket.caller_heard if dead == "caller" else socket.target_heard
    other_heard = socket.target_heard if dead == "caller" else socket.caller_heard
    asked = 0
    for _ in range(3):
        other_says(frame(PONG, mask=dead == "target"))  # the other one lives
        asked += sum(each.opcode == PING for each in heard())
        rounds(socket, 1)
    assert asked + sum(each.opcode == PING for each in heard()) == 1
    assert (socket.caller if dead == "caller" else socket.target).aborted
    assert closing(other_heard())[0] == (1001 if dead == "caller" else 1011)
    other_says(close(1001, mask=dead == "target"))
    assert socket.over
    assert f"the {dead} did not answer a Ping" in socket.message


def test_who_answers_pings_lives_and_the_other_side_hears_nothing_of_it() -> None:
    socket = SocketGateway(websocket_ping_interval=30.0).open()
    pings = 0
    for _ in range(10):
        rounds(socket, 1)
        for heard, says, mask in (
            (socket.caller_heard(), socket.caller_says, True),
            (socket.target_heard(), socket.target_says, False),
        ):
            for each in heard:
                assert each.opcode == PING
                pings += 1
                says(frame(PONG, each.payload, mask=mask))
    assert pings >= 6
    assert not socket.over
    socket.caller_says(frame(PONG, b"another's"))
    assert [each.payload for each in socket.target_heard()] == [b"another's"]


def test_who_is_not_read_is_not_taken_for_dead() -> None:
    socket = SocketGateway(websocket_ping_interval=1.0).open()
    socket.caller.full = True
    while socket.target.reading:
        socket.target_says(frame(BINARY, bytes(60_000), mask=False))
    for _ in range(10):
        rounds(socket, 1, 1.0)
        socket.caller_says(frame(PONG))
    assert not socket.target.aborted
    assert not socket.over


def test_a_pong_that_waits_to_be_read_is_a_sign_of_life() -> None:
    socket = SocketGateway(websocket_ping_interval=1.0).open()
    socket.target.full = True
    socket.caller_says(frame(TEXT, b"the target does not take this"))
    for _ in range(10):
        socket.target_says(frame(PONG, mask=False))
        for each in socket.caller_heard():
            if each.opcode == PING:
                socket.caller_says(frame(PONG, each.payload))
        rounds(socket, 1, 1.0)
    assert not socket.caller.aborted
    assert not socket.over


def test_without_an_interval_nobody_is_pinged(gateway: SocketGateway) -> None:
    socket = gateway.open()
    rounds(socket, 10, 3600.0)
    assert not socket.caller_heard()
    assert not socket.target_heard()
    assert not socket.over


def test_a_caller_that_takes_nothing_for_long_is_dropped() -> None:
    socket = SocketGateway(send_timeout=60.0).open()
    socket.caller.full = True
    socket.target_says(frame(TEXT, b"a", mask=False))
    socket.clock.advance(61)
    assert socket.caller.aborted


def test_a_target_that_takes_nothing_for_its_timeout_is_dropped(gateway: SocketGateway) -> None:
    socket = gateway.open(gateway.gateway.proxy(target={"targetTimeout": 20}))
    socket.target.full = True
    socket.caller_says(frame(TEXT, b"a"))
    socket.target_says(frame(TEXT, b"still talking", mask=False))
    socket.clock.advance(19)
    assert not socket.target.aborted
    socket.clock.advance(2)
    assert socket.target.aborted
    socket.end.end()
    assert closing(socket.caller_heard())[0] == 1011


def test_it_may_be_silent_for_longer_than_any_answer(gateway: SocketGateway) -> None:
    socket = gateway.open(gateway.gateway.proxy(target={"targetTimeout": 1, "targetIdleTimeout": 1}))
    socket.clock.advance(100_000)
    socket.caller_says(frame(TEXT, b"still here"))
    socket.target_says(frame(TEXT, b"I, too", mask=False))
    assert [each.payload for each in socket.target_heard() + socket.caller_heard()] == [b"still here", b"I, too"]


# What ends it from outside.


def proxy_off(gateway: Any, proxy: Any) -> None:
    gateway.directory.put(evolve(proxy, active=False))


def proxy_gone(gateway: Any, proxy: Any) -> None:
    gateway.directory.drop(proxy)


def credential_off(gateway: Any, proxy: Any) -> None:
    gateway.directory.put(evolve(gateway.directory.credentials[proxy.proxy_credential_id], active=False))


def credential_gone(gateway: Any, proxy: Any) -> None:
    gateway.directory.drop(gateway.directory.credentials[proxy.target_credential_id])


def target_gone(gateway: Any, proxy: Any) -> None:
    gateway.directory.drop(gateway.directory.targets[proxy.target_id])


ENDING = [proxy_off, proxy_gone, credential_off, credential_gone, target_gone]


@pytest.mark.parametrize("end", ENDING)
def test_it_is_closed_when_its_proxy_target_or_credential_is_no_more(
    gateway: SocketGateway, end: Callable[[Any, Any], None]
) -> None:
    socket = gateway.open()
    other = gateway.open()
    end(gateway.gateway, socket.proxy)
    assert closing(socket.caller_heard()) == (1008, "its proxy, target or credential was switched off or deleted")
    assert closing(socket.target_heard()) == (1001, "")
    socket.caller_says(close(1008))
    socket.target_says(close(1001, mask=False))
    assert socket.over
    assert "switched off or deleted" in socket.message
    socket.clock.advance(GRACE)
    assert not socket.caller.aborted
    other.caller_says(frame(TEXT, b"a"))
    assert [each.payload for each in other.target_heard()] == [b"a"]


def test_who_does_not_close_it_then_is_cut_off_within_5_seconds(gateway: SocketGateway) -> None:
    assert GRACE < 5
    socket = gateway.open()
    proxy_off(gateway.gateway, socket.proxy)
    socket.caller_says(frame(TEXT, b"I go on"))
    socket.clock.advance(GRACE)
    assert socket.caller.aborted
    assert socket.target.aborted
    assert socket.over
    assert not socket.target_heard()[1:]


def test_one_that_is_opened_while_its_proxy_is_switched_off_is_closed_too(gateway: SocketGateway) -> None:
    socket = gateway.ask()
    proxy_off(gateway.gateway, socket.proxy)
    socket.agree()
    assert closing(socket.caller_heard())[0] == 1008


def test_the_end_of_the_gateway_is_told_to_both(gateway: SocketGateway) -> None:
    socket = gateway.open()
    listener = gateway.gateway.listener
    listener.drain()
    ended: list[object] = []
    Deferred.fromCoroutine(listener.idle(30.0)).addBoth(ended.append)
    assert closing(socket.caller_heard()) == (1001, "the gateway stops")
    assert closing(socket.target_heard()) == (1001, "")
    assert not ended
    socket.caller_says(close(4000, "another"))
    socket.target_says(close(4001, "another", mask=False))
    assert not socket.caller_heard() + socket.target_heard(), "a Close frame is the last"
    assert socket.over
    assert "closed by the gateway with 1001: it stops; " in socket.message


def test_a_fault_of_ours_ends_it_for_both(gateway: SocketGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(self: Side, part: Part) -> bytes:
        raise ZeroDivisionError("a bug")

    socket = gateway.open()
    monkeypatch.setattr(Side, "part", fails)
    socket.caller_says(frame(TEXT, b"a"))
    assert closing(socket.caller_heard()) == (1011, "")
    assert closing(socket.target_heard()) == (1001, "")
    socket.clock.advance(CLOSING)
    assert socket.over
    assert socket.caller.ended
    assert "closed by the gateway, which failed" in socket.message


def test_what_is_open_at_the_very_end_is_broken_off_and_logged(gateway: SocketGateway) -> None:
    socket = gateway.open()
    socket.connection.close_for_good()
    assert socket.caller.aborted
    assert socket.target.aborted
    assert socket.over
