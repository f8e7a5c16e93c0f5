"""What is held back of answers until their size is known: how much of one, of a proxy's, and of all together.

Belongs here: what counts, until when, and for whom there is no room. Does not: which answers are held, and for how long
(relay.py).

Of the bytes that are held a proxy may have as many as are left, as of requests' bodies (places.py), with those of its
answers that have to be held to their end. Others stream when all is taken.
"""

from __future__ import annotations

from typing import Final

from rrgate.body import NoRoom, add_piece
from rrgate.exchange import Exchange
from rrgate.loads import Load

PIECE: Final = 64 * 1024
"""Bytes of a changed answer that are written at one time."""


class HeldBytes:
    """What is held back for all answers together."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.now = 0


class Held:
    """What is held back of one answer. It counts among all of it until its caller has taken it, or is gone."""

    __slots__ = ("_all", "_counted", "_ex", "_load", "pieces")

    def __init__(self, all: HeldBytes, ex: Exchange) -> None:
        """`ex`: whose answer it is."""
        self._all = all
        self._ex = ex
        self._load = Load() if ex.place is None else ex.place[0]
        self._counted = 0
        self.pieces: list[bytes] = []

    def add(self, data: bytes) -> None:
        """More of it."""
        add_piece(self.pieces, data)
        self._count(len(data))

    def change(self, data: bytes) -> None:
        """`data` in place of it all, in pieces that a connection takes one by one."""
        if self._counted:
            self._count(len(data) - self._counted)
        self.pieces = [data[place : place + PIECE] for place in range(0, len(data), PIECE)]

    def sent(self, size: int) -> None:
        """So much has been taken."""
        if self._counted:
            self._count(-size)

    def let_go(self) -> None:
        """It is over."""
        self._count(-self._counted)

    def check_room(self) -> None:
        """Raises NoRoom if its proxy has more than is left: for an answer that is held to its end, whatever others are.

        What is held for one answer alone may be any size.
        """
        left = self._all.most - self._all.now
        of_proxy = self._load.answers
        if self._all.now > self._counted and (left < 0 or (of_proxy > self._counted and of_proxy > left)):
            if self._ex.place is not None:
                self._ex.place[2].answer_refused(self._ex, self._all.now)
            raise NoRoom("The target has answered, but too many answers are held at the moment", 503)

    def _count(self, size: int) -> None:
        self._counted += size
        self._all.now += size
        self._load.answers += size
