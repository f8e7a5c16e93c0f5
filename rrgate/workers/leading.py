"""`Leading`: which worker has the Core API and makes changes: one, and the next only when the one before does no more.

Belongs here: who it is, and what is kept for whoever it will be. Does not: what it does (member.py), its changes
(ledger.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from twisted.logger import Logger

from rrgate.workers.channel import Message
from rrgate.workers.crew import Hand, Stage

_log = Logger("rrgate.workers")

MOST_KEPT: Final = 1000
"""Messages for whoever leads next; the oldest are given up."""


class Leading:
    """One parent's."""

    def __init__(self, hands: Callable[[], Iterable[Hand]], may_choose: Callable[[], bool]) -> None:
        """`may_choose`: whether somebody may be asked to now."""
        self._hands = hands
        self._may_choose = may_choose
        self._leader: Hand | None = None
        self._kept: list[Message] = []

    def look(self) -> None:
        """Ask somebody to, if nobody does: of the newest workers that serve, the first."""
        serving = [hand for hand in self._hands() if hand.stage is Stage.SERVING]
        if self._leader is not None or not serving or not self._may_choose():
            return
        self._leader = max(serving, key=lambda hand: (hand.generation.number, -hand.number))
        self._leader.send("lead")
        _log.info("{worker} leads", worker=self._leader.name)
        kept, self._kept = self._kept, []
        for message in kept:
            self.tell(message)

    def no_more(self, hand: Hand) -> None:
        """`hand` leads no more, if it did: it has said so, or is dead."""
        if hand is self._leader:
            self._leader = None

    def tell(self, message: Message) -> None:
        """Pass it to whoever leads, now or next."""
        if self._leader is None:
            self._kept = [*self._kept[1 - MOST_KEPT :], message]
            return
        values = {name: value for name, value in message.items() if name != "say"}
        self._leader.send(message["say"], **values)
