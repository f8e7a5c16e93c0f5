"""`Clock`: seconds that go by only when a test says so, and the wall's time that goes with them.

Belongs here: both times. Does not: what happens when they pass.
"""

from __future__ import annotations

from twisted.internet import task


class Clock(task.Clock):
    """Give it to whatever takes a clock, and its `wall` to whatever takes the seconds since the epoch.

    Each call that falls due is made at its own time, and what it plans is made at its own time as well: to advance by
    ten seconds is to live through them.
    """

    def __init__(self, wall: float = 1_700_000_000.0) -> None:
        """`wall`: seconds since the epoch at the start."""
        super().__init__()
        self._wall = wall

    def wall(self) -> float:
        """Seconds since the epoch."""
        return self._wall + self.seconds()

    def turn_wall(self, seconds: float) -> None:
        """Somebody sets the wall's time, forward or back; no timer may notice."""
        self._wall += seconds

    def advance(self, amount: float) -> None:
        """Let `amount` seconds go by."""
        until = self.rightNow + amount
        while self.calls:
            due = min(call.getTime() for call in self.calls)
            if due > until:
                break
            self.rightNow = max(self.rightNow, due)
            super().advance(0)
        self.rightNow = until

    def settle(self) -> None:
        """Do what is due now, and what that brings about without any time going by."""
        self.advance(0)
