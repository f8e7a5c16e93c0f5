"""`Gathering`: when what was asked of the thread that writes is handed to it, so that many share a commit.

Belongs here: who waits for whom, and for how long. Does not: the thread, and what it does (commits.py).
Why: the thread would be woken by the first of a round, and commit that alone. And callers that ask again when they are
answered fall into two groups, each of which asks while the other's commit runs, so that each commit is half as large.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Generic, TypeVar

from twisted.internet.interfaces import IDelayedCall, IReactorTime

T = TypeVar("T")

FEW: Final = 8
"""So many may be with the thread before anybody waits for more: a commit of few costs less than a turn of the reactor
in which the thread has nothing to do."""
BACK: Final = 0.75
"""Such a part of those who were told is waited for."""
LONGEST_SECONDS: Final = 0.005
"""Nobody is kept longer for the sake of others; nor for longer than the commit before took."""
NOT_AGAIN: Final = 32
"""So many times nobody is waited for after it was in vain: callers come one by one, and do not come back."""


class Gathering(Generic[T]):
    """One thread's; on the reactor's thread. What is asked is handed over in the order in which it came.

    While few are with the thread, that is at the end of each round of the reactor. Else it is when these have been told
    of, by `over`: and who has asked until then waits for those who were told, if they come back soon.
    """

    def __init__(self, clock: IReactorTime, hand_over: Callable[[list[T]], object], most: int) -> None:
        """`hand_over`: is given up to `most` at a time."""
        self._clock = clock
        self._hand_over = hand_over
        self._most = most
        self._asked: list[T] = []
        self._call: IDelayedCall | None = None
        """That hands over next."""
        self._enough = 0
        """So many are waited for; 0 where nobody is."""
        self._under_way = 0
        self._since = 0.0
        self._not_again = 0

    def ask(self, each: T) -> None:
        """One more."""
        self._asked.append(each)
        if self._call is None:
            if self._under_way + len(self._asked) < FEW or not self._under_way:
                self._call = self._clock.callLater(0, self._next)
        elif self._enough and len(self._asked) >= self._enough:
            self._enough = 0
            self._call.reset(0)

    def over(self, number: int, tell: Callable[[], object]) -> None:
        """So many of those that are under way are done, who are told by `tell`."""
        waiting = len(self._asked)
        try:
            tell()
        finally:
            self._under_way -= number
            if self._asked and self._call is None:
                self._call = self._clock.callLater(self._patience(waiting, number), self._next)

    def all(self) -> None:
        """Hand over what there is, whatever is under way; nothing may be asked afterwards."""
        if self._call is not None:
            self._call.cancel()
            self._call = None
        while self._asked:
            self._hand()

    def _patience(self, waiting: int, told: int) -> float:
        """For how many seconds those who asked before others were told wait for these."""
        enough = min(waiting + round(BACK * told), self._most)
        if not waiting or len(self._asked) >= enough:
            return 0.0
        if self._not_again:
            self._not_again -= 1
            return 0.0
        self._enough = enough
        return min(LONGEST_SECONDS, self._clock.seconds() - self._since)

    def _next(self) -> None:
        self._call = None
        if self._enough:
            self._enough, self._not_again = 0, NOT_AGAIN
        self._hand()

    def _hand(self) -> None:
        given = self._asked[: self._most]
        del self._asked[: self._most]
        self._under_way += len(given)
        self._since = self._clock.seconds()
        self._hand_over(given)
