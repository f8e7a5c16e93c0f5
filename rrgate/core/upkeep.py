"""`Upkeep`: what becomes of nouns when their time is over, without anybody asking.

Belongs here: looking, now and then. Does not: what is to be done (rotation.py, authorization.py,
invites.py, departed.py, notifications.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from twisted.internet.task import LoopingCall

from rrgate.core.authorization import end_temporary
from rrgate.core.departed import remove_departed
from rrgate.core.house import CoreHouse
from rrgate.core.invites import end_invites
from rrgate.core.notifications import tell_what_expires
from rrgate.core.rotation import end_overlaps
from rrgate.waiting import run_deferred

UPKEEP: Final = 60.0
"""Seconds between two looks."""
LOOKS_AN_HOUR: Final = 60


class Upkeep:
    """Looks every `UPKEEP` seconds, from `start` until `stop`."""

    def __init__(self, house: CoreHouse, clock: Any, leads: Callable[[], bool] = lambda: True) -> None:
        """`leads`: whether this process is the one of its node that does this."""
        self._house = house
        self._leads = leads
        self._looks = 0
        self._looking = LoopingCall(lambda: run_deferred(self.look()))
        self._looking.clock = clock

    def start(self) -> None:
        """The first look is now."""
        self._looking.start(UPKEEP)

    def stop(self) -> None:
        """Look no more."""
        self._looking.stop()

    async def look(self) -> None:
        """Look now. Raises nothing."""
        if not self._leads():
            return
        await end_overlaps(self._house)
        await end_temporary(self._house)
        await end_invites(self._house)
        if self._looks % LOOKS_AN_HOUR == 0:
            tell_what_expires(self._house)
            await remove_departed(self._house)
        self._looks += 1
