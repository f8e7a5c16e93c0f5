"""`Gathering`: what every worker says of itself, brought to the one that was asked.

Belongs here: asking all, and waiting for no one for long. Does not: what is said (member.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

from rrgate.workers.crew import Hand

PATIENCE: Final = 1.0
"""Seconds after which who has said nothing is left out."""


@define(eq=False)
class _Question:
    by: Hand
    of_theirs: int
    waits_for: set[Hand]
    texts: dict[int, str] = field(factory=dict)
    timer: Any = None


class Gathering:
    """One parent's."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._last = 0
        self._open: dict[int, _Question] = {}

    def begin(self, by: Hand, of_theirs: int, hands: Iterable[Hand]) -> None:
        """Ask `hands`, for `by`."""
        self._last += 1
        number, question = self._last, _Question(by, of_theirs, set(hands))
        self._open[number] = question
        question.timer = self._clock.callLater(PATIENCE, self._answer, number)
        for hand in tuple(question.waits_for):
            hand.send("figures", id=number)
        self._look(number)

    def told(self, hand: Hand, number: int, text: str) -> None:
        """`hand` has answered."""
        question = self._open.get(number)
        if question is not None and hand in question.waits_for:
            question.waits_for.discard(hand)
            question.texts[hand.slot] = text
            self._look(number)

    def gone(self, hand: Hand) -> None:
        """`hand` will not answer."""
        for number, question in tuple(self._open.items()):
            question.waits_for.discard(hand)
            if question.by is hand:
                question.timer.cancel()
                del self._open[number]
            else:
                self._look(number)

    def _look(self, number: int) -> None:
        question = self._open.get(number)
        if question is not None and not question.waits_for:
            question.timer.cancel()
            self._answer(number)

    def _answer(self, number: int) -> None:
        question = self._open.pop(number)
        question.by.send("gathered", id=question.of_theirs, texts=sorted(question.texts.items()))
