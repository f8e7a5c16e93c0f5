"""`Ledger`: every change of the worker that leads, until all others have it in force.

Belongs here: who has to confirm, and what becomes of who does not. Does not: what a change is (changing.py), how it is
taken over (following.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from attrs import define, field
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from rrgate.workers.channel import Message
from rrgate.workers.crew import Hand

CONFIRM: Final = 2.0
"""Seconds that a worker has to confirm a change. It is killed then, and its death confirms."""
FOR_EACH: Final = 0.0002
"""Seconds more for each noun that is changed: one costs some 20 µs, and a client may be deleted with 100,000."""

_log = Logger("rrgate.workers")


@define(eq=False)
class _Change:
    by: Hand | None
    """None: of one who has died."""
    of_theirs: int
    nouns: list[Any]
    made: bool = False
    waits_for: set[Hand] = field(factory=set)
    timer: Any = None


class Ledger:
    """One parent's."""

    def __init__(self, clock: IReactorTime, hands: Callable[[], Iterable[Hand]], idle: Callable[[], None]) -> None:
        """`hands`: all workers. `idle`: called when nothing is open any more."""
        self._clock = clock
        self._hands = hands
        self._idle = idle
        self._last = 0
        self._open: dict[int, _Change] = {}

    @property
    def is_idle(self) -> bool:
        """Whether every change is in force everywhere."""
        return not self._open

    def heard(self, hand: Hand, message: Message) -> None:
        """`hand` has said something of a change."""
        match message["say"]:
            case "about":
                self.about(hand, message["id"], message["nouns"])
            case "made":
                self.made(hand, message["id"])
            case "refreshed":
                self.refreshed(hand, message["id"])

    def about(self, hand: Hand, of_theirs: int, nouns: list[Any]) -> None:
        """`hand` is going to change these."""
        self._last += 1
        self._open[self._last] = _Change(hand, of_theirs, nouns)
        hand.send("go", id=of_theirs)

    def made(self, hand: Hand, of_theirs: int) -> None:
        """It has, or has failed."""
        for number, change in self._open.items():
            if change.by is hand and change.of_theirs == of_theirs and not change.made:
                self._spread(number, change)
                return

    def refreshed(self, hand: Hand, number: int) -> None:
        """`hand` has it in force."""
        change = self._open.get(number)
        if change is not None:
            change.waits_for.discard(hand)
            self._look(number, change)

    def gone(self, hand: Hand) -> None:
        """`hand` has died. What it was about to change may be on disk."""
        for number, change in tuple(self._open.items()):
            if change.by is hand:
                change.by = None
                if not change.made:
                    self._spread(number, change)
            change.waits_for.discard(hand)
            self._look(number, change)

    def _spread(self, number: int, change: _Change) -> None:
        change.made = True
        for hand in tuple(self._hands()):
            if hand is not change.by and hand.has_state:
                hand.send("refresh", id=number, nouns=change.nouns)
                # One that does not serve yet is told to only behind this, and takes one message after the other.
                if hand.serves:
                    change.waits_for.add(hand)
        if change.waits_for:
            wait = CONFIRM + FOR_EACH * len(change.nouns)
            change.timer = self._clock.callLater(wait, self._late, change, wait)
        self._look(number, change)

    def _look(self, number: int, change: _Change) -> None:
        if not change.made or change.waits_for or number not in self._open:
            return
        del self._open[number]
        if change.timer is not None and change.timer.active():
            change.timer.cancel()
        if change.by is not None:
            change.by.send("done", id=change.of_theirs)
        if not self._open:
            self._idle()

    def _late(self, change: _Change, waited: float) -> None:
        for hand in tuple(change.waits_for):
            _log.error(
                "{worker} has not confirmed a change within {seconds:.0f} s: it is killed, and replaced",
                worker=hand.name,
                seconds=waited,
            )
            hand.kill()
