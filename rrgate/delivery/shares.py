"""`Shares`: whose attempt may begin: bounds of all that are under way, of each target and client, and who is held back.

Belongs here: counting what is under way. Does not: whose turn it is among those that may (lanes.py), what is due
(worker.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final

from attrs import frozen
from twisted.internet.interfaces import IReactorTime

from rrgate.delivery.callbacks import CALLBACKS
from rrgate.directory import Directory

LONGEST_HOLD: Final = 300.0
"""Seconds for which a target is left alone, whatever it says: requests that wait have a window."""
SHARE: Final = 3
"""How many times as many as are left one client may have under way: the rest is for whoever comes. Targets may take 15
minutes, and somebody may have many of them."""


@frozen
class Share:
    """An attempt that is under way: what it counts for."""

    target_id: str
    client_id: str


class Shares:
    """One object a worker; on the reactor's thread. A lane is a proxy's id, or that of its callbacks."""

    def __init__(
        self,
        directory: Directory,
        clock: IReactorTime,
        later: Callable[[float], object],
        *,
        in_flight: int,
        per_target: int,
    ) -> None:
        """`in_flight`, `per_target`: attempts at one time; of callbacks, for each proxy. `later`: called where a lane
        may not now, and may be asked again in so many seconds."""
        self._directory = directory
        self._clock = clock
        self._later = later
        self._per_target = per_target
        self._left = in_flight
        self._at_target: Counter[str] = Counter()
        self._of_client: Counter[str] = Counter()
        self._held: dict[str, float] = {}

    @property
    def left(self) -> int:
        """How many more may begin, if anybody may."""
        return self._left

    def may(self, lane: str) -> bool:
        """Whether one of that lane may begin now, if any are left."""
        share = self._of(lane)
        held = self._held.get(share.target_id)
        if held is not None:
            seconds = held - self._clock.seconds()
            if seconds > 0:
                self._later(seconds)
                return False
            del self._held[share.target_id]
        if self._at_target[share.target_id] >= self._per_target:
            return False
        # Who is alone takes nothing from anybody.
        return len(self._directory.clients) < 2 or self._of_client[share.client_id] < SHARE * self._left

    def begin(self, lane: str) -> Share:
        """One of that lane begins; to be given to `end`."""
        share = self._of(lane)
        self._left -= 1
        self._at_target[share.target_id] += 1
        self._of_client[share.client_id] += 1
        return share

    def end(self, share: Share) -> None:
        """It is over."""
        self._left += 1
        for counted, of in ((self._at_target, share.target_id), (self._of_client, share.client_id)):
            counted[of] -= 1
            if not counted[of]:
                del counted[of]

    def hold(self, share: Share, seconds: float) -> None:
        """Its target wants to be left alone; its other requests are held back too."""
        until = self._clock.seconds() + min(seconds, LONGEST_HOLD)
        self._held[share.target_id] = max(until, self._held.get(share.target_id, 0.0))

    def _of(self, lane: str) -> Share:
        proxy = self._directory.proxies.get(lane.removeprefix(CALLBACKS))
        client_id = "" if proxy is None else proxy.client_id
        if lane.startswith(CALLBACKS):
            return Share(lane, client_id)
        return Share("" if proxy is None else proxy.target_id, client_id)
