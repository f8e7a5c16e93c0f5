"""`Lanes`: whose turn it is: deficit round robin over proxies, so that a flooded one does not delay the others.

Belongs here: the order (Shreedhar and Varghese, 1995). Does not: how many requests are sent at one time (worker.py).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

from rrgate.delivery.table import Due

_UNIT: Final = 64 * 1024
_DEAREST: Final = 32
_QUANTUM: Final = 8


class Lanes:
    """The requests that are due, a lane for each proxy. A large body costs its lane more of its turns."""

    def __init__(self) -> None:
        self._lanes: dict[str, deque[Due]] = {}
        self._order: deque[str] = deque()
        self._deficits: dict[str, int] = {}

    def __len__(self) -> int:
        return sum(map(len, self._lanes.values()))

    def __contains__(self, proxy_id: str) -> bool:
        return proxy_id in self._lanes

    def fill(self, lanes: Mapping[str, list[Due]]) -> None:
        """These are due now, and no others; turns go on where they were."""
        for proxy_id in lanes:
            if proxy_id not in self._lanes:
                self._order.append(proxy_id)
        self._order = deque(proxy_id for proxy_id in self._order if lanes.get(proxy_id))
        self._lanes = {proxy_id: deque(lanes[proxy_id]) for proxy_id in self._order}
        self._deficits = {proxy_id: self._deficits.get(proxy_id, 0) for proxy_id in self._order}

    def take(self, may: Callable[[str], bool]) -> Due | None:
        """The next one, of a proxy that `may`; None if there is none."""
        order = self._order
        passes = (_DEAREST // _QUANTUM + 1) * len(order)
        refused = 0
        for _ in range(passes):
            if refused == len(order):
                break  # none may, or there is none
            proxy_id = order[0]
            lane = self._lanes[proxy_id]
            if not may(proxy_id):
                order.rotate(-1)
                refused += 1
                continue
            refused = 0
            cost = min(1 + lane[0].size // _UNIT, _DEAREST)
            if self._deficits[proxy_id] < cost:
                self._deficits[proxy_id] += _QUANTUM
                order.rotate(-1)
                continue
            self._deficits[proxy_id] -= cost
            due = lane.popleft()
            if not lane:
                # Who has nothing to send saves nothing up.
                order.popleft()
                del self._lanes[proxy_id], self._deficits[proxy_id]
            return due
        return None
