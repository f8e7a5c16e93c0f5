"""Any conversation, cut anywhere: what one side says is what the other hears, in order, and nothing else.

Belongs here: made-up conversations. Does not: rows of RFC 6455 (test_frames.py).
"""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.websocket.memory import BINARY, CLOSE, MORE, PING, PONG, TEXT, Frame, SocketGateway, frame

GATEWAY = SocketGateway()
PROXY = GATEWAY.gateway.proxy()

texts = st.text(max_size=40).map(str.encode)
controls = st.lists(st.tuples(st.sampled_from([PING, PONG]), st.binary(max_size=125)), max_size=2)


@st.composite
def messages(draw: Any) -> list[tuple[int, bytes, bool]]:
    """The frames of one message, with control frames among them."""
    text = draw(st.booleans())
    rest = draw(texts) if text else draw(st.binary(max_size=200))
    pieces = []
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(rest)))
        pieces.append(rest[:place])
        rest = rest[place:]
    frames = []
    for place, piece in enumerate([*pieces, rest]):
        frames += [(opcode, payload, True) for opcode, payload in draw(controls)]
        first = TEXT if text else BINARY
        frames.append((MORE if place else first, piece, place == len(pieces)))
    return frames


@given(st.data())
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
def test_what_is_said_is_heard(data: Any) -> None:
    socket = GATEWAY.open(PROXY)
    for from_caller in (True, False):
        said = [each for message in data.draw(st.lists(messages(), max_size=4)) for each in message]
        raw = b"".join(frame(opcode, payload, fin=fin, mask=from_caller) for opcode, payload, fin in said)
        places = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=10)))
        pieces = [raw[start:end] for start, end in zip([0, *places], [*places, len(raw)], strict=True)]
        (socket.caller_says if from_caller else socket.target_says)(*filter(None, pieces))
        socket.clock.advance(0)
        heard = socket.target_heard() if from_caller else socket.caller_heard()
        assert meant(heard) == meant([Frame(opcode, payload, fin) for opcode, payload, fin in said])
    socket.caller_leaves()
    socket.target_leaves()
    assert socket.over


def meant(frames: list[Frame]) -> tuple[list[tuple[int, bytes]], list[tuple[int, bytes]]]:
    """(messages, control frames), each in order; fragments are joined."""
    whole, control, opcode, parts = [], [], 0, b""
    for each in frames:
        if each.opcode >= CLOSE:
            control.append((each.opcode, each.payload))
            continue
        opcode, parts = each.opcode or opcode, parts + each.payload
        if each.fin:
            whole.append((opcode, parts))
            parts = b""
    return whole, control
