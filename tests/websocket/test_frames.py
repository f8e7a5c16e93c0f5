"""RFC 6455's MUSTs for frames (5, 7, 8), by class: what passes, what breaks it, and what each side is told.

Belongs here: rows with their section. Does not: the handshake (test_handshake.py), how it ends (test_ends.py).
"""

from __future__ import annotations

import pytest
from attrs import frozen

from tests.websocket.memory import (
    BINARY,
    CLOSE,
    MORE,
    PING,
    PONG,
    TEXT,
    Frame,
    Socket,
    SocketGateway,
    close,
    closing,
    frame,
)


@pytest.fixture(scope="module")
def gateway() -> SocketGateway:
    return SocketGateway()


def socket_of(gateway: SocketGateway) -> Socket:
    gateway.gateway.records.clear()
    return gateway.open()


@frozen
class Broken:
    """Bytes that break the protocol, whichever side sends them; `from_caller` alone where masks are the point."""

    section: str
    frames: tuple[tuple[int, bytes, dict[str, object]], ...]
    code: int = 1002


def one(section: str, opcode: int, payload: bytes = b"", code: int = 1002, **more: object) -> Broken:
    return Broken(section, ((opcode, payload, more),), code)


def code(number: int) -> bytes:
    return number.to_bytes(2, "big")


BREAKS = {
    "the first reserved bit": one("5.2", TEXT, b"a", rsv=4),
    "the second reserved bit": one("5.2", TEXT, b"a", rsv=2),
    "the third reserved bit": one("5.2", PING, b"a", rsv=1),
    "an unknown data frame": one("5.2", 3, b"a"),
    "the last unknown data frame": one("5.2", 7),
    "an unknown control frame": one("5.2", 11),
    "the last unknown control frame": one("5.2", 15, b"a"),
    "2 bytes of length for 125": one("5.2", BINARY, bytes(125), length=b"\x7e\x00\x7d"),
    "8 bytes of length for 65535": one("5.2", BINARY, bytes(65535), length=b"\x7f" + (65535).to_bytes(8, "big")),
    "a length with its first bit": one("5.2", BINARY, b"", length=b"\x7f\x80" + bytes(6) + b"\x01"),
    "a message inside a message": Broken("5.4", ((TEXT, b"a", {"fin": False}), (TEXT, b"b", {}))),
    "a continuation of nothing": one("5.4", MORE, b"a"),
    "a continuation behind the end": Broken("5.4", ((TEXT, b"a", {}), (MORE, b"b", {}))),
    "a Ping in fragments": one("5.5", PING, b"a", fin=False),
    "a Close in fragments": one("5.5", CLOSE, code(1000), fin=False),
    "a Ping of 126 bytes": one("5.5", PING, bytes(126)),
    "a Close of 126 bytes": one("5.5", CLOSE, code(1000) + bytes(124)),
    "half a code": one("5.5.1", CLOSE, b"\x03"),
    "a reason that is no UTF-8": one("5.5.1", CLOSE, code(1000) + b"\xc3\x28", 1007),
    **{f"the code {each}": one("7.4", CLOSE, code(each)) for each in (0, 999, 1004, 1005, 1006, 1015, 1016)},
    **{f"the code {each}": one("7.4", CLOSE, code(each)) for each in (2999, 5000, 65535)},
    "a text that is no UTF-8": one("8.1", TEXT, b"\xff", 1007),
    "a text with half a character at its end": one("8.1", TEXT, "é".encode()[:1], 1007),
    "a text with half a surrogate pair": one("8.1", TEXT, b"\xed\xa0\x80", 1007),
    "a text in fragments that is no UTF-8": Broken("8.1", ((TEXT, b"\xc3", {"fin": False}), (MORE, b"\x28", {})), 1007),
}


@pytest.mark.parametrize("what", BREAKS)
def test_a_caller_that_breaks_it_is_told_so_and_the_target_that_it_goes(gateway: SocketGateway, what: str) -> None:
    wrong = BREAKS[what]
    socket = socket_of(gateway)
    socket.caller_says(b"".join(frame(opcode, payload, **more) for opcode, payload, more in wrong.frames))  # type: ignore[arg-type]
    told, _ = closing(socket.caller_heard())
    assert told == wrong.code, wrong.section
    assert closing(socket.target_heard()) == (1001, "")
    assert socket.caller.half_closed, "the server closes first (7.1.1)"
    socket.target_says(close(1001, mask=False))
    assert socket.over
    assert f"the gateway with {wrong.code}, because of the caller" in socket.message


@pytest.mark.parametrize("what", BREAKS)
def test_a_target_that_breaks_it_is_told_so_and_the_caller_that_it_did(gateway: SocketGateway, what: str) -> None:
    wrong = BREAKS[what]
    socket = socket_of(gateway)
    socket.target_says(
        b"".join(frame(opcode, payload, mask=False, **more) for opcode, payload, more in wrong.frames)  # type: ignore[arg-type]
    )
    told, _ = closing(socket.target_heard())
    assert told == wrong.code, wrong.section
    told, reason = closing(socket.caller_heard())
    assert (told, reason.startswith("the target broke the protocol")) == (1011, True)
    socket.caller_says(close(1011))
    assert socket.over
    assert f"the gateway with {wrong.code}, because of the target" in socket.message


def test_5_1_a_caller_masks(gateway: SocketGateway) -> None:
    socket = socket_of(gateway)
    socket.caller_says(frame(TEXT, b"a", mask=False))
    assert closing(socket.caller_heard())[0] == 1002


def test_5_1_a_target_does_not_mask(gateway: SocketGateway) -> None:
    socket = socket_of(gateway)
    socket.target_says(frame(TEXT, b"a", mask=True))
    assert closing(socket.target_heard())[0] == 1002


def test_5_1_and_5_3_what_goes_out_is_masked_to_the_target_alone_and_each_frame_anew(gateway: SocketGateway) -> None:
    socket = socket_of(gateway)
    socket.caller_says(frame(TEXT, b"same"), frame(TEXT, b"same"), frame(PING, b"p"))
    raw = bytes(socket.target.written)[-(3 * 6 + 9) :]
    masks = {raw[2:6], raw[12:16], raw[22:26]}
    assert len(masks) == 3
    assert all(each.masked for each in socket.target_heard())
    socket.target_says(frame(TEXT, b"same", mask=False), frame(PING, b"p", mask=False))
    assert not any(each.masked for each in socket.caller_heard())


PASSES = {
    "a text": [(TEXT, b"hello", True)],
    "an empty text": [(TEXT, b"", True)],
    "bytes": [(BINARY, bytes(range(256)), True)],
    "no bytes": [(BINARY, b"", True)],
    "125 bytes": [(BINARY, bytes(125), True)],
    "126 bytes": [(BINARY, bytes(126), True)],
    "65535 bytes": [(BINARY, bytes(65535), True)],
    "65536 bytes": [(BINARY, bytes(65536), True)],
    "fragments": [(TEXT, b"a", False), (MORE, b"b", False), (MORE, b"c", True)],
    "a Ping between fragments (5.4)": [(TEXT, b"a", False), (PING, b"now", True), (MORE, b"b", True)],
    "an empty last fragment": [(BINARY, b"a", False), (MORE, b"", True)],
    "a Ping": [(PING, b"", True)],
    "a Ping of 125 bytes": [(PING, bytes(125), True)],
    "a Pong that nobody asked for (5.5.3)": [(PONG, b"alive", True)],
    "a character in two fragments (5.6)": [(TEXT, b"\xc3", False), (MORE, b"\xa9", True)],
}
REGROUPED = {"a character in two fragments (5.6)": [(TEXT, "é".encode(), True)]}


@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "byte by byte"])
@pytest.mark.parametrize("what", PASSES)
def test_what_is_said_is_heard_on_the_other_side(gateway: SocketGateway, what: str, at_once: bool) -> None:
    socket = socket_of(gateway)
    for mask in (True, False):
        said = b"".join(frame(opcode, payload, fin=fin, mask=mask) for opcode, payload, fin in PASSES[what])
        if not at_once and len(said) > 3000:
            pieces = [said[place : place + 1] for place in range(20)] + [said[20:-5]]
            pieces += [said[place : place + 1] for place in range(len(said) - 5, len(said))]
        else:
            pieces = [said] if at_once else [said[place : place + 1] for place in range(len(said))]
        (socket.caller_says if mask else socket.target_says)(*pieces)
        heard = socket.target_heard() if mask else socket.caller_heard()
        expected = [Frame(opcode, payload, fin, mask) for opcode, payload, fin in REGROUPED.get(what, PASSES[what])]
        assert (heard if at_once else whole(heard)) == (expected if at_once else whole(expected))


def whole(frames: list[Frame]) -> list[Frame]:
    """Fragments joined, each message where it ends: how it is cut says nothing (5.4)."""
    found: list[Frame] = []
    opcode, parts = 0, b""
    for each in frames:
        if each.opcode >= CLOSE:
            found.append(each)
            continue
        opcode, parts = each.opcode or opcode, parts + each.payload
        if each.fin:
            found.append(Frame(opcode, parts, True, each.masked))
            parts = b""
    return found


def test_frames_behind_the_handshake_in_one_piece_count(gateway: SocketGateway) -> None:
    socket = gateway.ask()
    socket.caller_says(frame(TEXT, b"early"))
    socket.agree(behind=frame(TEXT, b"too", mask=False))
    assert socket.caller_heard() == [Frame(TEXT, b"too")]
    assert socket.target_heard() == [Frame(TEXT, b"early", masked=True)]


def test_a_caller_that_cannot_wait_is_held_back_and_then_heard(gateway: SocketGateway) -> None:
    socket = gateway.ask()
    said = 0
    while socket.caller.reading:
        socket.caller_says(frame(BINARY, bytes(60_000)))
        said += 1
    socket.agree()
    for _ in range(said):
        socket.clock.advance(0)
    assert socket.caller.reading
    assert sum(len(each.payload) for each in socket.target_heard()) == said * 60_000


def test_messages_have_the_bounds_of_bodies() -> None:
    gateway = SocketGateway()
    proxy = gateway.gateway.proxy(proxyMaxRequestBytes=10, proxyMaxResponseBytes=500)
    socket = gateway.open(proxy)
    socket.caller_says(frame(TEXT, b"1234567890"), frame(TEXT, b"12345", fin=False), frame(MORE, b"67890"))
    socket.target_says(frame(TEXT, bytes(500), mask=False))
    assert [each.opcode for each in socket.target_heard() + socket.caller_heard()] == [TEXT, TEXT, MORE, TEXT]
    socket.caller_says(frame(TEXT, b"12345", fin=False), frame(MORE, b"678901"))
    assert closing(socket.caller_heard()) == (1009, "a message is over the limit of 10 bytes")
    assert closing(socket.target_heard()) == (1001, "")
    other = gateway.open(proxy)
    other.target_says(frame(TEXT, bytes(501), mask=False))
    assert closing(other.target_heard()) == (1009, "a message is over the limit of 500 bytes")
    assert closing(other.caller_heard())[0] == 1011


def test_many_small_frames_are_relayed_turn_by_turn(gateway: SocketGateway) -> None:
    socket = socket_of(gateway)
    socket.caller_says(frame(BINARY, b"x") * 1000)
    first = socket.target_heard()
    assert 0 < len(first) < 1000
    socket.clock.advance(0)
    second = socket.target_heard()
    assert 0 < len(second) < 1000
    for _ in range(5):
        socket.clock.advance(0)
    assert len(first + second + socket.target_heard()) == 1000


@pytest.mark.parametrize("stopped", ["caller", "target"])
def test_who_stops_reading_stops_the_other(gateway: SocketGateway, stopped: str) -> None:
    socket = socket_of(gateway)
    reader = socket.caller if stopped == "caller" else socket.target
    writer = socket.target if stopped == "caller" else socket.caller
    says = socket.target_says if stopped == "caller" else socket.caller_says
    heard = socket.caller_heard if stopped == "caller" else socket.target_heard
    piece = frame(BINARY, bytes(60_000), mask=stopped == "target")
    reader.full = True
    sent = 0
    while writer.reading:
        says(piece)
        sent += 1
        assert sent < 10, "nobody stops it"
    assert len(heard()) < sent
    while not writer.reading:
        reader.empty()
    assert not reader.full
    assert [len(each.payload) for each in heard()].count(60_000) > 0
    says(frame(TEXT, b"more", mask=stopped == "target"))
    assert heard()[-1].payload == b"more"
