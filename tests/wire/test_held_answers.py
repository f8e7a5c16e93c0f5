"""Answers of unknown size, held back until it is known: what they cost, and for how long that counts.

Belongs here: what counts for the bound on all answers together. Does not: one answer's own bound
(test_target_connections.py).
"""

from __future__ import annotations

from typing import Any

import pytest

from rrgate.held_answers import PIECE, HeldBytes
from rrgate.messages import Reply, ResponseBound
from tests.wire.memory import MemoryCaller
from tests.wire.memory_target import Chain, MemoryGateway, request

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNK = b"1388\r\n%b\r\n" % bytes(5000)
END = b"0\r\n\r\n"


def too_large(seen: int, known: bool) -> Reply:
    return Reply(413, "too large", "response-too-large")


def holding(hold: str = "pause", *, most: int = 1 << 20, chain: Chain | None = None) -> tuple[MemoryGateway, HeldBytes]:
    gateway = MemoryGateway()
    gateway.bound = ResponseBound(limit=1 << 20, hold=hold, reply=too_large)
    if chain is not None:
        gateway.route("a", chain=chain)
    held = gateway.relay._held
    held.most = most
    return gateway, held


def asked(gateway: MemoryGateway, *pieces: bytes, full: bool = False) -> MemoryCaller:
    """A caller whose target has said this."""
    caller = gateway.caller().send(request())
    caller.transport.full = full
    gateway.ends[-1].say(CHUNKED, *pieces)
    return caller


def test_what_is_held_counts_until_its_caller_has_taken_it() -> None:
    gateway, held = holding()
    caller = asked(gateway, CHUNK, CHUNK, CHUNK, END, full=True)
    for left in (15_000, 10_000, 5000):
        assert held.now == left
        caller.transport.empty(full=True)
    assert held.now == 0
    answer = caller.answers()[0]
    assert (answer["Content-Length"], answer.body, answer.whole) == ("15000", bytes(15_000), True)


def test_answers_that_nobody_takes_make_others_stream() -> None:
    gateway, held = holding(most=12_500)
    slow = asked(gateway, CHUNK, CHUNK, END, full=True)
    other = asked(gateway, CHUNK)
    assert (other.answers()[0]["Transfer-Encoding"], other.answers()[0].body) == ("chunked", bytes(5000))
    slow.leave()
    gateway.ends[-1].say(END)
    assert held.now == 0
    assert not asked(gateway, CHUNK).answers(), "there is room to hold it"


ENDS: dict[str, Any] = {
    "its caller leaves while it is held": lambda caller, end: caller.leave(),
    "its target breaks it": lambda caller, end: end.say(b"nonsense\r\n"),
    "it is too large": lambda caller, end: end.say(*[CHUNK] * 210),
    "it pauses, and its caller leaves": lambda caller, end: (caller.clock.advance(0.2), caller.leave()),
    "it is whole": lambda caller, end: end.say(END),
}


@pytest.mark.parametrize("hold", ["pause", "always"])
@pytest.mark.parametrize("how", ENDS)
def test_nothing_counts_for_ever(hold: str, how: str) -> None:
    gateway, held = holding(hold)
    caller = asked(gateway, CHUNK, CHUNK)
    assert held.now == 10_000
    ENDS[how](caller, gateway.ends[-1])
    assert held.now == 0


class Doubles:
    """A step that answers with the end."""

    plugin, phase, is_async = "p", "on_body", False

    def __init__(self) -> None:
        self.ends = 0
        self._held = b""

    def call(self, ex: Any, chunk: bytes, last: bool) -> bytes:
        self._held += chunk
        self.ends += last
        return self._held * 2 if last else b""


@pytest.mark.parametrize("size", [1, PIECE // 2, PIECE // 2 + 1, PIECE * 2 + 7])
def test_a_changed_answer_counts_as_what_it_has_become_and_is_sent_piece_by_piece(size: int) -> None:
    step = Doubles()
    gateway, held = holding(chain=Chain(on_body=(step,)))
    caller = asked(gateway, b"%x\r\n%b\r\n" % (size, bytes(size)), END, full=True)
    left = size * 2
    while left > PIECE:
        assert held.now == left
        left -= PIECE
        caller.transport.empty(full=True)
    caller.transport.empty()
    assert held.now == 0
    answer = caller.answers()[0]
    assert (answer["Content-Length"], answer.body, answer.whole) == (str(size * 2), bytes(size * 2), True)
    assert step.ends == 1
